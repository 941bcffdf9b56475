//! From a scanned code to a message that may be sent: every function, against the template's tables and queues.
//!
//! Whoever scans is asked and has agreed to nothing; whoever presses yes under the question may be written
//! to, and the ledger says why. A click on an advertisement without an answer is refused as what it is.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::large_futures,
    reason = "tests may fail loudly"
)]

mod world;

use meta_simulator::Arrival;
use serde_json::{Value, json};
use world::{NUMBER, World};

const ADA: &str = "16135550100";
const BOB: &str = "16135550101";

fn said(from: &str, id: &str, at: i64, rest: &Value) -> Value {
    let mut message = json!({ "from": from, "id": id, "timestamp": at.to_string() });
    for (name, value) in rest.as_object().unwrap() {
        message[name] = value.clone();
    }
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "300", "changes": [{ "field": "messages", "value": {
        "messaging_product": "whatsapp", "metadata": { "phone_number_id": NUMBER }, "messages": [message] } }] }] })
}

fn text(words: &str) -> Value {
    json!({ "type": "text", "text": { "body": words } })
}

fn marketing(to: &str, id: &str) -> Value {
    json!({ "schema": "headgate.outbound/1", "id": id, "from": "main", "to": { "phone": format!("+{to}") },
        "purpose": "marketing", "topic": "offers", "message": { "type": "template",
            "template": { "name": "autumn_sale", "language": { "code": "en_US" }, "components": [] } } })
}

async fn answer(world: &World, to: &str, id: &str) -> Value {
    world.queue("MARKETING", id, &[marketing(to, id)]).await;
    let told = world.on_queue("app-events").await;
    let about = |event: &&Value| event["id"] == id;
    told.iter().rfind(about).unwrap().clone()
}

#[tokio::test]
async fn a_scanned_code_leads_to_a_question_and_the_yes_to_a_message() {
    let world = World::start().await;
    let scan = said(ADA, "wamid.SCAN", world.seconds(), &text("Hello K7M3QP"));
    world.notify("scan", &scan).await;
    let refused = answer(&world, ADA, "too-early").await;
    assert_eq!(refused["data"]["code"], "consent_unconfirmed");

    world.answer_people().await;
    world.send().await;
    let arrivals = world.arrivals();
    assert_eq!(arrivals.len(), 1);
    assert_eq!(arrivals[0].message_type, "interactive");
    let queued = world.on_queue("-system").await;
    let asked = queued
        .iter()
        .find(|message| message["kind"] == "optin_question");
    let token = asked.unwrap()["question"]["token"].as_str().unwrap();
    let reply = json!({ "id": format!("headgate.optin.yes.{token}"), "title": "Yes, I agree" });

    let press = json!({ "type": "interactive", "interactive": { "type": "button_reply", "button_reply": reply } });
    world
        .notify("yes", &said(ADA, "wamid.YES", world.seconds(), &press))
        .await;
    let accepted = answer(&world, ADA, "sale").await;
    assert_eq!(accepted["type"], "message.accepted", "{accepted}");
    world.answer_people().await;
    world.send().await;
    let arrivals = world.arrivals();
    let sale = |arrival: &&Arrival| arrival.template.as_deref() == Some("autumn_sale");
    assert_eq!(arrivals.iter().filter(sale).count(), 1);

    let told = world.on_queue("app-events").await;
    let opted_in = told
        .iter()
        .find(|event| event["type"] == "subject.opted_in")
        .unwrap();
    assert_eq!(opted_in["data"]["method"], "qr_scan");
    let ledger = world.ledger().await;
    let event = opted_in["data"]["ledger_event"].as_str().unwrap();
    let fact = ledger.iter().find(|fact| fact["id"] == event).unwrap();
    assert_eq!(
        (
            &fact["type"],
            &fact["method"],
            &fact["purpose"],
            &fact["topic"]
        ),
        (
            &json!("consent.given"),
            &json!("qr_scan"),
            &json!("marketing"),
            &json!("offers")
        )
    );
    assert!(fact["evidence"].is_string() && fact["notice"].as_str().unwrap().starts_with("n_"));
}

#[tokio::test]
async fn a_click_without_an_answer_is_no_consent_and_a_stop_before_the_question_leaves_cancels_it()
{
    let world = World::start().await;
    let mut click = text("I saw your offer");
    click["referral"] =
        json!({ "source_type": "ad", "source_id": "700000000000001", "ctwa_clid": "click-1" });
    for (who, id) in [(ADA, "wamid.A"), (BOB, "wamid.B")] {
        world
            .notify(id, &said(who, id, world.seconds(), &click))
            .await;
    }
    world.answer_people().await;
    let stop = said(BOB, "wamid.STOP", world.seconds(), &text("STOP"));
    world.notify("stop", &stop).await;
    world.send().await;
    let arrivals = world.arrivals();
    assert_eq!(arrivals.len(), 1, "who said no meanwhile is not asked");
    assert_eq!(arrivals[0].recipient.trim_start_matches('+'), ADA);
    let refused = answer(&world, ADA, "sale").await;
    assert_eq!(
        (&refused["type"], &refused["data"]["code"]),
        (&json!("message.refused"), &json!("consent_unconfirmed"))
    );
    assert_eq!(
        answer(&world, BOB, "sale-2").await["data"]["code"],
        "suppressed"
    );
}
