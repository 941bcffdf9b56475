//! Subjects: our own name for a person.
//!
//! Owns the id's form. It is random and never derived from a number, so that erasing what links
//! the two leaves an id that means nobody.

use core::fmt;

use headgate_redact::LogSafe;

const PREFIX: &str = "sub_";
const LETTERS: usize = 26;

/// RFC 4648 base32 in lower case: no letter pair to confuse with 0, 1 or 8.
const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";

/// Bytes in base32, without padding: the last letter's missing bits are zero.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let bit = |place: usize| {
        let byte = bytes.get(place >> 3).copied().unwrap_or(0);
        usize::from((byte << (place & 7)) >> 7)
    };
    let bits = bytes.len().saturating_mul(8);
    (0..bits)
        .step_by(5)
        .map(|first| {
            let letter =
                (first..first.saturating_add(5)).fold(0, |value, place| value << 1 | bit(place));
            char::from(ALPHABET.get(letter).copied().unwrap_or(b'a'))
        })
        .collect()
}

/// A person: `sub_` and 26 lower-case base32 characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectId(String);

/// The text has not the shape of a subject id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a subject id is sub_ and 26 lower-case letters or digits 2 to 7")]
pub struct InvalidSubjectId;

impl SubjectId {
    /// Makes the id of a new subject from 128 random bits.
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(format!("{PREFIX}{}", base32(&random)))
    }

    /// Checks the shape of an id that was stored or given by an app.
    ///
    /// # Errors
    /// [`InvalidSubjectId`], which does not repeat the input.
    pub fn parse(text: &str) -> Result<Self, InvalidSubjectId> {
        let body = text.strip_prefix(PREFIX).ok_or(InvalidSubjectId)?;
        let is_one = body.len() == LETTERS && body.bytes().all(|byte| ALPHABET.contains(&byte));
        is_one
            .then(|| Self(text.to_owned()))
            .ok_or(InvalidSubjectId)
    }

    /// The id as text, for keys and events.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Random and erasable: without our tables it names nobody.
impl LogSafe for SubjectId {}

impl fmt::Debug for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SubjectId(…)")
    }
}
