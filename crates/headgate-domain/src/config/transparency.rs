//! What the public pages say about the business beyond its name.
//!
//! Owns the data protection officer, the contact of each country, where data is processed and which
//! authority takes complaints, as values and as checks. All of it is meant to be public; whether a
//! country's law asks for one of them is the profiles'.

use serde::{Deserialize, Serialize};

use super::check::place;
use super::{Config, InvalidConfig};
use crate::region::Country;
use crate::wording::Wording;

/// Whom people reach about the protection of their data, when the business has appointed somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataProtectionOfficer {
    /// A name, or the office's.
    pub name: String,
    /// Where they read.
    pub email: String,
    /// Where they answer, E.164.
    #[serde(default)]
    pub telephone: Option<String>,
    /// By post.
    #[serde(default)]
    pub address: Option<String>,
}

/// The contact for people in one country.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// For people where, ISO 3166 alpha-2.
    pub country: Country,
    /// A person's or an office's name.
    pub name: String,
    /// Where they read.
    pub email: String,
    /// Where they answer, E.164.
    pub telephone: String,
    /// When they answer, in local time.
    pub hours: Wording,
}

/// Where the data is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processing {
    /// The AWS regions this deployment runs in, such as `ca-central-1`.
    #[serde(default)]
    pub regions: Vec<Region>,
}

/// An AWS region and the country it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// AWS's name of it.
    pub id: String,
    /// Where that is.
    pub country: Country,
}

/// An authority people may complain to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// For people where.
    pub country: Country,
    /// Its name.
    pub name: String,
    /// Where it takes complaints, an https:// address.
    pub url: String,
}

impl Config {
    /// The contact for a person: that of their country, else the first; `None` when there are none.
    pub fn contact_for(&self, country: Option<Country>) -> Option<&Contact> {
        self.contacts
            .iter()
            .find(|contact| Some(contact.country) == country)
            .or_else(|| self.contacts.first())
    }

    /// The name in law, which is the known name where none is given.
    pub fn legal_name(&self) -> &str {
        let known = &self.controller.name;
        self.controller.legal_name.as_ref().unwrap_or(known)
    }

    pub(super) fn pages_can_say_it(&self) -> Result<(), InvalidConfig> {
        for (name, text) in [
            ("legal_name", &self.controller.legal_name),
            ("address", &self.controller.address),
        ] {
            if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                return place(format!(
                    "controller.{name} is empty: leave it out, or fill it in"
                ));
            }
        }
        if let Some(officer) = &self.data_protection_officer {
            let at = "data_protection_officer";
            named(at, &officer.name)?;
            email(at, &officer.email)?;
            if let Some(number) = &officer.telephone {
                telephone(at, number)?;
            }
        }
        for (i, contact) in self.contacts.iter().enumerate() {
            let at = format!("contacts[{i}]");
            named(&at, &contact.name)?;
            email(&at, &contact.email)?;
            telephone(&at, &contact.telephone)?;
            if let Some(fault) = contact.hours.fault() {
                return place(format!("{at}.hours {fault}"));
            }
            let mut before = self.contacts.iter().take(i);
            if before.any(|other| other.country == contact.country) {
                return place(format!(
                    "{at}.country appears twice: a country has one contact"
                ));
            }
        }
        for (i, region) in self.processing.regions.iter().enumerate() {
            if !is_region(&region.id) {
                return place(format!(
                    "processing.regions[{i}].id: expected an AWS region, such as ca-central-1"
                ));
            }
        }
        for (i, authority) in self.authorities.iter().enumerate() {
            let at = format!("authorities[{i}]");
            named(&at, &authority.name)?;
            if !authority.url.starts_with("https://") {
                return place(format!("{at}.url: expected an https:// address"));
            }
        }
        Ok(())
    }
}

fn named(at: &str, name: &str) -> Result<(), InvalidConfig> {
    if name.trim().is_empty() {
        return place(format!("{at}.name is empty"));
    }
    Ok(())
}

/// An address that can stand behind `mailto:` as it is.
fn email(at: &str, address: &str) -> Result<(), InvalidConfig> {
    let is_one = address
        .split_once('@')
        .is_some_and(|(who, host)| !who.is_empty() && host.contains('.') && !host.contains('@'));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@.-_+".contains(c);
    if !is_one || !address.chars().all(is_plain) {
        return place(format!(
            "{at}.email: expected an e-mail address, such as privacy@maple.example"
        ));
    }
    Ok(())
}

fn telephone(at: &str, number: &str) -> Result<(), InvalidConfig> {
    let digits = number.strip_prefix('+').unwrap_or_default();
    if !(7..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return place(format!(
            "{at}.telephone: expected the number with its country code and without spaces, such as +16135550100"
        ));
    }
    Ok(())
}

/// Whether a text has the form of an AWS region's name, partitions included: `us-gov-west-1`.
pub(crate) fn is_region(id: &str) -> bool {
    let parts: Vec<&str> = id.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    match parts.split_last() {
        Some((number, words)) => {
            (2..=3).contains(&words.len())
                && words.iter().all(is_word)
                && !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
        }
        None => false,
    }
}
