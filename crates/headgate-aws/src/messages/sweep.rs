//! Sweeping: rows of the outbox that are past their time are deleted, a page at a time.

use headgate_domain::lane::Purpose;
use headgate_domain::record::{outbox_pk, ulid_floor};
use headgate_domain::time::Timestamp;

use super::Messages;
use crate::AwsError;
use crate::item::{Attributes, batch_write, deletions, s};

/// What one step of a sweep deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many rows.
    pub rows: usize,
    /// What one of them had sealed, to be tried whether anything opens it.
    pub sample: Option<Vec<u8>>,
}

impl Messages {
    /// Deletes up to a page of an outbox partition's records from before a moment; returns how many.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not answer.
    pub async fn sweep(
        &self,
        number: &str,
        lane: Purpose,
        shard: u8,
        before: Timestamp,
    ) -> Result<Swept, AwsError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk < :end")
            .expression_attribute_values(":pk", s(outbox_pk(number, lane, shard)))
            .expression_attribute_values(":end", s(ulid_floor(before)))
            .projection_expression("pk, sk, body")
            .limit(500)
            .send()
            .await
            .map_err(|e| AwsError::of("Query", &e))?;
        let items = answer.items.unwrap_or_default();
        batch_write(&self.client, &self.table, deletions(&items)?).await?;
        let first = items.first().and_then(|item| item.bytes("body"));
        Ok(Swept {
            rows: items.len(),
            sample: first.map(<[u8]>::to_vec),
        })
    }
}
