//! What is known of a token, and whether it opens now.

use crate::time::{DAY, Timestamp};

use super::{HashedToken, Scope, TokenId};

/// No token lives longer than a year: one that is forgotten ends by itself.
pub const MAX_LIFE_MS: i64 = 366 * DAY;
/// The longest name, in characters.
pub const MAX_NAME: usize = 40;

/// A token as it is kept.
#[derive(Clone, Debug)]
pub struct ApiToken {
    /// What it presents must hash to.
    pub hash: HashedToken,
    /// Who has it, in words that everybody may see.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Since when it is taken back.
    pub revoked_at: Option<Timestamp>,
}

/// Why a token does not open; told to the log, and to no stranger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turned {
    /// No token has this hash.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl Turned {
    /// The reason as one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// A token that was presented, known and in force: what it may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Presented {
    /// Its public name.
    pub id: TokenId,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl Presented {
    /// Whether it may. Who may say that somebody agreed may also say that somebody did not; who may say
    /// anything may not ask for that reason, nor the other way round.
    pub fn may(&self, scope: Scope) -> bool {
        match scope {
            Scope::ConsentsWrite => {
                self.scopes.contains(&scope) || self.scopes.contains(&Scope::ConsentsAttest)
            }
            Scope::ConsentsAttest | Scope::ConsentsRead => self.scopes.contains(&scope),
        }
    }
}

impl ApiToken {
    /// Its public name.
    pub fn id(&self) -> TokenId {
        self.hash.id()
    }

    /// Whether it opens now.
    ///
    /// # Errors
    /// [`Turned`]. A token that is revoked and expired is told as revoked.
    ///
    /// # Security
    /// The hash is compared in constant time, although it was looked up by a part of itself.
    pub fn open(&self, presented: &HashedToken, now: Timestamp) -> Result<Presented, Turned> {
        if !self.hash.is(presented) {
            return Err(Turned::Unknown);
        }
        if self.revoked_at.is_some() {
            return Err(Turned::Revoked);
        }
        if now >= self.expires_at {
            return Err(Turned::Expired);
        }
        Ok(Presented {
            id: self.id(),
            scopes: self.scopes.clone(),
        })
    }
}

/// Whether a name may stand in lists: letters, digits, `-`, `_`, `.`, at most four digits, so that no
/// number of a person gets there by mistake.
pub fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    !text.is_empty() && text.len() <= MAX_NAME && digits <= 4 && text.bytes().all(allowed)
}
