//! Signing with a key pair on P-256.
//!
//! Promises ECDSA over SHA-256 of the message, in ASN.1 DER, and the public key as `SubjectPublicKeyInfo`, as KMS
//! gives both. Deliberately takes no digest in a message's place: the library under it hashes by itself.

use anyhow::{Result, anyhow};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::operations::{MESSAGE_MAX, Request};
use super::state::{Found, Key, Spec, State};
use crate::amz_json::{Blob, Refusal, bytes, required};

const ALGORITHM: &str = "ECDSA_SHA_256";
/// What stands before the point in the DER of a public key on P-256 (RFC 5480).
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A new key pair, as PKCS #8.
pub(super) fn new_material() -> Result<Vec<u8>> {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
        .map(|document| document.as_ref().to_vec())
        .map_err(|_os| anyhow!("there is no randomness for a key"))
}

/// `Sign`.
pub(super) fn sign(state: &State, request: &Request) -> Result<Value, Refusal> {
    let message = bytes(request.message.as_ref(), "message", MESSAGE_MAX)?;
    match request.message_type.as_deref() {
        None | Some("RAW") => {}
        Some(_) => {
            let rule = "Member must satisfy enum value set: [RAW]: no digest is signed locally";
            return Err(Refusal::invalid("messageType", rule));
        }
    }
    let algorithm = required(request.signing_algorithm.as_deref(), "signingAlgorithm")?;
    let found = request.key(state)?.usable(Spec::EccNistP256, "Sign")?;
    if algorithm != ALGORITHM {
        let message = format!("Algorithm {algorithm} is incompatible with key spec ECC_NIST_P256.");
        return Err(Refusal::new("InvalidKeyUsageException", message));
    }
    let signature = pair(found.key)?
        .sign(&SystemRandom::new(), message)
        .map_err(|_os| Refusal::failure("KMSInternalException", "There is no randomness."))?;
    Ok(json!({
        "KeyId": found.arn(),
        "Signature": Blob(signature.as_ref().to_vec()),
        "SigningAlgorithm": ALGORITHM,
    }))
}

/// `GetPublicKey`.
pub(super) fn public_key(state: &State, request: &Request) -> Result<Value, Refusal> {
    let found: Found<'_> = request
        .key(state)?
        .usable(Spec::EccNistP256, "GetPublicKey")?;
    let pair = pair(found.key)?;
    let der = [&SPKI_PREFIX[..], pair.public_key().as_ref()].concat();
    let spec = found.key.spec;
    Ok(json!({
        "KeyId": found.arn(),
        "PublicKey": Blob(der),
        "KeySpec": spec.name(),
        "CustomerMasterKeySpec": spec.name(),
        "KeyUsage": spec.usage(),
        "SigningAlgorithms": [ALGORITHM],
    }))
}

fn pair(key: &Key) -> Result<EcdsaKeyPair, Refusal> {
    let random = SystemRandom::new();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.material.0, &random)
        .map_err(|_form| Refusal::failure("KMSInternalException", "The key is damaged."))
}
