//! The settings of the public pages: names of resources, read once at cold start (I5).

use headgate_lambda::settings::{MissingSetting, Settings};

/// Where everything is that the pages need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The deployment's id, part of every link token.
    pub deployment: String,
    /// The table that takes consent requests.
    pub table_subjects: String,
    /// The table that says where links to confirm stand.
    pub table_privacy_requests: String,
    /// The table with the configuration in force.
    pub table_controls: String,
    /// The queue that makes a withdrawal durable.
    pub queue_consents_url: String,
    /// The HMAC key behind the link tokens.
    pub kms_mac_links: String,
    /// The address under which people see the pages, without a slash at the end.
    pub privacy_url: String,
}

impl Config {
    /// Reads every setting, in the order of docs/data.md.
    ///
    /// # Errors
    /// [`MissingSetting`] for the first that is absent or blank.
    pub fn read(settings: &Settings) -> Result<Self, MissingSetting> {
        Ok(Self {
            deployment: settings.name("HEADGATE_DEPLOYMENT")?.to_owned(),
            table_subjects: settings.name("HEADGATE_TABLE_SUBJECTS")?.to_owned(),
            table_privacy_requests: settings.name("HEADGATE_TABLE_PRIVACY_REQUESTS")?.to_owned(),
            table_controls: settings.name("HEADGATE_TABLE_CONTROLS")?.to_owned(),
            queue_consents_url: settings.name("HEADGATE_QUEUE_CONSENTS_URL")?.to_owned(),
            kms_mac_links: settings.name("HEADGATE_KMS_MAC_LINKS")?.to_owned(),
            privacy_url: settings
                .name("HEADGATE_PRIVACY_URL")?
                .trim_end_matches('/')
                .to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 7] = [
        "HEADGATE_DEPLOYMENT",
        "HEADGATE_TABLE_SUBJECTS",
        "HEADGATE_TABLE_PRIVACY_REQUESTS",
        "HEADGATE_TABLE_CONTROLS",
        "HEADGATE_QUEUE_CONSENTS_URL",
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
