//! Who a message or a consent record is about: found or made by number, looked up by subject id.
//!
//! Owns the reads. An opt-out counts under every identifier of a person, so the suppression keys
//! are those of the addressed identifier and of the stored ones. It judges nothing.

use headgate_aws::keyring::{KeyringError, Salt};
use headgate_domain::consent::Subject;
use headgate_domain::identity::{Identifier, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::Recipient;
use headgate_domain::refusal::Code;
use headgate_domain::time::Timestamp;

use crate::Intake;
use crate::error::{IntakeError, Stop};
use crate::foresight::Foreseen;

/// A person as a message needs them.
pub(crate) struct Person {
    /// What is known.
    pub(crate) subject: Subject,
    /// What their fields are sealed with.
    pub(crate) salt: Salt,
    /// Where the message goes.
    pub(crate) addressed: Identifier,
    /// Their keys on the suppression list.
    pub(crate) suppression: Vec<String>,
    /// What the list says.
    pub(crate) suppressed: Vec<Purpose>,
}

impl Intake {
    /// The person a message is for, and whether they said no.
    pub(crate) async fn person(
        &self,
        to: &Recipient,
        foreseen: &Foreseen,
        now: Timestamp,
    ) -> Result<Person, Stop> {
        let (subject, salt, addressed) = match identifier(to) {
            Ok(addressed) => {
                let (subject, salt) = match foreseen.by_identifier(&addressed) {
                    Some(known) => known.clone(),
                    None => Box::pin(self.find_or_create(&addressed, now)).await?,
                };
                (subject, salt, addressed)
            }
            Err(id) => {
                let (subject, salt) = match foreseen.people.get(id) {
                    Some(known) => known.clone(),
                    None => Box::pin(self.known(id)).await?,
                };
                let addressed = subject.identifiers().next().ok_or(Code::UnknownSubject)?;
                (subject, salt, addressed)
            }
        };
        let mut names: Vec<Identifier> = subject.identifiers().collect();
        names.push(addressed.clone());
        let mut suppression = self.consents.all_suppression_keys(&names);
        suppression.sort_unstable();
        suppression.dedup();
        let mut suppressed = Vec::new();
        let mut unread = Vec::new();
        for key in &suppression {
            match foreseen.suppressed.get(key) {
                Some(purposes) => suppressed.extend(purposes),
                None => unread.push(key.clone()),
            }
        }
        if !unread.is_empty() {
            let covered = self.consents.suppression().covering(&unread).await?;
            suppressed.extend(covered.into_iter().flat_map(|(_, purposes)| purposes));
        }
        Ok(Person {
            subject,
            salt,
            addressed,
            suppression,
            suppressed,
        })
    }

    /// The person a consent record is about.
    pub(crate) async fn subject(&self, to: &Recipient, now: Timestamp) -> Result<Subject, Stop> {
        match identifier(to) {
            Ok(addressed) => Ok(self.find_or_create(&addressed, now).await?.0),
            Err(id) => Ok(self.known(id).await?.0),
        }
    }

    /// Whether something was said before whoever it is of was erased: then it brings them back no more.
    pub(crate) async fn is_from_before(
        &self,
        to: &Recipient,
        said_at: Timestamp,
    ) -> Result<bool, IntakeError> {
        let Ok(addressed) = identifier(to) else {
            return Ok(false);
        };
        let keys = self.consents.suppression_keys(&addressed);
        let erased_at = self.consents.suppression().erased_at(&keys).await?;
        Ok(erased_at.is_some_and(|erased_at| said_at <= erased_at))
    }

    /// A subject an app named; one that was erased is as unknown as one that never was.
    async fn known(&self, id: &SubjectId) -> Result<(Subject, Salt), Stop> {
        match self.subjects().load_with_salt(id).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) | Err(KeyringError::NoKey) => Err(Code::UnknownSubject.into()),
            Err(
                error @ (KeyringError::PastRetention
                | KeyringError::NotOpened
                | KeyringError::Aws(_)),
            ) => Err(error.into()),
        }
    }

    /// The person behind an identifier. Where a pointer exists, its row may still be on its way, from
    /// a record beside this one or from an attempt that was cut off: a no said now must not miss the
    /// number.
    async fn find_or_create(
        &self,
        addressed: &Identifier,
        now: Timestamp,
    ) -> Result<(Subject, Salt), Stop> {
        let subjects = self.subjects();
        let id = subjects
            .find_or_create(std::slice::from_ref(addressed), now)
            .await?;
        if let Some(found) = subjects.load_with_salt(&id).await? {
            return Ok(found);
        }
        subjects.restore(&id, addressed, now).await?;
        let found = subjects.load_with_salt(&id).await?;
        Ok(found.ok_or(IntakeError::SubjectInMotion)?)
    }

    /// Keeps the app's key of the person, when it gave one that is not stored yet.
    pub(crate) async fn note_reference(
        &self,
        subject: &Subject,
        reference: Option<&str>,
    ) -> Result<(), IntakeError> {
        match reference {
            Some(new) if subject.reference.as_deref() != Some(new) => {
                Ok(self.subjects().put_reference(&subject.id, new).await?)
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The identifier a recipient is given by, or the subject.
pub(crate) fn identifier(to: &Recipient) -> Result<Identifier, &SubjectId> {
    match to {
        Recipient::Phone(phone) => Ok(Identifier::Phone(phone.clone())),
        Recipient::Bsuid(bsuid) => Ok(Identifier::Bsuid(bsuid.clone())),
        Recipient::Subject(subject) => Err(subject),
    }
}
