//! Destroying a person's salts: from here on nothing that was sealed for them opens, on any day, in any copy.
//!
//! In the place of a salt stands a mark for a while, so that whoever was about to write to the person's row, and
//! comes late, cannot make a new one under the same id. Salts are read with each use and never kept in memory, so
//! this takes effect everywhere at once.

use aws_sdk_dynamodb::types::ReturnValue;
use headgate_domain::identity::SubjectId;
use headgate_domain::ledger::Hash;
use headgate_domain::time::Timestamp;

use super::{Keyring, SALTS, pk};
use crate::AwsError;
use crate::item::{Attributes, batch_get, ms, n};

impl Keyring {
    /// The hashes of the salts a subject has.
    ///
    /// # Errors
    /// [`AwsError`] when they cannot be read.
    pub async fn salt_fingerprints(&self, subjects: &[SubjectId]) -> Result<Vec<Hash>, AwsError> {
        let named = |subject: &SubjectId| SALTS.map(|kind| pk(format!("{kind}{subject}")));
        let keys = subjects.iter().flat_map(named).collect();
        let items = batch_get(&self.dynamodb, &self.table, keys).await?;
        let salts = items.iter().filter_map(|item| item.bytes("salt"));
        Ok(salts.map(Hash::of_bytes).collect())
    }

    /// Destroys both salts of a subject and leaves a mark until a moment; marking what is marked changes nothing.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not confirm it.
    pub async fn destroy_salts(
        &self,
        subject: &SubjectId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), AwsError> {
        for kind in SALTS {
            self.dynamodb
                .update_item()
                .table_name(&self.table)
                .set_key(Some(pk(format!("{kind}{subject}"))))
                .update_expression(
                    "SET destroyed_at = if_not_exists(destroyed_at, :now), #ttl = :until REMOVE salt",
                )
                .expression_attribute_names("#ttl", "ttl")
                .expression_attribute_values(":now", ms(now))
                .expression_attribute_values(":until", n(until.seconds()))
                .return_values(ReturnValue::None)
                .send()
                .await
                .map_err(|e| AwsError::of("UpdateItem", &e))?;
        }
        Ok(())
    }

    /// Takes the marks away, once nobody can be about to write any more.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn forget_marks(&self, subject: &SubjectId) -> Result<(), AwsError> {
        for kind in SALTS {
            let delete = self.dynamodb.delete_item().table_name(&self.table);
            delete
                .set_key(Some(pk(format!("{kind}{subject}"))))
                .send()
                .await
                .map_err(|e| AwsError::of("DeleteItem", &e))?;
        }
        Ok(())
    }
}
