//! Reading an answer of the Graph API.
//!
//! Owns the way from a status and bytes to an [`Outcome`]. It is a plain function, so that every
//! answer can be tried without a server. Where an answer cannot be read, the message may have been
//! accepted, and that is what it says.

use std::borrow::Cow;
use std::time::Duration;

use headgate_domain::identity::Wamid;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::codes::{Class, meaning};
use crate::outcome::{NotAccepted, Outcome};
use crate::rest::{Rest, Scope};

/// How long a number rests when Meta is changing its throughput.
const MAINTENANCE: Duration = Duration::from_mins(1);

/// "Invalid parameter", which Graph also says when it means something larger.
const INVALID_PARAMETER: u32 = 100;
/// With [`INVALID_PARAMETER`]: the phone number id of the path is not there, or not for us.
const NO_SUCH_OBJECT: u32 = 33;

#[derive(Deserialize)]
struct Accepted<'a> {
    #[serde(borrow, default)]
    messages: Vec<&'a RawValue>,
    #[serde(default)]
    success: Option<Value>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    message_status: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Refused<'a> {
    #[serde(borrow)]
    error: &'a RawValue,
}

#[derive(Deserialize)]
struct GraphError {
    code: Value,
    #[serde(default)]
    is_transient: Option<bool>,
    #[serde(default)]
    error_subcode: Option<Value>,
    #[serde(default)]
    message: Option<Value>,
}

/// The outcome that an answer means.
pub(crate) fn read(status: StatusCode, body: &[u8]) -> Outcome {
    // A yes with an error in it is a yes that cannot be read.
    if status.is_success() {
        return accepted(body);
    }
    // Meta does not redirect a send; whoever did has read it.
    if status.is_redirection() {
        return Outcome::ambiguous("redirect");
    }
    let error =
        object::<Refused<'_>>(body).and_then(|refused| object(refused.error.get().as_bytes()));
    if let Some(error) = error {
        return refused(status, &error);
    }
    if status.is_server_error() {
        return Outcome::ambiguous("server_error");
    }
    // Something between us and the Graph API wrote this; what it did before is not known.
    Outcome::ambiguous("unreadable_error")
}

/// Reads an object. Serde alone would take a list for one, member by member, and what Meta does not
/// write may not be believed.
fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    let first = json.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return None;
    }
    // The error would quote the answer, which holds the recipient's number.
    serde_json::from_slice(json).ok()
}

fn accepted(body: &[u8]) -> Outcome {
    let Some(answer) = object::<Accepted<'_>>(body) else {
        return Outcome::ambiguous("unreadable_answer");
    };
    let Some(message) = answer.messages.first() else {
        // Meta writes both true and "true" (oauth/revoke does the latter).
        let done = answer
            .success
            .is_some_and(|success| success == true || success == "true");
        return if done {
            Outcome::Done
        } else {
            Outcome::ambiguous("answer_without_id")
        };
    };
    let Some(message) = object::<Message<'_>>(message.get().as_bytes()) else {
        return Outcome::ambiguous("unreadable_answer");
    };
    let held = message.message_status.as_deref() == Some("held_for_quality_assessment");
    Wamid::parse(&message.id).map_or_else(
        |_invalid| Outcome::ambiguous("answer_without_id"),
        |wamid| Outcome::Accepted { wamid, held },
    )
}

fn refused(status: StatusCode, error: &GraphError) -> Outcome {
    let Some(code) = number(&error.code) else {
        return Outcome::ambiguous("error_without_code");
    };
    let Some(known) = meaning(code) else {
        return unknown(status, error, code);
    };
    match known.class {
        Class::Throttled => Outcome::NotAccepted(NotAccepted::Throttled),
        Class::Pair => Outcome::NotAccepted(NotAccepted::Pair),
        Class::AppLimit => Outcome::NotAccepted(NotAccepted::AppLimit { code }),
        Class::Credential => Outcome::Credential { code },
        Class::Maintenance => ambiguous("maintenance", code, Some(MAINTENANCE)),
        Class::Trouble => ambiguous("trouble_at_meta", code, None),
        // Some documented refusals come with a 500; only a 4xx is a clear no.
        Class::Refused if !status.is_client_error() => ambiguous("server_error", code, None),
        Class::Refused if code == INVALID_PARAMETER => invalid_parameter(error),
        Class::Refused => Outcome::failed(code),
    }
}

/// Two of the things that Graph says with 100 are not the message's fault: every other message
/// would fare the same.
fn invalid_parameter(error: &GraphError) -> Outcome {
    let text = error.message.as_ref().and_then(Value::as_str);
    if text.is_some_and(|text| text.contains("appsecret_proof")) {
        return Outcome::Credential {
            code: INVALID_PARAMETER,
        };
    }
    if error.error_subcode.as_ref().and_then(number) == Some(NO_SUCH_OBJECT) {
        return Outcome::Failed {
            code: INVALID_PARAMETER,
            scope: Scope::Number,
            rest: Some(Rest::Number),
            known: true,
        };
    }
    Outcome::failed(INVALID_PARAMETER)
}

/// The safe reading of a code we have never heard of: a clear no concerns this message alone,
/// anything less may have gone out.
fn unknown(status: StatusCode, error: &GraphError, code: u32) -> Outcome {
    let why = if !status.is_client_error() {
        "server_error"
    } else if error.is_transient == Some(true) {
        "unknown_transient"
    } else {
        return Outcome::failed(code);
    };
    Outcome::Ambiguous {
        why,
        code: Some(code),
        known: false,
        pause: None,
    }
}

fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64().and_then(|code| u32::try_from(code).ok()),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn ambiguous(why: &'static str, code: u32, pause: Option<Duration>) -> Outcome {
    Outcome::Ambiguous {
        why,
        code: Some(code),
        known: true,
        pause,
    }
}
