//! AWS JSON 1.1, as KMS, Secrets Manager and EventBridge speak it: bytes in base64, refusals with a `__type`.
//!
//! Promises that a refusal never quotes a request. Deliberately knows no operation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::host;
use crate::ids::random_id;

/// A refused request: the name of the error's shape, a sentence, a status.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub(crate) struct Refusal {
    kind: &'static str,
    message: String,
    status: StatusCode,
}

impl Refusal {
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: StatusCode::BAD_REQUEST,
        }
    }

    /// The service failed; SDKs try again.
    pub(crate) fn failure(kind: &'static str, message: &str) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Self::new(kind, message)
        }
    }

    pub(crate) fn unknown_operation() -> Self {
        Self::new(
            "UnknownOperationException",
            "The operation is not supported locally.",
        )
    }

    /// A field breaks a rule of the API's model.
    pub(crate) fn invalid(field: &str, rule: &str) -> Self {
        let message = format!(
            "1 validation error detected: Value at '{field}' failed to satisfy constraint: {rule}"
        );
        Self::new("ValidationException", message)
    }

    #[cfg(test)]
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }
}

/// Bytes, which JSON carries in base64.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD
            .decode(text)
            .map(Self)
            .map_err(|_quotes_content| D::Error::custom("not base64"))
    }
}

/// Reads a request.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|_quotes_content| {
        Refusal::new("SerializationException", "The request cannot be read.")
    })
}

/// A field that must be there.
pub(crate) fn required<'a, T: ?Sized>(field: Option<&'a T>, name: &str) -> Result<&'a T, Refusal> {
    field.ok_or_else(|| Refusal::invalid(name, "Member must not be null"))
}

/// A field of bytes that must be there, of 1 to `most` bytes.
pub(crate) fn bytes<'a>(
    field: Option<&'a Blob>,
    name: &str,
    most: usize,
) -> Result<&'a [u8], Refusal> {
    let bytes = required(field, name)?.0.as_slice();
    if (1..=most).contains(&bytes.len()) {
        return Ok(bytes);
    }
    let rule = format!("Member must have length between 1 and {most}");
    Err(Refusal::invalid(name, &rule))
}

/// A time as AWS JSON writes it.
#[allow(
    clippy::cast_precision_loss,
    reason = "milliseconds since the epoch fit into 52 bits"
)]
pub(crate) fn epoch_seconds(at_ms: i64) -> f64 {
    at_ms as f64 / 1000.0
}

/// The response with an answer or a refusal.
pub(crate) fn respond(result: Result<Value, Refusal>) -> Response<Bytes> {
    let (status, body) = match result {
        Ok(answer) => (StatusCode::OK, answer),
        Err(refusal) => (
            refusal.status,
            json!({"__type": refusal.kind, "message": refusal.message}),
        ),
    };
    let mut response = host::json(status, body.to_string());
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    if let Ok(id) = HeaderValue::from_str(&random_id()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
