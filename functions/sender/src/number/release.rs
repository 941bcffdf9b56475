//! The end of a term: look once more, hand back what was not sent, record what is under way.
//!
//! Nothing that was claimed and not sent may look as if it might have been, and nothing that a
//! cursor has passed may be known to this process alone.

use std::time::Instant;

use futures_util::StreamExt as _;
use headgate_aws::AwsError;
use headgate_aws::pacing::Claim;
use headgate_domain::record::RecordRef;

use super::{NumberPacer, PAGE};

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
        for index in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get_mut(index) else {
                break;
            };
            let purpose = lane.purpose;
            let mut from = lane.read_from(self.parts.now(), Instant::now(), true);
            loop {
                let page = self
                    .parts
                    .messages
                    .page(&self.number.id, purpose, 0, &from, PAGE)
                    .await?;
                found |= self.take_records(index, page.records, page.next.clone());
                match page.next {
                    Some(next) => from = next,
                    None => break,
                }
            }
        }
        let due = self
            .parts
            .pacing
            .due(&self.term.portfolio, self.parts.now(), None, PAGE)
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
            for claimed in lane.claimed.drain(..).rev() {
                unsent.push((claimed.record.reference.clone(), claimed.record.attempt));
                lane.waiting.push_front(claimed.unsent());
            }
            // Nothing has to be written for these: no cursor has passed them, or a due entry brings them back.
            waits |= !lane.waiting.is_empty();
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
        for (purpose, cursor) in self.checkpoints() {
            let stored = self
                .parts
                .pacing
                .put_cursor(&self.number.id, purpose, 0, &cursor);
            stored.await?;
        }
        Ok(waits)
    }
}
