//! Asking for the next vault key: an operator writes when, the purge reads it and mints. Neither can do the other's part.

use headgate_domain::time::Timestamp;

use super::{Controls, LIVE};
use crate::AwsError;
use crate::item::{Attributes, key, ms};

/// Where it stands, in `live`.
const VAULT: &str = "vault";

impl Controls {
    /// Asks for the next vault key.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not take it.
    pub async fn ask_for_vault(&self, at: Timestamp) -> Result<(), AwsError> {
        self.client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(LIVE, VAULT)))
            .update_expression("SET asked_at = :at")
            .expression_attribute_values(":at", ms(at))
            .send()
            .await
            .map(|_updated| ())
            .map_err(|e| AwsError::of("UpdateItem", &e))
    }

    /// When the next vault key was last asked for.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read.
    pub async fn vault_asked_at(&self) -> Result<Option<Timestamp>, AwsError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(LIVE, VAULT)))
            .send()
            .await
            .map_err(|e| AwsError::of("GetItem", &e))?;
        Ok(answer.item.and_then(|item| item.time("asked_at")))
    }
}
