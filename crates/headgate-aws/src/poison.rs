//! Poison: what can never succeed and is no refusal, set aside on a dead-letter queue by the
//! function that met it (docs/operations.md).
//!
//! Owns the letter (docs/data.md, "Dead letters"): reason and pointers in clear, the content sealed
//! under the key of the day, so that it becomes unreadable with everything else of that day
//! (R-305). What cannot be read belongs to nobody we could name, so its salt is that of one fixed
//! subject, which stands for no person: [`subject`]. Whose record it was and when it was sent is
//! bound to the seal: a letter that is put back on its queue proves both, and nobody without the
//! key can write one. It does not decide what poison is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_domain::identity::SubjectId;
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;
use headgate_redact::Personal;
use serde_json::{Map, Value};

use crate::AwsError;
use crate::keyring::{Keyring, KeyringError};
use crate::queue::Queue;

/// The schema every letter names.
pub const SCHEMA: &str = "headgate.poison/1";

/// SQS takes 1 MiB, and base64 makes four bytes of three.
const LARGEST_PART: usize = 700 * 1024;

/// The queue whose letters named no source before there were several.
const FIRST_SOURCE: &str = "notifications";

/// The subject whose salt seals what cannot be ascribed to a person.
pub fn subject() -> SubjectId {
    SubjectId::from_random([0; 16])
}

/// Something to set aside.
pub struct Poison {
    /// The queue it came by, as one word: `utility`, `consents`, `notifications`, …
    pub source: &'static str,
    /// Why, as one word of a closed list.
    pub reason: &'static str,
    /// Why, as a sentence of ours.
    pub why: &'static str,
    /// SQS's id of the message.
    pub message_id: Option<String>,
    /// The public id of the outbox record it belongs to, when one is known.
    pub record: Option<String>,
    /// The principal that sent it, and when; `None` where that proves nothing.
    pub sender: Option<Sender>,
    /// How often it was received.
    pub receives: Option<u32>,
    /// Which entry of a notification it was.
    pub index: Option<usize>,
    /// How the content is encoded.
    pub encoding: Option<&'static str>,
    /// The content.
    pub content: Personal<String>,
}

/// Who sent a message, and when: what the seal vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The role or user.
    pub producer: String,
    /// By SQS's clock.
    pub sent_at: Timestamp,
}

/// Why poison could not be set aside, or a letter not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoisonError {
    /// A key or the sealed value.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The queue.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Consists of texts of ours and of AWS's error names.
impl headgate_redact::LogSafe for PoisonError {}

/// Seals poison and puts it on a dead-letter queue; returning means that SQS has all of it.
///
/// # Errors
/// [`PoisonError`]; the source must then keep the message.
pub async fn set_aside(
    queue: &Queue,
    keyring: &Keyring,
    poison: &Poison,
    now: Timestamp,
) -> Result<(), PoisonError> {
    let salt = keyring.create_salts(&subject()).await?;
    let key = place_key(poison.sender.as_ref());
    let place = place(poison.source, &key);
    let content = poison.content.reveal().as_bytes();
    let parts: Vec<&[u8]> = content.chunks(LARGEST_PART).collect();
    for (index, part) in parts.iter().enumerate() {
        let sealed = keyring.seal_content(now.day(), &salt, &place, part).await?;
        let mut letter = told(poison, now);
        letter.insert("sealed".to_owned(), STANDARD.encode(sealed).into());
        if parts.len() > 1 {
            letter.insert("part".to_owned(), index.saturating_add(1).into());
            letter.insert("parts".to_owned(), parts.len().into());
        }
        queue.send(&Value::Object(letter).to_string(), &[]).await?;
    }
    if parts.is_empty() {
        let letter = Value::Object(told(poison, now)).to_string();
        queue.send(&letter, &[]).await?;
    }
    Ok(())
}

/// What may be read without a key.
fn told(poison: &Poison, now: Timestamp) -> Map<String, Value> {
    let mut letter = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            letter.insert(name.to_owned(), value);
        }
    };
    put("schema", Some(SCHEMA.into()));
    put("source", Some(poison.source.into()));
    put("reason", Some(poison.reason.into()));
    put("why", Some(poison.why.into()));
    put("at", Some(now.to_string().into()));
    put("bytes", Some(poison.content.reveal().len().into()));
    put("message_id", poison.message_id.clone().map(Value::from));
    put("record", poison.record.clone().map(Value::from));
    let sender = poison.sender.as_ref();
    put("producer", sender.map(|s| s.producer.as_str().into()));
    put("sent_at", sender.map(|s| s.sent_at.millis().into()));
    put("receives", poison.receives.map(Value::from));
    put("index", poison.index.map(Value::from));
    put("encoding", poison.encoding.map(Value::from));
    letter
}

/// A letter as it lies on a dead-letter queue; its content is still sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The queue the content came by.
    pub source: String,
    /// Why it was set aside, as one word.
    pub reason: String,
    /// Why, as a sentence.
    pub why: String,
    /// When it was set aside; the day whose key seals it.
    pub at: Timestamp,
    /// How long the content is, all parts together.
    pub bytes: usize,
    /// SQS's id of the message.
    pub message_id: Option<String>,
    /// The public id of the outbox record.
    pub record: Option<String>,
    /// Who sent it, and when.
    pub sender: Option<Sender>,
    /// How often it was received.
    pub receives: Option<u32>,
    /// Which entry of a notification it was.
    pub index: Option<usize>,
    /// How the content is encoded.
    pub encoding: Option<String>,
    /// Which part this is, from 1 on.
    pub part: usize,
    /// How many parts there are.
    pub parts: usize,
    sealed: Vec<u8>,
}

impl Letter {
    /// Reads a body of a dead-letter queue; `None` for one that no function of ours put there.
    pub fn parse(body: &str) -> Option<Self> {
        let Ok(Value::Object(letter)) = serde_json::from_str(body) else {
            return None;
        };
        let text = |name: &str| letter.get(name)?.as_str().map(str::to_owned);
        let count = |name: &str| {
            let number = letter.get(name)?.as_u64()?;
            usize::try_from(number).ok()
        };
        let is_ours = match letter.get("schema") {
            Some(schema) => schema == SCHEMA,
            // The letters of notifications came before the schema had a name.
            None => letter.contains_key("reason") && letter.contains_key("why"),
        };
        if !is_ours {
            return None;
        }
        let sent_at = letter.get("sent_at").and_then(Value::as_i64);
        let sender = match (text("producer"), sent_at) {
            (Some(producer), Some(sent_at)) => Some(Sender {
                producer,
                sent_at: Timestamp::from_millis(sent_at),
            }),
            _ => None,
        };
        let sealed = text("sealed").map_or_else(|| Ok(Vec::new()), |s| STANDARD.decode(s));
        Some(Self {
            source: text("source").unwrap_or_else(|| FIRST_SOURCE.to_owned()),
            reason: text("reason")?,
            why: text("why")?,
            at: Timestamp::parse(&text("at")?).ok()?,
            bytes: count("bytes")?,
            message_id: text("message_id"),
            record: text("record"),
            sender,
            receives: count("receives").and_then(|n| u32::try_from(n).ok()),
            index: count("index"),
            encoding: text("encoding"),
            part: count("part").unwrap_or(1),
            parts: count("parts").unwrap_or(1),
            sealed: sealed.ok()?,
        })
    }

    /// Opens the content of this part, which proves source, sender and time.
    ///
    /// # Errors
    /// [`KeyringError`] when it is past its retention period, was changed, or was never ours.
    pub async fn open(
        &self,
        keyring: &Keyring,
        now: Timestamp,
    ) -> Result<Personal<Vec<u8>>, KeyringError> {
        if self.sealed.is_empty() {
            return Ok(Personal::new(Vec::new()));
        }
        let salt = keyring.salt(&subject()).await?;
        let key = place_key(self.sender.as_ref());
        let place = place(&self.source, &key);
        keyring
            .open_content(self.at.day(), now, &salt, &place, &self.sealed)
            .await
    }
}

const fn place<'a>(source: &'a str, key: &'a str) -> Place<'a> {
    Place {
        table: source,
        key,
        field: "body",
    }
}

fn place_key(sender: Option<&Sender>) -> String {
    sender.map_or_else(
        || "quarantine".to_owned(),
        |s| format!("quarantine/{}/{}", s.producer, s.sent_at.millis()),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    fn poison() -> Poison {
        Poison {
            source: "utility",
            reason: "panicked",
            why: "handling it panicked three times",
            message_id: Some("sqs-1".to_owned()),
            record: None,
            sender: Some(Sender {
                producer: "AROASHOP".to_owned(),
                sent_at: Timestamp::from_millis(1_795_000_000_123),
            }),
            receives: Some(3),
            index: None,
            encoding: None,
            content: Personal::new("+16135550100 canary".to_owned()),
        }
    }

    #[test]
    fn what_is_told_in_clear_holds_nothing_of_the_content() {
        let text = Value::Object(told(&poison(), Timestamp::from_seconds(1))).to_string();
        assert!(!text.contains("canary") && !text.contains("1613"), "{text}");
        let letter = Letter::parse(&text).unwrap();
        assert_eq!((letter.bytes, letter.receives), (19, Some(3)));
        assert_eq!(letter.sender, poison().sender);
    }

    #[test]
    fn the_letters_written_before_the_schema_had_a_name_are_read_and_foreign_ones_are_not() {
        let old = r#"{"reason":"unreadable","why":"a message is not a readable object","at":"2026-11-22T09:00:00.000Z","bytes":4,"index":3,"sealed":"AAAA"}"#;
        let letter = Letter::parse(old).unwrap();
        assert_eq!(
            (letter.source.as_str(), letter.index),
            ("notifications", Some(3))
        );
        for foreign in [
            "",
            "[]",
            "{}",
            r#"{"schema":"headgate.outbound/1","reason":"x","why":"y","at":"2026-11-22T09:00:00.000Z","bytes":1}"#,
        ] {
            assert_eq!(Letter::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn the_seal_is_bound_to_the_sender() {
        let sender = poison().sender.unwrap();
        let other = Sender {
            producer: "AROAOTHER".to_owned(),
            ..sender.clone()
        };
        assert_ne!(place_key(Some(&sender)), place_key(Some(&other)));
        assert_eq!(place_key(None), "quarantine");
    }
}
