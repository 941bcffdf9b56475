//! Erasing a person from this table: what they wrote, what was to be sent to them, and the ids apps gave it.
//!
//! Everything that names a subject is in the index `by_subject`. An index is read a moment behind its table, so
//! whoever erases looks again.

use headgate_domain::identity::{Pseudonym, SubjectId};
use headgate_domain::record::{RecordRef, ulid_time};
use headgate_domain::time::{DAY, Timestamp};

use super::Messages;
use crate::AwsError;
use crate::item::{Attributes, Item, all, batch_write, deletions, s};

/// The rows of one person.
#[derive(Clone, Debug, Default)]
pub struct Theirs {
    rows: Vec<Item>,
}

impl Theirs {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.rows.len().try_into().unwrap_or(u64::MAX)
    }

    /// The messages of the person among them.
    pub fn inbound(&self) -> Vec<Pseudonym> {
        let rows = self.rows.iter();
        rows.filter_map(|row| Pseudonym::parse(row.text("pk")?.strip_prefix("N#")?).ok())
            .collect()
    }

    /// The records of the outbox among them.
    pub fn records(&self) -> Vec<RecordRef> {
        let rows = self.rows.iter();
        rows.filter_map(|row| RecordRef::from_key(row.text("pk")?, row.text("sk")?))
            .collect()
    }
}

impl Messages {
    /// Everything in the table that is about some subjects.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn all_of(&self, subjects: &[SubjectId]) -> Result<Theirs, AwsError> {
        let mut theirs = Theirs::default();
        for subject in subjects {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .index_name("by_subject")
                .key_condition_expression("#subject = :subject")
                .expression_attribute_names("#subject", "subject")
                .expression_attribute_values(":subject", s(subject.as_str()));
            theirs.rows.extend(all(query).await?);
        }
        Ok(theirs)
    }

    /// When something was last accepted for some subjects, as far as it is still there.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn last_accepted_for(
        &self,
        subjects: &[SubjectId],
        now: Timestamp,
    ) -> Result<Option<Timestamp>, AwsError> {
        let (since, until) = (Timestamp::from_millis(0), now.plus_millis(DAY));
        let mut last = None;
        for subject in subjects {
            let newest = self.latest_of(subject, (since, until), 1).await?;
            let newest = newest.first().and_then(|record| ulid_time(&record.ulid));
            last = last.max(newest);
        }
        Ok(last)
    }

    /// Deletes rows of a person.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn delete(&self, theirs: &Theirs) -> Result<(), AwsError> {
        batch_write(&self.client, &self.table, deletions(&theirs.rows)?).await
    }
}
