//! Limits a deployment sets itself: who may produce what, how often people are written to, and when not.
//!
//! Each can only take away from what the law, Meta and the queue policies allow, except a cap, which
//! replaces a cap of the project's own (`profiles`).

use serde::{Deserialize, Serialize};

use super::{Number, is_same};
use crate::lane::Purpose;
use crate::profiles::Minute;
use crate::region::Country;

/// Ceilings on messages that nobody asked for, or that somebody makes us send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abuse {
    /// Authentication messages per person and hour; 0 is no ceiling.
    #[serde(default = "five")]
    pub per_recipient_per_hour: u32,
    /// Authentication messages per producer, country calling code and hour; 0 is no ceiling.
    #[serde(default)]
    pub per_prefix_per_hour: u32,
    /// Authentication messages per producer and hour; 0 is no ceiling.
    #[serde(default)]
    pub per_producer_per_hour: u32,
    /// Where messages may go, ISO 3166 alpha-2; empty: everywhere.
    #[serde(default)]
    pub destinations: Vec<Country>,
}

/// Enough for a person who mistypes a code twice and asks again.
const fn five() -> u32 {
    5
}

impl Default for Abuse {
    fn default() -> Self {
        Self {
            per_recipient_per_hour: five(),
            per_prefix_per_hour: 0,
            per_producer_per_hour: 0,
            destinations: Vec::new(),
        }
    }
}

impl Abuse {
    /// Whether messages may go to a country. One that cannot be told is on no list.
    pub fn allows(&self, country: Option<Country>) -> bool {
        self.destinations.is_empty() || country.is_some_and(|c| self.destinations.contains(&c))
    }
}

/// What is known of a portfolio.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portfolio {
    /// How many people a moving day; without a value learnt from Meta, 250 until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_limit: Option<DailyLimit>,
}

/// A portfolio's messaging limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DailyLimit {
    /// This many people.
    People(u32),
    /// As many as one likes.
    Unlimited(Unlimited),
}

/// The word for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unlimited {
    /// No limit.
    Unlimited,
}

impl DailyLimit {
    /// How many people, or `None` for any number.
    pub const fn people(self) -> Option<u32> {
        match self {
            Self::People(people) => Some(people),
            Self::Unlimited(Unlimited::Unlimited) => None,
        }
    }
}

/// What one module of the business may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Producer {
    /// Its SQS `SenderId`; of a role the role id.
    pub principal: String,
    /// The lanes it may use; empty: none.
    pub lanes: Vec<Purpose>,
    /// The numbers it may send from, by id or alias; empty: every number that lets it.
    #[serde(default)]
    pub numbers: Vec<String>,
}

impl Producer {
    /// Whether it may use a lane with a number.
    pub fn may_use(&self, lane: Purpose, number: &Number) -> bool {
        let named = |n: &String| *n == number.id || *n == number.alias;
        self.lanes.contains(&lane) && (self.numbers.is_empty() || self.numbers.iter().any(named))
    }

    /// Whether this is the producer of an SQS `SenderId`.
    pub fn is(&self, producer: &str) -> bool {
        is_same(&self.principal, producer)
    }
}

/// How often one person may be sent messages of a purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// Of which purpose; a business-initiated one.
    pub purpose: Purpose,
    /// How many.
    pub max: u16,
    /// Within how many hours, moving.
    pub hours: u16,
    /// To people of which countries; empty: of all.
    #[serde(default)]
    pub countries: Vec<Country>,
}

impl Cap {
    /// Whether it is about messages of a purpose to a country.
    pub fn concerns(&self, purpose: Purpose, country: Option<Country>) -> bool {
        self.purpose == purpose && covers(&self.countries, country)
    }
}

/// Hours of the person's day in which messages of a purpose wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// Of which purpose; a business-initiated one.
    pub purpose: Purpose,
    /// From, such as `21:00`, where the person lives.
    pub start: Minute,
    /// Until.
    pub end: Minute,
    /// For people of which countries; empty: of all.
    #[serde(default)]
    pub countries: Vec<Country>,
}

impl QuietHours {
    /// Whether they are about messages of a purpose to a country.
    pub fn concerns(&self, purpose: Purpose, country: Option<Country>) -> bool {
        self.purpose == purpose && covers(&self.countries, country)
    }
}

/// Whom we cannot place belongs everywhere: a limit errs on the side of the person.
fn covers(countries: &[Country], country: Option<Country>) -> bool {
    countries.is_empty() || country.is_none_or(|c| countries.contains(&c))
}
