//! The chain of a shard: how an entry hangs on the one before, and how that is checked.
//!
//! Promises that the first entry which does not hold is named, with its shard and place. Says nothing of
//! what is missing at the end: a dropped tail leaves a shorter chain that holds, so compare the head.

use serde_json::Value;

use super::fact::{Fact, Terms, VERSION};
use super::hash::Hash;
use super::plain::{Stated, stated_plainly};
use super::{NotCanonical, canonical};

/// The id of an event, which is its place: `L<shard>.<seq>`, the shard as one hexadecimal digit.
pub fn event_id(shard: u8, seq: u64) -> String {
    format!("L{shard:x}.{seq}")
}

/// One line of a shard, as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its place in the shard, from 0.
    pub seq: u64,
    /// The event's canonical text.
    pub event: String,
    /// The hash of the text.
    pub leaf: Hash,
    /// The hash of everything up to here.
    pub chain: Hash,
}

impl Entry {
    /// The head of a shard whose last entry this is.
    pub const fn head(&self) -> Head {
        Head {
            next_seq: self.seq.saturating_add(1),
            chain: self.chain,
        }
    }
}

/// The end of a shard: what the next entry hangs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// The place the next entry takes.
    pub next_seq: u64,
    /// The chain so far.
    pub chain: Hash,
}

impl Head {
    /// The head of a shard with nothing in it.
    pub const GENESIS: Self = Self {
        next_seq: 0,
        chain: Hash::ZERO,
    };

    /// Puts a fact at the end of a shard. Two writers may do this to one head; the store takes the one
    /// whose conditional write comes first, and the other appends to the new head.
    ///
    /// # Errors
    /// [`NotCanonical`] when the shard is beyond 2⁵³ entries.
    pub fn append(&self, shard: u8, fact: &Fact, terms: &Terms) -> Result<Entry, NotCanonical> {
        let event = canonical(&fact.event(shard, self.next_seq, terms))?;
        Ok(self.link(event))
    }

    /// The entry an event makes here.
    pub(super) fn link(&self, event: String) -> Entry {
        let leaf = Hash::of_leaf(event.as_bytes());
        Entry {
            seq: self.next_seq,
            chain: Hash::of_link(&self.chain, &leaf),
            event,
            leaf,
        }
    }

    /// Checks that an entry is the next one here; returns the head behind it.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn verify_next(&self, shard: u8, entry: &Entry) -> Result<Self, Broken> {
        let broken = |fault| Broken {
            shard,
            seq: self.next_seq,
            fault,
        };
        if entry.seq != self.next_seq {
            return Err(broken(Fault::Place));
        }
        if entry.leaf != Hash::of_leaf(entry.event.as_bytes()) {
            return Err(broken(Fault::Leaf));
        }
        if entry.chain != Hash::of_link(&self.chain, &entry.leaf) {
            return Err(broken(Fault::Chain));
        }
        check_statement(shard, entry).map_err(broken)?;
        Ok(entry.head())
    }
}

/// The first entry of a shard that is not what was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the ledger is broken at L{shard:x}.{seq}: {fault}")]
pub struct Broken {
    /// The shard.
    pub shard: u8,
    /// The place at which its chain stops holding.
    pub seq: u64,
    /// What does not hold there.
    pub fault: Fault,
}

/// A hash and two numbers.
impl headgate_redact::LogSafe for Broken {}

/// What is wrong with an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// Another entry stands at this place: one was dropped, moved or put in.
    #[error("another entry stands here")]
    Place,
    /// The event is not text we could have written.
    #[error("the event is not in canonical form")]
    Form,
    /// The event's version is none this build knows.
    #[error("the event is of a version this build does not know")]
    Version,
    /// The event was edited.
    #[error("the event does not match its hash")]
    Leaf,
    /// The entry does not hang on the one before: a fork, or an edit with its hash redone.
    #[error("the entry does not follow the one before")]
    Chain,
    /// The entries end before, or beside, the head.
    #[error("the entries do not end at the head")]
    Head,
}

/// Checks a whole shard in its order and returns the head it proves.
///
/// # Errors
/// [`Broken`], which names the first entry that does not hold.
///
/// # Security
/// A dropped tail leaves a shorter chain that holds: compare the head, as [`verify_shard`] does.
pub fn verify_chain<'a>(
    shard: u8,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<Head, Broken> {
    verify_from(shard, Head::GENESIS, entries)
}

/// Checks the entries after a head that was checked before, so a shard can be read in pages.
///
/// # Errors
/// [`Broken`], which names the first entry that does not hold.
pub fn verify_from<'a>(
    shard: u8,
    verified: Head,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<Head, Broken> {
    entries
        .into_iter()
        .try_fold(verified, |head, entry| head.verify_next(shard, entry))
}

/// Checks a whole shard against the head kept for it.
///
/// # Errors
/// [`Broken`]; [`Fault::Head`] at the first missing place when the tail was dropped.
pub fn verify_shard<'a>(
    shard: u8,
    entries: impl IntoIterator<Item = &'a Entry>,
    head: Head,
) -> Result<Head, Broken> {
    let proven = verify_chain(shard, entries)?;
    if proven == head {
        Ok(proven)
    } else {
        Err(Broken {
            shard,
            seq: proven.next_seq.min(head.next_seq),
            fault: Fault::Head,
        })
    }
}

/// Checks that an event says of itself where it stands, in exactly the canonical text.
fn check_statement(shard: u8, entry: &Entry) -> Result<(), Fault> {
    let event = entry.event.as_str();
    let Some(plain) = stated_plainly(event) else {
        // Escapes, nesting and names beyond ASCII are rare: the long way.
        let value: Value = serde_json::from_str(event).map_err(|_quotes_it| Fault::Form)?;
        if canonical(&value).map_err(|_why| Fault::Form)? != event {
            return Err(Fault::Form);
        }
        let number = |name| value.get(name).and_then(Value::as_u64);
        let id = value.get("id").and_then(Value::as_str);
        let stated = Stated {
            version: number("v"),
            seq: number("seq"),
            id,
        };
        return check_place(shard, entry.seq, &stated);
    };
    check_place(shard, entry.seq, &plain)
}

fn check_place(shard: u8, seq: u64, stated: &Stated<'_>) -> Result<(), Fault> {
    let is_here = match stated.version.ok_or(Fault::Form)? {
        // The first version did not say in which shard it stands.
        1 => stated.seq.ok_or(Fault::Form)? == seq,
        VERSION => {
            let id = stated.id.ok_or(Fault::Form)?;
            stated.seq.ok_or(Fault::Form)? == seq && is_place(id, shard, seq)
        }
        _other => return Err(Fault::Version),
    };
    if is_here { Ok(()) } else { Err(Fault::Place) }
}

/// Whether an id is that of a place, without making the id.
fn is_place(id: &str, shard: u8, seq: u64) -> bool {
    let mut rest = id.chars();
    let digit = char::from_digit(u32::from(shard), 16);
    let names_shard = rest.next() == Some('L') && rest.next() == digit && rest.next() == Some('.');
    let number = rest.as_str();
    let is_shortest = number == "0" || !number.starts_with('0');
    names_shard && is_shortest && !number.starts_with('+') && number.parse() == Ok(seq)
}
