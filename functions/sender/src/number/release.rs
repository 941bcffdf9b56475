//! The end of a term: look once more, hand back what was not sent, record what is under way.
//!
//! Nothing that was claimed and not sent may look as if it might have been, and nothing that a
//! cursor has passed may be known to this process alone.

use std::time::Instant;

use futures_util::StreamExt as _;
use headgate_aws::AwsError;
use headgate_aws::pacing::{Claim, Due, DueKind};
use headgate_domain::record::{RecordRef, State};

use super::{NumberPacer, PAGE};
use crate::lane::Waiting;
use crate::settle;

impl NumberPacer<'_> {
    /// Lets everything that is under way finish and records it; starts nothing new on the wire.
    pub(crate) async fn drain(&mut self) {
        self.draining = true;
        while let Some(done) = self.work.next().await {
            self.take_in(done);
        }
    }

    /// Reads every lane once more, behind the front too; returns whether anything came up.
    pub(crate) async fn look_once_more(&mut self) -> Result<bool, AwsError> {
        let mut found = self.in_flight > 0 || self.lanes.iter().any(|l| !l.is_empty());
        for lane in &mut self.lanes {
            let mut from = lane.read_from(self.parts.now(), Instant::now(), true);
            loop {
                let page = self
                    .parts
                    .messages
                    .after(&self.number.id, lane.purpose, 0, &from, PAGE)
                    .await?;
                let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
                from = page.last().map_or(from, |r| r.reference.ulid.clone());
                found |= lane.take_in(page);
                if !full {
                    break;
                }
            }
        }
        let due = self
            .parts
            .pacing
            .due(&self.term.portfolio, self.parts.now(), 1)
            .await?;
        self.last_activity = Instant::now();
        Ok(found || due.iter().any(|d| d.reference.number == self.number.id))
    }

    /// Gives back what was claimed and not sent, so that nobody has to find out what became of it.
    /// Returns whether anything still waits.
    pub(crate) async fn hand_back(&mut self) -> Result<bool, AwsError> {
        // A claim under way would otherwise be written after we let go.
        while self.lanes.iter().any(|l| l.claiming) {
            let Some(done) = self.work.next().await else {
                break;
            };
            self.take_in(done);
        }
        let now = self.parts.now();
        let mut unsent: Vec<(RecordRef, u32)> = Vec::new();
        let mut waits = false;
        for lane in &mut self.lanes {
            for claimed in lane.claimed.drain(..) {
                unsent.push((claimed.record.reference.clone(), claimed.record.attempt));
                let mut record = claimed.record;
                record.attempt = record.attempt.saturating_sub(1);
                lane.waiting.push_front(Waiting { record, due: None });
            }
            for waiting in lane.waiting.iter().filter(|w| w.due.is_none()) {
                waits = true;
                let reference = &waiting.record.reference;
                // What the cursor has passed, what was tried or what was scheduled, no reader would find again.
                let readable = waiting.record.state == State::Queued && waiting.record.attempt == 0;
                if lane.has_passed(&reference.ulid) || !readable {
                    let due = Due {
                        at: now,
                        reference: reference.clone(),
                        kind: DueKind::Retry,
                        attempt: waiting.record.attempt,
                    };
                    self.parts
                        .pacing
                        .put_due(&self.term.portfolio, &due)
                        .await?;
                    if due.attempt > 0 {
                        settle::leave_to_due(self.parts, reference, due.attempt).await?;
                    }
                }
            }
        }
        let blocks: Vec<u64> = self.blocks.keys().copied().collect();
        for block in blocks {
            let Some(references) = self.blocks.get_mut(&block) else {
                continue;
            };
            references.retain(|r| !unsent.contains(r));
            if references.is_empty() {
                self.blocks.remove(&block);
                self.parts
                    .pacing
                    .drop_claim(&self.number.id, self.term.epoch, block)
                    .await?;
            } else {
                let claim = Claim {
                    epoch: self.term.epoch,
                    block,
                    references: references.clone(),
                };
                self.parts
                    .pacing
                    .put_claim(&self.number.id, &claim, now)
                    .await?;
            }
        }
        self.store_cursors().await?;
        Ok(waits)
    }

    async fn store_cursors(&mut self) -> Result<(), AwsError> {
        let now = self.parts.now();
        for lane in &mut self.lanes {
            if let Some(cursor) = lane.checkpoint(now) {
                self.parts
                    .pacing
                    .put_cursor(&self.number.id, lane.purpose, 0, &cursor)
                    .await?;
            }
        }
        Ok(())
    }
}
