//! What DynamoDB and SQS would bill: write and read units by table, requests and messages by queue.
//!
//! Units of what succeeds come from dynoxide (`ConsumedCapacity`: rounding per item, indexes, transactions twice). A
//! refused write answers with no figure and is billed all the same, at the larger of the item it would have replaced
//! and the item it brought, at least one unit; a cancelled transaction likewise, twice, for each of its items.
//! (docs.aws.amazon.com/amazondynamodb, "Read and write operations" and "Transactions", read 2026-11.)
//!
//! Promises totals since the start. Deliberately leaves prices, backups, TTL deletions (free) and storage to others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What a kind of item in a table cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Units {
    /// Requests.
    pub requests: u64,
    /// Requests whose condition did not hold.
    pub refused: u64,
    /// Write request units.
    pub write: f64,
    /// Read request units.
    pub read: f64,
}

/// What a queue cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueUse {
    /// Requests as billed: one for each 64 KiB begun.
    pub billed: u64,
    /// Requests to receive, empty ones included.
    pub receives: u64,
    /// Messages accepted.
    pub sent: u64,
    /// Messages handed out, again each time.
    pub received: u64,
    /// Messages deleted by a consumer.
    pub deleted: u64,
}

/// Table, operation, and the letters before the `#` of the partition key (empty where there is none).
pub type Kind = (String, String, String);

/// What was used so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meter {
    /// By kind of item.
    pub tables: BTreeMap<Kind, Units>,
    /// By queue name.
    pub queues: BTreeMap<String, QueueUse>,
}

impl Meter {
    /// What was used after `earlier` was read.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut out = self.clone();
        for (key, units) in &mut out.tables {
            let before = earlier.tables.get(key).copied().unwrap_or_default();
            units.requests -= before.requests;
            units.refused -= before.refused;
            units.write -= before.write;
            units.read -= before.read;
        }
        for (name, queue) in &mut out.queues {
            let before = earlier.queues.get(name).copied().unwrap_or_default();
            queue.billed -= before.billed;
            queue.receives -= before.receives;
            queue.sent -= before.sent;
            queue.received -= before.received;
            queue.deleted -= before.deleted;
        }
        out
    }

    /// The sum over what has a table whose name ends with `table`, and these letters if given.
    pub fn table(&self, table: &str, kind: Option<&str>) -> Units {
        let mut sum = Units::default();
        for ((name, _operation, letters), units) in &self.tables {
            if name.ends_with(table) && kind.is_none_or(|kind| kind == letters) {
                sum.requests += units.requests;
                sum.refused += units.refused;
                sum.write += units.write;
                sum.read += units.read;
            }
        }
        sum
    }

    /// What the queue whose name ends with `queue` was used for.
    pub fn queue(&self, queue: &str) -> QueueUse {
        let mut named = self.queues.iter().filter(|(name, _)| name.ends_with(queue));
        named.next().map(|(_, usage)| *usage).unwrap_or_default()
    }
}

/// The live meter of the tables, and of requests to the queues.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauge {
    tables: Arc<Mutex<BTreeMap<Kind, Units>>>,
    /// Queue name → requests as billed, requests to receive.
    queues: Arc<Mutex<BTreeMap<String, (u64, u64)>>>,
}

impl Gauge {
    pub(crate) fn add(&self, table: &str, operation: &str, kind: &str, units: Units) {
        let key = (table.to_owned(), operation.to_owned(), kind.to_owned());
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = tables.entry(key).or_default();
        sum.requests += units.requests;
        sum.refused += units.refused;
        sum.write += units.write;
        sum.read += units.read;
    }

    pub(crate) fn queue(&self, name: &str, operation: &str, bytes: usize) {
        let billed = bytes.div_ceil(64 * 1024).max(1) as u64;
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = queues.entry(name.to_owned()).or_default();
        sum.0 += billed;
        sum.1 += u64::from(operation == "ReceiveMessage");
    }

    pub(crate) fn read(&self, counted: &BTreeMap<String, crate::QueueCounters>) -> Meter {
        let requests = self
            .queues
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let queues = counted.iter().map(|(name, counters)| {
            let (billed, receives) = requests.get(name).copied().unwrap_or_default();
            let usage = QueueUse {
                billed,
                receives,
                sent: counters.sent,
                received: counters.received,
                deleted: counters.deleted,
            };
            (name.clone(), usage)
        });
        Meter {
            queues: queues.collect(),
            tables: self
                .tables
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }
}
