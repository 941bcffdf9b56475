//! One number's loop: read ahead, claim, wait for the slot, send, settle.
//!
//! A slot goes to the most important lane that has a claimed record. Everything slow runs beside
//! the slots and never holds one up.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use headgate_aws::AwsError;
use headgate_aws::messages::Record;
use headgate_aws::pacing::{Claim, Due, DueKind};
use headgate_domain::config::Number;
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::pacing::Pace;
use headgate_domain::record::RecordRef;
use headgate_domain::time::Timestamp;
use headgate_graph::{NotAccepted, Outcome};
use headgate_lambda::log::{Field, Level, log};

use crate::claim::claim;
use crate::due::{Ripe, recover, ripen};
use crate::lane::{Claimed, Lane, Waiting};
use crate::settle::{self, Verdict};
use crate::term::Term;
use crate::{Parts, SenderError};

const PAGE: i32 = 100;
const BLOCK: usize = 25;
/// A lane reads ahead while it has fewer waiting than this.
const READ_AHEAD: usize = 200;
/// The heart of the loop, for what no future announces.
const TICK: Duration = Duration::from_millis(25);
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);
const DUE_EVERY: Duration = Duration::from_millis(500);
/// Quiet for this long, the number has nothing to do.
const QUIET: Duration = Duration::from_millis(400);
const AFTER_AWS_ERROR: Duration = Duration::from_millis(500);
const UNREACHABLE_REST: Duration = Duration::from_secs(1);
const APP_LIMIT_REST: Duration = Duration::from_secs(5);
/// Without valid credentials every message would fare the same: the number rests, nothing is consumed.
const CREDENTIAL_REST: Duration = Duration::from_secs(30);
const SETTLE_TRIES: u32 = 3;
const LOOK_BACK_PAGES: u32 = 50;

/// Something that ran beside the slots and is done.
enum Done {
    Page {
        lane: usize,
        page: Result<Vec<Record>, AwsError>,
    },
    Claimed {
        lane: usize,
        block: u64,
        waiting: Vec<Waiting>,
        claimed: Result<Vec<Claimed>, AwsError>,
    },
    Sent {
        record: Box<Record>,
        block: u64,
        outcome: Outcome,
    },
    Settled {
        record: Box<Record>,
        block: u64,
        result: Result<(), AwsError>,
    },
    Ripened(Result<Vec<(Due, Ripe)>, AwsError>),
    DueDropped {
        due: Due,
        result: Result<(), AwsError>,
    },
    Tidied(Result<(), AwsError>),
}

type Work<'a> = Pin<Box<dyn Future<Output = Done> + Send + 'a>>;

/// The pacer of one phone number.
pub(crate) struct NumberPacer<'a> {
    parts: &'a Arc<Parts>,
    term: &'a Term,
    index: usize,
    number: Number,
    pace: Pace,
    lanes: Vec<Lane>,
    work: FuturesUnordered<Work<'a>>,
    /// How many records of a block are not settled yet.
    blocks: HashMap<u64, Vec<(RecordRef, u32)>>,
    /// Entries whose record waits here; kept until they are gone from the table, so that none is taken twice.
    due_taken: HashSet<(Timestamp, RecordRef)>,
    ripening: bool,
    in_flight: usize,
    next_due_look: Instant,
    next_checkpoint: Instant,
    last_activity: Instant,
}

impl<'a> NumberPacer<'a> {
    pub(crate) async fn new(
        parts: &'a Arc<Parts>,
        term: &'a Term,
        index: usize,
        number: Number,
    ) -> Result<Self, SenderError> {
        recover(parts, &term.portfolio, &number.id, term.epoch).await?;
        let now = Instant::now();
        let mut lanes = Vec::with_capacity(PURPOSES.len());
        for purpose in PURPOSES {
            let cursor = parts.pacing.cursor(&number.id, purpose, 0).await?;
            lanes.push(Lane::new(purpose, cursor, now));
        }
        Ok(Self {
            parts,
            term,
            index,
            pace: Pace::new(number.per_second, term.ns(now)),
            number,
            lanes,
            work: FuturesUnordered::new(),
            blocks: HashMap::new(),
            due_taken: HashSet::new(),
            ripening: false,
            in_flight: 0,
            next_due_look: now,
            next_checkpoint: now,
            last_activity: now,
        })
    }

    /// Sends until the term ends, the lease is lost, or no number of the portfolio has anything to do.
    pub(crate) async fn run(&mut self) {
        loop {
            let now = Instant::now();
            if now >= self.term.ends || !self.term.holds(now) {
                return;
            }
            self.start_work(now);
            if self.term.note_quiet(self.index, self.is_quiet(now)) {
                return;
            }
            let slot = self
                .has_claimed()
                .then(|| self.term.instant(self.pace.due()));
            let wake = slot
                .unwrap_or(now)
                .max(now)
                .min(now.checked_add(TICK).unwrap_or(now));
            let wake = if slot.is_some() {
                wake
            } else {
                now.checked_add(TICK).unwrap_or(now)
            };
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(wake.into()) => {}
                Some(done) = self.work.next(), if !self.work.is_empty() => self.take_in(done),
            }
            self.use_slots();
        }
    }

    /// Lets everything that is under way finish and records it; starts nothing new on the wire.
    pub(crate) async fn drain(&mut self) {
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
                // What the cursor has passed, or what was tried before, no reader would find again.
                if lane.has_passed(&reference.ulid) || waiting.record.attempt > 0 {
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

    fn has_claimed(&self) -> bool {
        self.lanes.iter().any(|l| !l.claimed.is_empty())
    }

    fn is_quiet(&self, now: Instant) -> bool {
        self.lanes.iter().all(Lane::is_empty)
            && self.in_flight == 0
            && self.blocks.is_empty()
            && !self.ripening
            && now.saturating_duration_since(self.last_activity) > QUIET
    }

    /// Starts reads and claims wherever a lane can use one.
    fn start_work(&mut self, now: Instant) {
        for index in 0..self.lanes.len() {
            self.start_claim(index);
            self.start_read(index, now);
        }
        if now >= self.next_due_look && !self.ripening {
            self.next_due_look = now.checked_add(DUE_EVERY).unwrap_or(now);
            self.start_ripening();
        }
        if now >= self.next_checkpoint {
            self.next_checkpoint = now.checked_add(CHECKPOINT_EVERY).unwrap_or(now);
            self.start_checkpoint();
        }
    }

    fn start_read(&mut self, index: usize, now: Instant) {
        let calendar = self.parts.now();
        let Some(lane) = self.lanes.get_mut(index) else {
            return;
        };
        if lane.reading || lane.waiting.len() >= READ_AHEAD || now < lane.next_read {
            return;
        }
        lane.reading = true;
        lane.next_read = now.checked_add(lane.poll_interval()).unwrap_or(now);
        let (purpose, from, front) = (
            lane.purpose,
            lane.read_from(calendar, now, false),
            lane.front().to_owned(),
        );
        let (parts, number) = (self.parts, self.number.id.clone());
        self.work.push(Box::pin(async move {
            let page = read_pages(parts, &number, purpose, from, &front).await;
            Done::Page { lane: index, page }
        }));
    }

    fn start_claim(&mut self, index: usize) {
        let (parts, epoch) = (self.parts, self.term.epoch);
        let Some(lane) = self.lanes.get_mut(index) else {
            return;
        };
        if lane.claiming || lane.waiting.is_empty() || lane.claimed.len() >= BLOCK {
            return;
        }
        lane.claiming = true;
        let waiting: Vec<Waiting> = (0..BLOCK).map_while(|_| lane.waiting.pop_front()).collect();
        let (block, number) = (self.term.next_block(), self.number.id.clone());
        self.work.push(Box::pin(async move {
            let claimed = claim(parts, &number, epoch, block, &waiting).await;
            Done::Claimed {
                lane: index,
                block,
                waiting,
                claimed,
            }
        }));
    }

    fn start_ripening(&mut self) {
        self.ripening = true;
        let (parts, portfolio, number) = (
            self.parts,
            self.term.portfolio.clone(),
            self.number.id.clone(),
        );
        let taken = self.due_taken.clone();
        self.work.push(Box::pin(async move {
            let due = match parts.pacing.due(&portfolio, parts.now(), PAGE).await {
                Ok(due) => due,
                Err(error) => return Done::Ripened(Err(error)),
            };
            let mut ripened = Vec::new();
            for due in due.into_iter().filter(|d| {
                d.reference.number == number && !taken.contains(&(d.at, d.reference.clone()))
            }) {
                match ripen(parts, &portfolio, &due).await {
                    Ok(ripe) => ripened.push((due, ripe)),
                    Err(error) => log(
                        Level::Warn,
                        "due_entry_not_read",
                        &[("error", Field::safe(&error))],
                    ),
                }
            }
            Done::Ripened(Ok(ripened))
        }));
    }

    fn start_checkpoint(&mut self) {
        let now = self.parts.now();
        for lane in &mut self.lanes {
            lane.forget_old(now);
            let Some(cursor) = lane.checkpoint(now) else {
                continue;
            };
            let (parts, number, purpose) = (self.parts, self.number.id.clone(), lane.purpose);
            self.work.push(Box::pin(async move {
                Done::Tidied(parts.pacing.put_cursor(&number, purpose, 0, &cursor).await)
            }));
        }
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

    /// Uses every slot that is open now; late ones are caught up as far as the ring allows.
    fn use_slots(&mut self) {
        loop {
            let now = Instant::now();
            if !self.term.holds(now) || now >= self.term.ends {
                return;
            }
            let ns = self.term.ns(now);
            if ns < self.pace.due() {
                return;
            }
            let Some(claimed) = self.next_claimed(now) else {
                return;
            };
            if self.pace.take(ns) {
                self.start_send(claimed);
            } else {
                return;
            }
        }
    }

    /// The next record in order of importance; one that missed its deadline is judged and claimed anew.
    fn next_claimed(&mut self, now: Instant) -> Option<Claimed> {
        let mut late = Vec::new();
        let mut next = None;
        for lane in &mut self.lanes {
            while next.is_none() {
                let Some(claimed) = lane.claimed.pop_front() else {
                    break;
                };
                if now <= claimed.send_by {
                    next = Some(claimed);
                } else {
                    late.push((claimed.block, claimed.record.reference.clone()));
                    let mut record = claimed.record;
                    record.attempt = record.attempt.saturating_sub(1);
                    lane.waiting.push_front(Waiting { record, due: None });
                }
            }
        }
        for (block, reference) in late {
            self.leave_block(block, &reference);
        }
        next
    }

    fn start_send(&mut self, claimed: Claimed) {
        self.in_flight = self.in_flight.saturating_add(1);
        self.last_activity = Instant::now();
        let parts = self.parts;
        let number = self.number.id.clone();
        self.work.push(Box::pin(async move {
            let Claimed {
                record,
                payload,
                permit,
                block,
                ..
            } = claimed;
            let body = payload.graph_body(&record.reference.opaque(record.attempt));
            let outcome = parts.graph.send(permit, &number, &body).await;
            Done::Sent {
                record: Box::new(record),
                block,
                outcome,
            }
        }));
    }

    fn take_in(&mut self, done: Done) {
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
    fn leave_block(&mut self, block: u64, reference: &RecordRef) {
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

/// A page from a place on; when it starts behind the front, as many as it takes to reach it.
async fn read_pages(
    parts: &Parts,
    number: &str,
    purpose: Purpose,
    mut from: String,
    front: &str,
) -> Result<Vec<Record>, AwsError> {
    let mut read = Vec::new();
    for _ in 0..LOOK_BACK_PAGES {
        let page = parts
            .messages
            .after(number, purpose, 0, &from, PAGE)
            .await?;
        let Some(last) = page.last().map(|r| r.reference.ulid.clone()) else {
            break;
        };
        let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
        read.extend(page);
        if !full || last.as_str() >= front {
            break;
        }
        from = last;
    }
    Ok(read)
}
