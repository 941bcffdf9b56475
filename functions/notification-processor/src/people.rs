//! Finding the person behind an update, and mending what an interrupted start left behind.
//!
//! A subject is made in two writes: the pointer from an identifier, then the row. A crash between
//! them leaves a person whose number an opt-out would not find; whoever comes next completes it.

use headgate_aws::keyring::{KeyringError, Salt};
use headgate_domain::consent::Subject;
use headgate_domain::event::Event;
use headgate_domain::identity::{Bsuid, Identifier, Phone, Pseudonym, SubjectId};
use headgate_domain::time::Timestamp;

use crate::config::Ports;
use crate::identity::{self, Named};
use crate::outcome::Failure;

/// The names Meta gave for a person.
pub(crate) fn identifiers(phone: Option<&Phone>, bsuid: Option<&Bsuid>) -> Vec<Identifier> {
    let phone = phone.cloned().map(Identifier::Phone);
    let bsuid = bsuid.cloned().map(Identifier::Bsuid);
    phone.into_iter().chain(bsuid).collect()
}

/// A person who is known.
pub(crate) struct Met {
    /// What is known.
    pub(crate) subject: Subject,
    /// What their fields are sealed with.
    pub(crate) salt: Salt,
    /// What meeting them changed, for the apps.
    pub(crate) events: Vec<Event>,
}

/// The person behind identifiers at a moment, created when nobody is known by any of them.
pub(crate) async fn meet(
    ports: &Ports,
    phone: Option<&Phone>,
    bsuid: Option<&Bsuid>,
    (at, now): (Timestamp, Timestamp),
) -> Result<Met, Failure> {
    let at = at.min(now);
    let known = identifiers(phone, bsuid);
    let mut held = Vec::with_capacity(known.len());
    for identifier in &known {
        held.push(ports.subjects.holder(identifier, at).await?);
    }
    let is_known = held.iter().any(Option::is_some);
    if !is_known {
        refuse_the_erased(ports, &known, at).await?;
    }
    let mut events = Vec::new();
    let id = match (held.as_slice(), phone, bsuid) {
        ([Some(only)], ..) => only.subject.clone(),
        ([Some(one), Some(other)], ..) if one.subject == other.subject => one.subject.clone(),
        ([by_phone, by_bsuid], Some(phone), Some(bsuid))
            if by_phone.is_some() || by_bsuid.is_some() =>
        {
            let named = Named { phone, bsuid };
            let held = (by_phone.as_ref(), by_bsuid.as_ref());
            let found = Box::pin(identity::reconcile(ports, &named, held, (at, now))).await?;
            events = found.1;
            found.0
        }
        _ => Box::pin(ports.subjects.find_or_create(&known, now)).await?,
    };
    // What has passed to somebody else meanwhile is not written into the row of who had it then.
    let theirs: Vec<Identifier> = known
        .into_iter()
        .zip(held)
        .filter(|(_identifier, held)| held.as_ref().is_none_or(|held| held.still))
        .map(|(identifier, _held)| identifier)
        .collect();
    let met = Box::pin(load(ports, &id, &theirs, now)).await?;
    if is_known {
        refuse_what_is_older(ports, &met.subject, &identifiers(phone, bsuid), at).await?;
    }
    Ok(Met { events, ..met })
}

/// Whoever was erased and wrote again is somebody new: what is older than that is not theirs.
pub(crate) async fn refuse_what_is_older(
    ports: &Ports,
    person: &Subject,
    named: &[Identifier],
    at: Timestamp,
) -> Result<(), Failure> {
    if person.created_at.is_some_and(|since| at < since) {
        refuse_the_erased(ports, named, at).await?;
    }
    Ok(())
}

/// What comes late from before a person was erased must not bring them back, or anything of them.
async fn refuse_the_erased(
    ports: &Ports,
    known: &[Identifier],
    at: Timestamp,
) -> Result<(), Failure> {
    let keys: Vec<Pseudonym> = known
        .iter()
        .flat_map(|identifier| ports.consents.suppression_keys(identifier))
        .collect();
    match ports.consents.suppression().erased_at(&keys).await? {
        Some(erased_at) if at <= erased_at => Err(Failure::Erased),
        Some(_) | None => Ok(()),
    }
}

/// What is known of a subject; identifiers that its row lacks are completed.
pub(crate) async fn load(
    ports: &Ports,
    id: &SubjectId,
    identifiers: &[Identifier],
    now: Timestamp,
) -> Result<Met, Failure> {
    let mut known = match ports.subjects.load_with_salt(id).await {
        Ok(known) => known,
        Err(error) => return Err(blame(ports, id, error).await),
    };
    if known.is_none()
        && let Some(first) = identifiers.first()
    {
        ports.subjects.restore(id, first, now).await?;
        known = ports.subjects.load_with_salt(id).await?;
    }
    let (mut subject, salt) = known.ok_or(KeyringError::NoKey)?;
    for identifier in identifiers {
        let is_missing = match identifier {
            Identifier::Phone(_) => subject.phone.is_none(),
            Identifier::Bsuid(_) => subject.bsuid.is_none(),
        };
        if is_missing {
            ports
                .subjects
                .complete(&subject.id, identifier, now)
                .await?;
            match identifier {
                Identifier::Phone(phone) => subject.phone = Some(phone.clone()),
                Identifier::Bsuid(bsuid) => subject.bsuid = Some(bsuid.clone()),
            }
        }
    }
    Ok(Met {
        subject,
        salt,
        events: Vec::new(),
    })
}

/// Whose fault it is that a value does not open. A key of a day or of the vault that is missing is
/// ours, and may come back; a person's own does not, and costs that person's updates alone.
pub(crate) async fn blame(ports: &Ports, subject: &SubjectId, error: KeyringError) -> Failure {
    match error {
        KeyringError::NotOpened => Failure::Person,
        KeyringError::NoKey => match own_keys(ports, subject).await {
            Ok(true) => error.into(),
            Ok(false) => Failure::Person,
            Err(unknown) => unknown.into(),
        },
        KeyringError::PastRetention | KeyringError::Aws(_) => error.into(),
    }
}

/// Whether a person's own keys are there.
async fn own_keys(ports: &Ports, subject: &SubjectId) -> Result<bool, KeyringError> {
    for found in [
        ports.keyring.salt(subject).await.map(|_salt| ()),
        ports.keyring.evidence_salt(subject).await.map(|_salt| ()),
    ] {
        match found {
            Ok(()) => {}
            Err(KeyringError::NoKey) => return Ok(false),
            Err(unknown) => return Err(unknown),
        }
    }
    Ok(true)
}
