//! The webhook's settings: one queue, one bucket and one secret, each by name, and with mutual TLS
//! who may call.
//!
//! A missing one stops the function at cold start (I5).

use headgate_lambda::settings::{MissingSetting, Settings};

use crate::client::Callers;

/// What the webhook must be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The queue that makes a notification durable.
    pub notifications_queue_url: String,
    /// Where a notification is kept that fits no queue message.
    pub overflow_bucket: String,
    /// The secret with the app secrets and verify tokens.
    pub secret_id: String,
    /// Who may call.
    pub callers: Callers,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`MissingSetting`], naming the first that is absent or blank. The name of the caller may be
    /// absent, where mutual TLS is off, and not blank.
    pub fn from_settings(settings: &Settings) -> Result<Self, MissingSetting> {
        Ok(Self {
            notifications_queue_url: settings
                .name("HEADGATE_QUEUE_NOTIFICATIONS_URL")?
                .to_owned(),
            overflow_bucket: settings.name("HEADGATE_BUCKET_OVERFLOW")?.to_owned(),
            secret_id: settings.name("HEADGATE_SECRET_WEBHOOK")?.to_owned(),
            callers: settings
                .optional("HEADGATE_CLIENT_CERTIFICATE_CN")?
                .map_or(Callers::Anybody, |name| Callers::Named(name.to_owned())),
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

    fn without(missing: &str) -> BTreeMap<String, String> {
        let present = ALL.into_iter().filter(|name| *name != missing);
        present
            .map(|name| (name.to_owned(), "x".to_owned()))
            .collect()
    }

    fn read(settings: BTreeMap<String, String>) -> Result<Config, &'static str> {
        Config::from_settings(&Settings::from_map(settings)).map_err(|missing| missing.variable)
    }

    #[test]
    fn each_missing_setting_is_named() {
        assert!(read(without("")).is_ok());
        for name in ALL {
            assert_eq!(read(without(name)), Err(name));
        }
    }

    #[test]
    fn callers_are_named_or_anybody_and_never_blank() {
        const NAME: &str = "HEADGATE_CLIENT_CERTIFICATE_CN";
        let named = |name: &str| {
            let mut settings = without("");
            settings.insert(NAME.to_owned(), name.to_owned());
            read(settings).map(|config| config.callers)
        };
        assert_eq!(
            read(without("")).map(|config| config.callers),
            Ok(Callers::Anybody)
        );
        assert_eq!(
            named("client.example"),
            Ok(Callers::Named("client.example".to_owned()))
        );
        assert_eq!(named(" "), Err(NAME));
        assert_eq!(named(""), Err(NAME));
    }
}
