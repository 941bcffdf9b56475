//! What holds for one person: the profiles that apply, the strictest of each field.
//!
//! Owns the merge. A profile's fields are never stored merged: the set of profiles is kept, and each
//! question is asked of all of them, so a merge costs one `or` and cannot lose a duty. It promises that
//! adding a profile never makes anything laxer. With no profile at all, nothing is allowed.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::processing::ProcessingRegion;
use super::profile::{DoNotCall, Profile};
use super::{Hours, Profiles};
use crate::lane::{PURPOSES, Purpose};
use crate::ledger::canonical;

/// The profiles that apply to a person, the strictest of each field.
#[derive(Clone, Copy)]
pub struct EffectiveProfile {
    profiles: &'static Profiles,
    /// One bit for each, in the order of the file.
    applies: u32,
    /// What countries add to their profiles.
    inactivity_days: Option<u16>,
}

impl EffectiveProfile {
    /// How many profiles a file can have.
    pub(super) const MOST: usize = 32;

    pub(super) const fn none(profiles: &'static Profiles) -> Self {
        Self {
            profiles,
            applies: 0,
            inactivity_days: None,
        }
    }

    /// With the profile at a place of the file.
    pub(super) fn with(self, index: usize) -> Self {
        let bit = u32::try_from(index).ok().and_then(|n| 1_u32.checked_shl(n));
        Self {
            applies: self.applies | bit.unwrap_or(0),
            ..self
        }
    }

    /// With what a country adds.
    pub(super) fn with_inactivity(self, days: Option<u16>) -> Self {
        Self {
            inactivity_days: self.inactivity_days.into_iter().chain(days).min(),
            ..self
        }
    }

    /// What holds when both do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            applies: self.applies | other.applies,
            ..self.with_inactivity(other.inactivity_days)
        }
    }

    /// All profiles there are.
    pub(super) const fn all(self) -> &'static Profiles {
        self.profiles
    }

    /// The profiles, in the order of the file.
    pub fn profiles(self) -> impl Iterator<Item = &'static Profile> {
        let mut left = self.applies;
        std::iter::from_fn(move || {
            let next = left.trailing_zeros();
            left &= left.checked_sub(1)?;
            self.profiles.all().get(usize::try_from(next).ok()?)
        })
    }

    /// Their names, in the order of the file: the jurisdictions of a ledger event.
    pub fn ids(self) -> Vec<&'static str> {
        self.profiles().map(|p| p.id.as_str()).collect()
    }

    /// How many days after the yes a consent ends.
    pub fn consent_max_age_days(self) -> u16 {
        self.least(|p| p.consent.max_age_days)
    }

    /// After how many days without a sign of the person a consent ends.
    pub fn consent_inactivity_days(self) -> u16 {
        let days = self.least(|p| p.consent.inactivity_days);
        self.inactivity_days.map_or(days, |own| own.min(days))
    }

    /// How long content may be kept, in days.
    pub fn max_content_days(self) -> u16 {
        self.least(|p| p.max_content_days)
    }

    /// How soon a withdrawal has to take effect, in seconds.
    pub fn withdrawal_seconds(self) -> u32 {
        self.least(|p| p.withdrawal_seconds)
    }

    /// The hours in which messages of a purpose wait; they add up.
    pub fn quiet_hours(self, purpose: Purpose) -> impl Iterator<Item = Hours> {
        self.profiles()
            .flat_map(|profile| &profile.quiet_hours)
            .filter(move |quiet| quiet.purposes.contains(&purpose))
            .map(super::ProfileHours::hours)
    }

    /// The registers that have to be asked before a person is advertised to; all of them count.
    pub fn registers(self, consent_on_record: bool) -> impl Iterator<Item = &'static DoNotCall> {
        self.profiles()
            .flat_map(|profile| &profile.do_not_call)
            .filter(move |register| register.needed.applies(consent_on_record))
    }

    /// The first profile that does not allow a region by itself; every one of them has to.
    pub fn forbidding(self, region: &ProcessingRegion) -> impl Iterator<Item = &'static Profile> {
        self.profiles().filter(move |profile| {
            let allowed = &profile.regions.allowed;
            !allowed.iter().any(|pattern| pattern.covers(region))
        })
    }

    /// SHA-256 over what holds, for the record: `sha256:` and 64 hexadecimal digits. Two people have the same when the same
    /// holds for both, and it changes with what a profile demands, not with what is written about it.
    pub fn digest(self) -> String {
        let text = canonical(&self.as_json()).unwrap_or_default();
        Sha256::digest(text.as_bytes())
            .iter()
            .fold("sha256:".to_owned(), |mut digest, byte| {
                // Writing to a text cannot fail.
                let _written = write!(digest, "{byte:02x}");
                digest
            })
    }

    /// What holds, in a form that says the same in every build.
    fn as_json(self) -> Value {
        let sorted = |mut list: Vec<String>| {
            list.sort_unstable();
            list.dedup();
            list
        };
        let quiet = |purpose: Purpose| {
            let hours = self.quiet_hours(purpose);
            sorted(hours.map(|h| format!("{purpose} {h}")).collect())
        };
        let registers = self.profiles().flat_map(|p| &p.do_not_call);
        let registers = registers.map(|r| {
            let needed = r.needed.word();
            format!("{} {} {needed}", r.registry, r.valid_days)
        });
        // An intersection of patterns has no short form: each profile's own list, all of which count.
        let regions = self.profiles().map(|p| {
            let allowed = p.regions.allowed.iter().map(ToString::to_string);
            let instruments = p.regions.instruments.iter().map(|i| i.word().to_owned());
            let (allowed, instruments) = (sorted(allowed.collect()), sorted(instruments.collect()));
            format!("{} by {}", allowed.join(" "), instruments.join(" "))
        });
        json!({
            "profiles": sorted(self.ids().into_iter().map(str::to_owned).collect()),
            "consent_max_age_days": self.consent_max_age_days(),
            "consent_inactivity_days": self.consent_inactivity_days(),
            "quiet_hours": PURPOSES.into_iter().flat_map(quiet).collect::<Vec<_>>(),
            "do_not_call": sorted(registers.collect()),
            "regions": sorted(regions.collect()),
            "withdrawal_seconds": self.withdrawal_seconds(),
            "max_content_days": self.max_content_days(),
        })
    }

    /// Nothing applies: nothing is allowed for any time.
    fn least<N: Ord + Default>(self, field: impl Fn(&Profile) -> N) -> N {
        self.profiles().map(field).min().unwrap_or_default()
    }
}

impl PartialEq for EffectiveProfile {
    fn eq(&self, other: &Self) -> bool {
        self.applies == other.applies && self.inactivity_days == other.inactivity_days
    }
}

impl Eq for EffectiveProfile {}

impl fmt::Debug for EffectiveProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EffectiveProfile")
            .field(&self.ids())
            .field(&self.inactivity_days)
            .finish()
    }
}
