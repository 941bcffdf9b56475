//! What a run came to, as the table of docs/benchmarks.md.

use std::fmt::Write as _;

use crate::chance::SECOND;
use crate::meta::{percentile, worst_second};
use crate::tables::{Bill, Tables};
use crate::world::{Case, Seen};

/// A run in figures.
pub(crate) struct Row {
    what: &'static str,
    pub(crate) per_second: u32,
    codes: f64,
    seconds: u64,
    pub(crate) terms: u64,
    /// Of what Meta allowed, in hundredths.
    pub(crate) used: f64,
    pub(crate) worst_sent: usize,
    pub(crate) worst_arrived: usize,
    pub(crate) refused: f64,
    /// Milliseconds: median, 99th percentile, longest.
    pub(crate) from_outbox: [f64; 3],
    pub(crate) from_queue: [f64; 3],
    pub(crate) from_app: [f64; 3],
    pub(crate) codes_sent: usize,
    /// What each code waited from intake to its first byte.
    pub(crate) waited: Vec<u64>,
    pub(crate) writes: f64,
    parts: String,
    reads: f64,
    read_calls: f64,
    pub(crate) twice: u64,
    lost: u64,
    gap: f64,
}

impl Row {
    pub(crate) fn of(case: &Case, seen: &Seen, tables: &Tables) -> Self {
        let seconds = case.measured / SECOND;
        let allowed = f64::from(case.per_second) * seconds as f64;
        let n = seen.accepted as f64;
        let bill: &Bill = &tables.bill;
        let waits = |of: &[u64]| [0.5, 0.99, 1.0].map(|part| percentile(of, part));
        let each = |units: u64| units as f64 / n;
        Self {
            what: case.what,
            per_second: case.per_second,
            codes: case.codes,
            seconds,
            terms: seen.terms,
            used: n / allowed * 100.0,
            worst_sent: worst_second(&seen.sends),
            worst_arrived: worst_second(&seen.arrivals),
            refused: seen.refused as f64 / (n + seen.refused as f64) * 100.0,
            from_outbox: waits(&seen.codes.outbox),
            from_queue: waits(&seen.codes.queue),
            from_app: waits(&seen.codes.app),
            codes_sent: seen.codes.outbox.len(),
            waited: seen.codes.queue.clone(),
            writes: each(bill.writes()),
            parts: format!(
                "{:.4} + {:.4} + {:.4} + {:.4} + {:.4} + {:.4}",
                each(bill.claims),
                each(bill.renewals),
                each(bill.cursors),
                each(bill.legacy),
                each(bill.dues),
                each(bill.pairs)
            ),
            reads: each(bill.reads),
            read_calls: each(bill.read_calls),
            twice: seen.twice,
            lost: seen.lost,
            gap: seen.gaps.iter().max().map_or(0.0, |ns| *ns as f64 / 1e6),
        }
    }
}

/// The table, in Markdown.
pub(crate) fn markdown(rows: &[&Row]) -> String {
    let mut text = String::from(
        "| world | limit/s | codes/s | seconds, terms | used % | worst 1-s window: sent, at Meta | 130429 % | code, outbox to first byte: p50 / p99 / max ms | code, intake to first byte: p50 / p99 / max ms | code, app to first byte: p50 / p99 / max ms | limiter write units per message (claims + lease + cursors + legacy + dues + pairs) | read units, read calls per message | ambiguous by hand-over | longest gap ms |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let [o50, o99, omax] = row.from_outbox;
        let [q50, q99, qmax] = row.from_queue;
        let [a50, a99, amax] = row.from_app;
        writeln!(
            text,
            "| {} | {} | {} | {}, {} | {:.2} | {}, {} | {:.3} | {o50:.0} / {o99:.0} / {omax:.0} | {q50:.0} / {q99:.0} / {qmax:.0} | {a50:.0} / {a99:.0} / {amax:.0} | {:.4} ({}) | {:.3}, {:.3} | {} | {:.0} |",
            row.what,
            row.per_second,
            row.codes,
            row.seconds,
            row.terms,
            row.used,
            row.worst_sent,
            row.worst_arrived,
            row.refused,
            row.writes,
            row.parts,
            row.reads,
            row.read_calls,
            row.lost,
            row.gap,
        )
        .unwrap();
    }
    text
}
