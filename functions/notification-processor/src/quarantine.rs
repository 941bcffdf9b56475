//! Poison: what nobody can act on is set aside by the function itself (docs/operations.md).
//!
//! Owns the dead-letter message: the reason in clear, the content sealed under the key of the day,
//! so that it becomes unreadable with everything else of that day. An unreadable body
//! belongs to nobody we could name, so its salt is that of one fixed subject of the deployment,
//! which stands for no person: [`subject`]. To open one: `Place { table: "notifications", key:
//! "quarantine", field: "body" }`, the day of `at`, and the salt of [`subject`]; a content that was
//! split is joined from its parts, `part` 1 to `parts`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_aws::keyring::Keyring;
use headgate_aws::queue::Queue;
use headgate_domain::identity::SubjectId;
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;
use headgate_lambda::log::{Field, Level, log};
use serde_json::{Map, Value};

use crate::outcome::{Failure, Poison};

/// SQS takes 1 MiB, and base64 makes four bytes of three.
const LARGEST_PART: usize = 700 * 1024;

/// Where sealed poison belongs.
const PLACE: Place<'static> = Place {
    table: "notifications",
    key: "quarantine",
    field: "body",
};

/// The subject whose salt seals what cannot be ascribed to a person.
pub fn subject() -> SubjectId {
    SubjectId::from_random([0; 16])
}

/// The dead-letter queue, written to by the function.
pub(crate) struct Quarantine {
    queue: Queue,
    keyring: Keyring,
}

impl Quarantine {
    pub(crate) const fn new(queue: Queue, keyring: Keyring) -> Self {
        Self { queue, keyring }
    }

    /// Sets poison aside; returning means that SQS has it.
    pub(crate) async fn put(&self, poison: &Poison, now: Timestamp) -> Result<(), Failure> {
        let salt = self.keyring.create_salts(&subject()).await?;
        let content = poison.content.reveal().as_bytes();
        let parts = content.chunks(LARGEST_PART).collect::<Vec<_>>();
        for (index, part) in parts.iter().enumerate() {
            let sealed = self
                .keyring
                .seal_content(now.day(), &salt, &PLACE, part)
                .await?;
            let mut message = told(poison, now);
            message.insert("sealed".to_owned(), STANDARD.encode(sealed).into());
            if parts.len() > 1 {
                message.insert("part".to_owned(), index.saturating_add(1).into());
                message.insert("parts".to_owned(), parts.len().into());
            }
            self.queue
                .send(&Value::Object(message).to_string(), &[])
                .await?;
        }
        if parts.is_empty() {
            self.queue
                .send(&Value::Object(told(poison, now)).to_string(), &[])
                .await?;
        }
        let bytes = Field::count(content.len());
        log(
            Level::Warn,
            "notification_quarantined",
            &[("reason", Field::code(poison.reason)), ("bytes", bytes)],
        );
        Ok(())
    }
}

/// What may be read without a key.
fn told(poison: &Poison, now: Timestamp) -> Map<String, Value> {
    let mut message = Map::new();
    message.insert("reason".to_owned(), poison.reason.into());
    message.insert("why".to_owned(), poison.why.into());
    message.insert("at".to_owned(), now.to_string().into());
    message.insert("bytes".to_owned(), poison.content.reveal().len().into());
    if let Some(index) = poison.index {
        message.insert("index".to_owned(), index.into());
    }
    if let Some(encoding) = poison.encoding {
        message.insert("encoding".to_owned(), encoding.into());
    }
    message
}

#[cfg(test)]
mod tests {
    use headgate_redact::Personal;

    use super::*;

    #[test]
    fn what_is_told_in_clear_holds_nothing_of_the_content() {
        let content = Personal::new("+16135550100 canary".to_owned());
        let poison = Poison {
            reason: "unreadable",
            why: "a message is not a readable object",
            index: Some(3),
            encoding: None,
            content,
        };
        let text = Value::Object(told(&poison, Timestamp::from_seconds(1))).to_string();
        assert!(!text.contains("canary") && !text.contains("1613"), "{text}");
        assert!(
            text.contains("\"bytes\":19") && text.contains("\"index\":3"),
            "{text}"
        );
    }
}
