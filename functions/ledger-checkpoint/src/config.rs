//! The settings of the checkpoint function: names of resources, read once at cold start (I5).

use headgate_lambda::settings::{MissingSetting, Settings};

/// Where the ledger, its checkpoints and their key are, and when it is busy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The deployment's id, which is in the origin of every checkpoint.
    pub deployment: String,
    /// The table of the ledger.
    pub table_consent_ledger: String,
    /// The bucket that takes the checkpoints.
    pub bucket_checkpoints: String,
    /// The KMS key that signs them.
    pub kms_key_ledger: String,
    /// So many new events are a busy hour, and an hour a checkpoint.
    pub busy_events: u64,
}

/// A setting is missing, or is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is absent or blank.
    #[error(transparent)]
    Missing(#[from] MissingSetting),
    /// It is not a number from 1 on.
    #[error(
        "HEADGATE_LEDGER_BUSY_EVENTS must be a whole number from 1 on: how many new events make an hour busy"
    )]
    BusyEvents,
}

/// Names a variable, and not its value.
impl headgate_redact::LogSafe for ConfigError {}

impl Config {
    /// Reads every setting, in the order of docs/data.md.
    ///
    /// # Errors
    /// [`ConfigError`] for the first that is absent, blank or no number.
    pub fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let busy = settings.name("HEADGATE_LEDGER_BUSY_EVENTS");
        Ok(Self {
            deployment: settings.name("HEADGATE_DEPLOYMENT")?.to_owned(),
            table_consent_ledger: settings.name("HEADGATE_TABLE_CONSENT_LEDGER")?.to_owned(),
            bucket_checkpoints: settings.name("HEADGATE_BUCKET_CHECKPOINTS")?.to_owned(),
            kms_key_ledger: settings.name("HEADGATE_KMS_KEY_LEDGER")?.to_owned(),
            busy_events: busy?
                .parse()
                .ok()
                .filter(|events| *events > 0)
                .ok_or(ConfigError::BusyEvents)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 5] = [
        "HEADGATE_DEPLOYMENT",
        "HEADGATE_TABLE_CONSENT_LEDGER",
        "HEADGATE_BUCKET_CHECKPOINTS",
        "HEADGATE_KMS_KEY_LEDGER",
        "HEADGATE_LEDGER_BUSY_EVENTS",
    ];

    fn with(busy: &str, missing: &str) -> Settings {
        let value = |name: &str| match name {
            "HEADGATE_LEDGER_BUSY_EVENTS" => busy.to_owned(),
            _ => "x".to_owned(),
        };
        Settings::from_map(
            ALL.into_iter()
                .filter(|name| *name != missing)
                .map(|name| (name.to_owned(), value(name)))
                .collect(),
        )
    }

    #[test]
    fn each_missing_setting_is_named() {
        assert!(Config::read(&with("1000", "none")).is_ok());
        for variable in ALL {
            let refused = Config::read(&with("1000", variable)).err();
            assert!(
                matches!(refused, Some(ConfigError::Missing(missing)) if missing.variable == variable)
            );
        }
    }

    #[test]
    fn a_busy_hour_is_a_number_of_events() {
        for busy in ["0", "-1", "many", "1.5"] {
            assert_eq!(
                Config::read(&with(busy, "none")),
                Err(ConfigError::BusyEvents)
            );
        }
    }
}
