//! The settings of the import: names of resources, read once at cold start (I5).

use headgate_lambda::settings::{MissingSetting, Settings};

/// Where files come from, where reports go, and what an import changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The deployment's id.
    pub deployment: String,
    /// The table of people.
    pub table_subjects: String,
    /// The table of who said no.
    pub table_suppression: String,
    /// The table of proofs.
    pub table_ledger: String,
    /// The table of keys.
    pub table_keys: String,
    /// The table with the configuration in force.
    pub table_controls: String,
    /// The bucket files are put into and reports are written to.
    pub bucket_imports: String,
    /// The queue that says what was put there.
    pub queue_imports_url: String,
    /// The queue of Headgate's own messages.
    pub queue_system_url: String,
    /// The KMS key that wraps field keys.
    pub kms_key_data: String,
    /// The HMAC key of the identity pepper.
    pub kms_mac_identity: String,
    /// The HMAC key of the suppression pepper.
    pub kms_mac_suppression: String,
    /// The HMAC key of the links pepper.
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
            table_keys: name("HEADGATE_TABLE_KEYS")?,
            table_controls: name("HEADGATE_TABLE_CONTROLS")?,
            bucket_imports: name("HEADGATE_BUCKET_IMPORTS")?,
            queue_imports_url: name("HEADGATE_QUEUE_IMPORTS_URL")?,
            queue_system_url: name("HEADGATE_QUEUE_SYSTEM_URL")?,
            kms_key_data: name("HEADGATE_KMS_KEY_DATA")?,
            kms_mac_identity: name("HEADGATE_KMS_MAC_IDENTITY")?,
            kms_mac_suppression: name("HEADGATE_KMS_MAC_SUPPRESSION")?,
            kms_mac_links: name("HEADGATE_KMS_MAC_LINKS")?,
        })
    }
}
