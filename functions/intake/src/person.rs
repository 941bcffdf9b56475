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
    pub(crate) async fn person(&self, to: &Recipient, now: Timestamp) -> Result<Person, Stop> {
        let (subject, salt, addressed, mut suppression, mut covered) = match identifier(to) {
            Ok(addressed) => {
                let keys = vec![self.suppression_key(&addressed)];
                let known = std::slice::from_ref(&addressed);
                let (id, covered) = tokio::join!(
                    self.subjects().find_or_create(known, now),
                    self.consents.suppression().covering(&keys)
                );
                let (subject, salt) = self.settled(&id?, &addressed, now).await?;
                (subject, salt, addressed, keys, covered?)
            }
            Err(id) => {
                let (subject, salt) = self.known(id).await?;
                let addressed = stored(&subject).next().ok_or(Code::UnknownSubject)?;
                (subject, salt, addressed, Vec::new(), Vec::new())
            }
        };
        let mut unread: Vec<String> = stored(&subject)
            .map(|identifier| self.suppression_key(&identifier))
            .collect();
        unread.retain(|key| !suppression.contains(key));
        if !unread.is_empty() {
            covered.extend(self.consents.suppression().covering(&unread).await?);
            suppression.extend(unread);
        }
        let suppressed = covered
            .into_iter()
            .flat_map(|(_, purposes)| purposes)
            .collect();
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
            Ok(addressed) => {
                let id = self
                    .subjects()
                    .find_or_create(std::slice::from_ref(&addressed), now)
                    .await?;
                Ok(self.settled(&id, &addressed, now).await?.0)
            }
            Err(id) => Ok(self.known(id).await?.0),
        }
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

    /// A subject whose pointer exists. Its row may be on its way, from a record beside this one or
    /// from an attempt that was cut off: a no said now must not miss the number.
    async fn settled(
        &self,
        id: &SubjectId,
        addressed: &Identifier,
        now: Timestamp,
    ) -> Result<(Subject, Salt), Stop> {
        if let Some(found) = self.subjects().load_with_salt(id).await? {
            return Ok(found);
        }
        self.subjects().restore(id, addressed, now).await?;
        Ok(self
            .subjects()
            .load_with_salt(id)
            .await?
            .ok_or(IntakeError::SubjectInMotion)?)
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

    fn suppression_key(&self, identifier: &Identifier) -> String {
        self.consents
            .suppression_key(identifier)
            .as_str()
            .to_owned()
    }
}

/// The identifier a recipient is given by, or the subject.
fn identifier(to: &Recipient) -> Result<Identifier, &SubjectId> {
    match to {
        Recipient::Phone(phone) => Ok(Identifier::Phone(phone.clone())),
        Recipient::Bsuid(bsuid) => Ok(Identifier::Bsuid(bsuid.clone())),
        Recipient::Subject(subject) => Err(subject),
    }
}

/// The stored identifiers, the number first: Meta takes either, and the number survives a change of business.
fn stored(subject: &Subject) -> impl Iterator<Item = Identifier> {
    let phone = subject.phone.clone().map(Identifier::Phone);
    let bsuid = subject.bsuid.clone().map(Identifier::Bsuid);
    phone.into_iter().chain(bsuid)
}
