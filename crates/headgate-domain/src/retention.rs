//! Retention: which keys must exist, and which must not, on a given day, and the evidence that it is so.

mod manifest;
mod people;
mod plan;
mod sweep;
mod verify;

pub use manifest::{Destroyed, KeyName, Manifest, NotManifest, Store, StoreRecord, origin};
pub use people::{BEFORE_MS, Contact, Fate};
pub use plan::{
    CONTENT_DAYS, Class, Content, Key, LEAST_CONTENT_DAYS, Logs, MOST_CONTENT_DAYS, NotPlan,
    People, Period, Place, Plan, Queues, Way, plan,
};
pub use sweep::{SWEEP_SHARDS, store_of, sweep_digit, sweep_shard};
pub use verify::{Gap, PurgeFault, PurgeReport, verify};

use crate::time::{Day, Timestamp};

/// Day keys are minted this far ahead, so that no late caller ever needs one for a past day.
pub const MINT_AHEAD_DAYS: i64 = 7;
/// How far back a purge looks for keys that an earlier run should have destroyed.
pub const LOOK_BACK_DAYS: i64 = 120;

/// When the key of a day is due: its last readable moment is the one before.
pub const fn due(day: Day) -> Timestamp {
    due_after(day, CONTENT_DAYS)
}

/// The same under another period: that of the build that wrote a manifest.
const fn due_after(day: Day, days: i64) -> Timestamp {
    day.plus(days).start()
}

/// The days whose keys must exist now: today and the next seven, never a past one.
pub fn days_to_mint(now: Timestamp) -> impl Iterator<Item = Day> {
    let today = now.day();
    (0..=MINT_AHEAD_DAYS).map(move |ahead| today.plus(ahead))
}

/// The days whose keys must be gone now, oldest first.
pub fn days_to_destroy(now: Timestamp) -> impl Iterator<Item = Day> {
    let last = now.day().plus(-CONTENT_DAYS);
    (1 - LOOK_BACK_DAYS..=0).map(move |offset| last.plus(offset))
}

/// For how many days backups bring back what was sealed under the vault key: the longest of any store that holds such.
pub fn vault_backup_days() -> i64 {
    let sealed = plan()
        .classes
        .iter()
        .filter(|class| class.key == Key::Vault);
    sealed.map(|class| class.backup_days).max().unwrap_or(0)
}

/// The first day whose rows are kept: the one after the last whose key is due.
pub fn sweep_before(now: Timestamp) -> Day {
    now.day().plus(1_i64.saturating_sub(CONTENT_DAYS))
}

/// When the bytes of something accepted at a moment may be deleted, in epoch seconds, for `ttl`.
pub fn content_ttl(accepted_at: Timestamp) -> i64 {
    due(accepted_at.day()).seconds()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn a_day_is_destroyed_exactly_when_its_period_is_over() {
        let day = Day::parse("2026-11-22").unwrap();
        let end = day.plus(CONTENT_DAYS).start();
        assert!(!days_to_destroy(end.plus_millis(-1)).any(|d| d == day));
        assert!(days_to_destroy(end).any(|d| d == day));
        assert_eq!(content_ttl(day.start().plus_millis(1)), end.seconds());
    }

    #[test]
    fn a_past_day_is_never_minted() {
        let now = Timestamp::parse("2026-11-22T10:00:00Z").unwrap();
        let days: Vec<Day> = days_to_mint(now).collect();
        assert_eq!(days.first().copied(), Some(now.day()));
        assert_eq!(days.len(), 8);
    }
}
