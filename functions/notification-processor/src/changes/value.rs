//! Reading the value of a notice, whatever it holds.
//!
//! Owns what counts as a word, a limit, a template's name. Nothing is taken that has not the form
//! of what it must be, because it ends up in keys and in the log.

use headgate_domain::config::Category;
use headgate_domain::live::Tier;
use headgate_domain::time::Timestamp;
use serde_json::{Map, Value};

/// Meta gives seconds; a value this large can only be milliseconds.
const SURELY_MILLISECONDS: i64 = 100_000_000_000;

/// The members of a value.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn read(text: &str) -> Option<Self> {
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Some(Self(map)),
            Ok(_other_shape) => None,
            Err(_quotes_input) => None,
        }
    }

    /// The value at a dotted path; a null is absent.
    pub(super) fn known(&self, path: &str) -> Option<&Value> {
        let mut parts = path.split('.');
        let first = self.0.get(parts.next()?)?;
        parts
            .try_fold(first, |value, part| value.get(part))
            .filter(|value| !value.is_null())
    }

    /// A text at a dotted path, in upper case.
    pub(super) fn word(&self, path: &str) -> Option<String> {
        self.known(path)?.as_str().map(str::to_ascii_uppercase)
    }

    /// The digits at a path.
    pub(super) fn digits(&self, path: &str) -> String {
        self.known(path)
            .map(|value| digits(value.as_str().unwrap_or(&value.to_string())))
            .unwrap_or_default()
    }

    /// The objects of a list.
    pub(super) fn list(&self, path: &str) -> Vec<Self> {
        let list = self.known(path).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .map(|object| Self(object.clone()))
            .collect()
    }

    /// A moment, in seconds or as a text of them.
    pub(super) fn moment(&self, path: &str) -> Option<Timestamp> {
        let value = self.known(path)?;
        let number: i64 = match value {
            Value::String(text) => text.trim().parse().ok()?,
            Value::Number(number) => number.as_i64()?,
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        Some(if number < SURELY_MILLISECONDS {
            Timestamp::from_seconds(number)
        } else {
            Timestamp::from_millis(number)
        })
    }

    /// The name and language of a template, as the configuration writes them. Meta writes `en-US` in
    /// notifications and `en_US` everywhere else.
    pub(super) fn template(&self) -> Option<(String, String)> {
        let name = self.known("message_template_name")?.as_str()?;
        let language = self.known("message_template_language")?.as_str()?;
        let is_name = (1..=512).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let language = language.replace('-', "_");
        let is_language = (2..=16).contains(&language.len())
            && language
                .bytes()
                .all(|b| b.is_ascii_alphabetic() || b == b'_');
        (is_name && is_language).then(|| (name.to_owned(), language))
    }
}

/// The digits of a text.
pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// A word of Meta's in a form fit for a key and a log: without room for a number or a sentence.
pub(super) fn word(text: &str) -> String {
    let is_word = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && text.bytes().filter(u8::is_ascii_digit).count() < 7;
    if is_word {
        text.to_ascii_lowercase()
    } else {
        "no_word".to_owned()
    }
}

/// A messaging limit: `TIER_2K`, `TIER_UNLIMITED`, 2000 or -1.
pub(super) fn tier(value: &Value) -> Option<Tier> {
    let text = match value {
        Value::String(text) => text.trim().to_ascii_uppercase(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let text = text.strip_prefix("TIER_").unwrap_or(&text);
    if matches!(text, "UNLIMITED" | "-1") {
        return Some(Tier::Unlimited);
    }
    let (number, factor) = text
        .strip_suffix('K')
        .map_or((text, 1), |thousands| (thousands, 1000));
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let limit = number.parse::<u32>().ok()?.checked_mul(factor)?;
    (limit > 0).then_some(Tier::Limit(limit))
}

/// A category of Meta's.
pub(super) fn category(word: &str) -> Option<Category> {
    match word {
        "AUTHENTICATION" => Some(Category::Authentication),
        "UTILITY" => Some(Category::Utility),
        "MARKETING" => Some(Category::Marketing),
        _ => None,
    }
}
