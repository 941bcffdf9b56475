//! Whom a breach has to be told to, and until when: the terms of the profiles, as moments.
//!
//! Owns how a clock runs. It starts when the breach was known, unless a law counts from a later event and that event
//! is given: without it the earlier moment counts, so that no clock is shown longer than it may be. A term that a law
//! gives in words ("without undue delay") is at once. Terms count as those of requests do: see `rights`.
//! It does not judge whether there is a risk to anybody, and a threshold takes no row away: both are for people.

use serde::Deserialize;

use super::{Profile, Term};
use crate::time::Timestamp;

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Told {
    /// The supervisory authority.
    Authority,
    /// The people whose data it is.
    People,
}

impl Told {
    /// The word programs match on.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::People => "people",
        }
    }
}

/// From when a term counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockStart {
    /// The breach was known.
    #[default]
    Known,
    /// It was assessed to be one that has to be told.
    Assessed,
    /// The people were told; at the latest when they had to be.
    PeopleTold,
}

impl ClockStart {
    /// The word programs match on.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Assessed => "assessed",
            Self::PeopleTold => "people_told",
        }
    }
}

/// That somebody is told, and within what.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Within what.
    pub within: Term,
    /// From when that counts.
    #[serde(default)]
    pub from: ClockStart,
    /// Within what more is told, from the same start.
    #[serde(default)]
    pub complete_within: Option<Term>,
    /// From how many people on; fewer need not be told unless the harm is great.
    #[serde(default)]
    pub least_people: Option<u32>,
    /// When it is asked for, in words.
    #[serde(default)]
    pub when: Option<String>,
    /// Whether it is only advised.
    #[serde(default)]
    pub voluntary: bool,
}

/// What a profile says of breaches.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreachTerms {
    /// What the authority is told.
    #[serde(default)]
    pub authority: Option<Notice>,
    /// What the people are told.
    #[serde(default)]
    pub people: Option<Notice>,
    /// Within what a breach is to be assessed.
    #[serde(default)]
    pub assess_within: Option<Term>,
}

/// When the clocks of a breach start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreachTimes {
    /// When the controller knew of it.
    pub known_at: Timestamp,
    /// When it was assessed to be one that has to be told, where that is given.
    pub assessed_at: Option<Timestamp>,
    /// When the people were told, where that is given.
    pub people_told_at: Option<Timestamp>,
}

/// One clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreachClock<'a> {
    /// Who is told.
    pub told: Told,
    /// At the latest then.
    pub by: Timestamp,
    /// In full at the latest then.
    pub complete_by: Option<Timestamp>,
    /// What the profile says.
    pub notice: &'a Notice,
}

impl Profile {
    /// The clocks of a breach: the authority's first.
    pub fn breach_clocks(&self, times: BreachTimes) -> impl Iterator<Item = BreachClock<'_>> {
        let authority = self.breach.authority.as_ref();
        let people = self.breach.people.as_ref();
        let known = [(Told::Authority, authority), (Told::People, people)];
        known.into_iter().filter_map(move |(told, notice)| {
            let notice = notice?;
            let start = self.start(notice.from, times);
            Some(BreachClock {
                told,
                by: notice.within.after(start),
                complete_by: notice.complete_within.map(|term| term.after(start)),
                notice,
            })
        })
    }

    /// Until when a breach is to be assessed.
    pub fn assess_breach_by(&self, known_at: Timestamp) -> Option<Timestamp> {
        self.breach.assess_within.map(|term| term.after(known_at))
    }

    fn start(&self, from: ClockStart, times: BreachTimes) -> Timestamp {
        match from {
            ClockStart::Known => times.known_at,
            ClockStart::Assessed => times.assessed_at.unwrap_or(times.known_at),
            ClockStart::PeopleTold => times.people_told_at.unwrap_or_else(|| {
                // Until they are told, the clock that runs is theirs.
                let people = self.breach.people.as_ref();
                people.map_or(times.known_at, |notice| notice.within.after(times.known_at))
            }),
        }
    }
}
