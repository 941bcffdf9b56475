//! What intake is told at cold start: names of resources, and which queue is which lane.

use headgate_aws::{AwsError, AwsSettings};
use headgate_domain::lane::Purpose;
use headgate_domain::system::InvalidTexts;
use headgate_lambda::settings::{MissingSetting, Settings};
use headgate_redact::LogSafe;

/// Names of the resources intake uses (docs/data.md).
pub(crate) struct Config {
    pub(crate) deployment: String,
    pub(crate) subjects: String,
    pub(crate) suppression: String,
    pub(crate) ledger: String,
    pub(crate) messages: String,
    pub(crate) pacing: String,
    pub(crate) keys: String,
    pub(crate) controls: String,
    pub(crate) privacy_requests: String,
    pub(crate) wake_url: String,
    pub(crate) queues: Queues,
    pub(crate) bus: String,
    pub(crate) data_key: String,
    pub(crate) identity_mac: String,
    pub(crate) suppression_mac: String,
    pub(crate) message_ref_mac: String,
    pub(crate) links_mac: String,
    pub(crate) privacy_url: String,
    /// The id of the role whose word about a token is believed.
    pub(crate) consent_api: String,
    pub(crate) aws: AwsSettings,
}

/// Why intake does not start (I5: there is no less safe default).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A setting is missing.
    #[error(transparent)]
    Setting(#[from] MissingSetting),
    /// AWS did not give what intake needs.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A text is missing.
    #[error(transparent)]
    Texts(#[from] InvalidTexts),
}

/// Consists of texts of ours and of AWS's error names.
impl LogSafe for StartError {}

impl Config {
    pub(crate) fn new(settings: &Settings) -> Result<Self, StartError> {
        let name = |variable| settings.name(variable).map(str::to_owned);
        Ok(Self {
            deployment: name("HEADGATE_DEPLOYMENT")?,
            subjects: name("HEADGATE_TABLE_SUBJECTS")?,
            suppression: name("HEADGATE_TABLE_SUPPRESSION")?,
            ledger: name("HEADGATE_TABLE_CONSENT_LEDGER")?,
            messages: name("HEADGATE_TABLE_MESSAGES")?,
            pacing: name("HEADGATE_TABLE_PACING")?,
            keys: name("HEADGATE_TABLE_KEYS")?,
            controls: name("HEADGATE_TABLE_CONTROLS")?,
            privacy_requests: name("HEADGATE_TABLE_PRIVACY_REQUESTS")?,
            wake_url: name("HEADGATE_QUEUE_WAKE_URL")?,
            queues: Queues::new(settings)?,
            bus: name("HEADGATE_BUS_NAME")?,
            data_key: name("HEADGATE_KMS_KEY_DATA")?,
            identity_mac: name("HEADGATE_KMS_MAC_IDENTITY")?,
            suppression_mac: name("HEADGATE_KMS_MAC_SUPPRESSION")?,
            message_ref_mac: name("HEADGATE_KMS_MAC_MESSAGE_REF")?,
            links_mac: name("HEADGATE_KMS_MAC_LINKS")?,
            privacy_url: name("HEADGATE_PRIVACY_URL")?
                .trim_end_matches('/')
                .to_owned(),
            consent_api: name("HEADGATE_ROLE_CONSENT_API")?,
            aws: AwsSettings::new(settings.lookup())?,
        })
    }
}

/// What a queue carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Messages of one purpose.
    Lane(Purpose),
    /// Consent records.
    Consents,
    /// What Headgate itself writes to people.
    System,
}

impl Origin {
    /// The queue as one word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Lane(lane) => lane.word(),
            Self::Consents => "consents",
            Self::System => "system",
        }
    }
}

/// A queue that intake reads.
pub(crate) struct Source {
    /// What it carries.
    pub(crate) origin: Origin,
    arn: String,
    /// Where its messages are deferred.
    pub(crate) url: String,
    /// Where its poison is put.
    pub(crate) dead_letters: String,
}

/// The queues intake reads, by ARN.
pub(crate) struct Queues(Vec<Source>);

impl Queues {
    fn new(settings: &Settings) -> Result<Self, MissingSetting> {
        let source = |origin, [arn, url, dead_letters]: [&'static str; 3]| {
            Ok::<Source, MissingSetting>(Source {
                origin,
                arn: settings.name(arn)?.to_owned(),
                url: settings.name(url)?.to_owned(),
                dead_letters: settings.name(dead_letters)?.to_owned(),
            })
        };
        Ok(Self(vec![
            source(
                Origin::Lane(Purpose::Authentication),
                [
                    "HEADGATE_QUEUE_AUTHENTICATION_ARN",
                    "HEADGATE_QUEUE_AUTHENTICATION_URL",
                    "HEADGATE_QUEUE_AUTHENTICATION_DLQ_URL",
                ],
            )?,
            source(
                Origin::Lane(Purpose::Service),
                [
                    "HEADGATE_QUEUE_SERVICE_ARN",
                    "HEADGATE_QUEUE_SERVICE_URL",
                    "HEADGATE_QUEUE_SERVICE_DLQ_URL",
                ],
            )?,
            source(
                Origin::Lane(Purpose::Utility),
                [
                    "HEADGATE_QUEUE_UTILITY_ARN",
                    "HEADGATE_QUEUE_UTILITY_URL",
                    "HEADGATE_QUEUE_UTILITY_DLQ_URL",
                ],
            )?,
            source(
                Origin::Lane(Purpose::Marketing),
                [
                    "HEADGATE_QUEUE_MARKETING_ARN",
                    "HEADGATE_QUEUE_MARKETING_URL",
                    "HEADGATE_QUEUE_MARKETING_DLQ_URL",
                ],
            )?,
            source(
                Origin::Consents,
                [
                    "HEADGATE_QUEUE_CONSENTS_ARN",
                    "HEADGATE_QUEUE_CONSENTS_URL",
                    "HEADGATE_QUEUE_CONSENTS_DLQ_URL",
                ],
            )?,
            source(
                Origin::System,
                [
                    "HEADGATE_QUEUE_SYSTEM_ARN",
                    "HEADGATE_QUEUE_SYSTEM_URL",
                    "HEADGATE_QUEUE_SYSTEM_DLQ_URL",
                ],
            )?,
        ]))
    }

    /// The queue of an ARN; `None` for one that is not ours.
    pub(crate) fn of(&self, arn: &str) -> Option<&Source> {
        self.0.iter().find(|source| source.arn == arn)
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "tests may fail loudly"
    )]
    use std::collections::BTreeMap;

    use super::*;

    /// In the order in which a missing one is reported.
    const NAMES: [&str; 33] = [
        "HEADGATE_DEPLOYMENT",
        "HEADGATE_TABLE_SUBJECTS",
        "HEADGATE_TABLE_SUPPRESSION",
        "HEADGATE_TABLE_CONSENT_LEDGER",
        "HEADGATE_TABLE_MESSAGES",
        "HEADGATE_TABLE_PACING",
        "HEADGATE_TABLE_KEYS",
        "HEADGATE_TABLE_CONTROLS",
        "HEADGATE_QUEUE_WAKE_URL",
        "HEADGATE_QUEUE_AUTHENTICATION_ARN",
        "HEADGATE_QUEUE_AUTHENTICATION_URL",
        "HEADGATE_QUEUE_AUTHENTICATION_DLQ_URL",
        "HEADGATE_QUEUE_SERVICE_ARN",
        "HEADGATE_QUEUE_SERVICE_URL",
        "HEADGATE_QUEUE_SERVICE_DLQ_URL",
        "HEADGATE_QUEUE_UTILITY_ARN",
        "HEADGATE_QUEUE_UTILITY_URL",
        "HEADGATE_QUEUE_UTILITY_DLQ_URL",
        "HEADGATE_QUEUE_MARKETING_ARN",
        "HEADGATE_QUEUE_MARKETING_URL",
        "HEADGATE_QUEUE_MARKETING_DLQ_URL",
        "HEADGATE_QUEUE_CONSENTS_ARN",
        "HEADGATE_QUEUE_CONSENTS_URL",
        "HEADGATE_QUEUE_CONSENTS_DLQ_URL",
        "HEADGATE_QUEUE_SYSTEM_ARN",
        "HEADGATE_QUEUE_SYSTEM_URL",
        "HEADGATE_QUEUE_SYSTEM_DLQ_URL",
        "HEADGATE_BUS_NAME",
        "HEADGATE_KMS_KEY_DATA",
        "HEADGATE_KMS_MAC_IDENTITY",
        "HEADGATE_KMS_MAC_SUPPRESSION",
        "HEADGATE_KMS_MAC_MESSAGE_REF",
        "HEADGATE_KMS_MAC_LINKS",
    ];

    fn complete() -> BTreeMap<String, String> {
        NAMES
            .into_iter()
            .chain([
                "HEADGATE_TABLE_PRIVACY_REQUESTS",
                "HEADGATE_PRIVACY_URL",
                "HEADGATE_ROLE_CONSENT_API",
                "AWS_REGION",
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
            ])
            .map(|name| (name.to_owned(), format!("the {name}")))
            .collect()
    }

    #[test]
    fn every_missing_setting_is_named() {
        for name in NAMES.into_iter().chain([
            "HEADGATE_TABLE_PRIVACY_REQUESTS",
            "HEADGATE_PRIVACY_URL",
            "HEADGATE_ROLE_CONSENT_API",
            "AWS_REGION",
        ]) {
            let mut settings = complete();
            settings.remove(name);
            let refused = Config::new(&Settings::from_map(settings)).err().unwrap();
            assert!(refused.to_string().contains(name), "{refused}");
        }
    }

    #[test]
    fn the_queue_says_the_lane_and_a_foreign_queue_says_nothing() {
        let config = Config::new(&Settings::from_map(complete())).unwrap();
        let origin = |arn: &str| config.queues.of(arn).map(|source| source.origin);
        for (word, expected) in [
            ("UTILITY", Origin::Lane(Purpose::Utility)),
            ("CONSENTS", Origin::Consents),
            ("SYSTEM", Origin::System),
        ] {
            let arn = format!("the HEADGATE_QUEUE_{word}_ARN");
            assert_eq!(origin(&arn), Some(expected));
            let source = config.queues.of(&arn).unwrap();
            assert_eq!(source.url, format!("the HEADGATE_QUEUE_{word}_URL"));
            assert_eq!(
                source.dead_letters,
                format!("the HEADGATE_QUEUE_{word}_DLQ_URL")
            );
        }
        assert_eq!(origin("arn:aws:sqs:ca-central-1:1:utility"), None);
        assert_eq!(origin(""), None);
    }
}
