//! One record's trouble is its own, and what we could not do comes again.

use headgate_domain::lane::Purpose;
use headgate_lambda::batch::{BatchResponse, SqsEvent};
use serde_json::{Value, json};

use crate::world::{PRODUCER, World};
use crate::{ID, consent, message};

#[tokio::test]
async fn a_bad_record_and_a_foreign_queue_do_not_touch_the_nine_good_ones() {
    let world = World::start().await;
    world
        .answer(
            "CONSENTS",
            "sqs-c",
            &consent(&world, "given", &json!("marketing"), "c-1"),
        )
        .await;
    let mut records: Vec<_> = (0..9)
        .map(|n| {
            world.record(
                "MARKETING",
                &format!("good-{n}"),
                PRODUCER,
                &message("marketing", &format!("order-{n}")).to_string(),
            )
        })
        .collect();
    let mut malformed = message("marketing", "order-bad");
    malformed["purpse"] = json!("marketing");
    records.insert(
        4,
        world.record("MARKETING", "bad", PRODUCER, &malformed.to_string()),
    );
    let mut foreign = world.record(
        "MARKETING",
        "foreign",
        PRODUCER,
        &message("marketing", "order-x").to_string(),
    );
    foreign.event_source_arn.push('x');
    records.push(foreign);
    let response = world.handle(records).await;
    let again: Vec<&str> = response
        .batch_item_failures
        .iter()
        .map(|f| f.item_identifier.as_str())
        .collect();
    assert_eq!(
        again,
        ["foreign"],
        "an unknown queue is kept, a refusal is done"
    );

    let events = world.events().await;
    assert_eq!(
        events
            .iter()
            .filter(|e| e["type"] == "message.accepted")
            .count(),
        9
    );
    let refused: Vec<&Value> = events
        .iter()
        .filter(|e| e["type"] == "message.refused")
        .collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (&refused[0]["data"]["code"], &refused[0]["id"]),
        (&json!("malformed"), &json!("order-bad"))
    );
    assert_eq!(
        world.queue("wake").await.len(),
        1,
        "one lease read and one wake for the batch"
    );
}

#[tokio::test]
async fn what_could_not_be_told_and_who_could_not_be_woken_comes_again() {
    let world = World::start().await;
    world
        .answer(
            "CONSENTS",
            "sqs-c",
            &consent(&world, "given", &json!("marketing"), "c-1"),
        )
        .await;
    let batch = || {
        let mut records = vec![world.record(
            "MARKETING",
            "good",
            PRODUCER,
            &message("marketing", ID).to_string(),
        )];
        records.push(world.record("MARKETING", "bad", PRODUCER, "{}"));
        SqsEvent { records }
    };
    let again = |response: BatchResponse| -> Vec<String> {
        response
            .batch_item_failures
            .into_iter()
            .map(|failure| failure.item_identifier)
            .collect()
    };
    let mute = world.intake_with("HEADGATE_BUS_NAME", "no-such-bus").await;
    assert_eq!(again(mute.handle(batch()).await), ["bad", "good"]);
    let elsewhere = world
        .name("HEADGATE_QUEUE_WAKE_URL")
        .replace("wake", "no-such-queue");
    let still = world
        .intake_with("HEADGATE_QUEUE_WAKE_URL", &elsewhere)
        .await;
    assert_eq!(
        again(still.handle(batch()).await),
        ["good"],
        "a refusal wakes nobody"
    );

    assert!(
        world
            .intake
            .handle(batch())
            .await
            .batch_item_failures
            .is_empty()
    );
    let accepted: Vec<Value> = world
        .events()
        .await
        .into_iter()
        .filter(|event| event["type"] == "message.accepted")
        .collect();
    assert!(
        !accepted.is_empty()
            && accepted
                .iter()
                .all(|event| event["event_id"] == accepted[0]["event_id"])
    );
    assert_eq!(world.outbox(Purpose::Marketing).await.len(), 1);
}
