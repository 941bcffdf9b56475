//! What the sender is told at cold start: names of resources, and the one secret it may read.

use headgate_aws::{AwsError, AwsSettings};
use headgate_graph::InvalidClient;
use headgate_lambda::settings::{MissingSetting, Settings};
use headgate_redact::{LogSafe, Secret};
use serde::Deserialize;

/// Names of the resources the sender uses (docs/data.md).
pub(crate) struct Config {
    pub(crate) deployment: String,
    pub(crate) subjects: String,
    pub(crate) suppression: String,
    pub(crate) messages: String,
    pub(crate) pacing: String,
    pub(crate) keys: String,
    pub(crate) controls: String,
    pub(crate) wake_url: String,
    pub(crate) consents_url: String,
    pub(crate) bus: String,
    pub(crate) graph_secret: String,
    pub(crate) data_key: String,
    pub(crate) message_ref_key: String,
    pub(crate) graph_url: String,
    pub(crate) aws: AwsSettings,
}

/// Why the sender does not start (I5: there is no less safe default).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A setting is missing.
    #[error(transparent)]
    Setting(#[from] MissingSetting),
    /// AWS did not give what the sender needs.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The secret could not be read.
    #[error("the secret named by HEADGATE_SECRET_GRAPH_SEND could not be read: {0}")]
    SecretUnread(AwsError),
    /// The secret is not what it should be.
    #[error(
        "the secret named by HEADGATE_SECRET_GRAPH_SEND must be JSON with access_token and appsecret_proof"
    )]
    Secret,
    /// The Graph API client could not be made.
    #[error("HEADGATE_GRAPH_URL must be an http or https address")]
    GraphUrl,
    /// The register of processors does not know the host (R-401).
    #[error("HEADGATE_GRAPH_URL must be a host of meta in config/processors.toml")]
    GraphHost,
}

impl From<InvalidClient> for StartError {
    fn from(invalid: InvalidClient) -> Self {
        match invalid {
            InvalidClient::Token | InvalidClient::Proof => Self::Secret,
            InvalidClient::Address | InvalidClient::Tls | InvalidClient::Connections => {
                Self::GraphUrl
            }
            InvalidClient::Unregistered => Self::GraphHost,
        }
    }
}

/// Consists of texts of ours and of AWS's error names.
impl LogSafe for StartError {}

impl Config {
    pub(crate) fn new(settings: &Settings) -> Result<Self, StartError> {
        let name = |variable| settings.name(variable).map(str::to_owned);
        Ok(Self {
            deployment: name("HEADGATE_DEPLOYMENT")?,
            subjects: name("HEADGATE_TABLE_SUBJECTS")?,
            suppression: name("HEADGATE_TABLE_SUPPRESSION")?,
            messages: name("HEADGATE_TABLE_MESSAGES")?,
            pacing: name("HEADGATE_TABLE_PACING")?,
            keys: name("HEADGATE_TABLE_KEYS")?,
            controls: name("HEADGATE_TABLE_CONTROLS")?,
            wake_url: name("HEADGATE_QUEUE_WAKE_URL")?,
            consents_url: name("HEADGATE_QUEUE_CONSENTS_URL")?,
            bus: name("HEADGATE_BUS_NAME")?,
            graph_secret: name("HEADGATE_SECRET_GRAPH_SEND")?,
            data_key: name("HEADGATE_KMS_KEY_DATA")?,
            message_ref_key: name("HEADGATE_KMS_MAC_MESSAGE_REF")?,
            graph_url: name("HEADGATE_GRAPH_URL")?,
            aws: AwsSettings::new(|variable| settings.find(variable).map(str::to_owned))?,
        })
    }
}

/// The secret `graph-send`: a token that may only send, and the proof that it is ours (R-101).
#[derive(Deserialize)]
struct GraphSecret {
    access_token: String,
    appsecret_proof: String,
}

/// Reads the token and its proof out of the secret.
pub(crate) fn credentials(
    secret: &Secret<String>,
) -> Result<(Secret<String>, Secret<String>), StartError> {
    let parsed: GraphSecret =
        serde_json::from_str(secret.expose()).map_err(|_quotes_the_secret| StartError::Secret)?;
    if parsed.access_token.trim().is_empty() || parsed.appsecret_proof.trim().is_empty() {
        return Err(StartError::Secret);
    }
    Ok((
        Secret::new(parsed.access_token),
        Secret::new(parsed.appsecret_proof),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_without_a_token_or_a_proof_is_refused_without_quoting_it() {
        for text in [
            "",
            "{}",
            r#"{"access_token":"canary"}"#,
            r#"{"access_token":"canary","appsecret_proof":" "}"#,
            "canary",
        ] {
            let refused = credentials(&Secret::new(text.to_owned())).map(|_| ());
            assert_eq!(refused, Err(StartError::Secret), "{text}");
        }
        assert!(!StartError::Secret.to_string().contains("canary"));
    }
}
