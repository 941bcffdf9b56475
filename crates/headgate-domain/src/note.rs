//! Signed notes (C2SP signed-note): a text, an empty line, and lines of signatures.
//!
//! Owns the form, and the check of ECDSA over P-256 with SHA-256, which is what KMS signs with. Signs nothing:
//! the private key never leaves KMS. Lines of other keys, such as a witness's, are left alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

use crate::ledger::Hash;

/// How the DER of every P-256 public key begins (RFC 5480); its point of 65 bytes follows.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const POINT: usize = 65;
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

/// A public key that texts are signed by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey {
    spki: Vec<u8>,
}

/// The bytes or the text are not a public key on P-256.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a public key for ECDSA on P-256 (SubjectPublicKeyInfo, uncompressed)")]
pub struct InvalidKey;

impl PublicKey {
    /// A key from the DER that KMS gives.
    ///
    /// # Errors
    /// [`InvalidKey`].
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidKey> {
        let point = der.strip_prefix(&SPKI_PREFIX).ok_or(InvalidKey)?;
        if point.len() != POINT || point.first() != Some(&4) {
            return Err(InvalidKey);
        }
        Ok(Self { spki: der.to_vec() })
    }

    /// A key from PEM.
    ///
    /// # Errors
    /// [`InvalidKey`].
    pub fn from_pem(pem: &str) -> Result<Self, InvalidKey> {
        let body = pem.trim().strip_prefix(PEM_BEGIN);
        let body = body.and_then(|rest| rest.strip_suffix(PEM_END));
        let body: String = body.ok_or(InvalidKey)?.split_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_base64| InvalidKey)?;
        Self::from_der(&der)
    }

    /// The key as PEM.
    pub fn to_pem(&self) -> String {
        let base64 = STANDARD.encode(&self.spki);
        // 91 bytes are 124 characters: two lines.
        let (first, second) = base64.split_at_checked(64).unwrap_or((&base64, ""));
        format!("{PEM_BEGIN}\n{first}\n{second}\n{PEM_END}\n")
    }

    /// The first four bytes of the key's hash: which key a line is of.
    pub fn id(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = *Hash::of_bytes(&self.spki).as_bytes();
        [a, b, c, d]
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let point = self.spki.strip_prefix(&SPKI_PREFIX).unwrap_or_default();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(text.as_bytes(), signature)
            .is_ok()
    }
}

/// What is wrong with a note.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoteFault {
    /// It is no note, or its text is not what it should be.
    #[error("it is not a signed note of this kind")]
    Form,
    /// No line is signed with the key.
    #[error("no signature on it is by the key")]
    Key,
    /// A line of that key does not hold over the text.
    #[error("its signature does not hold")]
    Signature,
}

/// The note of a text with a signature over it, as KMS gives it (ASN.1 DER). The text ends with a line break;
/// `name` is its first line, and that of the key.
pub fn signed(text: &str, name: &str, key: &PublicKey, signature: &[u8]) -> String {
    let line = STANDARD.encode([&key.id()[..], signature].concat());
    format!("{text}\n— {name} {line}\n")
}

/// The text of a note that the key has signed under the name in its first line.
///
/// # Errors
/// [`NoteFault`].
pub fn verified(note: &str, key: &PublicKey) -> Result<String, NoteFault> {
    let (before, lines) = note.rsplit_once("\n\n").ok_or(NoteFault::Form)?;
    let text = format!("{before}\n");
    let origin = text.lines().next().filter(|name| !name.is_empty());
    let origin = origin.ok_or(NoteFault::Form)?;
    let signatures = lines.strip_suffix('\n').ok_or(NoteFault::Form)?;
    let mut fault = NoteFault::Key;
    for line in signatures.split('\n') {
        let named = line
            .strip_prefix("— ")
            .and_then(|rest| rest.split_once(' '));
        let (name, base64) = named.ok_or(NoteFault::Form)?;
        let signed = STANDARD.decode(base64).map_err(|_base64| NoteFault::Form)?;
        let (id, signature) = signed.split_first_chunk::<4>().ok_or(NoteFault::Form)?;
        if name == origin && *id == key.id() {
            if key.verifies(&text, signature) {
                return Ok(text);
            }
            fault = NoteFault::Signature;
        }
    }
    Err(fault)
}

#[cfg(test)]
pub(crate) mod signer;
