//! The decision on one send: credentials, throughput, faults, then what `acceptance` makes of it.
//!
//! Pure of sockets. Every authorised message to a known number counts for throughput, well-formed or
//! not; a mark as read does not. What is refused for throughput takes no place in the window, and is
//! recorded all the same.

use crate::acceptance::accept;
use crate::arrivals::Kept;
use crate::faults::Fault;
use crate::fields::Fields;
use crate::ledger::{Ledger, locked};
use crate::refusal::Refusal;
use crate::shape;
use crate::text::{draw, trace_id};
use crate::wire::to_wire;
use crate::world::World;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Which of the two send endpoints.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Lane {
    Messages,
    MarketingMessages,
}

/// Credentials as the request carries them.
pub(crate) struct Credentials {
    pub(crate) token: Option<String>,
    pub(crate) proof: Option<String>,
}

/// One request to a send endpoint.
pub(crate) struct Call {
    pub(crate) at: Instant,
    pub(crate) number_id: String,
    pub(crate) lane: Lane,
    pub(crate) credentials: Credentials,
    pub(crate) body: Map<String, Value>,
}

/// What the caller gets to see.
pub(crate) enum Answer {
    Json(u16, Vec<u8>),
    Html(u16, &'static str),
    Hang(u64),
    Reset,
}

/// An answer and how long it takes.
pub(crate) struct Decision {
    pub(crate) answer: Answer,
    pub(crate) delay: Duration,
}

/// What came of a request: the reply, whether the message was taken on, and the code told.
struct Outcome {
    answer: Answer,
    accepted: bool,
    code: Option<u32>,
    counted: bool,
}

/// # Errors
/// 190 for the token, 100 for the proof.
pub(crate) fn authorize(world: &World, credentials: &Credentials) -> Result<(), Refusal> {
    if credentials.token.as_deref() != Some(&world.options.access_token) {
        return Err(Refusal::of(190));
    }
    match (&world.options.appsecret_proof, &credentials.proof) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(Refusal::graph(
            "API calls from the server require an appsecret_proof argument",
            None,
        )),
        (Some(wanted), Some(proof)) if wanted == proof => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::graph(
            "Invalid appsecret_proof provided in the API argument",
            None,
        )),
    }
}

/// Graph's answer to an id it does not know.
pub(crate) fn unknown_object() -> Refusal {
    let message = "Unsupported post request. Object with this ID does not exist, cannot be loaded due to \
        missing permissions, or does not support this operation.";
    Refusal::graph(message, Some(33))
}

pub(crate) fn refuse(world: &World, refusal: &Refusal, noise: u64) -> Answer {
    let body = to_wire(&refusal.to_json(&trace_id(world.boot ^ noise)));
    Answer::Json(refusal.http, body.unwrap_or_default())
}

/// Decides and records.
pub(crate) fn receive(world: &World, call: &Call) -> Decision {
    let body = Fields {
        map: &call.body,
        path: String::new(),
    };
    let mut ledger = locked(&world.ledger);
    let sequence = ledger.next();
    let outcome = decide(world, &mut ledger, call, &body, sequence);
    ledger.arrivals.push(Kept {
        at: call.at,
        number_id: call.number_id.as_str().into(),
        recipient: written(&body, "to")
            .or_else(|| written(&body, "recipient"))
            .unwrap_or_default()
            .into(),
        message_type: shape::message_type(&body).into(),
        template: body
            .find("template")
            .and_then(|template| template["name"].as_str())
            .map(Arc::from),
        opaque: written(&body, "biz_opaque_callback_data").map(Box::from),
        accepted: outcome.accepted,
        code: outcome.code,
        counted: outcome.counted,
    });
    drop(ledger);
    let delay = world
        .options
        .latency
        .at(draw(world.options.seed, sequence, 7));
    Decision {
        answer: outcome.answer,
        delay,
    }
}

fn written<'a>(body: &Fields<'a>, key: &str) -> Option<&'a str> {
    body.find(key).and_then(Value::as_str)
}

fn decide(
    world: &World,
    ledger: &mut Ledger,
    call: &Call,
    body: &Fields<'_>,
    sequence: u64,
) -> Outcome {
    let refused = |refusal: &Refusal, counted| {
        *locked(&world.counters)
            .refused
            .entry(refusal.code)
            .or_default() += 1;
        let answer = refuse(world, refusal, sequence);
        Outcome {
            answer,
            accepted: false,
            code: Some(refusal.code),
            counted,
        }
    };
    if let Err(refusal) = authorize(world, &call.credentials) {
        return refused(&refusal, false);
    }
    let Some(number) = world.number(&call.number_id) else {
        return refused(&unknown_object(), false);
    };
    if shape::message_type(body) == "read" {
        return match shape::check(body) {
            Ok(_) => {
                let answer = Answer::Json(200, br#"{"success":true}"#.to_vec());
                Outcome {
                    answer,
                    accepted: true,
                    code: None,
                    counted: false,
                }
            }
            Err(refusal) => refused(&refusal, false),
        };
    }
    if !ledger.throughput[number].admit(call.at, world.options.numbers[number].per_second) {
        let details = "Cloud API message throughput has been reached.";
        return refused(&Refusal::because(130_429, details), true);
    }
    let fault = ledger.next_fault();
    if let Some(fault) = &fault {
        *locked(&world.counters)
            .faults
            .entry(fault.name().to_owned())
            .or_default() += 1;
        if let Some(code) = fault.refuses() {
            return refused(&asked_for(fault, code), true);
        }
        if !fault.takes_on() {
            return Outcome {
                accepted: false,
                ..misanswer(world, fault, sequence)
            };
        }
    }
    match accept(world, ledger, call, body, number, sequence, fault.as_ref()) {
        Err(refusal) => refused(&refusal, true),
        Ok(reply) => {
            locked(&world.counters).accepted += 1;
            let spoiled = fault.as_ref().filter(|fault| answers_itself(fault));
            if let Some(fault) = spoiled {
                return misanswer(world, fault, sequence);
            }
            let answer = Answer::Json(200, to_wire(&reply).unwrap_or_default());
            Outcome {
                answer,
                accepted: true,
                code: None,
                counted: true,
            }
        }
    }
}

fn asked_for(fault: &Fault, code: u32) -> Refusal {
    match fault {
        Fault::Code {
            http: Some(http), ..
        } => Refusal::of(code).with_http(*http),
        Fault::Code { http: None, .. }
        | Fault::Throughput
        | Fault::Pair
        | Fault::ServerError { .. }
        | Fault::Hang { .. }
        | Fault::Reset { .. }
        | Fault::Html { .. }
        | Fault::NoMessageId
        | Fault::HeldForQuality
        | Fault::FailLater { .. } => Refusal::of(code),
    }
}

fn answers_itself(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::ServerError { .. } | Fault::Hang { .. } | Fault::Reset { .. } | Fault::Html { .. }
    )
}

/// The answer of a fault that says nothing of what became of the message.
fn misanswer(world: &World, fault: &Fault, sequence: u64) -> Outcome {
    let (answer, code) = match fault {
        Fault::Hang { ms, .. } => (Answer::Hang(*ms), None),
        Fault::Reset { .. } => (Answer::Reset, None),
        Fault::Html { .. } => (
            Answer::Html(
                502,
                "<!DOCTYPE html><html><body><h1>Sorry, something went wrong.</h1></body></html>",
            ),
            None,
        ),
        Fault::ServerError { .. }
        | Fault::Throughput
        | Fault::Pair
        | Fault::NoMessageId
        | Fault::HeldForQuality
        | Fault::Code { .. }
        | Fault::FailLater { .. } => (
            refuse(world, &Refusal::of(131_000), sequence),
            Some(131_000),
        ),
    };
    Outcome {
        answer,
        accepted: true,
        code,
        counted: true,
    }
}
