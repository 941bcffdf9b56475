//! People of whom nothing but an identifier is known are forgotten 90 days after they were last in touch, with all that
//! their row would leave behind.
//!
//! An import asks many who never answer; an app writes to many who are refused. Nobody of them asked to be kept.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use headgate_aws::subjects::Stranger;
use headgate_domain::retention::CONTENT_DAYS;
use headgate_domain::time::{DAY, Day, Timestamp};
use headgate_lambda::log::{Field, Level, log};

use crate::{PrivacyWorker, WorkerError};

/// So far back it is looked the first time.
const LOOK_BACK_DAYS: i64 = 30;
/// People who are looked at beside each other.
const CONCURRENCY: usize = 16;
/// It ends after this long; the next hour goes on.
const TIME: Duration = Duration::from_mins(2);

impl PrivacyWorker {
    /// Forgets whose time has come, and puts off who has been in touch.
    pub(crate) async fn forget_strangers(&self) -> Result<(), WorkerError> {
        let now = (self.clock)();
        let last = self.requests.worked_off().await?;
        let mut day = last.map_or(now.day().plus(-LOOK_BACK_DAYS), |day| day.plus(1));
        let (started, mut forgotten) = (Instant::now(), 0_usize);
        while day < now.day() && started.elapsed() < TIME {
            let found = self.eraser.subjects.strangers(day).await?;
            if found.is_empty() {
                self.requests.put_worked_off(day).await?;
                day = day.plus(1);
                continue;
            }
            let gone: Vec<bool> = stream::iter(found)
                .map(|stranger| async move { Box::pin(self.look_at(&stranger, day, now)).await })
                .buffer_unordered(CONCURRENCY)
                .try_collect()
                .await?;
            forgotten = forgotten.saturating_add(gone.iter().filter(|is_gone| **is_gone).count());
        }
        if forgotten > 0 {
            let fields = [("people", Field::count(forgotten))];
            log(Level::Info, "strangers_forgotten", &fields);
        }
        Ok(())
    }

    /// Whether somebody was forgotten.
    async fn look_at(
        &self,
        stranger: &Stranger,
        day: Day,
        now: Timestamp,
    ) -> Result<bool, WorkerError> {
        let subjects = &self.eraser.subjects;
        if stranger.is_known() {
            subjects.strike(stranger, day).await?;
            return Ok(false);
        }
        let ids = std::slice::from_ref(&stranger.subject);
        let last = now.plus_millis(-CONTENT_DAYS * DAY);
        let wrote = stranger.wrote_at.is_some_and(|at| at > last);
        let is_held = self.is_held(&stranger.group, now).await?;
        let is_in_touch = is_held || wrote || self.eraser.messages.all_of(ids).await?.count() > 0;
        if is_in_touch {
            // What was written stays readable as long as any other message.
            let until = now.plus_millis(CONTENT_DAYS * DAY);
            let look = until.plus_millis(-3 * DAY);
            subjects.put_off(stranger, day, look, Some(until)).await?;
            return Ok(false);
        }
        if let Some(ends_at) = stranger.ends_at.filter(|ends_at| *ends_at > now) {
            subjects.put_off(stranger, day, ends_at, None).await?;
            return Ok(false);
        }
        let senders = self.senders().await?;
        self.eraser.forget(&stranger.group, &senders, now).await?;
        subjects.strike(stranger, day).await?;
        Ok(true)
    }
}
