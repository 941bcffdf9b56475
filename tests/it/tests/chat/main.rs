//! What people write in the chat, from end to end: every function, against the template's tables and queues.
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

mod access;
mod copies;
mod erasure;
mod flood;
mod remains;
mod rights;
mod world;

use headgate_domain::import::{FileHash, Messages, Progress};
use meta_simulator::Arrival;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
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
async fn an_approved_file_asks_by_a_message_and_only_its_answer_is_a_yes() {
    let world = World::start().await;
    let file = "phone,purpose,claimed_at,method,notice,topics,attestation\n\
        +16135550100,marketing,2026-03-01,paper,I want offers,offers,scan-7\n\
        +16135550101,marketing,2026-03-01,paper,I want offers,offers,scan-8\n";
    let hash = FileHash::of(Sha256::new_with_prefix(file));
    world
        .bring(&Progress::file_key(hash.as_str()), file, None)
        .await;
    let approval = Messages::approval_key(hash.as_str());
    world.bring(&approval, "{}", Some("local.approver")).await;
    let refused = answer(&world, ADA, "too-early").await;
    assert_eq!(refused["data"]["code"], "consent_unconfirmed");

    // Who says stop before it leaves gets none.
    let stop = said(BOB, "wamid.STOP", world.seconds(), &text("STOP"));
    world.notify("stop", &stop).await;
    world.answer_people().await;
    world.send().await;
    let asked = |arrival: &&Arrival| arrival.template.as_deref() == Some("ask_imported");
    assert_eq!(world.arrivals().iter().filter(asked).count(), 1);

    let queued = world.on_queue("-system").await;
    let tokens: Vec<&str> = queued
        .iter()
        .filter(|message| message["kind"] == "import_confirmation")
        .map(|message| message["question"]["token"].as_str().unwrap())
        .collect();
    assert_eq!(tokens.len(), 2);
    // Each tries both: a button is the person's own, whoever has it.
    for (n, token) in tokens.iter().enumerate() {
        for (who, id) in [(ADA, format!("wamid.A{n}")), (BOB, format!("wamid.B{n}"))] {
            let press = json!({ "type": "button", "button": {
                "payload": format!("headgate.optin.yes.{token}"), "text": "Yes, please" } });
            world
                .notify(&id, &said(who, &id, world.seconds(), &press))
                .await;
        }
    }
    let accepted = answer(&world, ADA, "sale").await;
    assert_eq!(accepted["type"], "message.accepted", "{accepted}");
    let refused = answer(&world, BOB, "sale-to-bob").await;
    assert_eq!(refused["data"]["code"], "suppressed", "the stop came first");

    let ledger = world.ledger().await;
    let yes: Vec<&Value> = ledger
        .iter()
        .filter(|fact| fact["type"] == "consent.given")
        .collect();
    // What was said too early for its no is proven as well; the other person's buttons said nothing.
    assert_eq!(yes.len(), 2);
    for yes in yes {
        assert_eq!(yes["method"], "in_thread_button");
        assert_eq!(
            (&yes["topic"], &yes["purpose"]),
            (&json!("offers"), &json!("marketing"))
        );
        assert!(yes["requested_at"].is_string() && yes["evidence"].is_string());
    }
    let by_approval = |fact: &&Value| fact["method"] == "import_message";
    let asked: Vec<&Value> = ledger.iter().filter(by_approval).collect();
    assert!(asked.iter().all(|fact| fact["actor"] == "approver"));
    assert_eq!(asked.len(), 2);
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
