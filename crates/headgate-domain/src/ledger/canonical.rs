//! Canonical JSON (RFC 8785) for the values an event can hold.
//!
//! Owns the one text a value has, so that a hash over it means something. Promises RFC 8785 for
//! objects, arrays, strings, booleans and integers up to 2⁵³; refuses fractions and `null`, which
//! no event holds, rather than carry number formatting for them.

use serde_json::{Map, Value};

/// JSON numbers are doubles to most readers: beyond this two integers are one.
const LARGEST_INTEGER: u64 = 1 << 53;

/// The value has no canonical text here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotCanonical {
    /// Fractions and integers beyond 2⁵³ do not read back the same everywhere.
    #[error("an event holds no number but an integer up to 2^53")]
    Number,
    /// A field without a value is left out.
    #[error("an event holds no null")]
    Null,
}

/// The canonical text of a value.
///
/// # Errors
/// [`NotCanonical`] for values an event cannot hold.
pub fn canonical(value: &Value) -> Result<String, NotCanonical> {
    let mut text = String::new();
    write(value, &mut text)?;
    Ok(text)
}

fn write(value: &Value, text: &mut String) -> Result<(), NotCanonical> {
    match value {
        Value::Null => return Err(NotCanonical::Null),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) => {
            let fits = number
                .as_i64()
                .map(i64::unsigned_abs)
                .or_else(|| number.as_u64())
                .is_some_and(|magnitude| magnitude <= LARGEST_INTEGER);
            if !fits {
                return Err(NotCanonical::Number);
            }
            text.push_str(&number.to_string());
        }
        Value::String(string) => write_string(string, text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text)?;
            }
            text.push(']');
        }
        Value::Object(fields) => write_object(fields, text)?,
    }
    Ok(())
}

fn write_object(fields: &Map<String, Value>, text: &mut String) -> Result<(), NotCanonical> {
    let mut sorted: Vec<_> = fields.iter().collect();
    // RFC 8785 sorts by UTF-16 code units, which is not the order of UTF-8 above U+FFFF.
    sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    text.push('{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write_string(name, text);
        text.push(':');
        write(value, text)?;
    }
    text.push('}');
    Ok(())
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            '\0'..='\u{1f}' => {
                let (high, low) = (u32::from(character) >> 4, u32::from(character) & 0xf);
                text.push_str("\\u00");
                text.extend(
                    [high, low]
                        .into_iter()
                        .filter_map(|digit| char::from_digit(digit, 16)),
                );
            }
            _ => text.push(character),
        }
    }
    text.push('"');
}
