//! What policy has to say at the queue: messages that may go later wait, those that never may are refused.

use headgate_domain::health::Fact;
use headgate_domain::identity::{Identifier, Phone};
use headgate_domain::lane::Purpose;
use headgate_domain::record::{RecordRef, State};
use headgate_domain::time::{DAY, HOUR, Timestamp};
use serde_json::{Value, json};

use crate::world::World;
use crate::{NUMBER, message};

/// Made up; it is night there between 15:30 and 03:30 UTC.
const INDIA: &str = "+919855550100";

/// A marketing message to somebody who agreed.
async fn offer(world: &World, id: &str, phone: &str) -> Value {
    let at = world.now().plus_millis(-HOUR);
    let consent = json!({
        "schema": "headgate.consent/1", "id": format!("c-{id}"), "to": { "phone": phone }, "purpose": "marketing",
        "action": "given", "method": "web_checkbox", "notice": "Offers by Maple Outfitters", "occurred_at": at,
        "evidence": {"form": "f", "page": "maple.example"},
    });
    world.answer("CONSENTS", &format!("c-{id}"), &consent).await;
    let mut body = message("marketing", id);
    body["to"] = json!({ "phone": phone });
    body
}

fn placed(event: &Value) -> RecordRef {
    let id = event["message_id"].as_str().unwrap();
    RecordRef::parse(id.strip_prefix("msg_").unwrap()).unwrap()
}

#[tokio::test]
async fn a_message_of_the_night_is_accepted_and_planned_for_the_morning() {
    let world = World::start().await;
    // The calendar starts at 09:00 UTC.
    world.turn(11 * HOUR);
    let body = offer(&world, "offer-1", INDIA).await;
    let event = world.answer("MARKETING", "offer-1", &body).await;
    assert_eq!(event["type"], "message.accepted", "{event}");
    let stored = world
        .messages()
        .load(&[placed(&event)], world.now())
        .await
        .unwrap();
    let record = stored.first().unwrap();
    assert_eq!(record.state, State::Scheduled);
    let morning = world.now().day().plus(1).start().plus_millis(210 * 60_000);
    assert_eq!(record.not_before, Some(morning));
    assert!(record.consent_event.is_some(), "what it rests on is kept");
    let due = world
        .pacing()
        .due("portfolio-1", Purpose::Marketing, morning, None, 10)
        .await
        .unwrap();
    assert!(due.iter().any(|d| d.reference == record.reference));
}

#[tokio::test]
async fn a_message_that_would_be_too_late_in_the_morning_is_refused_at_once() {
    let world = World::start().await;
    world.turn(11 * HOUR);
    let mut body = offer(&world, "offer-1", INDIA).await;
    body["expires_at"] = json!(world.now().plus_millis(HOUR));
    let event = world.answer("MARKETING", "offer-1", &body).await;
    assert_eq!(event["data"]["code"], "quiet_hours", "{event}");
    assert!(world.outbox(Purpose::Marketing).await.is_empty());
}

#[tokio::test]
async fn marketing_to_the_united_states_is_refused() {
    let world = World::start().await;
    let body = offer(&world, "offer-1", "+14155550100").await;
    let event = world.answer("MARKETING", "offer-1", &body).await;
    assert_eq!(event["data"]["code"], "region_blocked", "{event}");
}

#[tokio::test]
async fn health_is_kept_with_the_person_and_counts_at_the_queue() {
    let world = World::start().await;
    let body = offer(&world, "offer-1", NUMBER).await;
    let consents = world.consents().await;
    let subjects = consents.subjects();
    let identifier = Identifier::from(Phone::parse(NUMBER).unwrap());
    let person = subjects.find(&identifier).await.unwrap().unwrap();
    let at = |ms: i64| world.now().day().start().plus_millis(ms);
    let note = async |fact: Fact, at: Timestamp| {
        subjects.note_health(&person, fact, at).await.unwrap();
    };
    note(Fact::Undeliverable, at(1_000)).await;
    note(Fact::Undeliverable, at(1_000)).await;
    let health = async || subjects.load(&person).await.unwrap().unwrap().health;
    assert_eq!(health().await.undeliverable, 1, "the same one came twice");
    note(Fact::Undeliverable, at(2_000)).await;
    let event = world.answer("MARKETING", "offer-1", &body).await;
    assert_eq!(event["data"]["code"], "recipient_unreachable", "{event}");

    note(Fact::Delivered(Purpose::Utility), at(3_000)).await;
    assert!(health().await.is_good());
    note(Fact::MarketingHeldBack, at(4_000)).await;
    let event = world.answer("MARKETING", "offer-1", &body).await;
    assert_eq!(event["type"], "message.accepted", "{event}");
    let stored = world
        .messages()
        .load(&[placed(&event)], world.now())
        .await
        .unwrap();
    assert_eq!(stored[0].not_before, Some(at(4_000 + DAY)));
}

#[tokio::test]
async fn notes_at_once_are_all_kept_and_nobody_is_brought_back_by_one() {
    let world = World::start().await;
    offer(&world, "offer-1", NUMBER).await;
    let consents = world.consents().await;
    let subjects = consents.subjects();
    let identifier = Identifier::from(Phone::parse(NUMBER).unwrap());
    let person = subjects.find(&identifier).await.unwrap().unwrap();
    let at = world.now();
    let (a, b) = tokio::join!(
        subjects.note_health(&person, Fact::Undeliverable, at),
        subjects.note_health(&person, Fact::MarketingHeldBack, at),
    );
    a.unwrap();
    b.unwrap();
    let health = subjects.load(&person).await.unwrap().unwrap().health;
    assert_eq!((health.undeliverable, health.held_back), (1, 1));

    let nobody = headgate_domain::identity::SubjectId::from_random([9; 16]);
    subjects
        .note_health(&nobody, Fact::Undeliverable, at)
        .await
        .unwrap();
    let rows = world.tables().await;
    assert!(
        !rows
            .iter()
            .any(|(place, _)| place.contains(nobody.as_str()))
    );
}
