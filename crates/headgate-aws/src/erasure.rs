//! Erasing one person, everywhere: the one place that knows every store and the order.
//!
//! What says that the person is not to be written to comes first, what leads to them goes before what could be
//! read, and what was begun is written down before anything is destroyed: whoever is cut off at any point is
//! continued from the journal and ends in the same state. Nothing here asks whether it should be done.

use std::time::Duration;

use headgate_domain::identity::{Pseudonym, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::ledger::{Commitment, EventType, Fact, subject_commitment};
use headgate_domain::privacy::{RequestId, SECOND_PASS_MS, Store, StoreRecord};
use headgate_domain::time::Timestamp;

use crate::AwsError;
use crate::consents::Consents;
use crate::keyring::{Keyring, KeyringError};
use crate::ledger::Ledger;
use crate::messages::Messages;
use crate::pacing::{Pacing, Senders};
use crate::privacy_requests::{Entry, PrivacyRequests, Tombstone};
use crate::subjects::{Group, Person, Subjects};

/// How a person came to be on the suppression list.
const METHOD: &str = "erasure";
/// How often it is looked again for what an index did not show yet, or somebody was about to write.
const PASSES: u32 = 5;

/// Every store that holds something of a person.
#[derive(Clone)]
pub struct Eraser {
    /// Identifiers and consents.
    pub subjects: Subjects,
    /// The suppression list, with the pepper its keys are made with.
    pub consents: Consents,
    /// The consent ledger, which says that it was done.
    pub ledger: Ledger,
    /// Messages.
    pub messages: Messages,
    /// What the limits remember.
    pub pacing: Pacing,
    /// The journal.
    pub requests: PrivacyRequests,
}

/// An erasure that cannot be undone any more.
#[derive(Clone, Debug)]
pub struct Begun {
    /// What the journal says.
    pub entry: Entry,
    /// The person, as long as they can be read.
    pub person: Person,
    /// The keys they are put on the suppression list under, as long as they can be made.
    keys: Vec<Pseudonym>,
    /// Every key something may stand there under.
    listed: Vec<String>,
}

impl Eraser {
    /// Blocks a person: from now on no marketing is written to them. Other purposes stay open until their consents
    /// are erased. Repeating changes nothing.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn block(
        &self,
        person: &Person,
        now: Timestamp,
    ) -> Result<Vec<Pseudonym>, KeyringError> {
        let identifiers = person.identifiers.iter();
        let keys: Vec<Pseudonym> = identifiers
            .flat_map(|identifier| self.consents.new_suppression_keys(identifier))
            .collect();
        let list = self.consents.suppression();
        for key in &keys {
            list.add(key, &[Purpose::Marketing], now, METHOD).await?;
        }
        Ok(keys)
    }

    /// Begins: the person is blocked, what was found is written down, and what comes late from before is known as
    /// such. Beginning again finds the same entry.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn begin(
        &self,
        request: &RequestId,
        subject: &SubjectId,
        senders: &Senders,
        now: Timestamp,
    ) -> Result<Begun, KeyringError> {
        let person = self.subjects.person(subject).await?;
        let keys = self.block(&person, now).await?;
        let listed = self.consents.all_suppression_keys(&person.identifiers);
        let entry = if let Some(known) = self.requests.entry(request).await? {
            known
        } else {
            let entry = self.found(request, &person, &listed, senders, now).await?;
            self.requests.put_entry(&entry).await?
        };
        let entry = self.with_what_is_new(entry, &person.group).await?;
        let begun = Begun {
            entry,
            person,
            keys,
            listed,
        };
        self.mark(&begun, now).await?;
        Ok(begun)
    }

    /// Notes that everything up to a moment is from before the erasure, and that the person is not to be written to.
    ///
    /// # Errors
    /// [`AwsError`] when the tables did not take it.
    pub async fn mark(&self, begun: &Begun, now: Timestamp) -> Result<(), AwsError> {
        let list = self.consents.suppression();
        for key in &begun.keys {
            let tombstone = Tombstone {
                key: key.clone(),
                at: now,
            };
            list.add(key, &[Purpose::Marketing], now, METHOD).await?;
            self.requests.put_tombstone(&tombstone).await?;
            list.mark_erased(key, now).await?;
        }
        Ok(())
    }

    /// What became known of the person since it was begun goes as well, and is written down first, like the rest.
    async fn with_what_is_new(&self, mut entry: Entry, group: &Group) -> Result<Entry, AwsError> {
        let known = entry.group.clone();
        entry.group.take_in(group);
        if entry.group != known {
            let salts = self.keyring().salt_fingerprints(&group.subjects).await?;
            let new = salts.into_iter().filter(|one| !entry.salts.contains(one));
            let new: Vec<_> = new.collect();
            entry.salts.extend(new);
            self.requests.widen_entry(&entry).await?;
        }
        Ok(entry)
    }

    async fn found(
        &self,
        request: &RequestId,
        person: &Person,
        listed: &[String],
        senders: &Senders,
        now: Timestamp,
    ) -> Result<Entry, KeyringError> {
        let group = &person.group;
        let salts = self.keyring().salt_fingerprints(&group.subjects).await?;
        let registers = self.consents.suppression().count_registers(listed).await?;
        let mut found = self.count(group, senders).await?;
        found.push((Store::Keys, salts.len().try_into().unwrap_or(u64::MAX)));
        found.push((Store::Registers, registers));
        Ok(Entry {
            request: request.clone(),
            begun_at: now,
            group: group.clone(),
            found,
            salts,
            ledger: Vec::new(),
        })
    }

    /// Has the ledger say that the person was erased, as long as it can be said of them.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn prove(&self, begun: &mut Begun, now: Timestamp) -> Result<(), KeyringError> {
        let entry = &mut begun.entry;
        if !entry.ledger.is_empty() {
            return Ok(());
        }
        let mut said: Vec<(Commitment, String)> = Vec::new();
        for subject in &entry.group.subjects {
            let salt = match self.keyring().evidence_salt(subject).await {
                Ok(salt) => salt,
                Err(KeyringError::NoKey) => continue,
                Err(error) => return Err(error),
            };
            let commitment = subject_commitment(&salt, subject);
            let deployment = self.keyring().deployment();
            let mut fact = Fact::new(
                now,
                EventType::SubjectErased,
                commitment.clone(),
                deployment,
            );
            fact.receipt = Some(entry.request.as_str().to_owned());
            let event = self.ledger.append(subject, &fact).await?;
            said.push((commitment, event));
        }
        if !said.is_empty() {
            entry.ledger = self.requests.put_ledger(&entry.request, &said).await?;
        }
        Ok(())
    }

    /// Destroys and deletes; what was done in each store, with nothing left in any.
    ///
    /// # Errors
    /// [`KeyringError`] when something could not be deleted, or was there again each time it was looked for: trying
    /// again goes on.
    pub async fn destroy(
        &self,
        begun: &Begun,
        senders: &Senders,
        now: Timestamp,
    ) -> Result<Vec<StoreRecord>, KeyringError> {
        let group = &begun.entry.group;
        let list = self.consents.suppression();
        // First what leads to the person: whoever writes now is somebody new.
        self.subjects.unlink(group).await?;
        list.forget_registers(&begun.listed, now).await?;
        for subject in &group.subjects {
            let until = now.plus_millis(SECOND_PASS_MS);
            self.keyring().destroy_salts(subject, now, until).await?;
            self.requests.forget_export(subject).await?;
        }
        self.delete(group, senders).await?;
        let salts = self.keyring().salt_fingerprints(&group.subjects).await?;
        let registers = list.count_registers(&begun.listed).await?;
        if !salts.is_empty() || registers > 0 {
            return Err(AwsError::new("erasing", "still there").into());
        }
        let found = begun.entry.found.iter();
        let record = |(store, matched): &(Store, u64)| StoreRecord {
            store: *store,
            matched: *matched,
            left: 0,
        };
        Ok(found.map(record).collect())
    }

    /// Looks once more for what came back, deletes it, and takes away the marks; how many rows there were.
    ///
    /// # Errors
    /// [`KeyringError`] when something could not be deleted: trying again goes on.
    pub async fn again(&self, entry: &Entry, senders: &Senders) -> Result<u64, KeyringError> {
        let group = &entry.group;
        let found = self.count(group, senders).await?;
        let rows = found.iter().map(|(_store, rows)| *rows);
        let rows = rows.fold(0, u64::saturating_add);
        self.subjects.unlink(group).await?;
        self.delete(group, senders).await?;
        for subject in &group.subjects {
            self.keyring().forget_marks(subject).await?;
        }
        Ok(rows)
    }

    /// Forgets somebody of whom nothing was known: what leads to them, their salts, their rows.
    ///
    /// # Errors
    /// [`KeyringError`] when something could not be deleted: trying again goes on.
    pub async fn forget(
        &self,
        group: &Group,
        senders: &Senders,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        self.subjects.unlink(group).await?;
        for subject in &group.subjects {
            let until = now.plus_millis(SECOND_PASS_MS);
            self.keyring().destroy_salts(subject, now, until).await?;
        }
        self.delete(group, senders).await
    }

    /// Erases again whatever a restored backup has brought back of an erasure in the journal; how many rows.
    ///
    /// # Errors
    /// [`KeyringError`] when something could not be deleted: trying again goes on.
    pub async fn replay(&self, entry: &Entry, senders: &Senders) -> Result<u64, KeyringError> {
        // A restored row knows of names that came after the entry.
        let mut group = entry.group.clone();
        for subject in &entry.group.subjects {
            let person = self.subjects.person(subject).await?;
            group.take_in(&person.group);
        }
        let found = self.count(&group, senders).await?;
        let rows = found.iter().map(|(_store, rows)| *rows);
        let rows = rows.fold(0, u64::saturating_add);
        self.subjects.unlink(&group).await?;
        self.delete(&group, senders).await?;
        Ok(rows)
    }

    /// Puts a key back on the suppression list, with the mark that goes with it.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_back(&self, tombstone: &Tombstone) -> Result<(), AwsError> {
        let Tombstone { key, at } = tombstone;
        let list = self.consents.suppression();
        list.add(key, &[Purpose::Marketing], *at, METHOD).await?;
        list.mark_erased(key, *at).await
    }

    async fn delete(&self, group: &Group, senders: &Senders) -> Result<(), KeyringError> {
        for pass in 0..PASSES {
            if pass > 0 {
                // An index is behind its table for a moment.
                tokio::time::sleep(Duration::from_millis(100_u64 << pass)).await;
            }
            let theirs = self.messages.all_of(&group.subjects).await?;
            self.messages.delete(&theirs).await?;
            self.pacing.forget(senders, &group.subjects).await?;
            self.subjects.delete_rows(group).await?;
            let left = self.count(group, senders).await?;
            if left.iter().all(|(_store, rows)| *rows == 0) {
                return Ok(());
            }
        }
        Err(AwsError::new("erasing", "still there").into())
    }

    async fn count(
        &self,
        group: &Group,
        senders: &Senders,
    ) -> Result<Vec<(Store, u64)>, KeyringError> {
        let messages = self.messages.all_of(&group.subjects).await?.count();
        Ok(vec![
            (Store::Subjects, self.subjects.count_rows(group).await?),
            (Store::Messages, messages),
            (
                Store::Pacing,
                self.pacing.count_rows(senders, &group.subjects).await?,
            ),
        ])
    }

    const fn keyring(&self) -> &Keyring {
        self.subjects.keyring()
    }
}
