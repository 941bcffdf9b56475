//! The keys of a run: what is to be made and destroyed is written down before it is done, so that a run which ends
//! anywhere leaves nothing without evidence.

use headgate_aws::evidence::OpenPurge;
use headgate_aws::keyring::VaultVersion;
use headgate_aws::privacy_requests::Errand;
use headgate_domain::retention::{self, Destroyed, KeyName, Manifest};
use headgate_domain::time::Timestamp;

use super::progress::Progress;
use super::{PurgeError, RetentionPurge};

/// What a run does to keys.
pub(crate) struct Work {
    /// All of it, as it is written down.
    open: OpenPurge,
    /// Made by an earlier run that left no evidence.
    made: Vec<KeyName>,
    /// What the vault needs, as far as that could be found out: it holds up no day.
    pub(crate) vault: Result<(), PurgeError>,
}

impl Work {
    /// What was to be made and is not in the manifest.
    pub(crate) fn untold(&self, manifest: &Manifest) -> OpenPurge {
        let is_told = |name: &KeyName| match name {
            KeyName::Day(day) => manifest.minted.contains(day),
            KeyName::Vault(version) => manifest.minted_vault == Some(*version),
        };
        let mut mint = self.open.mint.clone();
        mint.retain(|name| !is_told(name));
        OpenPurge {
            mint,
            destroy: Vec::new(),
        }
    }
}

impl RetentionPurge {
    /// Finds what is due, or was left without evidence, and writes it down.
    pub(crate) async fn plan(
        &self,
        now: Timestamp,
        progress: &mut Progress,
    ) -> Result<Work, PurgeError> {
        let mut work = Work {
            open: OpenPurge::default(),
            made: Vec::new(),
            vault: Ok(()),
        };
        if !progress.is_closed {
            let left = self.evidence.open_purge().await?;
            progress.is_closed = left.is_empty();
            self.take_up(left, now, &mut work).await?;
        }
        work.vault = self.plan_vault(now, progress, &mut work.open).await;
        for day in progress.to_mint(now) {
            if !self.keyring.has(day.into()).await? {
                work.open.mint.push(day.into());
            }
        }
        let due = progress.to_destroy(now);
        for name in due.iter().copied().map(KeyName::Day) {
            self.add(&mut work.open.destroy, name).await?;
        }
        // Where the oldest day of the look-back still had a key, nobody ran for long: go on back.
        let has = |day| {
            let mut known = work.open.destroy.iter();
            known.any(|known| known.name == KeyName::Day(day))
        };
        let mut oldest = due.first().copied().filter(|day| has(*day));
        while let Some(day) = oldest.map(|day| day.plus(-1)) {
            let is_there = self.add(&mut work.open.destroy, day.into()).await?;
            oldest = is_there.then_some(day);
        }
        // Days first: nothing the vault needs holds them up.
        work.open.destroy.sort_unstable_by_key(|one| one.name);
        work.open.mint.sort_unstable();
        progress.destroyed_through = due.last().copied().or(progress.destroyed_through);
        if !work.open.is_empty() {
            self.evidence.put_open_purge(&work.open).await?;
            progress.is_closed = false;
        }
        Ok(work)
    }

    /// Goes on with what an earlier run has begun and left no evidence of.
    async fn take_up(
        &self,
        left: OpenPurge,
        now: Timestamp,
        work: &mut Work,
    ) -> Result<(), PurgeError> {
        let last_due = retention::days_to_destroy(now).last();
        for key in left.destroy {
            let is_due = match key.name {
                KeyName::Day(day) => last_due.is_some_and(|last| day <= last),
                // Whether it may go is asked anew, unless it has gone.
                KeyName::Vault(_version) => false,
            };
            if is_due || !self.keyring.has(key.name).await? {
                work.open.destroy.push(key);
            }
        }
        for name in left.mint {
            let is_made = match name {
                KeyName::Day(_day) => self.keyring.has(name).await?,
                KeyName::Vault(version) => self.is_in_force(version).await?,
            };
            // What was not made is planned like anything else, if it is still due.
            if is_made {
                work.open.mint.push(name);
                work.made.push(name);
            }
        }
        Ok(())
    }

    async fn is_in_force(&self, version: u32) -> Result<bool, PurgeError> {
        let in_force = self.keyring.vault_in_force().await?;
        let newest = in_force.map_or(VaultVersion::FIRST, |(newest, _since)| newest);
        Ok(version <= newest.number() && self.keyring.has(KeyName::Vault(version)).await?)
    }

    /// Once a day, or when it was asked for: the vault key that is missing or due, and the versions that nothing needs
    /// any more.
    async fn plan_vault(
        &self,
        now: Timestamp,
        progress: &mut Progress,
        open: &mut OpenPurge,
    ) -> Result<(), PurgeError> {
        let asked_at = self.controls.vault_asked_at().await?;
        if progress.has_vault(now, asked_at) {
            return Ok(());
        }
        let walk = self.requests.walk(Errand::Reseal).await?;
        for name in self.keyring.outlived_vaults(walk.as_ref()).await? {
            self.add(&mut open.destroy, name).await?;
        }
        let is_vault = |name: &KeyName| matches!(name, KeyName::Vault(_version));
        // One a run: a manifest has one line for it.
        if !open.mint.iter().any(is_vault) {
            let due = self.keyring.due_vault(now, asked_at).await?;
            open.mint
                .extend(due.map(|version| KeyName::Vault(version.number())));
            progress.vault = Some((now.day(), asked_at));
        }
        Ok(())
    }

    /// Adds a key that still exists, with its hash; whether there was one.
    async fn add(&self, keys: &mut Vec<Destroyed>, name: KeyName) -> Result<bool, PurgeError> {
        if keys.iter().any(|known| known.name == name) {
            return Ok(true);
        }
        let hash = self.keyring.fingerprint(name).await?;
        let is_there = hash.is_some();
        if is_there {
            keys.push(Destroyed { name, hash });
        }
        Ok(is_there)
    }

    /// Destroys what is due, and looks for each key again.
    pub(crate) async fn destroy(
        &self,
        work: &Work,
        manifest: &mut Manifest,
    ) -> Result<(), PurgeError> {
        for Destroyed { name, .. } in &work.open.destroy {
            self.keyring.destroy(*name).await?;
        }
        for Destroyed { name, .. } in &work.open.destroy {
            if self.keyring.has(*name).await? {
                return Err(PurgeError::StillThere);
            }
        }
        manifest.destroyed.clone_from(&work.open.destroy);
        Ok(())
    }

    /// Makes what is missing, and tells what an earlier run has made.
    pub(crate) async fn mint(
        &self,
        work: &Work,
        now: Timestamp,
        progress: &mut Progress,
        manifest: &mut Manifest,
    ) -> Result<(), PurgeError> {
        for name in &work.open.mint {
            let is_ours = work.made.contains(name) || self.mint_one(*name, now).await?;
            match name {
                KeyName::Day(day) if is_ours => manifest.minted.push(*day),
                KeyName::Vault(version) if is_ours => manifest.minted_vault = Some(*version),
                KeyName::Day(_) | KeyName::Vault(_) => {}
            }
        }
        let days = retention::days_to_mint(now);
        progress.minted_through = days.last().max(progress.minted_through);
        Ok(())
    }

    async fn mint_one(&self, name: KeyName, now: Timestamp) -> Result<bool, PurgeError> {
        Ok(match name {
            KeyName::Day(day) => self.keyring.mint_day(day, now).await?,
            KeyName::Vault(version) => {
                let version = VaultVersion::numbered(version);
                self.keyring.mint_vault(version, now).await?
            }
        })
    }
}
