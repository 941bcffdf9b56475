//! `just bench`: what the pacer promises, measured, and written to docs/benchmarks.md by this program itself.
//!
//! Counts and ratios come first, since they hold on every machine; wall-clock times come with the machine named. Every
//! figure about arrivals is the simulated Meta's own: over HTTP/2 and TLS on loopback, in real time.
//!
//! With words behind `--`, only the measurements of those names are made and nothing is written:
//! `cargo bench -p headgate-benches --bench sending -- engine codes`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::use_debug,
    clippy::large_futures,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "a bench may fail loudly, says what it does, and counts what fits"
)]

mod apart;
mod baselines;
mod codes;
mod engine;
mod journey;
mod process;
mod report;
mod utilisation;
mod world;

use baselines::Design;
use report::Report;
use world::World;

/// How long a span is observed: more than a term, so that a hand-over is in it. For a quick look, say less.
const SECONDS: u64 = 75;
const SECONDS_VARIABLE: &str = "HEADGATE_BENCH_SECONDS";
/// What waits while codes are sent.
const BACKLOG: usize = 1_000_000;
/// How many codes.
const CODES: usize = 400;
/// Sends of the engine.
const SENDS: u64 = 60_000;

fn main() {
    if std::env::var_os(process::CHILD).is_some() {
        process::serve();
        return;
    }
    // cargo itself says `--bench`.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let report = runtime.block_on(measure(&wanted));
    println!("{}", report.text());
    if wanted.is_empty() {
        report.write();
    }
}

async fn measure(wanted: &[String]) -> Report {
    let seconds = std::env::var(SECONDS_VARIABLE).ok();
    let seconds = seconds.map_or(SECONDS, |text| text.parse().unwrap());
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word));
    let mut report = Report::default();
    if is_wanted("engine") {
        say("engine");
        report.engine = Some(engine::measure(SENDS).await);
    }
    for per_second in [80, 1_000] {
        if is_wanted(&format!("utilisation-{per_second}")) {
            say(&format!("utilisation at {per_second}/s"));
            let world = World::start(per_second, false).await;
            report.sent.push(utilisation::sender(&world, seconds).await);
        }
    }
    if is_wanted("journey") {
        say("the whole journey at 80/s");
        let world = World::start(80, true).await;
        report.journey = Some(journey::measure(&world, seconds).await);
    }
    for backlog in [0, BACKLOG] {
        if is_wanted("codes") {
            say(&format!("codes with {backlog} messages waiting"));
            let world = World::start(80, false).await;
            report
                .codes
                .push(codes::measure(&world, backlog, CODES).await);
        }
    }
    let designs = [
        (80, "one conditional write a message", 50, 1),
        (80, "GCRA, blocks of 4 slots", 4, 4),
        (1_000, "one conditional write a message", 200, 1),
        (1_000, "GCRA, blocks of 20 slots", 10, 20),
    ];
    for (per_second, name, environments, block) in designs {
        if is_wanted("baselines") {
            say(&format!("baseline: {name}, {per_second}/s"));
            let world = World::start(per_second, false).await;
            let design = Design {
                name,
                environments,
                block,
            };
            let outcomes = baselines::measure(&world, design, seconds / 3).await;
            report.baselines.push((design, outcomes));
        }
    }
    report
}

fn say(what: &str) {
    eprintln!("measuring {what} …");
}
