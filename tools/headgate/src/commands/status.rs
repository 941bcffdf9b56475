//! `headgate status`: how full the queues are, and the calendar of a local run.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use crate::cli::ClientArgs;
use crate::connection::Connection;
use crate::control;

const QUEUES: [&str; 7] = [
    "AUTHENTICATION",
    "SERVICE",
    "UTILITY",
    "MARKETING",
    "SYSTEM",
    "CONSENTS",
    "APP_EVENTS",
];

/// Prints the state of the gateway.
///
/// # Errors
/// When no queue is known, or the gateway does not answer.
pub async fn run(args: &ClientArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.env_file.as_deref())?;
    let mut queues = Map::new();
    for name in QUEUES {
        if connection.queue_url(name).is_err() && name != "APP_EVENTS" {
            continue;
        }
        let depth = connection.reader(name)?.depth().await.context(
            "SQS gave no answer: is `headgate dev` still running, and is the region right?",
        )?;
        let depth = json!({"waiting": depth.waiting, "in_flight": depth.in_flight, "delayed": depth.delayed});
        queues.insert(name.to_lowercase().replace('_', "-"), depth);
    }
    let local = match connection.control_url() {
        Some(url) => Some(control::call(url, "GET", "/status", None).await?),
        None => None,
    };
    if args.json {
        println!("{}", json!({"queues": queues, "local": local}));
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{:<16}{:>10}{:>12}{:>10}",
        "queue", "waiting", "in flight", "delayed"
    );
    for (name, depth) in &queues {
        let count = |key: &str| depth.get(key).and_then(Value::as_u64).unwrap_or(0);
        println!(
            "{name:<16}{:>10}{:>12}{:>10}",
            count("waiting"),
            count("in_flight"),
            count("delayed")
        );
    }
    if let Some(local) = local {
        let text = |pointer: &str| {
            local
                .pointer(pointer)
                .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
        };
        println!("\ncalendar   {}", text("/calendar").unwrap_or_default());
        println!(
            "accepted by the simulated Meta: {}",
            text("/simulator/accepted")
                .unwrap_or_else(|| "- (another server is in its place)".to_owned())
        );
        println!(
            "dead letters: {}",
            text("/dead_letters").unwrap_or_default()
        );
    }
    Ok(ExitCode::SUCCESS)
}
