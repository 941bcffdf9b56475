//! The checkpoint function: says once a day, and each hour that is busy, what the whole ledger was.
//!
//! Verifies every shard from the checkpoint before on, adds the new leaves to the tree, has the text signed by
//! KMS and puts it where nobody can take it away again. A ledger that does not verify gets no checkpoint: the
//! run fails, says at which event, and raises an alarm. It reads the ledger and changes nothing in it.

pub mod config;

use std::time::{Duration, Instant};

use headgate_aws::checkpoints::Checkpoints;
use headgate_aws::ledger::Ledger;
use headgate_aws::signing::SigningKey;
use headgate_aws::{Aws, AwsError, AwsSettings};
use headgate_domain::ledger::{
    Audit, Broken, Checkpoint, Fault, HEADS, Head, Mismatch, NoteFault, PublicKey, SHARDS, note,
    origin, verify_note,
};
use headgate_lambda::clock::Clock;
use headgate_lambda::log::{Field, Level, log};
use headgate_lambda::settings::Settings;
use headgate_redact::LogSafe;
use tokio::sync::Mutex;

pub use config::{Config, ConfigError};

/// The most events one checkpoint adds: a run that is cut short loses no more than this.
const LARGEST_STEP: u64 = 200_000;
/// No checkpoint is begun later than this; the next hour goes on.
const TIME: Duration = Duration::from_mins(3);

/// The function cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A setting is missing or wrong.
    #[error(transparent)]
    Setting(#[from] ConfigError),
    /// The connection to AWS cannot be made.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Each of its parts is.
impl LogSafe for StartError {}

/// No checkpoint was made, or not all of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The table, the bucket or the key did not answer.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The ledger does not verify.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The checkpoint before is not one of ours.
    #[error("checkpoint {number}, the newest: {fault}")]
    Note {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        fault: NoteFault,
    },
    /// The checkpoint before is of another ledger, or stands under another number.
    #[error("checkpoint {0}, the newest, stands in the wrong place")]
    Place(u64),
    /// The new checkpoint does not follow.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

/// Each of its parts is.
impl LogSafe for CheckpointError {}

/// The function.
pub struct LedgerCheckpoint {
    ledger: Ledger,
    checkpoints: Checkpoints,
    key: SigningKey,
    origin: String,
    busy_events: u64,
    clock: Clock,
    known: Mutex<Known>,
}

/// What does not have to be asked for again.
#[derive(Default)]
struct Known {
    key: Option<PublicKey>,
    newest: u64,
}

impl LedgerCheckpoint {
    /// Reads the settings; without them it does not start (I5).
    ///
    /// # Errors
    /// [`StartError`].
    #[allow(clippy::unused_async, reason = "every function starts in the same way")]
    pub async fn new(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let config = Config::read(settings)?;
        let aws = Aws::new(&AwsSettings::new(settings.lookup())?)?;
        Ok(Self {
            ledger: Ledger::new(&aws, &config.table_consent_ledger),
            checkpoints: Checkpoints::new(&aws, &config.bucket_checkpoints),
            key: SigningKey::new(&aws, &config.kms_key_ledger),
            origin: origin(&config.deployment),
            busy_events: config.busy_events,
            clock,
            known: Mutex::default(),
        })
    }

    /// Makes the checkpoints that are due; returns how many. The event says nothing.
    ///
    /// # Errors
    /// [`CheckpointError`]; running again is always safe.
    pub async fn handle(&self, _event: serde_json::Value) -> Result<usize, CheckpointError> {
        let started = Instant::now();
        // Two runs at once would do no harm, but ask for everything twice.
        let mut known = self.known.lock().await;
        let key = match &known.key {
            Some(key) => key.clone(),
            None => self.key.public_key().await?,
        };
        known.key = Some(key.clone());
        let before = self.newest(&key, known.newest).await?;
        known.newest = before.as_ref().map_or(0, |before| before.number);
        let heads = self.ledger.heads().await?;
        let mut audit = before.as_ref().map_or(Audit::GENESIS, Audit::after);
        for (shard, head) in (0..SHARDS).zip(&heads) {
            compare(&audit, shard, head)?;
        }
        let new = events(&heads).saturating_sub(audit.size());
        if !self.is_due(before.as_ref(), new) {
            return Ok(0);
        }
        let mut made = 0_usize;
        loop {
            let is_whole = self.take(&mut audit, &heads).await?;
            let checkpoint = audit.checkpoint(&self.origin, (self.clock)());
            if !self.keep(&checkpoint, &key).await? {
                // Another run was faster, and goes on.
                return Ok(made);
            }
            audit.close(&checkpoint)?;
            known.newest = checkpoint.number;
            made = made.saturating_add(1);
            if is_whole || started.elapsed() > TIME {
                return Ok(made);
            }
        }
    }

    /// The first of all, the first of a day (UTC), and one in an hour with many events.
    fn is_due(&self, before: Option<&Checkpoint>, new: u64) -> bool {
        let today = (self.clock)().day();
        before.is_none_or(|before| before.at.day() != today || new >= self.busy_events)
    }

    async fn newest(
        &self,
        key: &PublicKey,
        known: u64,
    ) -> Result<Option<Checkpoint>, CheckpointError> {
        let Some((number, note)) = self.checkpoints.newest(known).await? else {
            return Ok(None);
        };
        let checkpoint =
            verify_note(&note, key).map_err(|fault| CheckpointError::Note { number, fault })?;
        if checkpoint.number == number && checkpoint.origin == self.origin {
            Ok(Some(checkpoint))
        } else {
            Err(CheckpointError::Place(number))
        }
    }

    /// Takes what is new, shard by shard, up to the heads or the most that one checkpoint adds; whether
    /// that is all.
    async fn take(
        &self,
        audit: &mut Audit,
        heads: &[Head; HEADS],
    ) -> Result<bool, CheckpointError> {
        let most = audit.size().saturating_add(LARGEST_STEP);
        for (shard, head) in (0..SHARDS).zip(heads) {
            loop {
                let at = audit.head(shard);
                if at.next_seq >= head.next_seq {
                    break;
                }
                let page = self.ledger.entries(shard, at.next_seq).await?;
                if page.is_empty() {
                    audit.reached(shard, head)?;
                }
                // What came after the heads were read is for the next one.
                for entry in page.iter().filter(|entry| entry.seq < head.next_seq) {
                    audit.take(shard, entry)?;
                    if audit.size() == most {
                        return Ok(false);
                    }
                }
                // A page with nothing of this range would be asked for for ever.
                if audit.head(shard) == at {
                    audit.reached(shard, head)?;
                }
            }
            compare(audit, shard, head)?;
        }
        Ok(true)
    }

    /// Has a checkpoint signed and puts it; whether it stands there now.
    async fn keep(
        &self,
        checkpoint: &Checkpoint,
        key: &PublicKey,
    ) -> Result<bool, CheckpointError> {
        let signature = self.key.sign(&checkpoint.text()).await?;
        let number = checkpoint.number;
        let note = note(checkpoint, key, &signature);
        // What does not verify here verifies nowhere, and cannot be taken back.
        verify_note(&note, key).map_err(|fault| CheckpointError::Note { number, fault })?;
        if !self.checkpoints.put(number, &note).await? {
            let there = self.checkpoints.find(number).await?;
            return Ok(there.is_some_and(|there| there == note));
        }
        log(
            Level::Info,
            "checkpoint_made",
            &[
                ("number", Field::count(count(number))),
                ("events", Field::count(count(checkpoint.tree.size()))),
            ],
        );
        Ok(true)
    }
}

/// Whether a shard still ends where it did, or later: a head that went back is a tail that was dropped.
fn compare(audit: &Audit, shard: u8, head: &Head) -> Result<(), Broken> {
    let verified = audit.head(shard);
    let is_other = verified.next_seq == head.next_seq && verified != *head;
    if head.next_seq < verified.next_seq || is_other {
        let (seq, fault) = (head.next_seq, Fault::Head);
        return Err(Broken { shard, seq, fault });
    }
    Ok(())
}

fn events(heads: &[Head; HEADS]) -> u64 {
    let places = heads.iter().map(|head| head.next_seq);
    places.fold(0, u64::saturating_add)
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
