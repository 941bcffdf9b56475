//! Signatures by KMS, with a key that never leaves it.

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use headgate_domain::ledger::PublicKey;

use crate::{Aws, AwsError};

/// A key pair on P-256 in KMS.
#[derive(Clone)]
pub struct SigningKey {
    client: aws_sdk_kms::Client,
    key_id: String,
}

impl SigningKey {
    /// The key of an id or ARN.
    pub fn new(aws: &Aws, key_id: &str) -> Self {
        Self {
            client: aws.kms(),
            key_id: key_id.to_owned(),
        }
    }

    /// The public half.
    ///
    /// # Errors
    /// [`AwsError`] when KMS refuses, or the key is on another curve.
    pub async fn public_key(&self) -> Result<PublicKey, AwsError> {
        let asked = self.client.get_public_key().key_id(&self.key_id).send();
        let answer = asked.await.map_err(|e| AwsError::of("GetPublicKey", &e))?;
        let der = answer.public_key.map(Blob::into_inner).unwrap_or_default();
        PublicKey::from_der(&der)
            .map_err(|_curve| AwsError::new("GetPublicKey", "not a key on P-256"))
    }

    /// Signs a text of up to 4,096 bytes: ECDSA over its SHA-256, in ASN.1 DER.
    ///
    /// # Errors
    /// [`AwsError`] when KMS refuses.
    pub async fn sign(&self, text: &str) -> Result<Vec<u8>, AwsError> {
        let answer = self
            .client
            .sign()
            .key_id(&self.key_id)
            .message(Blob::new(text))
            .message_type(MessageType::Raw)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await
            .map_err(|e| AwsError::of("Sign", &e))?;
        Ok(answer.signature.map(Blob::into_inner).unwrap_or_default())
    }
}
