//! Meta's two rate limits, on the monotonic clock: throughput of a number, and pace of a pair.
//!
//! Stricter than a token bucket: throughput is an exact sliding log, so no second ever holds more.

use crate::arrivals::SECOND;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// What one number saw in the last second.
#[derive(Default)]
pub(crate) struct Throughput {
    log: VecDeque<Instant>,
}

impl Throughput {
    /// Takes an outgoing message in when there is room; what is refused takes none.
    pub(crate) fn admit(&mut self, at: Instant, per_second: u32) -> bool {
        let now = self.forget(at);
        let room = self.log.len() < usize::try_from(per_second).unwrap_or(usize::MAX);
        if room {
            self.log.push_back(now);
        }
        room
    }

    /// A message from a person: it counts and cannot be refused.
    pub(crate) fn count(&mut self, at: Instant) {
        let now = self.forget(at);
        self.log.push_back(now);
    }

    /// Two threads may come in the wrong order by microseconds; the log stays sorted.
    fn forget(&mut self, at: Instant) -> Instant {
        let now = self.log.back().map_or(at, |last| at.max(*last));
        while self
            .log
            .front()
            .is_some_and(|first| now.duration_since(*first) >= SECOND)
        {
            self.log.pop_front();
        }
        now
    }
}

/// One message every six seconds to one person.
const PAIR_INTERVAL: Duration = Duration::from_secs(6);
/// A burst of 45 borrowed from the future: 44 intervals ahead of the one that is due.
const PAIR_AHEAD: Duration = Duration::from_secs(44 * 6);
/// Pairs are swept when this many have been touched since the last time.
const SWEEP_EVERY: usize = 50_000;

/// The pace of every (number, person), as a generic cell rate: when the pair would be even again.
#[derive(Default)]
pub(crate) struct Pairs {
    even_at: HashMap<(usize, Box<str>), Instant>,
    touched: usize,
}

impl Pairs {
    pub(crate) fn admit(&mut self, number: usize, subject: &str, now: Instant) -> bool {
        self.touched += 1;
        if self.touched >= SWEEP_EVERY {
            self.touched = 0;
            self.even_at.retain(|_, even| *even > now);
        }
        let even = self.even_at.entry((number, subject.into())).or_insert(now);
        let from = (*even).max(now);
        if from.duration_since(now) > PAIR_AHEAD {
            return false;
        }
        *even = from + PAIR_INTERVAL;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_frees_a_place_exactly_one_second_later() {
        let start = Instant::now();
        let mut number = Throughput::default();
        assert!(number.admit(start, 2) && number.admit(start + SECOND / 2, 2));
        assert!(!number.admit(start + Duration::from_nanos(999_999_999), 2));
        assert!(number.admit(start + SECOND, 2) && !number.admit(start + SECOND, 2));
        number.count(start + SECOND * 3);
        assert!(number.admit(start + SECOND * 3, 2) && !number.admit(start + SECOND * 3, 2));
    }

    #[test]
    fn a_pair_has_forty_five_at_once_and_then_one_every_six_seconds() {
        let start = Instant::now();
        let mut pairs = Pairs::default();
        assert_eq!(
            (0..50).filter(|_| pairs.admit(0, "CA.1", start)).count(),
            45
        );
        assert!(!pairs.admit(0, "CA.1", start + Duration::from_millis(5_999)));
        assert!(pairs.admit(0, "CA.1", start + PAIR_INTERVAL));
        assert!(!pairs.admit(0, "CA.1", start + PAIR_INTERVAL));
        assert!(pairs.admit(1, "CA.1", start) && pairs.admit(0, "CA.2", start));
    }
}
