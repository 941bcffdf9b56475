//! What can change in the live controls, and who says so.
//!
//! Owns the vocabulary of the writers. A halt has an owner, and each owner a place of its own.

use headgate_domain::config::{Category, TemplateStatus};
use headgate_domain::live::{Pause, Quality, Tier};

/// Who orders a halt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A person, at the command line: what they say counts from now on.
    Person,
    /// Meta, by a notification: what it says counts from its own time on. Each cause has a place of its
    /// own, because the end of one is not the end of another.
    Meta(Cause),
}

impl Owner {
    pub(super) fn word(self) -> String {
        match self {
            Self::Person => "person".to_owned(),
            Self::Meta(cause) => format!("meta_{}", cause.word()),
        }
    }
}

/// Why Meta halts something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The account is disabled, deleted or gone.
    Ban,
    /// A restriction with an end.
    Restriction,
    /// The review of the account.
    Review,
    /// The error code of a message that failed.
    Code,
    /// The quality of a number.
    Quality,
}

impl Cause {
    pub(super) const ALL: [Self; 5] = [
        Self::Ban,
        Self::Restriction,
        Self::Review,
        Self::Code,
        Self::Quality,
    ];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Restriction => "restriction",
            Self::Review => "review",
            Self::Code => "code",
            Self::Quality => "quality",
        }
    }
}

/// A change to a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberChange {
    /// Messages a second.
    PerSecond(u32),
    /// Meta's view.
    Quality(Quality),
    /// A halt of everything, or its end.
    Pause(Owner, Option<Pause>),
    /// A halt of marketing, or its end.
    MarketingPause(Owner, Option<Pause>),
    /// A share a person sets, in thousandths, or none.
    Share(Option<u16>),
}

/// A change to a portfolio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortfolioChange {
    /// Its messaging limit.
    Tier(Tier),
    /// A halt of its numbers, or its end.
    Pause(Owner, Option<Pause>),
}

/// A change to a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateChange {
    /// Where it stands.
    Status(TemplateStatus),
    /// Its category.
    Category(Category),
}
