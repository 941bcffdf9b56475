//! Meta's far end: the strictest limiter there can be, and how windows are counted.

use std::collections::VecDeque;

use crate::chance::{Ns, SECOND};

/// A sliding log of one second; in the harder variant what is refused counts too.
pub(crate) struct Meta {
    limit: usize,
    counts_refused: bool,
    log: VecDeque<Ns>,
}

impl Meta {
    pub(crate) fn new(per_second: u32, counts_refused: bool) -> Self {
        Self {
            limit: usize::try_from(per_second).unwrap(),
            counts_refused,
            log: VecDeque::new(),
        }
    }

    /// Whether a message that arrives now is taken; arrivals come in order of time.
    pub(crate) fn takes(&mut self, now: Ns) -> bool {
        while self.log.front().is_some_and(|at| at + SECOND <= now) {
            self.log.pop_front();
        }
        let taken = self.log.len() < self.limit;
        if taken || self.counts_refused {
            self.log.push_back(now);
        }
        taken
    }
}

/// The most instants in any window of a second, its beginning excluded.
pub(crate) fn worst_second(instants: &[Ns]) -> usize {
    let mut sorted = instants.to_vec();
    sorted.sort_unstable();
    let (mut first, mut worst) = (0, 0);
    for (last, at) in sorted.iter().enumerate() {
        while sorted[first] + SECOND <= *at {
            first += 1;
        }
        worst = worst.max(last - first + 1);
    }
    worst
}

/// A percentile, in milliseconds.
pub(crate) fn percentile(of: &[Ns], part: f64) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len().saturating_sub(1)) as f64 * part;
    sorted
        .get(place as usize)
        .map_or(f64::NAN, |ns| *ns as f64 / 1e6)
}
