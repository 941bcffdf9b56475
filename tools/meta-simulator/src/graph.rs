//! The decision on one send: credentials, throughput, faults, shape, template, pair, then acceptance.
//!
//! Pure of sockets. Every authorised message to a known number counts for throughput, well-formed or
//! not; a mark as read does not. What is refused for throughput takes no place in the window, and is
//! recorded all the same.

use crate::arrivals::Kept;
use crate::components;
use crate::faults::Fault;
use crate::fields::Fields;
use crate::ledger::{Ledger, locked};
use crate::options::Template;
use crate::people::Subject;
use crate::refusal::Refusal;
use crate::shape::{self, Shape};
use crate::statuses::Sent;
use crate::text::{Direction, draw, is_bsuid, phone_digits, trace_id, wamid};
use crate::wire::to_wire;
use crate::world::World;
use serde_json::{Map, Value, json};
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
            match spoiled {
                Some(fault) => misanswer(world, fault, sequence),
                None => {
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

/// Checks the rest, takes the message on and plans its statuses; returns Meta's reply.
fn accept(
    world: &World,
    ledger: &mut Ledger,
    call: &Call,
    body: &Fields<'_>,
    number: usize,
    sequence: u64,
    fault: Option<&Fault>,
) -> Result<Value, Refusal> {
    let options = &world.options;
    let Shape::Message {
        template: used,
        opaque,
    } = shape::check(body)?
    else {
        return Err(Refusal::of(100));
    };
    let (subject, input) = recipient(world, ledger, body, number)?;
    let template = used
        .as_ref()
        .map(|used| components::find(&options.templates, used))
        .transpose()?;
    if call.lane == Lane::MarketingMessages
        && template.is_none_or(|template| template.category != "MARKETING")
    {
        return Err(Refusal::of(134_100));
    }
    let code = used.as_ref().is_some_and(|used| used.has_code_button)
        || template.is_some_and(|template| template.category == "AUTHENTICATION");
    if code && subject.phone.is_none() {
        return Err(Refusal::of(131_062));
    }
    if !ledger.pairs.admit(number, &subject.bsuid, call.at) {
        return Err(Refusal::because(
            131_056,
            "Too many messages sent to the same person in a short time.",
        ));
    }
    let fails = match fault {
        Some(Fault::FailLater { code }) => Some(*code),
        _ => fate(world, ledger, number, &subject, template),
    };
    let noise = world.boot.wrapping_add(sequence);
    let id: Arc<str> = wamid(subject.phone.as_deref(), Direction::FromBusiness, noise).into();
    ledger.people.sent(number, &subject, &id);
    let reply = reply(input, &subject, &id, template.is_some(), fault);
    let sent = Arc::new(Sent {
        number,
        sequence,
        wamid: id,
        subject,
        opaque: opaque.map(Box::from),
        category: pricing_category(template, call.lane),
        fails,
    });
    let mut outbox = locked(&world.outbox);
    world.courier.expect(outbox.plan(world, &sent, call.at));
    Ok(reply)
}

/// `to` wins over `recipient`.
fn recipient<'a>(
    world: &World,
    ledger: &Ledger,
    body: &Fields<'a>,
    number: usize,
) -> Result<(Subject, &'a str), Refusal> {
    let business = &world.options.numbers[number].display_phone;
    if let Some(to) = body.optional_text("to", 64)? {
        let digits = phone_digits(to, business)
            .ok_or_else(|| body.invalid("to", "it must be a phone number"))?;
        if digits == business.trim_start_matches('+') {
            return Err(Refusal::of(131_021));
        }
        return Ok((ledger.people.by_phone(&digits, world.options.seed), to));
    }
    let Some(bsuid) = body.optional_text("recipient", 160)? else {
        return Err(Refusal::graph("(#100) The parameter to is required.", None));
    };
    if !is_bsuid(bsuid) {
        return Err(body.invalid("recipient", "it must be a business-scoped user id"));
    }
    Ok((ledger.people.by_bsuid(bsuid), bsuid))
}

/// What Meta only says in a status: 131047 outside the window, 131050 after a stop of marketing.
fn fate(
    world: &World,
    ledger: &Ledger,
    number: usize,
    subject: &Subject,
    template: Option<&Template>,
) -> Option<u32> {
    match template {
        None => {
            let open = ledger
                .people
                .window_is_open(number, subject, (world.options.clock)());
            (!open).then_some(131_047)
        }
        Some(template) => {
            let stopped =
                template.category == "MARKETING" && ledger.people.has_stopped_marketing(subject);
            stopped.then_some(131_050)
        }
    }
}

fn pricing_category(template: Option<&Template>, lane: Lane) -> &'static str {
    match template.map(|template| template.category.as_str()) {
        None => "service",
        Some("AUTHENTICATION") => "authentication",
        Some("MARKETING") if lane == Lane::MarketingMessages => "marketing_lite",
        Some("MARKETING") => "marketing",
        Some(_) => "utility",
    }
}

fn reply(
    input: &str,
    subject: &Subject,
    wamid: &str,
    is_template: bool,
    fault: Option<&Fault>,
) -> Value {
    let contact = match &subject.phone {
        Some(phone) => json!({"input": input, "wa_id": **phone}),
        None => json!({"input": input, "user_id": *subject.bsuid}),
    };
    let mut message = json!({"id": wamid});
    if is_template {
        message["message_status"] = json!("accepted");
    }
    let messages = match fault {
        Some(Fault::NoMessageId) => json!([]),
        Some(Fault::HeldForQuality) => {
            message["message_status"] = json!("held_for_quality_assessment");
            json!([message])
        }
        _ => json!([message]),
    };
    json!({"messaging_product": "whatsapp", "contacts": [contact], "messages": messages})
}
