//! The settings of the worker: names of resources, read once at cold start (I5).

use headgate_lambda::settings::{MissingSetting, Settings};

/// Where everything of a person is, and what is needed to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The deployment's id.
    pub deployment: String,
    /// The table of people.
    pub table_subjects: String,
    /// The table of those who said no.
    pub table_suppression: String,
    /// The consent ledger.
    pub table_ledger: String,
    /// The table of messages.
    pub table_messages: String,
    /// The table of what the limits remember.
    pub table_pacing: String,
    /// The table of keys and salts.
    pub table_keys: String,
    /// The table with the configuration in force.
    pub table_controls: String,
    /// The table that takes the receipts.
    pub table_evidence: String,
    /// The table of requests, with the agenda and the journal.
    pub table_privacy_requests: String,
    /// The queue of what Headgate itself writes to people.
    pub queue_system_url: String,
    /// The bus that apps listen to.
    pub bus_name: String,
    /// The KMS key that wraps day keys and the vault key.
    pub kms_key_data: String,
    /// The KMS key that signs receipts.
    pub kms_key_receipt: String,
    /// The HMAC key of pseudonyms.
    pub kms_mac_identity: String,
    /// The HMAC key of the suppression list.
    pub kms_mac_suppression: String,
    /// The HMAC key of the links to copies of people's data.
    pub kms_mac_links: String,
}

impl Config {
    /// Reads every setting, in the order of docs/data.md.
    ///
    /// # Errors
    /// [`MissingSetting`] for the first that is absent or blank.
    pub fn read(settings: &Settings) -> Result<Self, MissingSetting> {
        let name = |variable| settings.name(variable).map(str::to_owned);
        Ok(Self {
            deployment: name("HEADGATE_DEPLOYMENT")?,
            table_subjects: name("HEADGATE_TABLE_SUBJECTS")?,
            table_suppression: name("HEADGATE_TABLE_SUPPRESSION")?,
            table_ledger: name("HEADGATE_TABLE_CONSENT_LEDGER")?,
            table_messages: name("HEADGATE_TABLE_MESSAGES")?,
            table_pacing: name("HEADGATE_TABLE_PACING")?,
            table_keys: name("HEADGATE_TABLE_KEYS")?,
            table_controls: name("HEADGATE_TABLE_CONTROLS")?,
            table_evidence: name("HEADGATE_TABLE_EVIDENCE")?,
            table_privacy_requests: name("HEADGATE_TABLE_PRIVACY_REQUESTS")?,
            queue_system_url: name("HEADGATE_QUEUE_SYSTEM_URL")?,
            bus_name: name("HEADGATE_BUS_NAME")?,
            kms_key_data: name("HEADGATE_KMS_KEY_DATA")?,
            kms_key_receipt: name("HEADGATE_KMS_KEY_RECEIPT")?,
            kms_mac_identity: name("HEADGATE_KMS_MAC_IDENTITY")?,
            kms_mac_suppression: name("HEADGATE_KMS_MAC_SUPPRESSION")?,
            kms_mac_links: name("HEADGATE_KMS_MAC_LINKS")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 17] = [
        "HEADGATE_DEPLOYMENT",
        "HEADGATE_TABLE_SUBJECTS",
        "HEADGATE_TABLE_SUPPRESSION",
        "HEADGATE_TABLE_CONSENT_LEDGER",
        "HEADGATE_TABLE_MESSAGES",
        "HEADGATE_TABLE_PACING",
        "HEADGATE_TABLE_KEYS",
        "HEADGATE_TABLE_CONTROLS",
        "HEADGATE_TABLE_EVIDENCE",
        "HEADGATE_TABLE_PRIVACY_REQUESTS",
        "HEADGATE_QUEUE_SYSTEM_URL",
        "HEADGATE_BUS_NAME",
        "HEADGATE_KMS_KEY_DATA",
        "HEADGATE_KMS_KEY_RECEIPT",
        "HEADGATE_KMS_MAC_IDENTITY",
        "HEADGATE_KMS_MAC_SUPPRESSION",
        "HEADGATE_KMS_MAC_LINKS",
    ];

    fn without(missing: &str) -> Settings {
        Settings::from_map(
            ALL.into_iter()
                .filter(|name| *name != missing)
                .map(|name| (name.to_owned(), "x".to_owned()))
                .collect(),
        )
    }

    #[test]
    fn each_missing_setting_is_named() {
        assert!(Config::read(&without("none")).is_ok());
        for variable in ALL {
            assert_eq!(
                Config::read(&without(variable)).map_err(|missing| missing.variable),
                Err(variable)
            );
        }
    }
}
