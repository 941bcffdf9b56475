//! Every version of a pepper that a name may be made with, and which of them are in force.
//!
//! What is in force is read again after five minutes, before a function begins with its work: nothing changes under
//! its hands, and no invocation is longer than what the rule counts with.

use std::sync::{Arc, Mutex};

use headgate_domain::identity::{Identifier, Pepper, PepperVersion, Pseudonym};
use headgate_domain::time::{MINUTE, Timestamp};

use super::version;
use crate::controls::Controls;
use crate::{Aws, AwsError};

/// So long what was read counts; [`PepperVersion`] waits for longer.
const CACHE_MS: i64 = 5 * MINUTE;

/// The versions of one pepper.
#[derive(Clone)]
pub struct Peppers {
    kms: aws_sdk_kms::Client,
    controls: Controls,
    key_id: Arc<str>,
    deployment: Arc<str>,
    ring: Arc<Mutex<Arc<Ring>>>,
}

/// What was in force when it was read.
struct Ring {
    version: PepperVersion,
    newest: Arc<Pepper>,
    /// The peppers of the versions before, from the first.
    before: Vec<Arc<Pepper>>,
    /// Nothing, before it was read.
    read_at: Option<Timestamp>,
}

impl Peppers {
    /// Computes the first version of the pepper of an HMAC key. Which is in force is not known before the first
    /// [`refresh`](Self::refresh), which every work begins with.
    ///
    /// # Errors
    /// [`AwsError`] when KMS does not answer: without names nobody is found (I5).
    pub async fn open(
        aws: &Aws,
        controls: &Controls,
        key_id: &str,
        deployment: &str,
    ) -> Result<Self, AwsError> {
        let kms = aws.kms();
        let ring = Ring {
            version: PepperVersion::FIRST,
            newest: Arc::new(Box::pin(version(&kms, key_id, deployment, 1)).await?),
            before: Vec::new(),
            read_at: None,
        };
        Ok(Self {
            controls: controls.clone(),
            key_id: key_id.into(),
            deployment: deployment.into(),
            ring: Arc::new(Mutex::new(Arc::new(ring))),
            kms,
        })
    }

    /// Reads again what is in force, if that was some time ago.
    ///
    /// # Errors
    /// [`AwsError`] when KMS or the controls do not answer.
    pub async fn refresh(&self, now: Timestamp) -> Result<(), AwsError> {
        if self.is_fresh(now) {
            return Ok(());
        }
        let in_force = self.controls.pepper_version().await?;
        self.follow(in_force, now).await
    }

    /// Whether what was read counts.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        // A clock that went back has read nothing yet.
        let age = self.ring().read_at.map(|read_at| now.millis_since(read_at));
        age.is_some_and(|age| (0..CACHE_MS).contains(&age))
    }

    /// Has a version in force that was read now.
    ///
    /// # Errors
    /// [`AwsError`] when KMS does not answer, or the version went back.
    pub(crate) async fn follow(
        &self,
        in_force: PepperVersion,
        now: Timestamp,
    ) -> Result<(), AwsError> {
        let known = self.ring();
        let (mut newest, mut before) = (known.newest.clone(), known.before.clone());
        for number in known.version.number()..in_force.number() {
            let next = number.saturating_add(1);
            let pepper = version(&self.kms, &self.key_id, &self.deployment, next);
            let pepper = Box::pin(pepper).await?;
            before.push(std::mem::replace(&mut newest, Arc::new(pepper)));
        }
        if in_force.number() < known.version.number() {
            // Under the names of before nobody would be found who was written since, and no objection.
            return Err(AwsError::new("reading the peppers' version", "went back"));
        }
        let ring = Arc::new(Ring {
            version: in_force,
            newest,
            before,
            read_at: Some(now),
        });
        if let Ok(mut held) = self.ring.lock() {
            *held = ring;
        }
        Ok(())
    }

    fn ring(&self) -> Arc<Ring> {
        match self.ring.lock() {
            Ok(held) => held.clone(),
            // Whoever panicked was replacing one whole with another.
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    /// Which version is in force.
    pub fn version(&self) -> PepperVersion {
        self.ring().version
    }

    /// The names under which a pointer may stand, the newest first.
    pub(crate) fn pointers(&self, identifier: &Identifier) -> Vec<Pseudonym> {
        let ring = self.ring();
        let versions = ring.version.of_pointers();
        versions
            .map(|number| identifier.pseudonym(ring.pepper(number), number, &self.deployment))
            .collect()
    }

    /// The name under which a new pointer is written.
    pub(crate) fn new_pointer(&self, identifier: &Identifier) -> Pseudonym {
        let ring = self.ring();
        let number = ring
            .version
            .of_new_pointer(ring.read_at.unwrap_or_default());
        identifier.pseudonym(ring.pepper(number), number, &self.deployment)
    }

    /// The keys under which an entry of the suppression list may stand, the newest first.
    pub(crate) fn entries(&self, identifier: &Identifier) -> Vec<Pseudonym> {
        let ring = self.ring();
        let versions = ring.version.of_entries();
        versions
            .map(|number| identifier.suppression_key(ring.pepper(number), number, &self.deployment))
            .collect()
    }

    /// The keys under which an entry is written.
    pub fn new_entries(&self, identifier: &Identifier) -> Vec<Pseudonym> {
        let ring = self.ring();
        let versions = ring.version.of_new_entry(ring.read_at.unwrap_or_default());
        versions
            .map(|number| identifier.suppression_key(ring.pepper(number), number, &self.deployment))
            .collect()
    }
}

impl Ring {
    /// The pepper of a version in force; there is one of each up to the newest.
    fn pepper(&self, number: u32) -> &Pepper {
        let before = number
            .checked_sub(1)
            .and_then(|index| self.before.get(usize::try_from(index).ok()?));
        before.unwrap_or(&self.newest)
    }
}
