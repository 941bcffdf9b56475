//! Secrets Manager: secrets with versions and staging labels, the part of it that Headgate uses.
//!
//! Promises ARNs that survive a restart, and that a new current version makes the one before it the previous one.
//! Deliberately has no deletion, rotation or replication: the template makes secrets, and they stay.

mod operations;
mod state;

use std::path::PathBuf;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Response;
use serde_json::Value;

use crate::amz_json::{self, Refusal};
use crate::calendar::system_ms;
use crate::ids::random_id;
use crate::vault::{Unsaved, Vault};
use operations::Request;
use state::{Secret, State, Version};

/// The secrets of the template.
pub(crate) struct Secrets {
    vault: Vault<State>,
}

impl Secrets {
    /// Opens the service with what its file holds.
    pub(crate) fn open(file: Option<PathBuf>) -> Result<Self> {
        Ok(Self {
            vault: Vault::open("secretsmanager", file)?,
        })
    }

    /// Creates the secrets of the template that do not exist yet; `None` is a secret without a value.
    pub(crate) fn create(&self, secrets: &[(String, Option<String>)]) -> Result<()> {
        self.vault.change(|state| {
            for (name, value) in secrets {
                if state.secrets.contains_key(name) {
                    continue;
                }
                let mut secret = Secret::new(system_ms());
                if let Some(value) = value {
                    let version = Version::new(random_id(), system_ms(), Some(value), None);
                    secret.add(version, ["AWSCURRENT".to_owned()].into());
                }
                state.secrets.insert(name.clone(), secret);
            }
            Ok(())
        })
    }

    /// Makes `value` the current version of a secret, named by name or ARN.
    pub(crate) fn put(&self, name: &str, value: &str) -> Result<()> {
        let request = Request::current(name, value);
        self.vault
            .change(|state| operations::put_value(state, &request))
            .map(drop)
            .with_context(|| format!("secret {name} cannot be written"))
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
            "DescribeSecret" => operations::describe(&self.vault.state(), &request),
            "GetSecretValue" => operations::reveal(&self.vault.state(), &request),
            "PutSecretValue" => self
                .vault
                .change(|state| operations::put_value(state, &request)),
            _ => Err(Refusal::unknown_operation()),
        }
    }
}
