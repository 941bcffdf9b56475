//! The purge: after 90 days nothing of a message can be read any more, backups included.
//!
//! Every hour: mints the keys of the days ahead, destroys the keys of the days that are due, sweeps
//! the bytes, verifies, and leaves evidence. It is the only function that mints or destroys a day
//! key, so nobody who is late can bring a day back. It reads no content and could not: it never
//! unwraps a key. The vault key it mints as well, and destroys the versions that the privacy worker
//! has found nothing under for as long as a backup could bring something back (ADR 0037).
//!
//! Swept is everything in the messages table: the outbox of every number there ever was, what people
//! wrote (`N#`) and the ids of apps (`I#`). Rows of the last two that an earlier version wrote go by
//! `DynamoDB`'s own deletion; with the day key gone they are unreadable before that.

pub mod config;
mod keys;
mod progress;
mod sweep;

use std::collections::BTreeSet;
use std::time::Duration;

use headgate_aws::controls::Controls;
use headgate_aws::evidence::Evidence;
use headgate_aws::keyring::{Keyring, KeyringError};
use headgate_aws::messages::Messages;
use headgate_aws::privacy_requests::PrivacyRequests;
use headgate_aws::signing::SigningKey;
use headgate_aws::{Aws, AwsError, AwsSettings};
use headgate_domain::retention::Store;
use headgate_domain::time::Timestamp;
use headgate_lambda::clock::Clock;
use headgate_lambda::log::{Field, Level, log};
use headgate_lambda::settings::{MissingSetting, Settings};
use headgate_redact::LogSafe;
use tokio::sync::Mutex;

pub use config::Config;
pub use headgate_domain::retention::Manifest;

use progress::Progress;
use sweep::Sweep;

/// How often a number is taken anew that another run was faster to take.
const TRIES: u32 = 4;
/// Sweeping ends here, a minute before the function's own end; the next hour goes on.
const SWEEP_TIME: Duration = Duration::from_mins(4);
const HALF_OF_IT: Duration = Duration::from_mins(2);

/// The function cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A setting is missing.
    #[error(transparent)]
    Setting(#[from] MissingSetting),
    /// The connection to AWS cannot be made.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

/// Each of its parts is.
impl LogSafe for StartError {}

/// A run did not do all it should; the next one goes on where it ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PurgeError {
    /// A key could not be minted, destroyed or read.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The messages, the configuration or the evidence could not be reached.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A key exists although it was destroyed.
    #[error("a key still exists after it was destroyed")]
    StillThere,
    /// Something past its time names a key that exists.
    #[error("a swept value was sealed under a key that still exists")]
    StillOpens,
    /// The newest manifest is not one of ours.
    #[error("manifest {0}, the newest, is not signed by the key: nothing is built upon it")]
    Evidence(u64),
}

/// Each of its parts is.
impl LogSafe for PurgeError {}

/// The function.
pub struct RetentionPurge {
    keyring: Keyring,
    messages: Messages,
    controls: Controls,
    evidence: Evidence,
    requests: PrivacyRequests,
    key: SigningKey,
    deployment: String,
    clock: Clock,
    progress: Mutex<Progress>,
}

impl RetentionPurge {
    /// Reads the settings; without them it does not start (I5).
    ///
    /// # Errors
    /// [`StartError`].
    #[allow(clippy::unused_async, reason = "every function starts in the same way")]
    pub async fn new(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let config = Config::read(settings)?;
        let aws = Aws::new(&AwsSettings::new(settings.lookup())?)?;
        Ok(Self {
            keyring: Keyring::new(
                &aws,
                &config.table_keys,
                &config.kms_key_data,
                &config.deployment,
            ),
            messages: Messages::new(&aws, &config.table_messages),
            controls: Controls::new(&aws, &config.table_controls),
            evidence: Evidence::new(&aws, &config.table_evidence),
            requests: PrivacyRequests::new(&aws, &config.table_privacy_requests),
            key: SigningKey::new(&aws, &config.kms_key_evidence),
            deployment: config.deployment,
            clock,
            progress: Mutex::default(),
        })
    }

    /// Runs once. The event says nothing: what is due follows from the time alone.
    ///
    /// # Errors
    /// [`PurgeError`] when something is left to do; running again is always safe.
    pub async fn handle(&self, _event: serde_json::Value) -> Result<Manifest, PurgeError> {
        let now = (self.clock)();
        // Two runs at once would do no harm, but count each other's rows.
        let mut progress = self.progress.lock().await;
        let mut manifest = Manifest::after(&self.deployment, None, now);
        // What is done is remembered only once the evidence is stored; until then the next run has to look for it.
        let mut next = progress.clone();
        progress.is_closed = false;
        let work = Box::pin(self.plan(now, &mut next)).await?;
        self.destroy(&work, &mut manifest).await?;
        // What cannot be made does not hold up what is due.
        let minted = self.mint(&work, now, &mut next, &mut manifest).await;
        if minted.is_err() {
            next.vault = None;
        }
        let swept = self.sweep(now, &mut next, &mut manifest).await;
        if manifest.changed_something() {
            self.record(&mut manifest, &mut next).await?;
        }
        if !next.is_closed {
            // A key may have been made though the call failed: the next run tells it, if it is there.
            let open = minted.as_ref().err().map(|_failed| work.untold(&manifest));
            let open = open.unwrap_or_default();
            next.is_closed = open.is_empty();
            self.evidence.put_open_purge(&open).await?;
        }
        *progress = next;
        // Nor does what failed hold back the evidence of the keys, which are what counts.
        work.vault?;
        minted?;
        swept?;
        Ok(manifest)
    }

    /// Deletes the rows of the days whose keys are gone, as long as there is time.
    async fn sweep(
        &self,
        now: Timestamp,
        progress: &mut Progress,
        manifest: &mut Manifest,
    ) -> Result<(), PurgeError> {
        let Some(before) = progress.to_sweep(now) else {
            return Ok(());
        };
        let mut sweep = Sweep::new(&self.messages, &self.keyring, before);
        // Neither of the two can take all the time of the other, and one that fails does not hold the other up.
        let mut by_day = sweep.by_day(HALF_OF_IT).await;
        let outbox = match self.numbers().await {
            Ok(numbers) => sweep.outbox(&numbers, SWEEP_TIME).await,
            Err(error) => Err(error),
        };
        if by_day.is_ok() && !sweep.has_all_of(Store::Inbound) {
            by_day = sweep.by_day(SWEEP_TIME).await;
        }
        if sweep.is_complete() {
            progress.swept_before = Some(before);
        }
        manifest.stores = sweep.records(now);
        manifest.tried = sweep.tried;
        by_day.and(outbox)
    }

    /// The numbers that have an outbox, which from now on are remembered.
    async fn numbers(&self) -> Result<BTreeSet<String>, PurgeError> {
        let (numbers, are_new) = self.evidence.outbox_numbers(&self.controls).await?;
        if are_new {
            self.evidence.put_swept_numbers(&numbers).await?;
        }
        Ok(numbers)
    }

    /// Signs what was done and keeps it under the next number.
    async fn record(&self, done: &mut Manifest, progress: &mut Progress) -> Result<(), PurgeError> {
        let key = match &progress.key {
            Some(key) => key.clone(),
            None => self.key.public_key().await?,
        };
        progress.key = Some(key.clone());
        for _ in 0..TRIES {
            let before = match self.evidence.newest_purge().await? {
                // What somebody has tampered with is not built upon.
                Some((number, note)) => Some(
                    Manifest::of_note(&note, &key)
                        .ok()
                        .filter(|before| before.number == number)
                        .ok_or(PurgeError::Evidence(number))?,
                ),
                None => None,
            };
            // A slower run, or a clock that was put back, is recorded no earlier than what it follows.
            done.at = before
                .as_ref()
                .map_or(done.at, |before| before.at.max(done.at));
            let head = Manifest::after(&self.deployment, before.as_ref(), done.at);
            (done.number, done.previous) = (head.number, head.previous);
            let signature = self.key.sign(&done.text()).await?;
            let note = done.note(&key, &signature);
            if self.evidence.put_purge(done.number, &note).await? {
                told(done);
                return Ok(());
            }
        }
        Err(AwsError::new("recording the purge", "contended").into())
    }
}

fn told(manifest: &Manifest) {
    let count = |number: u64| Field::number(i64::try_from(number).unwrap_or(i64::MAX));
    let is_complete = manifest.stores.iter().all(|store| store.is_complete);
    log(
        Level::Info,
        "purged",
        &[
            ("manifest", count(manifest.number)),
            ("destroyed_keys", Field::count(manifest.destroyed.len())),
            ("minted_days", Field::count(manifest.minted.len())),
            ("swept", count(manifest.deleted())),
            ("sweep_complete", Field::flag(is_complete)),
            ("tried", count(manifest.tried)),
        ],
    );
}
