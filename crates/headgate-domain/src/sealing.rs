//! Field encryption.
//!
//! Owns the envelope and the derivation of the two field keys. A value is sealed for one place:
//! moved to another row, field or table it does not open. It holds no keys and makes no nonces:
//! both are handed in, the nonce fresh from the system's generator each time.
//!
//! Envelope, version 2:
//! `version(1)=2 | algorithm(1)=1 | key id length(1) | key id | nonce(12) | commitment(32) | ct | tag(16)`.
//! Associated data: table, key, field, key id, version, each behind its length as u32 big-endian;
//! the table is the *logical* one, because a restored table has another name. The key of the cipher
//! and the commitment are `HKDF-Expand(field key, "headgate/seal/v2/key" | nonce | associated data)`
//! and the same with `…/commitment`.
//!
//! # Security
//! GCM does not commit to its key: who knows two keys can make one ciphertext that opens under both
//! ("invisible salamanders"), and shows two readers two things. So an envelope carries a commitment,
//! compared before anything is decrypted: it opens under one field key, at one place (ADR 0036).
//! Version 1 had none, and is read only where something may have been sealed in it, see [`open`].

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use headgate_redact::{Personal, Secret};
use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::time::Day;

/// What is written.
const COMMITTING: u8 = 2;
/// What was written up to November 2026, without a commitment.
const UNCOMMITTED: u8 = 1;
/// The only key of the vault that sealed in version 1: every later one is minted by who writes version 2.
const UNCOMMITTED_VAULT: &str = "vault#1";
/// The last day that may have content in version 1; it is unreadable from 31 March 2027 on, and then
/// the reading of version 1 ends with the re-sealing of what is under `vault#1`.
const UNCOMMITTED_UNTIL: &str = "2026-12-31";
/// AES-256-GCM with a 96-bit nonce (NIST SP 800-38D).
const AES_256_GCM: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;
const HEADER: usize = 3;
/// 256 bits: two keys with one commitment are a collision of SHA-256.
const COMMITMENT: usize = 32;

/// A key that seals the fields of one person, for one purpose.
#[derive(Debug)]
pub struct FieldKey(Secret<[u8; 32]>);

/// The key for what lives as long as the person's consent (numbers, evidence).
///
/// `HKDF-SHA256` (RFC 5869) over `vault key ‖ salt`: without either half there is no key, so
/// destroying the salt erases one person everywhere.
pub fn vault_field_key(vault_key: &[u8; 32], salt: &[u8; 32], deployment: &str) -> FieldKey {
    derive(
        vault_key,
        salt,
        &[b"headgate/vault/v1", deployment.as_bytes()],
    )
}

/// The key for one person's content of one UTC day (`yyyy-mm-dd`).
///
/// Destroying the day key makes that day unreadable everywhere, backups included.
pub fn content_key(day_key: &[u8; 32], salt: &[u8; 32], deployment: &str, day: &str) -> FieldKey {
    derive(
        day_key,
        salt,
        &[
            b"headgate/content/v1",
            deployment.as_bytes(),
            day.as_bytes(),
        ],
    )
}

/// The key of a copy of somebody's data, which follows from the secret in the link to it.
pub fn export_key(link: &str, deployment: &str) -> FieldKey {
    let secret = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(link)));
    let context = [b"headgate/export/v1".as_slice(), deployment.as_bytes()];
    derive(&secret, &[0; 32], &context)
}

impl FieldKey {
    /// The cipher and the commitment of one envelope.
    fn committing(&self, nonce: &[u8; NONCE], bound: &[u8]) -> (Aes256Gcm, [u8; COMMITMENT]) {
        let key = Zeroizing::new(self.expand(b"headgate/seal/v2/key", nonce, bound));
        let commitment = self.expand(b"headgate/seal/v2/commitment", nonce, bound);
        (Aes256Gcm::new((&*key).into()), commitment)
    }

    #[expect(
        clippy::expect_used,
        reason = "RFC 5869 takes a key of 32 bytes, gives up to 255 blocks, and this asks for one"
    )]
    fn expand(&self, label: &[u8], nonce: &[u8; NONCE], bound: &[u8]) -> [u8; 32] {
        let mut output = [0_u8; 32];
        Hkdf::<Sha256>::from_prk(self.0.expose())
            .expect("a field key has 32 bytes")
            .expand_multi_info(&[label, nonce, bound], &mut output)
            .expect("one block is always available");
        output
    }
}

fn derive(key: &[u8; 32], salt: &[u8; 32], context: &[&[u8]]) -> FieldKey {
    let input = Zeroizing::new([*key, *salt].concat());
    let info = length_prefixed(context);
    let mut output = Zeroizing::new([0_u8; 32]);
    #[expect(
        clippy::expect_used,
        reason = "RFC 5869 gives up to 255 blocks and this asks for one"
    )]
    Hkdf::<Sha256>::new(None, input.as_slice())
        .expand(&info, output.as_mut_slice())
        .expect("one block is always available");
    FieldKey(Secret::new(*output))
}

/// Where a sealed value belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    /// The logical table, not the deployed name.
    pub table: &'a str,
    /// The item's key.
    pub key: &'a str,
    /// The attribute.
    pub field: &'a str,
}

impl Place<'_> {
    fn associated_data(&self, key_id: &str, version: u8) -> Vec<u8> {
        length_prefixed(&[
            self.table.as_bytes(),
            self.key.as_bytes(),
            self.field.as_bytes(),
            key_id.as_bytes(),
            &[version],
        ])
    }
}

/// Joins parts so that no two lists of parts give the same bytes.
fn length_prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::new();
    for part in parts {
        // A part of 4 GiB cannot reach us; if one did, it would fail to open, not open wrongly.
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        joined.extend_from_slice(&length.to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

/// Why a value was not sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    /// The key id must fit the envelope's one length byte.
    #[error("a key id has 1 to 255 bytes")]
    KeyId,
    /// The value is beyond what the cipher takes.
    #[error("the value is too long to seal")]
    TooLong,
}

/// Why an envelope was not opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// The envelope ends too early.
    #[error("the sealed value is incomplete")]
    Truncated,
    /// A newer writer, an old version under a new key, or not an envelope at all.
    #[error("the sealed value has an unknown version or algorithm")]
    UnknownVersion,
    /// The key id is empty or not text.
    #[error("the sealed value names no key")]
    KeyId,
    /// Wrong key, wrong place, or altered bytes; which of them cannot be known.
    #[error("the sealed value does not open here")]
    Rejected,
}

/// Seals a value for a place.
///
/// # Errors
/// [`SealError`] if the key id or the value does not fit.
///
/// # Security
/// `nonce` must be fresh random bytes at every call: GCM breaks when one repeats under a key. A
/// field key belongs to one person (and day), far from the 2³² seals random nonces allow.
pub fn seal(
    key: &FieldKey,
    key_id: &str,
    place: &Place<'_>,
    nonce: [u8; NONCE],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    let id_length = u8::try_from(key_id.len())
        .ok()
        .filter(|length| *length > 0)
        .ok_or(SealError::KeyId)?;
    let bound = place.associated_data(key_id, COMMITTING);
    let (cipher, commitment) = key.committing(&nonce, &bound);
    let payload = Payload {
        msg: plaintext,
        aad: &bound,
    };
    let sealed = cipher
        .encrypt(&Nonce::from(nonce), payload)
        // The cipher's error carries nothing.
        .map_err(|aes_gcm::Error| SealError::TooLong)?;
    let envelope = [
        &[COMMITTING, AES_256_GCM, id_length],
        key_id.as_bytes(),
        &nonce,
        &commitment,
        &sealed,
    ];
    let envelope = envelope.concat();
    Ok(envelope)
}

/// The id of the key an envelope was sealed under, to know which key to load.
///
/// # Errors
/// [`OpenError`] if this is not an envelope. The id is not yet authenticated: [`open`] does that.
pub fn key_id(envelope: &[u8]) -> Result<&str, OpenError> {
    split(envelope).map(|parts| parts.key_id)
}

/// Opens an envelope at its place.
///
/// One of version 1 opens under `vault#1` and under the keys of days up to the end of 2026, and under
/// no other: what is sealed anew is in version 2.
///
/// # Errors
/// [`OpenError`]; a wrong key, a wrong place and an altered byte are one and the same answer.
pub fn open(
    key: &FieldKey,
    place: &Place<'_>,
    envelope: &[u8],
) -> Result<Personal<Vec<u8>>, OpenError> {
    let parts = split(envelope)?;
    let (cipher, bound) = match parts.commitment {
        Some(told) => {
            let bound = place.associated_data(parts.key_id, COMMITTING);
            let (cipher, commitment) = key.committing(parts.nonce, &bound);
            if !bool::from(commitment.ct_eq(told)) {
                return Err(OpenError::Rejected);
            }
            (cipher, bound)
        }
        None => (
            Aes256Gcm::new(key.0.expose().into()),
            place.associated_data(parts.key_id, UNCOMMITTED),
        ),
    };
    let payload = Payload {
        msg: parts.sealed,
        aad: &bound,
    };
    cipher
        .decrypt(&Nonce::from(*parts.nonce), payload)
        .map(Personal::new)
        .map_err(|aes_gcm::Error| OpenError::Rejected)
}

struct Parts<'a> {
    key_id: &'a str,
    nonce: &'a [u8; NONCE],
    /// Absent in version 1.
    commitment: Option<&'a [u8; COMMITMENT]>,
    sealed: &'a [u8],
}

/// Whether something may have been sealed under a key before there were commitments.
fn is_from_before(key_id: &str) -> bool {
    let is_early = |day| Day::parse(UNCOMMITTED_UNTIL).is_ok_and(|last| day <= last);
    key_id == UNCOMMITTED_VAULT
        || key_id
            .strip_prefix("day#")
            .is_some_and(|day| Day::parse(day).is_ok_and(is_early))
}

fn split(envelope: &[u8]) -> Result<Parts<'_>, OpenError> {
    let ([version, algorithm, id_length], rest) = envelope
        .split_first_chunk::<HEADER>()
        .ok_or(OpenError::Truncated)?;
    if !matches!(*version, COMMITTING | UNCOMMITTED) || *algorithm != AES_256_GCM {
        return Err(OpenError::UnknownVersion);
    }
    let (id, rest) = rest
        .split_at_checked(usize::from(*id_length))
        .ok_or(OpenError::Truncated)?;
    let key_id = core::str::from_utf8(id)
        .ok()
        .filter(|id| !id.is_empty())
        .ok_or(OpenError::KeyId)?;
    let (nonce, rest) = rest
        .split_first_chunk::<NONCE>()
        .ok_or(OpenError::Truncated)?;
    let (commitment, sealed) = if *version == COMMITTING {
        let (commitment, sealed) = rest
            .split_first_chunk::<COMMITMENT>()
            .ok_or(OpenError::Truncated)?;
        (Some(commitment), sealed)
    } else if is_from_before(key_id) {
        (None, rest)
    } else {
        return Err(OpenError::UnknownVersion);
    };
    if sealed.len() < TAG {
        return Err(OpenError::Truncated);
    }
    Ok(Parts {
        key_id,
        nonce,
        commitment,
        sealed,
    })
}

#[cfg(test)]
mod tests;
