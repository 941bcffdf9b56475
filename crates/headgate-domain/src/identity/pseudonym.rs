//! Keyed pseudonyms: the names under which identifiers are stored.
//!
//! Owns the one formula:
//! `HMAC-SHA256(pepper, "headgate" 00 kind 00 "v"version 00 deployment 00 value)`, RFC 2104. A
//! plain hash of a telephone number is undone in seconds by trying them all; with the pepper kept
//! in KMS there is nothing to try against. What comes out is still personal data to us, who hold
//! the key. It does not obtain the pepper.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headgate_redact::{LogSafe, Secret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Base64url of 32 bytes, unpadded.
const HASH_LENGTH: usize = 43;

/// Length of the form for logs: enough to follow one person through an hour of lines, too short
/// to look them up among millions.
const TAG_LENGTH: usize = 8;

/// The key of one kind of pseudonym.
///
/// # Security
/// Never at rest: it is derived from a KMS key at cold start and wiped with the process.
#[derive(Debug)]
pub struct Pepper(Secret<[u8; 32]>);

impl Pepper {
    /// Takes the bytes KMS returned.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// HMAC-SHA256 over parts, each preceded by its length, so that no two lists of parts meet.
    #[expect(
        clippy::expect_used,
        reason = "RFC 2104 takes keys of any length, so this cannot fail"
    )]
    pub(crate) fn mac(&self, parts: &[&str]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose()).expect("any length is a key");
        for part in parts {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            mac.update(&length.to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    /// HMAC-SHA256 over bytes as they stand, for a form that others have fixed and that cannot be read in two
    /// ways.
    #[expect(
        clippy::expect_used,
        reason = "RFC 2104 takes keys of any length, so this cannot fail"
    )]
    pub(crate) fn mac_of(&self, pieces: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose()).expect("any length is a key");
        for piece in pieces {
            mac.update(piece);
        }
        mac.finalize().into_bytes().into()
    }
}

/// What a pseudonym stands for. Part of the hash, so one value has unrelated names per kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A telephone number, in E.164 with its `+`.
    Phone,
    /// A business-scoped user id, verbatim.
    Bsuid,
    /// A message id of Meta, verbatim.
    Message,
    /// An identifier on the suppression list.
    Suppression,
    /// An app's idempotency key.
    Idempotency,
}

impl Kind {
    /// Every kind, in the order of the letters' first use.
    pub const ALL: [Self; 5] = [
        Self::Phone,
        Self::Bsuid,
        Self::Message,
        Self::Suppression,
        Self::Idempotency,
    ];

    /// The letter a pseudonym of this kind starts with.
    pub const fn letter(self) -> char {
        match self {
            Self::Phone => 's',
            Self::Bsuid => 'b',
            Self::Message => 'm',
            Self::Suppression => 'x',
            Self::Idempotency => 'i',
        }
    }
}

/// A stored name: `s1_` and 43 characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym(String);

/// The text has not the shape of a pseudonym.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a pseudonym is a kind, a version, an underscore and 43 base64url characters")]
pub struct InvalidPseudonym;

/// Computes the pseudonym of a value.
///
/// `deployment` and the kind hold no zero byte, so no two inputs join to the same text.
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "RFC 2104 takes keys of any length, so this cannot fail"
)]
pub fn pseudonym(
    pepper: &Pepper,
    kind: Kind,
    version: u32,
    deployment: &str,
    value: &str,
) -> Pseudonym {
    let mut mac = Hmac::<Sha256>::new_from_slice(pepper.0.expose()).expect("any length is a key");
    let letter = kind.letter();
    mac.update(b"headgate\0");
    mac.update(format!("{letter}\0v{version}\0").as_bytes());
    mac.update(deployment.as_bytes());
    mac.update(b"\0");
    mac.update(value.as_bytes());
    let hash = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    Pseudonym(format!("{letter}{version}_{hash}"))
}

impl Pseudonym {
    /// Checks the shape of a pseudonym that was stored or given by an app.
    ///
    /// # Errors
    /// [`InvalidPseudonym`], which does not repeat the input.
    pub fn parse(text: &str) -> Result<Self, InvalidPseudonym> {
        let (head, hash) = text.split_once('_').ok_or(InvalidPseudonym)?;
        let mut head = head.chars();
        let kind = head.next().ok_or(InvalidPseudonym)?;
        let version = head.as_str();
        let is_one = Kind::ALL.iter().any(|known| known.letter() == kind)
            && !version.starts_with(['0', '+'])
            && version.parse::<u32>().is_ok()
            && hash.len() == HASH_LENGTH
            && hash
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        is_one
            .then(|| Self(text.to_owned()))
            .ok_or(InvalidPseudonym)
    }

    /// The whole name, for keys. It is not for logs: whoever reads it can find the rows.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it stands for.
    pub fn kind(&self) -> Option<Kind> {
        Kind::ALL
            .into_iter()
            .find(|kind| self.0.starts_with(kind.letter()))
    }

    /// The version of the pepper it was made with.
    pub fn version(&self) -> Option<u32> {
        let (head, _hash) = self.0.split_once('_')?;
        head.get(1..)?.parse().ok()
    }

    /// The form for logs: the first eight characters.
    pub fn short(&self) -> PseudonymTag {
        PseudonymTag(self.0.chars().take(TAG_LENGTH).collect())
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonym(…)")
    }
}

/// The first eight characters of a pseudonym: the part that may be logged.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PseudonymTag(String);

impl fmt::Display for PseudonymTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Some thirty bits of a keyed hash: neither a number nor a way to one.
impl LogSafe for PseudonymTag {}
