//! A yes or no to one topic of a purpose, and wordings that are registered.

use headgate_aws::controls::RegisteredNotice;
use headgate_domain::time::HOUR;
use serde_json::{Value, json};

use crate::world::{PRODUCER, World};
use crate::{consent, message};

const TOPICS: &str = r#"
    topics = [{ purpose = "marketing", name = "offers" }, { purpose = "marketing", name = "events" }]
"#;

/// Records a consent; the last event that answers it.
async fn said(world: &World, action: &str, topics: Value, id: &str) -> Value {
    let mut body = consent(world, action, &json!("marketing"), id);
    body["topics"] = topics;
    answered(world, &body).await
}

async fn answered(world: &World, body: &Value) -> Value {
    let id = body["id"].as_str().unwrap();
    let record = world.record("CONSENTS", id, PRODUCER, &body.to_string());
    world.handle(vec![record]).await;
    let events = world.events().await;
    let answer = events.into_iter().rfind(|event| event["id"] == body["id"]);
    answer.unwrap()
}

/// The code of the refusal of an offer about a topic; none when it is accepted.
async fn refusal(world: &World, topic: Option<&str>, id: &str) -> Option<String> {
    let mut body = message("marketing", id);
    body["topic"] = json!(topic);
    let event = world.answer("MARKETING", id, &body).await;
    event["data"]["code"].as_str().map(str::to_owned)
}

/// What becomes of offers about offers, about events, and about nothing in particular.
async fn refusals(world: &World, round: &str) -> [Option<String>; 3] {
    let mut all = Vec::new();
    for topic in [Some("offers"), Some("events"), None] {
        let id = format!("{round}-{}", topic.unwrap_or("all"));
        all.push(refusal(world, topic, &id).await);
    }
    all.try_into().unwrap()
}

fn codes(codes: [&str; 3]) -> [Option<String>; 3] {
    codes.map(|code| (!code.is_empty()).then(|| code.to_owned()))
}

#[tokio::test]
async fn a_yes_to_a_topic_opens_that_topic_and_a_no_to_one_closes_that_one() {
    let world = World::start_with(TOPICS).await;
    let yes = said(&world, "given", json!(["offers"]), "c-1").await;
    assert_eq!(
        (&yes["type"], &yes["data"]["topic"]),
        (&json!("subject.opted_in"), &json!("offers"))
    );
    let only_offers = codes(["", "no_consent", "no_consent"]);
    assert_eq!(refusals(&world, "r1").await, only_offers);

    world.turn(HOUR);
    said(&world, "given", json!([]), "c-2").await;
    assert_eq!(refusals(&world, "r2").await, codes(["", "", ""]));

    world.turn(HOUR);
    said(&world, "withdrawn", json!(["events"]), "c-3").await;
    assert_eq!(refusals(&world, "r3").await, codes(["", "suppressed", ""]));
}

#[tokio::test]
async fn a_no_to_the_whole_closes_every_topic_until_one_is_agreed_to_again() {
    let world = World::start_with(TOPICS).await;
    said(&world, "given", json!(["offers"]), "c-1").await;
    world.turn(HOUR);
    said(&world, "withdrawn", json!(null), "c-2").await;
    let closed = codes(["suppressed", "suppressed", "suppressed"]);
    assert_eq!(refusals(&world, "r1").await, closed);

    world.turn(HOUR);
    said(&world, "given", json!(["offers"]), "c-3").await;
    let only_offers = codes(["", "suppressed", "suppressed"]);
    assert_eq!(refusals(&world, "r2").await, only_offers);

    // The old no, told again, takes nothing away; a new one does.
    world.turn(HOUR);
    let mut old = consent(&world, "withdrawn", &json!("marketing"), "c-4");
    old["occurred_at"] = json!(world.now().plus_millis(-150 * 60_000));
    answered(&world, &old).await;
    assert_eq!(refusals(&world, "r3").await, only_offers);
    said(&world, "withdrawn", json!(null), "c-5").await;
    assert_eq!(refusals(&world, "r4").await, closed);
}

#[tokio::test]
async fn a_yes_that_was_none_is_taken_back_without_a_no_of_the_persons() {
    let world = World::start_with(TOPICS).await;
    said(&world, "given", json!(null), "c-1").await;
    world.turn(HOUR);
    let found = said(&world, "invalidated", json!(null), "c-2").await;
    assert_eq!(
        (&found["type"], &found["data"]["invalidated"]),
        (&json!("subject.opted_out"), &json!(true))
    );
    let none = codes(["no_consent", "no_consent", "no_consent"]);
    assert_eq!(refusals(&world, "r1").await, none);
    world.turn(HOUR);
    said(&world, "given", json!(null), "c-3").await;
    assert_eq!(refusals(&world, "r2").await, codes(["", "", ""]));
}

#[tokio::test]
async fn a_topic_nobody_declared_is_refused_and_changes_nothing() {
    let world = World::start_with(TOPICS).await;
    let refused = said(&world, "given", json!(["offers", "gossip"]), "c-1").await;
    assert_eq!(
        (&refused["type"], &refused["data"]["field"]),
        (&json!("consent.refused"), &json!("topics"))
    );
    let none = codes(["no_consent", "no_consent", "no_consent"]);
    assert_eq!(refusals(&world, "r1").await, none);
}

#[tokio::test]
async fn a_registered_wording_is_named_by_its_id_and_an_unknown_one_is_refused() {
    let world = World::start_with(TOPICS).await;
    let notice = RegisteredNotice {
        text: "Maple Outfitters may send me offers on WhatsApp.".to_owned(),
        locale: "en".to_owned(),
        controller: "Maple Outfitters".to_owned(),
    };
    let mut body = consent(&world, "given", &json!("marketing"), "c-1");
    body["notice"] = json!(notice.id());
    let unknown = answered(&world, &body).await;
    assert_eq!(
        (&unknown["type"], &unknown["data"]["field"]),
        (&json!("consent.refused"), &json!("notice"))
    );
    let controls = world.controls();
    let id = controls.add_notice(&notice).await.unwrap();
    assert_eq!(controls.add_notice(&notice).await.unwrap(), id);
    assert_eq!(controls.notice(&id).await.unwrap(), Some(notice));
    body["id"] = json!("c-2");
    let given = answered(&world, &body).await;
    assert_eq!(given["type"], "subject.opted_in", "{given}");
    let ledger = world.consents().await.ledger().clone();
    let mut events = Vec::new();
    for shard in 0..16 {
        events.extend(ledger.entries(shard, 0).await.unwrap());
    }
    assert!(events.iter().any(|entry| entry.event.contains(id.as_str())));
}
