//! The configuration people edit: `config/headgate.toml`, validated with the place of each error.
//!
//! Owns what a deployment is about: the controller, its numbers, its templates, who may attest a
//! consent. Holds no secret and no personal data, so it may be stored and shown in clear.

use serde::{Deserialize, Serialize};

use crate::lane::Purpose;

/// A deployment's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who is responsible for the processing.
    pub controller: Controller,
    /// The phone numbers messages are sent from.
    pub numbers: Vec<Number>,
    /// The message templates that Meta approved, or is asked to.
    #[serde(default)]
    pub templates: Vec<Template>,
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
    /// Where the business answers privacy questions.
    pub privacy_contact: String,
    /// The business's own privacy policy.
    #[serde(default)]
    pub privacy_policy_url: Option<String>,
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
    /// Messages per second Meta allows, inbound included: 20, 80 or 1000.
    #[serde(default = "eighty")]
    pub per_second: u32,
    /// How much of the limit is used, in thousandths; what is left absorbs what the network pushes
    /// together. Without a value, 985, and 995 from 1,000 a second on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace_permille: Option<u16>,
    /// Principals (SQS `SenderId`s) that may send from this number; empty: every producer the queue policies let in.
    #[serde(default)]
    pub producers: Vec<String>,
}

impl Number {
    /// Whether this producer may send from the number.
    pub fn may_send(&self, producer: &str) -> bool {
        self.producers.is_empty() || self.producers.iter().any(|p| is_same(p, producer))
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

const fn eighty() -> u32 {
    80
}

/// Meta's category of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// One-time codes.
    Authentication,
    /// About something the person already has with the business.
    Utility,
    /// Everything else.
    Marketing,
}

impl Category {
    /// Whether a template of this category may travel in a lane.
    ///
    /// A utility template inside the service window is an answer; nothing else crosses over.
    pub const fn is_allowed_for(self, purpose: Purpose) -> bool {
        matches!(
            (self, purpose),
            (Self::Authentication, Purpose::Authentication)
                | (Self::Utility, Purpose::Utility | Purpose::Service)
                | (Self::Marketing, Purpose::Marketing)
        )
    }
}

/// Where a template stands at Meta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TemplateStatus {
    /// May be sent.
    Approved,
    /// Not yet, or not, approved: the default, because an unknown state must not send.
    #[default]
    Pending,
    /// Paused for bad feedback.
    Paused,
    /// Disabled for good.
    Disabled,
    /// Parked by our own review.
    Parked,
}

/// A message template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Meta's name.
    pub name: String,
    /// Meta's language code, such as `en_US`.
    pub language: String,
    /// Meta's category.
    pub category: Category,
    /// How many parameters the body takes.
    #[serde(default)]
    pub body_parameters: usize,
    /// Where it stands.
    #[serde(default)]
    pub status: TemplateStatus,
}

/// Who may attest consents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consents {
    /// Principals (SQS `SenderId`s) whose `given` counts as an attestation; `*` is every producer the queue policy lets in.
    #[serde(default)]
    pub attesters: Vec<String>,
}

impl Consents {
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

    fn validated(self) -> Result<Self, InvalidConfig> {
        let place = |text: String| Err(InvalidConfig(text));
        if self.controller.name.trim().is_empty() {
            return place("controller.name is empty: Meta's opt-in policy requires the business name in every notice".into());
        }
        if self.numbers.is_empty() {
            return place("numbers is empty: add at least one [[numbers]] with id, alias, display and portfolio".into());
        }
        for (i, n) in self.numbers.iter().enumerate() {
            if !crate::record::is_number_id(&n.id) {
                return place(format!(
                    "numbers[{i}].id: expected Meta's phone number id, digits only"
                ));
            }
            if self
                .numbers
                .iter()
                .take(i)
                .any(|m| m.id == n.id || m.alias == n.alias)
            {
                return place(format!("numbers[{i}]: id and alias must be unique"));
            }
            if !n.pace_permille.is_none_or(|p| (500..=1000).contains(&p)) {
                return place(format!(
                    "numbers[{i}].pace_permille: expected 500 to 1000 thousandths of the limit"
                ));
            }
            if !matches!(n.per_second, 1..=1000) {
                return place(format!(
                    "numbers[{i}].per_second: expected 1 to 1000 (Meta grants 20, 80 or 1000)"
                ));
            }
            if n.portfolio.is_empty() || n.portfolio.contains('#') {
                return place(format!(
                    "numbers[{i}].portfolio: expected Meta's business portfolio id"
                ));
            }
        }
        for (i, t) in self.templates.iter().enumerate() {
            if self
                .templates
                .iter()
                .take(i)
                .any(|u| u.name == t.name && u.language == t.language)
            {
                return place(format!("templates[{i}]: name and language appear twice"));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    const GOOD: &str = r#"
        [controller]
        name = "Maple Outfitters"
        privacy_contact = "privacy@maple.example"
        [[numbers]]
        id = "106540352242922"
        alias = "main"
        display = "+16135550100"
        portfolio = "portfolio-1"
    "#;

    #[test]
    fn a_configuration_survives_its_stored_form() {
        let config = Config::from_toml(GOOD).unwrap();
        assert_eq!(Config::from_json(&config.to_json()), Ok(config.clone()));
        assert_eq!(config.number("main").map(|n| n.per_second), Some(80));
        assert!(
            !config.consents.may_attest("anyone"),
            "nobody attests unless named"
        );
    }

    #[test]
    fn a_role_is_the_same_producer_in_every_session_and_another_role_in_none() {
        let granted = GOOD.to_owned()
            + "producers = [\"AROASHOP\"]\n[consents]\nattesters = [\"AROASHOP:x\", \"\"]";
        let config = Config::from_toml(&granted).unwrap();
        let number = config.number("main").unwrap();
        for session in ["AROASHOP", "AROASHOP:", "AROASHOP:function-7"] {
            assert!(number.may_send(session), "{session}");
            assert!(config.consents.may_attest(session), "{session}");
        }
        for other in ["", ":AROASHOP", "AROASHOPPER:x", "AROAOTHER:AROASHOP", "*"] {
            assert!(!number.may_send(other), "{other}");
            assert!(!config.consents.may_attest(other), "{other}");
        }
        let open = Config::from_toml(GOOD).unwrap();
        assert!(open.number("main").unwrap().may_send("AROAOTHER:x"));
    }

    #[test]
    fn an_error_names_its_place() {
        let twice = format!(
            "{GOOD}\n[[numbers]]\nid = \"1\"\nalias = \"main\"\ndisplay = \"+16135550101\"\nportfolio = \"p\""
        );
        let error = Config::from_toml(&twice).unwrap_err().to_string();
        assert!(error.contains("numbers[1]"), "{error}");
        let typo = GOOD.replace("alias", "allias");
        assert!(
            Config::from_toml(&typo)
                .unwrap_err()
                .to_string()
                .contains("allias")
        );
    }

    #[test]
    fn a_template_without_a_status_is_not_approved() {
        let text = format!(
            "{GOOD}\n[[templates]]\nname = \"x\"\nlanguage = \"en_US\"\ncategory = \"utility\""
        );
        assert_eq!(
            Config::from_toml(&text)
                .unwrap()
                .template("x", "en_US")
                .map(|t| t.status),
            Some(TemplateStatus::Pending)
        );
    }
}
