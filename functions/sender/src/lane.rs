//! One lane of one number, as the pacer sees it: read ahead, claimed, remembered.
//!
//! ULIDs come from many clocks, so a message may land behind the newest one read. The stored
//! cursor therefore never passes now − 10 s; what is newer is remembered here instead.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use headgate_aws::messages::Record;
use headgate_aws::pacing::Due;
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::Payload;
use headgate_domain::policy::SendPermit;
use headgate_domain::record::{State, ulid_floor};
use headgate_domain::time::{SECOND, Timestamp};

/// How far the clocks of writers may lie behind ours before a message waits for the next holder.
pub(crate) const LATE_MS: i64 = 10 * SECOND;
/// Records of this age are forgotten: twice the bound, for reads that were under way.
const REMEMBER_MS: i64 = 2 * LATE_MS;

/// A record that waits to be claimed.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub(crate) record: Record,
    /// The entry that brought it back; it stays until the outcome is written down.
    pub(crate) due: Option<Due>,
}

/// A record that was claimed and may go to the wire until its deadline.
pub(crate) struct Claimed {
    pub(crate) record: Record,
    pub(crate) payload: Payload,
    pub(crate) permit: SendPermit,
    /// The entry that brought it back; removed when the outcome is written down.
    pub(crate) due: Option<Due>,
    pub(crate) block: u64,
    pub(crate) send_by: Instant,
}

impl Claimed {
    /// Back to waiting: the attempt was not made.
    pub(crate) fn unsent(self) -> Waiting {
        let mut record = self.record;
        record.attempt = record.attempt.saturating_sub(1);
        Waiting {
            record,
            due: self.due,
        }
    }
}

/// What a page brought that had not been seen before.
#[derive(Default)]
pub(crate) struct Fresh {
    /// To be sent.
    pub(crate) queued: Vec<Record>,
    /// Cancelled, perhaps by a holder that did not live to say so.
    pub(crate) cancelled: Vec<Record>,
}

/// The state of one lane's shard.
pub(crate) struct Lane {
    pub(crate) purpose: Purpose,
    /// The newest record read.
    front: String,
    /// Where the stored cursor stands.
    stored: String,
    seen: HashSet<String>,
    pub(crate) waiting: VecDeque<Waiting>,
    pub(crate) claimed: VecDeque<Claimed>,
    pub(crate) reading: bool,
    pub(crate) claiming: bool,
    /// When to look at the table again.
    pub(crate) next_read: Instant,
    /// When to look behind the front again.
    next_look_back: Instant,
}

impl Lane {
    pub(crate) fn new(purpose: Purpose, cursor: Option<String>, now: Instant) -> Self {
        let stored = cursor.unwrap_or_default();
        Self {
            purpose,
            front: if stored.is_empty() {
                "0".to_owned()
            } else {
                stored.clone()
            },
            stored,
            seen: HashSet::new(),
            waiting: VecDeque::new(),
            claimed: VecDeque::new(),
            reading: false,
            claiming: false,
            next_read: now,
            next_look_back: now,
        }
    }

    /// How often an empty lane is looked at: a code must not wait (sending.md).
    pub(crate) const fn poll_interval(&self) -> Duration {
        match self.purpose {
            Purpose::Authentication => Duration::from_millis(50),
            Purpose::Service | Purpose::Utility | Purpose::Marketing => Duration::from_millis(250),
        }
    }

    /// The newest record read.
    pub(crate) fn front(&self) -> &str {
        &self.front
    }

    /// Where the next read starts: mostly at the front, now and then 10 seconds behind it.
    pub(crate) fn read_from(
        &mut self,
        now: Timestamp,
        instant: Instant,
        look_back: bool,
    ) -> String {
        if !look_back && instant < self.next_look_back {
            return self.front.clone();
        }
        self.next_look_back = instant
            .checked_add(self.look_back_interval())
            .unwrap_or(instant);
        let floor = ulid_floor(now.plus_millis(-LATE_MS));
        if floor < self.front {
            floor.max(self.stored.clone())
        } else {
            self.front.clone()
        }
    }

    const fn look_back_interval(&self) -> Duration {
        match self.purpose {
            Purpose::Authentication => Duration::from_millis(200),
            Purpose::Service | Purpose::Utility | Purpose::Marketing => Duration::from_secs(2),
        }
    }

    /// Takes in a page that was read up to a place; returns what had not been seen before.
    pub(crate) fn take_in(&mut self, page: Vec<Record>, reached: Option<String>) -> Fresh {
        let mut fresh = Fresh::default();
        for record in page {
            let ulid = record.reference.ulid.clone();
            if !self.seen.insert(ulid.clone()) {
                continue;
            }
            self.front = self.front.clone().max(ulid);
            match record.state {
                // What was tried before has a due entry, which brings it back.
                State::Queued if record.attempt == 0 => fresh.queued.push(record),
                State::Cancelled => fresh.cancelled.push(record),
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
        if let Some(reached) = reached {
            self.front = self.front.clone().max(reached);
        }
        fresh
    }

    /// Forgets records that no read can bring up again.
    pub(crate) fn forget_old(&mut self, now: Timestamp) {
        let floor = ulid_floor(now.plus_millis(-REMEMBER_MS));
        self.seen
            .retain(|ulid| *ulid >= floor || *ulid > self.stored);
    }

    /// How far the stored cursor may move: behind everything in hand that nothing else would bring
    /// back, and behind now − 10 s.
    pub(crate) fn checkpoint<'a>(
        &mut self,
        now: Timestamp,
        in_hand: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        let mut safe = ulid_floor(now.plus_millis(-LATE_MS)).min(self.front.clone());
        for ulid in in_hand {
            // One character less sorts right before the record itself.
            let before = ulid.get(..ulid.len().saturating_sub(1)).unwrap_or_default();
            if before < safe.as_str() {
                before.clone_into(&mut safe);
            }
        }
        (safe > self.stored).then(|| {
            self.stored.clone_from(&safe);
            safe
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.claimed.is_empty() && !self.claiming
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "tests may fail loudly"
    )]
    use super::*;
    use headgate_domain::identity::SubjectId;
    use headgate_domain::record::{RecordRef, State, ulid};

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn record(at: Timestamp, tail: u8) -> Record {
        Record {
            reference: RecordRef {
                number: "1".into(),
                lane: Purpose::Utility,
                shard: 0,
                ulid: ulid(at, [tail; 10]),
            },
            state: State::Queued,
            attempt: 0,
            subject: SubjectId::from_random([0; 16]),
            purpose: Purpose::Utility,
            campaign: None,
            template: None,
            consent_event: None,
            producer: String::new(),
            accepted_at: at,
            not_before: None,
            expires_at: at.plus_millis(1),
            day: at.day(),
            body: Vec::new(),
        }
    }

    #[test]
    fn a_message_that_lands_behind_the_front_is_found_by_looking_back() {
        let t = Instant::now();
        let mut lane = Lane::new(Purpose::Utility, None, t);
        assert_eq!(lane.take_in(vec![record(NOW, 1)], None).queued.len(), 1);
        let from = lane.read_from(NOW, t, true);
        let straggler = record(NOW.plus_millis(-9_000), 1);
        assert!(from < straggler.reference.ulid);
        let fresh = lane.take_in(vec![straggler.clone(), record(NOW, 1)], None);
        assert_eq!(fresh.queued.len(), 1, "the late one is fresh");
        let again = lane.take_in(vec![straggler], None);
        assert!(again.queued.is_empty(), "and is taken once");
    }

    #[test]
    fn the_cursor_never_passes_what_is_in_hand_nor_the_last_ten_seconds() {
        let mut lane = Lane::new(Purpose::Utility, None, Instant::now());
        let old = record(NOW.plus_millis(-60_000), 1).reference.ulid;
        let young = record(NOW.plus_millis(-1_000), 1).reference.ulid;
        lane.take_in(
            vec![
                record(NOW.plus_millis(-60_000), 1),
                record(NOW.plus_millis(-1_000), 1),
            ],
            None,
        );
        let in_hand = [old.as_str(), young.as_str()];
        let stored = lane.checkpoint(NOW, in_hand.into_iter()).unwrap();
        assert!(stored < old);
        let stored = lane.checkpoint(NOW, [young.as_str()].into_iter()).unwrap();
        assert!(stored >= old && stored < young);
        assert_eq!(
            lane.checkpoint(NOW, std::iter::empty()),
            None,
            "it does not move twice"
        );
    }

    #[test]
    fn what_was_already_tried_is_left_to_its_due_entry_and_a_bad_row_is_passed() {
        let mut lane = Lane::new(Purpose::Utility, None, Instant::now());
        let mut tried = record(NOW, 1);
        tried.attempt = 1;
        assert!(
            lane.take_in(vec![tried], Some("7ZZ".into()))
                .queued
                .is_empty()
        );
        assert_eq!(lane.front(), "7ZZ");
    }

    #[test]
    fn a_cancelled_record_is_told_about_once() {
        let mut lane = Lane::new(Purpose::Utility, None, Instant::now());
        let mut cancelled = record(NOW, 1);
        cancelled.state = State::Cancelled;
        assert_eq!(
            lane.take_in(vec![cancelled.clone()], None).cancelled.len(),
            1
        );
        assert!(lane.take_in(vec![cancelled], None).cancelled.is_empty());
    }
}
