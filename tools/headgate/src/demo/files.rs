//! The input as a file of JSON lines, as an app would keep it: one message a line, with its queue.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};

use anyhow::{Context as _, Result};
use headgate_domain::lane::Purpose;
use serde_json::{Value, json};

use super::letters::Message;
use super::scenario::Scenario;

/// The messages as a file of JSON lines: the queue, and the body as the app wrote it.
pub(super) fn write_file(path: &std::path::Path, input: &Scenario) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut write = |message: &Message| {
        writeln!(
            file,
            "{}",
            json!({"queue": message.lane.word(), "body": message.body})
        )
    };
    let half = input.good.len() / 2;
    let (first, second) = input.good.split_at(half);
    for message in first
        .iter()
        .chain(input.bad.iter().map(|(m, _)| m))
        .chain(second)
    {
        write(message)?;
    }
    Ok(file.flush()?)
}

/// Reads it back, by lane.
pub(super) fn read_file(path: &std::path::Path) -> Result<BTreeMap<Purpose, Vec<String>>> {
    let mut lanes: BTreeMap<Purpose, Vec<String>> = BTreeMap::new();
    for line in std::io::BufReader::new(std::fs::File::open(path)?).lines() {
        let entry: Value = serde_json::from_str(&line?)?;
        let member = |key: &str| entry.get(key).and_then(Value::as_str);
        let lane = member("queue")
            .and_then(Purpose::from_word)
            .context("a line names no lane")?;
        lanes
            .entry(lane)
            .or_default()
            .push(member("body").context("a line has no body")?.to_owned());
    }
    Ok(lanes)
}
