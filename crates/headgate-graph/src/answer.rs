//! Reading an answer of the Graph API.
//!
//! Owns the way from a status and bytes to an [`Outcome`]. It is a plain function, so that every
//! answer can be tried without a server. Where an answer cannot be read, the message may have been
//! accepted, and that is what it says.

use std::time::Duration;

use headgate_domain::identity::Wamid;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::codes::{Class, class};
use crate::outcome::{NotAccepted, Outcome};

/// How long a number rests when Meta is changing its throughput (whatsapp-cloud-api.md 4).
const MAINTENANCE: Duration = Duration::from_mins(1);

#[derive(Deserialize)]
struct Accepted {
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    success: Value,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    #[serde(default)]
    message_status: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: GraphError,
}

#[derive(Deserialize)]
struct GraphError {
    code: Value,
    #[serde(default)]
    is_transient: Option<bool>,
}

/// The outcome that an answer means.
pub(crate) fn read(status: StatusCode, body: &[u8]) -> Outcome {
    // A yes with an error in it is a yes that cannot be read.
    if status.is_success() {
        return accepted(body);
    }
    if let Ok(Refused { error }) = serde_json::from_slice::<Refused>(body) {
        return refused(status, &error);
    }
    if status.is_server_error() {
        return Outcome::ambiguous("server_error");
    }
    if status.is_redirection() {
        return Outcome::ambiguous("redirect");
    }
    // Something between us and the Graph API wrote this; what it did before is not known.
    Outcome::ambiguous("unreadable_error")
}

fn accepted(body: &[u8]) -> Outcome {
    // The error would quote the answer, which holds the recipient's number.
    let Ok(answer) = serde_json::from_slice::<Accepted>(body) else {
        return Outcome::ambiguous("unreadable_answer");
    };
    let Some(message) = answer.messages.first() else {
        // Meta writes both true and "true" (oauth/revoke does the latter).
        let done = answer.success == Value::Bool(true) || answer.success == "true";
        return if done {
            Outcome::Done
        } else {
            Outcome::ambiguous("answer_without_id")
        };
    };
    let held = message.message_status.as_deref() == Some("held_for_quality_assessment");
    Wamid::parse(&message.id).map_or_else(
        |_invalid| Outcome::ambiguous("answer_without_id"),
        |wamid| Outcome::Accepted { wamid, held },
    )
}

fn refused(status: StatusCode, error: &GraphError) -> Outcome {
    let code = match &error.code {
        Value::Number(number) => number.as_u64().and_then(|code| u32::try_from(code).ok()),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let Some(code) = code else {
        return Outcome::ambiguous("error_without_code");
    };
    match class(code) {
        Class::Throttled => Outcome::NotAccepted(NotAccepted::Throttled),
        Class::Pair => Outcome::NotAccepted(NotAccepted::Pair),
        Class::AppLimit => Outcome::NotAccepted(NotAccepted::AppLimit { code }),
        Class::Credential => Outcome::Credential { code },
        Class::Maintenance => Outcome::Ambiguous {
            why: "maintenance",
            pause: Some(MAINTENANCE),
        },
        Class::Trouble => Outcome::ambiguous("trouble_at_meta"),
        // Some documented refusals come with a 500; only a 4xx is a clear no.
        Class::Refused | Class::Unknown if status.is_server_error() => {
            Outcome::ambiguous("server_error")
        }
        Class::Unknown if error.is_transient == Some(true) => {
            Outcome::ambiguous("unknown_transient")
        }
        Class::Refused | Class::Unknown => Outcome::Failed { code },
    }
}
