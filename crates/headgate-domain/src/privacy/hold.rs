//! Legal holds: data that a court or a claim wants kept although its time is over (GDPR 17(3)(e), 18(1)(c)).
//!
//! A hold names whom or when it is about, why, who approved of it, and when it ends. It keeps copies apart, under a key
//! of its own; the purge and the sweep go on as if it were not there. An erasure waits for it.

use core::fmt;

use headgate_redact::LogSafe;

use crate::identity::{SubjectId, base32};
use crate::time::{DAY, Timestamp};

const PREFIX: &str = "hold_";
const LETTERS: usize = 20;
/// A hold lasts this long at most, and is then approved of anew.
pub const LONGEST_MS: i64 = 365 * DAY;
/// So long it is kept that there was one (docs/privacy-requests.md).
pub const HOLD_KEPT_MS: i64 = 1_095 * DAY;
const MOST: usize = 300;

/// A hold: `hold_` and 20 lower-case base32 characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HoldId(String);

/// What is wrong with a hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidHold {
    /// The id has not the shape of one.
    #[error("the id of a hold is hold_ and 20 lower-case letters or digits 2 to 7")]
    Id,
    /// It ends before it begins, or too late.
    #[error("a hold ends in the future, and after 365 days at most: then it is approved of anew")]
    Expiry,
    /// It is about no time at all.
    #[error("the range of a hold begins before it ends")]
    Range,
    /// It says not why, or not who approved.
    #[error(
        "a hold says why, and who approved of it, in 1 to 300 characters each, without a telephone number"
    )]
    Words,
}

impl HoldId {
    /// The id of a new hold.
    pub fn from_random(random: [u8; 12]) -> Self {
        Self(format!("{PREFIX}{}", base32(&random)))
    }

    /// Checks the shape of an id.
    ///
    /// # Errors
    /// [`InvalidHold::Id`], which does not repeat the input.
    pub fn parse(text: &str) -> Result<Self, InvalidHold> {
        let body = text.strip_prefix(PREFIX).ok_or(InvalidHold::Id)?;
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
        (body.len() == LETTERS && body.bytes().all(is_letter))
            .then(|| Self(text.to_owned()))
            .ok_or(InvalidHold::Id)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Random: it names a hold, and no person.
impl LogSafe for HoldId {}

/// Whom or when a hold is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// One person.
    Subject(SubjectId),
    /// Everybody who was written to in a time, and what was written then.
    Range {
        /// From then on.
        from: Timestamp,
        /// Until then.
        until: Timestamp,
    },
}

/// A hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Whom or when it is about.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// Who approved of it.
    pub approver: String,
    /// Since when.
    pub placed_at: Timestamp,
    /// Until when, unless it is lifted before.
    pub expires_at: Timestamp,
    /// When it was lifted.
    pub lifted_at: Option<Timestamp>,
}

impl Hold {
    /// Checks a hold before it is placed.
    ///
    /// # Errors
    /// [`InvalidHold`].
    pub fn check(&self) -> Result<(), InvalidHold> {
        let lasts = self.expires_at.millis_since(self.placed_at);
        if !(1..=LONGEST_MS).contains(&lasts) {
            return Err(InvalidHold::Expiry);
        }
        if let Scope::Range { from, until } = &self.scope
            && from >= until
        {
            return Err(InvalidHold::Range);
        }
        let is_said = |text: &str| {
            let digits = text.chars().filter(char::is_ascii_digit).count();
            let length = text.trim().chars().count();
            (1..=MOST).contains(&length) && digits < 8 && !text.chars().any(char::is_control)
        };
        if is_said(&self.reason) && is_said(&self.approver) {
            Ok(())
        } else {
            Err(InvalidHold::Words)
        }
    }

    /// Whether it holds at a moment.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.lifted_at.is_none() && now < self.expires_at
    }

    /// Whether it covers something that was accepted or written at a moment, of one of some subjects.
    pub fn covers(&self, subjects: &[SubjectId], at: Timestamp) -> bool {
        match &self.scope {
            Scope::Subject(subject) => subjects.contains(subject),
            Scope::Range { from, until } => *from <= at && at < *until,
        }
    }

    /// Whether an erasure of a person waits for it: `moments` are those of their messages.
    pub fn stops_an_erasure(
        &self,
        subjects: &[SubjectId],
        moments: impl IntoIterator<Item = Timestamp>,
        now: Timestamp,
    ) -> bool {
        let is_about = match &self.scope {
            Scope::Subject(subject) => subjects.contains(subject),
            Scope::Range { .. } => moments.into_iter().any(|at| self.covers(subjects, at)),
        };
        is_about && self.is_in_force(now)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_341_600);

    fn hold(scope: Scope) -> Hold {
        Hold {
            id: HoldId::from_random([1; 12]),
            scope,
            reason: "claim before the court of first instance".to_owned(),
            approver: "general counsel".to_owned(),
            placed_at: NOW,
            expires_at: NOW.plus_millis(90 * DAY),
            lifted_at: None,
        }
    }

    #[test]
    fn a_hold_has_an_end_a_reason_and_somebody_who_answers_for_it() {
        let good = hold(Scope::Subject(SubjectId::from_random([2; 16])));
        assert_eq!(good.check(), Ok(()));
        let with = |change: fn(&mut Hold)| {
            let mut hold = good.clone();
            change(&mut hold);
            hold.check()
        };
        assert_eq!(with(|h| h.expires_at = NOW), Err(InvalidHold::Expiry));
        let late = |h: &mut Hold| h.expires_at = NOW.plus_millis(LONGEST_MS + 1);
        assert_eq!(with(late), Err(InvalidHold::Expiry));
        assert_eq!(
            with(|h| h.reason = "  ".to_owned()),
            Err(InvalidHold::Words)
        );
        assert_eq!(with(|h| h.approver.clear()), Err(InvalidHold::Words));
        let number = |h: &mut Hold| h.reason = "the messages of +1 613 555 0123".to_owned();
        assert_eq!(with(number), Err(InvalidHold::Words), "nobody is named");
        let (from, until) = (NOW, NOW);
        assert_eq!(
            hold(Scope::Range { from, until }).check(),
            Err(InvalidHold::Range)
        );
    }

    #[test]
    fn only_whom_it_is_about_is_held_and_only_while_it_is_in_force() {
        let [ada, ben] = [1, 2].map(|byte| SubjectId::from_random([byte; 16]));
        let of_ada = hold(Scope::Subject(ada.clone()));
        let stops = |hold: &Hold, who: &SubjectId, now| {
            hold.stops_an_erasure(std::slice::from_ref(who), [NOW], now)
        };
        assert!(stops(&of_ada, &ada, NOW) && !stops(&of_ada, &ben, NOW));
        assert!(!stops(&of_ada, &ada, of_ada.expires_at));
        let lifted = Hold {
            lifted_at: Some(NOW),
            ..of_ada
        };
        assert!(!stops(&lifted, &ada, NOW));
        let (from, until) = (NOW.plus_millis(-DAY), NOW.plus_millis(1));
        let range = hold(Scope::Range { from, until });
        assert!(stops(&range, &ada, NOW) && stops(&range, &ben, NOW));
        let later = [until, until.plus_millis(DAY)];
        assert!(
            !range.stops_an_erasure(&[ada], later, NOW),
            "what was written later is not held"
        );
    }
}
