//! The end of a term: look once more, hand back what was not sent, let go, write down what is under way.
//!
//! Nothing that was claimed and not sent may look as if it might have been, and nothing that a
//! cursor has passed may be known to this process alone.

use super::io::{Effect, Now, Phase};
use super::lane::Look;
use super::number::Number;
use super::{Holder, Stage};
use crate::time::Timestamp;

/// SQS delays at most this long; the minute schedule covers the rest.
const LONGEST_DELAY_S: u32 = 900;
/// When somebody is to look for what could not be written down.
const UNSETTLED_AGAIN_S: u64 = 5;

impl Holder {
    /// Says IDLE when there is nothing to do, then looks once more: intake writes first and reads the lease
    /// after, so either it sees IDLE and wakes somebody, or we see its message now.
    pub(super) fn look(&mut self, now: Now, epoch: u64, out: &mut Vec<Effect>) {
        let quiet = |tuning| self.numbers.iter().all(|n| n.is_quiet(now.mono, tuning));
        match self.stage {
            Stage::Running if quiet(&self.tuning) && self.ready => {
                self.stage = Stage::Looking;
                self.looks = false;
                self.found = false;
                if let Some(held) = self.lease.held_mut() {
                    held.enter(Phase::Idle, now.mono);
                }
            }
            Stage::Looking if self.looks && (self.found || self.has_looked()) => {
                let idle = self.numbers.iter().all(|n| n.is_idle(now.mono));
                if self.found || !idle {
                    self.go_on(now);
                } else {
                    self.begin_hand_back(now, epoch, out);
                }
            }
            // Found by a read that was under way: no need to look any further.
            Stage::Looking if !self.looks && !self.numbers.iter().all(|n| n.is_idle(now.mono)) => {
                self.go_on(now);
            }
            Stage::Standby
            | Stage::Running
            | Stage::Looking
            | Stage::HandingBack
            | Stage::Freeing
            | Stage::Draining
            | Stage::Parting
            | Stage::Over => {}
        }
    }

    fn go_on(&mut self, now: Now) {
        self.stage = Stage::Running;
        self.looks = false;
        for number in &mut self.numbers {
            number.last_activity = now.mono;
            for shard in number.lanes.iter_mut().flat_map(|l| &mut l.shards) {
                shard.look = Look::No;
            }
        }
        for dues in &mut self.dues {
            dues.look_wanted = false;
            dues.looks = false;
        }
        if let Some(held) = self.lease.held_mut() {
            held.enter(Phase::Run, now.mono);
        }
    }

    fn has_looked(&self) -> bool {
        let shards = self.numbers.iter().flat_map(|n| &n.lanes);
        shards.flat_map(|l| &l.shards).all(|s| s.look == Look::No)
            && self.dues.iter().all(|d| !d.looks && !d.look_wanted)
    }

    /// A phase is written: IDLE is followed by the last reads, FREE by draining.
    pub(super) fn entered(&mut self, phase: Phase, out: &mut Vec<Effect>) {
        match (phase, self.stage) {
            (Phase::Idle, Stage::Looking) if !self.looks => {
                self.looks = true;
                self.found = false;
                for lane in self.numbers.iter_mut().flat_map(|n| &mut n.lanes) {
                    // What a full lane would find has somebody to wake already.
                    let tuning = &self.tuning;
                    let full: Vec<bool> = lane
                        .shards
                        .iter()
                        .map(|s| !lane.has_room(s, tuning))
                        .collect();
                    for (shard, full) in lane.shards.iter_mut().zip(full) {
                        shard.look = if full { Look::No } else { Look::Wanted };
                    }
                }
                for dues in &mut self.dues {
                    dues.look_wanted = true;
                }
            }
            (Phase::Free, Stage::Freeing) => {
                self.stage = Stage::Draining;
                self.drain(out);
            }
            (Phase::Run | Phase::Idle | Phase::Free, _) => {}
        }
    }

    pub(super) fn begin_hand_back(&mut self, now: Now, epoch: u64, out: &mut Vec<Effect>) {
        self.stage = Stage::HandingBack;
        self.hand_back(now, epoch, out);
    }

    /// Waits for claims under way, which would otherwise be written after we let go, and sends meanwhile; then
    /// waits for the handing back.
    pub(super) fn hand_back(&mut self, now: Now, epoch: u64, out: &mut Vec<Effect>) {
        if self.sends(now.mono) {
            for number in &mut self.numbers {
                number.use_slots(now, out);
            }
        }
        if self.numbers.iter().any(Number::is_claiming) {
            return;
        }
        if !self.hands_back {
            self.hands_back = true;
            for number in &mut self.numbers {
                number.hand_back(now, epoch, out);
            }
        }
        let outstanding = out.iter().any(super::is_tidied);
        if self.tidying > 0 || outstanding {
            return;
        }
        self.stage = Stage::Freeing;
        if let Some(held) = self.lease.held_mut() {
            held.enter(Phase::Free, now.mono);
        }
    }

    pub(super) fn is_drained(&self) -> bool {
        self.tidying == 0
            && self
                .numbers
                .iter()
                .all(|n| n.in_flight == 0 && n.settling == 0 && !n.is_claiming())
    }

    /// Everything that is under way is written down; then it is asked when to go on.
    pub(super) fn drain(&mut self, out: &mut Vec<Effect>) {
        if self.is_drained() && !out.iter().any(super::is_tidied) {
            self.stage = Stage::Parting;
            out.push(Effect::ReadNextDue);
        }
    }

    /// Wakes the next holder when there is something for it to do.
    pub(super) fn part(&mut self, now: Now, next_due: Option<Timestamp>, out: &mut Vec<Effect>) {
        if self.stage != Stage::Parting {
            return;
        }
        self.stage = Stage::Over;
        let waits = self.numbers.iter().filter_map(|n| n.waits(now.mono)).min();
        let rest = waits.map(|ns| ns.div_ceil(1_000_000_000));
        let due = next_due.map(|at| {
            let ms = u64::try_from(at.millis_since(now.wall)).unwrap_or(0);
            ms.div_ceil(1_000).saturating_add(1)
        });
        let after = if self.ended_by_time {
            Some(0)
        } else {
            // A verdict that no table took is found again through its claim, by whoever comes next.
            let lost = self.numbers.iter().any(Number::is_unsettled);
            let soon = lost.then_some(UNSETTLED_AGAIN_S);
            rest.into_iter().chain(due).chain(soon).min()
        };
        if let Some(after_s) = after.and_then(|s| u32::try_from(s).ok())
            && after_s <= LONGEST_DELAY_S
        {
            out.push(Effect::Wake {
                after_s,
                successor: false,
            });
        }
    }
}
