//! Pacing: when may the next message leave a number?
//!
//! Owns the rule that keeps a number at or below its throughput and close to it. Times are
//! nanoseconds on the holder's own monotonic clock, so no clock skew exists; what passes from one
//! holder to the next is ages ([`Tail`]), never instants.
//!
//! Promises, at every send: no more than the limit in force (less the inbound estimate) were sent in
//! the second that ends with it. So no window of a second holds more than the limit in force at its
//! last send, whatever the lateness, the changes and the hand-overs. Promises too that a waiting
//! message leaves within one slot when the window is open.
//!
//! Does not know what is sent, does not read a clock, and does not say who holds the number.

mod aimd;
mod tail;

#[cfg(test)]
mod proof;
#[cfg(test)]
mod tests;

pub use tail::Tail;

use std::collections::VecDeque;

use aimd::Aimd;

const SECOND_NS: u64 = 1_000_000_000;
/// Slack on top of the second: what a timer and the network may take away again, and what two clocks
/// that run 100 millionths too fast or too slow differ by in a second.
const MARGIN_NS: u64 = 200_000;
/// How long a send counts.
const SPAN_NS: u64 = SECOND_NS.saturating_add(MARGIN_NS);
/// Idle time is not saved up: at most this much of the schedule is caught up. What is caught up comes back
/// as a pause a second later, when the window is full early, and a code must sit such a pause out; less
/// of it, and what a hand-over takes is lost (docs/adr/0012).
const CATCH_UP_NS: u64 = SECOND_NS / 15;
/// One message a second: no slow-down goes below it, or a number would fall silent.
const LEAST_MILLI: u64 = 1_000;

/// The pace of one phone number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pace {
    per_second: u32,
    guard_permille: u16,
    /// Inbound messages count against the limit: how many arrive, in thousandths per second.
    inbound_milli: u64,
    /// What the risk score leaves of the pace.
    share_permille: u16,
    aimd: Aimd,
    /// The instants of the sends that still count, oldest first; never dropped by number, so that a
    /// limit may fall and rise again at any moment.
    ring: VecDeque<u64>,
    next_slot: u64,
    /// The distance of slots that `next_slot` was set with.
    slot_ns: u64,
    rest_until: u64,
    /// The latest instant this pace was told.
    seen: u64,
}

impl Pace {
    /// A pace for a limit of `per_second` messages, inbound included, starting at `now`.
    ///
    /// Unless told otherwise, the schedule runs at 98.5 % of the limit at 80/s and 99.5 % at 1,000/s:
    /// what is left absorbs the spread of arrivals at Meta's end (performance.md 2.3). Somebody else
    /// may have sent until this very moment, so the last second counts as used evenly: the pace starts
    /// even, never with a burst. Use [`Pace::resume`] or [`Pace::fresh`] when more is known.
    pub fn new(per_second: u32, guard_permille: Option<u16>, now: u64) -> Self {
        let mut pace = Self::fresh(per_second, guard_permille, now);
        let places = u64::try_from(pace.window()).unwrap_or(u64::MAX);
        pace.ring = (1..=places)
            .rev()
            .map(|ago| now.saturating_sub(ago.saturating_mul(pace.slot_ns)))
            .collect();
        pace
    }

    /// A pace for a holder who knows that nothing has left for a second or longer: the number was
    /// taken over from a holder who is fenced, or is used for the first time.
    pub fn fresh(per_second: u32, guard_permille: Option<u16>, now: u64) -> Self {
        let mut pace = Self {
            per_second: per_second.max(1),
            guard_permille: guard(per_second, guard_permille),
            inbound_milli: 0,
            share_permille: 1_000,
            aimd: Aimd::new(now),
            ring: VecDeque::new(),
            next_slot: now,
            slot_ns: 0,
            rest_until: 0,
            seen: now,
        };
        pace.slot_ns = pace.slot();
        pace
    }

    /// A pace for the successor of a holder who let go with `tail`.
    ///
    /// An age at the release is taken as the age at `now`, which must be read *after* the answer that
    /// brought the tail: every send then counts as no older than it is, without a common clock.
    pub fn resume(per_second: u32, guard_permille: Option<u16>, tail: &Tail, now: u64) -> Self {
        let mut pace = Self::fresh(per_second, guard_permille, now);
        pace.aimd = Aimd::resume(tail.share_permille(), now);
        pace.ring = tail.ages_ns().map(|age| now.saturating_sub(age)).collect();
        pace.rest_until = match tail.rest_ns() {
            0 => 0,
            rest => now.saturating_add(rest),
        };
        pace.slot_ns = pace.slot();
        if let Some(last) = pace.ring.back() {
            pace.next_slot = last.saturating_add(pace.slot_ns);
        }
        pace
    }

    /// What a holder writes when it lets go, after its last byte has left: the ages of the sends that
    /// still count, the share of the pace that Meta's answers left, the rest of a pause.
    pub fn tail(&self, now: u64) -> Tail {
        Tail::new(
            self.ring.iter().map(|sent| now.saturating_sub(*sent)),
            self.aimd.share(now),
            self.rest_until.saturating_sub(now),
        )
    }

    /// The earliest instant at which the next message may leave.
    pub fn due(&self) -> u64 {
        let window = self
            .ring
            .len()
            .checked_sub(self.window())
            .and_then(|i| self.ring.get(i))
            .map_or(0, |sent| sent.saturating_add(SPAN_NS));
        self.next_slot.max(window).max(self.rest_until)
    }

    /// Takes the slot at `now`, which must not be before [`Pace::due`]; returns whether it was free.
    #[must_use]
    pub fn take(&mut self, now: u64) -> bool {
        if now < self.due() {
            return false;
        }
        self.seen = self.seen.max(now);
        while self
            .ring
            .front()
            .is_some_and(|sent| now.saturating_sub(*sent) >= SPAN_NS)
        {
            self.ring.pop_front();
        }
        self.ring.push_back(now);
        // A fixed schedule: late slots are caught up, as far as the ring allows.
        let place = self.next_slot.max(now.saturating_sub(CATCH_UP_NS));
        self.slot_ns = self.slot();
        self.next_slot = place.saturating_add(self.slot_ns);
        true
    }

    /// The limit changes while the number runs; sound at once, upwards and downwards.
    pub fn set_limit(&mut self, per_second: u32, guard_permille: Option<u16>, now: u64) {
        self.seen = self.seen.max(now);
        self.per_second = per_second.max(1);
        self.guard_permille = guard(per_second, guard_permille);
        self.reslot();
    }

    /// How many messages arrive, in thousandths per second: they count against the same limit, so
    /// the pace and the window shrink by as much.
    pub fn set_inbound(&mut self, per_second_milli: u64) {
        self.inbound_milli = per_second_milli;
        self.reslot();
    }

    /// What the risk score leaves of the pace; 1,000 is all of it.
    pub fn set_share(&mut self, permille: u16) {
        self.share_permille = permille.min(1_000);
        self.reslot();
    }

    /// Meta said the number is over its throughput (130429): 97 % of the pace, at most twice a second;
    /// 1 % of the limit comes back every second.
    pub fn throttled(&mut self, now: u64) {
        self.seen = self.seen.max(now);
        self.aimd.throttled(now);
        self.reslot();
    }

    /// An answer came, with or without 130429. Includes [`Pace::throttled`]; three seconds in a row
    /// with more than 5 % of such answers halve the pace.
    pub fn answered(&mut self, now: u64, throttled: bool) {
        self.seen = self.seen.max(now);
        self.aimd.answered(now, throttled);
        self.reslot();
    }

    /// Pauses the number until an instant, as 131057 asks; an earlier one does not shorten a pause.
    pub fn pause_until(&mut self, instant: u64) {
        self.rest_until = self.rest_until.max(instant);
    }

    /// The end of the latest pause; in the past, or zero, when the number is not paused.
    pub fn paused_until(&self) -> u64 {
        self.rest_until
    }

    /// The limit in force, inbound included.
    pub fn per_second(&self) -> u32 {
        self.per_second
    }

    /// Thousandths of a message per second that the schedule runs at now.
    pub fn rate_milli(&self) -> u64 {
        let full = self.full_milli();
        let share = u64::from(self.share_permille);
        full.saturating_sub(self.inbound_milli)
            .min(full.saturating_mul(self.aimd.share(self.seen)) / 1_000)
            .saturating_mul(share)
            .checked_div(1_000)
            .unwrap_or(0)
            .max(LEAST_MILLI.min(full))
    }

    fn full_milli(&self) -> u64 {
        u64::from(self.per_second).saturating_mul(u64::from(self.guard_permille))
    }

    /// How many sends a second may hold: the guarded limit, less what arrives in a second. What the guard
    /// leaves free stays free for what the network pushes together.
    fn window(&self) -> usize {
        let places = self
            .full_milli()
            .div_ceil(1_000)
            .saturating_sub(self.inbound_milli.div_ceil(1_000))
            .max(1);
        usize::try_from(places).unwrap_or(usize::MAX)
    }

    /// The distance of two slots at the present rate.
    fn slot(&self) -> u64 {
        SECOND_NS
            .saturating_mul(1_000)
            .checked_div(self.rate_milli())
            .unwrap_or(SECOND_NS)
    }

    /// The next slot keeps its place in the schedule: as far behind the last one as the rate now says.
    fn reslot(&mut self) {
        let slot = self.slot();
        self.next_slot = self
            .next_slot
            .saturating_sub(self.slot_ns)
            .saturating_add(slot);
        self.slot_ns = slot;
    }
}

/// The guard that applies: never nothing, never more than the limit.
fn guard(per_second: u32, permille: Option<u16>) -> u16 {
    permille
        .unwrap_or(if per_second >= 1_000 { 995 } else { 985 })
        .clamp(1, 1_000)
}
