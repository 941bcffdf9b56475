//! One number's loop: read ahead, claim, wait for the slot, send, settle.
//!
//! A slot goes to the most important lane that has a claimed record. Everything slow runs beside
//! the slots and never holds one up.

mod release;
mod results;

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use headgate_aws::AwsError;
use headgate_aws::messages::Record;
use headgate_aws::pacing::Due;
use headgate_domain::config::Number;
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::pacing::Pace;
use headgate_domain::record::RecordRef;
use headgate_domain::time::Timestamp;
use headgate_graph::Outcome;
use headgate_lambda::log::{Field, Level, log};

use crate::claim::claim;
use crate::due::{Ripe, recover, ripen};
use crate::lane::{Claimed, Lane, Waiting};
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
    /// No slot comes any more: what Meta did not accept goes to a due entry, not back into memory.
    draining: bool,
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
            draining: false,
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
