//! The evidence of all purges together: whether it is whole, and whether every key went when it was due.
//!
//! Works on notes and a public key alone. What it promises follows from the notes: every day that was ever
//! minted and is due by the newest of them stands destroyed in one, and nothing between the first and the
//! newest was altered, left out or put in.

use std::collections::BTreeSet;

use super::{Day, KeyName, Manifest, Timestamp, due_after, origin};
use crate::ledger::Hash;
use crate::note::{NoteFault, PublicKey};
use crate::time::HOUR;

/// An hourly run, and room for one that came late.
const LATE_MS: i64 = 2 * HOUR;

/// Why the evidence does not hold; the number is the manifest's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PurgeFault {
    /// There is none.
    #[error("there is no manifest")]
    Empty,
    /// A note is none, or is not signed by the key.
    #[error("manifest {number}: {fault}")]
    Note {
        /// Which.
        number: u64,
        /// What is wrong with it.
        fault: NoteFault,
    },
    /// It is another deployment's.
    #[error("manifest {0} is another deployment's")]
    Origin(u64),
    /// A manifest is missing, or stands in another's place.
    #[error("manifest {0} is missing, or another stands in its place")]
    Place(u64),
    /// It does not follow the one before.
    #[error("manifest {0} does not name the one before it: one of the two was replaced")]
    Chain(u64),
    /// It is older than the one before.
    #[error("manifest {0} is older than the one before it")]
    Time(u64),
    /// A key that was due is not destroyed.
    #[error("the key of {day} was due by {due} and no manifest has destroyed it")]
    Kept {
        /// The day.
        day: Day,
        /// Since when.
        due: Timestamp,
    },
    /// A key was minted again after it was destroyed.
    #[error("manifest {number} mints {name} again, which was destroyed")]
    Revived {
        /// Which manifest.
        number: u64,
        /// Which key.
        name: KeyName,
    },
}

/// A time without a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last before it.
    pub from: Timestamp,
    /// The first after it.
    pub to: Timestamp,
}

/// What the evidence shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurgeReport {
    /// How many manifests there are.
    pub manifests: u64,
    /// When the first and the newest were made.
    pub first: Timestamp,
    /// The newest.
    pub newest: Timestamp,
    /// How many days were destroyed.
    pub destroyed: u64,
    /// The versions of the vault key that were destroyed, in the order in which they were.
    pub vaults: Vec<u32>,
    /// Days that were destroyed later than two hours after they were due, with by how much.
    pub late: Vec<(Day, i64)>,
    /// Times of more than a day without a manifest: no key was destroyed or minted then.
    pub gaps: Vec<Gap>,
    /// How many rows were deleted.
    pub deleted: u64,
    /// How many values were tried to be opened; none did.
    pub tried: u64,
}

/// Verifies the notes of a deployment, from manifest 0 on in their order.
///
/// # Errors
/// [`PurgeFault`], the first.
pub fn verify<'a>(
    notes: impl IntoIterator<Item = &'a str>,
    key: &PublicKey,
    deployment: &str,
) -> Result<PurgeReport, PurgeFault> {
    let origin = origin(deployment);
    let mut report: Option<PurgeReport> = None;
    let mut previous = Hash::ZERO;
    // The days that have a key, and the keys that are no more.
    let mut alive: BTreeSet<Day> = BTreeSet::new();
    let mut gone: BTreeSet<KeyName> = BTreeSet::new();
    // The period, and since when it holds: a shorter one is due at once, and no sooner.
    let mut period: Option<(i64, Timestamp)> = None;
    for (number, note) in (0_u64..).zip(notes) {
        let manifest =
            Manifest::of_note(note, key).map_err(|fault| PurgeFault::Note { number, fault })?;
        if manifest.origin != origin {
            return Err(PurgeFault::Origin(number));
        }
        if manifest.number != number {
            return Err(PurgeFault::Place(number));
        }
        if manifest.previous != previous {
            return Err(PurgeFault::Chain(number));
        }
        previous = manifest.hash();
        let at = manifest.at;
        let (days, since) = match period {
            Some(held) if held.0 == manifest.retention_days => held,
            Some(_other) => (manifest.retention_days, at),
            None => (manifest.retention_days, Timestamp::from_millis(i64::MIN)),
        };
        period = Some((days, since));
        let so_far = report.get_or_insert(PurgeReport {
            manifests: 0,
            first: at,
            newest: at,
            destroyed: 0,
            vaults: Vec::new(),
            late: Vec::new(),
            gaps: Vec::new(),
            deleted: 0,
            tried: 0,
        });
        if at < so_far.newest {
            return Err(PurgeFault::Time(number));
        }
        if at.day() > so_far.newest.day().plus(1) {
            let (from, to) = (so_far.newest, at);
            so_far.gaps.push(Gap { from, to });
        }
        so_far.newest = at;
        so_far.manifests = so_far.manifests.saturating_add(1);
        so_far.deleted = so_far.deleted.saturating_add(manifest.deleted());
        so_far.tried = so_far.tried.saturating_add(manifest.tried);
        let minted = manifest.minted.iter().copied().map(KeyName::Day);
        let minted = minted.chain(manifest.minted_vault.map(KeyName::Vault));
        if let Some(name) = minted.clone().find(|name| gone.contains(name)) {
            return Err(PurgeFault::Revived { number, name });
        }
        alive.extend(&manifest.minted);
        for destroyed in &manifest.destroyed {
            // A run that ended between its evidence and the note of it is told again by the next.
            if !gone.insert(destroyed.name) {
                continue;
            }
            let day = match destroyed.name {
                KeyName::Day(day) => day,
                KeyName::Vault(version) => {
                    so_far.vaults.push(version);
                    continue;
                }
            };
            alive.remove(&day);
            so_far.destroyed = so_far.destroyed.saturating_add(1);
            let late = at.millis_since(due_after(day, days).max(since));
            if late > LATE_MS {
                so_far.late.push((day, late));
            }
        }
        let due = alive.first().map(|day| (*day, due_after(*day, days)));
        if let Some((day, due)) = due.filter(|(_day, due)| *due <= at) {
            return Err(PurgeFault::Kept { day, due });
        }
    }
    report.ok_or(PurgeFault::Empty)
}

#[cfg(test)]
mod tests;
