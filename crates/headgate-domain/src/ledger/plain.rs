//! Reading an event without taking it apart: nearly every event is one flat object of plain strings.
//!
//! Promises that what it accepts is canonical text (RFC 8785) with the fields it says. What it does not
//! accept may be canonical all the same; whoever asks goes the long way then.

/// Beyond this two integers are one to most readers.
const LARGEST_INTEGER: u64 = 1 << 53;

/// What an event says of its own place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Stated<'a> {
    pub(super) version: Option<u64>,
    pub(super) seq: Option<u64>,
    pub(super) id: Option<&'a str>,
}

/// Reads an event that is one object of integers, strings without escapes and lists of such strings, under
/// ASCII names.
pub(super) fn stated_plainly(event: &str) -> Option<Stated<'_>> {
    let mut stated = Stated::default();
    let mut rest = event.strip_prefix('{')?;
    let mut last = "";
    loop {
        let (name, after) = string(rest)?;
        // Among ASCII names the order of UTF-16 is that of the bytes.
        if !name.is_ascii() || name <= last {
            return None;
        }
        last = name;
        rest = after.strip_prefix(':')?;
        match rest.as_bytes().first()? {
            b'"' => {
                let (text, after) = string(rest)?;
                if name == "id" {
                    stated.id = Some(text);
                }
                rest = after;
            }
            b'[' => rest = list(rest)?,
            b'0'..=b'9' => {
                let (number, after) = integer(rest)?;
                match name {
                    "v" => stated.version = Some(number),
                    "seq" => stated.seq = Some(number),
                    _other => {}
                }
                rest = after;
            }
            _other => return None,
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return (rest == "}").then_some(stated),
        }
    }
}

/// A string that needs no escape, and what comes after it.
fn string(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('"')?;
    let end = inner
        .bytes()
        .position(|byte| byte == b'"' || byte == b'\\' || byte < 0x20)?;
    let (string, rest) = inner.split_at_checked(end)?;
    Some((string, rest.strip_prefix('"')?))
}

/// What comes after a list of one or more plain strings.
fn list(text: &str) -> Option<&str> {
    let mut rest = text.strip_prefix('[')?;
    loop {
        (_, rest) = string(rest)?;
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return rest.strip_prefix(']'),
        }
    }
}

/// An integer in its only spelling, and what comes after it.
fn integer(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at_checked(end)?;
    let is_shortest = digits == "0" || !digits.starts_with('0');
    let number = digits.parse().ok()?;
    (is_shortest && number <= LARGEST_INTEGER).then_some((number, rest))
}
