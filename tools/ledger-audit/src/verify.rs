//! The way through an export: checkpoint by checkpoint, and within one shard by shard.

use headgate_domain::ledger::{
    Audit, Broken, Checkpoint, Entry, Mismatch, NoteFault, PublicKey, SHARDS, event_id, origin,
    verify_note,
};
use serde::Serialize;

use crate::export::{Export, ExportError, ShardReader};

/// What whoever verifies brings along.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The key they trust; without one that of the export is taken, and says nothing of who signed.
    pub key: Option<PublicKey>,
    /// A checkpoint they kept: it must be among those of the export.
    pub kept: Option<String>,
    /// The deployment whose ledger it must be.
    pub deployment: Option<String>,
}

/// What holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Which ledger.
    pub origin: Option<String>,
    /// How many events follow each other.
    pub events: u64,
    /// How many of them a checkpoint covers.
    pub covered: u64,
    /// How many checkpoints hold.
    pub checkpoints: u64,
    /// When the newest was made.
    pub newest: Option<String>,
}

/// What does not hold, or cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum Finding {
    /// A file is missing or unreadable.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// An event does not follow.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A line is no entry.
    #[error("the ledger is broken at {0}: the line is not an entry")]
    Line(String),
    /// A shard goes on, or ends, beside its head.
    #[error("the ledger is broken at {0}: the entries do not end at the head")]
    Head(String),
    /// A note does not hold.
    #[error("checkpoint {number}: {fault}")]
    Note {
        /// Its place.
        number: u64,
        /// What is wrong with it.
        fault: NoteFault,
    },
    /// A checkpoint is not that of the entries.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// A checkpoint is of another ledger.
    #[error("checkpoint {0} is of another ledger")]
    Origin(u64),
    /// The kept checkpoint does not hold itself.
    #[error("the checkpoint you kept: {0}")]
    Kept(NoteFault),
    /// The kept checkpoint is newer than all there are.
    #[error(
        "the ledger was rolled back: checkpoint {kept}, which you kept, is not among the {there} there are"
    )]
    RolledBack {
        /// The number of the kept one.
        kept: u64,
        /// How many there are.
        there: usize,
    },
    /// There is another one under the number of the kept one.
    #[error("checkpoint {0} is not the one you kept: there are two histories")]
    Split(u64),
    /// A proof was asked for of an event that is not there.
    #[error("there is no event {0} that this checkpoint covers: ids are like L3.17")]
    NoEvent(String),
    /// A proof was asked for of a checkpoint that is not there.
    #[error("there is no checkpoint {0}")]
    NoCheckpoint(u64),
}

impl Finding {
    /// The event or checkpoint at which it is, for machines.
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Broken(broken) => Some(event_id(broken.shard, broken.seq)),
            Self::Line(id) | Self::Head(id) | Self::NoEvent(id) => Some(id.clone()),
            Self::Mismatch(Mismatch::Rewritten { from, .. }) => Some(from.clone()),
            Self::Mismatch(
                Mismatch::Number { wanted: number, .. }
                | Mismatch::Previous(number)
                | Mismatch::Shrunk { number, .. }
                | Mismatch::Root(number),
            )
            | Self::Note { number, .. }
            | Self::Origin(number)
            | Self::RolledBack { kept: number, .. }
            | Self::NoCheckpoint(number)
            | Self::Split(number) => Some(format!("checkpoint {number}")),
            Self::Export(_) | Self::Kept(_) => None,
        }
    }
}

/// Verifies an export; `progress` is told of events that were taken, a thousand or so at a time.
///
/// # Errors
/// [`Finding`], the first there is.
pub fn verify(
    export: &Export,
    given: &Given,
    mut progress: impl FnMut(u64),
) -> Result<Report, Finding> {
    let mut taken = 0_u64;
    let mut walk = Walk::new(export, given)?;
    let notes = walk.notes.clone();
    let mut each = |_shard: u8, _entry: &Entry| {
        taken = taken.saturating_add(1);
        if taken.is_multiple_of(1_024) {
            progress(1_024);
        }
    };
    let mut newest = None;
    for checkpoint in &notes {
        walk.up_to(checkpoint, &mut each)?;
        newest = Some(checkpoint);
    }
    let covered = walk.audit.size();
    walk.finish(&mut each)?;
    let report = Report {
        origin: newest.map(|checkpoint| checkpoint.origin.clone()),
        events: walk.audit.size(),
        covered,
        checkpoints: u64::try_from(notes.len()).unwrap_or(u64::MAX),
        newest: newest.map(|checkpoint| checkpoint.at.to_string()),
    };
    progress(taken % 1_024);
    Ok(report)
}

/// A way through an export that has begun.
pub(crate) struct Walk {
    pub(crate) audit: Audit,
    pub(crate) notes: Vec<Checkpoint>,
    shards: Vec<ShardReader>,
    heads: crate::Heads,
}

impl Walk {
    /// Opens the files, and checks the notes for themselves and against the kept one.
    pub(crate) fn new(export: &Export, given: &Given) -> Result<Self, Finding> {
        let key = match &given.key {
            Some(key) => key.clone(),
            None => export.key()?,
        };
        let mut notes = Vec::new();
        for (number, note) in (0_u64..).zip(export.notes()?) {
            let read = verify_note(&note, &key);
            let checkpoint = read.map_err(|fault| Finding::Note { number, fault })?;
            let wanted = given.deployment.as_deref().map(origin);
            let first = notes.first().map(|first: &Checkpoint| first.origin.clone());
            if wanted
                .or(first)
                .is_some_and(|origin| origin != checkpoint.origin)
            {
                return Err(Finding::Origin(number));
            }
            notes.push(checkpoint);
        }
        if let Some(kept) = &given.kept {
            let kept = verify_note(kept, &key).map_err(Finding::Kept)?;
            let place = usize::try_from(kept.number).unwrap_or(usize::MAX);
            match notes.get(place) {
                None => {
                    let (kept, there) = (kept.number, notes.len());
                    return Err(Finding::RolledBack { kept, there });
                }
                Some(found) if *found != kept => return Err(Finding::Split(kept.number)),
                Some(_same) => {}
            }
        }
        let shards = (0..SHARDS).map(|shard| export.shard(shard));
        Ok(Self {
            audit: Audit::default(),
            notes,
            shards: shards.collect::<Result<_, _>>()?,
            heads: export.heads()?,
        })
    }

    /// Takes what a checkpoint covers, in the order of the tree, and compares it.
    pub(crate) fn up_to(
        &mut self,
        checkpoint: &Checkpoint,
        each: &mut impl FnMut(u8, &Entry),
    ) -> Result<(), Finding> {
        self.audit.expects(checkpoint)?;
        for (shard, until) in (0..SHARDS).zip(&checkpoint.heads) {
            self.take(shard, until.next_seq, each)?;
            self.audit.reached(shard, until)?;
        }
        self.audit.close(checkpoint)?;
        Ok(())
    }

    /// Takes what is behind the last checkpoint.
    fn finish(&mut self, each: &mut impl FnMut(u8, &Entry)) -> Result<(), Finding> {
        for (shard, head) in (0..SHARDS).zip(self.heads) {
            self.take(shard, u64::MAX, each)?;
            self.audit.reached(shard, &head)?;
            if self.audit.head(shard) != head {
                return Err(Finding::Head(event_id(shard, head.next_seq)));
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        shard: u8,
        until: u64,
        each: &mut impl FnMut(u8, &Entry),
    ) -> Result<(), Finding> {
        let Some(reader) = self.shards.get_mut(usize::from(shard)) else {
            return Ok(());
        };
        while self.audit.head(shard).next_seq < until {
            match reader.next() {
                Ok(Some(entry)) => {
                    self.audit.take(shard, &entry)?;
                    each(shard, &entry);
                }
                Ok(None) => break,
                Err(Some(failed)) => return Err(failed.into()),
                Err(None) => {
                    let next = self.audit.head(shard).next_seq;
                    return Err(Finding::Line(event_id(shard, next)));
                }
            }
        }
        Ok(())
    }
}
