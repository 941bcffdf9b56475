//! Secrets Manager: reading the secrets a function is entitled to.

use headgate_redact::Secret;

use crate::{Aws, AwsError};

/// Reads secrets.
#[derive(Clone)]
pub struct Secrets {
    client: aws_sdk_secretsmanager::Client,
}

impl Secrets {
    /// A reader.
    pub fn new(aws: &Aws) -> Self {
        Self {
            client: aws.secrets_manager(),
        }
    }

    /// The current value of a secret.
    ///
    /// # Errors
    /// [`AwsError`] when it is missing, empty or not readable.
    pub async fn read(&self, id: &str) -> Result<Secret<String>, AwsError> {
        let answer = self
            .client
            .get_secret_value()
            .secret_id(id)
            .send()
            .await
            .map_err(|e| AwsError::of("GetSecretValue", &e))?;
        answer
            .secret_string
            .filter(|s| !s.trim().is_empty())
            .map(Secret::new)
            .ok_or_else(|| AwsError::new("GetSecretValue", "empty"))
    }
}
