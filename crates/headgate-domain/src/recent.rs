//! What a person was sent lately, as far as caps and budget need it.
//!
//! Bounded: what no cap can reach any more is forgotten, so the list stays a list of a few entries.
//! Says nothing about who the person is or what was sent.

use crate::lane::Purpose;
use crate::time::{HOUR, Timestamp};

/// The messages the business started with one person, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent {
    /// Purpose and time of each.
    pub sends: Vec<(Purpose, Timestamp)>,
}

impl Recent {
    /// The longest time a cap may span, in hours: a month.
    pub const MAX_HOURS: u16 = 30 * 24;
    /// The most messages a cap may allow, so that the list can stay short.
    pub const MAX_CAP: u16 = 64;
    /// Entries of one purpose that are kept: a cap needs no more than it allows.
    const KEPT: usize = Self::MAX_CAP as usize;

    /// The list with one more message, without what no cap reaches any more.
    ///
    /// `hours` is the longest span of a cap in force; see [`crate::policy::longest_cap_hours`].
    #[must_use]
    pub fn with(mut self, purpose: Purpose, at: Timestamp, hours: u16) -> Self {
        let horizon = at.plus_millis(i64::from(hours).saturating_mul(HOUR).saturating_neg());
        self.sends.retain(|(_, sent)| *sent > horizon);
        // Written by successive holders whose clocks may differ a little.
        let place = self.sends.partition_point(|(_, sent)| *sent <= at);
        self.sends.insert(place, (purpose, at));
        let same = self.sends.iter().filter(|(p, _)| *p == purpose).count();
        if same > Self::KEPT
            && let Some(oldest) = self.sends.iter().position(|(p, _)| *p == purpose)
        {
            self.sends.remove(oldest);
        }
        self
    }

    /// When one more message of a purpose is within `max` per `hours`; `None` when it is already at `t`.
    pub fn room_at(
        &self,
        purpose: Purpose,
        max: u16,
        hours: u16,
        t: Timestamp,
    ) -> Option<Timestamp> {
        let window = i64::from(hours).saturating_mul(HOUR);
        let inside = || {
            self.sends
                .iter()
                .filter(move |(p, sent)| *p == purpose && t.millis_since(*sent) < window)
        };
        // It has to leave the window: the one after which fewer than `max` are left.
        let over = inside().count().checked_sub(usize::from(max))?;
        inside().nth(over).map(|(_, sent)| sent.plus_millis(window))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests may fail loudly")]
    use super::*;

    const T: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn sent(hours: &[i64]) -> Recent {
        hours.iter().fold(Recent::default(), |list, h| {
            list.with(Purpose::Marketing, T.plus_millis(h * HOUR), 720)
        })
    }

    #[test]
    fn there_is_room_when_enough_have_left_the_window() {
        let list = sent(&[-30, -20, -10, -1]);
        let room = |max| list.room_at(Purpose::Marketing, max, 24, T);
        assert_eq!(room(4), None, "three within a day");
        assert_eq!(room(3), Some(T.plus_millis(4 * HOUR)));
        assert_eq!(room(2), Some(T.plus_millis(14 * HOUR)));
        assert_eq!(room(1), Some(T.plus_millis(23 * HOUR)));
        assert_eq!(list.room_at(Purpose::Utility, 1, 24, T), None);
        assert_eq!(
            list.room_at(Purpose::Marketing, 3, 24, T.plus_millis(4 * HOUR)),
            None,
            "what was promised holds"
        );
    }

    #[test]
    fn the_list_forgets_what_no_cap_reaches_and_stays_short() {
        let list = sent(&[-10]).with(Purpose::Utility, T.plus_millis(20 * HOUR), 24);
        assert_eq!(list.sends.len(), 1);
        let many: Vec<i64> = (0..200).collect();
        assert_eq!(sent(&many).sends.len(), usize::from(Recent::MAX_CAP));
    }

    #[test]
    fn a_message_written_late_takes_its_place_in_time() {
        let list = sent(&[5, 3, 4]);
        assert!(list.sends.is_sorted_by_key(|(_, at)| *at));
    }
}
