//! The versions of the vault key: what lives as long as a consent is sealed under the newest and opened by the one
//! that its envelope names.
//!
//! `vault#current` names the newest. It is read once in five minutes, like every key, so for that long after a new
//! version is in force somebody may still seal under the one before; what then looks for leftovers begins later.
//! Only `retention-purge` mints, when the newest is a year old or an operator has asked for the next, and destroys the
//! versions that nothing needs any more.

use std::time::Instant;

use headgate_domain::retention::KeyName;
use headgate_domain::sealing::{Place, key_id, open, vault_field_key};
use headgate_domain::time::{DAY, Timestamp};
use headgate_redact::Personal;

use super::{KEPT, Keyring, KeyringError, Salt, id_of, pk, sealed};
use crate::AwsError;
use crate::item::{Attributes, Item, ms, n, was_taken};
use crate::privacy_requests::Walk;

/// The item that names the newest version.
const CURRENT: &str = "vault#current";
/// The first version, in force as long as no item names another.
const FIRST: VaultVersion = VaultVersion(1);
/// After this long the next version is minted.
const ROTATION_MS: i64 = 365 * DAY;

/// A version of the vault key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultVersion(u32);

impl VaultVersion {
    /// The first, in force as long as no item names another.
    pub const FIRST: Self = FIRST;

    /// The version of a number, from 1.
    pub const fn numbered(number: u32) -> Self {
        Self(number)
    }

    /// Its number, from 1.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The version that an envelope names; `None` when it names no key of the vault.
    pub fn of(envelope: &[u8]) -> Option<Self> {
        let number = key_id(envelope).ok()?.strip_prefix("vault#")?;
        let version = Self(number.parse().ok()?);
        // One spelling: `vault#01` and `vault#+1` are nobody's.
        (version.0 > 0 && version.0.to_string() == number).then_some(version)
    }

    const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    fn id(self) -> String {
        id_of(KeyName::Vault(self.0))
    }
}

impl Keyring {
    /// Seals what lives as long as the consent, under the newest version.
    ///
    /// # Errors
    /// [`KeyringError`]; nothing is stored unsealed instead.
    pub async fn seal_vault(
        &self,
        salt: &Salt,
        place: &Place<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, KeyringError> {
        let id = self.newest_vault().await?.id();
        let key = self.key(&id).await?;
        sealed(
            &vault_field_key(&key, &salt.0, &self.deployment),
            &id,
            place,
            plain,
        )
    }

    /// Opens what was sealed in the vault, under the version it names.
    ///
    /// # Errors
    /// [`KeyringError`] when the salt or key is gone, or the value is not from this place.
    pub async fn open_vault(
        &self,
        salt: &Salt,
        place: &Place<'_>,
        envelope: &[u8],
    ) -> Result<Personal<Vec<u8>>, KeyringError> {
        let version = VaultVersion::of(envelope).ok_or(KeyringError::NotOpened)?;
        let key = self.key(&version.id()).await?;
        open(
            &vault_field_key(&key, &salt.0, &self.deployment),
            place,
            envelope,
        )
        .map_err(|_opaque| KeyringError::NotOpened)
    }

    /// The version that is sealed under, as it was at most five minutes ago.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read.
    pub async fn newest_vault(&self) -> Result<VaultVersion, AwsError> {
        if let Ok(newest) = self.newest.lock()
            && let Some((since, version)) = *newest
            && since.elapsed() < KEPT
        {
            return Ok(version);
        }
        let version = self.current().await?.unwrap_or(FIRST);
        if let Ok(mut newest) = self.newest.lock() {
            *newest = Some((Instant::now(), version));
        }
        Ok(version)
    }

    /// The version in force and since when, read consistently; nothing as long as there was only the first.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read.
    pub async fn vault_in_force(&self) -> Result<Option<(VaultVersion, Timestamp)>, AwsError> {
        let Some(item) = self.read(CURRENT).await? else {
            return Ok(None);
        };
        // Sealing under the first instead would be going back.
        named(&item)
            .zip(item.time("since"))
            .map(Some)
            .ok_or_else(|| AwsError::new("GetItem", "no version of the vault"))
    }

    /// The version that is to be made: the first where there is none, the next where the newest is a year old, or older
    /// than the moment an operator asked for another.
    ///
    /// # Errors
    /// [`AwsError`] when the table cannot be read; [`KeyringError::NoKey`] when the newest is gone.
    pub async fn due_vault(
        &self,
        now: Timestamp,
        asked_at: Option<Timestamp>,
    ) -> Result<Option<VaultVersion>, KeyringError> {
        let newest = self.current().await?.unwrap_or(FIRST);
        let Some(item) = self.read(&newest.id()).await? else {
            // With a version in force and no key, a new key under the same name would open nothing.
            return if newest == FIRST {
                Ok(Some(FIRST))
            } else {
                Err(KeyringError::NoKey)
            };
        };
        let minted_at = item.time("minted_at").unwrap_or(now);
        let is_old = now >= minted_at.plus_millis(ROTATION_MS);
        // Asked for since; and not by a clock that is ahead, which would ask again with every run.
        let is_asked = asked_at.is_some_and(|asked| minted_at < asked && asked <= now);
        Ok((is_old || is_asked).then(|| newest.next()))
    }

    /// Makes a version that is due, and puts it in force; `false` when another run has.
    ///
    /// # Errors
    /// [`AwsError`] when KMS or the table failed; making it again goes on where it ended.
    pub async fn mint_vault(
        &self,
        version: VaultVersion,
        now: Timestamp,
    ) -> Result<bool, KeyringError> {
        // A run that died after this has left the key, which nobody has sealed under yet.
        let is_new = self.mint(&version.id(), now).await?;
        if version == FIRST {
            return Ok(is_new);
        }
        Ok(self.put_in_force(version, now).await?)
    }

    /// The versions that nothing needs any more, by what a walk through the table of people has found; whether or not
    /// they are still there.
    ///
    /// # Errors
    /// [`AwsError`] when it cannot be read which is in force.
    pub async fn outlived_vaults(&self, walk: Option<&Walk>) -> Result<Vec<KeyName>, AwsError> {
        let is_everywhere = |newest: &VaultVersion| {
            let walk = walk.filter(|walk| walk.version == newest.0);
            walk.is_some_and(Walk::has_outlived_the_older)
        };
        let newest = self.current().await?.filter(is_everywhere);
        let older = 1..newest.map_or(1, VaultVersion::number);
        Ok(older.map(KeyName::Vault).collect())
    }

    async fn current(&self) -> Result<Option<VaultVersion>, AwsError> {
        let in_force = self.vault_in_force().await?;
        Ok(in_force.map(|(version, _since)| version))
    }

    /// Names the next version; `false` when another run did.
    async fn put_in_force(&self, next: VaultVersion, now: Timestamp) -> Result<bool, AwsError> {
        let mut item = pk(CURRENT.to_owned());
        item.insert("version".to_owned(), n(next.0));
        item.insert("since".to_owned(), ms(now));
        let answer = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR #version = :before")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":before", n(next.0.saturating_sub(1)))
            .send()
            .await;
        let is_ours = was_taken(answer.map_err(|e| AwsError::of("PutItem", &e)))?;
        if is_ours && let Ok(mut newest) = self.newest.lock() {
            *newest = None;
        }
        Ok(is_ours)
    }
}

fn named(item: &Item) -> Option<VaultVersion> {
    let number = u32::try_from(item.number("version")?).ok()?;
    Some(VaultVersion(number))
}
