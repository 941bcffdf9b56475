//! What a process remembers between its hourly runs, so that a run with nothing to do costs nothing.
//!
//! Pure. Memory only ever saves reads: a new process knows nothing and looks at everything once. It
//! also remembers the latest day it has seen, so that a clock that jumps back cannot have a key
//! minted again that was destroyed.

use headgate_domain::note::PublicKey;
use headgate_domain::retention;
use headgate_domain::time::{Day, Timestamp};

/// What is known to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// On which day the vault key was last looked at, and when the next had been asked for by then.
    pub(crate) vault: Option<(Day, Option<Timestamp>)>,
    /// Whether it is known that no purge is without its evidence.
    pub(crate) is_closed: bool,
    /// Keys exist up to this day.
    pub(crate) minted_through: Option<Day>,
    /// No keys exist up to this day.
    pub(crate) destroyed_through: Option<Day>,
    /// No rows are left from before this day.
    pub(crate) swept_before: Option<Day>,
    /// The public half of the key that signs the evidence.
    pub(crate) key: Option<PublicKey>,
}

impl Progress {
    /// Whether the vault key is known to exist, young enough, and that nobody has asked for another since.
    pub(crate) fn has_vault(&self, now: Timestamp, asked_at: Option<Timestamp>) -> bool {
        self.vault == Some((now.day(), asked_at))
    }

    /// The days whose keys may be missing, today first; never a past day.
    pub(crate) fn to_mint(&self, now: Timestamp) -> Vec<Day> {
        let first = self.minted_through.map(|day| day.plus(1));
        retention::days_to_mint(now)
            .filter(|day| first.is_none_or(|first| *day >= first))
            .collect()
    }

    /// The days whose keys may still exist and must not, oldest first.
    pub(crate) fn to_destroy(&self, now: Timestamp) -> Vec<Day> {
        retention::days_to_destroy(now)
            .filter(|day| self.destroyed_through.is_none_or(|done| *day > done))
            .collect()
    }

    /// The day before which rows must be gone, unless they are known to be.
    pub(crate) fn to_sweep(&self, now: Timestamp) -> Option<Day> {
        let before = retention::sweep_before(now);
        (self.swept_before.is_none_or(|done| done < before)).then_some(before)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use headgate_domain::time::{DAY, HOUR};

    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-22T10:00:00Z").unwrap()
    }

    fn done(now: Timestamp) -> Progress {
        let fresh = Progress::default();
        Progress {
            vault: Some((now.day(), None)),
            is_closed: true,
            minted_through: fresh.to_mint(now).last().copied(),
            destroyed_through: fresh.to_destroy(now).last().copied(),
            swept_before: fresh.to_sweep(now),
            key: None,
        }
    }

    #[test]
    fn a_run_in_the_same_day_has_nothing_to_do_and_the_next_day_one_of_each() {
        let after = done(now());
        let hour = now().plus_millis(HOUR);
        assert!(
            after.to_mint(hour).is_empty()
                && after.to_destroy(hour).is_empty()
                && after.to_sweep(hour).is_none()
        );
        let tomorrow = now().plus_millis(DAY);
        assert_eq!(after.to_mint(tomorrow), [now().day().plus(8)]);
        assert_eq!(
            after.to_destroy(tomorrow),
            [now().day().plus(1 - retention::CONTENT_DAYS)]
        );
        assert_eq!(
            after.to_sweep(tomorrow),
            Some(now().day().plus(2 - retention::CONTENT_DAYS))
        );
    }

    #[test]
    fn a_process_that_slept_catches_up() {
        let after = done(now());
        let later = now().plus_millis(30 * DAY);
        assert_eq!(after.to_mint(later).len(), 8);
        assert_eq!(after.to_destroy(later).len(), 30);
    }

    #[test]
    fn a_clock_that_jumps_back_mints_nothing_for_the_past() {
        let after = done(now());
        for days in [1, 10, 100, 1_000] {
            assert!(after.to_mint(now().plus_millis(-days * DAY)).is_empty());
        }
    }

    #[test]
    fn rows_go_with_the_key_of_their_day() {
        let last_destroyed = Progress::default()
            .to_destroy(now())
            .last()
            .copied()
            .unwrap();
        assert_eq!(
            Progress::default().to_sweep(now()),
            Some(last_destroyed.plus(1))
        );
    }
}
