//! The portfolio's messaging limit: so many unique people in a moving 24 hours.
//!
//! Owns the count: 97 live buckets of a quarter of an hour; a person counts in the bucket of the
//! latest message that counted, and a bucket leaves when its *end* is 24 hours old. Promises that the
//! count, in memory and stored, is never below the truth. Does not know who the people are: each
//! person's *marker* (the bucket they were last counted in) is read and written by the caller.
//!
//! Times are calendar times, because buckets outlive a holder. A clock that goes back, by up to
//! [`TRUSTED_BACK_MS`], is not followed: whoever is counted into a later bucket leaves later.
//!
//! # Order of writes
//! For each [`Admission::Count`]: store [`Budget::take_changes`] (one atomic update of the counters),
//! *then* the marker, and not before the first of these is durable the message's first byte. A crash
//! in between counts somebody twice, which is the safe side. A move always adds to a later bucket what
//! it takes from an earlier one, so that a move repeated after a crash is safe as well: whatever
//! buckets have left, those that remain hold at least the truth.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::time::{DAY, HOUR, MINUTE, Timestamp};

const BUCKET_MS: i64 = MINUTE.saturating_mul(15);
/// A bucket stays a minute longer than it must: a message leaves a moment after it was counted, and
/// the clocks of two holders differ.
const GRACE_MS: i64 = MINUTE;
/// How far a clock may go back without being followed.
pub const TRUSTED_BACK_MS: i64 = HOUR;
/// Buckets that have left are kept for as long as a clock may go back, twice.
const KEPT_DEAD: u32 = 8;

/// The bucket that a moment falls in.
pub fn bucket(now: Timestamp) -> u32 {
    u32::try_from(now.millis().div_euclid(BUCKET_MS)).unwrap_or(0)
}

/// What the budget says to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Admission {
    /// It does not count: the window is open, the person is counted already, or nothing is limited.
    Free,
    /// It counts, and has been counted.
    Count {
        /// The person's new marker.
        bucket: u32,
        /// Their marker until now, when it still counted.
        move_from: Option<u32>,
    },
    /// The limit is reached.
    Deferred {
        /// When a place becomes free at the earliest.
        until: Timestamp,
    },
}

/// The 24-hour budget of a portfolio.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    limit: Option<u32>,
    /// What is stored and what is about to be.
    buckets: BTreeMap<u32, i64>,
    /// What is not stored yet.
    changes: BTreeMap<u32, i64>,
    /// The latest moment this budget was told.
    latest: Timestamp,
}

impl Budget {
    /// A budget with the counters that are stored; without a limit nothing is counted.
    pub fn new(limit: Option<u32>, buckets: impl IntoIterator<Item = (u32, i64)>) -> Self {
        Self {
            limit,
            buckets: buckets.into_iter().collect(),
            changes: BTreeMap::new(),
            latest: Timestamp::default(),
        }
    }

    /// The limit in force.
    pub fn limit(&self) -> Option<u32> {
        self.limit
    }

    /// The limit changes while the portfolio runs.
    pub fn set_limit(&mut self, limit: Option<u32>) {
        self.limit = limit;
    }

    /// How many people count at `now`.
    pub fn used(&self, now: Timestamp) -> u32 {
        u32::try_from(self.live(now).map(|(_, count)| count).sum::<i64>()).unwrap_or(u32::MAX)
    }

    /// Judges a message to a person whose marker is `marker`, and counts it if it counts. The caller
    /// remembers the new marker at once: another message to the same person may be next.
    pub fn admit(&mut self, marker: Option<u32>, in_window: bool, now: Timestamp) -> Admission {
        let Some(limit) = self.limit.filter(|_| !in_window) else {
            return Admission::Free;
        };
        let trusted = now.plus_millis(TRUSTED_BACK_MS);
        self.latest = self.latest.min(trusted).max(now);
        let here = bucket(self.latest);
        let first = first_live(now);
        // A marker from the far future is no marker: it would make its person free for ever.
        let marker = marker.filter(|at| (first..=bucket(trusted)).contains(at));
        match marker {
            Some(at) if at >= here => return Admission::Free,
            Some(at) => self.change(at, -1),
            None => {
                if let Err(until) = self.room(limit, now) {
                    return Admission::Deferred { until };
                }
            }
        }
        self.change(here, 1);
        Admission::Count {
            bucket: here,
            move_from: marker,
        }
    }

    /// What must be added to the stored counters, in one atomic update.
    pub fn take_changes(&mut self) -> Vec<(u32, i64)> {
        std::mem::take(&mut self.changes)
            .into_iter()
            .filter(|(_, delta)| *delta != 0)
            .collect()
    }

    /// Takes changes back that could not be stored, or of which that is not known: they are stored
    /// with the next ones, at worst twice.
    pub fn restore_changes(&mut self, changes: Vec<(u32, i64)>) {
        for (bucket, delta) in changes {
            let change = self.changes.entry(bucket).or_default();
            *change = change.saturating_add(delta);
        }
    }

    /// The buckets that left long ago, dropped from memory: their stored counters may go.
    pub fn take_expired(&mut self, now: Timestamp) -> Vec<u32> {
        let kept = self
            .buckets
            .split_off(&first_live(now).saturating_sub(KEPT_DEAD));
        let expired = std::mem::replace(&mut self.buckets, kept);
        expired.into_keys().collect()
    }

    /// Whether one more person fits; otherwise, when the first bucket leaves that makes room.
    fn room(&self, limit: u32, now: Timestamp) -> Result<(), Timestamp> {
        let limit = i64::from(limit);
        let mut used: i64 = self.live(now).map(|(_, count)| count).sum();
        if used < limit {
            return Ok(());
        }
        for (bucket, count) in self.live(now) {
            used = used.saturating_sub(count);
            if used < limit {
                return Err(leaves_at(bucket));
            }
        }
        // A limit of nothing: ask again tomorrow.
        Err(now.plus_millis(DAY))
    }

    fn live(&self, now: Timestamp) -> impl Iterator<Item = (u32, i64)> + '_ {
        self.buckets
            .range(first_live(now)..)
            .map(|(bucket, count)| (*bucket, (*count).max(0)))
    }

    fn change(&mut self, bucket: u32, delta: i64) {
        for counters in [&mut self.buckets, &mut self.changes] {
            let counter = counters.entry(bucket).or_default();
            *counter = counter.saturating_add(delta);
        }
    }
}

/// The oldest bucket that still counts.
fn first_live(now: Timestamp) -> u32 {
    bucket(now.plus_millis(DAY.saturating_add(GRACE_MS).saturating_neg()))
}

/// When a bucket stops counting: a day and the grace after its end.
fn leaves_at(bucket: u32) -> Timestamp {
    let end = i64::from(bucket)
        .saturating_add(1)
        .saturating_mul(BUCKET_MS);
    Timestamp::from_millis(end.saturating_add(DAY).saturating_add(GRACE_MS))
}
