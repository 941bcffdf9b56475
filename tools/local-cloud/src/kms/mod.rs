//! KMS: keys that wrap data keys, make MACs and sign, the part of it that Headgate uses.
//!
//! Promises real AES-256-GCM under the encryption context, real HMAC-SHA-256 and real ECDSA on P-256, key ids that follow from the
//! template, ciphertexts that name their key, and the errors AWS answers with.
//! Deliberately has no other asymmetric keys, no grants and no rotation: one key is one piece of material for good. A
//! ciphertext opens here and nowhere else; AWS does not publish its own form.

mod cipher;
mod operations;
mod signing;
mod state;

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};
use bytes::Bytes;
use http::Response;
use serde_json::Value;

use crate::amz_json::{self, Blob, Refusal};
use crate::calendar::system_ms;
use crate::stack::text;
use crate::vault::{Unsaved, Vault};
use operations::Request;
use state::{Key, Spec, State};

/// The keys of the template.
pub(crate) struct Keys {
    vault: Vault<State>,
}

impl Keys {
    /// Opens the service with what its file holds.
    pub(crate) fn open(file: Option<PathBuf>) -> Result<Self> {
        Ok(Self {
            vault: Vault::open("kms", file)?,
        })
    }

    /// Creates the keys of the template that do not exist yet, and points its aliases at their keys.
    pub(crate) fn create(
        &self,
        keys: &[(String, Value)],
        aliases: &[(String, String)],
    ) -> Result<()> {
        self.vault.change(|state| {
            for (id, properties) in keys {
                if !state.keys.contains_key(id) {
                    state.keys.insert(id.clone(), new_key(properties)?);
                }
            }
            for (name, target) in aliases {
                let target = target.rsplit('/').next().unwrap_or_default();
                state.aliases.insert(name.clone(), target.to_owned());
            }
            Ok(())
        })
    }

    /// Writes the state to its file.
    pub(crate) fn save(&self) -> Result<(), Unsaved> {
        self.vault.save()
    }

    /// Answers a request of an SDK.
    pub(crate) fn answer(&self, operation: &str, body: &[u8]) -> Response<Bytes> {
        amz_json::respond(self.dispatch(operation, body))
    }

    fn dispatch(&self, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
        let request: Request = amz_json::read(body)?;
        match operation {
            "Decrypt" => operations::decrypt(&self.vault.state(), &request),
            "DescribeKey" => operations::describe(&self.vault.state(), &request),
            "DisableKey" => self
                .vault
                .change(|state| operations::set_enabled(state, &request, false)),
            "EnableKey" => self
                .vault
                .change(|state| operations::set_enabled(state, &request, true)),
            "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => {
                operations::generate_data_key(&self.vault.state(), &request, operation)
            }
            "GetPublicKey" => signing::public_key(&self.vault.state(), &request),
            "Sign" => signing::sign(&self.vault.state(), &request),
            "GenerateMac" => operations::generate_mac(&self.vault.state(), &request),
            "VerifyMac" => operations::verify_mac(&self.vault.state(), &request),
            _ => Err(Refusal::unknown_operation()),
        }
    }
}

/// A key as `AWS::KMS::Key` describes it, with material of its own.
fn new_key(properties: &Value) -> Result<Key> {
    let property = |name: &str, default: &str| {
        properties
            .get(name)
            .map_or_else(|| default.to_owned(), text)
    };
    let spec = match property("KeySpec", "SYMMETRIC_DEFAULT").as_str() {
        "SYMMETRIC_DEFAULT" => Spec::SymmetricDefault,
        "HMAC_256" => Spec::Hmac256,
        "ECC_NIST_P256" => Spec::EccNistP256,
        other => bail!("key spec {other} is not supported locally"),
    };
    let usage = property("KeyUsage", "ENCRYPT_DECRYPT");
    if usage != spec.usage() {
        bail!(
            "key usage {usage} does not go with key spec {}",
            spec.name()
        );
    }
    let material = if spec == Spec::EccNistP256 {
        signing::new_material()?
    } else {
        let mut material = vec![0; cipher::KEY];
        getrandom::fill(&mut material)
            .map_err(|_os| anyhow!("there is no randomness for a key"))?;
        material
    };
    Ok(Key {
        spec,
        enabled: property("Enabled", "true") == "true",
        description: property("Description", ""),
        created_ms: system_ms(),
        material: Blob(material),
    })
}
