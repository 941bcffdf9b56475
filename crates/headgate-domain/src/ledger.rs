//! The consent ledger: what a person agreed to, when, and on what evidence.
//!
//! Owns the event, its canonical text and the hash chain over the events of one shard:
//! `leaf = SHA256(00 ‖ JCS(event))`, `chain = SHA256(02 ‖ previous chain ‖ leaf)`, genesis 32 zero
//! bytes, and the RFC 6962 tree over the leaves. Whoever holds a head can tell that nothing before
//! it was changed, moved, dropped or put in. Storing is elsewhere; there is no way to take back.
//!
//! Events name nobody: a subject and its evidence are commitments, and destroying their salt
//! leaves a chain that still verifies and leads to no one.

mod canonical;
mod commitment;
mod hash;

pub use canonical::{NotCanonical, canonical};
pub use commitment::{Commitment, evidence_commitment, notice_hash, shard, subject_commitment};
pub use hash::{Hash, InvalidHash, checkpoint, merkle_root};

use serde_json::{Map, Value};

use crate::time::Timestamp;

/// Version of the event's form, its field `v`.
const VERSION: u64 = 1;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventType {
    /// Consent was asked for and not yet confirmed.
    ConsentRequested,
    /// The person agreed.
    ConsentGiven,
    /// The person took it back, or objected.
    ConsentWithdrawn,
    /// A consent turned out to be none; the person said nothing.
    ConsentInvalidated,
    /// What we held about the person was erased.
    SubjectErased,
}

impl EventType {
    /// The name in the event's field `type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsentRequested => "consent.requested",
            Self::ConsentGiven => "consent.given",
            Self::ConsentWithdrawn => "consent.withdrawn",
            Self::ConsentInvalidated => "consent.invalidated",
            Self::SubjectErased => "subject.erased",
        }
    }
}

/// An event before it has its place in a chain; [`Head::append`] gives it one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// When it happened, by our clock.
    pub at: Timestamp,
    /// What happened.
    pub event_type: EventType,
    /// To whom, as a commitment.
    pub subject: Commitment,
    /// The deployment.
    pub tenant: String,
    /// What the messages agreed to are for.
    pub purpose: Option<String>,
    /// The topic of it that alone is meant.
    pub topic: Option<String>,
    /// The id of the wording the person saw.
    pub notice: Option<String>,
    /// The language of that text.
    pub locale: Option<String>,
    /// How it was said: `web_checkbox`, `keyword:stop`, …
    pub method: Option<String>,
    /// The proof, as a commitment; the proof itself is sealed beside the subject.
    pub evidence: Option<Commitment>,
    /// When it happened according to whoever imported it.
    pub claimed_at: Option<Timestamp>,
    /// Who said it, if not the person.
    pub actor: Option<String>,
    /// The receipt of an erasure.
    pub receipt: Option<String>,
}

impl Fact {
    /// A fact with none of its optional fields.
    pub fn new(at: Timestamp, event_type: EventType, subject: Commitment, tenant: &str) -> Self {
        Self {
            at,
            event_type,
            subject,
            tenant: tenant.to_owned(),
            purpose: None,
            topic: None,
            notice: None,
            locale: None,
            method: None,
            evidence: None,
            claimed_at: None,
            actor: None,
            receipt: None,
        }
    }

    /// The event at its place. A field without a value is left out, never `null`.
    fn event(&self, seq: u64) -> Value {
        let mut event = Map::new();
        event.insert("v".into(), VERSION.into());
        event.insert("seq".into(), seq.into());
        event.insert("t".into(), self.at.to_string().into());
        event.insert("type".into(), self.event_type.as_str().into());
        event.insert("subject".into(), self.subject.as_str().into());
        event.insert("tenant".into(), self.tenant.as_str().into());
        let claimed_at = self.claimed_at.map(|at| at.to_string());
        let optional = [
            ("purpose", self.purpose.as_deref()),
            ("topic", self.topic.as_deref()),
            ("notice", self.notice.as_deref()),
            ("locale", self.locale.as_deref()),
            ("method", self.method.as_deref()),
            ("evidence", self.evidence.as_ref().map(Commitment::as_str)),
            ("claimed_at", claimed_at.as_deref()),
            ("actor", self.actor.as_deref()),
            ("receipt", self.receipt.as_deref()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                event.insert(name.to_owned(), value.into());
            }
        }
        Value::Object(event)
    }
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

    /// Puts a fact at the end. Two writers may do this to one head; the store takes the one whose
    /// conditional write comes first, and the other appends to the new head.
    ///
    /// # Errors
    /// [`NotCanonical`] when the shard is beyond 2⁵³ entries.
    pub fn append(&self, fact: &Fact) -> Result<Entry, NotCanonical> {
        let event = canonical(&fact.event(self.next_seq))?;
        let leaf = Hash::of_leaf(event.as_bytes());
        Ok(Entry {
            seq: self.next_seq,
            chain: Hash::of_link(&self.chain, &leaf),
            event,
            leaf,
        })
    }
}

/// The first entry of a shard that is not what was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the ledger is broken at entry {seq}: {fault}")]
pub struct Broken {
    /// The place at which the chain stops holding.
    pub seq: u64,
    /// What does not hold there.
    pub fault: Fault,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// Another entry stands at this place: one was dropped, moved or put in.
    #[error("another entry stands here")]
    Place,
    /// The event is not text we could have written.
    #[error("the event is not in canonical form")]
    Form,
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
pub fn verify_chain<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<Head, Broken> {
    verify_from(Head::GENESIS, entries)
}

/// Checks the entries after a head that was checked before, so a shard can be read in pages.
///
/// # Errors
/// [`Broken`], which names the first entry that does not hold.
pub fn verify_from<'a>(
    verified: Head,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<Head, Broken> {
    entries.into_iter().try_fold(verified, |head, entry| {
        let broken = |fault| Broken {
            seq: head.next_seq,
            fault,
        };
        if entry.seq != head.next_seq {
            return Err(broken(Fault::Place));
        }
        if entry.leaf != Hash::of_leaf(entry.event.as_bytes()) {
            return Err(broken(Fault::Leaf));
        }
        if entry.chain != Hash::of_link(&head.chain, &entry.leaf) {
            return Err(broken(Fault::Chain));
        }
        if stated_seq(&entry.event).ok_or_else(|| broken(Fault::Form))? != entry.seq {
            return Err(broken(Fault::Place));
        }
        Ok(entry.head())
    })
}

/// Checks a whole shard against the head kept for it.
///
/// # Errors
/// [`Broken`]; [`Fault::Head`] at the first missing place when the tail was dropped.
pub fn verify_shard<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    head: Head,
) -> Result<Head, Broken> {
    let proven = verify_chain(entries)?;
    if proven == head {
        Ok(proven)
    } else {
        Err(Broken {
            seq: proven.next_seq.min(head.next_seq),
            fault: Fault::Head,
        })
    }
}

/// The place an event says it has, if its text is exactly the canonical one.
fn stated_seq(event: &str) -> Option<u64> {
    let value: Value = serde_json::from_str(event).ok()?;
    if canonical(&value).ok()? != event {
        return None;
    }
    value.get("seq")?.as_u64()
}

#[cfg(test)]
mod tests;
