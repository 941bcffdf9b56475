//! Finding the person behind an update, and mending what an interrupted start left behind.
//!
//! A subject is made in two writes: the pointer from an identifier, then the row. A crash between
//! them leaves a person whose number an opt-out would not find; whoever comes next completes it.

use headgate_aws::keyring::{KeyringError, Salt};
use headgate_domain::consent::Subject;
use headgate_domain::identity::{Bsuid, Identifier, Phone};
use headgate_domain::time::Timestamp;

use crate::config::Ports;

/// The names Meta gave for a person.
pub(crate) fn identifiers(phone: Option<&Phone>, bsuid: Option<&Bsuid>) -> Vec<Identifier> {
    let phone = phone.cloned().map(Identifier::Phone);
    let bsuid = bsuid.cloned().map(Identifier::Bsuid);
    phone.into_iter().chain(bsuid).collect()
}

/// The person behind identifiers, created when nobody is known by any of them.
pub(crate) async fn meet(
    ports: &Ports,
    identifiers: &[Identifier],
    now: Timestamp,
) -> Result<(Subject, Salt), KeyringError> {
    let id = ports.subjects.find_or_create(identifiers, now).await?;
    let mut known = ports.subjects.load_with_salt(&id).await?;
    if known.is_none()
        && let Some(first) = identifiers.first()
    {
        ports.subjects.restore(&id, first, now).await?;
        known = ports.subjects.load_with_salt(&id).await?;
    }
    let (mut subject, salt) = known.ok_or(KeyringError::NoKey)?;
    for identifier in identifiers {
        let is_missing = match identifier {
            Identifier::Phone(_) => subject.phone.is_none(),
            Identifier::Bsuid(_) => subject.bsuid.is_none(),
        };
        if is_missing {
            ports.subjects.complete(&id, identifier, now).await?;
            match identifier {
                Identifier::Phone(phone) => subject.phone = Some(phone.clone()),
                Identifier::Bsuid(bsuid) => subject.bsuid = Some(bsuid.clone()),
            }
        }
    }
    Ok((subject, salt))
}
