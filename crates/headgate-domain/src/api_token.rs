//! API tokens: what lets a system without an IAM role record consents, for a time and a scope.
//!
//! Owns the token's form, `hgt_<deployment, 8>_<secret, 52>_<check, 8>` in lower-case base32: the prefix
//! lets scanners of source code find one, the check tells a typing error apart without a lookup, and the
//! first part one of another deployment. Only a hash is ever stored, and because the secret is 256 random
//! bits a plain one is enough. Scopes are a closed list. It stores nothing and knows no clock.

mod book;

pub use book::{ApiToken, MAX_LIFE_MS, MAX_NAME, Presented, Turned, is_name};

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headgate_redact::{LogSafe, Secret};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// What scanners of source code look for.
pub const PREFIX: &str = "hgt_";
/// RFC 4648 base32 in lower case, as in a subject's id.
const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";
/// 40 bits, enough to tell two deployments or a typing error.
const SHORT: usize = 8;
/// 256 bits in letters of five.
const SECRET: usize = 52;
const ID_PREFIX: &str = "tok_";
/// 80 bits of the hash: enough that no two of a deployment meet, and of no use to guess the secret.
const ID_LETTERS: usize = 16;

/// What a token may do; a closed list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Record that somebody said no.
    ConsentsWrite,
    /// Attest that somebody said yes, and have links to confirm made.
    ConsentsAttest,
    /// Ask where somebody stands.
    ConsentsRead,
}

impl Scope {
    /// Every scope, in the order in which they are shown.
    pub const ALL: [Self; 3] = [
        Self::ConsentsWrite,
        Self::ConsentsAttest,
        Self::ConsentsRead,
    ];

    /// The word in the command line, the table and the documentation.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ConsentsWrite => "consents:write",
            Self::ConsentsAttest => "consents:attest",
            Self::ConsentsRead => "consents:read",
        }
    }

    /// The scope behind a word; `None` for any other: an unknown word gives no right.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// The public name of a token, in lists, logs and the ledger: `tok_` and 16 letters of its hash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(String);

/// The text has not the shape of a token's id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a token's id is tok_ and 16 lower-case letters or digits 2 to 7")]
pub struct InvalidTokenId;

impl TokenId {
    /// Checks the shape of an id.
    ///
    /// # Errors
    /// [`InvalidTokenId`], which does not repeat the input: somebody may have pasted the token itself.
    pub fn parse(text: &str) -> Result<Self, InvalidTokenId> {
        let body = text.strip_prefix(ID_PREFIX).ok_or(InvalidTokenId)?;
        let is_one = body.len() == ID_LETTERS && body.bytes().all(|b| ALPHABET.contains(&b));
        is_one.then(|| Self(text.to_owned())).ok_or(InvalidTokenId)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({})", self.0)
    }
}

/// Letters of a hash; it names a system and no person.
impl LogSafe for TokenId {}

/// Why a text is no token of this deployment; told to the log, and to no stranger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAToken {
    /// It has another shape.
    #[error("not in the form of a token")]
    Form,
    /// Its check does not fit: a typing error, or cut off.
    #[error("mistyped or cut off")]
    Check,
    /// It was made for another deployment.
    #[error("of another deployment")]
    OtherDeployment,
}

/// Fixed texts.
impl LogSafe for NotAToken {}

/// A token as it is shown once and then sent with each request.
///
/// # Security
/// Never stored and never printed; [`Self::hashed`] is what is kept.
pub struct PlainToken(Secret<String>);

impl PlainToken {
    /// Makes a token of a deployment from 256 random bits.
    pub fn from_random(deployment: &str, random: &[u8; 32]) -> Self {
        let mut text = format!(
            "{PREFIX}{}_{}_",
            deployment_letters(deployment),
            base32(random, SECRET)
        );
        let check = check_of(&text);
        text.push_str(&check);
        Self(Secret::new(text))
    }

    /// Reads a token without asking anybody.
    ///
    /// # Errors
    /// [`NotAToken`], which quotes nothing.
    pub fn parse(text: &str, deployment: &str) -> Result<Self, NotAToken> {
        let body = text.strip_prefix(PREFIX).ok_or(NotAToken::Form)?;
        let parts: Vec<&str> = body.split('_').collect();
        let [of, secret, check] = parts.as_slice() else {
            return Err(NotAToken::Form);
        };
        let lengths = [of.len(), secret.len(), check.len()];
        let letters = |part: &&str| part.bytes().all(|b| ALPHABET.contains(&b));
        if lengths != [SHORT, SECRET, SHORT] || !parts.iter().all(letters) {
            return Err(NotAToken::Form);
        }
        let checked = text.strip_suffix(*check).unwrap_or_default();
        if check_of(checked) != *check {
            return Err(NotAToken::Check);
        }
        if deployment_letters(deployment) != *of {
            return Err(NotAToken::OtherDeployment);
        }
        Ok(Self(Secret::new(text.to_owned())))
    }

    /// The token in clear, for the one moment in which it is shown.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What is stored in its place.
    pub fn hashed(&self, deployment: &str) -> HashedToken {
        let mut hash = Sha256::new();
        hash.update(b"headgate/api-token/v1\0");
        hash.update(deployment.as_bytes());
        hash.update(b"\0");
        hash.update(self.0.expose().as_bytes());
        HashedToken(hash.finalize().into())
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainToken(…)")
    }
}

/// A token as it is stored: SHA-256 over the deployment and all of its text.
#[derive(Clone)]
pub struct HashedToken([u8; 32]);

impl HashedToken {
    /// The public name that goes with it.
    pub fn id(&self) -> TokenId {
        TokenId(format!("{ID_PREFIX}{}", base32(&self.0, ID_LETTERS)))
    }

    /// The stored text, unpadded base64url.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads a stored text; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// The hash of no token, for whoever has to compare with something.
    pub const fn of_nobody() -> Self {
        Self([0; 32])
    }

    /// Whether two are the same, in a time that does not depend on where they differ.
    pub fn is(&self, other: &Self) -> bool {
        bool::from(self.0.ct_eq(&other.0))
    }
}

impl fmt::Debug for HashedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedToken(…)")
    }
}

/// What tells a token of another deployment apart. Its name is no secret, so this keeps none.
fn deployment_letters(deployment: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"headgate/api-token/deployment/v1\0");
    hash.update(deployment.as_bytes());
    base32(&hash.finalize(), SHORT)
}

fn check_of(text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"headgate/api-token/check/v1\0");
    hash.update(text.as_bytes());
    base32(&hash.finalize(), SHORT)
}

/// The first letters of bytes in base32, without padding.
fn base32(bytes: &[u8], letters: usize) -> String {
    (0..letters)
        .map(|place| {
            let bit = |offset: usize| {
                let at = place.saturating_mul(5).saturating_add(offset);
                let byte = bytes.get(at >> 3).copied().unwrap_or_default();
                (byte >> (7_usize.saturating_sub(at & 7))) & 1
            };
            let index = (0..5).fold(0_u8, |sum, offset| (sum << 1) | bit(offset));
            char::from(ALPHABET.get(usize::from(index)).copied().unwrap_or(b'a'))
        })
        .collect()
}

#[cfg(test)]
mod tests;
