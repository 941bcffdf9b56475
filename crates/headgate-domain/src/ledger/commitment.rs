//! Commitments: how the ledger speaks of a person without naming them.
//!
//! Owns `c1:` and base64url of `SHA256(salt ‖ value)`. With the salt one can show that an event is
//! about a person; when it is destroyed nobody can. It makes and keeps no salts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::hash::Hash;
use crate::identity::SubjectId;

/// What every commitment begins with.
const PREFIX: &str = "c1:";

/// The text is not a commitment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a commitment is c1: and the base64url of 32 bytes")]
pub struct InvalidCommitment;

/// A commitment to a subject or to a piece of evidence.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Commitment(String);

impl Commitment {
    /// Parses the text that stands in an event.
    ///
    /// # Errors
    /// [`InvalidCommitment`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidCommitment> {
        let body = text.strip_prefix(PREFIX).ok_or(InvalidCommitment)?;
        let hash = URL_SAFE_NO_PAD.decode(body).ok();
        hash.filter(|hash| hash.len() == 32)
            .map(|_hash| Self(text.to_owned()))
            .ok_or(InvalidCommitment)
    }

    /// The text that stands in an event.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Commits to a person, by their own evidence salt.
pub fn subject_commitment(evidence_salt: &[u8; 32], subject: &SubjectId) -> Commitment {
    commit(evidence_salt, subject.as_str().as_bytes())
}

/// Commits to the evidence of an event. The same salt: both links go when it goes.
pub fn evidence_commitment(evidence_salt: &[u8; 32], evidence: &[u8]) -> Commitment {
    commit(evidence_salt, evidence)
}

/// The shard of a person's events: the first four bits of the id's hash, 0 to 15.
pub fn shard(subject: &SubjectId) -> u8 {
    let [first, ..]: [u8; 32] = Sha256::digest(subject.as_str()).into();
    first >> 4
}

pub(super) fn commit(salt: &[u8], value: &[u8]) -> Commitment {
    let hash = Sha256::new()
        .chain_update(salt)
        .chain_update(value)
        .finalize();
    Commitment(format!("c1:{}", URL_SAFE_NO_PAD.encode(hash)))
}

/// The identity of a wording: `sha256:` and the hash of its text as shown.
pub fn notice_hash(text: &str) -> String {
    format!("sha256:{}", Hash::of(&[text.as_bytes()]))
}
