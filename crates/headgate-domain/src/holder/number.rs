//! One phone number of the portfolio: read ahead, claim, judge, wait for the slot, send.
//!
//! A slot goes to the most important lane that has a judged record. Everything slow runs beside the
//! slots and never holds one up.

use std::collections::{BTreeMap, BTreeSet};

use super::io::{
    Claim, Cursors, Effect, InForce, Judgement, Left, Mark, Now, Opened, Outcome, PageRead, Ticket,
    Verdict,
};
use super::lane::{Lane, Look, Ready, Shard};
use super::tuning::Tuning;
use crate::budget::{Admission, Budget};
use crate::lane::{PURPOSES, Purpose};
use crate::pacing::Pace;
use crate::pair::{Pairs, Persist};
use crate::record::{MAX_SHARDS, RecordRef, ambiguity_timer_ms, shards};
use crate::turns::Turns;

const MS: u64 = 1_000_000;
/// A second, for a rate in thousandths.
const SECOND_MILLI: u64 = 1_000_000 * MS;
/// Above this rate a number claims large blocks.
const LARGE_BLOCKS_FROM: u32 = 200;
/// A pause is looked at again after this long, whatever end it names.
const LONGEST_REST_MS: i64 = 60_000;
/// More would queue inside the connections, and leave when it is no longer their time.
const MOST_IN_FLIGHT: usize = 360;
/// So many recipients' debts are left to a successor by name.
const PAIRS_LEFT: usize = 50;
/// Slots that were missed are caught up at 10/9 of the pace, but for this much at once: a timer is late by
/// a little more than a millisecond. A burst would come again each second, when its places in the
/// window are free, and the network's jitter would push two of them into one second at Meta.
const AT_ONCE: u64 = 4 * MS;
/// A lane that rests longer than this holds nobody awake.
const RESTS: u64 = 5_000 * MS;

/// What a number starts a term with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NumberSettings {
    /// Meta's phone number id.
    pub id: String,
    /// Messages per second Meta allows, inbound included.
    pub per_second: u32,
    /// How much of it is used, in thousandths.
    pub guard_permille: Option<u16>,
}

/// A block on its way to the wire.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Block {
    epoch: u64,
    lane: Purpose,
    slot: u16,
    /// What is being claimed or judged.
    tickets: Vec<Ticket>,
    /// What is permitted and waits for its marks to be written.
    ready: Vec<Ticket>,
    /// Changes of the budget that are being written.
    counts: Vec<(u32, i64)>,
    /// What is claimed and not settled.
    references: Vec<(RecordRef, u32)>,
    send_by: u64,
}

/// What an earlier holder claimed and perhaps did not settle.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Inherited {
    slot: u16,
    attempt: u32,
    resolving: bool,
}

/// The state of a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Number {
    pub(super) index: usize,
    pub(super) id: String,
    pub(super) settings: NumberSettings,
    pub(super) open: bool,
    /// Its stored state is being read.
    pub(super) opening: bool,
    pub(super) open_at: u64,
    pub(super) pace: Pace,
    /// Where missed slots that are caught up may begin.
    evened: u64,
    pub(super) pairs: Pairs,
    turns: Turns,
    pub(super) lanes: Vec<Lane>,
    blocks: BTreeMap<u64, Block>,
    /// Everything in hand, from the moment it was read until its outcome is written down, and whether a
    /// due entry would bring it back. What is in hand is never taken a second time.
    pub(super) live: BTreeMap<RecordRef, bool>,
    /// Messages whose pair debt is being written down.
    noting: BTreeMap<RecordRef, Ready>,
    inherited: BTreeMap<RecordRef, Inherited>,
    resolve_at: u64,
    pub(super) in_flight: usize,
    pub(super) settling: usize,
    inbound: Option<(u64, u64, u64)>,
    /// How often in a row Meta blocked the whole number or account.
    pub(super) blocked: u32,
    /// When 130429 began to be counted, and how many there were in the second since.
    pub(super) throttles: (u64, u32),
    next_checkpoint: u64,
    pub(super) last_activity: u64,
}

impl Number {
    pub(super) fn new(index: usize, settings: NumberSettings, now: u64) -> Self {
        Self {
            index,
            id: settings.id.clone(),
            open: false,
            opening: false,
            open_at: now,
            pace: Pace::new(settings.per_second, settings.guard_permille, now),
            evened: now,
            pairs: Pairs::new(now, std::iter::empty()),
            turns: Turns::new(),
            lanes: Vec::new(),
            blocks: BTreeMap::new(),
            live: BTreeMap::new(),
            noting: BTreeMap::new(),
            inherited: BTreeMap::new(),
            resolve_at: now,
            in_flight: 0,
            settling: 0,
            inbound: None,
            blocked: 0,
            throttles: (now, 0),
            next_checkpoint: now,
            last_activity: now,
            settings,
        }
    }

    /// Begins with what is stored. What earlier holders claimed is left alone until `resolve_at`.
    pub(super) fn open(
        &mut self,
        now: Now,
        opened: Opened,
        (pace, pairs): (Pace, Option<Pairs>),
        resolve_at: u64,
    ) {
        self.pace = pace;
        self.pairs = pairs.unwrap_or_else(|| Pairs::new(now.mono, opened.pairs));
        for claim in opened.claims {
            for (reference, attempt) in claim.references {
                self.live.insert(reference.clone(), false);
                self.inherited.insert(
                    reference,
                    Inherited {
                        slot: claim.slot,
                        attempt,
                        resolving: false,
                    },
                );
            }
        }
        self.resolve_at = resolve_at;
        self.lanes = PURPOSES
            .into_iter()
            .map(|purpose| {
                let written = shards(purpose, self.settings.per_second);
                let of = (0..MAX_SHARDS).map(|shard| {
                    let stored = opened.cursors.iter();
                    let cursor = stored
                        .filter(|(p, s, _)| *p == purpose && *s == shard)
                        .map(|(_, _, ulid)| ulid.clone())
                        .next();
                    Shard::new(shard, shard < written, cursor, now.mono)
                });
                Lane::new(purpose, of.collect())
            })
            .collect();
        self.last_activity = now.mono;
        self.open = true;
    }

    pub(super) fn lane_mut(&mut self, purpose: Purpose) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|l| l.purpose == purpose)
    }

    /// A block and the one before it leave well before their deadlines, at the pace in force.
    fn block_size(&self, tuning: &Tuning) -> usize {
        let most = if self.settings.per_second > LARGE_BLOCKS_FROM {
            tuning.large_block
        } else {
            tuning.block
        };
        let in_time = u128::from(self.pace.rate_milli())
            .saturating_mul(u128::from(tuning.send_by / 3))
            .checked_div(u128::from(SECOND_MILLI))
            .unwrap_or(0);
        usize::try_from(in_time).unwrap_or(most).clamp(1, most)
    }

    /// Takes in what is in force now.
    pub(super) fn control(&mut self, now: Now, force: &InForce) {
        let (old, old_guard) = (self.settings.per_second, self.settings.guard_permille);
        if (old, old_guard) != (force.per_second, force.guard_permille) {
            self.settings.per_second = force.per_second;
            self.settings.guard_permille = force.guard_permille;
            self.pace
                .set_limit(force.per_second, force.guard_permille, now.mono);
            for lane in &mut self.lanes {
                let written = shards(lane.purpose, force.per_second);
                for shard in &mut lane.shards {
                    shard.set_written(shard.shard < written);
                }
            }
        }
        self.pace.set_share(force.share_permille);
        // Counted in steps and read now and then: half of the estimate is memory.
        let (estimate, rate) = match self.inbound {
            None => (0, None),
            Some((at, total, estimate)) => {
                let more = force.inbound_total.saturating_sub(total);
                let ns = now.mono.saturating_sub(at).max(1);
                let milli = u128::from(more).saturating_mul(1_000_000_000_000) / u128::from(ns);
                (estimate, Some(u64::try_from(milli).unwrap_or(u64::MAX)))
            }
        };
        let estimate = rate.map_or(0, |rate| rate.saturating_add(estimate) / 2);
        self.inbound = Some((now.mono, force.inbound_total, estimate));
        self.pace.set_inbound(estimate);
    }

    /// Starts reads, claims, checkpoints and what else is due. `may_claim` is off while the budget is unknown.
    pub(super) fn work(
        &mut self,
        now: Now,
        tuning: &Tuning,
        epoch: u64,
        may_claim: bool,
        next_block: &mut u64,
        out: &mut Vec<Effect>,
    ) {
        if !self.open {
            return;
        }
        for purpose in PURPOSES {
            if may_claim {
                self.claim(purpose, now, tuning, epoch, next_block, out);
            }
            self.read(purpose, now, tuning, out);
        }
        if now.mono >= self.resolve_at {
            self.resolve(now, out);
        }
        if now.mono >= self.next_checkpoint {
            self.next_checkpoint = now.mono.saturating_add(tuning.checkpoint_every);
            self.pairs.forget(now.mono);
            self.checkpoint(now, epoch, out);
        }
    }

    fn read(&mut self, purpose: Purpose, now: Now, tuning: &Tuning, out: &mut Vec<Effect>) {
        let number = self.index;
        let Some(lane) = self.lane_mut(purpose) else {
            return;
        };
        for index in 0..lane.shards.len() {
            let Some(shard) = lane.shards.get(index) else {
                continue;
            };
            let looks = shard.look == Look::Wanted;
            if shard.reading
                || !(looks || now.mono >= shard.next_read && lane.has_room(shard, tuning))
            {
                continue;
            }
            let Some(shard) = lane.shards.get_mut(index) else {
                continue;
            };
            shard.reading = true;
            shard.next_read = now
                .mono
                .saturating_add(shard.poll_interval(purpose, tuning));
            let from = shard.read_from(purpose, now, tuning);
            if looks {
                shard.look = Look::Begun;
            }
            out.push(Effect::ReadPage {
                number,
                lane: purpose,
                shard: shard.shard,
                from,
                front: shard.front().to_owned(),
            });
        }
    }

    fn claim(
        &mut self,
        purpose: Purpose,
        now: Now,
        tuning: &Tuning,
        epoch: u64,
        next_block: &mut u64,
        out: &mut Vec<Effect>,
    ) {
        let (number, size) = (self.index, self.block_size(tuning));
        let slot = self.free_slot(tuning);
        // What is claimed now would only miss its deadline.
        let far = self.pace.due() > now.mono.saturating_add(tuning.send_by / 2);
        let Some(lane) = self.lane_mut(purpose) else {
            return;
        };
        let Some(slot) = slot else { return };
        if lane.claiming.is_some()
            || lane.waiting.is_empty()
            || lane.ready.len() >= size
            || now.mono < lane.rests_until
            || far
        {
            return;
        }
        let block = *next_block;
        *next_block = next_block.saturating_add(1);
        lane.claiming = Some(block);
        let tickets: Vec<Ticket> = (0..size)
            .map_while(|_| lane.pop_front())
            .map(|mut ticket| {
                ticket.attempt = ticket.attempt.saturating_add(1);
                ticket
            })
            .collect();
        let references: Vec<_> = tickets
            .iter()
            .map(|t| (t.reference.clone(), t.attempt))
            .collect();
        out.push(Effect::Claim {
            number,
            block,
            claim: Claim {
                epoch,
                block,
                slot,
                references: references.clone(),
            },
        });
        self.blocks.insert(
            block,
            Block {
                epoch,
                lane: purpose,
                slot,
                tickets,
                ready: Vec::new(),
                counts: Vec::new(),
                references,
                send_by: now.mono.saturating_add(tuning.send_by),
            },
        );
    }

    fn free_slot(&self, tuning: &Tuning) -> Option<u16> {
        let used = self.used_slots();
        (0..tuning.slots).find(|slot| !used.contains(slot))
    }

    fn used_slots(&self) -> BTreeSet<u16> {
        let blocks = self.blocks.values().map(|b| b.slot);
        blocks
            .chain(self.inherited.values().map(|i| i.slot))
            .collect()
    }

    /// Takes in a page; returns whether there is anything new to send.
    pub(super) fn page(
        &mut self,
        now: Now,
        tuning: &Tuning,
        (purpose, shard): (Purpose, u8),
        page: Outcome<PageRead>,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some(lane) = self.lanes.iter_mut().find(|l| l.purpose == purpose) else {
            return false;
        };
        let Some(place) = lane.shard_mut(shard) else {
            return false;
        };
        place.reading = false;
        let looks = place.look == Look::Begun;
        if looks {
            // A look that is only wanted stays so: this read was under way before IDLE was written.
            place.look = Look::No;
        }
        let Ok(page) = page else {
            place.next_read = now.mono.saturating_add(tuning.after_error);
            // It cannot be said that nothing is there.
            return looks;
        };
        let more = page.reached.is_some();
        if more {
            place.next_read = now.mono;
        }
        let fresh = place.take_in(page.records, page.reached);
        let mut any = false;
        for ticket in fresh.queued {
            if self.live.contains_key(&ticket.reference) {
                continue;
            }
            self.live.insert(ticket.reference.clone(), false);
            lane.push_back(ticket);
            any = true;
        }
        for ticket in fresh.cancelled {
            if !self.live.contains_key(&ticket.reference) {
                out.push(Effect::Tell { ticket, due: None });
            }
        }
        if any {
            self.last_activity = now.mono;
        } else if looks
            && more
            && let Some(place) = lane.shard_mut(shard)
        {
            place.look = Look::Wanted;
        }
        any
    }

    /// Takes in whether a claim is written; then it is judged.
    pub(super) fn claimed(
        &mut self,
        now: Now,
        tuning: &Tuning,
        block: u64,
        written: Outcome<()>,
        out: &mut Vec<Effect>,
    ) {
        self.last_activity = now.mono;
        if written.is_err() {
            return self.unclaim(now, tuning, block, out);
        }
        let number = self.index;
        if let Some(found) = self.blocks.get(&block) {
            out.push(Effect::Judge {
                number,
                block,
                tickets: found.tickets.clone(),
            });
        }
    }

    /// Nothing of a block was sent: everything waits again, and the claim is emptied.
    fn unclaim(&mut self, now: Now, tuning: &Tuning, block: u64, out: &mut Vec<Effect>) {
        let Some(found) = self.blocks.remove(&block) else {
            return;
        };
        let epoch = found.epoch;
        let rest = now.mono.saturating_add(tuning.after_error);
        if let Some(lane) = self.lane_mut(found.lane) {
            lane.claiming = None;
            lane.rests_until = lane.rests_until.max(rest);
            for ticket in found.tickets.into_iter().chain(found.ready).rev() {
                lane.push_front(unsent(ticket));
            }
        }
        out.push(Effect::KeepClaim {
            number: self.index,
            claim: Claim {
                epoch,
                block,
                slot: found.slot,
                references: Vec::new(),
            },
        });
    }

    /// Takes in what policy says of a claimed block.
    pub(super) fn judged(
        &mut self,
        now: Now,
        tuning: &Tuning,
        (block, judgements): (u64, Outcome<Vec<Judgement>>),
        budget: &mut BudgetBook,
        out: &mut Vec<Effect>,
    ) {
        self.last_activity = now.mono;
        let Ok(judgements) = judgements else {
            return self.unclaim(now, tuning, block, out);
        };
        let Some(found) = self.blocks.get_mut(&block) else {
            return;
        };
        let purpose = found.lane;
        let tickets = std::mem::take(&mut found.tickets);
        let (mut permitted, mut back, mut marks) = (Vec::new(), Vec::new(), Vec::new());
        let mut rest: Option<i64> = None;
        for (ticket, judgement) in tickets.into_iter().zip(judgements) {
            match judgement {
                Judgement::Permitted { counts, counted_in } => {
                    let ready_at = self.pairs.ready_at(&ticket.recipient, now.mono);
                    if ready_at > now.mono.saturating_add(tuning.send_by) {
                        self.park(now, block, ticket, ready_at, out);
                        continue;
                    }
                    let admission = if counts {
                        budget.admit(block, &ticket.recipient, counted_in, now)
                    } else {
                        Admission::Free
                    };
                    match admission {
                        Admission::Deferred { until } if purpose == Purpose::Marketing => {
                            if rest.is_none() {
                                let what = "daily_limit_reached";
                                out.push(Effect::Note { what });
                            }
                            rest = rest.max(Some(until.millis_since(now.wall)));
                            back.push(ticket);
                        }
                        Admission::Deferred { until } => {
                            self.settle(Some(block), ticket, Verdict::Park { at: until }, out);
                        }
                        Admission::Free => permitted.push(ticket),
                        Admission::Count { bucket, .. } => {
                            marks.push(Mark {
                                recipient: ticket.recipient.clone(),
                                bucket,
                            });
                            permitted.push(ticket);
                        }
                    }
                }
                Judgement::Refused { reason } => {
                    self.settle(Some(block), ticket, Verdict::Cancelled { reason }, out);
                }
                Judgement::NotYet { until, whole_lane } if whole_lane => {
                    rest = rest.max(Some(until.millis_since(now.wall)));
                    back.push(ticket);
                }
                Judgement::NotYet { until, .. } => {
                    self.settle(Some(block), ticket, Verdict::Park { at: until }, out);
                }
                Judgement::Moved => {
                    self.live.remove(&ticket.reference);
                    self.leave_block(Some(block), &ticket.reference);
                    // Whoever moved it may have left it to us to say so.
                    let due = ticket.due.clone();
                    out.push(Effect::Tell { ticket, due });
                }
            }
        }
        self.rest(purpose, now, rest);
        for ticket in back.into_iter().rev() {
            self.leave_block(Some(block), &ticket.reference);
            if let Some(lane) = self.lane_mut(purpose) {
                lane.push_front(unsent(ticket));
            }
        }
        let counts = budget.take_changes();
        if let Some(found) = self.blocks.get_mut(&block) {
            found.ready = permitted;
            found.counts.clone_from(&counts);
        }
        if counts.is_empty() && marks.is_empty() {
            self.flushed(now, tuning, (block, Ok(())), budget, out);
        } else {
            out.push(Effect::Flush {
                number: self.index,
                block,
                counts,
                marks,
            });
        }
    }

    fn rest(&mut self, purpose: Purpose, now: Now, rest_ms: Option<i64>) {
        let Some(ms) = rest_ms else { return };
        let ms = u64::try_from(ms.clamp(0, LONGEST_REST_MS)).unwrap_or(0);
        let until = now.mono.saturating_add(ms.saturating_mul(MS));
        if let Some(lane) = self.lane_mut(purpose) {
            lane.rests_until = lane.rests_until.max(until);
        }
    }

    /// Takes in whether the marks are written; then the block is ready for slots.
    pub(super) fn flushed(
        &mut self,
        now: Now,
        tuning: &Tuning,
        (block, written): (u64, Outcome<()>),
        budget: &mut BudgetBook,
        out: &mut Vec<Effect>,
    ) {
        let found = self.blocks.get_mut(&block);
        let counts = found.map(|b| std::mem::take(&mut b.counts));
        budget.flushed(block, written.is_ok(), counts.unwrap_or_default());
        if written.is_err() {
            return self.unclaim(now, tuning, block, out);
        }
        if let Some(found) = self.blocks.get_mut(&block) {
            let (ready, send_by) = (std::mem::take(&mut found.ready), found.send_by);
            let ready: Vec<Ready> = ready
                .into_iter()
                .map(|ticket| Ready {
                    send_by: send_by.min(until_expiry(now, &ticket)),
                    ticket,
                    block,
                    noted: false,
                })
                .collect();
            let lane = found.lane;
            if let Some(lane) = self.lane_mut(lane) {
                lane.ready.extend(ready);
            }
        }
        for lane in &mut self.lanes {
            if lane.claiming == Some(block) {
                lane.claiming = None;
            }
        }
        // All of it may have left the block while it was judged.
        self.drop_empty_block(block);
    }

    /// When the next slot is open.
    fn due(&self) -> u64 {
        self.pace.due().max(self.evened)
    }

    /// Uses every slot that is open now; late ones are caught up as far as the ring allows.
    pub(super) fn use_slots(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.open {
            return;
        }
        self.put_back_late(now);
        while now.mono >= self.due() && self.in_flight < MOST_IN_FLIGHT {
            let ready = self.ready_lanes();
            let Some(purpose) = self.turns.pick(ready) else {
                return;
            };
            let Some(next) = self.lane_mut(purpose).and_then(|l| l.ready.pop_front()) else {
                return;
            };
            // Deadlines rise along the lane, but an expiry may come before those in front of it.
            if now.mono > next.send_by {
                self.put_back(next);
                continue;
            }
            let recipient = &next.ticket.recipient;
            if !next.noted {
                let ready_at = self.pairs.ready_at(recipient, now.mono);
                if ready_at > now.mono {
                    self.park(now, next.block, next.ticket, ready_at, out);
                    continue;
                }
                if let Some(Persist { debt }) = self.pairs.take(recipient, now.mono) {
                    out.push(Effect::NotePair {
                        number: self.index,
                        block: next.block,
                        reference: next.ticket.reference.clone(),
                        recipient: recipient.clone(),
                        debt,
                    });
                    self.noting.insert(next.ticket.reference.clone(), next);
                    continue;
                }
            }
            if !self.pace.take(now.mono) {
                return;
            }
            let slot = SECOND_MILLI
                .checked_div(self.pace.rate_milli())
                .unwrap_or(0);
            let from = self.evened.max(now.mono.saturating_sub(AT_ONCE));
            self.evened = from.saturating_add(slot.saturating_sub(slot / 10));
            self.turns.used(purpose, ready);
            self.in_flight = self.in_flight.saturating_add(1);
            self.last_activity = now.mono;
            out.push(Effect::Send {
                number: self.index,
                block: next.block,
                ticket: next.ticket,
            });
        }
    }

    /// Takes in whether a pair debt is written; only then may its message leave.
    pub(super) fn pair_noted(
        &mut self,
        now: Now,
        reference: &RecordRef,
        written: Outcome<()>,
        out: &mut Vec<Effect>,
    ) {
        let Some(mut ready) = self.noting.remove(reference) else {
            return;
        };
        if written.is_ok() {
            ready.noted = true;
            if let Some(lane) = self.lane_mut(reference.lane) {
                lane.ready.push_front(ready);
            }
        } else {
            self.park(now, ready.block, ready.ticket, now.mono, out);
        }
    }

    fn ready_lanes(&self) -> [bool; 4] {
        let mut ready = [false; 4];
        for (place, lane) in ready.iter_mut().zip(&self.lanes) {
            *place = !lane.ready.is_empty();
        }
        ready
    }

    /// What missed its deadline is claimed and judged anew.
    fn put_back_late(&mut self, now: Now) {
        let is_late = |ready: &Ready| now.mono > ready.send_by;
        let mut late = Vec::new();
        for lane in &mut self.lanes {
            while lane.ready.front().is_some_and(is_late) {
                late.extend(lane.ready.pop_front());
            }
        }
        for missed in late.into_iter().rev() {
            self.put_back(missed);
        }
    }

    fn put_back(&mut self, missed: Ready) {
        let reference = missed.ticket.reference.clone();
        if let Some(lane) = self.lane_mut(reference.lane) {
            lane.push_front(unsent(missed.ticket));
        }
        self.leave_block(Some(missed.block), &reference);
    }

    /// Not to be sent before an instant, for the recipient's sake: the record waits on the due list, not in the lane.
    fn park(&mut self, now: Now, block: u64, ticket: Ticket, ready_at: u64, out: &mut Vec<Effect>) {
        let ms = ready_at.saturating_sub(now.mono).div_ceil(MS).max(1_000);
        let at = now
            .wall
            .plus_millis(i64::try_from(ms).unwrap_or(i64::MAX / 4));
        self.settle(Some(block), ticket, Verdict::Park { at }, out);
    }

    /// Has a verdict written down; then the record is out of hand.
    pub(super) fn settle(
        &mut self,
        block: Option<u64>,
        ticket: Ticket,
        verdict: Verdict,
        out: &mut Vec<Effect>,
    ) {
        self.settling = self.settling.saturating_add(1);
        out.push(Effect::Settle {
            number: self.index,
            block,
            ticket,
            verdict,
        });
    }

    /// Takes in whether a verdict is written down. If not, the claim stays: whoever holds the lease next resolves it.
    pub(super) fn settled(
        &mut self,
        now: Now,
        block: Option<u64>,
        reference: &RecordRef,
        written: Outcome<()>,
    ) {
        self.settling = self.settling.saturating_sub(1);
        if let Some(inherited) = self.inherited.get_mut(reference)
            && block.is_none()
            && inherited.resolving
        {
            if written.is_ok() {
                self.inherited.remove(reference);
                self.live.remove(reference);
            } else {
                inherited.resolving = false;
                self.resolve_at = now.mono.saturating_add(1_000 * MS);
            }
            return;
        }
        if written.is_ok() || block.is_none() {
            self.live.remove(reference);
            self.leave_block(block, reference);
        }
    }

    /// Turns what earlier holders claimed and did not settle into *ambiguous*, never into *queued*.
    fn resolve(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut lost = Vec::new();
        for (reference, inherited) in &mut self.inherited {
            if !inherited.resolving {
                inherited.resolving = true;
                lost.push((reference.clone(), inherited.attempt));
            }
        }
        for (reference, attempt) in lost {
            let at = now.wall.plus_millis(ambiguity_timer_ms(reference.lane));
            let ticket = Ticket {
                reference,
                attempt,
                campaign: None,
                recipient: String::new(),
                expires_at: at,
                due: None,
            };
            self.settle(None, ticket, Verdict::Lost { at }, out);
        }
    }

    /// Takes a record out of its claim; a claim with nothing left in it frees its slot.
    pub(super) fn leave_block(&mut self, block: Option<u64>, reference: &RecordRef) {
        let Some(block) = block else { return };
        if let Some(found) = self.blocks.get_mut(&block) {
            found.references.retain(|(r, _)| r != reference);
            self.drop_empty_block(block);
        }
    }

    fn drop_empty_block(&mut self, block: u64) {
        let done = self
            .blocks
            .get(&block)
            .is_some_and(|b| b.references.is_empty() && b.tickets.is_empty() && b.ready.is_empty());
        if done && !self.lanes.iter().any(|l| l.claiming == Some(block)) {
            self.blocks.remove(&block);
        }
    }

    /// Stores the cursors that moved.
    pub(super) fn checkpoint(&mut self, now: Now, epoch: u64, out: &mut Vec<Effect>) {
        let live = &self.live;
        let mut moved = false;
        for lane in &mut self.lanes {
            let purpose = lane.purpose;
            for shard in &mut lane.shards {
                shard.forget_old(now.wall);
                let place = shard.shard;
                let in_hand = live
                    .iter()
                    .filter(|(r, has_due)| r.lane == purpose && r.shard == place && !**has_due);
                moved |= shard.checkpoint(now.wall, in_hand.map(|(r, _)| r.ulid.as_str()));
            }
        }
        if !moved {
            return;
        }
        let cursors: Cursors = self
            .lanes
            .iter()
            .flat_map(|l| l.shards.iter().map(move |s| (l.purpose, s)))
            .filter(|(_, s)| !s.stored.is_empty())
            .map(|(purpose, s)| (purpose, s.shard, s.stored.clone()))
            .collect();
        out.push(Effect::PutCursors {
            number: self.index,
            epoch,
            cursors,
        });
    }

    /// Whether there is nothing to do but to wait for what may come.
    pub(super) fn is_quiet(&self, now: u64, tuning: &Tuning) -> bool {
        self.is_idle(now) && now.saturating_sub(self.last_activity) >= tuning.quiet
    }

    pub(super) fn is_idle(&self, now: u64) -> bool {
        self.open
            && self.in_flight == 0
            && self.settling == 0
            && self.noting.is_empty()
            && self.inherited.is_empty()
            && self
                .lanes
                .iter()
                .all(|l| l.is_empty() || self.rests(l, now))
    }

    fn rests(&self, lane: &Lane, now: u64) -> bool {
        let until = lane.rests_until.max(self.pace.paused_until());
        lane.ready.is_empty() && lane.claiming.is_none() && until > now.saturating_add(RESTS)
    }

    /// Whether a claim is being written or judged.
    pub(super) fn is_claiming(&self) -> bool {
        !self.noting.is_empty() || self.lanes.iter().any(|l| l.claiming.is_some())
    }

    /// Gives back what was claimed and not sent, so that nobody has to find out what became of it.
    pub(super) fn hand_back(&mut self, now: Now, epoch: u64, out: &mut Vec<Effect>) {
        let mut unsent_of: BTreeMap<u64, Vec<RecordRef>> = BTreeMap::new();
        for lane in &mut self.lanes {
            let ready: Vec<Ready> = lane.ready.drain(..).collect();
            for ready in ready.into_iter().rev() {
                let of = unsent_of.entry(ready.block).or_default();
                of.push(ready.ticket.reference.clone());
                lane.push_front(unsent(ready.ticket));
            }
        }
        // Every open claim is rewritten: a successor has to find each record that is still in one before it
        // may begin, and most of a claim is settled by now.
        let blocks: Vec<u64> = self.blocks.keys().copied().collect();
        for block in blocks {
            let Some(found) = self.blocks.get_mut(&block) else {
                continue;
            };
            if let Some(references) = unsent_of.get(&block) {
                found.references.retain(|(r, _)| !references.contains(r));
            }
            out.push(Effect::KeepClaim {
                number: self.index,
                claim: Claim {
                    epoch,
                    block,
                    slot: found.slot,
                    references: found.references.clone(),
                },
            });
            self.drop_empty_block(block);
        }
        self.checkpoint(now, epoch, out);
    }

    /// What a successor needs to know.
    pub(super) fn left(&self, now: u64) -> Left {
        Left {
            number: self.id.clone(),
            tail: self.pace.tail(now),
            pairs: self.pairs.tail(now, PAIRS_LEFT),
            open: self.used_slots().into_iter().collect(),
        }
    }

    /// Whether something is claimed of which nothing is under way any more. Asked when all is drained.
    pub(super) fn is_unsettled(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// In how many nanoseconds somebody should go on, if anything waits.
    pub(super) fn waits(&self, now: u64) -> Option<u64> {
        self.lanes
            .iter()
            .filter(|l| !l.waiting.is_empty())
            .map(|l| {
                l.rests_until
                    .max(self.pace.paused_until())
                    .saturating_sub(now)
            })
            .min()
    }

    /// When something is due next.
    pub(super) fn wake_at(&self, now: u64, tuning: &Tuning) -> u64 {
        if !self.open {
            return if self.opening { u64::MAX } else { self.open_at };
        }
        let mut at = self.next_checkpoint;
        if self.inherited.values().any(|i| !i.resolving) {
            at = at.min(self.resolve_at);
        }
        let (size, due) = (self.block_size(tuning), self.due());
        for lane in &self.lanes {
            if !lane.ready.is_empty() {
                at = at.min(due);
            }
            if lane.claiming.is_none() && !lane.waiting.is_empty() && lane.ready.len() < size {
                at = at.min(lane.rests_until.max(due.saturating_sub(tuning.send_by / 2)));
            }
            for shard in lane.shards.iter().filter(|s| !s.reading) {
                if shard.look == Look::Wanted || lane.has_room(shard, tuning) {
                    at = at.min(shard.next_read);
                }
            }
        }
        let quiet = self.last_activity.saturating_add(tuning.quiet);
        if quiet > now && self.is_idle(now) {
            at = at.min(quiet);
        }
        at
    }
}

/// The portfolio's 24-hour budget, with what was marked in this term: marks that were read may be older.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct BudgetBook {
    pub(super) budget: Option<Budget>,
    /// Written down.
    marked: BTreeMap<String, u32>,
    /// Being written down: free for messages of the same block, which wait for the same writing.
    pending: Vec<(u64, String, u32)>,
}

impl BudgetBook {
    fn admit(
        &mut self,
        block: u64,
        recipient: &str,
        counted_in: Option<u32>,
        now: Now,
    ) -> Admission {
        let Some(budget) = &mut self.budget else {
            return Admission::Free;
        };
        let pending = self.pending.iter();
        let pending = pending.filter(|(b, who, _)| *b == block && who == recipient);
        let counted_in = counted_in
            .max(self.marked.get(recipient).copied())
            .max(pending.map(|(.., bucket)| *bucket).max());
        let admission = budget.admit(counted_in, false, now.wall);
        if let Admission::Count { bucket, .. } = admission {
            self.pending.push((block, recipient.to_owned(), bucket));
        }
        admission
    }

    fn take_changes(&mut self) -> Vec<(u32, i64)> {
        self.budget
            .as_mut()
            .map(Budget::take_changes)
            .unwrap_or_default()
    }

    /// The marks and counts of a block are written down, or may not be.
    fn flushed(&mut self, block: u64, written: bool, counts: Vec<(u32, i64)>) {
        let (done, pending) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|(b, ..)| *b == block);
        self.pending = pending;
        let done: Vec<(u64, String, u32)> = done;
        if written {
            let marked = done.into_iter().map(|(_, who, bucket)| (who, bucket));
            self.marked.extend(marked);
        } else if let Some(budget) = &mut self.budget {
            budget.restore_changes(counts);
        }
    }
}

/// Back to waiting: the attempt was not made.
fn unsent(mut ticket: Ticket) -> Ticket {
    ticket.attempt = ticket.attempt.saturating_sub(1);
    ticket
}

fn until_expiry(now: Now, ticket: &Ticket) -> u64 {
    let ms = u64::try_from(ticket.expires_at.millis_since(now.wall)).unwrap_or(0);
    now.mono.saturating_add(ms.saturating_mul(MS))
}
