//! Pacing: when may the next message leave a number? (R-204, sending.md)
//!
//! The times are nanoseconds on the holder's own monotonic clock, so no clock skew exists. The ring
//! holds the instants of the last R sends; a send waits until a full second after the send R before
//! it, which keeps every one-second window at or below R whatever the lateness.

use std::collections::VecDeque;

const SECOND_NS: u64 = 1_000_000_000;
/// Slack on top of the second: what a timer and the network may take away again.
const MARGIN_NS: u64 = 200_000;
/// The pace is cut to 97 % by a throttle answer, at most twice a second, and never below a half.
const CUT_PERMILLE: u64 = 970;
const CUT_EVERY_NS: u64 = SECOND_NS / 2;
const FLOOR_PERMILLE: u64 = 500;
/// What comes back of the pace in every second without one: 1 % of the limit.
const RECOVERY_PERMILLE_PER_SECOND: u64 = 10;
/// Idle time is not saved up: at most this much of the schedule is caught up.
const CATCH_UP_NS: u64 = SECOND_NS / 10;

/// The pace of one phone number.
#[derive(Clone, Debug)]
pub struct Pace {
    limit: usize,
    slot_ns: u64,
    next_slot: u64,
    ring: VecDeque<u64>,
    rest_until: u64,
    /// How much of the pace is used, since Meta last found it too fast (inbound counts there too).
    share_permille: u64,
    last_cut: Option<u64>,
}

impl Pace {
    /// A pace for a limit of `per_second` messages, inbound included, starting at `now`.
    ///
    /// Unless told otherwise, the schedule runs at 98.5 % of the limit at 80/s and 99.5 % at 1,000/s:
    /// what is left absorbs the spread of arrivals at Meta's end (performance.md 2.3). Somebody else may have sent until
    /// this very moment, so the last second counts as used: the pace starts even, never with a burst.
    pub fn new(per_second: u32, guard_permille: Option<u16>, now: u64) -> Self {
        let guard = guard_permille.unwrap_or(if per_second >= 1_000 { 995 } else { 985 });
        let per_thousand_seconds =
            u64::from(per_second.max(1)).saturating_mul(u64::from(guard.max(1)));
        // The ring holds the guarded limit, rounded up: at 80/s one place of the window stays free
        // for what the network pushes together.
        let limit = usize::try_from(per_thousand_seconds.div_ceil(1_000)).unwrap_or(1);
        let slot_ns = SECOND_NS
            .saturating_mul(1_000)
            .checked_div(per_thousand_seconds)
            .unwrap_or(SECOND_NS);
        let ring = (1..=u64::try_from(limit).unwrap_or(u64::MAX))
            .rev()
            .map(|ago| now.saturating_sub(ago.saturating_mul(slot_ns)))
            .collect();
        Self {
            limit,
            slot_ns,
            next_slot: now,
            ring,
            rest_until: 0,
            share_permille: 1_000,
            last_cut: None,
        }
    }

    /// The earliest instant at which the next message may leave.
    pub fn due(&self) -> u64 {
        let window = if self.ring.len() >= self.limit {
            self.ring.front().map_or(0, |oldest| {
                oldest.saturating_add(SECOND_NS).saturating_add(MARGIN_NS)
            })
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
        // A fixed schedule: late slots are caught up, as far as the ring allows.
        let earliest = now.saturating_sub(CATCH_UP_NS);
        self.next_slot = self.next_slot.max(earliest).saturating_add(self.slot(now));
        true
    }

    /// The distance of two slots at the present share of the pace.
    fn slot(&self, now: u64) -> u64 {
        let share = self.share(now);
        self.slot_ns
            .saturating_mul(1_000)
            .checked_div(share)
            .unwrap_or(self.slot_ns)
    }

    fn share(&self, now: u64) -> u64 {
        let recovered = self.last_cut.map_or(1_000, |cut| {
            now.saturating_sub(cut)
                .saturating_mul(RECOVERY_PERMILLE_PER_SECOND)
                / SECOND_NS
        });
        self.share_permille.saturating_add(recovered).min(1_000)
    }

    /// Meta said the number is over its throughput (130429): slow down a little, recover slowly.
    pub fn throttled(&mut self, now: u64) {
        if self
            .last_cut
            .is_some_and(|cut| now.saturating_sub(cut) < CUT_EVERY_NS)
        {
            return;
        }
        let cut = self.share(now).saturating_mul(CUT_PERMILLE) / 1_000;
        self.share_permille = cut.max(FLOOR_PERMILLE);
        self.last_cut = Some(now);
    }

    /// Pauses the number until an instant, as 131057 asks.
    pub fn pause_until(&mut self, instant: u64) {
        self.rest_until = self.rest_until.max(instant);
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "tests may fail loudly"
    )]
    use super::*;
    use proptest::prelude::*;

    /// The clock of a term starts late enough to have a past.
    const START: u64 = 10 * SECOND_NS;

    fn worst_window(sends: &[u64]) -> usize {
        (0..sends.len())
            .map(|i| {
                sends[i..]
                    .iter()
                    .take_while(|t| **t - sends[i] < SECOND_NS)
                    .count()
            })
            .max()
            .unwrap_or(0)
    }

    proptest! {
        #[test]
        fn no_one_second_window_exceeds_the_limit_for_any_lateness(
            limit in 1_u32..100,
            late in proptest::collection::vec(prop_oneof![9 => 0_u64..3_000_000, 1 => 0_u64..2_500_000_000], 1..400),
        ) {
            let mut pace = Pace::new(limit, None, START);
            let mut now = START;
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
        let mut pace = Pace::new(80, None, START);
        let mut now = START;
        for i in 0..8_000_u64 {
            now = pace.due().max(now) + (i % 3) * 700_000;
            assert!(pace.take(now));
        }
        let rate =
            8_000.0 / (f64::from(u32::try_from((now - START) / 1_000_000).unwrap()) / 1_000.0);
        assert!(rate > 80.0 * 0.98, "{rate}");
    }

    #[test]
    fn a_successor_does_not_burst_on_top_of_what_its_predecessor_sent() {
        let mut before = Pace::new(80, None, START);
        let mut sends = Vec::new();
        let mut now = START;
        while now < START + 3 * SECOND_NS {
            now = before.due().max(now);
            assert!(before.take(now));
            sends.push(now);
        }
        // It is ready at once, and its first slots come late: still no window is overfull.
        let mut after = Pace::new(80, None, now);
        for _ in 0..200 {
            now = after
                .due()
                .max(now + 60_000_000 * u64::from(sends.len() % 50 == 0));
            assert!(after.take(now));
            sends.push(now);
        }
        assert!(worst_window(&sends) <= 80, "{}", worst_window(&sends));
    }

    #[test]
    fn a_slot_is_not_taken_early_and_idle_time_is_not_saved_up() {
        let mut pace = Pace::new(80, None, START);
        assert!(!pace.take(START - 1));
        assert!(pace.take(START));
        let later = START + 60 * SECOND_NS;
        let burst = (0..100).filter(|_| pace.take(later)).count();
        assert!(burst <= 9, "{burst}");
    }

    #[test]
    fn a_throttle_answer_slows_the_pace_by_three_percent_and_a_second_brings_one_back() {
        let mut pace = Pace::new(80, None, 0);
        let full = pace.slot(0);
        pace.throttled(0);
        pace.throttled(1);
        assert_eq!(pace.share(1), 970, "at most twice a second");
        assert!(pace.slot(1) > full);
        assert_eq!(pace.share(SECOND_NS), 980);
        assert_eq!(pace.share(9 * SECOND_NS), 1_000);
        for i in 0..100 {
            pace.throttled(9 * SECOND_NS + i * CUT_EVERY_NS);
        }
        assert!(pace.share(9 * SECOND_NS) >= FLOOR_PERMILLE);
    }
}
