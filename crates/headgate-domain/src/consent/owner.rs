//! Whether it is still the same person: what shows that somebody else may be behind an identifier, and since when it is
//! certain who is.

use super::Subject;
use crate::time::{DAY, Timestamp};

/// What shows that somebody else may be behind an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityChange {
    /// The account has another number.
    Number,
    /// The account has another user id, and its number is not told.
    UserId,
    /// The key of the account is another: a new device, or a new holder of the number.
    IdentityKey,
    /// The number has passed to another account.
    NumberReassigned,
}

impl IdentityChange {
    const ALL: [Self; 4] = [
        Self::Number,
        Self::UserId,
        Self::IdentityKey,
        Self::NumberReassigned,
    ];

    /// The word for it, as stored and as told to apps.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::UserId => "user_id",
            Self::IdentityKey => "identity_key",
            Self::NumberReassigned => "number_reassigned",
        }
    }

    /// The change behind a stored word; an unknown word is one of the key.
    pub fn from_word(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|change| change.word() == word);
        known.unwrap_or(Self::IdentityKey)
    }
}

/// Whoever has not written for so long may be somebody else by now (docs/identity.md): operators give numbers that were
/// given up to others, and nothing says so.
pub const SILENCE_MS: i64 = 365 * DAY;

impl Subject {
    /// Whether a message comes after so long that somebody else may have the number.
    pub fn returns(&self, at: Timestamp) -> bool {
        let heard = self.last_inbound_at.or(self.created_at);
        heard.is_some_and(|heard| at.millis_since(heard) >= SILENCE_MS)
    }

    /// Since when it is certain that what is known is of whoever has the number; nothing, when it always was.
    pub fn certain_since(&self) -> Option<Timestamp> {
        let changed = self.identity_change.map(|(at, _change)| at);
        changed.max(self.returned_at)
    }
}
