//! Log lines: one JSON object each, made of fields whose types are allowed to be there (R-304).
//!
//! Owns standard output. An allow-list, not a filter: there is no constructor that takes text
//! from outside, so a body cannot be logged even by mistake.
//!
//! ```compile_fail
//! let body = String::from("whatever came in");
//! headgate_lambda::log::log(headgate_lambda::log::Level::Info, "received", &[("body", (&body).into())]);
//! ```
//!
//! ```compile_fail
//! let body = String::from("whatever came in");
//! let field = headgate_lambda::log::Field::safe(&body);
//! ```

use std::io::Write as _;
use std::sync::{Arc, PoisonError, RwLock};

use headgate_domain::identity::{Pseudonym, SubjectId};
use headgate_domain::record::RecordRef;
use headgate_redact::LogSafe;
use serde_json::{Map, Value};

use crate::clock;

/// How much a line matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// What happened.
    Info,
    /// What should not happen often.
    Warn,
    /// What somebody must look at.
    Error,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// A value that may be logged.
#[derive(Clone, Debug)]
pub struct Field(Value);

impl Field {
    /// A code or word from the source.
    pub fn code(word: &'static str) -> Self {
        Self(Value::from(word))
    }

    /// How many.
    pub fn count(count: usize) -> Self {
        Self(Value::from(count))
    }

    /// A number from a closed or foreign list, such as Meta's error codes.
    pub fn number(number: i64) -> Self {
        Self(Value::from(number))
    }

    /// How long, in milliseconds.
    pub fn milliseconds(milliseconds: i64) -> Self {
        Self(Value::from(milliseconds))
    }

    /// Whether.
    pub fn flag(flag: bool) -> Self {
        Self(Value::from(flag))
    }

    /// The address of a message record. One that was put together from something else than its
    /// parts is not shown.
    pub fn record(reference: &RecordRef) -> Self {
        let text = reference.to_string();
        match RecordRef::parse(&text) {
            Some(_well_formed) => Self(Value::from(text)),
            None => Self(Value::from("malformed")),
        }
    }

    /// A person, by our own random name.
    pub fn subject(subject: &SubjectId) -> Self {
        Self::safe(subject)
    }

    /// A person, by the first characters of a keyed pseudonym.
    pub fn pseudonym(pseudonym: &Pseudonym) -> Self {
        Self::safe(&pseudonym.short())
    }

    /// Anything whose type promises that its `Display` shows nothing.
    pub fn safe(value: &impl LogSafe) -> Self {
        Self(Value::from(value.to_string()))
    }
}

/// Where lines go when they do not go to standard output.
pub type Sink = Arc<dyn Fn(&str) + Send + Sync>;

static SINK: RwLock<Option<Sink>> = RwLock::new(None);

/// Sends all lines of this process to `sink`, as the demo and the canary tests do.
pub fn capture(sink: Sink) {
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = Some(sink);
}

/// Writes one line.
pub fn log(level: Level, event: &'static str, fields: &[(&'static str, Field)]) {
    let line = line(level, event, fields);
    let sink = SINK.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(sink) = sink {
        sink(&line);
    } else {
        // There is nowhere to report a broken standard output to.
        writeln!(std::io::stdout().lock(), "{line}").ok();
    }
}

fn line(level: Level, event: &'static str, fields: &[(&'static str, Field)]) -> String {
    let mut object = Map::new();
    object.insert(
        "timestamp".to_owned(),
        Value::from(clock::system_now().to_string()),
    );
    object.insert("level".to_owned(), Value::from(level.word()));
    object.insert("event".to_owned(), Value::from(event));
    for (name, Field(value)) in fields {
        object.entry(*name).or_insert_with(|| value.clone());
    }
    Value::Object(object).to_string()
}

/// Makes panics log the place in the code and nothing else: a payload may quote what was being
/// handled, for example through an `unwrap` in a dependency.
pub fn silence_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let (file, line) = panic
            .location()
            .map_or(("unknown", 0), |place| (place.file(), place.line()));
        // The file name is the compiler's, so this is the one place that wraps a borrowed text.
        let fields = [
            ("file", Field(Value::from(file))),
            ("line", Field::number(i64::from(line))),
        ];
        log(Level::Error, "panic", &fields);
    }));
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests may fail loudly"
    )]
    use std::sync::Mutex;

    use headgate_domain::lane::Purpose;

    use super::*;

    #[test]
    fn a_line_is_one_json_object_with_typed_fields() {
        let subject = SubjectId::from_random([7; 16]);
        let text = line(
            Level::Warn,
            "refused",
            &[
                ("subject", Field::subject(&subject)),
                ("code", Field::code("no_consent")),
                ("count", Field::count(3)),
                (
                    "event",
                    Field::code("a field cannot take the place of the event"),
                ),
            ],
        );
        assert!(!text.contains('\n'));
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["level"], "WARN");
        assert_eq!(value["event"], "refused");
        assert_eq!(value["subject"], subject.as_str());
        assert_eq!(value["count"], 3);
    }

    #[test]
    fn a_record_reference_with_something_else_in_it_is_not_shown() {
        let forged = RecordRef {
            number: "106540352242922".to_owned(),
            lane: Purpose::Utility,
            shard: 0,
            ulid: "call me on 613".to_owned(),
        };
        let text = line(Level::Info, "x", &[("record", Field::record(&forged))]);
        assert!(!text.contains("call me"));
    }

    #[test]
    fn a_panic_leaves_its_place_and_not_its_words() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        capture(Arc::new(move |line| {
            sink.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line.to_owned());
        }));
        let before = std::panic::take_hook();
        silence_panics();
        let outcome = std::panic::catch_unwind(|| panic!("canary-body"));
        std::panic::set_hook(before);
        assert!(outcome.is_err());
        let lines = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert!(
            lines
                .iter()
                .any(|line| line.contains("\"panic\"") && line.contains("log.rs"))
        );
        assert!(lines.iter().all(|line| !line.contains("canary")));
    }
}
