//! The hashes of the ledger.
//!
//! Owns the three domains, each behind its own first byte so that no leaf can pass for a link or
//! for an inner node: 00 leaf, 01 node (both RFC 6962), 02 link of the chain.

use core::fmt;

use headgate_redact::LogSafe;
use sha2::{Digest as _, Sha256};

/// A SHA-256 hash; hexadecimal as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a hash is 64 lower-case hexadecimal digits")]
pub struct InvalidHash;

impl Hash {
    /// What the first entry of a shard hangs on.
    pub const ZERO: Self = Self([0; 32]);

    /// Parses what `Display` wrote.
    ///
    /// # Errors
    /// [`InvalidHash`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(InvalidHash);
        }
        let mut bytes = [0_u8; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (nibble(*high)? << 4) | nibble(*low)?;
        }
        Ok(Self(bytes))
    }

    /// A hash that these are the bytes of.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash over some bytes, in no domain of the ledger's.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::of(&[bytes])
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The leaf of an event's text.
    pub fn of_leaf(text: &[u8]) -> Self {
        Self::of(&[&[0x00], text])
    }

    pub(super) fn of_link(previous: &Self, leaf: &Self) -> Self {
        Self::of(&[&[0x02], &previous.0, &leaf.0])
    }

    pub(super) fn of_node(left: &Self, right: &Self) -> Self {
        Self::of(&[&[0x01], &left.0, &right.0])
    }

    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

fn nibble(digit: u8) -> Result<u8, InvalidHash> {
    match digit {
        b'0'..=b'9' => Ok(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Ok(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => Err(InvalidHash),
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A hash over commitments.
impl LogSafe for Hash {}
