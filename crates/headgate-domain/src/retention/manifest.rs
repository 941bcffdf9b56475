//! The manifest of a purge: what one run did, in one text that is signed and names the one before it.
//!
//! Owns the text, and reads back only what it would write. It holds days, counts and hashes of wrapped keys, and
//! nothing about any person, so it can be kept and shown for as long as anybody wants.

use std::fmt::{self, Write as _};

use super::{CONTENT_DAYS, Day, LEAST_CONTENT_DAYS, MOST_CONTENT_DAYS, Timestamp};
use crate::ledger::Hash;
use crate::note::{NoteFault, PublicKey, signed, verified};

/// Backups of the messages table reach back this far (infra/data.yaml, `RecoveryPeriodInDays`), and all that is
/// swept is in it.
pub(super) const BACKUP_DAYS: i64 = 7;

/// A key that the purge destroys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyName {
    /// Of a day's content, when its period is over.
    Day(Day),
    /// A version of the vault's, when a newer one has long taken its place everywhere.
    Vault(u32),
}

impl KeyName {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        let name = match word.strip_prefix("vault#") {
            Some(version) => Self::Vault(version.parse().ok()?),
            None => Self::Day(Day::parse(word).ok()?),
        };
        (name.to_string() == word).then_some(name)
    }
}

impl From<Day> for KeyName {
    fn from(day: Day) -> Self {
        Self::Day(day)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => write!(f, "{day}"),
            Self::Vault(version) => write!(f, "vault#{version}"),
        }
    }
}

/// A key that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destroyed {
    /// Which.
    pub name: KeyName,
    /// The hash of the wrapped key, which says which key it was and opens nothing; `None` when an earlier run
    /// ended between destroying and recording before it was noted.
    pub hash: Option<Hash>,
}

/// A store that is swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// The outbox: messages that apps wanted sent.
    Outbox,
    /// What people wrote.
    Inbound,
    /// The ids that apps gave their messages, so that none is taken twice.
    Idempotency,
}

impl Store {
    /// All of them, in the order of a manifest.
    pub const ALL: [Self; 3] = [Self::Outbox, Self::Inbound, Self::Idempotency];

    /// The word in the manifest.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Outbox => "outbox",
            Self::Inbound => "inbound",
            Self::Idempotency => "idempotency",
        }
    }
}

/// What was done to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreRecord {
    /// Which.
    pub store: Store,
    /// How many rows past their time were found.
    pub matched: u64,
    /// How many of them were deleted.
    pub deleted: u64,
    /// Until when their bytes may stand in backups, where no key opens them.
    pub residual_until: Day,
    /// Whether none is left.
    pub is_complete: bool,
}

/// What one run did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Which deployment's: `headgate/purge/<deployment>`. Also the name of the key.
    pub origin: String,
    /// Its place among the manifests, from 0.
    pub number: u64,
    /// When the run began, by our clock, or the time of the one before where that is later.
    pub at: Timestamp,
    /// The hash of the text of the one before; zero for the first.
    pub previous: Hash,
    /// The period of content of the build that wrote it, in days.
    pub retention_days: i64,
    /// The keys that were destroyed: days that can no longer be read, oldest first, then versions of the vault's.
    pub destroyed: Vec<Destroyed>,
    /// The days that can be written to from now on.
    pub minted: Vec<Day>,
    /// The version of the vault key that was put in force.
    pub minted_vault: Option<u32>,
    /// What was done to each store.
    pub stores: Vec<StoreRecord>,
    /// How many values of destroyed days were tried to be opened, by a way that ignores the date; none did.
    pub tried: u64,
}

/// The text is not that of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the text of a purge manifest of this build")]
pub struct NotManifest;

/// The origin of a deployment's manifests.
pub fn origin(deployment: &str) -> String {
    format!("headgate/purge/{deployment}")
}

impl Manifest {
    /// An empty one that follows another, or is the first.
    pub fn after(deployment: &str, before: Option<&Self>, at: Timestamp) -> Self {
        Self {
            origin: origin(deployment),
            number: before.map_or(0, |before| before.number.saturating_add(1)),
            at,
            previous: before.map_or(Hash::ZERO, Self::hash),
            retention_days: CONTENT_DAYS,
            destroyed: Vec::new(),
            minted: Vec::new(),
            minted_vault: None,
            stores: Vec::new(),
            tried: 0,
        }
    }

    /// Whether the run changed anything, and so needs evidence.
    pub fn changed_something(&self) -> bool {
        let swept = self.stores.iter().any(|store| store.matched > 0);
        !self.destroyed.is_empty()
            || !self.minted.is_empty()
            || self.minted_vault.is_some()
            || swept
    }

    /// How many rows were deleted, of all stores.
    pub fn deleted(&self) -> u64 {
        let deleted = self.stores.iter().map(|store| store.deleted);
        deleted.fold(0, u64::saturating_add)
    }

    /// Until when the bytes of rows that are deleted at a moment may stand in backups.
    pub fn residual_until(at: Timestamp) -> Day {
        at.day().plus(BACKUP_DAYS)
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}\nmanifest {}\ntime {}\nprevious {}\nretention {} days\n",
            self.origin, self.number, self.at, self.previous, self.retention_days
        );
        // Writing to a text does not fail.
        match self.minted_vault {
            None => {}
            Some(1) => text.push_str("minted vault\n"),
            Some(version) => writeln!(text, "minted vault#{version}").unwrap_or_default(),
        }
        for day in &self.minted {
            writeln!(text, "minted {day}").unwrap_or_default();
        }
        for Destroyed { name, hash } in &self.destroyed {
            match hash {
                Some(hash) => writeln!(text, "destroyed {name} {hash}"),
                None => writeln!(text, "destroyed {name} unknown"),
            }
            .unwrap_or_default();
        }
        for store in &self.stores {
            writeln!(
                text,
                "store {} matched {} deleted {} {} residual-until {}",
                store.store.word(),
                store.matched,
                store.deleted,
                if store.is_complete {
                    "complete"
                } else {
                    "unfinished"
                },
                store.residual_until,
            )
            .unwrap_or_default();
        }
        writeln!(text, "tried {} opened 0", self.tried).unwrap_or_default();
        text
    }

    /// The hash by which the next one names this one.
    pub fn hash(&self) -> Hash {
        Hash::of_bytes(self.text().as_bytes())
    }

    /// The note with a signature over the text, as KMS gives it (ASN.1 DER).
    pub fn note(&self, key: &PublicKey, signature: &[u8]) -> String {
        signed(&self.text(), &self.origin, key, signature)
    }

    /// Verifies a note by a key, and reads its manifest.
    ///
    /// # Errors
    /// [`NoteFault`].
    pub fn of_note(note: &str, key: &PublicKey) -> Result<Self, NoteFault> {
        let text = verified(note, key)?;
        Self::parse(&text).map_err(|_form| NoteFault::Form)
    }

    /// Reads a text that [`Self::text`] would write.
    ///
    /// # Errors
    /// [`NotManifest`] for any other.
    pub fn parse(text: &str) -> Result<Self, NotManifest> {
        let read = Self::read(text).ok_or(NotManifest)?;
        if read.text() == text {
            Ok(read)
        } else {
            Err(NotManifest)
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut manifest = Self {
            origin: lines.next()?.to_owned(),
            number: lines.next()?.strip_prefix("manifest ")?.parse().ok()?,
            at: Timestamp::parse(lines.next()?.strip_prefix("time ")?).ok()?,
            previous: Hash::parse(lines.next()?.strip_prefix("previous ")?).ok()?,
            retention_days: period_of(lines.next()?)?,
            destroyed: Vec::new(),
            minted: Vec::new(),
            minted_vault: None,
            stores: Vec::new(),
            tried: 0,
        };
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["minted", "vault"] => manifest.minted_vault = Some(1),
                ["minted", key] if key.starts_with("vault#") => {
                    let version = key.strip_prefix("vault#")?;
                    manifest.minted_vault = Some(version.parse().ok()?);
                }
                ["minted", day] => manifest.minted.push(Day::parse(day).ok()?),
                ["destroyed", name, hash] => manifest.destroyed.push(Destroyed {
                    name: KeyName::parse(name)?,
                    hash: match *hash {
                        "unknown" => None,
                        hash => Some(Hash::parse(hash).ok()?),
                    },
                }),
                [
                    "store",
                    store,
                    "matched",
                    matched,
                    "deleted",
                    deleted,
                    complete,
                    "residual-until",
                    until,
                ] => manifest.stores.push(StoreRecord {
                    store: Store::ALL
                        .into_iter()
                        .find(|known| known.word() == *store)?,
                    matched: matched.parse().ok()?,
                    deleted: deleted.parse().ok()?,
                    is_complete: *complete == "complete",
                    residual_until: Day::parse(until).ok()?,
                }),
                ["tried", tried, "opened", "0"] => manifest.tried = tried.parse().ok()?,
                _ => return None,
            }
        }
        Some(manifest)
    }
}

/// The period in its line: one that this or another build may have.
fn period_of(line: &str) -> Option<i64> {
    let days = line.strip_prefix("retention ")?.strip_suffix(" days")?;
    let days = days.parse().ok()?;
    (LEAST_CONTENT_DAYS..=MOST_CONTENT_DAYS)
        .contains(&days)
        .then_some(days)
}
