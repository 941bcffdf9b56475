//! Everything a send reads and changes, under one lock held for microseconds.

use crate::arrivals::{Kept, NumberWindow, densest};
use crate::faults::{Fault, Faults};
use crate::limits::{Pairs, Throughput};
use crate::options::Number;
use crate::people::People;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What happened so far, in numbers.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counters {
    /// Messages taken on.
    pub accepted: u64,
    /// Refused requests by code.
    pub refused: BTreeMap<u32, u64>,
    /// Faults that were served, by name.
    pub faults: BTreeMap<String, u64>,
    /// Messages from people.
    pub inbound: u64,
    /// Status updates that were put into a POST.
    pub statuses: u64,
    /// POSTs to the webhook, every attempt.
    pub posts: u64,
    /// Attempts after a failed one.
    pub redelivered: u64,
    /// Notifications posted twice on purpose.
    pub duplicates: u64,
    /// Notifications given up after the last attempt.
    pub lost: u64,
    /// Status updates that came due while no webhook was set.
    pub without_webhook: u64,
}

/// The state behind the messages endpoint.
pub(crate) struct Ledger {
    pub(crate) arrivals: Vec<Kept>,
    pub(crate) inbound: Vec<(usize, Instant)>,
    pub(crate) throughput: Vec<Throughput>,
    pub(crate) pairs: Pairs,
    pub(crate) people: People,
    faults: VecDeque<Faults>,
    sequence: u64,
}

impl Ledger {
    pub(crate) fn new(numbers: usize) -> Self {
        Self {
            arrivals: Vec::new(),
            inbound: Vec::new(),
            throughput: (0..numbers).map(|_| Throughput::default()).collect(),
            pairs: Pairs::default(),
            people: People::default(),
            faults: VecDeque::new(),
            sequence: 0,
        }
    }

    /// A number nobody else gets.
    pub(crate) fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(crate) fn order(&mut self, faults: Faults) {
        self.faults.push_back(faults);
    }

    /// The fault this send is to suffer.
    pub(crate) fn next_fault(&mut self) -> Option<Fault> {
        loop {
            let first = self.faults.front_mut()?;
            if first.next > 0 {
                first.next -= 1;
                return Some(first.fault.clone());
            }
            self.faults.pop_front();
        }
    }

    /// When everything that counts for number `index` came, people's messages first; and how many
    /// those are. Copied, so that sends need not wait for the arithmetic.
    fn times(&self, index: usize, id: &str, started: Instant) -> (Vec<Duration>, u64) {
        let since = |at: Instant| at.saturating_duration_since(started);
        let inbound = self
            .inbound
            .iter()
            .filter(|(to, _)| *to == index)
            .map(|(_, at)| since(*at));
        let mut times: Vec<Duration> = inbound.collect();
        let inbound = u64::try_from(times.len()).unwrap_or(u64::MAX);
        let counted = |kept: &&Kept| kept.counted && *kept.number_id == *id;
        times.extend(
            self.arrivals
                .iter()
                .filter(counted)
                .map(|kept| since(kept.at)),
        );
        (times, inbound)
    }
}

/// The densest second of every number.
pub(crate) fn windows(
    ledger: &Mutex<Ledger>,
    numbers: &[Number],
    started: Instant,
) -> Vec<NumberWindow> {
    let report = |(index, number): (usize, &Number)| {
        let (times, inbound) = locked(ledger).times(index, &number.id, started);
        densest(&number.id, number.per_second, times, inbound)
    };
    numbers.iter().enumerate().map(report).collect()
}

/// A panic elsewhere must not hide what was recorded before it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
