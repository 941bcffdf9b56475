//! The purge: after 90 days nothing of a message can be read any more, backups included.
//!
//! Every hour: mints the keys of the days ahead, destroys the keys of the days that are due, sweeps
//! the bytes, verifies, and leaves evidence. It is the only function that mints or destroys a day
//! key, so nobody who is late can bring a day back. It reads no content and could not: it never
//! unwraps a key.
//!
//! Swept are the outbox rows of the numbers in the configuration. What people wrote (`N#`), the
//! idempotency items (`I#`) and the rows of a number that was removed from the configuration carry a
//! `ttl` and go by `DynamoDB`'s own deletion; with the day key gone they are unreadable before that.

pub mod config;
mod progress;

use std::time::{Duration, Instant};

use headgate_aws::controls::Controls;
use headgate_aws::evidence::Evidence;
use headgate_aws::keyring::{Keyring, KeyringError};
use headgate_aws::messages::Messages;
use headgate_aws::{Aws, AwsError, AwsSettings};
use headgate_domain::lane::PURPOSES;
use headgate_domain::record::MAX_SHARDS;
use headgate_domain::retention;
use headgate_domain::time::{Day, Timestamp};
use headgate_lambda::clock::Clock;
use headgate_lambda::log::{Field, Level, log};
use headgate_lambda::settings::{MissingSetting, Settings};
use headgate_redact::LogSafe;
use serde::Serialize;
use tokio::sync::Mutex;

pub use config::Config;

use progress::Progress;

/// Sweeping ends here, a minute before the function's own end; the next hour goes on.
const SWEEP_TIME: Duration = Duration::from_mins(4);

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
    /// A day key exists although it was destroyed.
    #[error("a day key still exists after it was destroyed")]
    StillThere,
}

/// Each of its parts is.
impl LogSafe for PurgeError {}

/// What a run did: the evidence, without a word about any person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// When the run started.
    pub at: Timestamp,
    /// The days that can no longer be read, in this run or one that ended before its evidence.
    pub destroyed_days: Vec<String>,
    /// The days that can be written to from now on.
    pub minted_days: Vec<String>,
    /// Whether the vault key was made.
    pub minted_vault: bool,
    /// How many message rows were deleted.
    pub swept: usize,
    /// Whether no row older than the retention period is left in the outbox.
    pub sweep_complete: bool,
    /// Whether every destroyed day was looked for again, consistently, and not found.
    pub verified: bool,
}

impl Manifest {
    /// Whether the run changed anything, and so needs evidence.
    pub const fn changed_something(&self) -> bool {
        !self.destroyed_days.is_empty()
            || !self.minted_days.is_empty()
            || self.minted_vault
            || self.swept > 0
    }
}

/// The function.
pub struct RetentionPurge {
    keyring: Keyring,
    messages: Messages,
    controls: Controls,
    evidence: Evidence,
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
        let mut manifest = Manifest {
            at: now,
            destroyed_days: Vec::new(),
            minted_days: Vec::new(),
            minted_vault: false,
            swept: 0,
            sweep_complete: true,
            verified: true,
        };
        // What is done is remembered only once the evidence is stored.
        let mut next = progress.clone();
        self.mint(now, &mut next, &mut manifest).await?;
        self.destroy(now, &mut next, &mut manifest).await?;
        let swept = self.sweep(now, &mut next, &mut manifest).await;
        if manifest.changed_something() {
            self.record(&manifest).await?;
        }
        if !next.is_closed {
            self.evidence.put_open_purge(&[]).await?;
            next.is_closed = true;
        }
        *progress = next;
        // A sweep that failed does not hold back the evidence of the keys, which are what counts.
        swept?;
        Ok(manifest)
    }

    /// Mints what is missing of the vault key and of the days from today on.
    async fn mint(
        &self,
        now: Timestamp,
        progress: &mut Progress,
        manifest: &mut Manifest,
    ) -> Result<(), PurgeError> {
        if !progress.has_vault {
            manifest.minted_vault = self.keyring.mint_vault(now).await?;
            progress.has_vault = true;
        }
        for day in progress.to_mint(now) {
            if self.keyring.mint_day(day, now).await? {
                manifest.minted_days.push(day.to_string());
            }
            progress.minted_through = Some(day);
        }
        Ok(())
    }

    /// Destroys the due keys and looks for each of them again.
    async fn destroy(
        &self,
        now: Timestamp,
        progress: &mut Progress,
        manifest: &mut Manifest,
    ) -> Result<(), PurgeError> {
        let mut days = Vec::new();
        if !progress.is_closed {
            // An earlier run may have ended after destroying and before its evidence.
            let open = self.evidence.open_purge().await?;
            let last_due = retention::days_to_destroy(now).last();
            days.extend(
                open.iter()
                    .filter_map(|day| Day::parse(day).ok())
                    .filter(|day| last_due.is_some_and(|last| *day <= last)),
            );
        }
        let due = progress.to_destroy(now);
        for day in &due {
            if !days.contains(day) && self.keyring.has_day(*day).await? {
                days.push(*day);
            }
        }
        // Where the oldest day of the look-back still had a key, nobody ran for long: go on back.
        let mut oldest = due.first().copied().filter(|day| days.contains(day));
        while let Some(day) = oldest.map(|day| day.plus(-1)) {
            oldest = if self.keyring.has_day(day).await? {
                days.push(day);
                Some(day)
            } else {
                None
            };
        }
        if !days.is_empty() {
            days.sort_unstable();
            manifest.destroyed_days = days.iter().map(Day::to_string).collect();
            self.evidence
                .put_open_purge(&manifest.destroyed_days)
                .await?;
            progress.is_closed = false;
            for day in &days {
                self.keyring.destroy_day(*day).await?;
            }
            for day in &days {
                if self.keyring.has_day(*day).await? {
                    return Err(PurgeError::StillThere);
                }
            }
        } else if !progress.is_closed {
            // Nothing is open: known from now on, and nothing to write.
            progress.is_closed = true;
        }
        progress.destroyed_through = due.last().copied().or(progress.destroyed_through);
        Ok(())
    }

    /// Deletes the rows of the days whose keys are gone, page by page, as long as there is time.
    async fn sweep(
        &self,
        now: Timestamp,
        progress: &mut Progress,
        manifest: &mut Manifest,
    ) -> Result<(), PurgeError> {
        let Some(before) = progress.to_sweep(now) else {
            return Ok(());
        };
        manifest.sweep_complete = false;
        let started = Instant::now();
        let config = match self.controls.config().await {
            Ok(config) => config,
            // Before the first set-up there is no number and so no message.
            Err(error) if error.is("not set up") => {
                manifest.sweep_complete = true;
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        for number in &config.numbers {
            for lane in PURPOSES {
                for shard in 0..MAX_SHARDS {
                    loop {
                        let rows = self
                            .messages
                            .sweep(&number.id, lane, shard, before.start())
                            .await?;
                        manifest.swept = manifest.swept.saturating_add(rows);
                        if rows == 0 {
                            break;
                        }
                        if started.elapsed() > SWEEP_TIME {
                            return Ok(());
                        }
                    }
                }
            }
        }
        manifest.sweep_complete = true;
        progress.swept_before = Some(before);
        Ok(())
    }

    async fn record(&self, manifest: &Manifest) -> Result<(), PurgeError> {
        // A structure of texts and numbers always has a JSON form.
        let json = serde_json::to_string(manifest)
            .map_err(|_json| AwsError::new("recording the purge", "no JSON"))?;
        self.evidence.record_purge(manifest.at, &json).await?;
        log(
            Level::Info,
            "purged",
            &[
                (
                    "destroyed_days",
                    Field::count(manifest.destroyed_days.len()),
                ),
                ("minted_days", Field::count(manifest.minted_days.len())),
                ("swept", Field::count(manifest.swept)),
                ("sweep_complete", Field::flag(manifest.sweep_complete)),
                ("verified", Field::flag(manifest.verified)),
            ],
        );
        Ok(())
    }
}
