//! Whole batches against the template's own tables, queues and keys.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::use_debug,
    clippy::string_slice,
    clippy::large_futures,
    reason = "tests may fail loudly"
)]

mod cancelling;
mod ceilings;
mod clocks;
mod consents;
mod do_not_sell;
mod failures;
mod messages;
mod places;
mod poison;
mod policy;
mod producers;
mod repeats;
mod system;
mod topics;
mod world;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use headgate_domain::identity::SubjectId;
use headgate_domain::record::RecordRef;
use serde_json::{Value, json};
use world::World;

pub(crate) const NUMBER: &str = "+16135550123";
pub(crate) const ID: &str = "order-4711-quokka";
pub(crate) const TEXT: &str = "Parcel wombat-canary is on its way";

pub(crate) fn message(purpose: &str, id: &str) -> Value {
    let template = if purpose == "marketing" {
        "autumn_sale"
    } else {
        "order_shipped"
    };
    json!({
        "schema": "headgate.outbound/1", "id": id, "from": "main", "to": { "phone": NUMBER, "ref": "customer-dingo" }, "purpose": purpose,
        "message": { "type": "template", "template": { "name": template, "language": { "code": "en_US" },
            "components": [{ "type": "body", "parameters": [{ "type": "text", "text": TEXT }] }] } },
        "campaign": "autumn",
    })
}

/// A login code that the person asked for just now.
pub(crate) fn code(world: &World, id: &str, phone: &str) -> Value {
    json!({
        "schema": "headgate.outbound/1", "id": id, "from": "main", "to": { "phone": phone }, "purpose": "authentication",
        "basis": { "kind": "user_action", "at": world.now() },
        "message": { "type": "template", "template": { "name": "login_code", "language": { "code": "en_US" },
            "components": [{ "type": "body", "parameters": [{ "type": "text", "text": "123456" }] }] } },
    })
}

pub(crate) fn consent(world: &World, action: &str, purposes: &Value, id: &str) -> Value {
    json!({
        "schema": "headgate.consent/1", "id": id, "to": { "phone": NUMBER }, "purpose": purposes, "action": action,
        "method": "web_checkbox", "notice": "Yes, write to me on WhatsApp", "evidence": {"form": "checkout-7", "page": "maple.example/checkout"},
        "occurred_at": world.now(),
    })
}

pub(crate) fn subject(event: &Value) -> SubjectId {
    SubjectId::parse(event["subject"].as_str().unwrap()).unwrap()
}

pub(crate) fn reference(event: &Value) -> RecordRef {
    RecordRef::from_message_id(event["message_id"].as_str().unwrap()).unwrap()
}

/// No item of any table shows a person, an app's id or a body, in clear or in base64.
pub(crate) async fn nothing_is_in_clear(world: &World, more: &[&str]) {
    let tables = world.tables().await;
    let shows = |text: &str| tables.iter().any(|(_, item)| item.contains(text));
    assert!(
        shows("106540352242922"),
        "what may be seen is seen, so what may not would be"
    );
    for canary in [NUMBER, &NUMBER[1..], ID, TEXT, "wombat-canary"]
        .iter()
        .chain(more)
    {
        for hidden in spellings(canary) {
            for (place, text) in &tables {
                assert!(
                    !place.contains(&hidden) && !text.contains(&hidden),
                    "{canary} in {place}"
                );
            }
        }
    }
}

/// A text as it is, and as it looks inside base64 at each of the three alignments.
pub(crate) fn spellings(text: &str) -> Vec<String> {
    let mut all = vec![text.to_owned()];
    for shift in 0..3_usize {
        let encoded = STANDARD_NO_PAD.encode([&vec![b'x'; shift][..], text.as_bytes()].concat());
        // The characters at the edges depend on the neighbours.
        all.push(encoded[shift + 1..encoded.len() - 2].to_owned());
    }
    all
}
