//! `headgate events`: what apps are told, one line for each event, deleted once printed.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::cli::EventsArgs;
use crate::connection::Connection;
use crate::env_file::DEFAULT_PATH;

/// Prints events until the queue is empty, or for as long as was asked.
///
/// # Errors
/// When SQS does not answer.
pub async fn run(args: &EventsArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let reader = connection.reader("APP_EVENTS")?;
    let env_file = connection.env_file.as_deref().unwrap_or(DEFAULT_PATH);
    let ends = args
        .timeout
        .map(|s| Instant::now() + Duration::from_secs(s));
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    loop {
        let left = ends.map_or(Duration::from_secs(4), |at| {
            at.saturating_duration_since(Instant::now())
        });
        let wait = if args.follow || ends.is_some() {
            i32::try_from(left.as_secs().min(4)).unwrap_or(0)
        } else {
            1
        };
        let received = tokio::select! {
            received = reader.receive(wait) => received.context("SQS did not give the events")?,
            _ = &mut stop => return Ok(ExitCode::SUCCESS),
        };
        let mut out = std::io::stdout().lock();
        for message in &received {
            let written = if args.client.json {
                writeln!(out, "{}", message.body)
            } else {
                writeln!(out, "{}", line(&message.body, env_file))
            };
            if written.is_err() {
                // Whoever read us has gone; what was not shown stays on the queue.
                return Ok(ExitCode::SUCCESS);
            }
        }
        out.flush().ok();
        drop(out);
        if !received.is_empty() {
            reader
                .delete(&received)
                .await
                .context("the printed events could not be deleted and will come again")?;
        }
        let over = ends.is_some_and(|at| Instant::now() >= at);
        if over || (received.is_empty() && !args.follow && ends.is_none()) {
            return Ok(ExitCode::SUCCESS);
        }
        if received.is_empty() && wait == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// One event in one line; a refusal says what to do, with the command where there is one.
fn line(body: &str, env_file: &str) -> String {
    let Ok(event) = serde_json::from_str::<Value>(body) else {
        return "(an event that is not JSON)".to_owned();
    };
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let mut line = format!(
        "{}  {:<18}",
        text("/at").unwrap_or("-"),
        text("/type").unwrap_or("-")
    );
    for (name, pointer) in [
        ("id", "/id"),
        ("message_id", "/message_id"),
        ("subject", "/subject"),
        ("ref", "/ref"),
    ] {
        if let Some(value) = text(pointer) {
            line.push_str(&format!("  {name}={value}"));
        }
    }
    if let Some(code) = text("/data/code") {
        line.push_str(&format!("  {code}"));
        if let Some(field) = text("/data/field") {
            line.push_str(&format!(
                " at {field}: {}",
                text("/data/why").unwrap_or_default()
            ));
        }
        for pointer in ["/data/message", "/data/remedy"] {
            if let Some(sentence) = text(pointer) {
                line.push_str(&format!("  {sentence}"));
            }
        }
        if let Some(command) = text("/data/command") {
            line.push_str(&format!(
                "\n  → {}",
                command.replace(DEFAULT_PATH, env_file)
            ));
        }
    } else if let Some(data) = event
        .get("data")
        .filter(|d| d.as_object().is_some_and(|o| !o.is_empty()))
    {
        line.push_str(&format!("  {data}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_consent_comes_with_the_command_that_records_one() {
        let event = r#"{"type":"message.refused","at":"2026-11-22T10:00:00.000Z","id":"order-1","subject":"sub_x",
            "data":{"code":"no_consent","message":"No.","remedy":"Record it.",
            "command":"headgate opt-in --subject sub_x --purpose marketing --env-file .headgate/dev.env"}}"#;
        let line = line(event, "f.env");
        assert!(line.contains("no_consent  No.  Record it."), "{line}");
        assert!(
            line.ends_with(
                "\n  → headgate opt-in --subject sub_x --purpose marketing --env-file f.env"
            ),
            "{line}"
        );
    }

    #[test]
    fn a_malformed_message_is_shown_with_its_field() {
        let event = r#"{"type":"message.refused","data":{"code":"malformed","field":"to.phone","why":"is empty"}}"#;
        assert!(line(event, "").contains("malformed at to.phone: is empty"));
        assert_eq!(line("x", ""), "(an event that is not JSON)");
    }
}
