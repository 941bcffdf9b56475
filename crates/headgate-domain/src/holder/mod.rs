//! The holder of a portfolio's lease: everything the sender decides, and nothing it does.
//!
//! Owns the whole protocol: lease, wake hand-shake, cursors, claims, judging again, pacing, pair limit,
//! budget, ambiguity timers, release. [`Holder::step`] takes what happened and says what is to be done;
//! whoever drives it performs the effects and reports back. The sender does so over real sockets, a
//! simulation in virtual time, and a model checker in every order there is: the machine that is checked
//! is the one that ships.
//!
//! Promises: at most one holder claims and sends; nothing is sent that was not claimed before its
//! first byte and judged after; what is claimed and not known to be unsent is never queued again; nothing
//! that a cursor passed is known to this process alone. Knows no wall clock but for deadlines of messages.

mod answers;
mod claim_code;
mod dues;
mod io;
mod lane;
mod lease;
mod number;
mod release;
mod tuning;

pub use claim_code::{ShortRef, decode, encode};
pub use io::{
    Answer, Claim, Controls, Cursors, DueEntry, DueKind, Effect, Event, Holdback, InForce,
    Judgement, LeaseView, Left, Legacy, Mark, Now, Opened, Outcome, PageRead, Phase, Seen, Taken,
    Ticket, Unavailable, Verdict,
};
pub use number::NumberSettings;
pub use tuning::Tuning;

use crate::budget::Budget;
use crate::lane::PURPOSES;
use crate::pacing::Pace;
use crate::pair::{Pairs, Tail as PairTail};
use dues::Dues;
use lease::Lease;
use number::{BudgetBook, Number};

/// What the calendars of two holders may differ by.
const CALENDARS_DIFFER_MS: i64 = 2_000;
/// A holder that waits for nothing but an event looks up this often.
const LOOK_AGAIN: u64 = 5_000_000;

/// What a holder is started with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The numbers of the portfolio.
    pub numbers: Vec<NumberSettings>,
    /// Whether it was woken to stand by for its predecessor's release.
    pub successor: bool,
    /// Times and sizes.
    pub tuning: Tuning,
}

/// Where the term stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// Waiting for the lease.
    Standby,
    /// Sending.
    Running,
    /// IDLE is written, or is about to be: looking once more, while sending goes on.
    Looking,
    /// Nothing more is claimed. Slots are used until the claims under way are done; then what is left is
    /// handed back.
    HandingBack,
    /// FREE is being written.
    Freeing,
    /// Answers are still being written down.
    Draining,
    /// Asking when to go on.
    Parting,
    /// Done.
    Over,
}

/// One process's part in a portfolio's sending.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own; the stages are an enum already"
)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Holder {
    tuning: Tuning,
    stage: Stage,
    lease: Lease,
    numbers: Vec<Number>,
    dues: Vec<Dues>,
    book: BudgetBook,
    /// The controls have been read, and the budget if there is a limit.
    ready: bool,
    reading_controls: bool,
    next_controls: u64,
    daily_limit: Option<u32>,
    next_block: u64,
    ends: u64,
    woke_successor: bool,
    /// Effects whose end the release waits for.
    tidying: usize,
    /// The look found something.
    found: bool,
    /// IDLE is written and the last reads have been asked for.
    looks: bool,
    /// The handing back has been asked for.
    hands_back: bool,
    ended_by_time: bool,
    failed: bool,
}

impl Holder {
    /// A holder-to-be.
    pub fn new(settings: Settings, now: Now) -> Self {
        let numbers = settings.numbers.into_iter().enumerate();
        Self {
            stage: Stage::Standby,
            lease: Lease::new(settings.successor, now.mono),
            numbers: numbers
                .map(|(index, number)| Number::new(index, number, now.mono))
                .collect(),
            dues: PURPOSES.into_iter().map(Dues::new).collect(),
            book: BudgetBook::default(),
            ready: false,
            reading_controls: false,
            next_controls: now.mono,
            daily_limit: None,
            next_block: 0,
            ends: u64::MAX,
            woke_successor: false,
            tidying: 0,
            found: false,
            looks: false,
            hands_back: false,
            ended_by_time: false,
            failed: false,
            tuning: settings.tuning,
        }
    }

    /// Whether there is nothing left to decide; the effects that were asked for are still to be performed.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Whether it ended because AWS did not answer: the wake must come again.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether it may send at an instant: at most one holder may, at any time.
    pub fn sends(&self, mono: u64) -> bool {
        let uses_slots = match self.stage {
            Stage::Running | Stage::Looking => true,
            Stage::HandingBack => !self.hands_back,
            Stage::Standby | Stage::Freeing | Stage::Draining | Stage::Parting | Stage::Over => {
                false
            }
        };
        uses_slots && self.lease.holds(mono)
    }

    /// The term, once the lease is ours.
    pub fn epoch(&self) -> Option<u64> {
        self.lease.held().map(|h| h.epoch)
    }

    /// Takes in what happened and says what is to be done.
    pub fn step(&mut self, now: Now, event: Event) -> Vec<Effect> {
        let mut out = Vec::new();
        self.take_in(now, event, &mut out);
        self.advance(now, &mut out);
        self.tidying = self
            .tidying
            .saturating_add(out.iter().filter(|e| is_tidied(e)).count());
        out
    }

    fn take_in(&mut self, now: Now, event: Event, out: &mut Vec<Effect>) {
        let tuning = &self.tuning;
        match event {
            Event::Tick => {}
            Event::LeaseRead(read) => out.extend(self.lease.read(now, tuning, read)),
            Event::LeaseTaken(taken) => {
                self.lease.taken(now, tuning, taken);
                if self.lease.held().is_some() {
                    self.start();
                }
            }
            Event::Renewed(renewed) => {
                if let Some(phase) = self.lease.renewed(now, tuning, renewed) {
                    self.entered(phase, out);
                }
            }
            Event::Tidied => self.tidying = self.tidying.saturating_sub(1),
            Event::NextDueRead(next) => self.part(now, next.ok().flatten(), out),
            Event::ControlsRead(controls) => self.controls_read(now, controls, out),
            Event::BudgetRead(buckets) => self.budget_read(now, buckets),
            Event::Opened { number, opened } => self.opened(now, number, opened),
            Event::Page {
                number,
                lane,
                shard,
                page,
            } => {
                if let Some(number) = self.numbers.get_mut(number) {
                    self.found |= number.page(now, tuning, (lane, shard), page, out);
                }
            }
            Event::DueRead { lane, entries } => self.due_read(now, lane, entries, out),
            Event::DueLoaded { lane, loaded } => self.due_loaded(now, lane, loaded, out),
            Event::Requeued { due, seen } => self.requeued(now, due, seen, out),
            Event::Claimed {
                number,
                block,
                written,
            } => {
                if let Some(number) = self.numbers.get_mut(number) {
                    number.claimed(now, tuning, block, written, out);
                }
            }
            Event::Judged {
                number,
                block,
                judgements,
            } => {
                if let Some(number) = self.numbers.get_mut(number) {
                    number.judged(now, tuning, (block, judgements), &mut self.book, out);
                }
            }
            Event::Flushed {
                number,
                block,
                written,
            } => {
                if let Some(number) = self.numbers.get_mut(number) {
                    number.flushed(now, tuning, (block, written), &mut self.book, out);
                }
            }
            Event::PairNoted {
                number,
                reference,
                written,
                ..
            } => {
                if let Some(number) = self.numbers.get_mut(number) {
                    number.pair_noted(now, &reference, written, out);
                }
            }
            Event::Answered {
                number,
                block,
                ticket,
                answer,
            } => {
                let keeps = matches!(self.stage, Stage::Running | Stage::Looking);
                if let Some(number) = self.numbers.get_mut(number) {
                    number.answered(now, tuning, (block, ticket, answer), keeps, out);
                }
            }
            Event::Settled {
                number,
                block,
                reference,
                written,
            } => {
                if let Some(number) = self.numbers.get_mut(number) {
                    number.settled(now, block, &reference, written);
                }
            }
        }
    }

    /// The lease is ours.
    fn start(&mut self) {
        let Some(held) = self.lease.held() else {
            return;
        };
        self.stage = Stage::Running;
        // The renewal that took it was begun then.
        self.ends = held.found_at.saturating_add(self.tuning.term);
    }

    /// Reads what is stored about numbers that are not open yet.
    fn open(&mut self, now: Now, out: &mut Vec<Effect>) {
        let legacy = self.lease.held().and_then(|h| h.legacy.as_ref());
        for number in &mut self.numbers {
            if number.open || number.opening || now.mono < number.open_at {
                continue;
            }
            number.opening = true;
            let left = legacy.and_then(|l| l.numbers.iter().find(|n| n.number == number.id));
            out.push(Effect::Open {
                number: number.index,
                after: legacy.map_or(0, |l| l.epoch),
                open: left.map(|l| l.open.clone()).unwrap_or_default(),
            });
        }
    }

    fn opened(&mut self, now: Now, index: usize, opened: Outcome<Opened>) {
        let Some(held) = self.lease.held() else {
            return;
        };
        let Some(number) = self.numbers.get_mut(index) else {
            return;
        };
        let legacy = held.legacy.as_ref();
        let left = legacy.and_then(|l| l.numbers.iter().find(|n| n.number == number.id));
        number.opening = false;
        let Ok(opened) = opened else {
            number.open_at = now.mono.saturating_add(self.tuning.after_error);
            return;
        };
        let found = held.found.as_ref().map(|v| v.phase);
        let released = legacy.map(|l| l.epoch) == held.found.as_ref().map(|v| v.epoch);
        // At least this long ago, whatever the two calendars differ by.
        let waited = legacy.map_or(0, |l| {
            now.wall
                .millis_since(l.at)
                .saturating_sub(CALENDARS_DIFFER_MS)
        });
        let since = now.mono.saturating_sub(held.found_at) / 1_000_000;
        let waited = u64::try_from(waited).unwrap_or(0).saturating_sub(since);
        let (rate, guard) = (number.settings.per_second, number.settings.guard_permille);
        let (pace, pairs, resolve_at) = match (found, left) {
            // It let go in order, a moment ago: it may still be writing down answers.
            (Some(Phase::Free), Some(left)) if released => (
                Pace::resume(
                    rate,
                    guard,
                    &left.tail.clone().rested(waited),
                    held.found_at,
                ),
                Some(Pairs::resume(
                    held.found_at,
                    &left.pairs,
                    waited.saturating_mul(1_000_000),
                )),
                now.mono.saturating_add(self.tuning.leave_to_predecessor),
            ),
            // Nobody ever held the lease.
            (None, _) => (
                Pace::new(rate, guard, now.mono),
                Some(Pairs::resume(now.mono, &PairTail::default(), 0)),
                now.mono,
            ),
            // The number is new to the portfolio.
            (Some(Phase::Free), _) => (
                Pace::new(rate, guard, now.mono),
                None,
                now.mono.saturating_add(self.tuning.leave_to_predecessor),
            ),
            // It has been silent for three seconds, and has stopped for one at least.
            (Some(Phase::Run | Phase::Idle), _) => {
                (Pace::fresh(rate, guard, now.mono), None, now.mono)
            }
        };
        number.open(now, opened, (pace, pairs), resolve_at);
    }

    fn controls_read(&mut self, now: Now, controls: Outcome<Controls>, out: &mut Vec<Effect>) {
        self.reading_controls = false;
        let Ok(controls) = controls else {
            self.next_controls = now.mono.saturating_add(self.tuning.after_error);
            return;
        };
        for force in &controls.numbers {
            if let Some(number) = self.numbers.iter_mut().find(|n| n.id == force.number) {
                number.control(now, force);
            }
        }
        self.daily_limit = controls.daily_limit;
        match (controls.daily_limit, &mut self.book.budget) {
            (None, budget) => {
                *budget = None;
                self.ready = true;
            }
            (Some(_), Some(budget)) => {
                budget.set_limit(controls.daily_limit);
                let buckets = budget.take_expired(now.wall);
                if !buckets.is_empty() {
                    out.push(Effect::DropBuckets { buckets });
                }
            }
            // Nothing is claimed before the count is known.
            (Some(_), None) => {
                self.ready = false;
                out.push(Effect::ReadBudget);
            }
        }
    }

    fn budget_read(&mut self, now: Now, read: Outcome<Vec<(u32, i64)>>) {
        match (read, self.daily_limit) {
            (Ok(buckets), Some(limit)) => {
                self.book.budget = Some(Budget::new(Some(limit), buckets));
                self.ready = true;
            }
            (Ok(_), None) => {}
            // The next reading of the controls asks again.
            (Err(_), _) => self.next_controls = now.mono.saturating_add(self.tuning.after_error),
        }
    }

    /// Does what time and the events so far make due.
    fn advance(&mut self, now: Now, out: &mut Vec<Effect>) {
        let epoch = self.epoch().unwrap_or_default();
        if !self.has_lost() {
            match self.stage {
                Stage::Standby | Stage::Freeing | Stage::Parting | Stage::Over => {}
                Stage::Running | Stage::Looking => self.run(now, epoch, out),
                Stage::HandingBack => self.hand_back(now, epoch, out),
                Stage::Draining => self.drain(out),
            }
        }
        let numbers = &self.numbers;
        let legacy = || Legacy {
            epoch,
            at: now.wall,
            numbers: numbers.iter().map(|n| n.left(now.mono)).collect(),
        };
        out.extend(self.lease.advance(now, &self.tuning, legacy));
        self.has_lost();
    }

    /// Somebody else may hold the lease: what is claimed is theirs to resolve. Answers are written down.
    fn has_lost(&mut self) -> bool {
        let Lease::Over { failed } = self.lease else {
            return false;
        };
        self.failed |= failed;
        self.stage = match self.stage {
            Stage::Standby | Stage::Parting | Stage::Over => Stage::Over,
            Stage::Running
            | Stage::Looking
            | Stage::HandingBack
            | Stage::Freeing
            | Stage::Draining => {
                if self.is_drained() {
                    Stage::Over
                } else {
                    Stage::Draining
                }
            }
        };
        true
    }

    fn run(&mut self, now: Now, epoch: u64, out: &mut Vec<Effect>) {
        if now.mono >= self.ends && !self.lease.holds(now.mono) {
            // Nothing can be handed back; the lease runs out by itself.
            self.lease = Lease::Over { failed: true };
            return;
        }
        if !self.lease.holds(now.mono) {
            // The fence has fallen. It may rise again with a late renewal; until then nothing is claimed or sent.
            return;
        }
        if now.mono >= self.ends {
            self.ended_by_time = true;
            self.begin_hand_back(now, epoch, out);
            return;
        }
        let nearly = self.ends.saturating_sub(self.tuning.wake_successor_before);
        if now.mono >= nearly && !self.woke_successor {
            self.woke_successor = true;
            out.push(Effect::Wake {
                after_s: 0,
                successor: true,
            });
        }
        self.open(now, out);
        let open = self.numbers.iter().all(|n| n.open);
        if open && !self.reading_controls && now.mono >= self.next_controls {
            self.reading_controls = true;
            self.next_controls = now.mono.saturating_add(self.tuning.controls_every);
            out.push(Effect::ReadControls);
        }
        self.read_dues(now, out);
        let tuning = &self.tuning;
        for number in &mut self.numbers {
            number.work(now, tuning, epoch, self.ready, &mut self.next_block, out);
            number.use_slots(now, out);
        }
        self.look(now, epoch, out);
    }

    /// When [`Holder::step`] wants to be called at the latest, on the holder's clock.
    pub fn wake_at(&self, now: u64) -> u64 {
        let mut at = self.lease.wake_at(now);
        let runs = matches!(self.stage, Stage::Running | Stage::Looking);
        if runs {
            at = at.min(self.ends);
        }
        if runs && self.lease.holds(now) {
            if !self.woke_successor {
                at = at.min(self.ends.saturating_sub(self.tuning.wake_successor_before));
            }
            if !self.reading_controls {
                at = at.min(self.next_controls);
            }
            let dues = self.dues.iter().map(Dues::wake_at);
            let numbers = self.numbers.iter().map(|n| n.wake_at(now, &self.tuning));
            at = dues.chain(numbers).fold(at, u64::min);
        }
        if self.stage == Stage::HandingBack && self.sends(now) {
            let slots = self.numbers.iter().filter_map(Number::slot_at);
            at = slots.fold(at, u64::min);
        }
        // What is due and not done waits for an event; time alone will not help it.
        if at <= now {
            now.saturating_add(LOOK_AGAIN)
        } else {
            at
        }
    }
}

const fn is_tidied(effect: &Effect) -> bool {
    match effect {
        Effect::Wake { .. }
        | Effect::DropDue { .. }
        | Effect::Tell { .. }
        | Effect::KeepClaim { .. }
        | Effect::PutCursors { .. }
        | Effect::Note { .. }
        | Effect::DropBuckets { .. } => true,
        Effect::ReadLease
        | Effect::TakeLease { .. }
        | Effect::Renew { .. }
        | Effect::ReadNextDue
        | Effect::ReadControls
        | Effect::ReadBudget
        | Effect::Open { .. }
        | Effect::ReadPage { .. }
        | Effect::ReadDue { .. }
        | Effect::LoadDue { .. }
        | Effect::Claim { .. }
        | Effect::Judge { .. }
        | Effect::Flush { .. }
        | Effect::NotePair { .. }
        | Effect::Send { .. }
        | Effect::Settle { .. }
        | Effect::Requeue { .. } => false,
    }
}
