//! Peppers: the keys behind the pseudonyms, computed by KMS at cold start and never at rest.
//!
//! One HMAC key per pepper, because IAM cannot limit `GenerateMac` by message (docs/data.md). Every version of a
//! pepper comes from the same key: the version is part of the message.

#[cfg(feature = "store")]
mod ring;

#[cfg(feature = "store")]
pub use ring::Peppers;

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::MacAlgorithmSpec;
use headgate_domain::identity::Pepper;
use zeroize::Zeroize;

use crate::{Aws, AwsError};

/// Computes the pepper of an HMAC key for a deployment, of a key whose pepper is not rotated.
///
/// # Errors
/// [`AwsError`] when KMS refuses or answers with anything but 32 bytes.
pub async fn pepper(aws: &Aws, key_id: &str, deployment: &str) -> Result<Pepper, AwsError> {
    // Boxed: functions ask for several beside each other.
    Box::pin(version(&aws.kms(), key_id, deployment, 1)).await
}

async fn version(
    kms: &aws_sdk_kms::Client,
    key_id: &str,
    deployment: &str,
    version: u32,
) -> Result<Pepper, AwsError> {
    let answer = kms
        .generate_mac()
        .key_id(key_id)
        .mac_algorithm(MacAlgorithmSpec::HmacSha256)
        .message(Blob::new(format!(
            "headgate/pepper/v{version}/{deployment}"
        )))
        .send()
        .await
        .map_err(|e| AwsError::of("GenerateMac", &e))?;
    let mut bytes = answer.mac.map(Blob::into_inner).unwrap_or_default();
    let pepper = <[u8; 32]>::try_from(bytes.as_slice())
        .map(Pepper::new)
        .map_err(|_length| AwsError::new("GenerateMac", "not 32 bytes"));
    bytes.zeroize();
    pepper
}
