//! Notices: the wordings people agree to, each version known by the hash of its text.
//!
//! Owns the canonical form and the id made from it (docs/consent.md): one wording in one language by
//! one controller is one notice, wherever it was shown. A changed text has another id, so what somebody
//! agreed to cannot be changed afterwards.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use unicode_normalization::UnicodeNormalization as _;

use crate::identity::base32;

const PREFIX: &str = "n_";
/// How much of the hash the id keeps: 160 bits, in 32 letters.
const BYTES: usize = 20;
const LETTERS: usize = 32;

/// The id of a notice: `n_` and 32 lower-case base32 letters of the hash of text, language and controller.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NoticeId(String);

/// The text is not the id of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a notice is n_ and 32 lower-case letters or digits 2 to 7")]
pub struct InvalidNoticeId;

impl NoticeId {
    /// The id of a wording in a language (BCP 47, or empty), shown in the name of a controller.
    pub fn of(text: &str, locale: &str, controller: &str) -> Self {
        let hash = Sha256::new()
            .chain_update(canonical(text))
            .chain_update([0])
            .chain_update(locale)
            .chain_update([0])
            .chain_update(controller)
            .finalize();
        let letters = base32(hash.get(..BYTES).unwrap_or_default());
        Self(format!("{PREFIX}{letters}"))
    }

    /// Reads an id.
    ///
    /// # Errors
    /// [`InvalidNoticeId`].
    pub fn parse(text: &str) -> Result<Self, InvalidNoticeId> {
        let is_letter = |b: u8| matches!(b, b'a'..=b'z' | b'2'..=b'7');
        text.strip_prefix(PREFIX)
            .filter(|rest| rest.len() == LETTERS && rest.bytes().all(is_letter))
            .map(|_| Self(text.to_owned()))
            .ok_or(InvalidNoticeId)
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for NoticeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NoticeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The SHA-256 of a text that is no notice and need not be kept, in lower-case base32.
pub fn text_hash(text: &str) -> String {
    base32(&Sha256::digest(text))
}

/// The one form a wording has, however it was typed: NFC, lines ended by LF, nothing around them.
fn canonical(text: &str) -> String {
    let composed: String = text.nfc().collect();
    let lines: Vec<&str> = composed.lines().map(str::trim).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    fn id(text: &str) -> NoticeId {
        NoticeId::of(text, "en", "Maple Outfitters")
    }

    #[test]
    fn one_wording_has_one_id_however_it_was_typed() {
        let one = id("Yes, send me offers.\nI can stop at any time. Café");
        assert_eq!(
            one,
            id("  Yes, send me offers. \r\nI can stop at any time. Cafe\u{301}\n")
        );
        assert_eq!(NoticeId::parse(one.as_str()).unwrap(), one);
        assert_ne!(
            one,
            id("Yes, send me offers.\nI can stop at any time. Cafe")
        );
        assert_ne!(one, NoticeId::of("Yes", "en", "Maple Outfitters"));
        assert_ne!(
            NoticeId::of("Yes", "en", "Maple Outfitters"),
            NoticeId::of("Yes", "de", "Maple Outfitters")
        );
        assert_ne!(
            NoticeId::of("Yes", "en", "Maple Outfitters"),
            NoticeId::of("Yes", "en", "Birch Outfitters")
        );
    }

    #[test]
    fn an_id_is_what_another_program_computes() {
        // printf 'Yes\0en\0Maple Outfitters' | openssl dgst -sha256 -binary | head -c 20 | base32 | tr A-Z a-z
        assert_eq!(
            NoticeId::of("Yes", "en", "Maple Outfitters").as_str(),
            "n_e5hfhwtv5jwz6xmcq5ifa2r7mnwihxnn"
        );
    }

    #[test]
    fn what_has_another_form_is_no_id() {
        for bad in [
            "",
            "n_",
            "n_abc",
            "I agree",
            "n_ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        ] {
            assert!(NoticeId::parse(bad).is_err(), "{bad}");
        }
    }
}
