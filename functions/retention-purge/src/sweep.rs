//! The sweep: every row of the days whose keys are gone, store by store, as long as there is time.
//!
//! Owns which parts of the table are swept and in what time, and the counts for the manifest. Deletes nothing of a
//! day that can still be read, and opens nothing: of each page one value is tried by the name of its key alone.
//! Promises that a store is called complete only after every part of it was asked, and had nothing: where rows were
//! deleted the table is asked once more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use headgate_aws::keyring::Keyring;
use headgate_aws::messages::{Messages, Part};
use headgate_domain::retention::{Manifest, Store, StoreRecord};
use headgate_domain::time::{Day, Timestamp};

use crate::PurgeError;

/// A sweep that is under way.
pub(crate) struct Sweep<'a> {
    messages: &'a Messages,
    keyring: &'a Keyring,
    before: Day,
    started: Instant,
    rows: BTreeMap<Store, u64>,
    /// How many were there again, or still, when the table was asked once more.
    left: BTreeMap<Store, u64>,
    /// The stores of which nothing is left.
    complete: BTreeSet<Store>,
    /// How many values were tried.
    pub(crate) tried: u64,
}

impl<'a> Sweep<'a> {
    /// Of the days before one.
    pub(crate) fn new(messages: &'a Messages, keyring: &'a Keyring, before: Day) -> Self {
        Self {
            messages,
            keyring,
            before,
            started: Instant::now(),
            rows: BTreeMap::new(),
            left: BTreeMap::new(),
            complete: BTreeSet::new(),
            tried: 0,
        }
    }

    /// What people wrote and the ids of apps, until so long after the start.
    pub(crate) async fn by_day(&mut self, until: Duration) -> Result<(), PurgeError> {
        let stores = [Store::Inbound, Store::Idempotency];
        self.parts(Part::of_index(), &stores, until).await
    }

    /// The outbox of some numbers, until so long after the start.
    pub(crate) async fn outbox(
        &mut self,
        numbers: &BTreeSet<String>,
        until: Duration,
    ) -> Result<(), PurgeError> {
        let parts = Part::of_outbox(numbers);
        self.parts(parts, &[Store::Outbox], until).await
    }

    async fn parts(
        &mut self,
        parts: Vec<Part<'_>>,
        stores: &[Store],
        until: Duration,
    ) -> Result<(), PurgeError> {
        self.left.retain(|store, _rows| !stores.contains(store));
        let mut had_rows = Vec::new();
        for part in parts {
            let mut from = None;
            loop {
                let swept = self.messages.sweep(part, self.before, from).await?;
                if swept.total() > 0 && had_rows.last() != Some(&part) {
                    had_rows.push(part);
                }
                add(&mut self.rows, swept.rows);
                if let Some(sample) = swept.sample {
                    if self.keyring.could_open(&sample).await? {
                        return Err(PurgeError::StillOpens);
                    }
                    self.tried = self.tried.saturating_add(1);
                }
                if swept.next.is_none() {
                    break;
                }
                from = swept.next;
                if self.started.elapsed() > until {
                    return Ok(());
                }
            }
        }
        for part in had_rows {
            if !self.look_again(part, until).await? {
                return Ok(());
            }
        }
        if !stores.iter().any(|store| self.left.contains_key(store)) {
            self.complete.extend(stores);
        }
        Ok(())
    }

    /// Counts what is left of a part; whether there was time for it.
    async fn look_again(&mut self, part: Part<'_>, until: Duration) -> Result<bool, PurgeError> {
        let mut from = None;
        loop {
            if self.started.elapsed() > until {
                return Ok(false);
            }
            let left = self.messages.count_left(part, self.before, from).await?;
            add(&mut self.left, left.rows);
            from = left.next;
            if from.is_none() {
                return Ok(true);
            }
        }
    }

    /// Whether nothing is left of a store.
    pub(crate) fn has_all_of(&self, store: Store) -> bool {
        self.complete.contains(&store)
    }

    /// Whether nothing is left at all.
    pub(crate) fn is_complete(&self) -> bool {
        Store::ALL.iter().all(|store| self.has_all_of(*store))
    }

    /// What was done, one record for each store in which something was.
    pub(crate) fn records(&self, now: Timestamp) -> Vec<StoreRecord> {
        let of = |counts: &BTreeMap<Store, u64>, store| counts.get(&store).copied().unwrap_or(0);
        let stores: BTreeSet<Store> = self.rows.keys().chain(self.left.keys()).copied().collect();
        let record = |store| StoreRecord {
            store,
            matched: of(&self.rows, store).saturating_add(of(&self.left, store)),
            deleted: of(&self.rows, store),
            residual_until: Manifest::residual_until(now),
            is_complete: self.has_all_of(store),
        };
        stores.into_iter().map(record).collect()
    }
}

fn add(sums: &mut BTreeMap<Store, u64>, rows: BTreeMap<Store, u64>) {
    for (store, rows) in rows {
        let sum = sums.entry(store).or_default();
        *sum = sum.saturating_add(rows);
    }
}
