//! The answer to "too fast" (130429): give way quickly, come back slowly.
//!
//! Owns the share of the pace that Meta's answers leave. Does not know the pace.

use super::SECOND_NS;

const FULL_PERMILLE: u64 = 1_000;
/// A throttle answer leaves 97 %, at most twice a second, and alone never less than a half: the
/// limit is known, so being far over it means that something else is wrong.
const CUT_PERMILLE: u64 = 970;
const CUT_EVERY_NS: u64 = SECOND_NS / 2;
const CUT_FLOOR_PERMILLE: u64 = 500;
/// What comes back in every second: 1 % of the limit.
const RECOVERY_PERMILLE_PER_SECOND: u64 = 10;
/// More than one answer in twenty, three seconds in a row, halves the pace, down to a twentieth.
const BAD_ONE_IN: u64 = 20;
const BAD_SECONDS: u8 = 3;
const HALVE_FLOOR_PERMILLE: u64 = 50;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Aimd {
    /// The share at `since`.
    permille: u64,
    since: u64,
    last_cut: Option<u64>,
    /// The second that is being counted, and what was counted in it.
    second: u64,
    answers: u64,
    rejected: u64,
    bad_seconds: u8,
}

impl Aimd {
    pub(super) fn new(now: u64) -> Self {
        Self::resume(FULL_PERMILLE, now)
    }

    pub(super) fn resume(permille: u64, now: u64) -> Self {
        Self {
            permille: permille.clamp(HALVE_FLOOR_PERMILLE, FULL_PERMILLE),
            since: now,
            last_cut: None,
            second: now / SECOND_NS,
            answers: 0,
            rejected: 0,
            bad_seconds: 0,
        }
    }

    pub(super) fn share(&self, now: u64) -> u64 {
        let recovered = now
            .saturating_sub(self.since)
            .saturating_mul(RECOVERY_PERMILLE_PER_SECOND)
            / SECOND_NS;
        self.permille.saturating_add(recovered).min(FULL_PERMILLE)
    }

    pub(super) fn throttled(&mut self, now: u64) {
        let too_soon = |cut| now.saturating_sub(cut) < CUT_EVERY_NS;
        if self.last_cut.is_some_and(too_soon) {
            return;
        }
        let share = self.share(now);
        let cut = share.saturating_mul(CUT_PERMILLE) / 1_000;
        self.set(cut.max(CUT_FLOOR_PERMILLE.min(share)), now);
        self.last_cut = Some(now);
    }

    pub(super) fn answered(&mut self, now: u64, throttled: bool) {
        let second = (now / SECOND_NS).max(self.second);
        if second > self.second {
            let follows = second == self.second.saturating_add(1);
            self.close_second(now);
            if !follows {
                self.bad_seconds = 0;
            }
            self.second = second;
        }
        self.answers = self.answers.saturating_add(1);
        if throttled {
            self.rejected = self.rejected.saturating_add(1);
            self.throttled(now);
        }
    }

    fn close_second(&mut self, now: u64) {
        let bad = self.rejected.saturating_mul(BAD_ONE_IN) > self.answers;
        self.bad_seconds = if bad {
            self.bad_seconds.saturating_add(1)
        } else {
            0
        };
        self.answers = 0;
        self.rejected = 0;
        if self.bad_seconds >= BAD_SECONDS {
            self.bad_seconds = 0;
            let half = self.share(now) / 2;
            self.set(half.max(HALVE_FLOOR_PERMILLE), now);
        }
    }

    fn set(&mut self, permille: u64, now: u64) {
        self.permille = permille;
        self.since = now;
    }
}
