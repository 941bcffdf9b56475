//! The decision on one send: credentials, throughput, faults, then what `acceptance` makes of it.
//!
//! Pure of sockets. Every authorised message to a known number counts for throughput, well-formed or
//! not; a mark as read does not. What is refused for throughput takes no place in the window, and is
//! recorded all the same.

use crate::acceptance::accept;
use crate::answer::{Answer, Decision, Then};
use crate::arrivals::Kept;
use crate::faults::Fault;
use crate::fields::Fields;
use crate::ledger::{Ledger, locked};
use crate::refusal::Refusal;
use crate::shape;
use crate::text::{Direction, draw, trace_id, wamid};
use crate::wire::to_wire;
use crate::world::World;
use serde_json::{Map, Value, json};
use std::time::Instant;

/// Which of the two send endpoints.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Lane {
    Messages,
    MarketingMessages,
}

/// Credentials as the request carries them.
pub(crate) struct Credentials<'a> {
    pub(crate) token: Option<&'a str>,
    pub(crate) proof: Option<&'a str>,
}

/// One request to a send endpoint.
pub(crate) struct Call<'a> {
    pub(crate) at: Instant,
    pub(crate) number_id: &'a str,
    pub(crate) lane: Lane,
    pub(crate) credentials: Credentials<'a>,
    pub(crate) body: &'a Map<String, Value>,
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
pub(crate) fn authorize(world: &World, credentials: &Credentials<'_>) -> Result<(), Refusal> {
    if credentials.token != Some(world.options.access_token.as_str()) {
        return Err(Refusal::of(190));
    }
    match (&world.options.appsecret_proof, credentials.proof) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(Refusal::graph(
            "API calls from the server require an appsecret_proof argument",
            None,
        )),
        (Some(wanted), Some(proof)) if *wanted == *proof => Ok(()),
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
    Answer::json(refusal.http, body.unwrap_or_default())
}

/// Decides and records.
pub(crate) fn receive(world: &World, call: &Call<'_>) -> Decision {
    let body = Fields {
        map: call.body,
        path: String::new(),
    };
    let mut ledger = locked(&world.ledger);
    let sequence = ledger.next();
    let outcome = decide(world, &mut ledger, call, &body, sequence);
    let template = body
        .find("template")
        .and_then(|template| template["name"].as_str());
    let kept = Kept {
        at: call.at,
        number_id: ledger.names.of(call.number_id),
        recipient: written(&body, "to")
            .or_else(|| written(&body, "recipient"))
            .unwrap_or_default()
            .into(),
        message_type: ledger.names.of(shape::message_type(&body)),
        template: template.map(|name| ledger.names.of(name)),
        opaque: written(&body, "biz_opaque_callback_data").map(Box::from),
        accepted: outcome.accepted,
        code: outcome.code,
        counted: outcome.counted,
    };
    ledger.arrivals.push(kept);
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
    call: &Call<'_>,
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
    let Some(number) = world.number(call.number_id) else {
        return refused(&unknown_object(), false);
    };
    if shape::message_type(body) == "read" {
        return match shape::check(body) {
            Ok(_) => {
                let answer = Answer::json(200, br#"{"success":true}"#.to_vec());
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
                ..misanswer(world, fault, None, sequence)
            };
        }
    }
    match accept(world, ledger, call, body, number, sequence, fault.as_ref()) {
        Err(refusal) => refused(&refusal, true),
        Ok(reply) => {
            locked(&world.counters).accepted += 1;
            let spoiled = fault.as_ref().filter(|fault| fault.answers_itself());
            if let Some(fault) = spoiled {
                return misanswer(world, fault, Some(&reply), sequence);
            }
            let answer = Answer::json(200, to_wire(&reply).unwrap_or_default());
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
        _ => Refusal::of(code),
    }
}

/// The answer of a fault that says nothing of what became of the message.
fn misanswer(world: &World, fault: &Fault, reply: Option<&Value>, sequence: u64) -> Outcome {
    // What would have been said, had the message been taken on.
    let reply = || {
        let unsent = json!({"messaging_product": "whatsapp", "contacts": [], "messages": [{"id":
            wamid(None, Direction::FromBusiness, world.boot.wrapping_add(sequence))}]});
        to_wire(reply.unwrap_or(&unsent)).unwrap_or_default()
    };
    let mut code = None;
    let answer = match fault {
        Fault::Hang { ms, .. } => Answer::Hang(*ms),
        Fault::HangMidBody { ms, .. } => Answer::half(reply(), Then::Hang(*ms)),
        Fault::Truncated { .. } => Answer::half(reply(), Then::End),
        Fault::StreamReset { .. } => Answer::head_only(reply()),
        Fault::Reset { .. } => Answer::Reset,
        Fault::RefusedStream => Answer::RefusedStream,
        Fault::GoAway => Answer::GoAway,
        Fault::Html { .. } => Answer::html(502, "Sorry, something went wrong."),
        Fault::PageOfHtml { .. } => Answer::html(200, "Please sign in to this network."),
        Fault::Redirect { .. } => Answer::redirect("/elsewhere"),
        Fault::ErrorInside { .. } => {
            code = Some(131_000);
            refuse(world, &Refusal::of(131_000).with_http(200), sequence)
        }
        Fault::Huge { .. } => {
            let mut body = reply();
            body.resize(256 * 1024, b' ');
            Answer::json(200, body)
        }
        _ => {
            code = Some(131_000);
            refuse(world, &Refusal::of(131_000), sequence)
        }
    };
    Outcome {
        answer,
        accepted: true,
        code,
        counted: true,
    }
}
