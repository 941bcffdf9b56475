//! The settings of the purge: names of resources, read once at cold start (I5).

use headgate_lambda::settings::{MissingSetting, Settings};

/// Where the keys, the messages and the evidence are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The deployment's id, to which every wrapped key is bound.
    pub deployment: String,
    /// The table whose old messages are swept.
    pub table_messages: String,
    /// The table of keys.
    pub table_keys: String,
    /// The table with the configuration in force: which numbers have messages.
    pub table_controls: String,
    /// The table that takes the manifests.
    pub table_evidence: String,
    /// The table that says how far the privacy worker has come with sealing anew.
    pub table_privacy_requests: String,
    /// The KMS key that wraps day keys.
    pub kms_key_data: String,
    /// The KMS key that signs the evidence.
    pub kms_key_evidence: String,
}

impl Config {
    /// Reads every setting, in the order of docs/data.md.
    ///
    /// # Errors
    /// [`MissingSetting`] for the first that is absent or blank.
    pub fn read(settings: &Settings) -> Result<Self, MissingSetting> {
        Ok(Self {
            deployment: settings.name("HEADGATE_DEPLOYMENT")?.to_owned(),
            table_messages: settings.name("HEADGATE_TABLE_MESSAGES")?.to_owned(),
            table_keys: settings.name("HEADGATE_TABLE_KEYS")?.to_owned(),
            table_controls: settings.name("HEADGATE_TABLE_CONTROLS")?.to_owned(),
            table_evidence: settings.name("HEADGATE_TABLE_EVIDENCE")?.to_owned(),
            table_privacy_requests: settings.name("HEADGATE_TABLE_PRIVACY_REQUESTS")?.to_owned(),
            kms_key_data: settings.name("HEADGATE_KMS_KEY_DATA")?.to_owned(),
            kms_key_evidence: settings.name("HEADGATE_KMS_KEY_EVIDENCE")?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 8] = [
        "HEADGATE_DEPLOYMENT",
        "HEADGATE_TABLE_MESSAGES",
        "HEADGATE_TABLE_KEYS",
        "HEADGATE_TABLE_CONTROLS",
        "HEADGATE_TABLE_EVIDENCE",
        "HEADGATE_TABLE_PRIVACY_REQUESTS",
        "HEADGATE_KMS_KEY_DATA",
        "HEADGATE_KMS_KEY_EVIDENCE",
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
