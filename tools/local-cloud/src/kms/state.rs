//! What KMS keeps: keys by id, aliases by name.
//!
//! Promises that a key is found by id, ARN, alias and alias ARN, and under no other account or region.
//! Deliberately has no `Debug`: key material is in here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amz_json::{Blob, Refusal};
use crate::stack::{ACCOUNT, REGION};

/// The content of `kms.json`.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) keys: BTreeMap<String, Key>,
    /// Name → key id.
    pub(super) aliases: BTreeMap<String, String>,
}

/// A key.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) spec: Spec,
    pub(super) enabled: bool,
    pub(super) description: String,
    pub(super) created_ms: i64,
    pub(super) material: Blob,
}

/// What a key is made of, and with that what it is for.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Spec {
    #[serde(rename = "SYMMETRIC_DEFAULT")]
    SymmetricDefault,
    #[serde(rename = "HMAC_256")]
    Hmac256,
    #[serde(rename = "ECC_NIST_P256")]
    EccNistP256,
}

impl Spec {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SymmetricDefault => "SYMMETRIC_DEFAULT",
            Self::Hmac256 => "HMAC_256",
            Self::EccNistP256 => "ECC_NIST_P256",
        }
    }

    pub(super) fn usage(self) -> &'static str {
        match self {
            Self::SymmetricDefault => "ENCRYPT_DECRYPT",
            Self::Hmac256 => "GENERATE_VERIFY_MAC",
            Self::EccNistP256 => "SIGN_VERIFY",
        }
    }
}

/// A key that was found.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) id: &'a str,
    pub(super) key: &'a Key,
}

impl Found<'_> {
    pub(super) fn arn(self) -> String {
        arn(&format!("key/{}", self.id))
    }

    /// Refuses a key that is disabled or for something else.
    pub(super) fn usable(self, spec: Spec, operation: &str) -> Result<Self, Refusal> {
        if !self.key.enabled {
            let message = format!("{} is disabled.", self.arn());
            return Err(Refusal::new("DisabledException", message));
        }
        if self.key.spec != spec {
            let message = format!(
                "{} key usage is {} which is not valid for {operation}.",
                self.arn(),
                self.key.spec.usage()
            );
            return Err(Refusal::new("InvalidKeyUsageException", message));
        }
        Ok(self)
    }
}

impl State {
    /// The id of the key that an id, an ARN, an alias or an alias ARN names.
    pub(super) fn id_of<'a>(&'a self, given: &'a str) -> Result<&'a str, Refusal> {
        let resource = given.strip_prefix(&arn(""));
        let alias = resource.unwrap_or(given);
        let id = if alias.starts_with("alias/") {
            self.aliases.get(alias).ok_or_else(|| {
                let message = format!("Alias {} is not found.", arn(alias));
                Refusal::new("NotFoundException", message)
            })?
        } else {
            match resource {
                Some(resource) => resource.strip_prefix("key/").unwrap_or(given),
                None => given,
            }
        };
        if self.keys.contains_key(id) {
            return Ok(id);
        }
        let message = format!("Key '{}' does not exist", arn(&format!("key/{id}")));
        Err(Refusal::new("NotFoundException", message))
    }

    /// The key that an id, an ARN, an alias or an alias ARN names.
    pub(super) fn load<'a>(&'a self, given: &'a str) -> Result<Found<'a>, Refusal> {
        let id = self.id_of(given)?;
        self.find(id)
            .ok_or_else(|| Refusal::new("NotFoundException", "The key does not exist"))
    }

    /// The key with an id.
    pub(super) fn find<'a>(&'a self, id: &'a str) -> Option<Found<'a>> {
        self.keys.get(id).map(|key| Found { id, key })
    }
}

fn arn(resource: &str) -> String {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:{resource}")
}

#[cfg(test)]
mod tests {
    use super::{Blob, Key, Spec, State};

    #[test]
    fn a_key_is_found_by_its_four_names_and_no_other() {
        let key = Key {
            spec: Spec::Hmac256,
            enabled: true,
            description: String::new(),
            created_ms: 0,
            material: Blob::default(),
        };
        let state = State {
            keys: [("k-1".to_owned(), key)].into(),
            aliases: [("alias/a".to_owned(), "k-1".to_owned())].into(),
        };
        let check = |given: &str, found: bool| {
            let id = state.id_of(given);
            assert_eq!(id.as_ref().ok().copied() == Some("k-1"), found, "{given}");
            assert!(found || id.is_err_and(|e| e.kind() == "NotFoundException"));
        };
        check("k-1", true);
        check("alias/a", true);
        check("arn:aws:kms:eu-west-1:123456789012:key/k-1", true);
        check("arn:aws:kms:eu-west-1:123456789012:alias/a", true);
        check("key/k-1", false);
        check("alias/b", false);
        check("a", false);
        check("arn:aws:kms:eu-west-1:123456789012:k-1", false);
        check("arn:aws:kms:us-east-1:123456789012:key/k-1", false);
        check("arn:aws:kms:eu-west-1:210987654321:alias/a", false);
        check("", false);
    }
}
