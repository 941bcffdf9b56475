//! One entry of a dead-letter queue: what it is, why it is there, and what putting it back would put back.
//!
//! Three kinds: a letter of one of our functions (content sealed), a message SQS itself moved after a
//! hundred receives (content as it was), an event that EventBridge could not deliver (wrapped).

use headgate_aws::poison::Letter;
use headgate_aws::queue::Received;
use serde_json::{Map, Value, json};

use crate::cli::QueueArg;

/// SQS moved it, because nobody dealt with it in a hundred receives.
const MOVED_BY_SQS: &str = "moved_by_sqs";
/// EventBridge could not put it on the queue of the apps.
const UNDELIVERED: &str = "undelivered";

/// What an entry is.
pub(super) enum Kind {
    /// Set aside by a function, sealed.
    Letter(Box<Letter>),
    /// Moved by SQS, as it was.
    Moved,
    /// A whole event of EventBridge; what apps get is its detail.
    Event(Value),
}

impl Kind {
    fn of(queue: QueueArg, body: &str) -> Self {
        match Letter::parse(body) {
            Some(letter) => Self::Letter(Box::new(letter)),
            None => event(queue, body).map_or(Self::Moved, Self::Event),
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Letter(letter) => &letter.reason,
            Self::Moved => MOVED_BY_SQS,
            Self::Event(_) => UNDELIVERED,
        }
    }

    fn why(&self) -> &str {
        match self {
            Self::Letter(letter) => &letter.why,
            Self::Moved => "it was received too often without being dealt with",
            Self::Event(_) => "EventBridge could not deliver the event",
        }
    }

    /// Whether two entries of one queue are parts of one content.
    fn belongs_with(&self, other: &Self) -> bool {
        let (Self::Letter(a), Self::Letter(b)) = (self, other) else {
            return false;
        };
        a.parts > 1
            && (a.at, a.bytes, a.parts, a.index) == (b.at, b.bytes, b.parts, b.index)
            && (&a.reason, &a.message_id) == (&b.reason, &b.message_id)
    }
}

/// An entry that was taken and is hidden from others for a while.
pub(super) struct Entry {
    pub(super) queue: QueueArg,
    pub(super) kind: Kind,
    pub(super) message: Received,
}

impl Entry {
    pub(super) fn of(queue: QueueArg, message: Received) -> Self {
        let kind = Kind::of(queue, &message.body);
        Self {
            queue,
            kind,
            message,
        }
    }

    pub(super) fn reason(&self) -> &str {
        self.kind.reason()
    }

    /// When it was set aside, as far as that is known.
    pub(super) fn at(&self) -> String {
        match &self.kind {
            Kind::Letter(letter) => letter.at.to_string(),
            Kind::Moved | Kind::Event(_) => {
                headgate_domain::time::Timestamp::from_millis(self.message.sent_at).to_string()
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.kind {
            Kind::Letter(letter) => letter.bytes,
            Kind::Moved | Kind::Event(_) => self.message.body.len(),
        }
    }

    /// What may be shown without opening anything: no content, and nobody's number.
    pub(super) fn facts(&self) -> Map<String, Value> {
        let mut facts = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                facts.insert(name.to_owned(), value);
            }
        };
        put("id", Some(json!(self.message.id)));
        put("queue", Some(json!(self.queue.word())));
        put("reason", Some(json!(self.reason())));
        put("why", Some(json!(self.kind.why())));
        put("at", Some(json!(self.at())));
        put("bytes", Some(json!(self.bytes())));
        if let Kind::Letter(letter) = &self.kind {
            put("message_id", letter.record.as_ref().map(|r| json!(r)));
            put("sqs_id", letter.message_id.as_ref().map(|id| json!(id)));
            put(
                "producer",
                letter.sender.as_ref().map(|s| json!(s.producer)),
            );
            let sent = letter.sender.as_ref().map(|s| s.sent_at.to_string());
            put("sent_at", sent.map(Value::from));
            put("receives", letter.receives.map(Value::from));
            put("index", letter.index.map(Value::from));
            put("encoding", letter.encoding.as_ref().map(|e| json!(e)));
            if letter.parts > 1 {
                put("part", Some(json!(letter.part)));
                put("parts", Some(json!(letter.parts)));
            }
        } else {
            put("sent_at", Some(json!(self.at())));
        }
        facts
    }

    /// Whether two entries are parts of one content.
    pub(super) fn belongs_with(&self, other: &Self) -> bool {
        self.queue == other.queue && self.kind.belongs_with(&other.kind)
    }
}

/// The detail of a whole EventBridge event on the apps' dead-letter queue.
fn event(queue: QueueArg, body: &str) -> Option<Value> {
    if queue != QueueArg::AppEvents {
        return None;
    }
    let mut event: Value = serde_json::from_str(body).ok()?;
    event.get("detail-type")?;
    event.get_mut("detail").map(Value::take)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_says_why_it_is_there() {
        let letter = r#"{"schema":"headgate.poison/1","source":"utility","reason":"panicked","why":"w","at":"2026-11-22T09:00:00.000Z","bytes":7,"sealed":"AAAA","producer":"AROASHOP","sent_at":1795000000000}"#;
        assert_eq!(Kind::of(QueueArg::Utility, letter).reason(), "panicked");
        let raw = r#"{"to":{"phone":"+16135550100"}}"#;
        assert_eq!(Kind::of(QueueArg::Utility, raw).reason(), MOVED_BY_SQS);
        let event = r#"{"detail-type":"message.sent","detail":{"type":"message.sent"}}"#;
        let detail = Kind::of(QueueArg::AppEvents, event);
        assert!(matches!(&detail, Kind::Event(d) if d["type"] == "message.sent"));
        // The same shape elsewhere is whatever it was there.
        assert_eq!(Kind::of(QueueArg::Consents, event).reason(), MOVED_BY_SQS);
    }

    #[test]
    fn parts_of_one_content_find_each_other() {
        let part = |n: u32, bytes: u32| {
            let body = format!(
                r#"{{"reason":"unreadable","why":"w","at":"2026-11-22T09:00:00.000Z","bytes":{bytes},"sealed":"AAAA","part":{n},"parts":2}}"#
            );
            Kind::of(QueueArg::Notifications, &body)
        };
        assert!(part(1, 900).belongs_with(&part(2, 900)));
        assert!(!part(1, 900).belongs_with(&part(2, 901)));
        assert!(!part(1, 900).belongs_with(&Kind::Moved));
    }
}
