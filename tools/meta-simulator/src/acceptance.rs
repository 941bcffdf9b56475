//! Taking a message on: shape, recipient, template, pair; then its id, its fate and Meta's reply.

use crate::components;
use crate::faults::Fault;
use crate::fields::Fields;
use crate::graph::{Call, Lane};
use crate::ledger::{Ledger, locked};
use crate::options::Template;
use crate::people::Subject;
use crate::refusal::Refusal;
use crate::shape::{self, Shape};
use crate::statuses::Sent;
use crate::text::{Direction, is_bsuid, phone_digits, wamid};
use crate::world::World;
use serde_json::{Value, json};
use std::sync::Arc;

/// Checks the rest, takes the message on and plans its statuses; returns Meta's reply.
pub(crate) fn accept(
    world: &World,
    ledger: &mut Ledger,
    call: &Call<'_>,
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
