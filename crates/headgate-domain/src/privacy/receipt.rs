//! The receipt of an erasure: what was deleted, which keys are gone, what stays and why, in one text that is signed.
//!
//! Owns the text, and reads back only what it would write. It holds counts, hashes and commitments whose salt is
//! destroyed, so it can be given to the person, and kept, without naming anybody.

use std::fmt::Write as _;

use super::{JOURNAL_MS, KEPT_MS, RequestId};
use crate::ledger::{Commitment, Hash};
use crate::note::{NoteFault, PublicKey, signed, verified};
use crate::time::{Day, Timestamp};

/// A receipt is kept so long: it is the proof that something was done (GDPR 5(2)).
pub const RECEIPT_DAYS: i64 = 1_095;

/// A store that is searched for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    /// Identifiers, consents, their sealed proofs, and what leads to them.
    Subjects,
    /// Messages to and from the person, and the ids apps gave them.
    Messages,
    /// What the limits remembered of the person.
    Pacing,
    /// The salts, without which nothing sealed for the person opens.
    Keys,
    /// What Do-Not-Call registers said of the number.
    Registers,
}

impl Store {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Subjects,
        Self::Messages,
        Self::Pacing,
        Self::Keys,
        Self::Registers,
    ];

    /// The word in the receipt.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Subjects => "subjects",
            Self::Messages => "messages",
            Self::Pacing => "pacing",
            Self::Keys => "keys",
            Self::Registers => "registers",
        }
    }

    /// For how many days a point-in-time backup holds the bytes, which no key opens (infra/data.yaml).
    pub const fn backup_days(self) -> i64 {
        match self {
            Self::Subjects | Self::Registers => 35,
            Self::Messages => 7,
            Self::Pacing | Self::Keys => 0,
        }
    }
}

/// What was done in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreRecord {
    /// Which.
    pub store: Store,
    /// How many rows were found.
    pub matched: u64,
    /// How many were there when it was looked again. A receipt with any is not made.
    pub left: u64,
}

/// What stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retained {
    /// That the person is not to be written to, under a name that joins with nothing.
    Suppression,
    /// What the person agreed to and took back, as commitments whose salt is gone.
    Commitments,
    /// That it was done and to which random ids, so that a table restored from a backup is erased again.
    Journal,
    /// The request, which names nobody any more, with this receipt.
    Request,
}

impl Retained {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Suppression,
        Self::Commitments,
        Self::Journal,
        Self::Request,
    ];

    /// For how long, where it ends by itself.
    pub const fn kept_ms(self) -> Option<i64> {
        match self {
            Self::Suppression | Self::Commitments => None,
            Self::Journal => Some(JOURNAL_MS),
            Self::Request => Some(KEPT_MS),
        }
    }

    /// The word, and the ground it stays on.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Suppression => (
                "suppression",
                "so that an objection is respected: GDPR 21(3), 17(3)(b)",
            ),
            Self::Commitments => (
                "commitments",
                "so that the ledger still verifies; they lead to nobody: GDPR 5(2)",
            ),
            Self::Journal => (
                "journal",
                "so that a restored backup is erased again: GDPR 32(1)",
            ),
            Self::Request => (
                "request",
                "without whose it was, so that its answer can be shown: GDPR 5(2), 11 CCR 7101",
            ),
        }
    }
}

/// What an erasure did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Whose deployment's: `headgate/erasure/<deployment>`. Also the name of the key.
    pub origin: String,
    /// The request it answers.
    pub request: RequestId,
    /// When everything was gone.
    pub completed_at: Timestamp,
    /// The person in the ledger, for each id they had here, and the event that says so.
    pub ledger: Vec<(Commitment, String)>,
    /// What was done in each store.
    pub stores: Vec<StoreRecord>,
    /// The hashes of the destroyed salts.
    pub destroyed: Vec<Hash>,
    /// When it is looked again whether anything came back.
    pub again_on: Day,
}

/// The text is not that of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the text of a receipt of an erasure of this build")]
pub struct NotReceipt;

/// The origin of a deployment's receipts.
pub fn origin(deployment: &str) -> String {
    format!("headgate/erasure/{deployment}")
}

impl Receipt {
    /// Whether everything that was found is gone.
    pub fn is_complete(&self) -> bool {
        self.stores.iter().all(|store| store.left == 0)
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{}\nreceipt {}\ncompleted {}\n",
            self.origin, self.request, self.completed_at
        );
        // Writing to a text does not fail.
        for (commitment, event) in &self.ledger {
            writeln!(text, "ledger {event} {}", commitment.as_str()).unwrap_or_default();
        }
        let today = self.completed_at.day();
        for record in &self.stores {
            let StoreRecord {
                store,
                matched,
                left,
            } = record;
            let until = today.plus(store.backup_days());
            writeln!(
                text,
                "store {} matched {matched} left {left} residual-until {until}",
                store.word()
            )
            .unwrap_or_default();
        }
        for key in &self.destroyed {
            writeln!(text, "destroyed {key}").unwrap_or_default();
        }
        for retained in Retained::ALL {
            let (word, why) = retained.words();
            match retained.kept_ms() {
                Some(ms) => {
                    let until = self.completed_at.plus_millis(ms).day();
                    writeln!(text, "retained {word} until {until} {why}")
                }
                None => writeln!(text, "retained {word} {why}"),
            }
            .unwrap_or_default();
        }
        writeln!(text, "again {}", self.again_on).unwrap_or_default();
        text
    }

    /// Reads what [`Receipt::text`] wrote.
    ///
    /// # Errors
    /// [`NotReceipt`] for anything else.
    pub fn parse(text: &str) -> Result<Self, NotReceipt> {
        let read = Self::read(text).ok_or(NotReceipt)?;
        if read.text() == text {
            Ok(read)
        } else {
            Err(NotReceipt)
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let origin = lines.next()?.to_owned();
        let request = RequestId::parse(lines.next()?.strip_prefix("receipt ")?).ok()?;
        let completed_at = Timestamp::parse(lines.next()?.strip_prefix("completed ")?).ok()?;
        let mut receipt = Self {
            origin,
            request,
            completed_at,
            ledger: Vec::new(),
            stores: Vec::new(),
            destroyed: Vec::new(),
            again_on: completed_at.day(),
        };
        for line in lines {
            let (word, rest) = line.split_once(' ')?;
            match word {
                "ledger" => {
                    let (event, commitment) = rest.split_once(' ')?;
                    let commitment = Commitment::parse(commitment).ok()?;
                    receipt.ledger.push((commitment, event.to_owned()));
                }
                "store" => receipt.stores.push(store(rest)?),
                "destroyed" => receipt.destroyed.push(Hash::parse(rest).ok()?),
                "again" => receipt.again_on = Day::parse(rest).ok()?,
                // Its words are compared with the rest of the text.
                "retained" => {}
                _ => return None,
            }
        }
        Some(receipt)
    }

    /// The signed note; `signature` is what KMS made of [`Receipt::text`].
    pub fn note(&self, key: &PublicKey, signature: &[u8]) -> String {
        signed(&self.text(), &self.origin, key, signature)
    }

    /// The receipt in a note that the key has signed.
    ///
    /// # Errors
    /// [`NoteFault`].
    pub fn of_note(note: &str, key: &PublicKey) -> Result<Self, NoteFault> {
        let text = verified(note, key)?;
        Self::parse(&text).map_err(|_text| NoteFault::Form)
    }
}

fn store(rest: &str) -> Option<StoreRecord> {
    let words: Vec<&str> = rest.split(' ').collect();
    let [
        store,
        "matched",
        matched,
        "left",
        left,
        "residual-until",
        _day,
    ] = *words.as_slice()
    else {
        return None;
    };
    Some(StoreRecord {
        store: Store::ALL.into_iter().find(|one| one.word() == store)?,
        matched: matched.parse().ok()?,
        left: left.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;
    use crate::identity::SubjectId;
    use crate::ledger::subject_commitment;
    use crate::note::signer::Signer;

    fn receipt() -> Receipt {
        let at = Timestamp::from_seconds(1_795_341_600);
        let subject = SubjectId::from_random([9; 16]);
        Receipt {
            origin: origin("main"),
            request: RequestId::from_random([2; 12]),
            completed_at: at,
            ledger: vec![(subject_commitment(&[7; 32], &subject), "L3.17".to_owned())],
            stores: Store::ALL
                .map(|store| StoreRecord {
                    store,
                    matched: 3,
                    left: 0,
                })
                .to_vec(),
            destroyed: vec![Hash::of_bytes(b"a salt"), Hash::of_bytes(b"another")],
            again_on: at.day().plus(8),
        }
    }

    #[test]
    fn a_receipt_reads_back_and_names_nobody() {
        let text = receipt().text();
        assert_eq!(Receipt::parse(&text), Ok(receipt()));
        assert!(!text.contains("sub_"), "{text}");
        assert!(
            text.contains("store messages matched 3 left 0 residual-until 2026-11-29\n"),
            "{text}"
        );
    }

    #[test]
    fn any_change_of_the_text_is_found() {
        let signer = Signer::new();
        let text = receipt().text();
        let note = receipt().note(&signer.key(), &signer.sign(&text));
        assert_eq!(Receipt::of_note(&note, &signer.key()), Ok(receipt()));
        for (from, to) in [
            ("matched 3", "matched 2"),
            ("GDPR 21(3)", "GDPR 6(1)"),
            ("L3.17", "L3.18"),
            ("again 2026", "again 2027"),
        ] {
            let altered = note.replacen(from, to, 1);
            assert!(
                note != altered && Receipt::of_note(&altered, &signer.key()).is_err(),
                "{from}"
            );
        }
        assert!(Receipt::parse(&text.replace("21(3)", "6(1)")).is_err());
        assert!(Receipt::parse(&text.replace("store keys", "store kept")).is_err());
    }
}
