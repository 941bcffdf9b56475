//! Erasing a person from this table: finding every row that is theirs, and deleting it.
//!
//! Everything is found by key: the person's own partition, the identifiers it names, and the rows elsewhere it
//! names. Deleting repeats safely, and ends whether or not anything sealed can still be opened.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use headgate_domain::consent::Subject;
use headgate_domain::identity::{Identifier, SubjectId};

use super::identifiers::subject_in;
use super::{SubjectStates, Subjects, state_of};
use headgate_redact::Personal;

use crate::AwsError;
use crate::item::{
    Attributes, Item, all, batch_get, batch_write, changed, deletions, key, partition, s, taken,
};
use crate::keyring::KeyringError;

/// The rows elsewhere in the table that are about a person, by partition key: what an erasure has to find.
pub(super) const ABOUT: &str = "about";

/// Every name one person has here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Their ids: that of the row which stands for them first, then those it stands for.
    pub subjects: Vec<SubjectId>,
    /// The pseudonyms that lead, or have led, to them.
    pub pseudonyms: BTreeSet<String>,
    /// Rows elsewhere in the table that are about them, by partition key.
    pub rows: BTreeSet<String>,
}

/// A person, as long as they can be read.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their names.
    pub group: Group,
    /// What stands in their row; `None` when there is none.
    pub subject: Option<Subject>,
    /// The identifiers that could be opened.
    pub identifiers: Vec<Identifier>,
}

impl Subjects {
    /// Every name of the person whom a subject id belongs to, and what can still be opened of them.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn person(&self, subject: &SubjectId) -> Result<Person, KeyringError> {
        let mut person = Person {
            group: Group::default(),
            subject: None,
            identifiers: Vec::new(),
        };
        let mut waiting = vec![subject.clone()];
        while let Some(id) = waiting.pop() {
            if person.group.subjects.contains(&id) {
                continue;
            }
            person.group.subjects.push(id.clone());
            let Some(item) = self.get(key(format!("S#{id}"), "S")).await? else {
                continue;
            };
            person.group.take(&item);
            waiting.extend(linked(&item));
            match self.opened_row(&item, &id).await {
                Ok(read) => {
                    person.identifiers.extend(read.identifiers());
                    // From whichever id was asked for the way leads up first (`linked`), so the first row that nobody
                    // stands for stands for all. A later one is of a join that was cut off: it does not know yet.
                    if read.same_as.is_none() && person.subject.is_none() {
                        person.subject = Some(read);
                    }
                }
                // Erased already, or damaged: its names are enough to delete by.
                Err(
                    KeyringError::NoKey | KeyringError::NotOpened | KeyringError::PastRetention,
                ) => {}
                Err(error @ KeyringError::Aws(_)) => return Err(error),
            }
        }
        if let Some(standing) = &person.subject {
            let first = person
                .group
                .subjects
                .iter()
                .position(|id| *id == standing.id);
            person.group.subjects.swap(0, first.unwrap_or(0));
        }
        let named = person.identifiers.iter();
        let pseudonyms = named.flat_map(|identifier| self.names(identifier));
        person.group.pseudonyms.extend(pseudonyms);
        Ok(person)
    }

    async fn opened_row(&self, item: &Item, id: &SubjectId) -> Result<Subject, KeyringError> {
        let salt = self.keyring.salt(id).await?;
        self.read(item, &salt).await
    }

    /// How many rows are a person's.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn count_rows(&self, group: &Group) -> Result<u64, AwsError> {
        let mut rows = self.own_rows(group).await?.len();
        rows = rows.saturating_add(self.pointers_to(group).await?.len());
        let elsewhere = batch_get(&self.client, &self.table, elsewhere(group)).await?;
        Ok(rows
            .saturating_add(elsewhere.len())
            .try_into()
            .unwrap_or(u64::MAX))
    }

    /// Takes every identifier off a person: from now on it leads to nobody, or to whoever has it since.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn unlink(&self, group: &Group) -> Result<(), AwsError> {
        for pointer in self.pointers_to(group).await? {
            let Some(pk) = pointer.text("pk").map(|pk| key(pk, "I")) else {
                continue;
            };
            let theirs = |who| subject_in(&pointer, who).is_some_and(|id| group.has(&id));
            let anothers = |who| pointer.text(who).is_some() && !theirs(who);
            // Whoever else it names, now or before, keeps it.
            let (removed, who) = if theirs("subject") && anothers("was") {
                (Some("REMOVE subject"), "subject")
            } else if theirs("was") && anothers("subject") {
                (Some("REMOVE was, changed_at"), "was")
            } else if theirs("subject") {
                (None, "subject")
            } else {
                (None, "was")
            };
            let as_seen = format!("{who} = :seen");
            let seen = s(pointer.text(who).unwrap_or_default());
            let done = if let Some(removed) = removed {
                let call = self.client.update_item().table_name(&self.table);
                let call = call.set_key(Some(pk)).update_expression(removed);
                let call = call
                    .condition_expression(as_seen)
                    .expression_attribute_values(":seen", seen);
                let sent = call.send().await.map(drop);
                sent.map_err(|e| AwsError::of("UpdateItem", &e))
            } else {
                let call = self.client.delete_item().table_name(&self.table);
                let call = call.set_key(Some(pk)).condition_expression(as_seen);
                let call = call.expression_attribute_values(":seen", seen);
                let sent = call.send().await.map(drop);
                sent.map_err(|e| AwsError::of("DeleteItem", &e))
            };
            taken(done)?;
        }
        Ok(())
    }

    /// Deletes every row of a person, the one that names the others last.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn delete_rows(&self, group: &Group) -> Result<(), AwsError> {
        let mut rows = elsewhere(group);
        let (last, first): (Vec<Item>, Vec<Item>) = self
            .own_rows(group)
            .await?
            .into_iter()
            .partition(|row| row.text("sk") == Some("S"));
        rows.extend(first);
        for rows in [rows, last] {
            batch_write(&self.client, &self.table, deletions(&rows)?).await?;
        }
        Ok(())
    }

    /// What is sealed as the proof of each of a person's ledger events, as far as it opens.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available.
    pub async fn proofs(
        &self,
        group: &Group,
    ) -> Result<Vec<(String, Personal<Vec<u8>>)>, KeyringError> {
        let states = SubjectStates {
            client: self.client.clone(),
            table: self.table.clone(),
        };
        let mut proofs = Vec::new();
        for row in self.own_rows(group).await? {
            let of = |name, prefix| row.text(name)?.strip_prefix(prefix);
            let (Some(subject), Some(event)) = (of("pk", "S#"), of("sk", "E#")) else {
                continue;
            };
            let Ok(subject) = SubjectId::parse(subject) else {
                continue;
            };
            match states.evidence(&self.keyring, &subject, event).await {
                Ok(proof) => proofs.extend(proof.map(|proof| (event.to_owned(), proof))),
                Err(
                    KeyringError::NoKey | KeyringError::NotOpened | KeyringError::PastRetention,
                ) => {}
                Err(error @ KeyringError::Aws(_)) => return Err(error),
            }
        }
        Ok(proofs)
    }

    /// The keys of everything in the person's own partitions.
    async fn own_rows(&self, group: &Group) -> Result<Vec<Item>, AwsError> {
        let mut found = Vec::new();
        for id in &group.subjects {
            let query = partition(&self.client, &self.table, format!("S#{id}"));
            found.extend(all(query.projection_expression("pk, sk")).await?);
        }
        Ok(found)
    }

    /// The pointers that name the person, now or before.
    async fn pointers_to(&self, group: &Group) -> Result<Vec<Item>, AwsError> {
        let pseudonyms = group.pseudonyms.iter();
        let keys = pseudonyms.map(|one| key(format!("I#{one}"), "I")).collect();
        let found = batch_get(&self.client, &self.table, keys).await?;
        let leads_to = |item: &Item, who| subject_in(item, who).is_some_and(|id| group.has(&id));
        let is_theirs = |item: &Item| leads_to(item, "subject") || leads_to(item, "was");
        Ok(found.into_iter().filter(is_theirs).collect())
    }
}

impl Group {
    /// Whether a subject id is one of theirs.
    pub fn has(&self, id: &SubjectId) -> bool {
        self.subjects.contains(id)
    }

    /// Takes in what else is known of the same person.
    pub fn take_in(&mut self, other: &Self) {
        for subject in &other.subjects {
            if !self.has(subject) {
                self.subjects.push(subject.clone());
            }
        }
        self.pseudonyms.extend(other.pseudonyms.iter().cloned());
        self.rows.extend(other.rows.iter().cloned());
    }

    pub(super) fn take(&mut self, row: &Item) {
        self.pseudonyms.extend(row.set("idents").iter().cloned());
        self.rows.extend(row.set(ABOUT).iter().cloned());
    }
}

/// Writes into a person's row that another row of the table is about them.
pub(super) async fn note_about(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    subject: &SubjectId,
    pk: &str,
) -> Result<(), AwsError> {
    let update = client
        .update_item()
        .table_name(table)
        .set_key(Some(key(format!("S#{subject}"), "S")))
        .update_expression("ADD #about :pk")
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_names("#about", ABOUT)
        .expression_attribute_values(":pk", AttributeValue::Ss(vec![pk.to_owned()]));
    changed(update).await.map(drop)
}

/// The subjects a row stands for, and last, which is looked at next, the one that stands for it.
pub(super) fn linked(row: &Item) -> impl Iterator<Item = SubjectId> {
    let others = row.set("others").iter();
    let others = others.filter_map(|id| SubjectId::parse(id).ok());
    others.chain(state_of(row).and_then(|state| state.same_as))
}

/// The keys of the rows elsewhere: requests that wait, by the hash of their code, links to confirm, and the calendar.
fn elsewhere(group: &Group) -> Vec<Item> {
    let mut keys = Vec::new();
    for pk in &group.rows {
        if pk.starts_with("F#") {
            let subjects = group.subjects.iter();
            keys.extend(subjects.map(|subject| key(pk, subject.as_str())));
        } else {
            let sort = if pk.starts_with("R#") { "R" } else { "link" };
            keys.push(key(pk, sort));
        }
    }
    keys
}
