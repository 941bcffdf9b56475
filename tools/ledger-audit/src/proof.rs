//! Proofs as files: that an event is in a checkpoint, and that one checkpoint's tree begins another's.
//!
//! A proof is checked with the public key alone: it carries the signed notes, and nothing of other events but
//! hashes.

use headgate_domain::ledger::{
    Checkpoint, Hash, NoteFault, PublicKey, consistency_proof, inclusion_proof, is_consistent,
    is_included, verify_note,
};
use serde::{Deserialize, Serialize};

use crate::export::{Export, place};
use crate::verify::{Finding, Given, Walk};

/// A proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "proof", rename_all = "snake_case", deny_unknown_fields)]
pub enum Proof {
    /// An event is a leaf of a checkpoint's tree.
    Inclusion {
        /// The event's text.
        event: String,
        /// Its place among all leaves.
        index: u64,
        /// The hashes from the leaf to the root.
        path: Vec<String>,
        /// The signed note.
        checkpoint: String,
    },
    /// A tree is the beginning of another.
    Consistency {
        /// The signed note of the older one.
        older: String,
        /// The signed note of the newer one.
        newer: String,
        /// The hashes between them.
        path: Vec<String>,
    },
}

/// A proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A note in it does not hold.
    #[error("its checkpoint: {0}")]
    Note(#[from] NoteFault),
    /// A hash in it is none.
    #[error("its path: a hash is 64 lower-case hexadecimal digits")]
    Path,
    /// The notes are of two ledgers.
    #[error("its checkpoints are of two ledgers")]
    Origin,
    /// The path does not lead to the root.
    #[error("its path does not lead to the root that was signed")]
    Root,
}

impl Proof {
    /// Checks it by a key; returns the checkpoint it leads to.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn check(&self, key: &PublicKey) -> Result<Checkpoint, ProofError> {
        let hashes = |path: &[String]| {
            let hashes = path.iter().map(|hash| Hash::parse(hash));
            hashes
                .collect::<Result<Vec<Hash>, _>>()
                .map_err(|_hex| ProofError::Path)
        };
        match self {
            Self::Inclusion {
                event,
                index,
                path,
                checkpoint,
            } => {
                let checkpoint = verify_note(checkpoint, key)?;
                let (leaf, tree) = (Hash::of_leaf(event.as_bytes()), &checkpoint.tree);
                if is_included(leaf, *index, tree.size(), &hashes(path)?, &tree.root()) {
                    Ok(checkpoint)
                } else {
                    Err(ProofError::Root)
                }
            }
            Self::Consistency { older, newer, path } => {
                let (older, newer) = (verify_note(older, key)?, verify_note(newer, key)?);
                if older.origin != newer.origin {
                    return Err(ProofError::Origin);
                }
                let (old, new) = (&older.tree, &newer.tree);
                let (of_old, of_new) = (old.root(), new.root());
                if is_consistent((old.size(), &of_old), (new.size(), &of_new), &hashes(path)?) {
                    Ok(newer)
                } else {
                    Err(ProofError::Root)
                }
            }
        }
    }
}

/// Proves that an event is in a checkpoint, the newest unless one is named. Verifies up to there on the way.
///
/// # Errors
/// [`Finding`]; [`Finding::NoEvent`] when no checkpoint covers it.
pub fn prove_inclusion(
    export: &Export,
    given: &Given,
    id: &str,
    number: Option<u64>,
) -> Result<Proof, Finding> {
    let missing = || Finding::NoEvent(id.to_owned());
    let (shard, seq) = place(id).ok_or_else(missing)?;
    let mut walk = Walk::new(export, given)?;
    let notes = walk.notes.clone();
    let number = number.or_else(|| notes.last().map(|last| last.number));
    let mut leaves = Vec::new();
    let mut found = None;
    let mut note = None;
    for (checkpoint, text) in notes.iter().zip(export.notes()?) {
        walk.up_to(checkpoint, &mut |of, entry| {
            if of == shard && entry.seq == seq {
                found = Some((entry.event.clone(), leaves.len()));
            }
            leaves.push(entry.leaf);
        })?;
        note = Some(text);
        if Some(checkpoint.number) == number {
            break;
        }
    }
    let ((event, index), note) = found.zip(note).ok_or_else(missing)?;
    let path = inclusion_proof(&leaves, index).ok_or_else(missing)?;
    Ok(Proof::Inclusion {
        event,
        index: u64::try_from(index).unwrap_or(u64::MAX),
        path: path.iter().map(Hash::to_string).collect(),
        checkpoint: note,
    })
}

/// Proves that the tree of one checkpoint begins that of another.
///
/// # Errors
/// [`Finding`]; [`Finding::NoCheckpoint`] when there is none of a number.
pub fn prove_consistency(
    export: &Export,
    given: &Given,
    (from, to): (u64, u64),
) -> Result<Proof, Finding> {
    let mut walk = Walk::new(export, given)?;
    let checkpoints = walk.notes.clone();
    let texts = export.notes()?;
    let find = |number: u64| {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let found = checkpoints.get(place).zip(texts.get(place));
        found.ok_or(Finding::NoCheckpoint(number))
    };
    let (newer, newer_text) = find(to)?;
    let (older, older_text) = find(from.min(to))?;
    let mut leaves = Vec::new();
    for checkpoint in checkpoints.iter().take_while(|c| c.number <= newer.number) {
        walk.up_to(checkpoint, &mut |_shard, entry| leaves.push(entry.leaf))?;
    }
    let size = usize::try_from(older.tree.size()).unwrap_or(usize::MAX);
    let path = consistency_proof(&leaves, size).ok_or(Finding::NoCheckpoint(from))?;
    Ok(Proof::Consistency {
        older: older_text.clone(),
        newer: newer_text.clone(),
        path: path.iter().map(Hash::to_string).collect(),
    })
}
