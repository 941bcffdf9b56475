//! One lane of one number, as the holder sees it: read ahead, claimed, remembered.
//!
//! ULIDs come from many clocks, so a message may land behind the newest one read. The stored
//! cursor therefore never passes now − 10 s; what is newer is remembered here instead.

use std::collections::{BTreeSet, VecDeque};

use super::io::{Now, Seen, Ticket};
use super::tuning::Tuning;
use crate::lane::Purpose;
use crate::record::{State, ulid_floor};
use crate::time::{SECOND, Timestamp};
use crate::turns::Campaigns;

/// How far the clocks of writers may lie behind ours before a message waits for the next holder.
pub(super) const LATE_MS: i64 = 10 * SECOND;
/// Records of this age are forgotten: twice the bound, for reads that were under way.
const REMEMBER_MS: i64 = 2 * LATE_MS;

/// A record that was claimed, judged and may go to the wire until its deadline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ready {
    pub(super) ticket: Ticket,
    pub(super) block: u64,
    pub(super) send_by: u64,
    /// The pair debt of this very message is written down.
    pub(super) noted: bool,
}

/// What a page brought that had not been seen before.
#[derive(Default)]
pub(super) struct Fresh {
    /// To be sent.
    pub(super) queued: Vec<Ticket>,
    /// Cancelled, perhaps by somebody who did not live to say so.
    pub(super) cancelled: Vec<Ticket>,
}

/// The state of a lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub(super) purpose: Purpose,
    pub(super) shards: Vec<Shard>,
    pub(super) waiting: Campaigns<Ticket>,
    pub(super) ready: VecDeque<Ready>,
    /// The block that is being claimed or judged.
    pub(super) claiming: Option<u64>,
    /// Nothing is claimed before.
    pub(super) rests_until: u64,
}

impl Lane {
    pub(super) fn new(purpose: Purpose, shards: Vec<Shard>) -> Self {
        Self {
            purpose,
            shards,
            waiting: Campaigns::default(),
            ready: VecDeque::new(),
            claiming: None,
            rests_until: 0,
        }
    }

    pub(super) fn push_back(&mut self, ticket: Ticket) {
        self.count(&ticket, true);
        self.waiting.push_back(ticket.campaign.clone(), ticket);
    }

    pub(super) fn push_front(&mut self, ticket: Ticket) {
        self.count(&ticket, true);
        self.waiting.push_front(ticket.campaign.clone(), ticket);
    }

    pub(super) fn pop_front(&mut self) -> Option<Ticket> {
        let ticket = self.waiting.pop_front()?;
        self.count(&ticket, false);
        Some(ticket)
    }

    fn count(&mut self, ticket: &Ticket, more: bool) {
        if let Some(shard) = self.shard_mut(ticket.reference.shard) {
            shard.waiting = if more {
                shard.waiting.saturating_add(1)
            } else {
                shard.waiting.saturating_sub(1)
            };
        }
    }

    pub(super) fn shard_mut(&mut self, shard: u8) -> Option<&mut Shard> {
        self.shards.iter_mut().find(|s| s.place == shard)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.ready.is_empty() && self.claiming.is_none()
    }

    /// How many more records may wait: a shard has its share, so that a large campaign does not hide a small one.
    pub(super) fn has_room(&self, shard: &Shard, tuning: &Tuning) -> bool {
        let part = tuning
            .read_ahead
            .checked_div(self.shards.len())
            .unwrap_or(1);
        self.waiting.len() < tuning.read_ahead || shard.waiting < part
    }
}

/// One outbox partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shard {
    pub(super) place: u8,
    /// Whether new records come here.
    written: bool,
    /// The newest record read.
    front: String,
    /// Where the stored cursor stands.
    pub(super) stored: String,
    seen: BTreeSet<String>,
    /// How many of it wait.
    waiting: usize,
    pub(super) reading: bool,
    /// When to look at the table again.
    pub(super) next_read: u64,
    /// When to look behind the front again.
    next_look_back: u64,
    /// Where the last look of a term stands.
    pub(super) look: Look,
}

/// The last look before a term ends for want of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Look {
    /// Not asked for.
    No,
    /// To be begun as soon as the read under way is back: that one may have missed something.
    Wanted,
    /// Under way.
    Begun,
}

impl Shard {
    pub(super) fn new(shard: u8, written: bool, cursor: Option<String>, now: u64) -> Self {
        let stored = cursor.unwrap_or_default();
        Self {
            place: shard,
            written,
            front: if stored.is_empty() {
                "0".to_owned()
            } else {
                stored.clone()
            },
            stored,
            seen: BTreeSet::new(),
            waiting: 0,
            reading: false,
            next_read: now,
            next_look_back: now,
            look: Look::No,
        }
    }

    pub(super) const fn poll_interval(&self, purpose: Purpose, tuning: &Tuning) -> u64 {
        match purpose {
            _ if !self.written => tuning.poll_unused,
            Purpose::Authentication => tuning.poll_authentication,
            Purpose::Service | Purpose::Utility | Purpose::Marketing => tuning.poll,
        }
    }

    pub(super) const fn set_written(&mut self, written: bool) {
        self.written = written;
    }

    pub(super) fn front(&self) -> &str {
        &self.front
    }

    /// Where the next read starts: mostly at the front, now and then 10 seconds behind it.
    pub(super) fn read_from(&mut self, purpose: Purpose, now: Now, tuning: &Tuning) -> String {
        let looks = matches!(self.look, Look::Begun | Look::Wanted);
        if !looks && now.mono < self.next_look_back {
            return self.front.clone();
        }
        let every = match purpose {
            Purpose::Authentication => tuning.look_back_authentication,
            Purpose::Service | Purpose::Utility | Purpose::Marketing => tuning.look_back,
        };
        self.next_look_back = now.mono.saturating_add(every);
        let floor = ulid_floor(now.wall.plus_millis(-LATE_MS));
        if floor < self.front {
            floor.max(self.stored.clone())
        } else {
            self.front.clone()
        }
    }

    /// Takes in a page that was read up to a place; returns what had not been seen before.
    pub(super) fn take_in(&mut self, page: Vec<Seen>, reached: Option<String>) -> Fresh {
        let mut fresh = Fresh::default();
        for Seen { ticket, state } in page {
            let ulid = &ticket.reference.ulid;
            if !self.seen.insert(ulid.clone()) {
                continue;
            }
            if *ulid > self.front {
                self.front.clone_from(ulid);
            }
            match state {
                // What was tried before has a due entry, which brings it back.
                State::Queued if ticket.attempt == 0 => fresh.queued.push(ticket),
                State::Cancelled => fresh.cancelled.push(ticket),
                State::Queued
                | State::Scheduled
                | State::Accepted
                | State::Held
                | State::Ambiguous
                | State::Sent
                | State::Delivered
                | State::Read
                | State::Played
                | State::Failed
                | State::Unknown => {}
            }
        }
        // A row that cannot be read must not stop the lane.
        if let Some(reached) = reached
            && reached > self.front
        {
            self.front = reached;
        }
        fresh
    }

    /// Forgets records that no read can bring up again.
    pub(super) fn forget_old(&mut self, wall: Timestamp) {
        let floor = ulid_floor(wall.plus_millis(-REMEMBER_MS));
        let stored = &self.stored;
        self.seen.retain(|ulid| *ulid >= floor || ulid > stored);
    }

    /// How far the stored cursor may move: behind everything in hand that nothing else would bring
    /// back, and behind now − 10 s.
    pub(super) fn checkpoint<'a>(
        &mut self,
        wall: Timestamp,
        in_hand: impl Iterator<Item = &'a str>,
    ) -> bool {
        let mut safe = ulid_floor(wall.plus_millis(-LATE_MS)).min(self.front.clone());
        for ulid in in_hand {
            // One character less sorts right before the record itself.
            let before = ulid.get(..ulid.len().saturating_sub(1)).unwrap_or_default();
            if before < safe.as_str() {
                before.clone_into(&mut safe);
            }
        }
        let moves = safe > self.stored;
        if moves {
            self.stored = safe;
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "tests may fail loudly"
    )]
    use super::*;
    use crate::record::{RecordRef, ulid};

    const NOW: Now = Now {
        mono: 10_000_000_000,
        wall: Timestamp::from_seconds(1_795_000_000),
    };

    fn seen(at: Timestamp, tail: u8) -> Seen {
        Seen {
            ticket: Ticket {
                reference: RecordRef {
                    number: "1".into(),
                    lane: Purpose::Utility,
                    shard: 0,
                    ulid: ulid(at, [tail; 10]),
                },
                attempt: 0,
                campaign: None,
                recipient: "sub_a".into(),
                expires_at: at.plus_millis(1),
                due: None,
            },
            state: State::Queued,
        }
    }

    fn shard() -> Shard {
        Shard::new(0, true, None, 0)
    }

    #[test]
    fn a_message_that_lands_behind_the_front_is_found_by_looking_back() {
        let mut shard = shard();
        shard.look = Look::Begun;
        assert_eq!(shard.take_in(vec![seen(NOW.wall, 1)], None).queued.len(), 1);
        let from = shard.read_from(Purpose::Utility, NOW, &Tuning::default());
        let straggler = seen(NOW.wall.plus_millis(-9_000), 1);
        assert!(from < straggler.ticket.reference.ulid);
        let fresh = shard.take_in(vec![straggler.clone(), seen(NOW.wall, 1)], None);
        assert_eq!(fresh.queued.len(), 1, "the late one is fresh");
        assert!(
            shard.take_in(vec![straggler], None).queued.is_empty(),
            "and is taken once"
        );
    }

    #[test]
    fn the_cursor_never_passes_what_is_in_hand_nor_the_last_ten_seconds() {
        let mut shard = shard();
        let old = seen(NOW.wall.plus_millis(-60_000), 1);
        let young = seen(NOW.wall.plus_millis(-1_000), 1);
        let (old_ulid, young_ulid) = (
            old.ticket.reference.ulid.clone(),
            young.ticket.reference.ulid.clone(),
        );
        shard.take_in(vec![old, young], None);
        assert!(shard.checkpoint(NOW.wall, [old_ulid.as_str(), &young_ulid].into_iter()));
        assert!(shard.stored < old_ulid);
        assert!(shard.checkpoint(NOW.wall, [young_ulid.as_str()].into_iter()));
        assert!(shard.stored >= old_ulid && shard.stored < young_ulid);
        assert!(!shard.checkpoint(NOW.wall, std::iter::empty()));
    }

    #[test]
    fn what_was_already_tried_is_left_to_its_due_entry_and_a_bad_row_is_passed() {
        let mut shard = shard();
        let mut tried = seen(NOW.wall, 1);
        tried.ticket.attempt = 1;
        assert!(
            shard
                .take_in(vec![tried], Some("7ZZ".into()))
                .queued
                .is_empty()
        );
        assert_eq!(shard.front(), "7ZZ");
    }

    #[test]
    fn a_cancelled_record_is_told_about_once() {
        let mut shard = shard();
        let mut cancelled = seen(NOW.wall, 1);
        cancelled.state = State::Cancelled;
        assert_eq!(
            shard.take_in(vec![cancelled.clone()], None).cancelled.len(),
            1
        );
        assert!(shard.take_in(vec![cancelled], None).cancelled.is_empty());
    }
}
