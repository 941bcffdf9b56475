//! From waiting to ready: claim, judge, write down what is counted.
//!
//! The claim comes first: what is cancelled or stopped before it is seen by the judging, and whoever cancels
//! after it sees the claim.

use std::collections::BTreeSet;

use super::{
    Block, BudgetBook, LARGE_BLOCKS_FROM, LONGEST_REST_MS, MS, Number, SECOND_MILLI, unsent,
    until_expiry,
};
use crate::budget::Admission;
use crate::holder::io::{Claim, Effect, Judgement, Mark, Now, Outcome, Ticket, Verdict};
use crate::holder::lane::Ready;
use crate::holder::tuning::Tuning;
use crate::lane::Purpose;

impl Number {
    /// A block and the one before it leave well before their deadlines, at the pace in force.
    pub(in crate::holder) fn block_size(&self, tuning: &Tuning) -> usize {
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

    pub(in crate::holder) fn claim(
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

    pub(in crate::holder) fn free_slot(&self, tuning: &Tuning) -> Option<u16> {
        let used = self.used_slots();
        (0..tuning.slots).find(|slot| !used.contains(slot))
    }

    pub(in crate::holder) fn used_slots(&self) -> BTreeSet<u16> {
        let blocks = self.blocks.values().map(|b| b.slot);
        blocks
            .chain(self.inherited.values().map(|i| i.slot))
            .collect()
    }

    /// Takes in whether a claim is written; then it is judged.
    pub(in crate::holder) fn claimed(
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
    pub(in crate::holder) fn unclaim(
        &mut self,
        now: Now,
        tuning: &Tuning,
        block: u64,
        out: &mut Vec<Effect>,
    ) {
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
    pub(in crate::holder) fn judged(
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

    pub(in crate::holder) fn rest(&mut self, purpose: Purpose, now: Now, rest_ms: Option<i64>) {
        let Some(ms) = rest_ms else { return };
        let ms = u64::try_from(ms.clamp(0, LONGEST_REST_MS)).unwrap_or(0);
        let until = now.mono.saturating_add(ms.saturating_mul(MS));
        if let Some(lane) = self.lane_mut(purpose) {
            lane.rests_until = lane.rests_until.max(until);
        }
    }

    /// Takes in whether the marks are written; then the block is ready for slots.
    pub(in crate::holder) fn flushed(
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

    /// Whether a claim is being written or judged.
    pub(in crate::holder) fn is_claiming(&self) -> bool {
        !self.noting.is_empty() || self.lanes.iter().any(|l| l.claiming.is_some())
    }
}
