//! Counts what was called, so that a test can say what a message costs.
//!
//! Promises totals since the start of this process. Deliberately keeps no arguments and no times.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Service;

/// What happened on one queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueCounters {
    /// Messages accepted.
    pub sent: u64,
    /// Messages handed out, every receive of a message counted.
    pub received: u64,
    /// Messages handed out for the second time or later.
    pub redelivered: u64,
    /// Messages deleted by a consumer.
    pub deleted: u64,
    /// Messages moved to the dead-letter queue.
    pub moved_to_dead_letter: u64,
    /// The highest receive count any one message reached.
    pub highest_receive_count: u32,
}

/// What happened so far.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Calls by service and operation.
    pub calls: BTreeMap<(Service, String), u64>,
    /// Queue name → what happened on it.
    pub queues: BTreeMap<String, QueueCounters>,
    /// Scheduled runs that still failed after two retries.
    pub failed_schedule_runs: u64,
}

impl Counters {
    /// Calls of one operation.
    pub fn calls_of(&self, service: Service, operation: &str) -> u64 {
        self.calls
            .get(&(service, operation.to_owned()))
            .copied()
            .unwrap_or_default()
    }
}

/// The live counters of calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    calls: Arc<Mutex<BTreeMap<(Service, String), u64>>>,
}

impl Tally {
    pub(crate) fn count(&self, service: Service, operation: &str) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry((service, operation.to_owned())).or_default() += 1;
    }

    pub(crate) fn snapshot(&self) -> BTreeMap<(Service, String), u64> {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
