//! App events: what an app is told, in one envelope for every type.
//!
//! `event_id` is derived from what happened, so a repeated notification or a retried publish is
//! recognised by the app. The envelope never carries a number, a wamid or a name; only
//! `inbound.message` carries what a person wrote, because the app is who they wrote to.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::identity::SubjectId;
use crate::record::{RecordRef, State};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// The schema every envelope names.
pub const SCHEMA: &str = "headgate.event/1";

/// One app event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    schema: &'static str,
    /// Deterministic: the same happening always has the same id.
    pub event_id: String,
    /// The detail type, such as `message.delivered`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When it happened.
    pub at: Timestamp,
    /// The public id of the message, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The app's own id of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The app's own key of the person.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What the type adds.
    pub data: Map<String, Value>,
}

impl Event {
    /// An event of a type; `same` is what makes two reports of one happening equal.
    pub fn new(kind: &'static str, at: Timestamp, same: &[&str]) -> Self {
        Self {
            schema: SCHEMA,
            event_id: event_id(kind, same),
            kind,
            at,
            message_id: None,
            id: None,
            subject: None,
            reference: None,
            data: Map::new(),
        }
    }

    /// A message event of a record.
    pub fn of_message(kind: &'static str, at: Timestamp, record: &RecordRef) -> Self {
        let message_id = record.message_id();
        let mut event = Self::new(kind, at, &[&message_id]);
        event.message_id = Some(message_id);
        event
    }

    /// A refusal of a message that has no record: `source` identifies the delivery that was refused.
    pub fn refused(at: Timestamp, refusal: &Refusal, source: &str) -> Self {
        let mut event = Self::new("message.refused", at, &[source, refusal.code.word()]);
        event.data = refusal_data(refusal);
        event
    }

    /// Adds the app's id.
    #[must_use]
    pub fn with_id(mut self, id: Option<String>) -> Self {
        self.id = id;
        self
    }

    /// Adds the subject.
    #[must_use]
    pub fn with_subject(mut self, subject: Option<&SubjectId>) -> Self {
        self.subject = subject.map(ToString::to_string);
        self
    }

    /// Adds the app's key of the person.
    #[must_use]
    pub fn with_reference(mut self, reference: Option<String>) -> Self {
        self.reference = reference;
        self
    }

    /// Adds one member of `data`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// The envelope as JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// `data` of a refusal: code, sentence, remedy and, if one field is at fault, where and why.
pub fn refusal_data(refusal: &Refusal) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("code".into(), json!(refusal.code.word()));
    data.insert("message".into(), json!(refusal.code.sentence()));
    data.insert("remedy".into(), json!(refusal.code.remedy()));
    if let Some(field) = refusal.field {
        data.insert("field".into(), json!(field));
    }
    if let Some(why) = refusal.why {
        data.insert("why".into(), json!(why));
    }
    data
}

/// The detail type that a record's new state is published as; none for states apps do not see.
pub const fn message_event(state: State) -> Option<&'static str> {
    match state {
        State::Held => Some("message.held"),
        State::Sent => Some("message.sent"),
        State::Delivered => Some("message.delivered"),
        State::Read => Some("message.read"),
        State::Played => Some("message.played"),
        State::Failed => Some("message.failed"),
        State::Unknown => Some("message.unknown"),
        State::Cancelled => Some("message.cancelled"),
        State::Queued | State::Scheduled | State::Accepted | State::Ambiguous => None,
    }
}

fn event_id(kind: &str, same: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in std::iter::once(&kind).chain(same) {
        hash.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut id = "evt_".to_owned();
    for byte in hash.finalize().iter().take(16) {
        // Writing to a string cannot fail.
        write!(id, "{byte:02x}").unwrap_or_default();
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_happening_has_the_same_id_and_another_has_not() {
        let at = Timestamp::from_seconds(1);
        let a = Event::new("message.sent", at, &["msg_1"]);
        assert_eq!(
            a.event_id,
            Event::new("message.sent", at.plus_millis(5), &["msg_1"]).event_id
        );
        assert_ne!(
            a.event_id,
            Event::new("message.read", at, &["msg_1"]).event_id
        );
        assert_ne!(event_id("x", &["ab", "c"]), event_id("x", &["a", "bc"]));
    }
}
