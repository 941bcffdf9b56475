//! Every shape Meta documents is accepted, and the page says what comes of it.
//!
//! The fixtures are ours, by the shapes of Meta's documentation. Where `HEADGATE_SAMPLES` names a
//! folder with notifications from elsewhere, each of its files goes the same way and its row is printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use headgate_domain::record::RecordRef;
use headgate_domain::time::{HOUR, Timestamp};
use headgate_webhook::notification::{self, Choice, Update};
use headgate_webhook::signature::VerifiedBody;
use local_cloud::Calendar;

use crate::page::{compare, in_repository};
use crate::standing::{Standing, standing};
use crate::world::World;

pub(crate) const FIXTURES: &str = "crates/headgate-webhook/tests/fixtures";
/// The time of the fixtures.
const AT: Timestamp = Timestamp::from_seconds(1_795_341_600);
/// The people of the fixtures.
const PEOPLE: [&str; 2] = ["+16135550100", "+16135550111"];
/// What Meta calls the first of them.
const USER_ID: &str = "CA.1000000000000000001";
/// What our messages in the fixtures carry.
const OURS: &str = "hg1.106540352242922.m.0.01KANNJ0000000000000000001.1";

/// The files of a folder and of the folders in it, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.extension().is_some_and(|end| end == "json") {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// The name of a file without its end.
fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

pub(crate) fn parse(body: &str) -> Vec<Update> {
    notification::parse(&VerifiedBody::from_own_queue(body.as_bytes().to_vec())).unwrap()
}

/// What an update is, for a reader.
fn fact(update: &Update) -> String {
    match update {
        Update::Status(told) => {
            let whose = if told
                .opaque
                .as_deref()
                .is_some_and(|text| text.starts_with("hg1."))
            {
                ""
            } else {
                ", not ours"
            };
            format!("status `{}`{whose}", told.status.word())
        }
        Update::Inbound(message) => format!("message `{}`", message.kind),
        Update::Preference(preference) => match preference.choice {
            Choice::Stop => "preference `stop`".into(),
            Choice::Resume => "preference `resume`".into(),
        },
        Update::Other(other) => format!("notice `{}`", other.word()),
        Update::Unreadable { why, .. } => format!("unreadable: {why}"),
    }
}

/// A world with Ada, who has said yes to marketing, and a message to her that Meta has accepted.
async fn world() -> (World, RecordRef) {
    let calendar = Calendar::system();
    let ahead = AT.plus_millis(60_000).millis() - calendar.now_ms();
    calendar.set_offset_ms(ahead);
    let world = World::start_at(calendar).await;
    world.meet(PEOPLE[0], USER_ID).await;
    world.opt_in(PEOPLE[0], AT.plus_millis(-HOUR)).await;
    let (reference, _attempt) = RecordRef::from_opaque(OURS).unwrap();
    world.record_as(&reference, PEOPLE[0], 1).await;
    (world, reference)
}

/// What is different, for a reader.
fn differences(before: &Standing, after: &Standing) -> Vec<String> {
    let readable = |what: &str| {
        what.replace("person 0: ", "")
            .replace("person 1: ", "the other's ")
            .replace("message 0", "our message")
    };
    let changed = after
        .iter()
        .filter(|(what, value)| before.get(*what) != Some(value))
        .map(|(what, value)| format!("{}: {value}", readable(what)));
    let gone = before
        .keys()
        .filter(|what| !after.contains_key(*what))
        .map(|what| format!("{}: no longer", readable(what)));
    changed.chain(gone).collect()
}

/// The row of a notification: facts, changes, events.
async fn row(body: &str) -> String {
    let facts: Vec<String> = parse(body).iter().map(fact).collect();
    let (world, reference) = Box::pin(world()).await;
    let records = [reference];
    let before = standing(&world, &PEOPLE, &records).await;
    world.consume(body).await;
    let after = standing(&world, &PEOPLE, &records).await;
    let mut changes = differences(&before, &after);
    for (place, _text) in world.dump().await {
        if let Some((_table, word)) = place.split_once("/unknown/") {
            changes.push(format!("kept: `{word}`"));
        }
    }
    for aside in world.queue("notifications-dlq").await {
        changes.push(format!(
            "set aside: `{}`",
            aside["reason"].as_str().unwrap()
        ));
    }
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for event in world.queue("app-events").await {
        let kind = event["type"].as_str().unwrap().to_owned();
        *told.entry(kind).or_default() += 1;
    }
    let told: Vec<String> = told
        .iter()
        .map(|(kind, count)| match count {
            1 => format!("`{kind}`"),
            more => format!("`{kind}` × {more}"),
        })
        .collect();
    format!(
        "{} | {} | {}",
        facts.join("<br>"),
        changes.join("<br>"),
        told.join("<br>")
    )
}

#[tokio::test]
async fn the_page_on_notifications_is_what_the_function_does() {
    let mut text = String::new();
    let mut group = String::new();
    for path in files(&in_repository(FIXTURES)) {
        let folder = name(path.parent().unwrap());
        if folder != group {
            write!(
                text,
                "{}## {folder}\n\n| Shape | Facts | What changes | Told |\n|---|---|---|---|\n",
                if group.is_empty() { "" } else { "\n" }
            )
            .unwrap();
            group = folder;
        }
        let row = Box::pin(row(&fs::read_to_string(&path).unwrap())).await;
        let shape = name(&path).replace('_', " ");
        writeln!(text, "| {shape} | {row} |").unwrap();
    }
    compare(&text);
}

#[tokio::test]
async fn every_sample_is_accepted_and_none_of_its_parts_is_unreadable() {
    let mut all = files(&in_repository(FIXTURES));
    assert!(all.len() > 100, "the fixtures are gone");
    let elsewhere = env::var_os("HEADGATE_SAMPLES").map(PathBuf::from);
    if let Some(folder) = &elsewhere {
        let samples = files(folder);
        assert!(
            !samples.is_empty(),
            "HEADGATE_SAMPLES names an empty folder"
        );
        all.extend(samples);
    }
    for path in all {
        let body = fs::read_to_string(&path).unwrap();
        let updates = parse(&body);
        assert!(!updates.is_empty(), "{}", path.display());
        for update in &updates {
            assert!(
                !matches!(update, Update::Unreadable { .. }),
                "{}: {}",
                path.display(),
                fact(update)
            );
        }
        if elsewhere
            .as_ref()
            .is_some_and(|folder| path.starts_with(folder))
        {
            let folder = name(path.parent().unwrap());
            println!(
                "| {folder}/{} | {} |",
                name(&path),
                Box::pin(row(&body)).await
            );
        }
    }
}
