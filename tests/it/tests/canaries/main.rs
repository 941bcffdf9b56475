//! Forty canaries through every function and every error path: none is found where it may not be (R-304, R-404, I4).
//!
//! The whole gateway runs in a process of its own, whose two outputs are read here to the last byte: log lines, words
//! of panics, and whatever a dependency might print. Every table, queue, dead letter, object, key and answer that
//! process saw at any moment is searched with them. Deliberately does not undo encryption: the texts that are sealed
//! are random without their keys.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::format_push_string,
    clippy::format_collect,
    clippy::string_slice,
    clippy::too_many_lines,
    clippy::large_futures,
    reason = "tests may fail loudly; this one starts itself as a process of its own and reads what it prints"
)]

mod echo;
mod holds;
mod inside;
mod later;
mod list;
mod plant;
mod strangers;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use headgate::canary::{Exception, Finding, exception};
use list::{FOR_APPS, FORTY, List};
use serde_json::{Value, json};
use world::World;

/// Where the process writes what it saw; it is one if this is set.
const OUT: &str = "HEADGATE_CANARY_OUT";
const JOURNEY: &str = "no_canary_is_found_outside_the_named_exceptions";

/// Every function of the template and the ways it is driven. A new one is added here, with its ways in `strangers`,
/// `inside`, `holds` or `later`; the template is asked whether one is missing.
const WAYS: [(&str, &[&str]); 10] = [
    (
        "webhook",
        &[
            "handshake",
            "handshake refused",
            "taken",
            "bad signature",
            "not JSON",
            "too large",
            "stored in the bucket",
            "away",
            "panic",
        ],
    ),
    (
        "notification-processor",
        &[
            "message",
            "status",
            "redelivered",
            "unreadable",
            "redriven",
            "away",
            "panic",
        ],
    ),
    (
        "intake",
        &[
            "consents",
            "accepted",
            "refused",
            "malformed",
            "redriven",
            "away",
            "panic",
        ],
    ),
    (
        "sender",
        &[
            "sent",
            "Graph 400",
            "Graph 500",
            "timeout",
            "reset",
            "no JSON",
            "cut off",
            "failed later",
            "Graph repeats what it heard",
            "away",
            "panic",
        ],
    ),
    (
        "privacy-web",
        &[
            "pages",
            "asked with a code",
            "copy fetched",
            "link pressed",
            "wrong link",
            "away",
            "panic",
        ],
    ),
    (
        "consent-api",
        &[
            "taken",
            "duplicate",
            "malformed",
            "link issued",
            "wrong token",
            "away",
            "panic",
        ],
    ),
    ("consent-import", &["file", "damaged", "away", "panic"]),
    (
        "privacy-worker",
        &[
            "copy made",
            "held",
            "held copy made",
            "hold over",
            "rectification",
            "objection",
            "restriction",
            "lift",
            "erased",
            "malformed",
            "away",
            "panic",
        ],
    ),
    ("retention-purge", &["run", "away", "panic"]),
    ("ledger-checkpoint", &["run", "away", "panic"]),
];

/// What is answered to whoever it belongs to, with a success: the id of the record a system sent, and the token of the
/// link a person has opened. Not an exception of I4, because it goes nowhere else; an error never repeats anything.
const RETURNED: [(&str, &str); 3] = [
    ("answer 202 of ConsentApi", "app id"),
    ("answer 200 of PrivacyApi", "link token"),
    ("answer 200 of PrivacyApi", "confirm token"),
];

/// One run, as the process left it.
struct Run {
    list: List,
    ways: BTreeSet<(String, String)>,
    inputs: Vec<(String, String)>,
    /// Place and text of everything that was seen, and each line of the outputs.
    seen: Vec<(String, String)>,
    planted: Vec<(String, String)>,
}

static RUN: LazyLock<Run> = LazyLock::new(run);

/// Starts the process and reads everything it leaves.
fn run() -> Run {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("canaries.json");
    std::fs::remove_file(&file).ok();
    let child = Command::new(std::env::current_exe().unwrap())
        .args([JOURNEY, "--exact", "--nocapture", "--test-threads=1"])
        .env(OUT, &file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let outputs =
        [child.stdout, child.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let end = |text: &str| text.lines().rev().take(30).collect::<Vec<_>>().join("\n");
    assert!(
        child.status.success(),
        "the journey ended early:\n{}\n{}",
        end(&outputs[0]),
        end(&outputs[1])
    );
    let left: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pairs = |name: &str| -> Vec<(String, String)> {
        let pairs = left[name].as_array().unwrap().iter();
        pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
    };
    let (mut seen, mut planted) = (pairs("seen"), pairs("planted"));
    let line = |line: &str| ("output".to_owned(), line.to_owned());
    let (before, after) = outputs[0].split_once(plant::MARK).unwrap();
    seen.extend(before.lines().map(line));
    planted.extend(after.lines().map(line));
    // What was planted there says so itself.
    for text in outputs[1].lines() {
        let into = if text.starts_with("planted-") {
            &mut planted
        } else {
            &mut seen
        };
        into.push(line(text));
    }
    Run {
        list: List::from_json(&left["list"]),
        ways: pairs("ways").into_iter().collect(),
        inputs: pairs("inputs"),
        seen,
        planted,
    }
}

/// The whole way of the canaries, in the process that is watched.
fn journey(out: &PathBuf) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let left = runtime.block_on(Box::pin(async {
        let world = World::start().await;
        // As every main does, so that a panic here reads as it would there.
        headgate_lambda::runtime::start();
        strangers::open(&world).await;
        strangers::to_the_webhook(&world).await;
        Box::pin(inside::to_the_processor(&world)).await;
        Box::pin(inside::to_intake(&world)).await;
        Box::pin(inside::to_meta(&world)).await;
        strangers::to_the_pages(&world).await;
        strangers::to_the_api(&world).await;
        Box::pin(later::to_the_import(&world)).await;
        Box::pin(later::on_schedule(&world)).await;
        Box::pin(holds::by_number(&world)).await;
        Box::pin(later::to_the_worker(&world)).await;
        Box::pin(later::unread(&world)).await;
        strangers::with_nothing_behind(&world).await;
        let seen = plant::to_json(&world.places().await);
        world.look_afresh().await;
        plant::everywhere(&world).await;
        let planted = plant::to_json(&world.places().await);
        let list = world.list.lock().unwrap().to_json();
        json!({ "list": list, "ways": world.ways(), "inputs": world.inputs(), "seen": seen, "planted": planted })
    }));
    std::fs::write(out, left.to_string()).unwrap();
}

/// What was found, each with the exception that covers it.
fn found(list: &List, texts: &[(String, String)]) -> Vec<(Finding, Option<Exception>)> {
    let canary = list.search();
    let mut all = Vec::new();
    for (place, text) in texts {
        for finding in canary.search([(place.as_str(), text.as_str())]) {
            let exception = exception(place, text, &finding.kind, &FOR_APPS);
            all.push((finding, exception));
        }
    }
    all
}

#[test]
fn no_canary_is_found_outside_the_named_exceptions() {
    if let Some(out) = std::env::var_os(OUT) {
        return journey(&PathBuf::from(out));
    }
    let mut leaks: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut used: BTreeMap<Exception, BTreeSet<String>> = BTreeMap::new();
    let mut returned = BTreeSet::new();
    for (finding, exception) in found(&RUN.list, &RUN.seen) {
        let of = |(place, kind): &(&str, &str)| {
            finding.place.starts_with(place) && finding.kind == *kind
        };
        if let Some(exception) = exception {
            used.entry(exception).or_default().insert(finding.kind);
        } else if let Some(which) = RETURNED.iter().position(of) {
            returned.insert(which);
        } else {
            leaks.entry(finding.place).or_default().insert(finding.kind);
        }
    }
    println!(
        "{} texts searched for {} canaries",
        RUN.seen.len(),
        RUN.list.len()
    );
    for (exception, kinds) in &used {
        println!(
            "{exception:?}: {}",
            kinds.iter().cloned().collect::<Vec<_>>().join(", ")
        );
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    let unused: Vec<Exception> = Exception::ALL
        .into_iter()
        .filter(|e| !used.contains_key(e))
        .collect();
    assert!(
        unused.is_empty(),
        "nothing needs these exceptions: {unused:?}"
    );
    assert_eq!(
        used[&Exception::ForTheApp],
        FOR_APPS.map(str::to_owned).into()
    );
    assert_eq!(returned.len(), RETURNED.len(), "{returned:?}");
}

#[test]
fn every_canary_went_in_and_every_function_went_every_way() {
    let ways: BTreeSet<(String, String)> = WAYS
        .iter()
        .flat_map(|(function, ways)| {
            ways.iter()
                .map(|way| ((*function).to_owned(), (*way).to_owned()))
        })
        .collect();
    assert_eq!(RUN.ways, ways);
    // And the codes of the page for requests, and the link by which a person fetches a copy.
    assert_eq!(RUN.list.len(), FORTY + 6);
    let went_in: BTreeSet<String> = found(&RUN.list, &RUN.inputs)
        .into_iter()
        .map(|(finding, _)| finding.kind)
        .collect();
    // Nobody sends the app secret: it is the key under which notifications are signed.
    let missing: Vec<&str> = RUN
        .list
        .each()
        .map(|(label, _)| label)
        .filter(|label| *label != "app secret" && !went_in.contains(*label))
        .collect();
    assert!(missing.is_empty(), "{missing:?} went nowhere");
    let template: Vec<&str> = headgate::stage::TEMPLATE
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix("Function:"))
        // Globals name no function.
        .filter(|name| !name.is_empty())
        .collect();
    let mut functions: Vec<String> = template.iter().map(|name| kebab(name)).collect();
    functions.sort();
    let mut known: Vec<&str> = WAYS.iter().map(|(function, _)| *function).collect();
    known.sort_unstable();
    assert_eq!(functions, known, "a function of the template is not driven");
}

#[test]
fn what_functions_print_is_lines_of_the_log_alone() {
    let mut lines = 0;
    for (_, line) in RUN
        .seen
        .iter()
        .filter(|(place, line)| place == "output" && line.starts_with('{'))
    {
        let line: Value = serde_json::from_str(line).expect("a line of the log is JSON");
        if let Some(strange) = not_on_the_page(&line) {
            panic!("docs/logging.md knows of no {strange}");
        }
        lines += 1;
    }
    assert!(lines > 100, "{lines}");
    // Beside them stands only what the harness says.
    let others = RUN.seen.iter().filter(|(place, line)| {
        place == "output" && !line.starts_with('{') && !line.trim().is_empty()
    });
    for (_, line) in others {
        assert!(
            line.starts_with("running 1 test") || line.starts_with("test "),
            "{line}"
        );
    }
}

#[test]
fn every_leak_that_is_planted_is_found_in_every_form_and_every_kind_of_place() {
    let mut missed = Vec::new();
    let mut hits = 0;
    for (index, (form, leak, kind)) in plant::forms().iter().enumerate() {
        for (place, is_there) in plant::kinds_of_place(index) {
            if place == "key" && !plant::fits_a_key(leak) {
                continue;
            }
            let there: Vec<(String, String)> = RUN
                .planted
                .iter()
                .filter(|(place, text)| is_there(place, text))
                .cloned()
                .collect();
            let found = found(&RUN.list, &there);
            let is_found = found
                .iter()
                .any(|(finding, exception)| exception.is_none() && finding.kind == *kind);
            if is_found {
                hits += 1;
            } else {
                missed.push(format!("{form} in {place}"));
            }
        }
    }
    println!("{hits} planted leaks found");
    assert!(missed.is_empty(), "{missed:#?}");
}

/// What of a line docs/logging.md does not list; it is generated from the sources, this is what really came out.
fn not_on_the_page(line: &Value) -> Option<String> {
    let page = include_str!("../../../../docs/logging.md");
    let event = line["event"].as_str().unwrap();
    // The command line's own, of a function that failed on the stage.
    if event == "function_failed" {
        return None;
    }
    let start = format!("| `{event}` | ");
    let rows: Vec<&str> = page.lines().filter(|row| row.starts_with(&start)).collect();
    let level = line["level"].as_str().unwrap();
    if !rows.iter().any(|row| {
        row[start.len()..]
            .split(" | ")
            .next()
            .unwrap()
            .contains(level)
    }) {
        return Some(format!("{level} {event}"));
    }
    let names = line.as_object().unwrap().keys();
    let mut fields = names.filter(|name| !["timestamp", "level", "event"].contains(&name.as_str()));
    let unknown = fields.find(|name| !rows.iter().any(|row| row.contains(&format!("`{name}`"))));
    unknown.map(|name| format!("{name} of {event}"))
}

fn kebab(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
