//! The slots: what leaves now, and what may not after all.

use super::{AT_ONCE, MOST_IN_FLIGHT, MS, Number, SECOND_MILLI, unsent};
use crate::holder::io::{Effect, Now, Outcome, Ticket, Verdict};
use crate::holder::lane::Ready;
use crate::lane::Purpose;
use crate::pair::Persist;
use crate::record::RecordRef;

impl Number {
    /// When the next slot is open.
    pub(in crate::holder) fn due(&self) -> u64 {
        self.pace.due().max(self.evened)
    }

    /// When the next slot is used, if anything is ready for it.
    pub(in crate::holder) fn slot_at(&self) -> Option<u64> {
        let ready = self.lanes.iter().any(|lane| !lane.ready.is_empty());
        ready.then(|| self.due().saturating_add(self.kept_for_a_code()))
    }

    /// How long a slot that is open is left to a code that is being claimed or judged, so that it need not
    /// wait for the one after: one slot, once for each claim, which the schedule catches up. Where slots are
    /// short it is not worth it.
    fn kept_for_a_code(&self) -> u64 {
        let slot = self.slot();
        let claiming = self.claiming_codes();
        if claiming.is_some() && claiming != self.kept_for && slot > AT_ONCE {
            slot
        } else {
            0
        }
    }

    /// The block of codes that is being claimed or judged, while none is ready.
    fn claiming_codes(&self) -> Option<u64> {
        let mut lanes = self.lanes.iter();
        let codes = lanes.find(|lane| lane.purpose == Purpose::Authentication)?;
        codes.claiming.filter(|_| codes.ready.is_empty())
    }

    /// The distance of two slots at the pace in force.
    fn slot(&self) -> u64 {
        SECOND_MILLI
            .checked_div(self.pace.rate_milli())
            .unwrap_or(0)
    }

    /// Uses every slot that is open now; late ones are caught up as far as the ring allows.
    pub(in crate::holder) fn use_slots(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.open {
            return;
        }
        self.put_back_late(now);
        while self.slot_at().is_some_and(|at| now.mono >= at) && self.in_flight < MOST_IN_FLIGHT {
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
            // Whatever came of it, that claim had its slot.
            self.kept_for = self.claiming_codes().or(self.kept_for);
            let slot = self.slot();
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
    pub(in crate::holder) fn pair_noted(
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

    pub(in crate::holder) fn ready_lanes(&self) -> [bool; 4] {
        let mut ready = [false; 4];
        for (place, lane) in ready.iter_mut().zip(&self.lanes) {
            *place = !lane.ready.is_empty();
        }
        ready
    }

    /// What missed its deadline is claimed and judged anew.
    pub(in crate::holder) fn put_back_late(&mut self, now: Now) {
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

    pub(in crate::holder) fn put_back(&mut self, missed: Ready) {
        let reference = missed.ticket.reference.clone();
        if let Some(lane) = self.lane_mut(reference.lane) {
            lane.push_front(unsent(missed.ticket));
        }
        self.leave_block(Some(missed.block), &reference);
    }

    /// Not to be sent before an instant, for the recipient's sake: the record waits on the due list, not in the lane.
    pub(in crate::holder) fn park(
        &mut self,
        now: Now,
        block: u64,
        ticket: Ticket,
        ready_at: u64,
        out: &mut Vec<Effect>,
    ) {
        let ms = ready_at.saturating_sub(now.mono).div_ceil(MS).max(1_000);
        let at = now
            .wall
            .plus_millis(i64::try_from(ms).unwrap_or(i64::MAX / 4));
        self.settle(Some(block), ticket, Verdict::Park { at }, out);
    }
}
