//! Pacing: when may the next message leave a number? (R-204, sending.md)
//!
//! The times are nanoseconds on the holder's own monotonic clock, so no clock skew exists. The ring
//! holds the instants of the last R sends; a send waits until a full second after the send R before
//! it, which keeps every one-second window at or below R whatever the lateness.

use std::collections::VecDeque;

const SECOND_NS: u64 = 1_000_000_000;
/// Slack on top of the second: what a timer and the network may take away again.
const MARGIN_NS: u64 = 200_000;
/// After a throttle answer the number rests this long.
const BACK_OFF_NS: u64 = SECOND_NS;

/// The pace of one phone number.
#[derive(Clone, Debug)]
pub struct Pace {
    limit: usize,
    slot_ns: u64,
    next_slot: u64,
    ring: VecDeque<u64>,
    rest_until: u64,
}

impl Pace {
    /// A pace for a limit of `per_second` messages, inbound included, starting at `now`.
    ///
    /// The schedule runs at 98.5 % of the limit at 80/s and 99.5 % at 1,000/s: what is left absorbs
    /// the spread of arrivals at Meta's end (performance.md 2.3).
    pub fn new(per_second: u32, now: u64) -> Self {
        let guard_permille = if per_second >= 1_000 { 995 } else { 985 };
        let per_thousand_seconds = u64::from(per_second.max(1)).saturating_mul(guard_permille);
        // The ring holds the guarded limit, rounded up: at 80/s one place of the window stays free
        // for what the network pushes together.
        let limit = usize::try_from(per_thousand_seconds.div_ceil(1_000)).unwrap_or(1);
        let slot_ns = SECOND_NS.saturating_mul(1_000).checked_div(per_thousand_seconds).unwrap_or(SECOND_NS);
        Self { limit, slot_ns, next_slot: now, ring: VecDeque::with_capacity(limit), rest_until: 0 }
    }

    /// The earliest instant at which the next message may leave.
    pub fn due(&self) -> u64 {
        let window = if self.ring.len() >= self.limit {
            self.ring.front().map_or(0, |oldest| oldest.saturating_add(SECOND_NS).saturating_add(MARGIN_NS))
        } else {
            0
        };
        self.next_slot.max(window).max(self.rest_until)
    }

    /// Takes the slot at `now`, which must not be before [`Pace::due`]; returns whether it was free.
    #[must_use]
    pub fn take(&mut self, now: u64) -> bool {
        if now < self.due() {
            return false;
        }
        if self.ring.len() >= self.limit {
            self.ring.pop_front();
        }
        self.ring.push_back(now);
        // A fixed schedule: late slots are caught up, but idle time is not saved up.
        let earliest = now.saturating_sub(SECOND_NS / 4);
        self.next_slot = self.next_slot.max(earliest).saturating_add(self.slot_ns);
        true
    }

    /// Meta said the number is over its throughput (130429): the whole number rests for a second.
    pub fn throttled(&mut self, now: u64) {
        self.rest_until = self.rest_until.max(now.saturating_add(BACK_OFF_NS));
    }

    /// Pauses the number until an instant, as 131057 asks.
    pub fn pause_until(&mut self, instant: u64) {
        self.rest_until = self.rest_until.max(instant);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests may fail loudly")]
    use super::*;
    use proptest::prelude::*;

    fn worst_window(sends: &[u64]) -> usize {
        (0..sends.len()).map(|i| sends[i..].iter().take_while(|t| **t - sends[i] < SECOND_NS).count()).max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn no_one_second_window_exceeds_the_limit_for_any_lateness(
            limit in 1_u32..100,
            late in proptest::collection::vec(prop_oneof![9 => 0_u64..3_000_000, 1 => 0_u64..2_500_000_000], 1..400),
        ) {
            let mut pace = Pace::new(limit, 0);
            let mut now = 0;
            let mut sends = Vec::new();
            for lateness in late {
                now = pace.due().max(now) + lateness;
                prop_assert!(pace.take(now));
                sends.push(now);
            }
            prop_assert!(worst_window(&sends) <= usize::try_from(limit).unwrap());
        }
    }

    #[test]
    fn a_full_backlog_uses_at_least_ninety_eight_percent() {
        let mut pace = Pace::new(80, 0);
        let mut now = 0;
        for i in 0..8_000_u64 {
            now = pace.due().max(now) + (i % 3) * 700_000;
            assert!(pace.take(now));
        }
        let rate = 8_000.0 / (f64::from(u32::try_from(now / 1_000_000).unwrap()) / 1_000.0);
        assert!(rate > 80.0 * 0.98, "{rate}");
    }

    #[test]
    fn a_slot_is_not_taken_early_and_a_throttled_number_rests() {
        let mut pace = Pace::new(80, 1_000);
        assert!(!pace.take(999));
        assert!(pace.take(1_000));
        pace.throttled(5_000);
        assert_eq!(pace.due(), 5_000 + BACK_OFF_NS);
    }
}
