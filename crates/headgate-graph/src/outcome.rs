//! What can become of a send.
//!
//! Owns the six outcomes and what each asks of the sender. It is the whole vocabulary: status
//! codes, foreign errors and Meta's sentences stay inside this crate.

use std::time::Duration;

use headgate_domain::disposition::Disposition;
use headgate_domain::identity::Wamid;

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
    /// No connection, or the far side refused the stream before reading it.
    Unreachable,
}

impl NotAccepted {
    /// Meta's error code, when Meta answered.
    pub const fn code(self) -> Option<u32> {
        match self {
            Self::Throttled => Some(130_429),
            Self::Pair => Some(131_056),
            Self::AppLimit { code } => Some(code),
            Self::Unreachable => None,
        }
    }

    /// The reason in a word for records and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Pair => "pair_rate",
            Self::AppLimit { .. } => "app_limit",
            Self::Unreachable => "unreachable",
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

    pub(crate) const fn ambiguous(why: &'static str) -> Self {
        Self::Ambiguous { why, pause: None }
    }
}
