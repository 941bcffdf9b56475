//! Reading loosely shaped JSON without ever failing the neighbours.
//!
//! Owns the small readers: a list that may be absent, a text that may be a number, a time in
//! seconds that may be either. Nothing here keeps an error of `serde_json`: they quote the input.

use headgate_domain::identity::{Bsuid, Phone};
use headgate_domain::time::Timestamp;
use headgate_redact::Personal;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Meta gives seconds; a value this large can only be milliseconds (it would be the year 5138).
const SURELY_MILLISECONDS: i64 = 100_000_000_000;

/// One object of a notification.
pub(super) struct Piece(serde_json::Map<String, Value>);

impl Piece {
    /// Reads an object; `None` for anything else, and for one that is nested too deep.
    pub(super) fn read(raw: &RawValue) -> Option<Self> {
        match serde_json::from_str(raw.get()) {
            Ok(Value::Object(map)) => Some(Self(map)),
            Ok(_other_shape) => None,
            Err(_quotes_input) => None,
        }
    }

    fn at(&self, path: &str) -> Option<&Value> {
        let mut parts = path.split('.');
        let first = self.0.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }

    /// The text at a dotted path; numbers are texts, blank is absent.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.at(path).and_then(text_of)
    }

    /// A text written by a person or naming one.
    pub(super) fn personal(&self, path: &str) -> Option<Personal<String>> {
        self.text(path).map(Personal::new)
    }

    /// A telephone number as Meta writes it, when it is one.
    pub(super) fn phone(&self, path: &str) -> Option<Phone> {
        let text = self.text(path)?;
        let digits = text.strip_prefix('+').unwrap_or(&text);
        Phone::from_wa_id(digits).ok()
    }

    /// A business-scoped user id, when it is one.
    pub(super) fn bsuid(&self, path: &str) -> Option<Bsuid> {
        Bsuid::parse(&self.text(path)?).ok()
    }

    /// A time, when it is one.
    pub(super) fn moment(&self, path: &str) -> Option<Timestamp> {
        self.at(path).and_then(moment_of)
    }

    /// The numeric `code` of every object in a list.
    pub(super) fn codes(&self, path: &str) -> Vec<u32> {
        let errors = self.at(path).and_then(Value::as_array);
        let codes = errors.into_iter().flatten().filter_map(|e| e.get("code"));
        codes
            .filter_map(|code| text_of(code)?.parse().ok())
            .collect()
    }
}

/// The people a change is about.
pub(super) struct Contacts(Vec<Piece>);

impl Contacts {
    /// Reads them; contacts that cannot be read cost a name, never a message.
    pub(super) fn read(raw: Option<&RawValue>) -> Self {
        let contacts = list(raw).unwrap_or_default();
        Self(contacts.into_iter().filter_map(Piece::read).collect())
    }

    /// The contact behind a message: the one with the same id, or the only one of the only
    /// message.
    pub(super) fn of(&self, message: &Piece, alone: bool) -> Option<&Piece> {
        let same = |contact: &&Piece| {
            [("from", "wa_id"), ("from_user_id", "user_id")]
                .into_iter()
                .any(|(ours, theirs)| {
                    let id = message.text(ours);
                    id.is_some() && id == contact.text(theirs)
                })
        };
        let only = || self.0.first().filter(|_one| alone && self.0.len() == 1);
        self.0.iter().find(same).or_else(only)
    }
}

/// Reads an object. Serde alone would take a list for one, member by member.
pub(super) fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    if !json.trim_ascii_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(json).ok()
}

/// The pieces of a list; an absent one is empty, `None` is something else than a list.
pub(super) fn list(raw: Option<&RawValue>) -> Option<Vec<&RawValue>> {
    raw.map_or_else(
        || Some(Vec::new()),
        |raw| serde_json::from_str(raw.get()).ok(),
    )
}

/// A bare text or number.
pub(super) fn word(raw: &RawValue) -> Option<String> {
    text_of(&serde_json::from_str(raw.get()).ok()?)
}

/// A bare time.
pub(super) fn moment(raw: &RawValue) -> Option<Timestamp> {
    moment_of(&serde_json::from_str(raw.get()).ok()?)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn moment_of(value: &Value) -> Option<Timestamp> {
    let number: i64 = text_of(value)?.trim().parse().ok().filter(|n| *n > 0)?;
    Some(if number < SURELY_MILLISECONDS {
        Timestamp::from_seconds(number)
    } else {
        Timestamp::from_millis(number)
    })
}
