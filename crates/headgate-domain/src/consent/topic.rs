//! Topics: what within a purpose a person agreed to, such as offers but not events.
//!
//! Owns the name of a topic. Which topics there are is declared in the configuration, so that the
//! name of one can be neither free text nor a person.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How long a name may be.
const LONGEST: usize = 32;
/// A run of digits this long may be somebody's number.
const TOO_MANY_DIGITS: usize = 7;

/// The name of a topic: 1 to 32 of `a-z`, `0-9`, `_` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Topic(String);

/// The text is not the name of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a topic is 1 to 32 of a-z, 0-9, _ and -, without seven digits in a row")]
pub struct InvalidTopic;

impl Topic {
    /// Parses a name.
    ///
    /// # Errors
    /// [`InvalidTopic`], which does not repeat it.
    pub fn parse(text: &str) -> Result<Self, InvalidTopic> {
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let is_name = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(allowed);
        let has_number = text
            .split(|c: char| !c.is_ascii_digit())
            .any(|run| run.len() >= TOO_MANY_DIGITS);
        if is_name && !has_number {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidTopic)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Topic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_a_person_is_none() {
        for good in ["offers", "back-in-stock", "a", "2026_spring"] {
            assert!(Topic::parse(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(33);
        for bad in [
            "",
            "Offers",
            "a b",
            "16135550123",
            "x@y",
            "größe",
            &too_long,
        ] {
            assert!(Topic::parse(bad).is_err(), "{bad}");
        }
    }
}
