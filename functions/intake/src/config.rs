//! What intake is told at cold start: names of resources, and which queue is which lane.

use headgate_aws::{AwsError, AwsSettings};
use headgate_domain::lane::Purpose;
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
    pub(crate) wake_url: String,
    pub(crate) origins: Origins,
    pub(crate) bus: String,
    pub(crate) data_key: String,
    pub(crate) identity_mac: String,
    pub(crate) suppression_mac: String,
    pub(crate) message_ref_mac: String,
    pub(crate) links_mac: String,
    pub(crate) privacy_url: String,
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
            wake_url: name("HEADGATE_QUEUE_WAKE_URL")?,
            origins: Origins(vec![
                (
                    name("HEADGATE_QUEUE_AUTHENTICATION_ARN")?,
                    Origin::Lane(Purpose::Authentication),
                ),
                (
                    name("HEADGATE_QUEUE_SERVICE_ARN")?,
                    Origin::Lane(Purpose::Service),
                ),
                (
                    name("HEADGATE_QUEUE_UTILITY_ARN")?,
                    Origin::Lane(Purpose::Utility),
                ),
                (
                    name("HEADGATE_QUEUE_MARKETING_ARN")?,
                    Origin::Lane(Purpose::Marketing),
                ),
                (name("HEADGATE_QUEUE_CONSENTS_ARN")?, Origin::Consents),
            ]),
            bus: name("HEADGATE_BUS_NAME")?,
            data_key: name("HEADGATE_KMS_KEY_DATA")?,
            identity_mac: name("HEADGATE_KMS_MAC_IDENTITY")?,
            suppression_mac: name("HEADGATE_KMS_MAC_SUPPRESSION")?,
            message_ref_mac: name("HEADGATE_KMS_MAC_MESSAGE_REF")?,
            links_mac: name("HEADGATE_KMS_MAC_LINKS")?,
            privacy_url: name("HEADGATE_PRIVACY_URL")?
                .trim_end_matches('/')
                .to_owned(),
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
}

/// The queues intake reads, by ARN.
pub(crate) struct Origins(Vec<(String, Origin)>);

impl Origins {
    /// What the queue of an ARN carries; `None` for a queue that is not ours.
    pub(crate) fn of(&self, arn: &str) -> Option<Origin> {
        self.0
            .iter()
            .find(|(known, _)| known == arn)
            .map(|(_, origin)| *origin)
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
    const NAMES: [&str; 20] = [
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
        "HEADGATE_QUEUE_SERVICE_ARN",
        "HEADGATE_QUEUE_UTILITY_ARN",
        "HEADGATE_QUEUE_MARKETING_ARN",
        "HEADGATE_QUEUE_CONSENTS_ARN",
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
                "HEADGATE_PRIVACY_URL",
                "AWS_REGION",
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
            ])
            .map(|name| (name.to_owned(), format!("the {name}")))
            .collect()
    }

    #[test]
    fn every_missing_setting_is_named() {
        for name in NAMES
            .into_iter()
            .chain(["HEADGATE_PRIVACY_URL", "AWS_REGION"])
        {
            let mut settings = complete();
            settings.remove(name);
            let refused = Config::new(&Settings::from_map(settings)).err().unwrap();
            assert!(refused.to_string().contains(name), "{refused}");
        }
    }

    #[test]
    fn the_queue_says_the_lane_and_a_foreign_queue_says_nothing() {
        let config = Config::new(&Settings::from_map(complete())).unwrap();
        assert_eq!(
            config.origins.of("the HEADGATE_QUEUE_UTILITY_ARN"),
            Some(Origin::Lane(Purpose::Utility))
        );
        assert_eq!(
            config.origins.of("the HEADGATE_QUEUE_CONSENTS_ARN"),
            Some(Origin::Consents)
        );
        assert_eq!(
            config.origins.of("arn:aws:sqs:ca-central-1:1:utility"),
            None
        );
        assert_eq!(config.origins.of(""), None);
    }
}
