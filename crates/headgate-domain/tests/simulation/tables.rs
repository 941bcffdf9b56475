//! The pacing table in memory, and its bill: write units of 1,024 bytes, read units of 4,096.
//!
//! Behaves as the adapter does (`headgate_aws::pacing`): same conditions, same items.

use std::collections::BTreeMap;

use headgate_domain::holder::{
    Claim, Cursors, DueEntry, LeaseView, Legacy, Opened, Phase, ShortRef, decode, encode,
};
use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;

use crate::outbox::Outbox;

/// Units, since counting began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bill {
    pub(crate) claims: u64,
    pub(crate) renewals: u64,
    pub(crate) cursors: u64,
    pub(crate) legacy: u64,
    pub(crate) dues: u64,
    pub(crate) pairs: u64,
    /// Of the outbox and of everything in the pacing table; not those of judging, which are per message.
    pub(crate) reads: u64,
    pub(crate) read_calls: u64,
}

impl Bill {
    pub(crate) fn writes(&self) -> u64 {
        self.claims + self.renewals + self.cursors + self.legacy + self.dues + self.pairs
    }

    pub(crate) fn read(&mut self, bytes: usize) {
        self.reads += units(bytes, 4_096);
        self.read_calls += 1;
    }
}

pub(crate) fn write_units(bytes: usize) -> u64 {
    units(bytes, 1_024)
}

fn units(bytes: usize, of: usize) -> u64 {
    u64::try_from(bytes.div_ceil(of).max(1)).unwrap()
}

struct Stored {
    epoch: u64,
    block: u64,
    bytes: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) lease: Option<LeaseView>,
    pub(crate) heartbeat_at: Timestamp,
    pub(crate) legacy: Option<Legacy>,
    claims: BTreeMap<u16, Stored>,
    cursors: (u64, Cursors),
    pub(crate) dues: BTreeMap<(Purpose, i64, String), DueEntry>,
    pub(crate) bill: Bill,
}

impl Tables {
    /// Whether intake wakes a holder.
    pub(crate) fn needs_wake(&self, now: Timestamp) -> bool {
        let runs = self.lease.as_ref().is_some_and(|l| l.phase == Phase::Run);
        !runs || now.millis_since(self.heartbeat_at) > 3_000
    }

    pub(crate) fn take(&mut self, seen: Option<&LeaseView>, now: Timestamp) -> Option<u64> {
        self.bill.renewals += 1;
        let stands = match (&self.lease, seen) {
            (None, None) => true,
            (Some(is), Some(seen)) => {
                is.epoch == seen.epoch
                    && (is.heartbeat == seen.heartbeat || is.phase == Phase::Free)
            }
            (None, Some(_)) | (Some(_), None) => false,
        };
        let epoch = seen.map_or(1, |l| l.epoch + 1);
        if stands {
            self.heartbeat_at = now;
            self.lease = Some(LeaseView {
                epoch,
                heartbeat: 0,
                phase: Phase::Run,
            });
        }
        stands.then_some(epoch)
    }

    pub(crate) fn renew(&mut self, epoch: u64, phase: Phase, now: Timestamp) -> bool {
        self.bill.renewals += 1;
        let mine = self
            .lease
            .as_mut()
            .filter(|l| l.epoch == epoch && l.phase != Phase::Free);
        let Some(lease) = mine else { return false };
        lease.heartbeat += 1;
        lease.phase = phase;
        self.heartbeat_at = now;
        true
    }

    pub(crate) fn leave(&mut self, legacy: Legacy) {
        // Keys, epoch and names; per number the ages of the last second, open slots, and who owes.
        let of = legacy.numbers.iter().map(|left| {
            let owe = left.pairs.listed.iter().map(|(who, _)| who.len() + 6);
            80 + left.tail.to_bytes().len() + left.open.len() * 2 + owe.sum::<usize>()
        });
        self.bill.legacy += write_units(60 + of.sum::<usize>());
        if self.legacy.as_ref().is_none_or(|l| l.epoch <= legacy.epoch) {
            self.legacy = Some(legacy);
        }
    }

    pub(crate) fn claim(&mut self, claim: &Claim) -> bool {
        let bytes = encode(&claim.references);
        // pk, sk, epoch, block, ttl and the name of refs.
        self.bill.claims += write_units(72 + bytes.len());
        let place = self.claims.get(&claim.slot);
        let newer = place.is_some_and(|is| (is.epoch, is.block) > (claim.epoch, claim.block));
        if !newer {
            let stored = Stored {
                epoch: claim.epoch,
                block: claim.block,
                bytes,
            };
            self.claims.insert(claim.slot, stored);
        }
        !newer
    }

    /// What is stored about the number, and how many records of each claim had to be looked for.
    pub(crate) fn open(
        &mut self,
        after: u64,
        open: &[u16],
        outbox: &Outbox,
    ) -> (Opened, Vec<usize>) {
        let size = self.claims.values().map(|c| 72 + c.bytes.len()).sum();
        self.bill.read(size);
        self.bill.read(500);
        self.bill.read(0);
        let mut looked = Vec::new();
        let mut claims = Vec::new();
        for (slot, stored) in &self.claims {
            if stored.epoch <= after && !open.contains(slot) {
                continue;
            }
            let shorts: Vec<ShortRef> = decode(&stored.bytes).unwrap();
            looked.push(shorts.len());
            let found = shorts.iter().flat_map(|short| {
                let found = outbox.find(short).into_iter();
                found.map(|reference| (reference, short.attempt))
            });
            claims.push(Claim {
                epoch: stored.epoch,
                block: stored.block,
                slot: *slot,
                references: found.collect(),
            });
        }
        for _ in 0..looked.iter().sum() {
            self.bill.read(0);
        }
        let opened = Opened {
            claims,
            cursors: self.cursors.1.clone(),
            pairs: Vec::new(),
        };
        (opened, looked)
    }

    pub(crate) fn put_cursors(&mut self, epoch: u64, cursors: Cursors) {
        let of = cursors.iter().map(|(_, _, ulid)| ulid.len() + 2);
        self.bill.cursors += write_units(40 + of.sum::<usize>());
        if epoch >= self.cursors.0 {
            self.cursors = (epoch, cursors);
        }
    }

    pub(crate) fn put_due(&mut self, due: DueEntry) {
        self.bill.dues += 1;
        self.dues.insert(key_of(&due), due);
    }

    pub(crate) fn drop_due(&mut self, due: &DueEntry) {
        self.bill.dues += 1;
        self.dues.remove(&key_of(due));
    }

    pub(crate) fn due(
        &mut self,
        lane: Purpose,
        now: Timestamp,
        behind: Option<&DueEntry>,
    ) -> Vec<DueEntry> {
        let from = behind.map_or((lane, 0, String::new()), key_of);
        let last = behind.map(key_of);
        let entries = self.dues.range(from..=(lane, now.millis(), "~".to_owned()));
        let entries: Vec<DueEntry> = entries
            .filter(|(key, _)| Some(*key) != last.as_ref())
            .map(|(_, due)| due.clone())
            .take(crate::outbox::PAGE)
            .collect();
        self.bill.read(entries.len() * 150);
        entries
    }
}

fn key_of(due: &DueEntry) -> (Purpose, i64, String) {
    (
        due.reference.lane,
        due.at.millis(),
        due.reference.to_string(),
    )
}
