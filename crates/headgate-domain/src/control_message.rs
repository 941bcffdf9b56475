//! Control messages: what an app says about its own messages, on the queue it put them on.
//!
//! Owns `headgate.control/1` (schemas/control.v1.json). So far an app can say one thing: that a
//! message is not to be sent after all. Does not find the message, and does not decide whether it
//! can still be stopped.

use crate::outbound::Fields;
use crate::record::State;
use crate::refusal::{Code, Refusal};

/// The schema every control message names.
pub const SCHEMA: &str = "headgate.control/1";
/// A control message names one message; anything longer is none.
const MAX_BYTES: usize = 4 * 1024;

/// What an app asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// Not to send a message that was accepted.
    Cancel {
        /// The app's id of the message.
        id: String,
    },
}

/// Whether a body means to be a control message, of whatever version.
pub fn is_control(body: &str) -> bool {
    // Most bodies are messages; they need not be parsed twice.
    body.contains("headgate.control")
        && Fields::parse(body).is_ok_and(|fields| {
            fields
                .text("schema")
                .is_ok_and(|schema| schema.starts_with("headgate.control/"))
        })
}

/// Parses a control message.
///
/// # Errors
/// A [`Refusal`] with code `malformed` or `too_large`.
pub fn parse(body: &str) -> Result<Control, Refusal> {
    if body.len() > MAX_BYTES {
        return Err(Code::TooLarge.into());
    }
    let fields = Fields::parse(body)?;
    fields.only(&["schema", "action", "id"])?;
    fields.schema(SCHEMA)?;
    if fields.text("action")? != "cancel" {
        return Err(Refusal::at(Code::Malformed, "action", "must be cancel"));
    }
    Ok(Control::Cancel {
        id: fields.id()?.to_owned(),
    })
}

/// Why a message is not cancelled (closed list).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCancelled {
    /// This producer has no message of this id on this lane.
    UnknownId,
    /// It is being sent, or Meta has it.
    OnItsWay,
    /// It ended by itself before.
    AlreadyOver,
}

impl NotCancelled {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::UnknownId, Self::OnItsWay, Self::AlreadyOver];

    /// Why a record in this state cannot be cancelled; `None` for one that can be, or is.
    pub const fn of(state: State) -> Option<Self> {
        match state {
            State::Queued | State::Scheduled | State::Cancelled => None,
            State::Ambiguous
            | State::Accepted
            | State::Held
            | State::Sent
            | State::Delivered
            | State::Read
            | State::Played => Some(Self::OnItsWay),
            State::Failed | State::Unknown => Some(Self::AlreadyOver),
        }
    }

    /// The word apps match on.
    pub const fn word(self) -> &'static str {
        match self {
            Self::UnknownId => "unknown_id",
            Self::OnItsWay => "on_its_way",
            Self::AlreadyOver => "already_over",
        }
    }

    /// What is the matter, in one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::UnknownId => "No message with this id of this producer is known on this lane.",
            Self::OnItsWay => "The message is being sent, or has been.",
            Self::AlreadyOver => {
                "The message failed, or its outcome stayed unknown, before it was cancelled."
            }
        }
    }

    /// What to do about it, in one sentence.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::UnknownId => {
                "Cancel by the app's own id, on the queue the message was put on, and after message.accepted: queues do not keep the order."
            }
            Self::OnItsWay => "Nothing can be done: a message that left cannot be called back.",
            Self::AlreadyOver => "Nothing is to be done.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: &str) -> Option<(&'static str, Option<&'static str>)> {
        parse(body).err().map(|r| (r.code.word(), r.field))
    }

    #[test]
    fn a_cancellation_names_one_message_and_nothing_else() {
        assert_eq!(
            parse(r#"{"schema":"headgate.control/1","action":"cancel","id":"order-4711"}"#),
            Ok(Control::Cancel {
                id: "order-4711".to_owned()
            })
        );
        for (body, field) in [
            (
                r#"{"schema":"headgate.control/2","action":"cancel","id":"a"}"#,
                "schema",
            ),
            (
                r#"{"schema":"headgate.control/1","action":"pause","id":"a"}"#,
                "action",
            ),
            (r#"{"schema":"headgate.control/1","id":"a"}"#, "action"),
            (r#"{"schema":"headgate.control/1","action":"cancel"}"#, "id"),
            (
                r#"{"schema":"headgate.control/1","action":"cancel","id":"a b"}"#,
                "id",
            ),
            (
                r#"{"schema":"headgate.control/1","action":"cancel","id":"a","lane":"utility"}"#,
                "$",
            ),
        ] {
            assert_eq!(code(body), Some(("malformed", Some(field))), "{body}");
        }
        let long = format!(
            r#"{{"schema":"headgate.control/1","action":"cancel","id":"{}"}}"#,
            "a".repeat(5_000)
        );
        assert_eq!(code(&long), Some(("too_large", None)));
    }

    #[test]
    fn what_means_to_be_a_control_message_is_told_from_a_message() {
        assert!(is_control(r#"{"schema":"headgate.control/1"}"#));
        assert!(is_control(r#"{"schema":"headgate.control/9","x":1}"#));
        for other in [
            "",
            "{}",
            r#"{"schema":"headgate.outbound/1","action":"cancel","id":"a"}"#,
            r#"["headgate.control/1"]"#,
        ] {
            assert!(!is_control(other), "{other}");
        }
    }

    #[test]
    fn only_what_waits_can_be_cancelled() {
        assert_eq!(NotCancelled::of(State::Queued), None);
        assert_eq!(NotCancelled::of(State::Scheduled), None);
        assert_eq!(
            NotCancelled::of(State::Ambiguous),
            Some(NotCancelled::OnItsWay)
        );
        assert_eq!(
            NotCancelled::of(State::Delivered),
            Some(NotCancelled::OnItsWay)
        );
        assert_eq!(
            NotCancelled::of(State::Unknown),
            Some(NotCancelled::AlreadyOver)
        );
    }
}
