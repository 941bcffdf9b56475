//! Everything a send reads and changes, under one lock held for microseconds.

use crate::arrivals::{Kept, NumberWindow, Times, densest};
use crate::faults::{Fault, Faults};
use crate::limits::{Pairs, Throughput};
use crate::options::Number;
use crate::people::People;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// Values that repeat, kept once: ids of numbers, names of templates, types.
#[derive(Default)]
pub(crate) struct Names(Vec<Arc<str>>);

/// A caller may make names up; those beyond this many are not shared.
const MOST_NAMES: usize = 64;

impl Names {
    pub(crate) fn of(&mut self, name: &str) -> Arc<str> {
        if let Some(kept) = self.0.iter().find(|kept| ***kept == *name) {
            return Arc::clone(kept);
        }
        let kept: Arc<str> = name.into();
        if self.0.len() < MOST_NAMES {
            self.0.push(Arc::clone(&kept));
        }
        kept
    }
}

/// The state behind the messages endpoint.
pub(crate) struct Ledger {
    pub(crate) names: Names,
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
            names: Names::default(),
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

    /// When everything that counts for number `index` came within a span of time. Copied, so that
    /// sends need not wait for the arithmetic.
    fn times(&self, index: usize, id: &str, span: &Span) -> Times {
        let inbound = self.inbound.iter().filter(|(to, _)| *to == index);
        let mut times: Vec<Duration> = inbound.filter_map(|(_, at)| span.since(*at)).collect();
        let inbound = u64::try_from(times.len()).unwrap_or(u64::MAX);
        let mut refused = 0;
        for kept in &self.arrivals {
            if kept.counted
                && *kept.number_id == *id
                && let Some(at) = span.since(kept.at)
            {
                refused += u64::from(kept.code == Some(130_429));
                times.push(at);
            }
        }
        Times {
            at: times,
            inbound,
            refused,
        }
    }
}

/// A span of time, open at its end, and when the simulator started.
pub(crate) struct Span {
    pub(crate) started: Instant,
    /// The whole life of the simulator when there is none.
    pub(crate) within: Option<(Instant, Instant)>,
}

impl Span {
    fn since(&self, at: Instant) -> Option<Duration> {
        self.within
            .is_none_or(|(from, to)| from <= at && at < to)
            .then(|| at.saturating_duration_since(self.started))
    }
}

/// The densest second of every number.
pub(crate) fn windows(
    ledger: &Mutex<Ledger>,
    numbers: &[Number],
    span: &Span,
) -> Vec<NumberWindow> {
    let whole = span
        .within
        .map(|(from, to)| to.saturating_duration_since(from));
    let report = |(index, number): (usize, &Number)| {
        let times = locked(ledger).times(index, &number.id, span);
        densest(&number.id, number.per_second, times, whole)
    };
    numbers.iter().enumerate().map(report).collect()
}

/// A panic elsewhere must not hide what was recorded before it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
