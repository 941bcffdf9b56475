//! What an answer of Meta's leads to: for the message, and for the number.
//!
//! A message that is known not to have been accepted goes back to the head of its lane, to be claimed
//! anew; when no slot comes any more it goes to the due list instead, where a successor finds it.

use super::io::{Answer, Effect, Holdback, Now, Ticket, Verdict};
use super::number::Number;
use super::tuning::Tuning;
use crate::lane::Purpose;
use crate::record::ambiguity_timer_ms;
use crate::time::SECOND;

const SECOND_NS: u64 = 1_000_000_000;
const UNREACHABLE_REST: u64 = SECOND_NS;
const APP_LIMIT_REST: u64 = SECOND_NS.saturating_mul(5);
/// Without valid credentials every message would fare the same: the number rests, nothing is consumed.
const CREDENTIAL_REST: u64 = SECOND_NS.saturating_mul(30);
/// A blocked number or account is tried again after 30 s, then after twice as long each time, to a quarter of an hour.
const BLOCKED_REST: u64 = SECOND_NS.saturating_mul(30);
const LONGEST_BLOCKED_REST: u64 = SECOND_NS.saturating_mul(900);
/// Marketing rests this long after Meta found too much of it unwanted (131048).
const UNWANTED_REST: u64 = SECOND_NS.saturating_mul(900);
/// When a message cannot go back to its lane, it is due again after this.
const DUE_AGAIN_MS: i64 = 6 * SECOND;

/// A fast number may have more strays in a second: one in two hundred messages.
const STRAYS_ONE_IN: u32 = 200;

impl Number {
    /// Takes in what became of a send. `keeps` is off when no slot comes any more.
    pub(super) fn answered(
        &mut self,
        now: Now,
        tuning: &Tuning,
        (block, ticket, answer): (u64, Ticket, Answer),
        keeps: bool,
        out: &mut Vec<Effect>,
    ) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.last_activity = now.mono;
        let throttled = answer == Answer::NotAccepted(Holdback::Throttled);
        let slows = throttled && self.is_no_stray(now.mono, tuning);
        self.pace.answered(now.mono, slows);
        let block = Some(block);
        match answer {
            Answer::Accepted { held } => {
                self.blocked = 0;
                self.pairs.accepted(&ticket.recipient);
                self.settle(block, ticket, Verdict::Accepted { held }, out);
            }
            Answer::Done => self.settle(block, ticket, Verdict::Done, out),
            Answer::Failed => self.settle(block, ticket, Verdict::Failed, out),
            Answer::Ambiguous { why, rest_ms } => {
                if rest_ms > 0 {
                    self.pause(now, rest_ms.saturating_mul(1_000_000));
                }
                let at = now
                    .wall
                    .plus_millis(ambiguity_timer_ms(ticket.reference.lane));
                self.settle(block, ticket, Verdict::Ambiguous { why, at }, out);
            }
            Answer::NotAccepted(Holdback::Pair) => {
                let until = self.pairs.parked_by_meta(&ticket.recipient, now.mono);
                let ms = until.saturating_sub(now.mono).div_ceil(1_000_000);
                let at = now
                    .wall
                    .plus_millis(i64::try_from(ms).unwrap_or(DUE_AGAIN_MS));
                self.settle(block, ticket, Verdict::Park { at }, out);
            }
            Answer::NotAccepted(why) => {
                self.hold_back(now, why);
                if keeps {
                    self.back_to_head(block, ticket);
                } else {
                    let at = now.wall.plus_millis(DUE_AGAIN_MS);
                    self.settle(block, ticket, Verdict::Park { at }, out);
                }
            }
        }
    }

    /// Takes in a 130429; returns whether there were too many of them in the last second to be strays.
    fn is_no_stray(&mut self, now: u64, tuning: &Tuning) -> bool {
        if tuning.stray_throttles == 0 {
            return true;
        }
        let (since, count) = self.throttles;
        let (since, count) = if now.saturating_sub(since) < SECOND_NS {
            (since, count.saturating_add(1))
        } else {
            (now, 1)
        };
        self.throttles = (since, count);
        let strays = self.settings.per_second / STRAYS_ONE_IN;
        count > tuning.stray_throttles.max(strays)
    }

    fn hold_back(&mut self, now: Now, why: Holdback) {
        match why {
            // The pace itself has heard of it.
            Holdback::Throttled | Holdback::Pair => {}
            Holdback::AppLimit => self.pause(now, APP_LIMIT_REST),
            Holdback::Unreachable => self.pause(now, UNREACHABLE_REST),
            Holdback::Credential => self.pause(now, CREDENTIAL_REST),
            Holdback::Blocked => {
                let doubled = BLOCKED_REST.saturating_mul(2_u64.saturating_pow(self.blocked));
                self.blocked = self.blocked.saturating_add(1).min(10);
                self.pause(now, doubled.min(LONGEST_BLOCKED_REST));
            }
            Holdback::Unwanted => {
                let until = now.mono.saturating_add(UNWANTED_REST);
                if let Some(lane) = self.lane_mut(Purpose::Marketing) {
                    lane.rests_until = lane.rests_until.max(until);
                }
            }
        }
    }

    fn pause(&mut self, now: Now, ns: u64) {
        self.pace.pause_until(now.mono.saturating_add(ns));
    }

    fn back_to_head(&mut self, block: Option<u64>, ticket: Ticket) {
        let reference = ticket.reference.clone();
        if let Some(lane) = self.lane_mut(reference.lane) {
            lane.push_front(ticket);
        }
        self.leave_block(block, &reference);
    }
}
