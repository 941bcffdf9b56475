//! `cargo bench -p headgate-benches --bench webhook`: what the webhook edge promises, measured, and written to
//! docs/benchmarks-webhook.md by this program itself.
//!
//! Counts and ratios come first, since they hold on every machine; then CPU time, which other work on the machine moves
//! little; wall-clock times come with the machine named. What is measured as a process is the binary that ships.
//!
//! With words behind `--`, only the measurements of those names are made and nothing is written:
//! `cargo bench -p headgate-benches --bench webhook -- peers load`.
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
    clippy::unchecked_time_subtraction,
    missing_docs,
    reason = "a bench may fail loudly, says what it does, and counts what fits"
)]

mod fixtures;
mod handlers;
mod load;
mod null_store;
mod parser;
mod parts;
mod proc;
mod processor;
mod report;
mod rounds;
mod size;
mod starts;

use headgate_testkit::{Stage, stage};

use report::Report;

/// Starts of the webhook, and of each peer, which takes a hundred times longer.
const STARTS: (usize, usize) = (101, 11);

fn main() {
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
    let is_wanted = |name: &str| {
        let wanted = wanted.is_empty() || wanted.iter().any(|word| name.contains(word));
        if wanted {
            eprintln!("measuring {name} …");
        }
        wanted
    };
    let mut report = Report::default();
    let target = size::target();
    let binary = size::built(&target, "webhook");
    if is_wanted("size") {
        report.size = Some(size::measure(&binary));
    }
    if is_wanted("parser") {
        report.parsed = parser::measure();
        if let Some(samples) = parser::samples() {
            let (rate, bytes) = (samples.megabytes_per_second, samples.bytes);
            println!("samples: {rate:.0} MB/s over {bytes} bytes");
        }
    }
    let stage = furnished().await;
    if is_wanted("parts") {
        report.parts = Some(parts::measure(&stage));
    }
    if is_wanted("processor") {
        report.processed = processor::measure(&stage).await;
    }
    let headgate = handlers::headgate(&stage, &binary);
    if is_wanted("load") {
        report.load = Some(load::measure(&stage, &headgate, Some(load::PER_SECOND)).await);
        report.most = Some(load::measure(&stage, &headgate, None).await);
    }
    let mut all = vec![headgate.clone()];
    if is_wanted("peers") {
        for peer in handlers::peers(&stage, &target) {
            match peer {
                Ok(peer) => all.push(peer),
                Err(why) => report.without.push(why),
            }
        }
        report.one = rounds::measure(&all, rounds::ONE).await;
        report.thousand = rounds::measure(&all, rounds::THOUSAND).await;
    }
    if is_wanted("starts") {
        for (n, handler) in all.iter().enumerate() {
            let count = if n == 0 { STARTS.0 } else { STARTS.1 };
            report.starts.push(starts::measure(handler, count).await);
        }
    }
    report
}

/// A deployment in the local cloud, in which nothing is swept while it is measured.
async fn furnished() -> Stage {
    let stage = stage().await;
    stage.cloud().set_sweeping(false);
    stage
}
