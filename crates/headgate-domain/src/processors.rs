//! The register of processors: `config/processors.toml`, validated with the place of each error.
//!
//! Owns who handles data for the business: for what, which classes of data, where, under which
//! contract and certificates, reached under which host names. It is compiled in, because it describes
//! what this build can talk to (ADR 0020). Reads no clock: whether a review is overdue is asked with a
//! day. It refuses nothing by itself; who starts an adapter or opens a connection asks it.

use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::is_region;
use crate::region::Country;
use crate::time::Day;
use crate::wording::Wording;

/// The file this build was made with.
const FILE: &str = include_str!("../../../config/processors.toml");

/// For how many days a review of a processor holds: the security review is yearly.
pub const REVIEW_DAYS: i64 = 365;

/// A file that cannot be read is an empty register, which lets nobody through; a test reads it first.
static REGISTER: LazyLock<Register> =
    LazyLock::new(|| Register::from_toml(FILE).unwrap_or_default());

/// Everybody who handles data for the business.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// In the order in which the pages name them.
    pub processors: Vec<Processor>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processor {
    /// What an adapter asks for: `meta`, `aws`.
    pub id: String,
    /// The company, as the contract names it.
    pub name: String,
    /// Where it is established.
    pub country: Country,
    /// What it does for the business, in words people read.
    pub purpose: Wording,
    /// What it gets to see, encrypted or not.
    pub data_classes: Vec<DataClass>,
    /// Where it processes: AWS regions, or countries.
    pub regions: Vec<String>,
    /// What a transfer out of the person's country rests on.
    pub transfer_instrument: TransferInstrument,
    /// When the contract on data processing was concluded.
    pub dpa_date: Date,
    /// Whom it engages: names, or the https:// address of its list.
    pub sub_processors: Vec<String>,
    /// What somebody independent has looked at.
    #[serde(default)]
    pub certificates: Vec<Certificate>,
    /// When the business last reviewed all of this.
    pub last_review: Date,
    /// The names under which it is reached; `*.` in front stands for any names below.
    #[serde(default)]
    pub hosts: Vec<String>,
}

/// A certificate or audit report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Such as `ISO/IEC 27001`.
    pub name: String,
    /// The last day on which it holds.
    pub expires: Date,
}

/// A kind of data; a closed list, because the pages name each in every language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataClass {
    /// Telephone numbers and WhatsApp user ids.
    Identifiers,
    /// The name a person gave themselves.
    ProfileNames,
    /// What messages say.
    MessageContent,
    /// Pictures, documents, voice messages.
    Media,
    /// Whether and when a message arrived.
    DeliveryStatus,
    /// Who agreed to what, when.
    ConsentRecords,
    /// Times, codes, sizes.
    TechnicalLogs,
}

/// What a transfer abroad rests on (GDPR chapter V and its like).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferInstrument {
    /// The data does not leave.
    NotTransferred,
    /// The country was found adequate.
    AdequacyDecision,
    /// Contract clauses an authority adopted.
    StandardContractualClauses,
    /// Rules within a group of companies.
    BindingCorporateRules,
    /// A certification such as CBPR or the Data Privacy Framework.
    Certification,
}

impl TransferInstrument {
    /// The word in the files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotTransferred => "not_transferred",
            Self::AdequacyDecision => "adequacy_decision",
            Self::StandardContractualClauses => "standard_contractual_clauses",
            Self::BindingCorporateRules => "binding_corporate_rules",
            Self::Certification => "certification",
        }
    }
}

/// A calendar day, `yyyy-mm-dd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub Day);

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let day = Day::parse(&text).map_err(|_not_one| {
            serde::de::Error::custom("expected a day in quotes, such as \"2026-01-31\"")
        })?;
        Ok(Self(day))
    }
}

/// The register cannot be used; the text names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("config/processors.toml: {0}")]
pub struct InvalidRegister(pub String);

impl Register {
    /// The register this build was made with.
    pub fn compiled_in() -> &'static Self {
        &REGISTER
    }

    /// Parses and validates TOML.
    ///
    /// # Errors
    /// [`InvalidRegister`] names line, field and reason; the file holds nothing personal.
    pub fn from_toml(text: &str) -> Result<Self, InvalidRegister> {
        let register: Self = toml::from_str(text).map_err(|e| InvalidRegister(e.to_string()))?;
        for (i, processor) in register.processors.iter().enumerate() {
            let mut before = register.processors.iter().take(i);
            if before.any(|other| other.id == processor.id) {
                return Err(InvalidRegister(format!("processors[{i}].id appears twice")));
            }
            if let Some((field, reason)) = processor.fault() {
                return Err(InvalidRegister(format!(
                    "processors[{i}].{field}: {reason}"
                )));
            }
        }
        Ok(register)
    }

    /// What is overdue on a day: each processor, and why. A review holds for a year.
    pub fn overdue(&self, today: Day) -> Vec<(&Processor, String)> {
        let reviewed = |p: &Processor| p.last_review.0.plus(REVIEW_DAYS) > today;
        let reviews = self.processors.iter().filter(|p| !reviewed(p));
        let reviews = reviews.map(|p| (p, format!("last reviewed on {}", p.last_review.0)));
        let certificates = self.processors.iter().flat_map(|processor| {
            let ended = processor
                .certificates
                .iter()
                .filter(move |c| c.expires.0 < today);
            ended.map(move |c| (processor, format!("{} expired on {}", c.name, c.expires.0)))
        });
        reviews.chain(certificates).collect()
    }

    /// The entry of an id.
    pub fn find(&self, id: &str) -> Option<&Processor> {
        self.processors.iter().find(|processor| processor.id == id)
    }

    /// Whose host a name is; `None` for a host nobody has registered.
    pub fn of_host(&self, host: &str) -> Option<&Processor> {
        let is_theirs = |processor: &&Processor| {
            let hosts = &mut processor.hosts.iter();
            hosts.any(|pattern| covers(pattern, host))
        };
        self.processors.iter().find(is_theirs)
    }
}

impl Processor {
    /// The first thing that is wrong: the field, and why.
    fn fault(&self) -> Option<(&'static str, &'static str)> {
        let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if self.id.is_empty() || !self.id.bytes().all(is_word) {
            return Some(("id", "expected small letters, digits and hyphens"));
        }
        if self.name.trim().is_empty() {
            return Some((
                "name",
                "is empty: give the company's name as in the contract",
            ));
        }
        if let Some(fault) = self.purpose.fault() {
            return Some(("purpose", fault));
        }
        if self.data_classes.is_empty() {
            return Some((
                "data_classes",
                "is empty: name what the processor gets to see",
            ));
        }
        let is_place = |r: &String| is_region(r) || Country::parse(r).is_ok();
        if self.regions.is_empty() || !self.regions.iter().all(is_place) {
            return Some((
                "regions",
                "expected AWS regions such as ca-central-1, or countries such as CA, at least one",
            ));
        }
        let is_blank = |text: &String| text.trim().is_empty();
        if self.sub_processors.iter().any(is_blank) {
            return Some(("sub_processors", "has an empty text"));
        }
        if self.certificates.iter().any(|c| is_blank(&c.name)) {
            return Some(("certificates", "has one without a name"));
        }
        if !self.hosts.iter().all(|host| is_host(host)) {
            return Some((
                "hosts",
                "expected host names without scheme, port and path, such as graph.facebook.com or *.amazonaws.com",
            ));
        }
        None
    }
}

fn is_host(pattern: &str) -> bool {
    let name = pattern.strip_prefix("*.").unwrap_or(pattern);
    let is_label = |label: &str| {
        let is_one = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !label.is_empty() && label.bytes().all(is_one)
    };
    name.contains('.') && name.split('.').all(is_label)
}

fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(above) => host
            .strip_suffix(above)
            .and_then(|below| below.strip_suffix('.'))
            .is_some_and(|below| !below.is_empty()),
        None => pattern == host,
    }
}

#[cfg(test)]
mod tests;
