//! What can never succeed is set aside, sealed; what could not be done yet comes again, later each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use headgate_aws::poison::Letter;
use headgate_aws::queue::{Queue, Reader};
use headgate_domain::identity::{Kind, SubjectId, pseudonym};
use headgate_domain::lane::Purpose;
use headgate_domain::record::{RecordRef, ulid};
use headgate_lambda::batch::{BatchResponse, SqsEvent, SqsRecord};
use serde_json::{Value, json};

use crate::world::{PRODUCER, World};
use crate::{ID, NUMBER, code, consent, message, nothing_is_in_clear, reference, spellings};

const OPERATOR: &str = "AROAOPERATOR:somebody";

/// The letters on a dead-letter queue, as text.
async fn letters(world: &World, queue: &str) -> Vec<String> {
    let bodies = world.queue(&format!("{queue}-dlq")).await;
    bodies.iter().map(Value::to_string).collect()
}

fn received(mut record: SqsRecord, times: u32) -> SqsRecord {
    record.attributes.approximate_receive_count = Some(times.to_string());
    record
}

/// Stores under an id something that is no record reference.
async fn damage(world: &World, body: &Value) {
    let (pepper, deployment) = (
        world.message_refs().await,
        world.name("HEADGATE_DEPLOYMENT").to_owned(),
    );
    let name = |value: &str| pseudonym(&pepper, Kind::Idempotency, 1, &deployment, value);
    let reference = RecordRef {
        number: "not-a-number".to_owned(),
        lane: Purpose::Authentication,
        shard: 0,
        ulid: ulid(world.now(), [3; 10]),
    };
    let content = name(&crate::repeats::canonical_of(body));
    let name = name(&format!("authentication\0{}", body["id"].as_str().unwrap()));
    world
        .messages()
        .claim_id(
            &name,
            (&reference, &SubjectId::from_random([9; 16])),
            content.as_str(),
            world.now(),
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn damage_is_set_aside_at_once_with_the_reason_in_clear_and_the_content_sealed() {
    let world = World::start().await;
    let body = code(&world, ID, NUMBER);
    damage(&world, &body).await;
    let record = world.record("AUTHENTICATION", "sqs-7", PRODUCER, &body.to_string());
    let response = world.handle(vec![record]).await;
    let found = letters(&world, "authentication").await;
    assert_eq!(response, BatchResponse::default(), "it is done");
    assert_eq!(found.len(), 1);
    let letter = Letter::parse(&found[0]).unwrap();
    assert_eq!(
        (letter.source.as_str(), letter.reason.as_str()),
        ("authentication", "damaged")
    );
    assert_eq!(letter.message_id.as_deref(), Some("sqs-7"));
    assert_eq!(letter.sender.as_ref().unwrap().producer, "AROASHOP");
    for canary in [NUMBER, ID, "123456"] {
        for hidden in spellings(canary) {
            assert!(!found[0].contains(&hidden), "{canary}");
        }
    }
    let opened = letter.open(&world.keyring(), world.now()).await.unwrap();
    assert_eq!(opened.reveal(), body.to_string().as_bytes());
}

/// A clock that panics at one of its calls: the second is the first record's own.
fn panicking(world: &World) -> headgate_lambda::clock::Clock {
    let (calls, clock) = (AtomicUsize::new(0), Arc::clone(&world.clock));
    Arc::new(move || {
        assert!(calls.fetch_add(1, Ordering::SeqCst) != 1, "in one record");
        clock()
    })
}

#[tokio::test]
async fn a_record_that_panics_every_time_is_set_aside_and_its_redrive_is_judged_as_its_producers() {
    let world = World::start().await;
    let body = code(&world, ID, NUMBER).to_string();
    let event = |receives| SqsEvent {
        records: vec![received(
            world.record("AUTHENTICATION", "sqs-1", PRODUCER, &body),
            receives,
        )],
    };
    let again = world
        .intake_at(panicking(&world))
        .await
        .handle(event(2))
        .await;
    assert_eq!(again.batch_item_failures.len(), 1, "twice may be chance");
    let done = world
        .intake_at(panicking(&world))
        .await
        .handle(event(3))
        .await;
    assert_eq!(done, BatchResponse::default());
    let letters = letters(&world, "authentication").await;
    assert_eq!(letters.len(), 1);
    assert_eq!(Letter::parse(&letters[0]).unwrap().reason, "panicked");

    let redriven = world.record("AUTHENTICATION", "sqs-2", OPERATOR, &letters[0]);
    assert_eq!(world.handle(vec![redriven]).await, BatchResponse::default());
    let events = world.events().await;
    let accepted = events.iter().find(|event| event["id"] == ID).unwrap();
    assert_eq!(accepted["type"], "message.accepted");
    let stored = world
        .messages()
        .load(&[reference(accepted)], world.now())
        .await
        .unwrap();
    assert_eq!(stored[0].producer, "AROASHOP", "not whoever redrove it");
    nothing_is_in_clear(&world, &[]).await;
}

/// What was set aside before a no is judged after it: a redrive resurrects nobody.
#[tokio::test]
async fn a_redrive_after_an_opt_out_sends_nothing() {
    let world = World::start().await;
    let agreed = consent(&world, "given", &json!("marketing"), "c-1");
    world.answer("CONSENTS", "s-1", &agreed).await;
    let record = received(
        world.record(
            "MARKETING",
            "sqs-1",
            PRODUCER,
            &message("marketing", ID).to_string(),
        ),
        3,
    );
    let broken = world.intake_at(panicking(&world)).await;
    broken
        .handle(SqsEvent {
            records: vec![record],
        })
        .await;
    let letters = letters(&world, "marketing").await;
    assert_eq!(letters.len(), 1);
    let stopped = consent(&world, "withdrawn", &json!("marketing"), "c-2");
    world.answer("CONSENTS", "s-2", &stopped).await;

    let redriven = world.record("MARKETING", "sqs-2", OPERATOR, &letters[0]);
    assert_eq!(world.handle(vec![redriven]).await, BatchResponse::default());
    let events = world.events().await;
    let told = events.iter().find(|event| event["id"] == ID).unwrap();
    assert_eq!(
        (&told["type"], &told["data"]["code"]),
        (&json!("message.refused"), &json!("suppressed"))
    );
    assert!(world.outbox(Purpose::Marketing).await.is_empty());
}

#[tokio::test]
async fn a_letter_proves_its_queue_and_its_producer_or_is_set_aside_again() {
    let world = World::start().await;
    let body = code(&world, ID, NUMBER).to_string();
    let record = received(
        world.record("AUTHENTICATION", "sqs-1", "AROADESK:x", &body),
        3,
    );
    world
        .intake_at(panicking(&world))
        .await
        .handle(SqsEvent {
            records: vec![record],
        })
        .await;
    let letter = letters(&world, "authentication").await.remove(0);
    let mut forged: Value = serde_json::from_str(&letter).unwrap();
    forged["producer"] = json!("AROASHOP");
    let mut moved: Value = serde_json::from_str(&letter).unwrap();
    moved["source"] = json!("service");
    for (queue, source, text) in [
        ("AUTHENTICATION", "authentication", forged.to_string()),
        ("SERVICE", "service", letter.clone()),
        ("SERVICE", "service", moved.to_string()),
    ] {
        let before = letters(&world, source).await.len();
        let record = world.record(queue, "sqs-2", OPERATOR, &text);
        assert_eq!(world.handle(vec![record]).await, BatchResponse::default());
        let after = letters(&world, source).await;
        assert_eq!(after.len(), before + 1, "{source}");
        assert!(
            after
                .iter()
                .any(|text| Letter::parse(text).unwrap().reason == "unreadable")
        );
    }
    assert!(
        world.events().await.is_empty(),
        "nothing was accepted or refused"
    );
}

#[tokio::test]
async fn an_outage_is_not_poison_until_the_queue_would_give_up() {
    let world = World::start().await;
    let broken = world
        .intake_with("HEADGATE_TABLE_MESSAGES", "no-such-table")
        .await;
    let body = code(&world, ID, NUMBER).to_string();
    let event = |receives| SqsEvent {
        records: vec![received(
            world.record("AUTHENTICATION", "sqs-1", PRODUCER, &body),
            receives,
        )],
    };
    assert_eq!(broken.handle(event(89)).await.batch_item_failures.len(), 1);
    assert!(letters(&world, "authentication").await.is_empty());
    assert_eq!(broken.handle(event(90)).await, BatchResponse::default());
    let letters = letters(&world, "authentication").await;
    assert_eq!(Letter::parse(&letters[0]).unwrap().reason, "exhausted");
    // A letter is no less a message than the first one was.
    let redriven = world.record("AUTHENTICATION", "sqs-2", OPERATOR, &letters[0]);
    world.handle(vec![redriven]).await;
    assert_eq!(world.events().await[0]["type"], "message.accepted");
}

#[tokio::test]
async fn what_comes_again_is_deferred_in_its_queue() {
    let world = World::start().await;
    let url = world.name("HEADGATE_QUEUE_AUTHENTICATION_URL").to_owned();
    let body = code(&world, ID, NUMBER).to_string();
    Queue::new(world.aws(), &url)
        .send(&body, &[])
        .await
        .unwrap();
    let reader = Reader::new(world.aws(), &url);
    // Taken for ten minutes, as an event source would; the failure brings it back within a second or so.
    let taken = reader.take(1, 600).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert!(reader.take(0, 600).await.unwrap().is_empty());
    let mut record = world.record("AUTHENTICATION", &taken[0].id, PRODUCER, &body);
    record.receipt_handle = taken[0].receipt().to_owned();
    let broken = world
        .intake_with("HEADGATE_TABLE_MESSAGES", "no-such-table")
        .await;
    let response = broken
        .handle(SqsEvent {
            records: vec![record],
        })
        .await;
    assert_eq!(response.batch_item_failures.len(), 1);
    let mut back = Vec::new();
    for _look in 0..10 {
        back = reader.take(4, 600).await.unwrap();
        if !back.is_empty() {
            break;
        }
    }
    assert_eq!(back.len(), 1);
    assert_eq!(
        (back[0].receives, back[0].body.as_str()),
        (2, body.as_str())
    );
}
