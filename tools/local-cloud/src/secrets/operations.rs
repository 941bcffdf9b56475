//! The operations of Secrets Manager, on a state.
//!
//! Promises that a repeated `PutSecretValue` changes nothing, and that one token never stands for two values.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::state::{CURRENT, State, Version};
use crate::amz_json::{Blob, Refusal, epoch_seconds, required};
use crate::calendar::system_ms;
use crate::ids::random_id;
use crate::stack::secret_arn;

const VALUE_MAX: usize = 65_536;
const MAX_STAGES: usize = 20;

/// Every field a supported operation reads.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Request {
    secret_id: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
    client_request_token: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<Blob>,
    version_stages: Option<BTreeSet<String>>,
}

impl Request {
    /// Makes a value the current one.
    pub(super) fn current(secret_id: &str, value: &str) -> Self {
        Self {
            secret_id: Some(secret_id.to_owned()),
            secret_string: Some(value.to_owned()),
            ..Self::default()
        }
    }

    fn secret_id(&self) -> Result<&str, Refusal> {
        required(self.secret_id.as_deref(), "secretId")
    }

    /// The version to put, not yet labelled.
    fn version(&self) -> Result<Version, Refusal> {
        let token = self.client_request_token.clone().unwrap_or_else(random_id);
        if !(32..=64).contains(&token.len()) {
            return Err(Refusal::new(
                "InvalidParameterException",
                "ClientRequestToken must be 32-64 characters long.",
            ));
        }
        let (string, binary) = (self.secret_string.as_deref(), self.secret_binary.as_ref());
        let (length, field) = match (string, binary) {
            (Some(string), None) => (string.len(), "secretString"),
            (None, Some(binary)) => (binary.0.len(), "secretBinary"),
            (None, None) => {
                return Err(Refusal::new(
                    "InvalidRequestException",
                    "You must provide either SecretString or SecretBinary.",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(Refusal::new(
                    "InvalidParameterException",
                    "You can't specify both a binary secret value and a string secret value in the same secret.",
                ));
            }
        };
        if !(1..=VALUE_MAX).contains(&length) {
            let rule = format!("Member must have length between 1 and {VALUE_MAX}");
            return Err(Refusal::invalid(field, &rule));
        }
        Ok(Version::new(token, system_ms(), string, binary))
    }
}

/// `GetSecretValue`: by version, by label, or the current one.
pub(super) fn reveal(state: &State, request: &Request) -> Result<Value, Refusal> {
    let (name, secret) = state.load(request.secret_id()?)?;
    let (id, label) = (&request.version_id, &request.version_stage);
    let by = |wanted: String| {
        let message = format!("Secrets Manager can't find the specified secret value for {wanted}");
        Refusal::new("ResourceNotFoundException", message)
    };
    let version = if let Some(id) = id {
        let version = secret.versions.iter().find(|v| v.id == *id);
        let version = version.ok_or_else(|| by(format!("VersionId: {id}")))?;
        if label.as_ref().is_some_and(|s| !version.stages.contains(s)) {
            return Err(Refusal::new(
                "InvalidRequestException",
                "You provided a VersionStage that is not associated to the provided VersionId.",
            ));
        }
        version
    } else {
        let label = label.as_deref().unwrap_or(CURRENT);
        let version = secret.versions.iter().find(|v| v.stages.contains(label));
        version.ok_or_else(|| by(format!("staging label: {label}")))?
    };
    let mut answer = Map::new();
    for (field, value) in [
        ("ARN", json!(secret_arn(&name))),
        ("Name", json!(name)),
        ("VersionId", json!(version.id)),
        ("VersionStages", json!(version.stages)),
        ("CreatedDate", json!(epoch_seconds(version.created_ms))),
        ("SecretString", json!(version.string)),
        ("SecretBinary", json!(version.binary)),
    ] {
        if !value.is_null() {
            answer.insert(field.to_owned(), value);
        }
    }
    Ok(Value::Object(answer))
}

/// `PutSecretValue`.
pub(super) fn put_value(state: &mut State, request: &Request) -> Result<Value, Refusal> {
    let version = request.version()?;
    let stages = match &request.version_stages {
        Some(stages) if (1..=MAX_STAGES).contains(&stages.len()) => stages.clone(),
        Some(_) => {
            let rule = format!("Member must have length between 1 and {MAX_STAGES}");
            return Err(Refusal::invalid("versionStages", &rule));
        }
        None => [CURRENT.to_owned()].into(),
    };
    let (name, secret) = state.load_mut(request.secret_id()?)?;
    let id = version.id.clone();
    match secret.versions.iter().find(|v| v.id == id) {
        Some(known) if known.holds_the_same_as(&version) => {}
        Some(_) => {
            return Err(Refusal::new(
                "ResourceExistsException",
                "A version with this ClientRequestToken and another value exists already.",
            ));
        }
        None => secret.add(version, stages),
    }
    let put = secret.versions.iter().find(|v| v.id == id);
    let stages = put.map(|v| v.stages.clone()).unwrap_or_default();
    Ok(json!({
        "ARN": secret_arn(&name), "Name": name, "VersionId": id, "VersionStages": stages,
    }))
}

/// `DescribeSecret`: everything but the values.
pub(super) fn describe(state: &State, request: &Request) -> Result<Value, Refusal> {
    let (name, secret) = state.load(request.secret_id()?)?;
    let labelled = secret.versions.iter().filter(|v| !v.stages.is_empty());
    let stages: BTreeMap<&str, &BTreeSet<String>> =
        labelled.map(|v| (v.id.as_str(), &v.stages)).collect();
    Ok(json!({
        "ARN": secret_arn(&name),
        "Name": name,
        "CreatedDate": epoch_seconds(secret.created_ms),
        "LastChangedDate": epoch_seconds(secret.changed_ms),
        "VersionIdsToStages": stages,
    }))
}
