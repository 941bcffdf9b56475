//! A checkpoint: what the whole ledger was at one time, in one text that can be signed.
//!
//! Owns the text (C2SP tlog-checkpoint, with lines of ours behind its three), and reads back only what it
//! would write. The leaves of the tree are those of all shards: behind what the checkpoint before
//! covers, the new ones of shard 0 in their order, then those of shard 1, and so on (docs/adr/0022). Holds hashes
//! and numbers only, so that it can be kept for ever.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::chain::Head;
use super::hash::Hash;
use super::tree::Frontier;
use super::{HEADS, SHARDS};
use crate::time::Timestamp;

/// The state of a ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Which ledger: `headgate/ledger/<deployment>`. Also the name of its key.
    pub origin: String,
    /// Its place among the checkpoints, from 0.
    pub number: u64,
    /// When it was made, by our clock.
    pub at: Timestamp,
    /// The hash of the text of the one before; zero for the first.
    pub previous: Hash,
    /// The tree over all leaves so far.
    pub tree: Frontier,
    /// The heads of the shards, as far as the tree covers them.
    pub heads: [Head; HEADS],
}

/// The text is not that of a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not the text of a checkpoint of this build")]
pub struct NotCheckpoint;

/// The origin of a deployment's ledger.
pub fn origin(deployment: &str) -> String {
    format!("headgate/ledger/{deployment}")
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.tree.root().as_bytes());
        let mut text = format!(
            "{}\n{}\n{root}\nnumber {}\ntime {}\nprevious {}\n",
            self.origin,
            self.tree.size(),
            self.number,
            self.at,
            self.previous
        );
        // Writing to a string does not fail.
        for (shard, head) in (0..SHARDS).zip(&self.heads) {
            writeln!(text, "head {shard:x} {} {}", head.next_seq, head.chain).unwrap_or_default();
        }
        for peak in self.tree.peaks() {
            writeln!(text, "peak {peak}").unwrap_or_default();
        }
        text
    }

    /// The hash by which the next one names this one: of its text, whoever signed it.
    pub fn hash(&self) -> Hash {
        Hash::of(&[self.text().as_bytes()])
    }

    /// Reads a text that [`Self::text`] would write.
    ///
    /// # Errors
    /// [`NotCheckpoint`] for any other, one with a wrong root included.
    pub fn parse(text: &str) -> Result<Self, NotCheckpoint> {
        let read = Self::read(text).ok_or(NotCheckpoint)?;
        let covered = read.heads.iter().map(|head| head.next_seq);
        let covered = covered.fold(0_u64, u64::saturating_add);
        if covered == read.tree.size() && read.text() == text {
            Ok(read)
        } else {
            Err(NotCheckpoint)
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let origin = lines.next().filter(|name| !name.is_empty())?.to_owned();
        let size = lines.next()?.parse().ok()?;
        // The root follows from the peaks, and is compared with the whole text.
        let _root = lines.next()?;
        let number = lines.next()?.strip_prefix("number ")?.parse().ok()?;
        let at = Timestamp::parse(lines.next()?.strip_prefix("time ")?).ok()?;
        let previous = Hash::parse(lines.next()?.strip_prefix("previous ")?).ok()?;
        let mut heads = [Head::GENESIS; HEADS];
        for head in &mut heads {
            let (_shard, place) = lines.next()?.strip_prefix("head ")?.split_once(' ')?;
            let (next_seq, chain) = place.split_once(' ')?;
            head.next_seq = next_seq.parse().ok()?;
            head.chain = Hash::parse(chain).ok()?;
        }
        let peak = |line: &str| Hash::parse(line.strip_prefix("peak ")?).ok();
        let peaks = lines.map(peak).collect::<Option<Vec<Hash>>>()?;
        Some(Self {
            origin,
            number,
            at,
            previous,
            tree: Frontier::new(size, peaks).ok()?,
            heads,
        })
    }
}
