//! The operations of KMS, on a state.
//!
//! Promises that the request is checked first, then the key, then what it is used for. A refused request changes nothing.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use super::cipher::{self, Context};
use super::state::{Found, Spec, State};
use crate::amz_json::{Blob, Refusal, bytes, epoch_seconds, required};
use crate::stack::ACCOUNT;

const CIPHERTEXT_MAX: usize = 6144;
pub(super) const MESSAGE_MAX: usize = 4096;
const DATA_KEY_MAX: usize = 1024;
const MAC_ALGORITHMS: [&str; 4] = [
    "HMAC_SHA_224",
    "HMAC_SHA_256",
    "HMAC_SHA_384",
    "HMAC_SHA_512",
];

/// Every field a supported operation reads.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Request {
    key_id: Option<String>,
    key_spec: Option<String>,
    number_of_bytes: Option<usize>,
    encryption_context: Option<Context>,
    encryption_algorithm: Option<String>,
    ciphertext_blob: Option<Blob>,
    pub(super) message: Option<Blob>,
    mac: Option<Blob>,
    mac_algorithm: Option<String>,
    pub(super) message_type: Option<String>,
    pub(super) signing_algorithm: Option<String>,
}

impl Request {
    pub(super) fn key<'a>(&'a self, state: &'a State) -> Result<Found<'a>, Refusal> {
        state.load(required(self.key_id.as_deref(), "keyId")?)
    }

    fn context(&self) -> Context {
        self.encryption_context.clone().unwrap_or_default()
    }
}

/// `GenerateDataKey` and `GenerateDataKeyWithoutPlaintext`.
pub(super) fn generate_data_key(
    state: &State,
    request: &Request,
    operation: &str,
) -> Result<Value, Refusal> {
    let length = match (request.key_spec.as_deref(), request.number_of_bytes) {
        (Some("AES_256"), None) => 32,
        (Some("AES_128"), None) => 16,
        (Some(_), None) => {
            let rule = "Member must satisfy enum value set: [AES_256, AES_128]";
            return Err(Refusal::invalid("keySpec", rule));
        }
        (None, Some(length)) if (1..=DATA_KEY_MAX).contains(&length) => length,
        (None, Some(_)) => {
            let rule = format!("Member must have value between 1 and {DATA_KEY_MAX}");
            return Err(Refusal::invalid("numberOfBytes", &rule));
        }
        (None, None) | (Some(_), Some(_)) => {
            return Err(Refusal::new(
                "ValidationException",
                "Please specify either number of bytes or key spec.",
            ));
        }
    };
    let found = request
        .key(state)?
        .usable(Spec::SymmetricDefault, operation)?;
    let failed = || Refusal::failure("KMSInternalException", "There is no randomness.");
    let mut plaintext = vec![0; length];
    getrandom::fill(&mut plaintext).map_err(|_os| failed())?;
    let sealed = cipher::seal(
        found.id,
        &found.key.material.0,
        &request.context(),
        &plaintext,
    )
    .map_err(|cipher::NotSealed| failed())?;
    let mut answer = json!({"KeyId": found.arn(), "CiphertextBlob": Blob(sealed)});
    if operation == "GenerateDataKey"
        && let Some(answer) = answer.as_object_mut()
    {
        answer.insert("Plaintext".to_owned(), json!(Blob(plaintext)));
    }
    Ok(answer)
}

/// `Decrypt`: the ciphertext says by which key; a `KeyId` in the request must be that one.
pub(super) fn decrypt(state: &State, request: &Request) -> Result<Value, Refusal> {
    let ciphertext = bytes(
        request.ciphertext_blob.as_ref(),
        "ciphertextBlob",
        CIPHERTEXT_MAX,
    )?;
    let algorithm = request.encryption_algorithm.as_deref();
    if algorithm.is_some_and(|a| a != "SYMMETRIC_DEFAULT") {
        return Err(Refusal::new(
            "InvalidKeyUsageException",
            "The algorithm does not go with a symmetric key.",
        ));
    }
    let expected = match request.key_id {
        Some(_) => Some(
            request
                .key(state)?
                .usable(Spec::SymmetricDefault, "Decrypt")?,
        ),
        None => None,
    };
    let invalid = |cipher::NotOpened| {
        Refusal::new("InvalidCiphertextException", "The ciphertext is invalid.")
    };
    // A key that is not here and a bent key id look the same.
    let found = cipher::key_id(ciphertext)
        .and_then(|id| state.find(id).ok_or(cipher::NotOpened))
        .map_err(invalid)?;
    if expected.is_some_and(|expected| expected.id != found.id) {
        return Err(Refusal::new(
            "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.",
        ));
    }
    let found = found.usable(Spec::SymmetricDefault, "Decrypt")?;
    let plaintext =
        cipher::open(&found.key.material.0, &request.context(), ciphertext).map_err(invalid)?;
    Ok(json!({
        "KeyId": found.arn(),
        "Plaintext": Blob(plaintext),
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }))
}

/// `GenerateMac`.
pub(super) fn generate_mac(state: &State, request: &Request) -> Result<Value, Refusal> {
    let (found, mac) = mac_of(state, request, "GenerateMac")?;
    Ok(json!({
        "KeyId": found.arn(),
        "Mac": Blob(mac.finalize().into_bytes().to_vec()),
        "MacAlgorithm": "HMAC_SHA_256",
    }))
}

/// `VerifyMac`.
pub(super) fn verify_mac(state: &State, request: &Request) -> Result<Value, Refusal> {
    let given = bytes(request.mac.as_ref(), "mac", CIPHERTEXT_MAX)?;
    let (found, mac) = mac_of(state, request, "VerifyMac")?;
    mac.verify_slice(given)
        .map_err(|_differs| Refusal::new("KMSInvalidMacException", "The MAC is invalid."))?;
    Ok(json!({"KeyId": found.arn(), "MacValid": true, "MacAlgorithm": "HMAC_SHA_256"}))
}

fn mac_of<'a>(
    state: &'a State,
    request: &'a Request,
    operation: &str,
) -> Result<(Found<'a>, Hmac<Sha256>), Refusal> {
    let message = bytes(request.message.as_ref(), "message", MESSAGE_MAX)?;
    let algorithm = required(request.mac_algorithm.as_deref(), "macAlgorithm")?;
    if !MAC_ALGORITHMS.contains(&algorithm) {
        let rule = format!(
            "Member must satisfy enum value set: [{}]",
            MAC_ALGORITHMS.join(", ")
        );
        return Err(Refusal::invalid("macAlgorithm", &rule));
    }
    let found = request.key(state)?.usable(Spec::Hmac256, operation)?;
    if algorithm != "HMAC_SHA_256" {
        let message = format!("Algorithm {algorithm} is incompatible with key spec HMAC_256.");
        return Err(Refusal::new("InvalidKeyUsageException", message));
    }
    // HMAC takes keys of any length, so this never says no (RFC 2104).
    let mac = Hmac::<Sha256>::new_from_slice(&found.key.material.0)
        .map_err(|_length| Refusal::failure("KMSInternalException", "The key is damaged."))?;
    Ok((found, mac.chain_update(message)))
}

/// `DescribeKey`.
pub(super) fn describe(state: &State, request: &Request) -> Result<Value, Refusal> {
    let found = request.key(state)?;
    let Found { id, key } = found;
    let mut metadata = json!({
        "AWSAccountId": ACCOUNT,
        "KeyId": id,
        "Arn": found.arn(),
        "CreationDate": epoch_seconds(key.created_ms),
        "Enabled": key.enabled,
        "Description": key.description,
        "KeyUsage": key.spec.usage(),
        "KeyState": if key.enabled { "Enabled" } else { "Disabled" },
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "KeySpec": key.spec.name(),
        "CustomerMasterKeySpec": key.spec.name(),
        "MultiRegion": false,
    });
    let (name, algorithm) = match key.spec {
        Spec::SymmetricDefault => ("EncryptionAlgorithms", "SYMMETRIC_DEFAULT"),
        Spec::Hmac256 => ("MacAlgorithms", "HMAC_SHA_256"),
        Spec::EccNistP256 => ("SigningAlgorithms", "ECDSA_SHA_256"),
    };
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert(name.to_owned(), json!([algorithm]));
    }
    Ok(json!({"KeyMetadata": metadata}))
}

/// `EnableKey` and `DisableKey`, which take no alias.
pub(super) fn set_enabled(
    state: &mut State,
    request: &Request,
    enabled: bool,
) -> Result<Value, Refusal> {
    let given = required(request.key_id.as_deref(), "keyId")?;
    let id = state.id_of(given)?.to_owned();
    if given.starts_with("alias/") || given.contains(":alias/") {
        return Err(Refusal::new(
            "NotFoundException",
            "The operation takes no alias.",
        ));
    }
    if let Some(key) = state.keys.get_mut(&id) {
        key.enabled = enabled;
    }
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use serde_json::json;

    use super::super::state::Key;
    use super::{Blob, Request, Spec, State, generate_mac, verify_mac};

    #[test]
    fn a_mac_is_that_of_rfc_4231() {
        let key = Key {
            spec: Spec::Hmac256,
            enabled: true,
            description: String::new(),
            created_ms: 0,
            material: Blob(vec![0x0b; 20]),
        };
        let state = State {
            keys: [("k-1".to_owned(), key)].into(),
            ..State::default()
        };
        // Test case 1, "Hi There".
        let mac = "sDRMYdjbOFNcqK/OrwvxK4gdwgDJgz2nJuk3bC4yz/c=";
        let mut request = json!({
            "KeyId": "k-1", "MacAlgorithm": "HMAC_SHA_256", "Message": "SGkgVGhlcmU=", "Mac": mac,
        });
        let read = |request| serde_json::from_value::<Request>(request).unwrap();
        let made = generate_mac(&state, &read(request.clone())).unwrap();
        assert_eq!(made.get("Mac"), Some(&json!(mac)));
        assert!(verify_mac(&state, &read(request.clone())).is_ok());
        request["Mac"] = json!("sDRMYdjbOFNcqK/OrwvxK4gdwgDJgz2nJuk3bC4yz/Y=");
        let refused = verify_mac(&state, &read(request)).unwrap_err();
        assert_eq!(refused.kind(), "KMSInvalidMacException");
    }
}
