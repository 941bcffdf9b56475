//! The secrets of a local run: made at its first start, read back at every later one.
//!
//! Local and worthless elsewhere. Promises that a data directory keeps its app secret and verify token,
//! so that a client configured once goes on working after a restart.

use anyhow::{Context as _, Result};
use headgate_aws::Aws;
use headgate_aws::secrets::Secrets;
use hmac::{Hmac, KeyInit as _, Mac as _};
use local_cloud::LocalCloud;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::text::{hex, random_hex};

/// What a local run shares with its own Meta.
#[derive(Clone)]
pub struct LocalSecrets {
    /// Signs notifications.
    pub app_secret: String,
    /// Answers the webhook handshake.
    pub verify_token: String,
    /// The Graph API's bearer token.
    pub access_token: String,
    /// `HMAC-SHA256(app secret, access token)`, as Meta wants it with every call.
    pub appsecret_proof: String,
}

impl LocalSecrets {
    /// Reads the secrets of the data directory, or makes them and puts them there.
    ///
    /// # Errors
    /// When the local Secrets Manager fails.
    pub async fn load_or_make(cloud: &LocalCloud, aws: &Aws) -> Result<Self> {
        let name = |function: &str, variable: &str| -> Result<String> {
            let environment = cloud.function_environment(function)?;
            environment
                .get(variable)
                .cloned()
                .with_context(|| format!("the template gives {function} no {variable}"))
        };
        let webhook = name("WebhookFunction", "HEADGATE_SECRET_WEBHOOK")?;
        let graph = name("SenderFunction", "HEADGATE_SECRET_GRAPH_SEND")?;
        let secrets = Secrets::new(aws);
        let kept = (
            stored(&secrets, &webhook).await,
            stored(&secrets, &graph).await,
        );
        if let (Some(webhook), Some(graph)) = &kept
            && let Some(found) = Self::of(webhook, graph)
        {
            return Ok(found);
        }
        let app_secret = random_hex::<16>()?;
        let access_token = format!("local-{}", random_hex::<16>()?);
        let made = Self {
            appsecret_proof: sign(&app_secret, access_token.as_bytes()),
            verify_token: random_hex::<12>()?,
            app_secret,
            access_token,
        };
        let webhook_json =
            json!({"app_secrets": [made.app_secret], "verify_tokens": [made.verify_token]});
        cloud
            .put_secret(&webhook, &webhook_json.to_string())
            .await?;
        let graph_json =
            json!({"access_token": made.access_token, "appsecret_proof": made.appsecret_proof});
        cloud.put_secret(&graph, &graph_json.to_string()).await?;
        Ok(made)
    }

    fn of(webhook: &Value, graph: &Value) -> Option<Self> {
        let text = |value: &Value, pointer: &str| {
            value
                .pointer(pointer)
                .and_then(Value::as_str)
                .filter(|t| !t.is_empty())
                .map(str::to_owned)
        };
        Some(Self {
            app_secret: text(webhook, "/app_secrets/0")?,
            verify_token: text(webhook, "/verify_tokens/0")?,
            access_token: text(graph, "/access_token")?,
            appsecret_proof: text(graph, "/appsecret_proof")?,
        })
    }
}

async fn stored(secrets: &Secrets, name: &str) -> Option<Value> {
    // A secret that was never set has no value, or the template's generated one: neither is ours.
    serde_json::from_str(secrets.read(name).await.ok()?.expose()).ok()
}

/// HMAC-SHA256 in hexadecimal, as Meta writes it.
pub fn sign(secret: &str, bytes: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(bytes);
    hex(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_openssl_makes() {
        // printf 'hello' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            sign("secret", b"hello"),
            "88aab3ede8d3adf94d26ab90d3bafd4a2083070c3bcce9c014ee04a443847c0b"
        );
    }

    #[test]
    fn a_value_that_was_never_ours_is_not_taken_for_a_secret() {
        assert!(
            LocalSecrets::of(
                &json!({}),
                &json!({"access_token": "x", "appsecret_proof": "y"})
            )
            .is_none()
        );
        assert!(
            LocalSecrets::of(
                &json!({"app_secrets": [""], "verify_tokens": ["v"]}),
                &json!({"access_token": "x", "appsecret_proof": "y"})
            )
            .is_none()
        );
    }
}
