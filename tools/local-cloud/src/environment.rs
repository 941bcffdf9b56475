//! What a function is given, read from the template: variables, endpoints, properties; and the stack's outputs.
//!
//! Promises resolved values, as Lambda would set them. Deliberately sets nothing in this process.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::LocalCloud;
use crate::stack::{REGION, role_id, text};

/// Who everybody is here that is no function.
pub(crate) const ACCESS_KEY_ID: &str = "local";
/// Before the id of a function's role, in the key that the function has.
const OF_A_ROLE: &str = "local.";
/// What they sign with.
pub(crate) const SECRET_ACCESS_KEY: &str = "local";

/// Whether a key is one of those given out here.
pub(crate) fn is_access_key(key: &str) -> bool {
    key == ACCESS_KEY_ID || role_of(key).is_some()
}

/// The id of the role whose key it is; `None` for the key of everybody else.
pub(crate) fn role_of(key: &str) -> Option<&str> {
    key.strip_prefix(OF_A_ROLE)
}

/// The session of the role whose key signed; `None` for the key that everybody else has.
pub(crate) fn caller(headers: &http::HeaderMap) -> Option<String> {
    let signed = headers.get("authorization")?.to_str().ok()?;
    let (_, credential) = signed.split_once("Credential=")?;
    let role = role_of(credential.split('/').next()?)?;
    Some(format!("{role}:local"))
}

impl LocalCloud {
    /// The variables with which an SDK finds the local services.
    pub fn aws_environment(&self) -> BTreeMap<String, String> {
        let mut out: BTreeMap<String, String> = [
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for (service, url) in &self.endpoints {
            out.insert(
                format!("AWS_ENDPOINT_URL_{}", service.variable()),
                url.clone(),
            );
        }
        out
    }

    /// The environment of a function: what the template says, resolved, and [`Self::aws_environment`] with
    /// a key of its role's own, by which SQS knows who sends.
    ///
    /// # Errors
    /// If the template has no such function or refers to something unknown.
    pub fn function_environment(&self, logical_id: &str) -> Result<BTreeMap<String, String>> {
        let mut out = self.aws_environment();
        let role = self.function_property(logical_id, "Role")?;
        if let Some(role) = role.as_ref().map(text) {
            let name = role.rsplit(':').next().unwrap_or_default();
            let key = format!("{OF_A_ROLE}{}", role_id(name));
            out.insert("AWS_ACCESS_KEY_ID".to_owned(), key);
        }
        let variables = self.function_property(logical_id, "Environment")?;
        for (name, value) in variables
            .as_ref()
            .and_then(|e| e.get("Variables"))
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            out.insert(name.clone(), text(value));
        }
        Ok(out)
    }

    /// One property of a function, `Globals` merged in and resolved: `Timeout`, `MemorySize`.
    ///
    /// # Errors
    /// If the template has no such function or refers to something unknown.
    pub fn function_property(&self, logical_id: &str, property: &str) -> Result<Option<Value>> {
        let (kind, properties) = self.root.properties(logical_id)?;
        if kind != "AWS::Serverless::Function" {
            bail!("{logical_id} is not a function");
        }
        self.root.property(&properties, property)
    }

    /// An output: `Data.NotificationsQueueUrl` of a nested stack, `PrivacyUrl` of the root.
    pub fn output(&self, path: &str) -> Option<String> {
        match path.split_once('.') {
            Some((nested, output)) => self.root.child(nested).ok()??.output(output).ok(),
            None => self.root.output(path).ok(),
        }
    }
}
