//! The log files of `CloudTrail`, as a trail puts them into its bucket: what they tell of the access.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use flate2::read::MultiGzDecoder;
use headgate_domain::time::Timestamp;
use headgate_domain::trail::{Told, Trail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::connection::Connection;

/// A log file has some 5 MB unpacked; what has more than this is none.
const LARGEST: u64 = 64 << 20;
/// What a trail puts beside its log files, to prove them by.
const DIGESTS: &str = "CloudTrail-Digest";
/// Where the events of IAM are, wherever the deployment is.
const IAM_REGION: &str = "us-east-1";
/// Of what reading shows only if the trail has data events.
const DATA: [(&str, &str); 3] = [("dynamodb", "tables"), ("s3", "buckets"), ("sqs", "queues")];

/// What a trail was told, and what it could not be.
pub(super) struct Known {
    pub(super) told: Told,
    not_told: Vec<String>,
}

#[derive(Deserialize)]
struct Log {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// Reads files, and folders with what is below them.
///
/// # Errors
/// When one of them is no log file: nothing is left out unsaid.
pub(super) fn read(
    paths: &[PathBuf],
    connection: &Connection,
    access: (Timestamp, Timestamp),
    is_json: bool,
) -> Result<Known> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        collect(path, &mut files)?;
        if files.len() == before {
            bail!("--trail: no .json or .json.gz below {}", path.display());
        }
    }
    files.sort_unstable();
    files.dedup();
    let (keys, unnamed) = connection.kms_keys();
    let mut trail = Trail::new(connection.deployment()?, access, keys);
    let bar = bar(files.len(), is_json)?;
    for file in &files {
        for event in records(file)? {
            trail.read(&event);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let told = trail.told();
    let not_told = not_told(&told, access, &unnamed);
    Ok(Known { told, not_told })
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let cannot = || format!("--trail: cannot read {}", path.display());
    if !fs::metadata(path).with_context(cannot)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let (below, kind) = (entry.path(), entry.file_type().with_context(cannot)?);
        let name = below.file_name().unwrap_or_default().to_string_lossy();
        if kind.is_symlink() {
            bail!(
                "--trail: {} is a link: give what it leads to",
                below.display()
            );
        }
        if kind.is_dir() {
            if name != DIGESTS {
                collect(&below, files)?;
            }
        } else if name.ends_with(".json") || name.ends_with(".json.gz") {
            files.push(below);
        }
    }
    Ok(())
}

fn records(path: &Path) -> Result<Vec<Value>> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("--trail: cannot read {name}"))?;
    let is_packed = path.extension().is_some_and(|end| end == "gz");
    let text: Box<dyn Read> = if is_packed {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    // The error of the parser would quote the file.
    let log: Log = serde_json::from_reader(BufReader::new(text.take(LARGEST))).map_err(|error| {
        anyhow!(
            "--trail: {name} is no log file of CloudTrail, which is JSON with `Records`: line {}, column {}",
            error.line(),
            error.column()
        )
    })?;
    Ok(log.records)
}

/// What the files cannot tell.
fn not_told(told: &Told, access: (Timestamp, Timestamp), unnamed: &[&str]) -> Vec<String> {
    let mut not_told = Vec::new();
    match told.span {
        None => not_told.push("anything: there is no event in the files".to_owned()),
        Some((first, last)) => {
            if first > access.0 {
                not_told.push(format!("what was before {first}: the files begin there"));
            }
            if last < access.1 {
                not_told.push(format!("what was after {last}: the files end there"));
            }
        }
    }
    if !told.has_key_use {
        // The functions use them all the time.
        not_told.push(
            "who opened keys: the files have no use of them, not even by the functions".to_owned(),
        );
    }
    if !told.regions.contains(IAM_REGION) {
        not_told.push(format!(
            "who changed roles: that stands in {IAM_REGION}, and the files have nothing from there"
        ));
    }
    for (service, what) in DATA {
        if !told.data_of.contains(service) {
            not_told.push(format!(
                "who read and wrote {what}: the files have no data events of them"
            ));
        }
    }
    if !unnamed.is_empty() {
        let variables = unnamed.join(", ");
        not_told.push(format!(
            "who used the keys of KMS whose variables are not set: {variables}"
        ));
    }
    for name in told.impersonated() {
        not_told.push(format!(
            "whether {name} was itself: others changed it, or took its role"
        ));
    }
    if told.unreadable > 0 {
        let count = told.unreadable;
        not_told.push(format!("{count} events that have no time or no name"));
    }
    not_told
}

impl Known {
    /// Everything that is told.
    pub(super) fn as_json(&self) -> Value {
        let told = &self.told;
        let acts = told.acts.iter().map(|((deed, what, by), times)| {
            json!({ "did": deed.word(), "what": what, "by": by, "times": times.done,
                    "refused": times.refused, "first": times.first, "last": times.last })
        });
        json!({
            "events": told.events,
            "first": told.span.map(|(first, _)| first),
            "last": told.span.map(|(_, last)| last),
            "by_functions": told.by_functions,
            "acts": acts.collect::<Vec<_>>(),
            "not_told": self.not_told,
        })
    }

    /// How many of these messages are under the key of a day that somebody else had opened, if that shows.
    pub(super) fn opened<K: ToString>(&self, days: &BTreeMap<K, u64>) -> Option<u64> {
        let opened = days.iter().map(|(day, count)| {
            let is_opened = self.is_opened(day)?;
            Some(if is_opened { *count } else { 0 })
        });
        opened.sum()
    }

    /// Whether somebody else had the key of a day opened, if that shows.
    pub(super) fn is_opened(&self, day: &impl ToString) -> Option<bool> {
        self.told.opened(&format!("day#{}", day.to_string()))
    }

    /// Whether somebody else had a key of numbers and user ids opened, if that shows.
    pub(super) fn has_opened_vault(&self) -> Option<bool> {
        let mut keys = self.told.acts.keys().map(|(_, what, _)| what);
        let is_opened =
            |what: &String| what.starts_with("vault#") && self.told.opened(what) == Some(true);
        // Of a key that is not there the answer is the same as of any that was not opened.
        if keys.any(is_opened) {
            Some(true)
        } else {
            self.told.opened("vault#")
        }
    }
}

fn bar(files: usize, is_json: bool) -> Result<ProgressBar> {
    if is_json {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?;
    let files = u64::try_from(files).unwrap_or(u64::MAX);
    Ok(ProgressBar::new(files)
        .with_style(style)
        .with_message("files of CloudTrail"))
}
