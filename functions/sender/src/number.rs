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

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use headgate_aws::AwsError;
use headgate_aws::messages::Record;
use headgate_aws::pacing::Due;
use headgate_domain::config::Number;
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::pacing::Pace;
use headgate_domain::record::RecordRef;
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
        page: Result<Pages, AwsError>,
    },
    Claimed {
        lane: usize,
        block: u64,
        waiting: Vec<Waiting>,
        claimed: Result<Vec<Claimed>, AwsError>,
    },
    Sent {
        sent: Box<Waiting>,
        block: u64,
        outcome: Outcome,
    },
    Settled {
        reference: RecordRef,
        block: u64,
        result: Result<(), AwsError>,
    },
    Ripened(Result<Vec<(Due, Ripe)>, AwsError>),
    Tidied(Result<(), AwsError>),
}

/// What was read of a lane, and how far.
struct Pages {
    records: Vec<Record>,
    reached: Option<String>,
    more: bool,
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
    /// Everything in hand, from the moment it was read until its outcome is written down, and whether a
    /// due entry would bring it back. What is in hand is never taken a second time.
    live: HashMap<RecordRef, bool>,
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
            pace: Pace::new(number.per_second.unwrap_or(headgate_domain::live::DEFAULT_PER_SECOND), number.pace_permille, term.ns(now)),
            number,
            lanes,
            work: FuturesUnordered::new(),
            blocks: HashMap::new(),
            live: HashMap::new(),
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
        let in_hand: HashSet<RecordRef> = self.live.keys().cloned().collect();
        self.work.push(Box::pin(async move {
            let mut ripened = Vec::new();
            let mut last: Option<Due> = None;
            // Entries of other numbers and of what is in hand must not hide the ones behind them.
            while ripened.len() < BLOCK {
                let page = match parts
                    .pacing
                    .due(&portfolio, parts.now(), last.as_ref(), PAGE)
                    .await
                {
                    Ok(page) => page,
                    Err(error) => return Done::Ripened(Err(error)),
                };
                last = page.last().cloned();
                let full = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
                for due in page {
                    if due.reference.number != number || in_hand.contains(&due.reference) {
                        continue;
                    }
                    match ripen(parts, &portfolio, &due).await {
                        Ok(ripe) => ripened.push((due, ripe)),
                        Err(error) => log(
                            Level::Warn,
                            "due_entry_not_read",
                            &[("error", Field::safe(&error))],
                        ),
                    }
                }
                if !full {
                    break;
                }
            }
            Done::Ripened(Ok(ripened))
        }));
    }

    fn start_checkpoint(&mut self) {
        for (purpose, cursor) in self.checkpoints() {
            let (parts, number) = (self.parts, self.number.id.clone());
            self.work.push(Box::pin(async move {
                Done::Tidied(parts.pacing.put_cursor(&number, purpose, 0, &cursor).await)
            }));
        }
    }

    /// The cursors that may move, with where to.
    fn checkpoints(&mut self) -> Vec<(Purpose, String)> {
        let now = self.parts.now();
        let live = &self.live;
        let moved = self.lanes.iter_mut().filter_map(|lane| {
            lane.forget_old(now);
            let purpose = lane.purpose;
            let in_hand = live
                .iter()
                .filter(|(r, has_due)| r.lane == purpose && !**has_due);
            let cursor = lane.checkpoint(now, in_hand.map(|(r, _)| r.ulid.as_str()))?;
            Some((purpose, cursor))
        });
        moved.collect()
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
                    lane.waiting.push_front(claimed.unsent());
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
        let mut sending: Work<'a> = Box::pin(async move {
            let Claimed {
                record,
                payload,
                permit,
                due,
                block,
                ..
            } = claimed;
            let body = payload.graph_body(&record.reference.opaque(record.attempt));
            let outcome = parts.graph.send(permit, &number, &body).await;
            Done::Sent {
                sent: Box::new(Waiting { record, due }),
                block,
                outcome,
            }
        });
        // Handed to the connection in this very slot, before anything else gets the processor.
        match (&mut sending).now_or_never() {
            Some(done) => self.take_in(done),
            None => self.work.push(sending),
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
) -> Result<Pages, AwsError> {
    let mut records = Vec::new();
    for _ in 0..LOOK_BACK_PAGES {
        let page = parts.messages.page(number, purpose, 0, &from, PAGE).await?;
        records.extend(page.records);
        match page.next {
            Some(next) if next.as_str() < front => from = next,
            reached => {
                let more = reached.is_some();
                return Ok(Pages {
                    records,
                    reached,
                    more,
                });
            }
        }
    }
    Ok(Pages {
        records,
        reached: None,
        more: true,
    })
}
