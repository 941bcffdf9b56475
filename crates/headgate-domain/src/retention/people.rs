//! When a person whom nobody was in touch with for long is forgotten.
//!
//! Everybody is in a calendar and looked at now and then. Of whom nothing but an identifier is known goes with the
//! period of content, who said yes or no after a longer one; and nobody as long as something waits for them.

use super::{CONTENT_DAYS, plan};
use crate::time::{DAY, Timestamp};

/// Before a row runs out by itself it is looked at whether the person has been in touch since.
pub const BEFORE_MS: i64 = 3 * DAY;
/// Messages are kept for the period of content: whoever looks this often sees each once, and when it was.
const OFTEN_MS: i64 = (CONTENT_DAYS - 3) * DAY;
/// Whom something waits for is looked at again after this long.
const SHORTLY_MS: i64 = 30 * DAY;

/// What is known of when somebody is to be forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contact {
    /// Whether they have said yes or no to anything.
    pub has_spoken: bool,
    /// When they wrote, were written to or said something, whichever was last.
    pub last_at: Option<Timestamp>,
    /// When their row runs out by itself.
    pub row_ends_at: Option<Timestamp>,
    /// Whether something waits for them: a request, a restriction, a legal hold.
    pub is_waited_for: bool,
}

/// What becomes of somebody for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They are forgotten.
    Forgotten,
    /// They are looked at again.
    Again {
        /// When.
        at: Timestamp,
        /// Until when their row lives, if it would run out by itself.
        row_until: Option<Timestamp>,
    },
}

impl Contact {
    /// What becomes of them.
    pub fn fate(&self, now: Timestamp) -> Fate {
        if self.is_waited_for {
            let at = now.plus_millis(SHORTLY_MS);
            let row_until = Some(at.plus_millis(BEFORE_MS));
            return Fate::Again { at, row_until };
        }
        let days = if self.has_spoken {
            plan().people.days()
        } else {
            CONTENT_DAYS
        };
        let period = days.saturating_mul(DAY);
        let until = self.last_at.map(|at| at.plus_millis(period));
        let Some(until) = until.max(self.row_ends_at).filter(|until| *until > now) else {
            return Fate::Forgotten;
        };
        if self.has_spoken {
            let at = until.min(now.plus_millis(OFTEN_MS));
            return Fate::Again {
                at,
                row_until: None,
            };
        }
        match self.row_ends_at.filter(|ends_at| *ends_at < until) {
            // They were in touch since: the row stays as long as what was written.
            Some(_sooner) => Fate::Again {
                at: until.plus_millis(-BEFORE_MS).max(now),
                row_until: Some(until),
            },
            None => Fate::Again {
                at: until,
                row_until: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests may fail loudly")]
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_795_341_600);

    fn day(days: i64) -> Timestamp {
        START.plus_millis(days * DAY)
    }

    fn again(at: i64, row_until: Option<i64>) -> Fate {
        let (at, row_until) = (day(at), row_until.map(day));
        Fate::Again { at, row_until }
    }

    #[test]
    fn who_said_nothing_goes_ninety_days_after_they_were_last_in_touch() {
        let mut contact = Contact {
            last_at: Some(START),
            row_ends_at: Some(day(90)),
            ..Contact::default()
        };
        assert_eq!(contact.fate(day(88)), again(90, None));
        assert_eq!(contact.fate(day(90)), Fate::Forgotten);
        contact.last_at = Some(day(80));
        assert_eq!(contact.fate(day(88)), again(167, Some(170)));
        // Late, and the row about to run out.
        assert_eq!(contact.fate(day(169)), again(169, Some(170)));
        contact.row_ends_at = Some(day(170));
        assert_eq!(contact.fate(day(169)), again(170, None));
        assert_eq!(contact.fate(day(170)), Fate::Forgotten);
        // The row has run out, and what leads to them is left.
        let nothing = Contact::default();
        assert_eq!(nothing.fate(day(0)), Fate::Forgotten);
    }

    #[test]
    fn who_said_something_goes_after_the_period_of_people_and_is_looked_at_before_messages_go() {
        let days = plan().people.days();
        let contact = Contact {
            has_spoken: true,
            last_at: Some(START),
            ..Contact::default()
        };
        assert_eq!(contact.fate(START), again(87, None));
        assert_eq!(contact.fate(day(days - 1)), again(days, None));
        assert_eq!(contact.fate(day(days)), Fate::Forgotten);
        let waited_for = Contact {
            is_waited_for: true,
            ..contact
        };
        assert_eq!(
            waited_for.fate(day(days)),
            again(days + 30, Some(days + 33))
        );
    }
}
