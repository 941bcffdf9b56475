//! What can become of a send.
//!
//! Owns the six outcomes, and with each refusal whom it concerns and what should rest because of
//! it. It is the whole vocabulary: status codes, foreign errors and Meta's sentences stay inside
//! this crate. It lets nothing rest itself.

use std::time::Duration;

use headgate_domain::disposition::Disposition;
use headgate_domain::identity::Wamid;

use crate::codes;
use crate::rest::{Rest, Scope};

/// What became of a send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Meta has the message. It is not sent yet: that is a status notification.
    Accepted {
        /// Meta's id of it.
        wamid: Wamid,
        /// Whether Meta holds it back for a quality assessment, after which it may be dropped.
        held: bool,
    },
    /// Meta did what was asked and there is no message: mark-as-read, typing.
    Done,
    /// Meta has not got the message, for a reason that passes. Back to the head of its lane.
    NotAccepted(NotAccepted),
    /// Meta said no to this message; asking again would not help.
    Failed {
        /// Meta's error code.
        code: u32,
        /// Whom it concerns.
        scope: Scope,
        /// What should rest beyond this message.
        rest: Option<Rest>,
        /// Whether the code is in our table; one that is not deserves a metric.
        known: bool,
    },
    /// Meta does not accept our credentials or permissions. The message was not looked at: it
    /// has not failed, and every other one would fare the same. Stop the number, call somebody.
    Credential {
        /// Meta's error code.
        code: u32,
    },
    /// Nobody knows whether Meta has the message. Never to be repeated before a status
    /// notification had its time to arrive (I6).
    Ambiguous {
        /// What happened, in a word for records and logs.
        why: &'static str,
        /// Meta's error code, when it told one.
        code: Option<u32>,
        /// Whether that code is in our table; true without a code.
        known: bool,
        /// How long the number must rest: during a throughput upgrade.
        pause: Option<Duration>,
    },
}

/// Why Meta has not got the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotAccepted {
    /// 130429: the number sends too fast.
    Throttled,
    /// 131056: too many messages to this person; the person waits, the lane does not.
    Pair,
    /// 4, 80007: the app or the account asks too much.
    AppLimit {
        /// Meta's error code.
        code: u32,
    },
    /// The request did not get as far as Meta's handling of it.
    Unreachable(Unreachable),
}

/// How a request was kept from Meta.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreachable {
    /// No connection, or none with TLS that can be trusted.
    Connect,
    /// No connection in time.
    ConnectTimeout,
    /// The far side said that it has not processed the request: a refused stream, or one above
    /// the last id of an orderly goodbye (RFC 9113, 8.7).
    Refused,
}

impl NotAccepted {
    /// Meta's error code, when Meta answered.
    pub const fn code(self) -> Option<u32> {
        match self {
            Self::Throttled => Some(130_429),
            Self::Pair => Some(131_056),
            Self::AppLimit { code } => Some(code),
            Self::Unreachable(_) => None,
        }
    }

    /// The reason in a word for records and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Pair => "pair_rate",
            Self::AppLimit { .. } => "app_limit",
            Self::Unreachable(Unreachable::Connect) => "unreachable",
            Self::Unreachable(Unreachable::ConnectTimeout) => "connect_timeout",
            Self::Unreachable(Unreachable::Refused) => "refused_stream",
        }
    }
}

impl Outcome {
    /// What to do next; `None` when there is nothing left to do but to write it down.
    pub const fn disposition(&self) -> Option<Disposition> {
        match self {
            Self::Accepted { .. } | Self::Done => None,
            Self::NotAccepted(_) | Self::Credential { .. } => Some(Disposition::Retry),
            Self::Failed { .. } => Some(Disposition::Discard),
            Self::Ambiguous { .. } => Some(Disposition::Reconcile),
        }
    }

    /// A code of Meta's that our table does not have: somebody should read about it.
    pub const fn unknown_code(&self) -> Option<u32> {
        match self {
            Self::Failed {
                code, known: false, ..
            } => Some(*code),
            Self::Ambiguous {
                code, known: false, ..
            } => *code,
            Self::Accepted { .. }
            | Self::Done
            | Self::NotAccepted(_)
            | Self::Failed { .. }
            | Self::Credential { .. }
            | Self::Ambiguous { .. } => None,
        }
    }

    /// Meta's no with this code, and what the table says of it. A code without an entry concerns
    /// the message alone.
    pub fn failed(code: u32) -> Self {
        let meaning = codes::meaning(code);
        Self::Failed {
            code,
            scope: meaning.map_or(Scope::Message, |meaning| meaning.scope),
            rest: meaning.and_then(|meaning| meaning.rest),
            known: meaning.is_some(),
        }
    }

    /// Nobody knows, and Meta told no code.
    pub const fn ambiguous(why: &'static str) -> Self {
        Self::Ambiguous {
            why,
            code: None,
            known: true,
            pause: None,
        }
    }
}
