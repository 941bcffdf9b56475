//! A person's choice that their data be neither sold nor shared (CCPA 1798.120, 11 CCR 7025 and 7026; R-312).
//!
//! Headgate sells and shares nothing, so the choice changes nothing in here: it is proven once and told to
//! the apps, whose systems may hold what is sold elsewhere. Owns the ways it is said in, the record that the
//! public pages put on the consents queue, and the event. There is no way back: who changes their mind tells
//! the business, which asks nobody again.

use serde::Deserialize;

use crate::event::Event;
use crate::identity::SubjectId;
use crate::time::Timestamp;

/// What a ledger event of it names as its purpose.
pub const PURPOSE: &str = "sale_share";
/// The schema of its record on the consents queue.
const SCHEMA: &str = "headgate.do_not_sell/1";

/// How it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// With the button behind a person's link.
    Link,
    /// By a browser that sends Global Privacy Control to a page behind a person's link.
    Gpc,
    /// With words in the chat.
    Keyword,
    /// With a button in the chat.
    QuickReply,
}

impl Way {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Link, Self::Gpc, Self::Keyword, Self::QuickReply];

    /// The word for it, as stored and as apps are told.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Gpc => "gpc",
            Self::Keyword => "keyword",
            Self::QuickReply => "quick_reply",
        }
    }

    /// The way behind a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.word() == word)
    }
}

/// The choice, as it is on record of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoNotSell {
    /// When it was made first.
    pub at: Timestamp,
    /// How.
    pub way: Way,
    /// What it came by, so that a redelivery is told from a repetition.
    pub source: String,
    /// The ledger event that proves it; absent until it is written.
    pub event: Option<String>,
}

impl DoNotSell {
    /// What apps are told, once it is proven.
    pub fn told(
        &self,
        subject: &SubjectId,
        reference: Option<String>,
        ledger_event: &str,
    ) -> Event {
        Event::new("subject.do_not_sell", self.at, &[ledger_event])
            .with_subject(Some(subject))
            .with_reference(reference)
            .with("method", self.way.word())
            .with("ledger_event", ledger_event)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<'a> {
    schema: &'a str,
    subject: &'a str,
    method: &'a str,
}

/// The record by which the pages pass the choice on.
pub fn record(subject: &SubjectId, way: Way) -> String {
    serde_json::json!({ "schema": SCHEMA, "subject": subject.as_str(), "method": way.word() })
        .to_string()
}

/// Whose choice a record is, and how it was made; `None` for any other record. What is said in the chat is heard
/// there, and never queued.
pub fn in_record(body: &str) -> Option<(SubjectId, Way)> {
    let record: Record<'_> = serde_json::from_str(body).ok()?;
    let way = Way::from_word(record.method).filter(|way| matches!(way, Way::Link | Way::Gpc))?;
    let subject = SubjectId::parse(record.subject).ok()?;
    (record.schema == SCHEMA).then_some((subject, way))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_whose_choice_it_is_and_nothing_else_passes_for_one() {
        let subject = SubjectId::from_random([7; 16]);
        for way in Way::ALL {
            assert_eq!(Way::from_word(way.word()), Some(way));
            let read = in_record(&record(&subject, way));
            let is_queued = matches!(way, Way::Link | Way::Gpc);
            assert_eq!(read, is_queued.then(|| (subject.clone(), way)));
        }
        let good = record(&subject, Way::Link);
        for (from, to) in [
            ("do_not_sell/1", "do_not_sell/2"),
            ("sub_", "+1613"),
            ("link", "paper"),
            ("{", "{\"id\":\"1\","),
            ("{", "["),
        ] {
            assert_eq!(in_record(&good.replacen(from, to, 1)), None, "{from} {to}");
        }
    }

    #[test]
    fn the_same_choice_is_the_same_event_whenever_it_is_told() {
        let subject = SubjectId::from_random([7; 16]);
        let at = Timestamp::from_seconds(1_795_000_000);
        let choice = |source: &str| DoNotSell {
            at,
            way: Way::Gpc,
            source: source.to_owned(),
            event: None,
        };
        let one = choice("a").told(&subject, None, "L0.1");
        assert_eq!(
            one.event_id,
            choice("b").told(&subject, None, "L0.1").event_id
        );
        assert_ne!(
            one.event_id,
            choice("a").told(&subject, None, "L0.2").event_id
        );
    }
}
