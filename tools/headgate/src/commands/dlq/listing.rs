//! `dlq list` and `dlq show`: looks, and puts everything back.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::content::opened;
use super::entry::{Entry, Kind};
use super::taking::{
    LOOK_SECONDS, Taken, names, not_looked_at, not_one, release, said, take, to_set, warn,
};
use crate::cli::{DlqListArgs, DlqShowArgs, QueueArg};
use crate::connection::Connection;

/// Entries that `show` looks through; more would take longer than they are hidden.
const SHOW_MAX: usize = 10_000;

/// Counts entries by queue and reason, and lists them.
pub(super) async fn list(args: &DlqListArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let all = take(&connection, args.queue, args.max, LOOK_SECONDS).await?;
    let unknown = not_looked_at(&connection, args.queue);
    let text = if args.client.json {
        format!("{}\n", as_json(&all, &unknown, args.max))
    } else {
        let found = as_text(&all, args.max, &connection.env_flag());
        format!("{found}{}", said(&unknown))
    };
    release(all).await?;
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

fn by_reason(taken: &Taken) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for entry in &taken.entries {
        *counts.entry(entry.reason()).or_insert(0) += 1;
    }
    counts
}

fn as_json(all: &[Taken], unknown: &[QueueArg], max: usize) -> Value {
    let queues: Vec<Value> = all
        .iter()
        .map(|taken| {
            let (entries, more) = (taken.entries.len(), taken.entries.len() >= max);
            json!({"queue": taken.queue.word(), "entries": entries, "more": more, "by_reason": by_reason(taken)})
        })
        .collect();
    let entries: Vec<Value> = all
        .iter()
        .flat_map(|taken| &taken.entries)
        .map(|entry| Value::Object(entry.facts()))
        .collect();
    let unknown: Vec<Value> = unknown
        .iter()
        .map(|queue| json!({"queue": queue.word(), "set": to_set(*queue)}))
        .collect();
    json!({"queues": queues, "entries": entries, "not_looked_at": unknown})
}

fn as_text(all: &[Taken], max: usize, flag: &str) -> String {
    let filled: Vec<&Taken> = all.iter().filter(|t| !t.entries.is_empty()).collect();
    if filled.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let mut out = format!("{:<18}{:<20}{:>8}\n", "queue", "reason", "entries");
    for taken in &filled {
        for (reason, count) in by_reason(taken) {
            out.push_str(&format!(
                "{:<18}{reason:<20}{count:>8}\n",
                taken.queue.word()
            ));
        }
        if taken.entries.len() >= max {
            out.push_str(&format!("{:<18}there may be more: --max\n", ""));
        }
    }
    out.push('\n');
    for entry in filled.iter().flat_map(|taken| &taken.entries) {
        let id = entry.message.id.get(..8).unwrap_or(&entry.message.id);
        out.push_str(&format!(
            "{id}  {}  {:<18}{:<20}{:>8} bytes\n",
            entry.at(),
            entry.queue.word(),
            entry.reason(),
            entry.bytes()
        ));
    }
    out.push_str(&format!(
        "\nheadgate dlq show ID{flag}      what is known of one\nheadgate dlq redrive ID{flag}   put it back, to be judged afresh\n"
    ));
    out
}

/// Shows one entry; its content only when that was asked for.
pub(super) async fn show(args: &DlqShowArgs) -> Result<ExitCode> {
    let connection = Connection::open(args.client.env_file.as_deref())?;
    let all = take(&connection, args.queue, SHOW_MAX, LOOK_SECONDS).await?;
    warn(&connection, args.queue);
    let text = shown(&connection, &all, args).await;
    release(all).await?;
    print!("{}", text?);
    Ok(ExitCode::SUCCESS)
}

async fn shown(connection: &Connection, all: &[Taken], args: &DlqShowArgs) -> Result<String> {
    let entries = || all.iter().flat_map(|taken| &taken.entries);
    let mut found = entries().filter(|entry| names(&args.id, entry));
    let (Some(entry), None) = (found.next(), found.next()) else {
        let count = entries().filter(|entry| names(&args.id, entry)).count();
        bail!("{}", not_one(&args.id, count));
    };
    let mut facts = entry.facts();
    if args.reveal {
        eprintln!(
            "warning: what follows may be somebody's number, name or words: do not store it, do not send it on"
        );
        let content = revealed(connection, entry).await?;
        match String::from_utf8(content) {
            Ok(text) => facts.insert("content".to_owned(), json!(text)),
            Err(bytes) => {
                let coded = STANDARD.encode(bytes.into_bytes());
                facts.insert("content_base64".to_owned(), json!(coded))
            }
        };
    }
    if args.client.json {
        return Ok(format!("{}\n", Value::Object(facts)));
    }
    let mut out = String::new();
    for (name, value) in &facts {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        out.push_str(&format!("{name:<16}{value}\n"));
    }
    if !args.reveal {
        out.push_str("\nthe content is not shown: --reveal opens it\n");
    }
    Ok(out)
}

async fn revealed(connection: &Connection, entry: &Entry) -> Result<Vec<u8>> {
    match &entry.kind {
        Kind::Letter(_) => {
            let (keyring, now) = (connection.keyring()?, connection.now().await?);
            let content = opened(std::slice::from_ref(entry), &keyring, now).await?;
            Ok(content.reveal().clone())
        }
        Kind::Moved => Ok(entry.message.body.clone().into_bytes()),
        Kind::Event(detail) => Ok(detail.to_string().into_bytes()),
    }
}
