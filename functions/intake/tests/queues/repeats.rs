//! The same thing twice: one message, one subject, one trace.

use headgate_aws::messages::Idempotency;
use headgate_domain::holder::DueKind;
use headgate_domain::identity::{Kind, SubjectId, pseudonym};
use headgate_domain::lane::Purpose;
use headgate_domain::record::{RecordRef, State, ulid};
use serde_json::{Value, json};

use crate::world::{PRODUCER, STRANGER, World};
use crate::{ID, consent, message, reference, subject};

#[tokio::test]
async fn a_repeated_id_is_the_same_message_or_refused() {
    let world = World::start().await;
    world
        .answer(
            "CONSENTS",
            "sqs-1",
            &consent(&world, "given", &json!(["marketing", "marketing"]), "c-1"),
        )
        .await;
    let first = world
        .answer("MARKETING", "sqs-2", &message("marketing", ID))
        .await;
    // Another order of members and a second SQS message: still the same message, under the same event id.
    let body = message("marketing", ID);
    let reordered = format!(
        r#"{{"campaign":"autumn", "id":"{ID}", {}"#,
        &body
            .to_string()
            .replacen(r#""campaign":"autumn","#, "", 1)
            .replacen(&format!(r#""id":"{ID}","#), "", 1)[1..]
    );
    assert_ne!(reordered, body.to_string());
    let response = world
        .handle(vec![world.record(
            "MARKETING",
            "sqs-3",
            PRODUCER,
            &reordered,
        )])
        .await;
    assert!(response.batch_item_failures.is_empty());
    let events = world.events().await;
    let accepted: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "message.accepted")
        .collect();
    assert_eq!(accepted.len(), 2);
    assert!(
        accepted
            .iter()
            .all(|event| event["event_id"] == first["event_id"]
                && event["message_id"] == first["message_id"])
    );
    let in_outbox = world.outbox(Purpose::Marketing).await;
    assert_eq!(in_outbox.len(), 1);

    let mut other = message("marketing", ID);
    other["campaign"] = json!("winter");
    let refused = world.answer("MARKETING", "sqs-4", &other).await;
    assert_eq!(refused["data"]["code"], "duplicate_id");

    // Utility is another lane: the id is free there.
    let consent_utility = world
        .answer(
            "CONSENTS",
            "sqs-5",
            &consent(&world, "given", &json!("utility"), "c-2"),
        )
        .await;
    assert_eq!(consent_utility["type"], "subject.opted_in");
    assert_eq!(
        world
            .answer("UTILITY", "sqs-6", &message("utility", ID))
            .await["type"],
        "message.accepted"
    );
}

#[tokio::test]
async fn a_claim_without_a_record_is_completed_through_the_due_list() {
    let world = World::start().await;
    world
        .answer(
            "CONSENTS",
            "sqs-1",
            &consent(&world, "given", &json!("marketing"), "c-1"),
        )
        .await;
    let body = message("marketing", ID);
    let first = world.answer("MARKETING", "sqs-2", &body).await;
    // What an attempt leaves that ends between claim and write: take the claim of another id.
    let other = message("marketing", "order-cut-off");
    let pepper = world.message_refs().await;
    let deployment = world.name("HEADGATE_DEPLOYMENT").to_owned();
    let name = |value: &str| pseudonym(&pepper, Kind::Idempotency, 1, &deployment, value);
    let old = RecordRef {
        ulid: ulid(world.now().plus_millis(-60_000), [3; 10]),
        ..reference(&first)
    };
    let content = name(&canonical_of(&other));
    let claimed = world
        .messages()
        .claim_id(
            &name("marketing\0order-cut-off"),
            (&old, &SubjectId::from_random([9; 16])),
            content.as_str(),
            world.now(),
        )
        .await
        .unwrap();
    assert_eq!(claimed, Idempotency::Fresh);

    let completed = world.answer("MARKETING", "sqs-3", &other).await;
    assert_eq!(reference(&completed), old);
    let record = world
        .messages()
        .load(std::slice::from_ref(&old), world.now())
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(record.state, State::Scheduled);
    let due = world
        .pacing()
        .due("portfolio-1", Purpose::Marketing, world.now(), None, 10)
        .await
        .unwrap();
    assert_eq!(
        due.iter()
            .map(|d| (&d.reference, d.kind))
            .collect::<Vec<_>>(),
        [(&old, DueKind::Scheduled)]
    );
}

/// The canonical text, spelled out once more so that stored content names do not change unnoticed.
pub(crate) fn canonical_of(value: &Value) -> String {
    if let Some(members) = value.as_object() {
        let mut names: Vec<&String> = members.keys().collect();
        names.sort();
        let member = |name: &&String| format!("{}:{},", json!(name), canonical_of(&members[*name]));
        format!(
            "{{{}}}",
            names.iter().map(member).collect::<Vec<_>>().concat()
        )
    } else if let Some(items) = value.as_array() {
        let item = |item: &Value| format!("{},", canonical_of(item));
        format!("[{}]", items.iter().map(item).collect::<Vec<_>>().concat())
    } else {
        value.to_string()
    }
}

#[tokio::test]
async fn ten_first_messages_to_one_new_person_make_one_subject() {
    let world = World::start().await;
    let records = (0..10)
        .map(|n| {
            world.record(
                "MARKETING",
                &format!("m-{n}"),
                PRODUCER,
                &message("marketing", &format!("o-{n}")).to_string(),
            )
        })
        .collect();
    assert!(world.handle(records).await.batch_item_failures.is_empty());
    let mut subjects: Vec<SubjectId> = world.events().await.iter().map(subject).collect();
    subjects.sort();
    subjects.dedup();
    assert_eq!(subjects.len(), 1);
    let rows = world.tables().await;
    assert_eq!(
        rows.iter()
            .filter(|(place, text)| place.contains("/S#sub_") && text.contains("created_at"))
            .count(),
        1
    );
}

#[tokio::test]
async fn an_accepted_message_is_accepted_again_whatever_has_changed_since() {
    let world = World::start().await;
    world
        .answer(
            "CONSENTS",
            "sqs-1",
            &consent(&world, "given", &json!("marketing"), "c-1"),
        )
        .await;
    let mut body = message("marketing", ID);
    body["expires_at"] = json!(world.now().plus_millis(600_000));
    let first = world.answer("MARKETING", "sqs-2", &body).await;
    assert_eq!(first["type"], "message.accepted");
    world
        .answer(
            "CONSENTS",
            "sqs-3",
            &consent(&world, "withdrawn", &json!("marketing"), "c-2"),
        )
        .await;
    let again = async |message_id: &str, producer: &str| {
        let before = world.events().await;
        let record = world.record("MARKETING", message_id, producer, &body.to_string());
        assert!(
            world
                .handle(vec![record])
                .await
                .batch_item_failures
                .is_empty()
        );
        let mut events = world.events().await;
        events.retain(|event| !before.contains(event));
        events
    };
    let suppressed = again("sqs-2", PRODUCER).await;
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0]["event_id"], first["event_id"]);
    assert_eq!(suppressed[0]["data"], first["data"]);
    assert_eq!(suppressed[0]["subject"], first["subject"]);
    world.turn(600_001);
    let expired = again("sqs-2", PRODUCER).await;
    assert_eq!(expired[0]["event_id"], first["event_id"]);

    // The same words from another producer, and other words from this one, are refused.
    let foreign = again("sqs-4", STRANGER).await;
    assert_eq!(foreign[0]["data"]["code"], "expired");
    let mut other = message("marketing", ID);
    other["campaign"] = json!("winter");
    let refused = world.answer("MARKETING", "sqs-5", &other).await;
    assert_eq!(refused["data"]["code"], "suppressed");
}

#[tokio::test]
async fn a_message_that_comes_twice_at_once_is_in_the_outbox_or_in_the_due_list_and_not_in_both() {
    let world = World::start().await;
    world
        .answer(
            "CONSENTS",
            "sqs-1",
            &consent(&world, "given", &json!("marketing"), "c-1"),
        )
        .await;
    for round in 0..12 {
        let body = message("marketing", &format!("order-{round}")).to_string();
        let records = (0..10)
            .map(|n| world.record("MARKETING", &format!("r-{round}-{n}"), PRODUCER, &body))
            .collect();
        assert!(world.handle(records).await.batch_item_failures.is_empty());
    }
    let queued: Vec<RecordRef> = world
        .outbox(Purpose::Marketing)
        .await
        .into_iter()
        .filter(|record| record.state == State::Queued)
        .map(|record| record.reference)
        .collect();
    let due = world
        .pacing()
        .due(
            "portfolio-1",
            Purpose::Marketing,
            world.now().plus_millis(60_000),
            None,
            100,
        )
        .await
        .unwrap();
    for entry in due {
        assert!(!queued.contains(&entry.reference));
    }
}

#[tokio::test]
async fn a_second_write_of_a_record_says_that_it_created_nothing() {
    let world = World::start().await;
    world
        .answer(
            "CONSENTS",
            "sqs-1",
            &consent(&world, "given", &json!("marketing"), "c-1"),
        )
        .await;
    let accepted = world
        .answer("MARKETING", "sqs-2", &message("marketing", ID))
        .await;
    let messages = world.messages();
    let mut record = messages
        .load(&[reference(&accepted)], world.now())
        .await
        .unwrap()
        .pop()
        .unwrap();
    record.state = State::Scheduled;
    assert!(!messages.put(&record).await.unwrap());
    record.reference.ulid = ulid(world.now(), [9; 10]);
    assert!(messages.put(&record).await.unwrap());
}
