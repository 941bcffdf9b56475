//! What became of records: written down, handed back, or left to a successor.

use std::collections::BTreeMap;

use super::{MS, Number, PAIRS_LEFT, unsent};
use crate::holder::io::{Claim, Cursors, Effect, Left, Now, Outcome, Ticket, Verdict};
use crate::holder::lane::Ready;
use crate::record::{RecordRef, ambiguity_timer_ms};

impl Number {
    /// Has a verdict written down; then the record is out of hand.
    pub(in crate::holder) fn settle(
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
    pub(in crate::holder) fn settled(
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
    pub(in crate::holder) fn resolve(&mut self, now: Now, out: &mut Vec<Effect>) {
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
    pub(in crate::holder) fn leave_block(&mut self, block: Option<u64>, reference: &RecordRef) {
        let Some(block) = block else { return };
        if let Some(found) = self.blocks.get_mut(&block) {
            found.references.retain(|(r, _)| r != reference);
            self.drop_empty_block(block);
        }
    }

    pub(in crate::holder) fn drop_empty_block(&mut self, block: u64) {
        let done = self
            .blocks
            .get(&block)
            .is_some_and(|b| b.references.is_empty() && b.tickets.is_empty() && b.ready.is_empty());
        if done && !self.lanes.iter().any(|l| l.claiming == Some(block)) {
            self.blocks.remove(&block);
        }
    }

    /// Stores the cursors that moved.
    pub(in crate::holder) fn checkpoint(&mut self, now: Now, epoch: u64, out: &mut Vec<Effect>) {
        let live = &self.live;
        let mut moved = false;
        for lane in &mut self.lanes {
            let purpose = lane.purpose;
            for shard in &mut lane.shards {
                shard.forget_old(now.wall);
                let place = shard.place;
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
            .map(|(purpose, s)| (purpose, s.place, s.stored.clone()))
            .collect();
        out.push(Effect::PutCursors {
            number: self.index,
            epoch,
            cursors,
        });
    }

    /// Gives back what was claimed and not sent, so that nobody has to find out what became of it.
    pub(in crate::holder) fn hand_back(&mut self, now: Now, epoch: u64, out: &mut Vec<Effect>) {
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
    pub(in crate::holder) fn left(&self, now: u64) -> Left {
        Left {
            number: self.id.clone(),
            tail: self.pace.tail(now),
            pairs: self.pairs.tail(now, PAIRS_LEFT),
            open: self.used_slots().into_iter().collect(),
        }
    }

    /// Whether something is claimed of which nothing is under way any more. Asked when all is drained.
    pub(in crate::holder) fn is_unsettled(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// In how many nanoseconds somebody should go on, if anything waits.
    pub(in crate::holder) fn waits(&self, now: u64) -> Option<u64> {
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
}
