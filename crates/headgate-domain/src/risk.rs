//! The risk score of a number: how bad its last day was, and what that means.
//!
//! Owns the table of thresholds, the levels, how long each holds, and the way back. Promises that
//! worse facts never lead to a better level, that every level is left again by time alone, and
//! that a level once taken is not left and taken again at every message. Judges a number, never a
//! person. Where the counts are kept is the adapter's.
//!
//! | fact, of the last 24 hours | at least | slow, half | slow, quarter | marketing paused | number paused |
//! |---|---|---|---|---|---|
//! | could not be delivered, of all outcomes | 50 outcomes | 10 % | 20 % | 35 % | 60 % of 200 |
//! | held back by Meta (131049, 130472), of outcomes | 50 outcomes | 20 % | | 50 % | |
//! | said stop, of deliveries | 100 deliveries | 1 % | 3 % | 6 % | |
//! | read, of deliveries: the rest | 1000 deliveries | 98 % unread | | | |
//! | limited for spam (131048) | | | | once | 10 times |
//! | Meta's quality, told in the last 7 days | | yellow | | red | |
//!
//! A level is kept while the facts since it was taken reach 60 % of what leads to it.

use std::collections::BTreeMap;

use crate::live::Quality;
use crate::time::{HOUR, Timestamp};

mod rules;
#[cfg(test)]
mod tests;

/// How far back facts count.
pub const WINDOW_HOURS: i64 = 24;
/// How long a word of Meta's about quality counts.
pub const QUALITY_COUNTS_MS: i64 = 7 * 24 * HOUR;

/// What happened in an hour, or in several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Left Meta.
    pub sent: u64,
    /// Reached a device.
    pub delivered: u64,
    /// Were opened.
    pub read: u64,
    /// Could not be delivered, for a reason that is the person's, Meta's or unknown.
    pub failed: u64,
    /// Were held back by Meta to spare the person marketing.
    pub held_back: u64,
    /// People who said stop.
    pub stopped: u64,
    /// Were refused because the number is limited for spam.
    pub spam: u64,
    /// Failed by a mistake of ours: parameters, media, an unfit template. Not the number's fault.
    pub ours: u64,
}

impl Counts {
    /// The names of the counters, in the order of [`Self::values`].
    pub const NAMES: [&'static str; 8] = [
        "sent",
        "delivered",
        "read",
        "failed",
        "held_back",
        "stopped",
        "spam",
        "ours",
    ];

    /// The counters, in the order of [`Self::NAMES`].
    pub const fn values(&self) -> [u64; 8] {
        [
            self.sent,
            self.delivered,
            self.read,
            self.failed,
            self.held_back,
            self.stopped,
            self.spam,
            self.ours,
        ]
    }

    /// Counters from their values.
    pub const fn from_values(values: [u64; 8]) -> Self {
        let [
            sent,
            delivered,
            read,
            failed,
            held_back,
            stopped,
            spam,
            ours,
        ] = values;
        Self {
            sent,
            delivered,
            read,
            failed,
            held_back,
            stopped,
            spam,
            ours,
        }
    }

    /// Counts a failure by Meta's code. A code nobody knows is held against the number.
    pub const fn note_failure(&mut self, code: Option<u32>) {
        let counter = match code {
            Some(131_048) => &mut self.spam,
            Some(131_050) => &mut self.stopped,
            Some(131_049 | 130_472) => &mut self.held_back,
            Some(
                100
                | 130_403
                | 131_008
                | 131_009
                | 131_021
                | 131_030
                | 131_047
                | 131_051
                | 131_053
                | 131_055
                | 131_062
                | 131_063
                | 132_000..=132_999
                | 134_000..=134_999
                | 137_000,
            ) => &mut self.ours,
            Some(_) | None => &mut self.failed,
        };
        *counter = counter.saturating_add(1);
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// This without the other.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.zip(other, u64::saturating_sub)
    }

    fn zip(&self, other: &Self, with: fn(u64, u64) -> u64) -> Self {
        let mut values = self.values();
        for (mine, its) in values.iter_mut().zip(other.values()) {
            *mine = with(*mine, its);
        }
        Self::from_values(values)
    }
}

/// What a number may still do, from best to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RiskLevel {
    /// Everything.
    #[default]
    Normal,
    /// Half of its speed.
    Half,
    /// A quarter of its speed.
    Quarter,
    /// A twentieth: the first step of the way back.
    Trickle,
    /// No marketing; the rest at a quarter of its speed.
    MarketingPaused,
    /// Nothing.
    NumberPaused,
}

impl RiskLevel {
    /// All, from best to worst.
    pub const ALL: [Self; 6] = [
        Self::Normal,
        Self::Half,
        Self::Quarter,
        Self::Trickle,
        Self::MarketingPaused,
        Self::NumberPaused,
    ];

    /// The stored word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Half => "half",
            Self::Quarter => "quarter",
            Self::Trickle => "trickle",
            Self::MarketingPaused => "marketing_paused",
            Self::NumberPaused => "number_paused",
        }
    }

    /// The level of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.word() == word)
    }

    /// The type of the event that announces it.
    pub const fn event(self) -> &'static str {
        match self {
            Self::Normal => "number.resumed",
            Self::Half | Self::Quarter | Self::Trickle => "number.slowed",
            Self::MarketingPaused => "number.marketing_paused",
            Self::NumberPaused => "number.paused",
        }
    }

    /// How much of its speed the number has, in thousandths; nothing when all of it, or when it is paused anyway.
    pub const fn share_permille(self) -> Option<u16> {
        match self {
            Self::Normal | Self::NumberPaused => None,
            Self::Half => Some(500),
            Self::Quarter | Self::MarketingPaused => Some(250),
            Self::Trickle => Some(50),
        }
    }

    /// How long it holds, and what follows when nothing speaks against it; nothing follows the best.
    const fn then(self) -> Option<(i64, Self)> {
        match self {
            Self::Normal => None,
            Self::Half => Some((6 * HOUR, Self::Normal)),
            Self::Quarter => Some((6 * HOUR, Self::Half)),
            Self::Trickle => Some((6 * HOUR, Self::Quarter)),
            Self::MarketingPaused => Some((12 * HOUR, Self::Trickle)),
            Self::NumberPaused => Some((4 * HOUR, Self::MarketingPaused)),
        }
    }
}

/// The level of a number, since when, and what was known at that moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The level.
    pub level: RiskLevel,
    /// Since when.
    pub since: Timestamp,
    /// What the hour of `since` had counted by then: it led here and is not held against it again.
    pub base: Counts,
}

impl Standing {
    /// What it has become by `now` by time alone.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        let mut standing = *self;
        while let Some((hold, lower)) = standing.level.then() {
            let ends = standing.since.plus_millis(hold);
            if now < ends {
                break;
            }
            standing = Self {
                level: lower,
                since: ends,
                base: Counts::default(),
            };
        }
        standing
    }

    /// When, if nothing happens, the level will be better than `level`; nothing when it is already.
    pub fn better_than(&self, level: RiskLevel) -> Option<Timestamp> {
        let mut standing = *self;
        let mut end = None;
        while standing.level >= level {
            let (hold, lower) = standing.level.then()?;
            let ends = standing.since.plus_millis(hold);
            end = Some(ends);
            standing = Self {
                level: lower,
                since: ends,
                base: Counts::default(),
            };
        }
        end
    }

    /// The standing after the facts by hour (see [`hour`]) have been looked at.
    #[must_use]
    pub fn judged(
        &self,
        hours: &BTreeMap<i64, Counts>,
        quality: Option<Quality>,
        now: Timestamp,
    ) -> Self {
        let standing = self.at(now);
        let facts = standing.facts(hours, now);
        let anew = |level| Self {
            level,
            since: now,
            base: hours.get(&hour(now)).copied().unwrap_or_default(),
        };
        let raised = rules::assess(&facts, quality, rules::TAKE);
        if raised > standing.level {
            return anew(raised);
        }
        // Renewed at most twice in the time it holds: a write for every batch is not worth it.
        let is_due = standing.level.then().is_some_and(|(hold, _lower)| {
            now.millis_since(standing.since).saturating_mul(2) >= hold
        });
        if is_due && rules::assess(&facts, quality, rules::KEEP) >= standing.level {
            return anew(standing.level);
        }
        standing
    }

    /// What counts now: the window, but nothing from before the level was taken.
    fn facts(&self, hours: &BTreeMap<i64, Counts>, now: Timestamp) -> Counts {
        let last = hour(now);
        let own = hour(self.since);
        let first = own.max(last.saturating_sub(WINDOW_HOURS).saturating_add(1));
        hours
            .iter()
            .filter(|(at, _counts)| **at >= first && **at <= last)
            .map(|(at, counts)| {
                if *at == own {
                    counts.minus(&self.base)
                } else {
                    *counts
                }
            })
            .fold(Counts::default(), |sum, counts| sum.plus(&counts))
    }
}

/// The hour a moment falls into, counted from 1970.
pub const fn hour(at: Timestamp) -> i64 {
    at.millis().div_euclid(HOUR)
}
