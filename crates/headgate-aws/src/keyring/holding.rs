//! The key of a legal hold: what it keeps is sealed under a key of its own, and gone with it.
//!
//! Day keys are destroyed on their day whether or not there is a hold; what is to outlive them is sealed once more.

use aws_sdk_dynamodb::types::ReturnValue;
use headgate_domain::privacy::HoldId;
use headgate_domain::sealing::{Place, open, vault_field_key};
use headgate_domain::time::Timestamp;
use headgate_redact::Personal;

use super::{Keyring, KeyringError, Salt, pk, sealed};
use crate::AwsError;

impl Keyring {
    /// Mints the key of a hold if it is missing.
    ///
    /// # Errors
    /// [`AwsError`] when KMS or the table failed.
    pub async fn mint_hold(&self, hold: &HoldId, now: Timestamp) -> Result<bool, KeyringError> {
        self.mint(hold.as_str(), now).await
    }

    /// Destroys the key of a hold; whether there was one. What it kept is unreadable from here on.
    ///
    /// # Errors
    /// [`AwsError`] when the table did not confirm it.
    pub async fn destroy_hold(&self, hold: &HoldId) -> Result<bool, KeyringError> {
        self.cache.forget(hold.as_str());
        let answer = self
            .dynamodb
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(pk(hold.as_str().to_owned())))
            .return_values(ReturnValue::AllOld)
            .send()
            .await
            .map_err(|e| AwsError::of("DeleteItem", &e))?;
        Ok(answer.attributes.is_some())
    }

    /// Seals what a hold keeps of a person.
    ///
    /// # Errors
    /// [`KeyringError`]; nothing is stored unsealed instead.
    pub async fn seal_held(
        &self,
        hold: &HoldId,
        salt: &Salt,
        place: &Place<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, KeyringError> {
        let key = self.key(hold.as_str()).await?;
        let key = vault_field_key(&key, &salt.0, &self.deployment);
        sealed(&key, hold.as_str(), place, plain)
    }

    /// Opens what a hold has kept of a person.
    ///
    /// # Errors
    /// [`KeyringError`] when the hold was lifted, or the person erased.
    pub async fn open_held(
        &self,
        hold: &HoldId,
        salt: &Salt,
        place: &Place<'_>,
        envelope: &[u8],
    ) -> Result<Personal<Vec<u8>>, KeyringError> {
        let key = self.key(hold.as_str()).await?;
        let key = vault_field_key(&key, &salt.0, &self.deployment);
        open(&key, place, envelope).map_err(|_opaque| KeyringError::NotOpened)
    }
}
