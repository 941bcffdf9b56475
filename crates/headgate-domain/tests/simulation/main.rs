//! The pacer under a full backlog, in virtual time: the shipped holder against a simulated world.
//!
//! Owns the figures of sending.md that only time can show: how much of the limit is used, what a code
//! waits behind a million marketing messages, what the limiter writes. A short run goes with every
//! `cargo test`; the long one, whose table docs/benchmarks.md shows, with `HEADGATE_PROOF=1`:
//!
//! ```text
//! HEADGATE_PROOF=1 cargo test -p headgate-domain --release --test simulation -- --nocapture
//! ```
//!
//! Assumes: Graph API 120 ms in the median, 800 ms at the 99th percentile; DynamoDB 4 and 15; the
//! network 15 ms plus 1 and 10; queue to function 16 and 105; timers late by up to 1.2 ms; calendars
//! off by 50 ms; monotonic clocks by 50 millionths. Meta keeps a sliding log that also counts what it
//! refused. Computing takes no time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests may fail loudly, and a simulation counts"
)]

mod chance;
mod meta;
mod outbox;
mod report;
mod tables;
mod world;

use chance::SECOND;
use headgate_domain::holder::Tuning;
use report::{Row, markdown};
use world::{Case, run};

fn case(per_second: u32, warm_up: u64, measured: u64) -> Case {
    Case {
        per_second,
        codes: 1.0,
        warm_up: warm_up * SECOND,
        measured: measured * SECOND,
        seed: 7,
        tuning: Tuning::default(),
        counts_refused: false,
        stands_by_connected: false,
        finds_at_once: 1,
    }
}

fn row(case: &Case) -> Row {
    let (seen, tables) = run(case);
    Row::of(case, &seen, &tables)
}

#[test]
fn explore() {
    let mut rows = Vec::new();
    for cr in [false, true] { for lk in [50, 20, 10] { for ps in [80, 1000] {
        let tuning = Tuning { look_for_release_every: lk * 1_000_000, block: 50, large_block: 120, ..Tuning::default() };
        rows.push(row(&Case { counts_refused: cr, tuning, stands_by_connected: true, finds_at_once: 64, ..case(ps, 30, if ps == 80 { 300 } else { 120 }) }));
    } } }
    println!("{}", markdown(&rows));
    for r in &rows { println!("twice {} lost {} codes {}", r.twice, r.lost, r.codes_sent); }
}
