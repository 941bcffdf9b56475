//! What a profile says, as the file has it.
//!
//! Owns the form of one entry of `config/policy_profiles.json`. A field is here because a rule reads it:
//! what a law says beyond that is named in docs/compliance/profiles.md and enforced by nobody yet.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::breach::BreachTerms;
use super::processing::RegionPattern;
use super::quiet::{Hours, Minute};
use super::rights::{Right, Terms};
use crate::lane::Purpose;
use crate::processors::TransferInstrument;
use crate::region::Country;

/// A law, or a family of laws, as far as a rule reads it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub id: String,
    /// What it is made from.
    pub law: String,
    /// How sure we are.
    pub confidence: Confidence,
    /// Whether a lawyer still has to look at it.
    pub legal_review_required: bool,
    /// Hours in which messages of some purposes may not arrive.
    pub quiet_hours: Vec<ProfileHours>,
    /// How long a consent lives.
    pub consent: ConsentLife,
    /// Registers of people who want no advertising.
    #[serde(default)]
    pub do_not_call: Vec<DoNotCall>,
    /// Where the person's data may be processed.
    pub regions: Regions,
    /// How soon a withdrawal has to take effect, in seconds.
    pub withdrawal_seconds: u32,
    /// How long content may be kept, in days.
    pub max_content_days: u16,
    /// Within what the requests of people are to be granted.
    pub rights: BTreeMap<Right, Terms>,
    /// Whom a breach has to be told to, and within what.
    pub breach: BreachTerms,
    /// What it asks beyond that, for the page: no rule here keeps it.
    #[serde(default)]
    pub not_enforced: Vec<String>,
    /// Where it was read.
    pub sources: Vec<String>,
}

/// How sure we are of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Read in the law or the authority's own words.
    High,
    /// Read in good secondary sources.
    Medium,
    /// A guess on the safe side.
    Low,
}

impl Confidence {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// Quiet hours of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileHours {
    /// For which purposes.
    pub purposes: Vec<Purpose>,
    /// From when.
    pub start: Minute,
    /// Until when.
    pub end: Minute,
    /// What to know about it.
    #[serde(default)]
    pub note: Option<String>,
}

impl ProfileHours {
    /// The hours.
    pub const fn hours(&self) -> Hours {
        Hours::new(self.start, self.end)
    }
}

/// How long a consent lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentLife {
    /// Days from the yes.
    pub max_age_days: u16,
    /// Days without a sign of the person.
    pub inactivity_days: u16,
}

/// A register of people who want no advertising.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoNotCall {
    /// Its name.
    pub registry: String,
    /// For how many days the answer of a check counts.
    pub valid_days: u16,
    /// When a check is needed.
    pub needed: Needed,
    /// What to know about it.
    #[serde(default)]
    pub note: Option<String>,
}

/// When a check of a register is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Needed {
    /// Unless the person's own yes is on record.
    WithoutConsent,
    /// Whatever the person said.
    Always,
}

impl Needed {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::WithoutConsent => "without_consent",
            Self::Always => "always",
        }
    }

    /// Whether it is, for a person whose yes is on record or not.
    pub const fn applies(self, consent_on_record: bool) -> bool {
        match self {
            Self::WithoutConsent => !consent_on_record,
            Self::Always => true,
        }
    }
}

/// Where a person's data may be processed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regions {
    /// Regions that need nothing more.
    pub allowed: Vec<RegionPattern>,
    /// What a transfer elsewhere may rest on.
    #[serde(default)]
    pub instruments: Vec<TransferInstrument>,
}

/// What one country's law adds to its profile.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// Which country.
    pub country: Country,
    /// Days without a sign of the person, after which a consent ends.
    pub inactivity_days: u16,
    /// Where it was read.
    pub source: String,
}

/// A cap of the project's own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectCap {
    /// Of which purpose.
    pub purpose: Purpose,
    /// How many.
    pub max: u16,
    /// Within how many hours.
    pub hours: u16,
    /// Why.
    pub source: String,
}

/// Countries Meta does not deliver a purpose to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionBlock {
    /// Which purpose.
    pub purpose: Purpose,
    /// Where.
    pub countries: Vec<Country>,
    /// Who says so, and since when.
    pub source: String,
}
