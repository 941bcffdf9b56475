//! What legal holds have kept: messages, sealed once more under the key of the hold.

use headgate_domain::identity::SubjectId;
use headgate_domain::privacy::HoldId;
use headgate_domain::time::Timestamp;

use super::Evidence;
use crate::AwsError;
use crate::item::{
    Attributes, Item, all, b, batch_get, batch_write, deletions, key, ms, partition, put_if_new, s,
};

/// One message that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its key in the table it is kept of.
    pub name: String,
    /// Whose it is.
    pub subject: SubjectId,
    /// When it was accepted, or written.
    pub at: Timestamp,
    /// The copy, sealed.
    pub sealed: Vec<u8>,
}

/// The key of a kept copy, for the [`Place`](headgate_domain::sealing::Place) it is sealed for.
pub fn held_place_key(hold: &HoldId, name: &str) -> String {
    format!("{hold}/{name}")
}

/// The row that says that something of a person is kept.
fn kept_of(subject: &SubjectId) -> String {
    format!("subject#{subject}")
}

impl Evidence {
    /// Keeps a copy; `false`, and the first one stays, when it is kept already.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_held(&self, hold: &HoldId, copy: &Held) -> Result<bool, AwsError> {
        let mut item = key(hold.as_str(), copy.name.as_str());
        item.insert("subject".to_owned(), s(copy.subject.as_str()));
        item.insert("at".to_owned(), ms(copy.at));
        item.insert("body".to_owned(), b(copy.sealed.clone()));
        Ok(put_if_new(&self.client, &self.table, item).await?.is_none())
    }

    /// Notes that a hold keeps something of a person.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn put_kept_of(&self, hold: &HoldId, subject: &SubjectId) -> Result<(), AwsError> {
        let item = key(hold.as_str(), kept_of(subject));
        put_if_new(&self.client, &self.table, item).await?;
        Ok(())
    }

    /// Whether a hold keeps something of any of some people.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn keeps_of(&self, hold: &HoldId, subjects: &[SubjectId]) -> Result<bool, AwsError> {
        let keys = subjects.iter().map(|one| key(hold.as_str(), kept_of(one)));
        let found = batch_get(&self.client, &self.table, keys.collect()).await?;
        Ok(!found.is_empty())
    }

    /// Everything a hold has kept.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read.
    pub async fn held(&self, hold: &HoldId) -> Result<Vec<Held>, AwsError> {
        let read = |item: &Item| {
            Some(Held {
                name: item.text("sk")?.to_owned(),
                subject: SubjectId::parse(item.text("subject")?).ok()?,
                at: item.time("at")?,
                sealed: item.bytes("body")?.to_vec(),
            })
        };
        let rows = self.rows_of(hold.as_str()).await?;
        Ok(rows.iter().filter_map(read).collect())
    }

    /// Deletes everything a hold has kept; how many rows.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn delete_held(&self, hold: &HoldId) -> Result<usize, AwsError> {
        let rows = self.rows_of(hold.as_str()).await?;
        batch_write(&self.client, &self.table, deletions(&rows)?).await?;
        Ok(rows.len())
    }

    async fn rows_of(&self, pk: &str) -> Result<Vec<Item>, AwsError> {
        all(partition(&self.client, &self.table, pk)).await
    }
}
