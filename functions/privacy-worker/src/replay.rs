//! After a table was restored from a backup: whoever was erased since is erased again, and stays unwritten to; whoever
//! was forgotten is found by the calendar, which is gone through again.
//!
//! The suppression list comes first, before anybody can be written to. A run notes how far it has come, so that one
//! which is cut off goes on.

use headgate_aws::privacy_requests::Replay;
use headgate_domain::privacy::{JOURNAL_MS, RequestId};
use headgate_lambda::log::{Field, Level, log};

use crate::{PrivacyWorker, WorkerError};

/// Erasures between two notes of how far it is.
const STEP: usize = 20;

impl PrivacyWorker {
    /// Goes through the journal, or goes on.
    pub(crate) async fn replay(&self, run: &RequestId) -> Result<(), WorkerError> {
        let mut replay = self.requests.replay(run).await?.unwrap_or_default();
        let senders = self.senders().await?;
        let (tombstones, entries) = self.requests.journal().await?;
        if replay.after.is_none() {
            for tombstone in &tombstones {
                self.eraser.put_back(tombstone).await?;
            }
            replay.tombstones = tombstones.len().try_into().unwrap_or(u64::MAX);
            self.go_back().await?;
        }
        replay.of = entries.len().try_into().unwrap_or(u64::MAX);
        let after = replay.after.clone();
        let rest = entries
            .iter()
            .filter(|entry| Some(&entry.request) > after.as_ref());
        let rest: Vec<_> = rest.collect();
        for some in rest.chunks(STEP) {
            for entry in some {
                let rows = Box::pin(self.eraser.replay(entry, &senders)).await?;
                replay.rows = replay.rows.saturating_add(rows);
                replay.entries = replay.entries.saturating_add(1);
                replay.after = Some(entry.request.clone());
            }
            self.requests.put_replay(run, &replay).await?;
        }
        replay = Replay {
            is_done: true,
            ..replay
        };
        self.requests.put_replay(run, &replay).await?;
        let count = |number: u64| Field::number(i64::try_from(number).unwrap_or(i64::MAX));
        log(
            Level::Info,
            "replayed",
            &[
                ("entries", count(replay.entries)),
                ("tombstones", count(replay.tombstones)),
                ("rows", count(replay.rows)),
            ],
        );
        Ok(())
    }

    /// Days that were worked off may have people in them again.
    async fn go_back(&self) -> Result<(), WorkerError> {
        let back = (self.clock)().plus_millis(-JOURNAL_MS).day();
        let last = self.requests.worked_off().await?;
        if last.is_some_and(|last| back < last) {
            self.requests.put_worked_off(back).await?;
        }
        Ok(())
    }
}
