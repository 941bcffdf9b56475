//! Ceilings and destinations: nobody can be flooded with codes through us.

use headgate_aws::ceilings::{Ceilings, Counted};
use headgate_domain::ceilings::{Limits, Touched, counters};
use headgate_domain::identity::{Identifier, Kind, Phone, SubjectId, pseudonym};
use headgate_domain::lane::Purpose;
use headgate_domain::record::{RecordRef, ulid};
use headgate_lambda::batch::SqsEvent;
use serde_json::{Value, json};

use crate::world::{PRODUCER, World};
use crate::{NUMBER, code};

const OTHER: &str = "+16135550124";

async fn outcome(world: &World, body: &Value) -> String {
    let id = body["id"].as_str().unwrap();
    let event = world.answer("AUTHENTICATION", id, body).await;
    match event["type"].as_str().unwrap() {
        "message.accepted" => "accepted".to_owned(),
        _ => event["data"]["code"].as_str().unwrap().to_owned(),
    }
}

/// How far the counters of a kind went, all hours together.
async fn counted(world: &World, kind: &str) -> i64 {
    let place = format!("A#{kind}#");
    let tables = world.tables().await;
    let items = tables.iter().filter(|(at, _)| at.contains(&place));
    items
        .map(|(_, item)| {
            let item: Value = serde_json::from_str(item).unwrap();
            let n = item.get("n").unwrap();
            n.as_i64()
                .or_else(|| n["N"].as_str()?.parse().ok())
                .expect("a count")
        })
        .sum()
}

#[tokio::test]
async fn the_sixth_code_of_an_hour_is_refused_and_its_id_stays_free() {
    let world = World::start().await;
    let first = code(&world, "login-0", NUMBER);
    for _repetition in 0..3 {
        assert_eq!(outcome_again(&world, &first).await, "message.accepted");
    }
    for n in 1..5 {
        let body = code(&world, &format!("login-{n}"), NUMBER);
        assert_eq!(outcome(&world, &body).await, "accepted", "{n}");
    }
    let sixth = code(&world, "login-5", NUMBER);
    assert_eq!(outcome(&world, &sixth).await, "abuse_ceiling");
    assert_eq!(counted(&world, "recipient").await, 5);
    // Somebody else is not concerned, and what was accepted stays accepted.
    let other = code(&world, "login-6", OTHER);
    assert_eq!(outcome(&world, &other).await, "accepted");
    assert_eq!(outcome_again(&world, &first).await, "message.accepted");
    // The refused id was not consumed: in another hour it is taken, even with other content.
    world.turn(3_600_000);
    let later = code(&world, "login-5", NUMBER);
    assert_eq!(outcome(&world, &later).await, "accepted");
}

async fn outcome_again(world: &World, body: &Value) -> String {
    let events = world.told("AUTHENTICATION", "again", PRODUCER, body).await;
    events[0]["type"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn twenty_codes_at_once_through_two_intakes_leave_five() {
    let world = World::start().await;
    let second = world
        .intake_with("HEADGATE_DEPLOYMENT", world.name("HEADGATE_DEPLOYMENT"))
        .await;
    let batch = |from: usize| SqsEvent {
        records: (from..from + 10)
            .map(|n| {
                let body = code(&world, &format!("login-{n}"), NUMBER).to_string();
                world.record("AUTHENTICATION", &format!("sqs-{n}"), PRODUCER, &body)
            })
            .collect(),
    };
    let (one, two) = (batch(0), batch(10));
    let (here, there) = tokio::join!(world.intake.handle(one.clone()), second.handle(two.clone()));
    // What met another count too often comes again, and is judged then.
    for (response, events) in [(here, one), (there, two)] {
        let again = |id: &String| {
            response
                .batch_item_failures
                .iter()
                .any(|f| f.item_identifier == *id)
        };
        let records = events
            .records
            .into_iter()
            .filter(|r| again(&r.message_id))
            .collect();
        assert!(world.handle(records).await.batch_item_failures.is_empty());
    }
    let events = world.events().await;
    let accepted = events
        .iter()
        .filter(|e| e["type"] == "message.accepted")
        .count();
    let refused = events
        .iter()
        .filter(|e| e["data"]["code"] == "abuse_ceiling")
        .count();
    assert_eq!((accepted, refused), (5, 15));
    assert_eq!(counted(&world, "recipient").await, 5);
    let outbox = world.outbox(Purpose::Authentication).await;
    assert_eq!(outbox.len(), 5);
}

#[tokio::test]
async fn a_message_is_counted_in_all_its_counters_or_in_none() {
    let world =
        World::start_with("\n[abuse]\nper_recipient_per_hour = 3\nper_prefix_per_hour = 2\n").await;
    for n in 0..2 {
        let body = code(&world, &format!("login-{n}"), NUMBER);
        assert_eq!(outcome(&world, &body).await, "accepted");
    }
    for (n, to) in [(2, NUMBER), (3, OTHER)] {
        let body = code(&world, &format!("login-{n}"), to);
        assert_eq!(
            outcome(&world, &body).await,
            "abuse_ceiling",
            "the calling code is full"
        );
    }
    assert_eq!(counted(&world, "recipient").await, 2);
    assert_eq!(counted(&world, "prefix").await, 2);
    let britain = code(&world, "login-4", "+447700900123");
    assert_eq!(outcome(&world, &britain).await, "accepted");
}

#[tokio::test]
async fn a_producer_has_a_ceiling_of_its_own() {
    let world =
        World::start_with("\n[abuse]\nper_recipient_per_hour = 0\nper_producer_per_hour = 1\n")
            .await;
    assert_eq!(
        outcome(&world, &code(&world, "login-0", NUMBER)).await,
        "accepted"
    );
    assert_eq!(
        outcome(&world, &code(&world, "login-1", OTHER)).await,
        "abuse_ceiling"
    );
    let record = world.record(
        "AUTHENTICATION",
        "s",
        "AROADESK:x",
        &code(&world, "login-2", OTHER).to_string(),
    );
    world.handle(vec![record]).await;
    let events = world.events().await;
    let desk = events
        .iter()
        .find(|event| event["id"] == "login-2")
        .unwrap();
    assert_eq!(desk["type"], "message.accepted");
    assert_eq!(
        counted(&world, "recipient").await,
        0,
        "nought is no ceiling and no counter"
    );
}

#[tokio::test]
async fn an_attempt_that_ended_between_counting_and_writing_is_counted_once() {
    let world = World::start().await;
    let accepted = world
        .answer("AUTHENTICATION", "s-0", &code(&world, "login-0", NUMBER))
        .await;
    let subject = SubjectId::parse(accepted["subject"].as_str().unwrap()).unwrap();
    let body = code(&world, "login-1", NUMBER);
    // What such an attempt leaves: the id claimed and counted, and no record.
    let (pepper, deployment) = (
        world.message_refs().await,
        world.name("HEADGATE_DEPLOYMENT").to_owned(),
    );
    let name = |value: &str| pseudonym(&pepper, Kind::Idempotency, 1, &deployment, value);
    let id = name("authentication\0login-1");
    let reference = RecordRef {
        number: "106540352242922".to_owned(),
        lane: Purpose::Authentication,
        shard: 0,
        ulid: ulid(world.now(), [3; 10]),
    };
    let content = name(&crate::repeats::canonical_of(&body));
    world
        .messages()
        .claim_id(
            &id,
            (&reference, &SubjectId::from_random([9; 16])),
            content.as_str(),
            world.now(),
        )
        .await
        .unwrap();
    let ceilings = Ceilings::new(
        world.aws(),
        world.name("HEADGATE_TABLE_PACING"),
        world.name("HEADGATE_TABLE_MESSAGES"),
    );
    let limits = Limits {
        per_recipient: 5,
        per_prefix: 0,
        per_producer: 0,
    };
    let addressed = Identifier::Phone(Phone::parse(NUMBER).unwrap());
    let touched = Touched {
        purpose: Purpose::Authentication,
        is_system: false,
        subject: &subject,
        addressed: &addressed,
        producer: "AROASHOP",
    };
    let counters = counters(limits, &touched, world.now());
    for _repetition in 0..2 {
        let counted = ceilings
            .count(&id, &reference, &counters, world.now())
            .await
            .unwrap();
        assert_eq!(counted, Counted::Within);
    }
    assert!(
        !ceilings.release(&id, &reference).await.unwrap(),
        "what is counted is not given back"
    );
    assert_eq!(counted(&world, "recipient").await, 2);

    assert_eq!(outcome(&world, &body).await, "accepted");
    assert_eq!(counted(&world, "recipient").await, 2);
}

#[tokio::test]
async fn messages_go_to_listed_countries_and_to_no_other() {
    let world = World::start_with("\n[abuse]\ndestinations = [\"CA\", \"BR\"]\n").await;
    let to = async |id: &str, to: Value| {
        let mut body = code(&world, id, NUMBER);
        body["to"] = to;
        outcome(&world, &body).await
    };
    assert_eq!(to("a", json!({ "phone": NUMBER })).await, "accepted");
    assert_eq!(
        to("b", json!({ "bsuid": "BR.1502576394655843" })).await,
        "accepted"
    );
    for (id, elsewhere) in [
        ("c", json!({ "phone": "+447700900123" })),
        ("d", json!({ "bsuid": "GB.1502576394655843" })),
        ("e", json!({ "phone": "+870700900123" })),
    ] {
        assert_eq!(to(id, elsewhere).await, "destination_not_allowed", "{id}");
    }
}
