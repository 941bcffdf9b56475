//! One phone number of the portfolio: read ahead, claim, judge, wait for the slot, send.
//!
//! A slot goes to the most important lane that has a judged record. Everything slow runs beside the
//! slots; nothing holds one up but a code that is about to be ready, once and for one slot.

mod book;
mod claiming;
mod settling;
mod slots;

pub(super) use book::BudgetBook;

use std::collections::BTreeMap;

use super::io::{Effect, InForce, Now, Opened, Outcome, PageRead, Ticket};
use super::lane::{Lane, Look, Ready, Shard};
use super::tuning::Tuning;
use crate::lane::{PURPOSES, Purpose};
use crate::pacing::Pace;
use crate::pair::Pairs;
use crate::record::{MAX_SHARDS, RecordRef, shards};
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
    /// The block of codes that a slot was kept for already.
    kept_for: Option<u64>,
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
            kept_for: None,
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
                // A claim is not rewritten when one of its messages goes back and is claimed anew: of two
                // that name a message, the later attempt may be the one that Meta has.
                let known = self.inherited.get(&reference);
                if known.is_none_or(|known| known.attempt < attempt) {
                    let inherited = Inherited {
                        slot: claim.slot,
                        attempt,
                        resolving: false,
                    };
                    self.inherited.insert(reference, inherited);
                }
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
                    shard.set_written(shard.place < written);
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
                let milli = u128::from(more)
                    .saturating_mul(1_000_000_000_000)
                    .checked_div(u128::from(ns))
                    .unwrap_or(0);
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
                shard: shard.place,
                from,
                front: shard.front().to_owned(),
            });
        }
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
        at = at.min(self.slot_at().unwrap_or(u64::MAX));
        for lane in &self.lanes {
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

/// Back to waiting: the attempt was not made.
fn unsent(mut ticket: Ticket) -> Ticket {
    ticket.attempt = ticket.attempt.saturating_sub(1);
    ticket
}

fn until_expiry(now: Now, ticket: &Ticket) -> u64 {
    let ms = u64::try_from(ticket.expires_at.millis_since(now.wall)).unwrap_or(0);
    now.mono.saturating_add(ms.saturating_mul(MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::holder::io::{Claim, Verdict};
    use crate::record::ulid;
    use crate::time::Timestamp;

    /// What was held back by Meta and claimed anew stands in two claims, the later of them in any slot.
    #[test]
    fn of_two_claims_that_name_a_message_the_later_attempt_is_resolved() {
        let now = Now {
            mono: 10_000 * MS,
            wall: Timestamp::from_seconds(1_795_000_000),
        };
        let reference = RecordRef {
            number: "1".into(),
            lane: Purpose::Authentication,
            shard: 0,
            ulid: ulid(now.wall, [7; 10]),
        };
        let claim = |slot, attempt| Claim {
            epoch: 1,
            block: u64::from(attempt),
            slot,
            references: vec![(reference.clone(), attempt)],
        };
        for claims in [[claim(0, 2), claim(3, 1)], [claim(0, 1), claim(3, 2)]] {
            let settings = NumberSettings {
                id: "1".into(),
                per_second: 80,
                guard_permille: None,
            };
            let mut number = Number::new(0, settings, now.mono);
            let opened = Opened {
                claims: claims.into(),
                cursors: Vec::new(),
                pairs: Vec::new(),
            };
            let pace = Pace::new(80, None, now.mono);
            number.open(now, opened, (pace, None), now.mono);
            let mut out = Vec::new();
            number.resolve(now, &mut out);
            assert!(
                matches!(out.as_slice(), [Effect::Settle { ticket, verdict: Verdict::Lost { .. }, .. }] if ticket.attempt == 2),
                "{out:?}"
            );
        }
    }
}
