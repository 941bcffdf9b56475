//! The webhook's settings: one queue, one bucket and one secret, each by name.
//!
//! A missing one stops the function at cold start (I5).

use headgate_lambda::settings::{MissingSetting, Settings};

/// What the webhook must be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The queue that makes a notification durable.
    pub notifications_queue_url: String,
    /// Where a notification is kept that fits no queue message.
    pub overflow_bucket: String,
    /// The secret with the app secrets and verify tokens.
    pub secret_id: String,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`MissingSetting`], naming the first that is absent or blank.
    pub fn from_settings(settings: &Settings) -> Result<Self, MissingSetting> {
        Ok(Self {
            notifications_queue_url: settings
                .name("HEADGATE_QUEUE_NOTIFICATIONS_URL")?
                .to_owned(),
            overflow_bucket: settings.name("HEADGATE_BUCKET_OVERFLOW")?.to_owned(),
            secret_id: settings.name("HEADGATE_SECRET_WEBHOOK")?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const ALL: [&str; 3] = [
        "HEADGATE_QUEUE_NOTIFICATIONS_URL",
        "HEADGATE_BUCKET_OVERFLOW",
        "HEADGATE_SECRET_WEBHOOK",
    ];

    fn without(missing: &str) -> Settings {
        let present = ALL.into_iter().filter(|name| *name != missing);
        Settings::from_map(
            present
                .map(|name| (name.to_owned(), "x".to_owned()))
                .collect::<BTreeMap<_, _>>(),
        )
    }

    #[test]
    fn each_missing_setting_is_named() {
        assert!(Config::from_settings(&without("")).is_ok());
        for name in ALL {
            let missing = Config::from_settings(&without(name)).map_err(|missing| missing.variable);
            assert_eq!(missing, Err(name));
        }
    }
}
