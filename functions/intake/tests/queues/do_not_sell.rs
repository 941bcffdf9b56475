//! That somebody's data be neither sold nor shared, as the public pages pass it on.

use headgate_domain::do_not_sell::{Way, record};
use headgate_domain::identity::{Identifier, Phone, SubjectId};
use headgate_domain::time::HOUR;
use serde_json::Value;

use crate::world::{PRODUCER, World};

/// The ledger events about a sale.
async fn proven(world: &World) -> Vec<Value> {
    let mut proven = Vec::new();
    for shard in 0..16 {
        let entries = world.consents().await.ledger().entries(shard, 0).await;
        for entry in entries.unwrap() {
            let event: Value = serde_json::from_str(&entry.event).unwrap();
            if event["purpose"] == "sale_share" {
                proven.push(event);
            }
        }
    }
    proven
}

async fn told(world: &World) -> Vec<Value> {
    let mut events = world.events().await;
    events.retain(|event| event["type"] == "subject.do_not_sell");
    events
}

#[tokio::test]
async fn a_choice_not_to_sell_is_proven_and_told_once() {
    let world = World::start().await;
    let consents = world.consents().await;
    let phone = [Identifier::Phone(Phone::parse("+16135550100").unwrap())];
    let person = consents.subjects().find_or_create(&phone, world.now());
    let person = person.await.unwrap();
    let by_link = record(&person, Way::Link);
    let one = world.record("CONSENTS", "s-1", PRODUCER, &by_link);
    world.handle(vec![one]).await;
    world.turn(HOUR);
    // Again, and another way; nothing new was said.
    for (id, body) in [("s-2", by_link), ("s-3", record(&person, Way::Gpc))] {
        let again = world.record("CONSENTS", id, PRODUCER, &body);
        world.handle(vec![again]).await;
    }
    let (proven, told) = (proven(&world).await, told(&world).await);
    assert_eq!((proven.len(), told.len()), (1, 1));
    assert_eq!(proven[0]["type"], "consent.withdrawn");
    assert_eq!(proven[0]["method"], "link");
    assert_eq!(proven[0]["jurisdictions"][0], "CA_CASL");
    assert_eq!(told[0]["data"]["ledger_event"], proven[0]["id"]);
    assert_eq!(told[0]["subject"], person.as_str());
    let states = consents.subjects().states(std::slice::from_ref(&person));
    let choice = states.await.unwrap().remove(0).do_not_sell.unwrap();
    assert_eq!(choice.event.as_deref(), proven[0]["id"].as_str());
    assert!(!told[0].to_string().contains("6135550100"));
}

#[tokio::test]
async fn a_redelivery_tells_it_again_under_the_same_id() {
    let world = World::start().await;
    let consents = world.consents().await;
    let phone = [Identifier::Phone(Phone::parse("+16135550100").unwrap())];
    let person = consents.subjects().find_or_create(&phone, world.now());
    let body = record(&person.await.unwrap(), Way::Gpc);
    for _delivery in 0..2 {
        let one = world.record("CONSENTS", "s-1", PRODUCER, &body);
        world.handle(vec![one]).await;
    }
    let told = told(&world).await;
    assert!(
        told.iter()
            .all(|event| event["event_id"] == told[0]["event_id"])
    );
    let proven = proven(&world).await;
    assert_eq!(proven.len(), 1);
    assert!(
        proven[0]["evidence"].is_string(),
        "that a browser said so is sealed"
    );
}

#[tokio::test]
async fn of_who_is_not_on_record_nothing_comes() {
    let world = World::start().await;
    let stranger = SubjectId::from_random([9; 16]);
    let before = world.tables().await;
    let body = record(&stranger, Way::Link);
    let one = world.record("CONSENTS", "s-1", PRODUCER, &body);
    assert!(world.handle(vec![one]).await.batch_item_failures.is_empty());
    assert!(world.tables().await == before);
    assert!(world.events().await.is_empty());
    // What only looks like the record is refused as any other record is.
    let wrong = body.replace("link", "paper");
    let one = world.record("CONSENTS", "s-2", PRODUCER, &wrong);
    world.handle(vec![one]).await;
    assert_eq!(world.events().await[0]["type"], "consent.refused");
}
