//! The configuration people edit: `config/headgate.toml`, validated with the place of each error.
//!
//! Owns what a deployment is about: the controller, its numbers, its templates, who may attest a
//! consent, and which limits of its own it sets. Holds no secret and no personal data, so it may be
//! stored and shown in clear. What the law and Meta limit is not in here: `profiles` and `live`.

mod check;
mod entries;
mod import_message;
mod limits;
mod template;
mod transfers;
mod transparency;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::entries::{Entry, EntryKind};
pub use self::import_message::{ImportMessage, ImportText};
pub use self::limits::{Abuse, Cap, DailyLimit, Portfolio, Producer, QuietHours, Unlimited};
pub use self::template::{Button, ButtonKind, Category, Header, Template, TemplateStatus};
pub use self::transfers::Transfer;
pub(crate) use self::transparency::is_region;
pub use self::transparency::{Authority, Contact, DataProtectionOfficer, Processing, Region};
use crate::consent::{NoticeId, Topic};
use crate::lane::Purpose;
use crate::profiles::{EffectiveProfile, Profiles};
use crate::region::Country;
use crate::wording::Wording;

/// A deployment's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who is responsible for the processing.
    pub controller: Controller,
    /// Whom people reach about the protection of their data; absent: nobody was appointed.
    #[serde(default)]
    pub data_protection_officer: Option<DataProtectionOfficer>,
    /// Whom people reach in their country.
    #[serde(default)]
    pub contacts: Vec<Contact>,
    /// Where the data is processed.
    #[serde(default)]
    pub processing: Processing,
    /// Whom people may complain to.
    #[serde(default)]
    pub authorities: Vec<Authority>,
    /// The phone numbers messages are sent from.
    pub numbers: Vec<Number>,
    /// What is known of the portfolios the numbers belong to; by their ids.
    #[serde(default)]
    pub portfolios: BTreeMap<String, Portfolio>,
    /// The message templates that Meta approved, or is asked to.
    #[serde(default)]
    pub templates: Vec<Template>,
    /// Who may put what on the lanes; empty: whoever the queue policies let in.
    #[serde(default)]
    pub producers: Vec<Producer>,
    /// Ceilings against a producer that floods people, or is made to.
    #[serde(default)]
    pub abuse: Abuse,
    /// How often a person may be written to; replaces the project's own caps of the same purpose and country.
    #[serde(default)]
    pub caps: Vec<Cap>,
    /// Hours in which nothing is sent, beyond those of the policy profiles.
    #[serde(default)]
    pub quiet_hours: Vec<QuietHours>,
    /// What transfers of data to other parts of the world rest on.
    #[serde(default)]
    pub transfers: Vec<Transfer>,
    /// Who may attest consents.
    #[serde(default)]
    pub consents: Consents,
    /// What apps are told.
    #[serde(default)]
    pub events: Events,
}

/// The controller: the business that the person knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// The name shown to people, and required in every notice by Meta's opt-in policy.
    pub name: String,
    /// The name in law, where it is another one.
    #[serde(default)]
    pub legal_name: Option<String>,
    /// Where the business is, by post.
    #[serde(default)]
    pub address: Option<String>,
    /// Where the business answers privacy questions.
    pub privacy_contact: String,
    /// The business's own privacy policy.
    #[serde(default)]
    pub privacy_policy_url: Option<String>,
    /// Where the business is established, ISO 3166 alpha-2: some laws follow the controller.
    #[serde(default)]
    pub countries: Vec<Country>,
    /// Policy profiles kept for everybody, wherever they are, by name (docs/compliance/profiles.md).
    #[serde(default)]
    pub profiles: Vec<String>,
}

/// A business phone number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// Meta's phone number id.
    pub id: String,
    /// The name apps may use in `from`.
    pub alias: String,
    /// The number as people dial it, E.164; a business's number, not a person's.
    pub display: String,
    /// The business portfolio the number belongs to; one pacer per portfolio.
    pub portfolio: String,
    /// Messages per second Meta allows, inbound included: 20, 80 or 1000. Without a value it is learnt from Meta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// How much of the limit is used, in thousandths; what is left absorbs what the network pushes
    /// together. Without a value, 985, and 995 from 1,000 a second on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace_permille: Option<u16>,
    /// The country Meta stores the number's messages in, when local storage is on; a copy of what Meta was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Country>,
    /// Principals (SQS `SenderId`s) that may send from this number; empty: every producer the queue policies let in.
    #[serde(default)]
    pub producers: Vec<String>,
    /// The lanes that may use the number; empty: all.
    #[serde(default)]
    pub lanes: Vec<Purpose>,
}

impl Number {
    /// Whether this producer may send from the number.
    pub fn may_send(&self, producer: &str) -> bool {
        self.producers.is_empty() || self.producers.iter().any(|p| is_same(p, producer))
    }

    /// Whether a lane may use the number.
    pub fn carries(&self, lane: Purpose) -> bool {
        self.lanes.is_empty() || self.lanes.contains(&lane)
    }
}

/// The principal of an SQS `SenderId`: of a role's `AROA…:session` the role, because a session's name is
/// chosen by whoever takes the role on, so it proves nothing.
pub fn principal(sender_id: &str) -> &str {
    sender_id.split_once(':').map_or(sender_id, |(id, _)| id)
}

fn is_same(granted: &str, producer: &str) -> bool {
    !principal(producer).is_empty() && principal(granted) == principal(producer)
}

/// Who may attest consents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consents {
    /// Principals (SQS `SenderId`s) whose `given` counts as an attestation; `*` is every producer the queue policy lets in.
    #[serde(default)]
    pub attesters: Vec<String>,
    /// What within a purpose people may agree to by itself.
    #[serde(default)]
    pub topics: Vec<DeclaredTopic>,
    /// Notices whose wording has changed so much since that a yes to them is to be asked for again.
    #[serde(default)]
    pub renew_notices: Vec<NoticeId>,
    /// Printed codes and advertisements that lead to a question in the chat.
    #[serde(default)]
    pub entries: Vec<Entry>,
    /// The one message to imported people; absent: nobody is written to on the word of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_message: Option<ImportMessage>,
}

/// A topic that people may agree to, and messages may be about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredTopic {
    /// Within which purpose.
    pub purpose: Purpose,
    /// Its name.
    pub name: Topic,
    /// What people read for it; the name, where nothing is given.
    #[serde(default)]
    pub label: Option<Wording>,
}

impl DeclaredTopic {
    /// What people read for it in a language.
    pub fn label(&self, tag: &str) -> &str {
        let given = self.label.as_ref().map(|label| label.of(tag));
        given.unwrap_or_else(|| self.name.as_str())
    }
}

impl Consents {
    /// The topic of a name.
    pub fn topic(&self, purpose: Purpose, name: &Topic) -> Option<&DeclaredTopic> {
        self.topics_of(purpose)
            .find(|declared| declared.name == *name)
    }

    /// The topics of a purpose, in the order they are declared in.
    pub fn topics_of(&self, purpose: Purpose) -> impl Iterator<Item = &DeclaredTopic> {
        let topics = self.topics.iter();
        topics.filter(move |declared| declared.purpose == purpose)
    }

    /// Whether there is such a topic.
    pub fn has_topic(&self, purpose: Purpose, topic: &Topic) -> bool {
        self.topic(purpose, topic).is_some()
    }

    /// Whether this producer may attest that a person said yes.
    pub fn may_attest(&self, producer: &str) -> bool {
        self.attesters
            .iter()
            .any(|a| a == "*" || is_same(a, producer))
    }
}

/// What apps are told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// Whether `inbound.message` carries the sender's number (R-605: only if the app asked for it).
    #[serde(default)]
    pub inbound_numbers: bool,
    /// Statuses above `failed` are published for these purposes; three events a message cost more than the message.
    #[serde(default = "all_purposes")]
    pub statuses: Vec<Purpose>,
}

fn all_purposes() -> Vec<Purpose> {
    crate::lane::PURPOSES.to_vec()
}

/// The configuration cannot be used; the text names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("config/headgate.toml: {0}")]
pub struct InvalidConfig(pub String);

impl Config {
    /// Parses and validates TOML.
    ///
    /// # Errors
    /// [`InvalidConfig`] names line, field and reason; the file holds nothing personal, so quoting it is safe.
    pub fn from_toml(text: &str) -> Result<Self, InvalidConfig> {
        let config: Self = toml::from_str(text).map_err(|e| InvalidConfig(e.to_string()))?;
        config.validated()
    }

    /// Parses and validates the stored JSON form.
    ///
    /// # Errors
    /// [`InvalidConfig`] names field and reason.
    pub fn from_json(text: &str) -> Result<Self, InvalidConfig> {
        let config: Self = serde_json::from_str(text).map_err(|e| InvalidConfig(e.to_string()))?;
        config.validated()
    }

    /// The stored JSON form.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The number behind a phone number id or alias.
    pub fn number(&self, from: &str) -> Option<&Number> {
        self.numbers
            .iter()
            .find(|n| n.id == from || n.alias == from)
    }

    /// The template of a name and language.
    pub fn template(&self, name: &str, language: &str) -> Option<&Template> {
        self.templates
            .iter()
            .find(|t| t.name == name && t.language == language)
    }

    /// What the law demands for a person in a country, as far as it is known.
    pub fn profile_of(&self, country: Option<Country>) -> EffectiveProfile {
        let Controller {
            countries,
            profiles,
            ..
        } = &self.controller;
        Profiles::compiled_in().effective(country, countries, profiles)
    }

    /// Whether a producer may use a lane with a number: named for both, or nobody is named at all.
    pub fn may_produce(&self, producer: &str, lane: Purpose, number: &Number) -> bool {
        let granted = |p: &Producer| is_same(&p.principal, producer) && p.may_use(lane, number);
        number.may_send(producer)
            && number.carries(lane)
            && (self.producers.is_empty() || self.producers.iter().any(granted))
    }

    /// How many people a day a portfolio may reach, where the configuration says so; it wins over what is learnt.
    pub fn daily_limit(&self, portfolio: &str) -> Option<DailyLimit> {
        self.portfolios.get(portfolio)?.daily_limit
    }

    /// The portfolios, each once, in the order of their first number.
    pub fn portfolios(&self) -> Vec<&str> {
        let mut seen: Vec<&str> = Vec::new();
        for number in &self.numbers {
            if !seen.contains(&number.portfolio.as_str()) {
                seen.push(&number.portfolio);
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests;
