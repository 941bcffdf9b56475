//! What came of the work beside the slots: pages, claims, answers, settlements.

use std::time::{Duration, Instant};

use headgate_aws::AwsError;
use headgate_aws::messages::Record;
use headgate_aws::pacing::Due;
use headgate_domain::record::RecordRef;
use headgate_graph::{NotAccepted, Outcome};
use headgate_lambda::log::{Field, Level, log};

use super::{
    AFTER_AWS_ERROR, APP_LIMIT_REST, CREDENTIAL_REST, Done, NumberPacer, PAGE, SETTLE_TRIES,
    UNREACHABLE_REST,
};
use crate::due::Ripe;
use crate::lane::{Claimed, Waiting};
use crate::settle::{self, Verdict};

impl NumberPacer<'_> {
    pub(super) fn take_in(&mut self, done: Done) {
        match done {
            Done::Page { lane, page } => self.take_page(lane, page),
            Done::Claimed {
                lane,
                block,
                waiting,
                claimed,
            } => self.take_claim(lane, block, waiting, claimed),
            Done::Sent {
                record,
                block,
                outcome,
            } => self.take_outcome(*record, block, outcome),
            Done::Settled {
                record,
                block,
                result: Ok(()),
            } => self.leave_block(block, &record.reference),
            // The claim stays: whoever holds the lease next resolves it.
            Done::Settled {
                record,
                result: Err(error),
                ..
            } => {
                log(
                    Level::Error,
                    "settle_failed",
                    &[
                        ("record", Field::record(&record.reference)),
                        ("error", Field::safe(&error)),
                    ],
                );
            }
            Done::Ripened(ripened) => self.take_ripened(ripened),
            Done::DueDropped {
                due,
                result: Ok(()),
            } => {
                self.due_taken.remove(&(due.at, due.reference));
            }
            Done::Tidied(Ok(())) => {}
            Done::DueDropped {
                result: Err(error), ..
            }
            | Done::Tidied(Err(error)) => log(
                Level::Warn,
                "pacing_table_unavailable",
                &[("error", Field::safe(&error))],
            ),
        }
    }

    fn take_page(&mut self, lane: usize, page: Result<Vec<Record>, AwsError>) {
        let now = Instant::now();
        let Some(lane) = self.lanes.get_mut(lane) else {
            return;
        };
        lane.reading = false;
        match page {
            Ok(page) => {
                let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
                if lane.take_in(page) {
                    self.last_activity = now;
                }
                if full {
                    lane.next_read = now;
                }
            }
            Err(error) => {
                lane.next_read = now.checked_add(AFTER_AWS_ERROR).unwrap_or(now);
                log(
                    Level::Warn,
                    "outbox_unavailable",
                    &[("error", Field::safe(&error))],
                );
            }
        }
    }

    fn take_claim(
        &mut self,
        index: usize,
        block: u64,
        waiting: Vec<Waiting>,
        claimed: Result<Vec<Claimed>, AwsError>,
    ) {
        let Some(lane) = self.lanes.get_mut(index) else {
            return;
        };
        lane.claiming = false;
        self.last_activity = Instant::now();
        match claimed {
            Ok(claimed) => {
                if !claimed.is_empty() {
                    let references = claimed
                        .iter()
                        .map(|c| (c.record.reference.clone(), c.record.attempt))
                        .collect();
                    self.blocks.insert(block, references);
                }
                lane.claimed.extend(claimed);
                // A claim or a final state has taken the place of these entries.
                for due in waiting.into_iter().filter_map(|w| w.due) {
                    let (parts, portfolio) = (self.parts, self.term.portfolio.clone());
                    self.work.push(Box::pin(async move {
                        let result = parts.pacing.drop_due(&portfolio, &due).await;
                        Done::DueDropped { due, result }
                    }));
                }
            }
            Err(error) => {
                for waiting in waiting.into_iter().rev() {
                    lane.put_back(waiting.record, waiting.due);
                }
                log(
                    Level::Warn,
                    "claim_failed",
                    &[("error", Field::safe(&error))],
                );
            }
        }
    }

    fn take_ripened(&mut self, ripened: Result<Vec<(Due, Ripe)>, AwsError>) {
        self.ripening = false;
        let ripened = match ripened {
            Ok(ripened) => ripened,
            Err(error) => {
                return log(
                    Level::Warn,
                    "pacing_table_unavailable",
                    &[("error", Field::safe(&error))],
                );
            }
        };
        for (due, ripe) in ripened {
            self.last_activity = Instant::now();
            let Ripe::Send(record) = ripe else { continue };
            self.due_taken.insert((due.at, due.reference.clone()));
            if let Some(lane) = self
                .lanes
                .iter_mut()
                .find(|l| l.purpose == due.reference.lane)
            {
                lane.put_back(*record, Some(due));
            }
        }
    }

    fn take_outcome(&mut self, record: Record, block: u64, outcome: Outcome) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.last_activity = Instant::now();
        let now = self.term.ns(self.last_activity);
        let rest = |duration: Duration| {
            now.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
        };
        match outcome {
            Outcome::Accepted { wamid, held } => {
                self.settle(record, block, Verdict::Accepted { wamid, held });
            }
            Outcome::Done => self.settle(record, block, Verdict::Done),
            Outcome::Failed { code } => self.settle(record, block, Verdict::Failed { code }),
            Outcome::Ambiguous { why, pause } => {
                if let Some(pause) = pause {
                    self.pace.pause_until(rest(pause));
                }
                self.settle(record, block, Verdict::Ambiguous { why });
            }
            Outcome::NotAccepted(NotAccepted::Pair) => self.settle(record, block, Verdict::Park),
            Outcome::NotAccepted(reason) => {
                match reason {
                    NotAccepted::Throttled => self.pace.throttled(now),
                    NotAccepted::AppLimit { .. } => self.pace.pause_until(rest(APP_LIMIT_REST)),
                    NotAccepted::Unreachable | NotAccepted::Pair => {
                        self.pace.pause_until(rest(UNREACHABLE_REST));
                    }
                }
                log(
                    Level::Warn,
                    "not_accepted",
                    &[("reason", Field::code(reason.word()))],
                );
                self.back_to_head(record, block);
            }
            Outcome::Credential { code } => {
                self.pace.pause_until(rest(CREDENTIAL_REST));
                log(
                    Level::Error,
                    "credentials_refused",
                    &[("code", Field::number(i64::from(code)))],
                );
                self.back_to_head(record, block);
            }
        }
    }

    /// The message is known not to have been accepted: back to the head of its lane, to be claimed anew.
    fn back_to_head(&mut self, record: Record, block: u64) {
        if self.draining {
            return self.settle(record, block, Verdict::Park);
        }
        let reference = record.reference.clone();
        if let Some(lane) = self.lanes.iter_mut().find(|l| l.purpose == reference.lane) {
            lane.put_back(record, None);
        }
        self.leave_block(block, &reference);
    }

    /// Writes a verdict down, trying again when a table does not take it; then the record leaves its claim.
    fn settle(&mut self, record: Record, block: u64, verdict: Verdict) {
        let (parts, portfolio) = (self.parts, self.term.portfolio.clone());
        self.work.push(Box::pin(async move {
            let mut result = settle::write(parts, &portfolio, &record, &verdict).await;
            for _ in 0..SETTLE_TRIES {
                if result.is_ok() {
                    break;
                }
                tokio::time::sleep(AFTER_AWS_ERROR).await;
                result = settle::write(parts, &portfolio, &record, &verdict).await;
            }
            Done::Settled {
                record: Box::new(record),
                block,
                result,
            }
        }));
    }

    /// Takes a record out of its claim; a claim with nothing left in it is removed.
    pub(super) fn leave_block(&mut self, block: u64, reference: &RecordRef) {
        let Some(references) = self.blocks.get_mut(&block) else {
            return;
        };
        references.retain(|(r, _)| r != reference);
        if references.is_empty() {
            self.blocks.remove(&block);
            let (parts, number, epoch) = (self.parts, self.number.id.clone(), self.term.epoch);
            self.work.push(Box::pin(async move {
                Done::Tidied(parts.pacing.drop_claim(&number, epoch, block).await)
            }));
        }
    }
}
