//! Live controls as they are kept: every fact with who stated it.
//!
//! Owns how several voices about one thing become one: of two halts the longer counts, whoever
//! ordered it, so a notification never lifts what a person has paused. A risk level is kept as what
//! was decided and when, so that it ends by time even if nobody writes it down.

use std::collections::BTreeMap;

use super::{Live, LiveNumber, LivePortfolio, LiveTemplate, Pause, Quality, Tier};
use crate::lane::Purpose;
use crate::risk::{QUALITY_COUNTS_MS, RiskLevel, Standing};
use crate::time::Timestamp;

/// The word that says a halt comes from the risk score.
const RISK: &str = "risk";

/// The halts of one thing, by who ordered them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Halts {
    /// By a person, at the command line.
    pub person: Option<Pause>,
    /// By Meta, as its notifications say; of several, the one that lasts longest.
    pub meta: Option<Pause>,
}

impl Halts {
    /// Adds one of several of Meta's.
    pub fn add_meta(&mut self, pause: Option<Pause>) {
        self.meta = both(self.meta.take(), pause);
    }

    /// The one that lasts longest.
    fn longest(&self) -> Option<Pause> {
        both(self.person.clone(), self.meta.clone())
    }
}

fn both(one: Option<Pause>, other: Option<Pause>) -> Option<Pause> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.longer(other)),
        (one, other) => one.or(other),
    }
}

/// What is kept of a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownNumber {
    /// Messages a second, as Meta said.
    pub per_second: Option<u32>,
    /// A share a person has set, in thousandths.
    pub share_permille: Option<u16>,
    /// Halts of everything.
    pub halts: Halts,
    /// Halts of marketing.
    pub marketing: Halts,
    /// Meta's view, and when it said so.
    pub quality: Option<(Quality, Timestamp)>,
    /// Our own view.
    pub risk: Standing,
    /// Messages that ever came in.
    pub inbound_total: u64,
}

impl KnownNumber {
    /// Meta's view, while it counts.
    pub fn quality_at(&self, now: Timestamp) -> Option<Quality> {
        self.quality
            .filter(|(_quality, said)| now.millis_since(*said) < QUALITY_COUNTS_MS)
            .map(|(quality, _said)| quality)
    }

    fn live(&self) -> LiveNumber {
        let halt = |level: RiskLevel| {
            self.risk.better_than(level).map(|until| Pause {
                reason: RISK.to_owned(),
                since: self.risk.since,
                until: Some(until),
            })
        };
        LiveNumber {
            per_second: self.per_second,
            share_permille: self.share_permille,
            pause: both(self.halts.longest(), halt(RiskLevel::NumberPaused)),
            marketing_pause: both(self.marketing.longest(), halt(RiskLevel::MarketingPaused)),
            quality: self.quality.map(|(quality, _said)| quality),
            risk: self.risk,
            inbound_total: self.inbound_total,
        }
    }
}

/// What is kept of a portfolio.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownPortfolio {
    /// Its messaging limit, as Meta said.
    pub tier: Option<Tier>,
    /// Halts of all its numbers.
    pub halts: Halts,
}

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// By Meta's phone number id.
    pub numbers: BTreeMap<String, KnownNumber>,
    /// By portfolio.
    pub portfolios: BTreeMap<String, KnownPortfolio>,
    /// By principal.
    pub producers: BTreeMap<String, Pause>,
    /// By name and language.
    pub templates: BTreeMap<(String, String), LiveTemplate>,
    /// Halts of everything.
    pub account: Halts,
    /// Halts of a purpose.
    pub purposes: BTreeMap<Purpose, Halts>,
}

impl Known {
    /// What it all says together; what ends by time carries its end.
    pub fn live(&self) -> Live {
        Live {
            numbers: self
                .numbers
                .iter()
                .map(|(id, known)| (id.clone(), known.live()))
                .collect(),
            portfolios: self
                .portfolios
                .iter()
                .map(|(id, known)| {
                    let live = LivePortfolio {
                        tier: known.tier,
                        pause: known.halts.longest(),
                    };
                    (id.clone(), live)
                })
                .collect(),
            producers: self.producers.clone(),
            templates: self.templates.clone(),
            account: self.account.longest(),
            purposes: self
                .purposes
                .iter()
                .filter_map(|(purpose, halts)| Some((*purpose, halts.longest()?)))
                .collect(),
        }
    }
}
