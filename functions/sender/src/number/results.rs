//! What came of the work beside the slots: pages, claims, answers, settlements.

use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use headgate_aws::AwsError;
use headgate_aws::messages::{Record, Settlement};
use headgate_aws::pacing::Due;
use headgate_domain::record::{RecordRef, ambiguity_timer_ms};
use headgate_domain::time::SECOND;
use headgate_graph::{NotAccepted, Outcome};
use headgate_lambda::log::{Field, Level, log};

use super::{
    AFTER_AWS_ERROR, APP_LIMIT_REST, CREDENTIAL_REST, Done, NumberPacer, Pages, SETTLE_TRIES,
    UNREACHABLE_REST,
};
use crate::due::Ripe;
use crate::lane::{Claimed, Waiting};
use crate::settle::{self, Verdict};

/// Meta asks for at least this between messages to one person (131056).
const PAIR_REST_MS: i64 = 6 * SECOND;

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
                sent,
                block,
                outcome,
            } => self.take_outcome(*sent, block, outcome),
            Done::Settled {
                reference,
                block,
                result: Ok(()),
            } => {
                self.live.remove(&reference);
                self.leave_block(block, &reference);
            }
            // The claim stays: whoever holds the lease next resolves it.
            Done::Settled {
                reference,
                result: Err(error),
                ..
            } => log(
                Level::Error,
                "settle_failed",
                &[
                    ("record", Field::record(&reference)),
                    ("error", Field::safe(&error)),
                ],
            ),
            Done::Ripened(ripened) => self.take_ripened(ripened),
            Done::Tidied(Ok(())) => {}
            Done::Tidied(Err(error)) => unavailable(&error),
        }
    }

    fn take_page(&mut self, index: usize, page: Result<Pages, AwsError>) {
        let now = Instant::now();
        let Some(lane) = self.lanes.get_mut(index) else {
            return;
        };
        lane.reading = false;
        match page {
            Ok(page) => {
                if page.more {
                    lane.next_read = now;
                }
                if self.take_records(index, page.records, page.reached) {
                    self.last_activity = now;
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

    /// Takes in what was read of a lane; returns whether there is anything new to send.
    pub(super) fn take_records(
        &mut self,
        index: usize,
        records: Vec<Record>,
        reached: Option<String>,
    ) -> bool {
        let Some(lane) = self.lanes.get_mut(index) else {
            return false;
        };
        let fresh = lane.take_in(records, reached);
        let before = lane.waiting.len();
        for record in fresh.queued {
            if let Entry::Vacant(free) = self.live.entry(record.reference.clone()) {
                free.insert(false);
                lane.waiting.push_back(Waiting { record, due: None });
            }
        }
        let any = lane.waiting.len() > before;
        for record in fresh
            .cancelled
            .into_iter()
            .filter(|r| !self.live.contains_key(&r.reference))
        {
            let parts = self.parts;
            self.work.push(Box::pin(async move {
                Done::Tidied(settle::tell(parts, &record, &Settlement::default()).await)
            }));
        }
        any
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
                let references: Vec<_> = claimed
                    .iter()
                    .map(|c| (c.record.reference.clone(), c.record.attempt))
                    .collect();
                lane.claimed.extend(claimed);
                // What was not claimed has ended: cancelled, or moved by somebody else.
                for ended in waiting {
                    if references.iter().any(|(r, _)| *r == ended.record.reference) {
                        continue;
                    }
                    self.live.remove(&ended.record.reference);
                    if let Some(due) = ended.due {
                        let (parts, portfolio) = (self.parts, self.term.portfolio.clone());
                        self.work.push(Box::pin(async move {
                            Done::Tidied(parts.pacing.drop_due(&portfolio, &due).await)
                        }));
                    }
                }
                if !references.is_empty() {
                    self.blocks.insert(block, references);
                }
            }
            Err(error) => {
                for waiting in waiting.into_iter().rev() {
                    lane.waiting.push_front(waiting);
                }
                log(
                    Level::Warn,
                    "claim_failed",
                    &[("error", Field::safe(&error))],
                );
                // The write may have landed all the same; none of it was sent.
                let (parts, number, epoch) = (self.parts, self.number.id.clone(), self.term.epoch);
                self.work.push(Box::pin(async move {
                    Done::Tidied(parts.pacing.drop_claim(&number, epoch, block).await)
                }));
            }
        }
    }

    fn take_ripened(&mut self, ripened: Result<Vec<(Due, Ripe)>, AwsError>) {
        self.ripening = false;
        let ripened = match ripened {
            Ok(ripened) => ripened,
            Err(error) => return unavailable(&error),
        };
        for (due, ripe) in ripened {
            self.last_activity = Instant::now();
            let Ripe::Send(record) = ripe else { continue };
            let Entry::Vacant(free) = self.live.entry(due.reference.clone()) else {
                continue;
            };
            if let Some(lane) = self
                .lanes
                .iter_mut()
                .find(|l| l.purpose == due.reference.lane)
            {
                free.insert(true);
                lane.waiting.push_front(Waiting {
                    record: *record,
                    due: Some(due),
                });
            }
        }
    }

    fn take_outcome(&mut self, sent: Waiting, block: u64, outcome: Outcome) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.last_activity = Instant::now();
        let now = self.term.ns(self.last_activity);
        let rest = |duration: Duration| {
            now.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
        };
        match outcome {
            Outcome::Accepted { wamid, held } => {
                self.settle(sent, block, Verdict::Accepted { wamid, held });
            }
            Outcome::Done => self.settle(sent, block, Verdict::Done),
            Outcome::Failed { code } => self.settle(sent, block, Verdict::Failed { code }),
            Outcome::Ambiguous { why, pause } => {
                if let Some(pause) = pause {
                    self.pace.pause_until(rest(pause));
                }
                let at = self
                    .parts
                    .now()
                    .plus_millis(ambiguity_timer_ms(sent.record.reference.lane));
                self.settle(sent, block, Verdict::Ambiguous { why, at });
            }
            Outcome::NotAccepted(NotAccepted::Pair) => self.park(sent, block),
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
                self.back_to_head(sent, block);
            }
            Outcome::Credential { code } => {
                self.pace.pause_until(rest(CREDENTIAL_REST));
                log(
                    Level::Error,
                    "credentials_refused",
                    &[("code", Field::number(i64::from(code)))],
                );
                self.back_to_head(sent, block);
            }
        }
    }

    /// Not accepted, and to be tried again after the rest that Meta asks for between two messages to one person.
    fn park(&mut self, sent: Waiting, block: u64) {
        let at = self.parts.now().plus_millis(PAIR_REST_MS);
        self.settle(sent, block, Verdict::Park { at });
    }

    /// The message is known not to have been accepted: back to the head of its lane, to be claimed anew.
    fn back_to_head(&mut self, sent: Waiting, block: u64) {
        if self.draining {
            return self.park(sent, block);
        }
        let reference = sent.record.reference.clone();
        if let Some(lane) = self.lanes.iter_mut().find(|l| l.purpose == reference.lane) {
            lane.waiting.push_front(sent);
        }
        self.leave_block(block, &reference);
    }

    /// Writes a verdict down, trying again when a table does not take it; then the record is out of hand.
    fn settle(&mut self, sent: Waiting, block: u64, verdict: Verdict) {
        let (parts, portfolio) = (self.parts, self.term.portfolio.clone());
        self.work.push(Box::pin(async move {
            let reference = sent.record.reference.clone();
            let mut result = settle::write(parts, &portfolio, &sent, &verdict).await;
            for _ in 0..SETTLE_TRIES {
                if result.is_ok() {
                    break;
                }
                tokio::time::sleep(AFTER_AWS_ERROR).await;
                result = settle::write(parts, &portfolio, &sent, &verdict).await;
            }
            Done::Settled {
                reference,
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

fn unavailable(error: &AwsError) {
    log(
        Level::Warn,
        "pacing_table_unavailable",
        &[("error", Field::safe(error))],
    );
}
