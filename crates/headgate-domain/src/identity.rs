//! Who a person is to us, and under which names they are stored.
//!
//! Owns the identifiers of a person (telephone number, business-scoped user id), the subject they
//! belong to, Meta's message id, which embeds a number, and the keyed pseudonyms that stand for
//! all of these at rest. Every type here prints as a placeholder; the text in clear is
//! behind `reveal`. Whether two identifiers are
//! one person is decided by who is known under each ([`meet`]).

mod bsuid;
mod meeting;
mod phone;
mod pseudonym;
mod rotation;
mod subject;
mod visitor;
mod wamid;

pub use bsuid::{Bsuid, InvalidBsuid};
pub use meeting::{Meeting, meet};
pub use phone::{InvalidPhone, Phone};
pub use pseudonym::{InvalidPseudonym, Kind, Pepper, Pseudonym, PseudonymTag, pseudonym};
pub use rotation::PepperVersion;
pub(crate) use subject::base32;
pub use subject::{InvalidSubjectId, SubjectId};
pub use visitor::Visitor;
pub use wamid::{InvalidWamid, Wamid};

/// One of the names Meta has for a person.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Identifier {
    /// A telephone number.
    Phone(Phone),
    /// A business-scoped user id.
    Bsuid(Bsuid),
}

impl Identifier {
    /// The kind of pseudonym this identifier is looked up under.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Phone(_) => Kind::Phone,
            Self::Bsuid(_) => Kind::Bsuid,
        }
    }

    /// The identifier in clear.
    pub fn reveal(&self) -> &str {
        match self {
            Self::Phone(phone) => phone.reveal(),
            Self::Bsuid(bsuid) => bsuid.reveal(),
        }
    }

    /// The name under which the identifier leads to its subject.
    pub fn pseudonym(&self, pepper: &Pepper, version: u32, deployment: &str) -> Pseudonym {
        pseudonym(pepper, self.kind(), version, deployment, self.reveal())
    }

    /// The name under which an opt-out is kept. Another pepper and another kind, so that the two
    /// lists cannot be joined without both keys.
    pub fn suppression_key(&self, pepper: &Pepper, version: u32, deployment: &str) -> Pseudonym {
        pseudonym(
            pepper,
            Kind::Suppression,
            version,
            deployment,
            self.reveal(),
        )
    }
}

impl From<Phone> for Identifier {
    fn from(phone: Phone) -> Self {
        Self::Phone(phone)
    }
}

impl From<Bsuid> for Identifier {
    fn from(bsuid: Bsuid) -> Self {
        Self::Bsuid(bsuid)
    }
}

#[cfg(test)]
mod tests;
