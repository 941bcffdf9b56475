//! Live controls: what is true of numbers, portfolios, templates and producers right now.
//!
//! Owns the facts that change while Headgate runs: what Meta allows, what Meta has stopped, what
//! our own risk score slows down, whom a person has paused. Written by
//! notification-processor and the command line, read by whoever decides about sending. A value
//! that the configuration states wins over one learnt. Holds nothing about a person.

mod known;

use std::collections::BTreeMap;

pub use known::{Halts, Known, KnownNumber, KnownPortfolio};

use crate::config::{Category, Config, Number, Template, TemplateStatus};
use crate::lane::Purpose;
use crate::risk::Standing;
use crate::time::{DAY, Timestamp};

/// What Meta allows a number until we know better (messages per second).
pub const DEFAULT_PER_SECOND: u32 = 80;
/// What Meta allows a new portfolio (people a day), and so what an unknown one counts as.
pub const DEFAULT_DAILY: u32 = 250;
/// A share that slows nothing down.
pub const FULL_SHARE: u16 = 1000;
/// The beginning of the reason of every halt that Meta puts on an account; after it, sending resumes by a ramp.
pub const ACCOUNT_REASON: &str = "account_";
/// The ramp after such a halt: a day at each share, in thousandths, then all.
const RAMP: [u16; 3] = [50, 250, 500];

/// Everything known, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// By Meta's phone number id.
    pub numbers: BTreeMap<String, LiveNumber>,
    /// By portfolio, as the configuration names it.
    pub portfolios: BTreeMap<String, LivePortfolio>,
    /// By principal: producers that a person has paused.
    pub producers: BTreeMap<String, Pause>,
    /// By name and language.
    pub templates: BTreeMap<(String, String), LiveTemplate>,
    /// Everything stands still.
    pub account: Option<Pause>,
    /// By purpose: nothing of that kind is sent from any number.
    pub purposes: BTreeMap<Purpose, Pause>,
}

/// A halt, with the word that says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// A closed word, such as `account_restricted`.
    pub reason: String,
    /// From when on.
    pub since: Timestamp,
    /// Until when; without one, until it is lifted.
    pub until: Option<Timestamp>,
}

impl Pause {
    /// Whether it is in force.
    ///
    /// A start in the future counts: a clock that is ahead of ours must not let messages through.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// How much may be sent after it, in thousandths: of a halt of an account, a day each at the steps of the ramp.
    fn share_after(&self, now: Timestamp) -> Option<u16> {
        let until = self
            .until
            .filter(|_end| self.reason.starts_with(ACCOUNT_REASON))?;
        let days = now.millis_since(until).div_euclid(DAY);
        RAMP.get(usize::try_from(days).ok()?).copied()
    }

    /// The longer of two.
    #[must_use]
    pub fn longer(self, other: Self) -> Self {
        let is_longer = match (self.until, other.until) {
            (None, _) => true,
            (Some(_end), None) => false,
            (Some(mine), Some(its)) => mine >= its,
        };
        if is_longer { self } else { other }
    }
}

/// A number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveNumber {
    /// Messages a second, learnt from Meta.
    pub per_second: Option<u32>,
    /// How much of its speed a person leaves it, in thousandths; without one, all. See [`Live::share_permille`].
    pub share_permille: Option<u16>,
    /// Nothing is sent from it.
    pub pause: Option<Pause>,
    /// No marketing is sent from it.
    pub marketing_pause: Option<Pause>,
    /// Meta's view of it.
    pub quality: Option<Quality>,
    /// Our own view of it, as it was decided; it gets better by time.
    pub risk: Standing,
    /// How many messages have ever come in; they count against the speed, so the sender watches it grow.
    pub inbound_total: u64,
}

/// Meta's view of a number or template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// Good.
    Green,
    /// So-so.
    Yellow,
    /// Bad: people block and report.
    Red,
}

impl Quality {
    /// Meta's word, in lower case.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }

    /// The quality of a word of Meta's, or nothing.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Green, Self::Yellow, Self::Red]
            .into_iter()
            .find(|quality| quality.word().eq_ignore_ascii_case(word))
    }
}

/// A portfolio.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LivePortfolio {
    /// How many people a day; without one, not learnt.
    pub tier: Option<Tier>,
    /// Nothing is sent from its numbers.
    pub pause: Option<Pause>,
}

/// A messaging limit: people in a moving day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// This many.
    Limit(u32),
    /// As many as one likes.
    Unlimited,
}

/// A template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveTemplate {
    /// Where it stands.
    pub status: TemplateStatus,
    /// The category Meta has put it into.
    pub category: Option<Category>,
}

impl Live {
    /// Whether Meta's view of a number is worse than good; what is not known is not.
    pub fn has_lost_quality(&self, number: &Number) -> bool {
        let known = self.numbers.get(&number.id);
        known.and_then(|known| known.quality) > Some(Quality::Green)
    }

    /// Messages a second: the configuration's, else what was learnt, else what Meta gives everybody.
    pub fn per_second(&self, number: &Number) -> u32 {
        number
            .per_second
            .or_else(|| self.numbers.get(&number.id)?.per_second)
            .unwrap_or(DEFAULT_PER_SECOND)
    }

    /// People in a moving day: the configuration's, else what was learnt, else what Meta gives everybody. Nothing
    /// means no limit.
    pub fn limit(&self, config: &Config, portfolio: &str) -> Option<u32> {
        if let Some(stated) = config.daily_limit(portfolio) {
            return stated.people();
        }
        match self.portfolios.get(portfolio).and_then(|known| known.tier) {
            Some(Tier::Unlimited) => None,
            Some(Tier::Limit(limit)) => Some(limit),
            None => Some(DEFAULT_DAILY),
        }
    }

    /// How much of its speed a number may use now, in thousandths: what the risk score and people leave it, and no
    /// more than the ramp after a halt of the account.
    pub fn share_permille(&self, number: &Number, now: Timestamp) -> u16 {
        let known = self.numbers.get(&number.id);
        let portfolio = self.portfolios.get(&number.portfolio);
        let ramps = [
            self.account.as_ref(),
            portfolio.and_then(|known| known.pause.as_ref()),
            known.and_then(|known| known.pause.as_ref()),
        ];
        ramps
            .into_iter()
            .flatten()
            .chain(self.purposes.values())
            .filter_map(|pause| pause.share_after(now))
            .chain(known.and_then(|known| known.share_permille))
            .chain(known.and_then(|known| known.risk.at(now).level.share_permille()))
            .fold(FULL_SHARE, u16::min)
    }

    /// What keeps a purpose from being sent from a number now: the pause that lasts longest.
    pub fn pause(&self, number: &Number, purpose: Purpose, now: Timestamp) -> Option<&Pause> {
        let known = self.numbers.get(&number.id);
        let marketing = known
            .and_then(|known| known.marketing_pause.as_ref())
            .filter(|_pause| purpose == Purpose::Marketing);
        let portfolio = self.portfolios.get(&number.portfolio);
        [
            self.account.as_ref(),
            self.purposes.get(&purpose),
            portfolio.and_then(|known| known.pause.as_ref()),
            known.and_then(|known| known.pause.as_ref()),
            marketing,
        ]
        .into_iter()
        .flatten()
        .filter(|pause| pause.holds(now))
        .max_by_key(|pause| pause.until.map_or(i64::MAX, Timestamp::millis))
    }

    /// What keeps a producer's messages back.
    pub fn producer_pause(&self, principal: &str, now: Timestamp) -> Option<&Pause> {
        self.producers
            .get(principal)
            .filter(|pause| pause.holds(now))
    }

    /// Where a template stands: what stops it in the configuration, else Meta's word, else the configuration's.
    pub fn template_status(&self, template: &Template) -> TemplateStatus {
        match template.status {
            TemplateStatus::Parked | TemplateStatus::Disabled => template.status,
            TemplateStatus::Approved | TemplateStatus::Pending | TemplateStatus::Paused => self
                .template(template)
                .map_or(template.status, |known| known.status),
        }
    }

    /// The category Meta has a template in.
    pub fn template_category(&self, template: &Template) -> Category {
        self.template(template)
            .and_then(|known| known.category)
            .unwrap_or(template.category)
    }

    fn template(&self, template: &Template) -> Option<&LiveTemplate> {
        self.templates
            .get(&(template.name.clone(), template.language.clone()))
    }
}

#[cfg(test)]
mod tests;
