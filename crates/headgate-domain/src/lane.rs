//! Lanes and purposes: what a message is for, and which queue it therefore came by.
//!
//! A lane is a queue of its own with permissions of its own, so the purpose in a body is
//! only ever checked against the lane, never the other way round.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a message is for; also the lane it travels in, in falling order of importance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// A code the person asked for within the last 15 minutes.
    Authentication,
    /// An answer inside the customer service window.
    Service,
    /// A message about something the person already has with the business.
    Utility,
    /// Anything that promotes.
    Marketing,
}

/// The purposes, most important first: the order in which a slot is offered.
pub const PURPOSES: [Purpose; 4] = [
    Purpose::Authentication,
    Purpose::Service,
    Purpose::Utility,
    Purpose::Marketing,
];

impl Purpose {
    /// The word used in JSON, settings and attribute names.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Service => "service",
            Self::Utility => "utility",
            Self::Marketing => "marketing",
        }
    }

    /// The letter used in record references.
    pub const fn letter(self) -> char {
        match self {
            Self::Authentication => 'a',
            Self::Service => 's',
            Self::Utility => 'u',
            Self::Marketing => 'm',
        }
    }

    /// The purpose behind a word.
    pub fn from_word(word: &str) -> Option<Self> {
        PURPOSES.into_iter().find(|p| p.word() == word)
    }

    /// The purpose behind a letter.
    pub fn from_letter(letter: char) -> Option<Self> {
        PURPOSES.into_iter().find(|p| p.letter() == letter)
    }

    /// Whether the business, not the person, starts the exchange.
    pub const fn is_business_initiated(self) -> bool {
        match self {
            Self::Utility | Self::Marketing => true,
            Self::Authentication | Self::Service => false,
        }
    }

    /// Milliseconds after which an unsent message is no longer worth sending.
    pub const fn default_expiry_ms(self) -> i64 {
        match self {
            Self::Authentication => 10 * crate::time::MINUTE,
            Self::Service | Self::Utility => 24 * crate::time::HOUR,
            Self::Marketing => 7 * crate::time::DAY,
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
