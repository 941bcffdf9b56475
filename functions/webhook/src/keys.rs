//! The keys a stranger does not have: app secrets and verify tokens.
//!
//! Owns their form in Secrets Manager, `{"app_secrets":["current","previous"?],
//! "verify_tokens":["…"]}`, and their renewal. A secret that cannot be used, because a part is
//! blank or absent, is an error and never an empty list (I5).

use std::sync::{Arc, PoisonError, RwLock};

use headgate_domain::time::{MINUTE, Timestamp};
use headgate_lambda::clock::Clock;
use headgate_lambda::log::{Field, Level, log};
use headgate_redact::{LogSafe, Secret};
use headgate_webhook::handshake::VerifyToken;
use headgate_webhook::signature::AppSecret;
use serde::Deserialize;

use crate::ports::Ports;

/// A forged request must not be able to make us call Secrets Manager at will.
const RENEWAL_INTERVAL_MS: i64 = MINUTE;

/// The webhook's secret cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeysError {
    /// Secrets Manager did not give it.
    #[error("the secret named by HEADGATE_SECRET_WEBHOOK could not be read from Secrets Manager")]
    Unreadable,
    /// It has another form.
    #[error(
        "the secret named by HEADGATE_SECRET_WEBHOOK is not a JSON object with app_secrets and verify_tokens; see docs/data.md"
    )]
    Malformed,
    /// A list is empty or holds a blank text.
    #[error(
        "the secret named by HEADGATE_SECRET_WEBHOOK holds a blank app secret or verify token, or none at all"
    )]
    Blank,
}

/// Consists of texts of ours alone; `serde_json`'s would quote the secret.
impl LogSafe for KeysError {}

/// The keys in force.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) app_secrets: Vec<AppSecret>,
    pub(crate) verify_tokens: Vec<VerifyToken>,
}

#[derive(Deserialize)]
struct Stored {
    app_secrets: Vec<String>,
    verify_tokens: Vec<String>,
}

impl Keys {
    fn parse(secret: &Secret<String>) -> Result<Self, KeysError> {
        let stored: Stored =
            serde_json::from_str(secret.expose()).map_err(|_quotes_input| KeysError::Malformed)?;
        if stored.app_secrets.is_empty() || stored.verify_tokens.is_empty() {
            return Err(KeysError::Blank);
        }
        let app_secrets = stored
            .app_secrets
            .into_iter()
            .map(AppSecret::new)
            .collect::<Result<_, _>>();
        let verify_tokens = stored
            .verify_tokens
            .into_iter()
            .map(VerifyToken::new)
            .collect::<Result<_, _>>();
        Ok(Self {
            app_secrets: app_secrets.map_err(|_blank| KeysError::Blank)?,
            verify_tokens: verify_tokens.map_err(|_blank| KeysError::Blank)?,
        })
    }
}

/// The keys, and when they were last read.
pub(crate) struct KeyRing {
    current: RwLock<Arc<Keys>>,
    /// Held while reading, so that a burst of bad requests makes one call.
    read_at: tokio::sync::Mutex<Timestamp>,
    clock: Clock,
}

impl KeyRing {
    /// Reads the keys for the first time.
    pub(crate) async fn load(ports: &dyn Ports, clock: Clock) -> Result<Self, KeysError> {
        let keys = read(ports).await?;
        let read_at = tokio::sync::Mutex::new(clock());
        Ok(Self {
            current: RwLock::new(Arc::new(keys)),
            read_at,
            clock,
        })
    }

    /// The keys in force.
    pub(crate) fn current(&self) -> Arc<Keys> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Newer keys than the given ones, if there are any and it is time to look. When reading
    /// fails, the old ones stay.
    pub(crate) async fn newer_than(
        &self,
        used: &Arc<Keys>,
        ports: &dyn Ports,
    ) -> Option<Arc<Keys>> {
        let mut read_at = self.read_at.lock().await;
        let current = self.current();
        if !Arc::ptr_eq(&current, used) {
            return Some(current);
        }
        let now = (self.clock)();
        if now.millis_since(*read_at) < RENEWAL_INTERVAL_MS {
            return None;
        }
        // Counted whether it succeeds or not: the limit is on calls.
        *read_at = now;
        match read(ports).await {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&keys);
                Some(keys)
            }
            Err(error) => {
                log(
                    Level::Error,
                    "webhook_secret_not_renewed",
                    &[("error", Field::safe(&error))],
                );
                None
            }
        }
    }
}

async fn read(ports: &dyn Ports) -> Result<Keys, KeysError> {
    let secret = ports
        .read_secret()
        .await
        .map_err(|_logged_as_unreadable| KeysError::Unreadable)?;
    Keys::parse(&secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(usize, usize), KeysError> {
        Keys::parse(&Secret::new(text.to_owned()))
            .map(|k| (k.app_secrets.len(), k.verify_tokens.len()))
    }

    #[test]
    fn current_and_previous_secrets_are_taken() {
        assert_eq!(
            parse(r#"{"app_secrets":["a","b"],"verify_tokens":["t"],"new":1}"#),
            Ok((2, 1))
        );
    }

    #[test]
    fn a_secret_with_a_blank_in_it_is_not_used_at_all() {
        for text in [
            r#"{"app_secrets":[],"verify_tokens":["t"]}"#,
            r#"{"app_secrets":["a"],"verify_tokens":[]}"#,
            r#"{"app_secrets":["a",""],"verify_tokens":["t"]}"#,
            r#"{"app_secrets":["a"],"verify_tokens":[" "]}"#,
        ] {
            assert_eq!(parse(text), Err(KeysError::Blank), "{text}");
        }
    }

    #[test]
    fn an_error_does_not_quote_the_secret() {
        for text in ["canary", r#"{"app_secrets":"canary"}"#, "{}", ""] {
            let error = parse(text).map_err(|error| error.to_string());
            assert!(error.is_err_and(|text| !text.contains("canary")));
        }
    }
}
