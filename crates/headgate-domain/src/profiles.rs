//! Policy profiles: what the law of a person's country, and Meta, forbid at certain hours and places.
//!
//! Owns `config/policy_profiles.json`, compiled in and read once: profiles with their quiet hours, which
//! country has which, the project's own caps, Meta's regional blocks, calling codes and time zones.
//! It promises the strictest reading: a person no country is known of has every country's night.
//! It keeps only what is enforced now; the fields of a profile that no rule reads are not here.

mod quiet;

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

pub use self::quiet::{Hours, InvalidMinute, Minute, Offsets, free_from};
use crate::lane::Purpose;
use crate::region::Country;

/// The compiled-in profiles. A file that could not be read leaves the strictest: nobody is placed anywhere.
static PROFILES: LazyLock<Profiles> = LazyLock::new(|| Profiles::parse(FILE).unwrap_or_default());

const FILE: &str = include_str!("../../../config/policy_profiles.json");

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

#[derive(Deserialize)]
struct File {
    as_of: String,
    profiles: Vec<Profile>,
    countries: BTreeMap<Country, String>,
    elsewhere: String,
    follows_controller: Vec<String>,
    caps: Vec<ProjectCap>,
    region_blocks: Vec<RegionBlock>,
    calling_codes: BTreeMap<String, Vec<Country>>,
    national_prefixes: BTreeMap<String, BTreeMap<Country, Vec<String>>>,
    utc_offset_minutes: BTreeMap<Country, (i16, i16)>,
}

/// What is known of a country.
#[derive(Clone, Copy, Debug)]
struct Place {
    profile: usize,
    offsets: Offsets,
}

/// The country of a calling code, and of the prefixes within it that lead elsewhere.
#[derive(Debug)]
struct Code {
    country: Country,
    prefixes: HashMap<String, Country>,
    longest: usize,
}

/// Everything in the file, ready to be asked.
#[derive(Debug, Default)]
pub struct Profiles {
    as_of: String,
    all: Vec<Profile>,
    elsewhere: usize,
    follows_controller: Vec<usize>,
    places: Vec<Option<Place>>,
    codes: HashMap<u16, Code>,
    caps: Vec<ProjectCap>,
    region_blocks: Vec<RegionBlock>,
}

/// Every pair of letters has a place.
const PLACES: usize = 26 * 26;

impl Profiles {
    /// The profiles this build was made with.
    pub fn compiled_in() -> &'static Self {
        &PROFILES
    }

    fn parse(text: &str) -> Option<Self> {
        let file: File = serde_json::from_str(text).ok()?;
        let by_id = |id: &str| file.profiles.iter().position(|p| p.id == id);
        let elsewhere = by_id(&file.elsewhere)?;
        let follows_controller = file
            .follows_controller
            .iter()
            .map(|id| by_id(id))
            .collect::<Option<Vec<_>>>()?;
        let mut places = vec![None; PLACES];
        for (country, (least, greatest)) in &file.utc_offset_minutes {
            let profile = match file.countries.get(country) {
                Some(id) => by_id(id)?,
                None => elsewhere,
            };
            *places.get_mut(country.index())? = Some(Place {
                profile,
                offsets: Offsets::between(*least, *greatest)?,
            });
        }
        let mut codes = HashMap::with_capacity(file.calling_codes.len());
        for (code, countries) in &file.calling_codes {
            let prefixes: HashMap<String, Country> = file
                .national_prefixes
                .get(code)
                .into_iter()
                .flatten()
                .flat_map(|(country, list)| list.iter().map(|p| (p.clone(), *country)))
                .collect();
            let longest = prefixes.keys().map(String::len).max().unwrap_or(0);
            let country = *countries.first()?;
            codes.insert(
                code.parse().ok()?,
                Code {
                    country,
                    prefixes,
                    longest,
                },
            );
        }
        Some(Self {
            as_of: file.as_of,
            all: file.profiles,
            elsewhere,
            follows_controller,
            places,
            codes,
            caps: file.caps,
            region_blocks: file.region_blocks,
        })
    }

    /// The day the profiles were last looked at.
    pub fn as_of(&self) -> &str {
        &self.as_of
    }

    /// Every profile.
    pub fn all(&self) -> &[Profile] {
        &self.all
    }

    /// The project's own caps.
    pub fn caps(&self) -> &[ProjectCap] {
        &self.caps
    }

    /// Meta's regional blocks.
    pub fn region_blocks(&self) -> &[RegionBlock] {
        &self.region_blocks
    }

    /// The countries of a profile, in the order of the alphabet; none for the one of everywhere else.
    pub fn countries_of(&self, profile: &Profile) -> Vec<Country> {
        let letters = || b'A'..=b'Z';
        letters()
            .flat_map(|a| letters().map(move |b| [a, b]))
            .filter_map(|pair| Country::parse(std::str::from_utf8(&pair).ok()?).ok())
            .filter(|c| {
                self.place(*c).is_some_and(|place| {
                    place.profile != self.elsewhere && self.all.get(place.profile) == Some(profile)
                })
            })
            .collect()
    }

    fn place(&self, country: Country) -> Option<&Place> {
        self.places.get(country.index())?.as_ref()
    }

    /// Whether there is such a country.
    pub fn knows(&self, country: Country) -> bool {
        self.place(country).is_some()
    }

    /// How far a country's clocks are ahead of UTC.
    pub fn offsets(&self, country: Country) -> Option<Offsets> {
        self.place(country).map(|place| place.offsets)
    }

    /// The country of a number in E.164. Calling codes are prefix-free, so the first that exists is the one.
    pub(crate) fn country_of_number(&self, e164: &str) -> Option<Country> {
        let digits = e164.strip_prefix('+').unwrap_or(e164);
        let (code, national) = (1..=3).find_map(|length| {
            let (code, national) = digits.split_at_checked(length)?;
            Some((self.codes.get(&code.parse().ok()?)?, national))
        })?;
        let special = (1..=code.longest)
            .rev()
            .find_map(|length| code.prefixes.get(national.get(..length)?));
        Some(special.copied().unwrap_or(code.country))
    }

    /// The profiles that apply to a person: their country's, and those that follow the business
    /// from where it is established. A person no country is known of has the strictest.
    pub fn of<'a>(
        &'a self,
        country: Option<Country>,
        established: &'a [Country],
    ) -> impl Iterator<Item = &'a Profile> {
        let own = country
            .and_then(|c| self.place(c))
            .map_or(self.elsewhere, |place| place.profile);
        let followed = established
            .iter()
            .filter_map(|c| self.place(*c))
            .map(|place| place.profile)
            .filter(move |p| *p != own && self.follows_controller.contains(p));
        std::iter::once(own)
            .chain(followed)
            .filter_map(|index| self.all.get(index))
    }

    /// Whether Meta delivers a purpose to a country.
    pub fn is_blocked(&self, purpose: Purpose, country: Option<Country>) -> bool {
        let Some(country) = country else { return false };
        self.region_blocks
            .iter()
            .any(|block| block.purpose == purpose && block.countries.contains(&country))
    }
}

#[cfg(test)]
mod tests;
