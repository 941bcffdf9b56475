//! Verifying a whole ledger, entry by entry and checkpoint by checkpoint, in constant memory.
//!
//! Owns the order in which that is done, which is the order of the tree's leaves. The function that makes
//! checkpoints and the tool that verifies an export go the same way: what one signs, the other finds.
//! Reads nothing by itself.

use super::chain::{Broken, Entry, Fault, Head};
use super::checkpoint::Checkpoint;
use super::hash::Hash;
use super::tree::Frontier;
use super::{HEADS, SHARDS, event_id};
use crate::time::Timestamp;

/// A ledger as far as it has been verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audit {
    heads: [Head; HEADS],
    tree: Frontier,
    /// The place of the next checkpoint, and the hash of the one before.
    number: u64,
    previous: Hash,
    /// What the checkpoint before covers.
    covered: [Head; HEADS],
}

/// A checkpoint that is not what the entries and the checkpoints before it say.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Mismatch {
    /// Another one is due: one was dropped, moved or put in.
    #[error("checkpoint {wanted} is due, and number {found} stands here")]
    Number {
        /// The one that is due.
        wanted: u64,
        /// The one that is there.
        found: u64,
    },
    /// It does not name the one before.
    #[error("checkpoint {0} does not follow the one before: it belongs to another history")]
    Previous(u64),
    /// It covers less of a shard than the one before.
    #[error("checkpoint {number} covers less of shard {shard:x} than the one before")]
    Shrunk {
        /// The checkpoint.
        number: u64,
        /// The shard.
        shard: u8,
    },
    /// The entries of a shard hold, but are not those the checkpoint was made over.
    #[error(
        "shard {shard:x} was rewritten between {from} and {to}: its entries are not those of checkpoint {number}"
    )]
    Rewritten {
        /// The checkpoint.
        number: u64,
        /// The shard.
        shard: u8,
        /// The first event that may be another.
        from: String,
        /// The last one.
        to: String,
    },
    /// The heads are right, and the root is not.
    #[error("the root of checkpoint {0} is not that of its entries")]
    Root(u64),
}

/// Numbers, places and hashes.
impl headgate_redact::LogSafe for Mismatch {}

impl Default for Audit {
    fn default() -> Self {
        Self::GENESIS
    }
}

impl Audit {
    /// Of a ledger with nothing in it.
    pub const GENESIS: Self = Self {
        heads: [Head::GENESIS; HEADS],
        tree: Frontier::EMPTY,
        number: 0,
        previous: Hash::ZERO,
        covered: [Head::GENESIS; HEADS],
    };

    /// From a checkpoint on that was verified before.
    pub fn after(checkpoint: &Checkpoint) -> Self {
        Self {
            heads: checkpoint.heads,
            tree: checkpoint.tree.clone(),
            number: checkpoint.number.saturating_add(1),
            previous: checkpoint.hash(),
            covered: checkpoint.heads,
        }
    }

    /// The head of a shard as far as it is verified.
    pub fn head(&self, shard: u8) -> Head {
        let head = self.heads.get(usize::from(shard));
        head.copied().unwrap_or(Head::GENESIS)
    }

    /// How many entries are verified.
    pub const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Takes the next entry of a shard. Between two checkpoints the shards come in their order: that is the
    /// order of the leaves.
    ///
    /// # Errors
    /// [`Broken`] when it does not follow.
    pub fn take(&mut self, shard: u8, entry: &Entry) -> Result<(), Broken> {
        let Some(head) = self.heads.get_mut(usize::from(shard)) else {
            let (seq, fault) = (entry.seq, Fault::Place);
            return Err(Broken { shard, seq, fault });
        };
        *head = head.verify_next(shard, entry)?;
        self.tree.push(entry.leaf);
        Ok(())
    }

    /// The place that is missing when a shard ends before `until`.
    ///
    /// # Errors
    /// [`Broken`] with that place.
    pub fn reached(&self, shard: u8, until: &Head) -> Result<(), Broken> {
        let head = self.head(shard);
        if head.next_seq >= until.next_seq {
            return Ok(());
        }
        let (seq, fault) = (head.next_seq, Fault::Head);
        Err(Broken { shard, seq, fault })
    }

    /// The checkpoint over what was taken.
    pub fn checkpoint(&self, origin: &str, at: Timestamp) -> Checkpoint {
        Checkpoint {
            origin: origin.to_owned(),
            number: self.number,
            at,
            previous: self.previous,
            tree: self.tree.clone(),
            heads: self.heads,
        }
    }

    /// Checks that a checkpoint can be the next one, before its entries are taken.
    ///
    /// # Errors
    /// [`Mismatch`].
    pub fn expects(&self, next: &Checkpoint) -> Result<(), Mismatch> {
        let number = next.number;
        if number != self.number {
            let (wanted, found) = (self.number, number);
            return Err(Mismatch::Number { wanted, found });
        }
        if next.previous != self.previous {
            return Err(Mismatch::Previous(number));
        }
        let shards = (0..SHARDS).zip(next.heads.iter().zip(&self.covered));
        for (shard, (head, covered)) in shards {
            if head.next_seq < covered.next_seq {
                return Err(Mismatch::Shrunk { number, shard });
            }
        }
        Ok(())
    }

    /// Compares what was taken with the checkpoint over it, and goes on behind that.
    ///
    /// # Errors
    /// [`Mismatch`], which names the shard and the events that are not the checkpoint's.
    pub fn close(&mut self, checkpoint: &Checkpoint) -> Result<(), Mismatch> {
        self.expects(checkpoint)?;
        let number = checkpoint.number;
        let heads = self.heads.iter().zip(&self.covered);
        for (shard, (theirs, (ours, covered))) in
            (0..SHARDS).zip(checkpoint.heads.iter().zip(heads))
        {
            if theirs != ours {
                let from = event_id(shard, covered.next_seq);
                let to = event_id(shard, theirs.next_seq.saturating_sub(1));
                return Err(Mismatch::Rewritten {
                    number,
                    shard,
                    from,
                    to,
                });
            }
        }
        if checkpoint.tree != self.tree {
            return Err(Mismatch::Root(number));
        }
        *self = Self::after(checkpoint);
        Ok(())
    }
}
