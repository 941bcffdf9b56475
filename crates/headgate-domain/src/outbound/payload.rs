//! The payload: what of a message is sealed, and what goes to Meta of it.

use serde_json::{Map, Value};

use super::Basis;
use crate::consent::Topic;
use crate::time::Timestamp;

/// What is sealed in the outbox: everything about a message that names a person or was written by one.
///
/// # Privacy
/// Only ever stored sealed under the content key of the day of acceptance; has no `Debug`.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Payload {
    /// The phone number, E.164.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phone: Option<String>,
    /// The business-scoped user id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bsuid: Option<String>,
    /// The key of the account that a code is for; Meta does not deliver it to an account with another.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identity_key: Option<String>,
    /// Keys of the `suppression` table, sealed so that it cannot be joined with traffic.
    pub suppression: Vec<String>,
    /// Meta's message object, wamids included.
    pub message: Map<String, Value>,
    /// The app's id.
    pub id: String,
    /// The app's key of the person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<String>,
    /// The basis as the app gave it.
    pub basis: Value,
    /// What the message is about, within its purpose.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub topic: Option<Topic>,
}

impl Payload {
    /// The bytes to seal.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads opened bytes; `None` when they are not a payload.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The request body for the Graph API: Meta's message object with the envelope Headgate owns.
    pub fn graph_body(&self, opaque: &str) -> Value {
        let mut body = self.message.clone();
        body.insert("messaging_product".into(), "whatsapp".into());
        if !body.contains_key("status") {
            body.insert("recipient_type".into(), "individual".into());
            match (&self.phone, &self.bsuid) {
                (Some(phone), _) => body.insert("to".into(), phone.as_str().into()),
                (None, Some(bsuid)) => body.insert("recipient".into(), bsuid.as_str().into()),
                (None, None) => None,
            };
            if let Some(key) = &self.identity_key {
                body.insert("recipient_identity_key_hash".into(), key.as_str().into());
            }
            body.insert("biz_opaque_callback_data".into(), opaque.into());
        }
        Value::Object(body)
    }
}

/// The basis as JSON, for the sealed payload.
pub fn basis_json(basis: &Basis) -> Value {
    match basis {
        Basis::Consent => serde_json::json!({"kind": "consent"}),
        Basis::UserAction { at } => serde_json::json!({"kind": "user_action", "at": at}),
        Basis::Contract { reference } => {
            serde_json::json!({"kind": "contract", "reference": reference})
        }
        Basis::System { kind } => serde_json::json!({"kind": "system", "system": kind.word()}),
    }
}

/// Reads a basis back from a sealed payload; anything unreadable falls back to consent, the strictest.
pub fn basis_from_json(value: &Value) -> Basis {
    match value.get("kind").and_then(Value::as_str) {
        Some("user_action") => value
            .get("at")
            .and_then(Value::as_str)
            .and_then(|t| Timestamp::parse(t).ok())
            .map_or(Basis::Consent, |at| Basis::UserAction { at }),
        Some("contract") => Basis::Contract {
            reference: value
                .get("reference")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        },
        Some("system") => value
            .get("system")
            .and_then(Value::as_str)
            .and_then(crate::system::Kind::from_word)
            .map_or(Basis::Consent, |kind| Basis::System { kind }),
        Some(_) | None => Basis::Consent,
    }
}
