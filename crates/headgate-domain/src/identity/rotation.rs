//! The versions of the peppers: which names are looked up, and which are written, while one version follows another.
//!
//! Two things follow at different speeds. What leads to a person (a pointer) stands in one place, and is moved soon. An
//! entry of the suppression list stands under both names for a while, because messages that wait to be sent know only
//! the names there were when they were accepted, and a no has to be found under these.

use crate::time::{DAY, HOUR, MINUTE, Timestamp};

/// From now on everybody looks under the new names: whoever had read which version is in force has forgotten it by
/// then (five minutes), whatever a function was doing with it is done (fifteen), and as long again.
const KNOWN_MS: i64 = 40 * MINUTE;
/// From now on nobody writes a pointer under an old name.
const SETTLED_MS: i64 = HOUR;
/// No message that waits knows only the old names any more: one waits for 60 days, and is of use for a week after.
const WAITED_MS: i64 = 70 * DAY;

/// One a year for longer than anybody keeps a key.
const MOST: u32 = 64;

/// Which version of the peppers is in force, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PepperVersion {
    number: u32,
    since: Option<Timestamp>,
}

impl PepperVersion {
    /// The version that every deployment begins with.
    pub const FIRST: Self = Self {
        number: 1,
        since: None,
    };

    /// A later version, and when it was asked for; `None` for one that follows on none, and for one that nobody has
    /// come to: every function computes all there were.
    pub const fn later(number: u32, since: Timestamp) -> Option<Self> {
        if number < 2 || number > MOST {
            return None;
        }
        Some(Self {
            number,
            since: Some(since),
        })
    }

    /// Its number, from 1.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// When it was asked for; nothing of the first.
    pub const fn since(self) -> Option<Timestamp> {
        self.since
    }

    /// Under which versions a pointer may stand, the newest first. One before is all: the next version is not asked
    /// for until everything stands under this one.
    pub fn of_pointers(self) -> impl Iterator<Item = u32> {
        let before = self.number.saturating_sub(1);
        [self.number, before]
            .into_iter()
            .filter(|version| *version > 0)
    }

    /// Under which version a new pointer is written.
    pub fn of_new_pointer(self, now: Timestamp) -> u32 {
        if self.has_been(KNOWN_MS, now) {
            self.number
        } else {
            self.number.saturating_sub(1)
        }
    }

    /// Under which versions an entry of the suppression list may stand, the newest first. All there were: whoever was
    /// erased is on it, and there is no number left to name them anew by.
    pub fn of_entries(self) -> impl Iterator<Item = u32> {
        (1..=self.number).rev()
    }

    /// Under which versions an entry is written.
    pub fn of_new_entry(self, now: Timestamp) -> impl Iterator<Item = u32> {
        let oldest = if self.has_been(WAITED_MS, now) {
            self.number
        } else {
            self.number.saturating_sub(1).max(1)
        };
        (oldest..=self.number).rev()
    }

    /// When pointers may be moved; nothing of the first version.
    pub fn moves_pointers_at(self) -> Option<Timestamp> {
        self.since.map(|since| since.plus_millis(SETTLED_MS))
    }

    /// When entries of the list may be moved; nothing of the first version.
    pub fn moves_entries_at(self) -> Option<Timestamp> {
        self.since.map(|since| since.plus_millis(WAITED_MS))
    }

    fn has_been(self, long: i64, now: Timestamp) -> bool {
        self.since
            .is_none_or(|since| now >= since.plus_millis(long))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;
    use crate::lane::{PURPOSES, Purpose};
    use crate::outbound::MAX_AHEAD_MS;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000).plus_millis(ms)
    }

    fn second() -> PepperVersion {
        PepperVersion::later(2, at(0)).unwrap()
    }

    #[test]
    fn the_first_version_is_the_only_one() {
        let first = PepperVersion::FIRST;
        assert_eq!(first.of_pointers().collect::<Vec<_>>(), [1]);
        assert_eq!(first.of_entries().collect::<Vec<_>>(), [1]);
        assert_eq!(first.of_new_pointer(at(0)), 1);
        assert_eq!(first.of_new_entry(at(0)).collect::<Vec<_>>(), [1]);
        assert!(first.moves_pointers_at().is_none() && first.moves_entries_at().is_none());
        assert_eq!(PepperVersion::later(1, at(0)), None);
        assert_eq!(PepperVersion::later(0, at(0)), None);
        assert_eq!(PepperVersion::later(65, at(0)), None);
    }

    /// Whoever wrote a pointer under a new name, while somebody looks only under the old ones, would make a second
    /// person of them.
    #[test]
    fn nothing_is_written_before_everybody_looks_for_it() {
        let second = second();
        assert_eq!(second.of_pointers().collect::<Vec<_>>(), [2, 1]);
        for (ms, pointer, moves) in [
            (0, 1, false),
            (20 * MINUTE, 1, false),
            (40 * MINUTE - 1, 1, false),
            (40 * MINUTE, 2, false),
            (HOUR - 1, 2, false),
            (HOUR, 2, true),
            (365 * DAY, 2, true),
        ] {
            assert_eq!(second.of_new_pointer(at(ms)), pointer, "after {ms}");
            let may_move = second
                .moves_pointers_at()
                .is_some_and(|from| at(ms) >= from);
            assert_eq!(may_move, moves, "after {ms}");
        }
        // Longer than a function may have known nothing of it: a cache and an invocation.
        const { assert!(KNOWN_MS >= 20 * MINUTE) };
        // A function that still writes the old name has read so up to an invocation and a cache ago.
        const { assert!(SETTLED_MS >= KNOWN_MS + 20 * MINUTE) };
    }

    #[test]
    fn a_no_is_written_where_messages_that_wait_look_for_it() {
        let third = PepperVersion::later(3, at(0)).unwrap();
        assert_eq!(third.of_entries().collect::<Vec<_>>(), [3, 2, 1]);
        for (days, written) in [(0, vec![3, 2]), (69, vec![3, 2]), (70, vec![3])] {
            let new = third.of_new_entry(at(days * DAY)).collect::<Vec<_>>();
            assert_eq!(new, written, "after {days} days");
        }
        assert_eq!(third.moves_entries_at(), Some(at(70 * DAY)));
        let of_use = PURPOSES.map(Purpose::default_expiry_ms).into_iter().max();
        assert!(WAITED_MS > MAX_AHEAD_MS + of_use.unwrap() + 20 * MINUTE);
    }
}
