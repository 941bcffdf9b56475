//! Policy profiles: what the law of a person's country, and Meta, forbid at certain hours and places.
//!
//! Owns `config/policy_profiles.json`, compiled in and read once: profiles, which country has which and
//! what it adds, the project's own caps, Meta's regional blocks, calling codes and time zones.
//! It promises the strictest reading: a person no country is known of has every country's night.
//! It keeps only what is enforced now; the fields of a profile that no rule reads are not here.

mod breach;
mod effective;
mod processing;
mod profile;
mod quiet;
mod rights;

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

pub use self::breach::{BreachClock, BreachTerms, BreachTimes, ClockStart, Notice, Told};
pub use self::effective::EffectiveProfile;
pub use self::processing::{InvalidRegion, ProcessingRegion, RegionPattern};
pub use self::profile::{
    Confidence, ConsentLife, DoNotCall, Needed, Overlay, Profile, ProfileHours, ProjectCap,
    RegionBlock, Regions,
};
pub use self::quiet::{Hours, InvalidMinute, Minute, Offsets, free_from};
pub use self::rights::{Due, Right, Term, Terms};
use crate::lane::Purpose;
use crate::region::Country;

/// The compiled-in profiles. A file that could not be read leaves the strictest: nobody is placed anywhere.
static PROFILES: LazyLock<Profiles> = LazyLock::new(|| Profiles::parse(FILE).unwrap_or_default());

const FILE: &str = include_str!("../../../config/policy_profiles.json");

#[derive(Deserialize)]
struct File {
    as_of: String,
    profiles: Vec<Profile>,
    countries: BTreeMap<Country, String>,
    elsewhere: String,
    overlays: Vec<Overlay>,
    follows_controller: Vec<String>,
    caps: Vec<ProjectCap>,
    region_blocks: Vec<RegionBlock>,
    meta_storage: BTreeMap<Country, ProcessingRegion>,
    calling_codes: BTreeMap<String, Vec<Country>>,
    national_prefixes: BTreeMap<String, BTreeMap<Country, Vec<String>>>,
    utc_offset_minutes: BTreeMap<Country, (i16, i16)>,
}

/// What is known of a country.
#[derive(Clone, Copy, Debug)]
struct Place {
    profile: usize,
    offsets: Offsets,
    inactivity_days: Option<u16>,
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
    overlays: Vec<Overlay>,
    follows_controller: Vec<usize>,
    places: Vec<Option<Place>>,
    codes: HashMap<u16, Code>,
    caps: Vec<ProjectCap>,
    region_blocks: Vec<RegionBlock>,
    meta_storage: BTreeMap<Country, ProcessingRegion>,
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
        if file.profiles.len() > EffectiveProfile::MOST {
            return None;
        }
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
            let own = file.overlays.iter().filter(|o| o.country == *country);
            *places.get_mut(country.index())? = Some(Place {
                profile,
                offsets: Offsets::between(*least, *greatest)?,
                inactivity_days: own.map(|o| o.inactivity_days).min(),
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
            overlays: file.overlays,
            follows_controller,
            places,
            codes,
            caps: file.caps,
            region_blocks: file.region_blocks,
            meta_storage: file.meta_storage,
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

    /// What single countries add to their profiles.
    pub fn overlays(&self) -> &[Overlay] {
        &self.overlays
    }

    /// The profile of a name.
    pub fn find(&self, id: &str) -> Option<&Profile> {
        self.all.iter().find(|profile| profile.id == id)
    }

    /// Whether a law goes with the business to people elsewhere.
    pub fn follows_controller(&self, profile: &Profile) -> bool {
        let followed = self
            .follows_controller
            .iter()
            .filter_map(|i| self.all.get(*i));
        followed.into_iter().any(|p| p.id == profile.id)
    }

    /// The profile everybody has whose country has none of its own, or is not known.
    pub fn elsewhere(&self) -> Option<&Profile> {
        self.all.get(self.elsewhere)
    }

    /// What holds for a person: the profile of their country, those that follow the business from where it
    /// is established, and those it chose to keep everywhere, by name. A person no country is known of has
    /// the strictest.
    pub fn effective(
        &'static self,
        country: Option<Country>,
        established: &[Country],
        chosen: &[String],
    ) -> EffectiveProfile {
        let own = country.and_then(|c| self.place(c));
        let start = EffectiveProfile::none(self)
            .with(own.map_or(self.elsewhere, |place| place.profile))
            .with_inactivity(own.and_then(|place| place.inactivity_days));
        let followed = established
            .iter()
            .filter_map(|c| self.place(*c))
            .filter(|place| self.follows_controller.contains(&place.profile))
            .fold(start, |all, place| {
                all.with(place.profile)
                    .with_inactivity(place.inactivity_days)
            });
        chosen
            .iter()
            .filter_map(|id| self.all.iter().position(|p| p.id == *id))
            .fold(followed, EffectiveProfile::with)
    }

    /// Where Meta keeps the messages of a number with local storage in a country, as the AWS region there: the
    /// patterns of the profiles are written for those. `None` for a country without.
    pub fn meta_storage(&self, country: Country) -> Option<&ProcessingRegion> {
        self.meta_storage.get(&country)
    }

    /// The countries Meta has local storage in.
    pub fn meta_storages(&self) -> impl Iterator<Item = Country> {
        self.meta_storage.keys().copied()
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
