//! Which country a person's rules are those of, as far as an identifier tells.
//!
//! Owns the country as a value, and reading it off a telephone number or a business-scoped user id
//! (docs/compliance/profiles.md). It is a default and no proof of where anybody lives: numbers move with people.
//! Deliberately no numbering-plan library: this is asked for every message, and needs a prefix only.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::identity::{Bsuid, Identifier, Phone};
use crate::profiles::Profiles;

/// A country or territory, ISO 3166 alpha-2 (and `XK`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// The text is not two capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a country is two capital letters, ISO 3166 alpha-2, such as CA")]
pub struct InvalidCountry;

impl Country {
    /// The country of two capital letters; whether there is such a country is not asked.
    ///
    /// # Errors
    /// [`InvalidCountry`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidCountry> {
        match *text.as_bytes() {
            [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self([a, b])),
            _ => Err(InvalidCountry),
        }
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }

    /// The country of an identifier, when it tells one that we know.
    pub fn of(identifier: &Identifier) -> Option<Self> {
        match identifier {
            Identifier::Phone(phone) => Self::of_phone(phone),
            Identifier::Bsuid(bsuid) => Self::of_bsuid(bsuid),
        }
    }

    /// The country whose numbering plan has the number.
    pub fn of_phone(phone: &Phone) -> Option<Self> {
        Profiles::compiled_in().country_of_number(phone.reveal())
    }

    /// The country Meta wrote before the dot.
    pub fn of_bsuid(bsuid: &Bsuid) -> Option<Self> {
        let country = Self::parse(bsuid.country()?).ok()?;
        Profiles::compiled_in().knows(country).then_some(country)
    }

    /// Its place in a table of all pairs of letters.
    pub(crate) const fn index(self) -> usize {
        let [a, b] = self.0;
        (a.wrapping_sub(b'A') as usize)
            .wrapping_mul(26)
            .wrapping_add(b.wrapping_sub(b'A') as usize)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        reason = "tests may fail loudly"
    )]
    use super::*;

    fn phone(text: &str) -> Option<String> {
        Country::of_phone(&Phone::parse(text).unwrap()).map(|c| c.to_string())
    }

    #[test]
    fn shared_calling_codes_are_told_apart() {
        for (number, country) in [
            ("+16135550123", "CA"),
            ("+14155550123", "US"),
            ("+18765550123", "JM"),
            ("+17875550123", "PR"),
            ("+77015550100", "KZ"),
            ("+79015550100", "RU"),
            ("+447700900123", "GB"),
            ("+447781555010", "GG"),
            ("+390669855010", "VA"),
            ("+6591234567", "SG"),
        ] {
            assert_eq!(phone(number).as_deref(), Some(country), "{number}");
        }
    }

    #[test]
    fn every_north_american_area_code_is_where_the_numbering_plan_has_it() {
        let mut compared = 0;
        for area in 200..1000 {
            for number in [format!("+1{area}5550123"), format!("+1{area}2340123")] {
                let Ok(phone) = Phone::parse(&number) else {
                    continue;
                };
                if !phone.is_valid_number() {
                    continue;
                }
                let Some(plan) = phone.region() else { continue };
                compared += 1;
                let ours = Country::of_phone(&phone).unwrap();
                assert_eq!(ours.as_str(), plan, "area code {area}");
            }
        }
        assert!(compared > 600, "only {compared} numbers were compared");
    }

    #[test]
    fn a_user_id_tells_the_country_before_its_dot() {
        let of = |text: &str| Country::of_bsuid(&Bsuid::parse(text).unwrap());
        assert_eq!(of("BR.1502576394655843"), Country::parse("BR").ok());
        assert_eq!(of("US.ENT.11815799212886844830"), Country::parse("US").ok());
        assert_eq!(of("QQ.1"), None, "no such country");
    }

    #[test]
    fn a_country_is_two_capital_letters() {
        for bad in ["", "C", "ca", "CAN", "C1", "ÄÖ"] {
            assert_eq!(Country::parse(bad), Err(InvalidCountry), "{bad}");
        }
    }
}
