//! The pair limit: at most one message per 6 s to one person, 45 of them borrowed from the future
//!
//!
//! Owns what each person of one number owes, in memory, on the holder's monotonic clock. Promises:
//! any span of `w` seconds holds at most 45 + w/6 messages to one person, across crashes and
//! hand-overs of holders, with one write per eighth message of a burst and none for a single message.
//! Does not park a lane: whoever is not ready is one person.
//!
//! # Why a crash cannot break it
//! What a person owes is at most what is stored of it plus eight, at every moment. [`Pairs::take`]
//! keeps that by asking for a write whenever the debt would otherwise grow to eight more than what is
//! stored, so the write must be *durable before that message's first byte leaves*; a message that is
//! written for and never sent only makes us careful. A successor that knows nothing else therefore
//! assumes stored + 8, and eight for a person of whom nothing is stored. While it assumes this much, it
//! asks for a write with every first message; in twelve seconds that has decayed. A successor of a
//! holder who let go in order has its [`Tail`] and assumes nothing.
//!
//! What is asked for is one less than what is assumed. The difference, 6 s, is what the calendar
//! clocks of two holders may differ by: stored debts decay on the calendar ([`paid_at`], [`owed`]).
//! A debt that was read is never relied on: with it comes the assumed eight, so as long as it lasts
//! the first message asks for a write of its own.

mod tail;

#[cfg(test)]
mod tests;

pub use tail::Tail;

use std::collections::BTreeMap;

use crate::time::{SECOND, Timestamp};

const SECOND_NS: u64 = 1_000_000_000;
const MILLISECOND_NS: u64 = 1_000_000;
/// One message costs six seconds.
const COST_NS: u64 = SECOND_NS.saturating_mul(6);
const COST_MS: i64 = SECOND.saturating_mul(6);
/// 44 messages may be owed when the 45th leaves.
const BURST_NS: u64 = COST_NS.saturating_mul(44);
/// A write is asked for with the message that would make the debt eight more than what is stored.
const UNSTORED: u32 = 7;
/// What a successor adds to what is stored.
const ASSUMED: u32 = 8;
/// The longest that repeated 131056 answers park a person.
const LONGEST_PARK_NS: u64 = SECOND_NS.saturating_mul(3_600);
/// Below this many people, what has been paid is not worth looking for.
const SWEEP_FROM: usize = 1_024;

/// What must be stored before the message it came with leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Persist {
    /// How many messages the person owes, this one included.
    pub debt: u32,
}

/// When a debt is paid, on the calendar: the form in which it is stored.
pub fn paid_at(debt: u32, now: Timestamp) -> Timestamp {
    now.plus_millis(i64::from(debt).saturating_mul(COST_MS))
}

/// How many messages are owed at `now` by somebody whose debt is paid at `paid_at`.
pub fn owed(paid_at: Timestamp, now: Timestamp) -> u32 {
    let ms = u64::try_from(paid_at.millis_since(now)).unwrap_or(0);
    u32::try_from(ms.div_ceil(COST_MS.unsigned_abs())).unwrap_or(u32::MAX)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pair {
    /// When the person owes nothing any more.
    paid_at: u64,
    /// The same, of the debt that is stored.
    stored_paid_at: u64,
    parked_until: u64,
    parks: u32,
}

/// The people of one number who owe.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pairs {
    /// When a person nothing is known of owes nothing any more.
    everybody_paid_at: u64,
    known: BTreeMap<String, Pair>,
    sweep_at: usize,
}

impl Pairs {
    /// For the successor of a holder that crashed, or of whom nothing is known: assumes what is stored
    /// plus eight, and eight for everybody else. `persisted` is *all* that is stored of the number,
    /// reckoned ([`owed`]) at `now` or before: whoever is missing is taken to owe eight at most.
    pub fn new(now: u64, persisted: impl IntoIterator<Item = (String, u32)>) -> Self {
        let known = persisted.into_iter().map(|(recipient, debt)| {
            let pair = Pair {
                paid_at: after(now, debt.saturating_add(ASSUMED)),
                stored_paid_at: after(now, debt),
                parked_until: 0,
                parks: 0,
            };
            (recipient, pair)
        });
        Self {
            everybody_paid_at: after(now, ASSUMED),
            known: known.collect(),
            sweep_at: SWEEP_FROM,
        }
    }

    /// For the successor of a holder that let go in order, or (with an empty tail) the first holder
    /// ever. `waited` is how long ago that was *at least*: from clocks that may differ, subtract by how
    /// much; zero is always right.
    pub fn resume(now: u64, tail: &Tail, waited: u64) -> Self {
        let left = |ms: u32| {
            let ns = u64::from(ms).saturating_mul(MILLISECOND_NS);
            now.saturating_add(ns).saturating_sub(waited)
        };
        let listed = tail.listed.iter().map(|(recipient, debt)| {
            let pair = Pair {
                paid_at: left((*debt).max(tail.everybody)),
                stored_paid_at: 0,
                parked_until: 0,
                parks: 0,
            };
            (recipient.clone(), pair)
        });
        Self {
            everybody_paid_at: left(tail.everybody),
            known: listed.collect(),
            sweep_at: SWEEP_FROM,
        }
    }

    /// From when on the next message to this person may leave; not after `now` means at once.
    pub fn ready_at(&self, recipient: &str, now: u64) -> u64 {
        let (paid_at, parked_until) = self
            .known
            .get(recipient)
            .map_or((self.everybody_paid_at, 0), |pair| {
                (pair.paid_at, pair.parked_until)
            });
        now.max(paid_at.saturating_sub(BURST_NS)).max(parked_until)
    }

    /// Counts a message to this person, which must be ready. What it returns must be stored before
    /// the message's first byte leaves.
    #[must_use]
    pub fn take(&mut self, recipient: &str, now: u64) -> Option<Persist> {
        self.sweep(now);
        let pair = self.pair(recipient);
        pair.paid_at = pair.paid_at.max(now).saturating_add(COST_NS);
        let debt = costs(pair.paid_at.saturating_sub(now));
        // Compared with what is left of the stored debt, which a successor sees decayed.
        let stored = pair.stored_paid_at.saturating_sub(now);
        let unstored = pair.paid_at.saturating_sub(now).saturating_sub(stored);
        (unstored > after(0, UNSTORED)).then(|| {
            pair.stored_paid_at = after(now, debt);
            Persist { debt }
        })
    }

    /// Meta said that this person gets too much (131056): parks them for 6 s or 4^n s, the longer, at
    /// the n-th time in a row; returns until when. Answers to messages that were under way when the
    /// person was parked say nothing new.
    pub fn parked_by_meta(&mut self, recipient: &str, now: u64) -> u64 {
        let pair = self.pair(recipient);
        if now >= pair.parked_until {
            pair.parks = pair.parks.saturating_add(1);
            let wait = 4_u64.saturating_pow(pair.parks).saturating_mul(SECOND_NS);
            pair.parked_until = now.saturating_add(wait.clamp(COST_NS, LONGEST_PARK_NS));
            // Meta counts more than we did: the whole burst is used up.
            let used_up = pair.parked_until.saturating_add(BURST_NS);
            pair.paid_at = pair.paid_at.max(used_up);
        }
        pair.parked_until
    }

    /// A message to this person was accepted: a later 131056 counts as the first again.
    pub fn accepted(&mut self, recipient: &str) {
        if let Some(pair) = self.known.get_mut(recipient) {
            pair.parks = 0;
        }
    }

    /// Drops the people who owe nothing. Happens by itself too, often enough to bound the memory by
    /// twice the number of those who owe.
    pub fn forget(&mut self, now: u64) {
        self.known
            .retain(|_, pair| pair.paid_at > now || pair.parked_until > now);
    }

    /// What a holder writes when it lets go, after its last byte has left: those who owe most by name,
    /// at most `room` of them, and what everybody else owes at most.
    pub fn tail(&self, now: u64, room: usize) -> Tail {
        let debt = |pair: &Pair| millis(pair.paid_at.saturating_sub(now));
        let mut listed: Vec<(String, u32)> = self
            .known
            .iter()
            .map(|(recipient, pair)| (recipient.clone(), debt(pair)))
            .filter(|(_, debt)| *debt > 0)
            .collect();
        listed.sort_by(|(_, left), (_, right)| right.cmp(left));
        let unlisted = listed.get(room).map_or(0, |(_, debt)| *debt);
        listed.truncate(room);
        Tail {
            everybody: unlisted.max(millis(self.everybody_paid_at.saturating_sub(now))),
            listed,
        }
    }

    /// How many people are kept in memory.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn pair(&mut self, recipient: &str) -> &mut Pair {
        // Nothing is stored of somebody unknown, as far as we know: the write comes early then.
        let paid_at = self.everybody_paid_at;
        self.known
            .entry(recipient.to_owned())
            .or_insert_with(|| Pair {
                paid_at,
                stored_paid_at: 0,
                parked_until: 0,
                parks: 0,
            })
    }

    fn sweep(&mut self, now: u64) {
        if self.known.len() >= self.sweep_at {
            self.forget(now);
            self.sweep_at = self.known.len().saturating_mul(2).max(SWEEP_FROM);
        }
    }
}

/// The instant `debt` messages after `now`.
const fn after(now: u64, debt: u32) -> u64 {
    // `as` cannot lose anything here, and `u64::from` is not const.
    now.saturating_add(COST_NS.saturating_mul(debt as u64))
}

/// Milliseconds, rounded up: in whole messages, a debt would grow again at every hand-over.
fn millis(ns: u64) -> u32 {
    u32::try_from(ns.div_ceil(MILLISECOND_NS)).unwrap_or(u32::MAX)
}

/// How many messages this much debt is, rounded up.
fn costs(ns: u64) -> u32 {
    u32::try_from(ns.div_ceil(COST_NS)).unwrap_or(u32::MAX)
}
