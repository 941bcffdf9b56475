//! The settings of the HTTP API for consents: names of resources, read once at cold start (I5).

use headgate_lambda::settings::{MissingSetting, Settings};

/// Where everything is that the API needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The deployment's id, which tokens are bound to.
    pub deployment: String,
    /// The table with the tokens, their use and what was taken.
    pub table_privacy_requests: String,
    /// The table with where people stand; its sealed fields stay closed.
    pub table_subjects: String,
    /// The table with the configuration in force.
    pub table_controls: String,
    /// The queue that makes a record durable.
    pub queue_consents_url: String,
    /// The HMAC key behind the pseudonyms that people are found by.
    pub kms_mac_identity: String,
    /// The HMAC key behind links, and behind the names under which records are remembered.
    pub kms_mac_links: String,
    /// The address of the public pages, without a slash at the end.
    pub privacy_url: String,
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
            table_privacy_requests: name("HEADGATE_TABLE_PRIVACY_REQUESTS")?,
            table_subjects: name("HEADGATE_TABLE_SUBJECTS")?,
            table_controls: name("HEADGATE_TABLE_CONTROLS")?,
            queue_consents_url: name("HEADGATE_QUEUE_CONSENTS_URL")?,
            kms_mac_identity: name("HEADGATE_KMS_MAC_IDENTITY")?,
            kms_mac_links: name("HEADGATE_KMS_MAC_LINKS")?,
            privacy_url: name("HEADGATE_PRIVACY_URL")?
                .trim_end_matches('/')
                .to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 8] = [
        "HEADGATE_DEPLOYMENT",
        "HEADGATE_TABLE_PRIVACY_REQUESTS",
        "HEADGATE_TABLE_SUBJECTS",
        "HEADGATE_TABLE_CONTROLS",
        "HEADGATE_QUEUE_CONSENTS_URL",
        "HEADGATE_KMS_MAC_IDENTITY",
        "HEADGATE_KMS_MAC_LINKS",
        "HEADGATE_PRIVACY_URL",
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
