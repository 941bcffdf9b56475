//! Settings: names of resources, from environment variables.
//!
//! Owns the one reading of the environment. Secrets are not settings, and there are no defaults:
//! a missing name stops the function at cold start with a sentence that says what to set (I5).

use std::collections::BTreeMap;
use std::fmt;

use headgate_redact::LogSafe;

/// The settings of one process. Its `Debug` shows names only: the standard AWS variables, which
/// the adapters need, hold credentials.
#[derive(Clone, Default)]
pub struct Settings(BTreeMap<String, String>);

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A setting that is absent or blank.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{variable} is not set; it must name {what}; see docs/data.md")]
pub struct MissingSetting {
    /// The environment variable.
    pub variable: &'static str,
    what: &'static str,
}

/// Consists of texts of ours alone.
impl LogSafe for MissingSetting {}

impl Settings {
    /// Reads the settings of this process: our own variables and AWS's standard ones. Variables of
    /// others are not taken along.
    #[expect(clippy::disallowed_methods, reason = "the one home of the environment")]
    pub fn from_environment() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .filter(|(name, _value)| name.starts_with("HEADGATE_") || name.starts_with("AWS_"))
                .collect(),
        )
    }

    /// Settings given by hand, as local runs and tests do.
    pub const fn from_map(map: BTreeMap<String, String>) -> Self {
        Self(map)
    }

    /// The name behind a variable.
    ///
    /// # Errors
    /// [`MissingSetting`] when it is absent or blank: there is no less safe default (I5).
    pub fn name(&self, variable: &'static str) -> Result<&str, MissingSetting> {
        self.find(variable).ok_or(MissingSetting {
            variable,
            what: what(variable),
        })
    }

    /// The name behind a variable that may be absent and then means "off".
    ///
    /// # Errors
    /// [`MissingSetting`] when it is blank: that is a mistake, and not a decision to be less safe.
    pub fn optional(&self, variable: &'static str) -> Result<Option<&str>, MissingSetting> {
        if self.0.contains_key(variable) {
            self.name(variable).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Looks variables up for who needs the standard ones, such as the AWS adapters.
    pub fn lookup(&self) -> impl Fn(&str) -> Option<String> {
        |variable| self.find(variable).map(str::to_owned)
    }

    /// The name behind a variable that may be absent; blank counts as absent.
    pub fn find(&self, variable: &str) -> Option<&str> {
        self.0
            .get(variable)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }
}

/// What a variable names, told from its own name so that no list has to be kept up.
fn what(variable: &str) -> &'static str {
    const KINDS: [(&str, &str); 14] = [
        ("HEADGATE_TABLE_", "a DynamoDB table"),
        ("HEADGATE_SECRET_", "a secret in Secrets Manager"),
        ("HEADGATE_KMS_KEY_", "a KMS key"),
        ("HEADGATE_KMS_MAC_", "a KMS HMAC key"),
        ("HEADGATE_BUS_", "an EventBridge bus"),
        ("HEADGATE_BUCKET_", "an S3 bucket"),
        (
            "HEADGATE_CLIENT_CERTIFICATE_CN",
            "the owner of the client certificate",
        ),
        ("HEADGATE_DEPLOYMENT", "this deployment"),
        ("HEADGATE_PRIVACY_URL", "the address of the privacy pages"),
        ("HEADGATE_GRAPH_URL", "the address of the Graph API"),
        ("HEADGATE_ENDPOINT", "the address of an AWS service"),
        ("HEADGATE_QUEUE_", "an SQS queue"),
        ("HEADGATE_ROLE_", "the id of an IAM role"),
        ("AWS_REGION", "an AWS region"),
    ];
    KINDS
        .into_iter()
        .find_map(|(prefix, what)| variable.starts_with(prefix).then_some(what))
        .unwrap_or("a resource")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Settings {
        Settings::from_map(BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn a_name_that_is_set_is_returned() {
        let settings = with("HEADGATE_TABLE_KEYS", "keys-table");
        assert_eq!(settings.name("HEADGATE_TABLE_KEYS"), Ok("keys-table"));
    }

    #[test]
    fn absent_empty_and_blank_are_all_missing() {
        for settings in [
            Settings::default(),
            with("HEADGATE_TABLE_KEYS", ""),
            with("HEADGATE_TABLE_KEYS", " \t\n"),
        ] {
            let text = settings
                .name("HEADGATE_TABLE_KEYS")
                .map_err(|missing| missing.to_string());
            let expected =
                "HEADGATE_TABLE_KEYS is not set; it must name a DynamoDB table; see docs/data.md";
            assert_eq!(text, Err(expected.to_owned()));
        }
    }

    #[test]
    fn an_optional_name_may_be_absent_and_may_not_be_blank() {
        const NAME: &str = "HEADGATE_CLIENT_CERTIFICATE_CN";
        assert_eq!(Settings::default().optional(NAME), Ok(None));
        assert_eq!(with(NAME, " x ").optional(NAME), Ok(Some("x")));
        for blank in ["", " \t"] {
            let settings = with(NAME, blank);
            let refused = settings.optional(NAME).map_err(|missing| missing.variable);
            assert_eq!(refused, Err(NAME));
        }
    }

    #[test]
    fn adapters_look_up_the_same_values() {
        let settings = with("AWS_REGION", "ca-central-1");
        assert_eq!(
            settings.lookup()("AWS_REGION").as_deref(),
            Some("ca-central-1")
        );
        assert_eq!(settings.lookup()("AWS_SESSION_TOKEN"), None);
    }

    #[test]
    fn the_environment_yields_our_settings_and_nothing_else() {
        let settings = Settings::from_environment();
        assert_eq!(settings.find("PATH"), None);
    }

    #[test]
    fn a_value_is_never_shown() {
        let settings = with("AWS_SECRET_ACCESS_KEY", "canary-secret");
        assert!(!format!("{settings:?}").contains("canary"));
    }
}
