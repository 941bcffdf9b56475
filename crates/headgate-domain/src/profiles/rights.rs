//! When a request of a person is due: the terms of the profiles, as moments.
//!
//! Owns how a term counts. It is counted from the moment the request came, in UTC: a day is 24 hours, a month
//! ends at the same time on the same day, or on the month's last day where that is shorter, and a business day
//! is one from Monday to Friday. Holidays are not known, and no term is moved to a working day because it ends
//! on another: both would make it longer than the shortest reading. Of all profiles that apply the earliest
//! moment counts. A right that a profile gives no term for has that of everywhere else: it is granted anyway.

use serde::{Deserialize, Deserializer};

use super::{EffectiveProfile, Profile};
use crate::time::{DAY, HOUR, Timestamp};

/// What a person may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// What is known of them.
    Access,
    /// The same, for machines.
    Portability,
    /// That something is corrected.
    Rectification,
    /// That everything is deleted.
    Erasure,
    /// That nothing is done with it but keep it.
    Restriction,
    /// That it is not used for advertising.
    Objection,
    /// That it is neither sold nor shared.
    DoNotSell,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Access,
        Self::Portability,
        Self::Rectification,
        Self::Erasure,
        Self::Restriction,
        Self::Objection,
        Self::DoNotSell,
    ];

    /// The word programs match on.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Portability => "portability",
            Self::Rectification => "rectification",
            Self::Erasure => "erasure",
            Self::Restriction => "restriction",
            Self::Objection => "objection",
            Self::DoNotSell => "do_not_sell",
        }
    }
}

/// A length of time, as laws name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// With the request itself.
    AtOnce,
    /// So many hours.
    Hours(u16),
    /// So many days.
    Days(u16),
    /// So many days from Monday to Friday.
    BusinessDays(u16),
    /// So many months.
    Months(u16),
}

impl Term {
    /// When it ends that begins then.
    pub fn after(self, start: Timestamp) -> Timestamp {
        match self {
            Self::AtOnce => start,
            Self::Hours(hours) => start.plus_millis(i64::from(hours).saturating_mul(HOUR)),
            Self::Days(days) => start.plus_millis(i64::from(days).saturating_mul(DAY)),
            Self::BusinessDays(days) => {
                let mut end = start;
                let mut left = days;
                while left > 0 {
                    end = end.plus_millis(DAY);
                    if end.day().is_business_day() {
                        left = left.saturating_sub(1);
                    }
                }
                end
            }
            Self::Months(months) => start.plus_months(months),
        }
    }

    /// One after the other, where both count in the same way: two months after one are three from the beginning.
    fn then(self, more: Self, start: Timestamp) -> Timestamp {
        match (self, more) {
            (Self::Months(one), Self::Months(other)) => {
                Self::Months(one.saturating_add(other)).after(start)
            }
            _ => more.after(self.after(start)),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "at once" {
            return Some(Self::AtOnce);
        }
        let (number, unit) = text.split_once(' ')?;
        let number = number.parse().ok()?;
        match unit.trim_end_matches('s') {
            "hour" => Some(Self::Hours(number)),
            "day" => Some(Self::Days(number)),
            "business_day" => Some(Self::BusinessDays(number)),
            "month" => Some(Self::Months(number)),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Term {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a term"))
    }
}

/// What a profile says of a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Within what it is to be granted.
    pub within: Term,
    /// By what that may be extended, with a reason that the person is told.
    #[serde(default)]
    pub extension: Option<Term>,
    /// Within what it is to be acknowledged.
    #[serde(default)]
    pub acknowledge: Option<Term>,
}

/// When a request is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When it is to be acknowledged, where a law asks for that.
    pub acknowledge_by: Option<Timestamp>,
    /// When it is to be granted.
    pub by: Timestamp,
    /// The same when it is extended; the same moment where it may not be.
    pub at_the_latest: Timestamp,
}

impl Terms {
    /// When a request is due by these that came then.
    pub fn due(self, received_at: Timestamp) -> Due {
        let by = self.within.after(received_at);
        let extended = self
            .extension
            .map(|more| self.within.then(more, received_at));
        Due {
            acknowledge_by: self.acknowledge.map(|term| term.after(received_at)),
            by,
            at_the_latest: extended.unwrap_or(by),
        }
    }
}

impl Profile {
    /// What it says of a right.
    pub fn terms(&self, right: Right) -> Option<Terms> {
        self.rights.get(&right).copied()
    }
}

impl EffectiveProfile {
    /// When a request of a person is due that came at a moment: the earliest of every profile that applies.
    pub fn due(self, right: Right, received_at: Timestamp) -> Due {
        let elsewhere = self.all().elsewhere();
        // In place of a term that a profile does not have, so that no other profile makes it longer.
        let given = elsewhere.and_then(|strict| {
            let terms = strict.terms(right);
            terms.or_else(|| strict.terms(Right::Access))
        });
        self.profiles()
            .map(|profile| profile.terms(right).or(given))
            .map(|terms| terms.map_or(Due::now(received_at), |terms| terms.due(received_at)))
            .reduce(Due::and)
            // Without any profile nothing may wait.
            .unwrap_or_else(|| Due::now(received_at))
    }
}

impl Due {
    const fn now(at: Timestamp) -> Self {
        Self {
            acknowledge_by: None,
            by: at,
            at_the_latest: at,
        }
    }

    /// The earlier of each.
    fn and(self, other: Self) -> Self {
        let acknowledge = [self.acknowledge_by, other.acknowledge_by];
        Self {
            acknowledge_by: acknowledge.into_iter().flatten().min(),
            by: self.by.min(other.by),
            at_the_latest: self.at_the_latest.min(other.at_the_latest),
        }
    }
}
