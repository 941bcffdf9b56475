//! What came out, in words and as JSON, and whether it is what was promised.

use std::fmt::Write as _;
use std::time::Duration;

use headgate_benches::machine;
use headgate_domain::retention::PurgeReport;
use headgate_testkit::Rows;
use local_cloud::{Meter, Units};
use serde_json::{Value, json};

use crate::purge::Used;

/// What the function has (template.yaml, `MemorySize`).
const MEMORY_KIB: u64 = 256 * 1024;

pub(crate) struct Report {
    pub(crate) rows: Rows,
    pub(crate) loading: Duration,
    pub(crate) on_disk: u64,
    pub(crate) until_destroyed: Duration,
    pub(crate) sample: usize,
    pub(crate) opened: usize,
    pub(crate) could: usize,
    pub(crate) bytes_left: u64,
    pub(crate) killed: usize,
    pub(crate) left_by_the_killed: u64,
    pub(crate) runs: u32,
    pub(crate) swept: Duration,
    pub(crate) used: Used,
    pub(crate) young: u64,
    pub(crate) evidence: PurgeReport,
    pub(crate) meter: Meter,
}

/// What a store cost, for each million of its rows.
struct Cost {
    store: &'static str,
    rows: usize,
    requests: f64,
    write: f64,
    read: f64,
}

impl Report {
    /// Fails where a promise is not kept.
    pub(crate) fn checked(self) -> Self {
        assert_eq!((self.opened, self.could), (0, 0), "something opens");
        assert!(self.bytes_left > 0, "the bytes were still there");
        assert!(
            self.used.peak_kib < MEMORY_KIB,
            "more than the function has"
        );
        self
    }

    fn total(&self) -> usize {
        self.rows.outbox + self.rows.inbound + self.rows.ids
    }

    fn cpu_per_million(&self) -> f64 {
        self.used.cpu_s * 1e6 / self.total() as f64
    }

    fn units(&self, operations: &[&str], kind: &str) -> Units {
        let mut sum = Units::default();
        for ((table, operation, letters), units) in &self.meter.tables {
            let is = table.ends_with("-messages")
                && operations.contains(&operation.as_str())
                && letters == kind;
            if is {
                sum.requests += units.requests;
                sum.write += units.write;
                sum.read += units.read;
            }
        }
        sum
    }

    fn costs(&self) -> Vec<Cost> {
        // Finding by the index is one question for two stores: half of it each.
        let by_index = self.units(&["Query"], "");
        let of = |store, rows: usize, own: Units, share: f64| {
            let million = 1e6 / rows as f64;
            Cost {
                store,
                rows,
                requests: (own.requests as f64 + share * by_index.requests as f64) * million,
                write: own.write * million,
                read: (own.read + share * by_index.read) * million,
            }
        };
        let outbox = self.units(&["Query", "BatchWriteItem"], "O");
        vec![
            of("outbox", self.rows.outbox, outbox, 0.0),
            of(
                "inbound",
                self.rows.inbound,
                self.units(&["DeleteItem"], "N"),
                0.5,
            ),
            of(
                "idempotency",
                self.rows.ids,
                self.units(&["DeleteItem"], "I"),
                0.5,
            ),
        ]
    }

    pub(crate) fn json(&self) -> Value {
        let costs = self.costs().into_iter().map(|cost| {
            json!({ "store": cost.store, "rows": cost.rows, "requests_per_million": cost.requests.round(),
                "write_units_per_million": cost.write.round(), "read_units_per_million": cost.read.round() })
        });
        json!({
            "machine": machine::name(), "rows": self.total(), "records": self.rows.outbox,
            "bytes_on_disk": self.on_disk, "loading_s": self.loading.as_secs_f64(),
            "destroyed_after_ms": self.until_destroyed.as_millis() as u64,
            "sample": self.sample, "opened": self.opened, "keys_found": self.could,
            "rows_still_there_then": self.bytes_left,
            "killed": self.killed, "left_by_the_killed": self.left_by_the_killed, "runs_after": self.runs,
            "rows_left": 0, "younger_rows_kept": self.young,
            "seconds": self.swept.as_secs_f64(), "cpu_s_per_million": self.cpu_per_million(),
            "peak_rss_kib": self.used.peak_kib, "stores": costs.collect::<Vec<_>>(),
            "manifests": self.evidence.manifests, "rows_in_manifests": self.evidence.deleted,
            "values_tried": self.evidence.tried,
        })
    }

    pub(crate) fn words(&self) -> String {
        let mut text = format!("machine: {}\n", machine::name());
        let mut line = |words: String| writeln!(text, "{words}").unwrap_or_default();
        line(format!(
            "{} rows ({} outbox, {} inbound, {} ids) in {} MB on disk, loaded in {:.0} s",
            self.total(),
            self.rows.outbox,
            self.rows.inbound,
            self.rows.ids,
            self.on_disk / 1_000_000,
            self.loading.as_secs_f64(),
        ));
        line(format!(
            "one step: {} ms after its start the run had deleted the key and was killed; of {} values {} open, \
             of {} the key exists; {} rows were still there",
            self.until_destroyed.as_millis(),
            self.sample,
            self.opened,
            self.could,
            self.bytes_left,
        ));
        line(format!(
            "killed {} times, which left {} rows to {} runs: 0 rows left, {} younger rows untouched",
            self.killed, self.left_by_the_killed, self.runs, self.young,
        ));
        for cost in self.costs() {
            line(format!(
                "per million of {:<11} {:>9.0} requests, {:>9.0} write units, {:>7.0} read units ({} rows)",
                cost.store, cost.requests, cost.write, cost.read, cost.rows,
            ));
        }
        line(format!(
            "{:.1} s of CPU per million rows, {} MiB of memory at most, {:.0} s in all",
            self.cpu_per_million(),
            self.used.peak_kib / 1024,
            self.swept.as_secs_f64(),
        ));
        line(format!(
            "evidence holds: {} manifests, {} rows in them ({} were deleted by runs that were killed), {} values tried",
            self.evidence.manifests,
            self.evidence.deleted,
            self.total() as u64 - self.evidence.deleted,
            self.evidence.tried,
        ));
        text
    }
}
