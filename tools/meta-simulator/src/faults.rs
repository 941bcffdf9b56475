//! Misbehaviour on request: the next so many sends are answered as asked, each counted by name.

use serde::Deserialize;

/// One way of misbehaving. Where `accepted` is true the message is taken on all the same,
/// so that its statuses come although the caller was told something else, or nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// HTTP 500 with code 131000.
    ServerError {
        /// Whether the message goes out.
        #[serde(default)]
        accepted: bool,
    },
    /// No answer for so long, then HTTP 504.
    Hang {
        /// Whether the message goes out.
        #[serde(default)]
        accepted: bool,
        /// How long.
        ms: u64,
    },
    /// HTTP 200 and half a body, then nothing for so long.
    HangMidBody {
        /// Whether the message goes out.
        #[serde(default)]
        accepted: bool,
        /// How long.
        ms: u64,
    },
    /// The connection is reset instead of an answer.
    Reset {
        /// Whether the message goes out.
        #[serde(default)]
        accepted: bool,
    },
    /// HTTP 200, then the stream is reset; over HTTP/1.1 the connection is cut.
    StreamReset {
        /// Whether the message goes out.
        #[serde(default)]
        accepted: bool,
    },
    /// HTTP 200 and half a body, as if it were all.
    Truncated {
        /// Whether the message goes out.
        #[serde(default)]
        accepted: bool,
    },
    /// The stream is refused unread (HTTP/2; over HTTP/1.1 the connection is reset).
    RefusedStream,
    /// An orderly goodbye whose last id is below the stream (HTTP/2; over HTTP/1.1 the connection
    /// is reset).
    GoAway,
    /// HTTP 400, code 130429, although there was room.
    Throughput,
    /// HTTP 400, code 131056, although the pair was even.
    Pair,
    /// HTTP 502 with a page of HTML, as a proxy in front answers.
    Html {
        /// Whether the message goes out.
        #[serde(default)]
        accepted: bool,
    },
    /// HTTP 200 with a page of HTML, as a captive portal answers.
    PageOfHtml {
        /// Whether the message goes out.
        #[serde(default)]
        accepted: bool,
    },
    /// HTTP 302 to another path.
    Redirect {
        /// Whether the message goes out.
        #[serde(default)]
        accepted: bool,
    },
    /// HTTP 200 with an error in it.
    ErrorInside {
        /// Whether the message goes out.
        #[serde(default)]
        accepted: bool,
    },
    /// HTTP 200 with a quarter of a megabyte.
    Huge {
        /// Whether the message goes out.
        #[serde(default)]
        accepted: bool,
    },
    /// HTTP 200 without a message id; the message goes out.
    NoMessageId,
    /// HTTP 200 with `held_for_quality_assessment`; the message goes out.
    HeldForQuality,
    /// Refused with a given code, with its documented HTTP status unless one is given.
    Code {
        /// Meta's code.
        code: u32,
        /// HTTP status.
        #[serde(default)]
        http: Option<u16>,
    },
    /// Accepted, then failed with a given code in a status.
    FailLater {
        /// Meta's code, such as 131049.
        code: u32,
    },
}

impl Fault {
    /// The name it is counted under.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ServerError { .. } => "server_error",
            Self::Hang { .. } => "hang",
            Self::HangMidBody { .. } => "hang_mid_body",
            Self::Reset { .. } => "reset",
            Self::StreamReset { .. } => "stream_reset",
            Self::Truncated { .. } => "truncated",
            Self::RefusedStream => "refused_stream",
            Self::GoAway => "go_away",
            Self::Throughput => "throughput",
            Self::Pair => "pair",
            Self::Html { .. } => "html",
            Self::PageOfHtml { .. } => "page_of_html",
            Self::Redirect { .. } => "redirect",
            Self::ErrorInside { .. } => "error_inside",
            Self::Huge { .. } => "huge",
            Self::NoMessageId => "no_message_id",
            Self::HeldForQuality => "held_for_quality",
            Self::Code { .. } => "code",
            Self::FailLater { .. } => "fail_later",
        }
    }

    /// The code the message is refused with instead of being taken on.
    pub(crate) fn refuses(&self) -> Option<u32> {
        match self {
            Self::Throughput => Some(130_429),
            Self::Pair => Some(131_056),
            Self::Code { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the message is taken on once its shape is right.
    pub(crate) fn takes_on(&self) -> bool {
        match self {
            Self::ServerError { accepted }
            | Self::Hang { accepted, .. }
            | Self::HangMidBody { accepted, .. }
            | Self::Reset { accepted }
            | Self::StreamReset { accepted }
            | Self::Truncated { accepted }
            | Self::Html { accepted }
            | Self::PageOfHtml { accepted }
            | Self::Redirect { accepted }
            | Self::ErrorInside { accepted }
            | Self::Huge { accepted } => *accepted,
            Self::NoMessageId | Self::HeldForQuality | Self::FailLater { .. } => true,
            Self::RefusedStream
            | Self::GoAway
            | Self::Throughput
            | Self::Pair
            | Self::Code { .. } => false,
        }
    }

    /// Whether the caller sees something else than the reply or a refusal.
    pub(crate) fn answers_itself(&self) -> bool {
        !matches!(
            self,
            Self::Throughput
                | Self::Pair
                | Self::Code { .. }
                | Self::NoMessageId
                | Self::HeldForQuality
                | Self::FailLater { .. }
        )
    }
}

/// The same fault for the next few sends; orders queue up.
#[derive(Clone, Debug, Deserialize)]
pub struct Faults {
    /// What to do.
    pub fault: Fault,
    /// For how many sends.
    pub next: u32,
}
