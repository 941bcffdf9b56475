//! The consent ledger: what a person agreed to, when, and on what evidence.
//!
//! Owns the event, its canonical text and the hash chain over the events of one shard:
//! `leaf = SHA256(00 ‖ JCS(event))`, `chain = SHA256(02 ‖ previous chain ‖ leaf)`, genesis 32 zero
//! bytes, and the RFC 6962 tree over the leaves. Whoever holds a head can tell that nothing before
//! it was changed, moved, dropped or put in. Storing is elsewhere; there is no way to take back.
//!
//! Events name nobody: a subject and its evidence are commitments, and destroying their salt
//! leaves a chain that still verifies and leads to no one.

mod audit;
mod canonical;
mod chain;
mod checkpoint;
mod commitment;
mod fact;
mod hash;
mod note;
mod plain;
mod tree;

pub use crate::note::{InvalidKey, NoteFault, PublicKey};
pub use audit::{Audit, Mismatch};
pub use canonical::{NotCanonical, canonical};
pub use chain::{Broken, Entry, Fault, Head, event_id, verify_chain, verify_from, verify_shard};
pub use checkpoint::{Checkpoint, NotCheckpoint, origin};
pub use commitment::{Commitment, evidence_commitment, notice_hash, shard, subject_commitment};
pub use fact::{EventType, Expression, Fact, Terms};
pub use hash::{Hash, InvalidHash};
pub use note::{note, verify_note};
pub use tree::{
    Frontier, InvalidFrontier, consistency_proof, inclusion_proof, is_consistent, is_included,
    merkle_root,
};

/// How many shards a ledger has: a person's events are all in one of them.
pub const SHARDS: u8 = 16;
/// As many heads.
pub const HEADS: usize = SHARDS as usize;

#[cfg(test)]
mod tests;
