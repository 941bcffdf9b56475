//! A message on its way from the lane to the outbox, and who is turned away.

use headgate_aws::messages::{Inbound, body_place_key, inbound_place_key};
use headgate_domain::identity::{Identifier, Kind, Phone, SubjectId, pseudonym};
use headgate_domain::link;
use headgate_domain::outbound::Payload;
use headgate_domain::record::State;
use headgate_domain::sealing::Place;
use serde_json::{Value, json};

use crate::world::World;
use crate::{ID, NUMBER, TEXT, consent, message, nothing_is_in_clear, reference, subject};

#[tokio::test]
async fn a_missing_opt_in_is_refused_with_the_command_and_the_recorded_opt_in_lets_it_through() {
    let world = World::start().await;
    let refused = world
        .answer("MARKETING", "sqs-1", &message("marketing", ID))
        .await;
    assert_eq!(refused["type"], "message.refused");
    assert_eq!(refused["data"]["code"], "no_consent");
    assert_eq!(refused["id"], ID);
    assert_eq!(refused["ref"], "customer-dingo");
    let person = subject(&refused);
    assert_eq!(
        refused["data"]["command"],
        format!(
            "headgate opt-in --subject {person} --purpose marketing --source agent --env-file .headgate/dev.env"
        )
    );
    assert!(
        world.queue("wake").await.is_empty(),
        "nothing to send, nobody to wake"
    );

    let opted_in = world
        .answer(
            "CONSENTS",
            "sqs-2",
            &consent(&world, "given", &json!("marketing"), "consent-1"),
        )
        .await;
    assert_eq!(opted_in["type"], "subject.opted_in");
    assert_eq!(opted_in["data"]["method"], "web_checkbox");
    assert_eq!(subject(&opted_in), person);
    let url = opted_in["data"]["unsubscribe_url"].as_str().unwrap();
    let (base, token) = url.rsplit_once("/u/").unwrap();
    assert_eq!(
        base,
        world.name("HEADGATE_PRIVACY_URL").trim_end_matches('/')
    );
    assert_eq!(
        link::verify(
            &world.links().await,
            world.name("HEADGATE_DEPLOYMENT"),
            token
        ),
        Some(person.clone())
    );

    // A refused id is not consumed.
    let accepted = world
        .answer("MARKETING", "sqs-3", &message("marketing", ID))
        .await;
    assert_eq!(accepted["type"], "message.accepted");
    assert_eq!(accepted["data"]["campaign"], "autumn");
    assert_eq!(
        world.queue("wake").await,
        [json!({ "portfolio": "portfolio-1" })]
    );
    let record = world
        .messages()
        .load(&[reference(&accepted)], world.now())
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(
        (record.state, record.attempt, record.producer.as_str()),
        (State::Queued, 0, "AROASHOP")
    );
    assert_eq!(
        record.consent_event.as_deref(),
        opted_in["data"]["ledger_event"].as_str()
    );
    let salt = world.keyring().salt(&person).await.unwrap();
    let place = Place {
        table: "messages",
        key: &body_place_key(&record.reference),
        field: "body",
    };
    let body = world
        .keyring()
        .open_content(record.day, world.now(), &salt, &place, &record.body)
        .await
        .unwrap();
    let payload = Payload::from_bytes(body.reveal()).unwrap();
    assert_eq!(
        (
            payload.phone.as_deref(),
            payload.id.as_str(),
            payload.reference.as_deref()
        ),
        (Some(NUMBER), ID, Some("customer-dingo"))
    );
    assert_eq!(payload.suppression.len(), 1);

    let by_subject = {
        let mut body = message("marketing", "order-2");
        body["to"] = json!({ "subject": person.as_str() });
        world.answer("MARKETING", "sqs-4", &body).await
    };
    assert_eq!(by_subject["type"], "message.accepted");
    assert_eq!(by_subject["ref"], "customer-dingo");

    nothing_is_in_clear(&world, &["customer-dingo", "checkout-7"]).await;
}

#[tokio::test]
async fn lane_sender_subject_and_reference_are_checked() {
    let world = World::start().await;
    let refused = async |queue: &str, id: &str, change: &dyn Fn(&mut Value)| {
        let mut body = message("marketing", id);
        change(&mut body);
        let event = world.answer(queue, id, &body).await;
        assert_eq!(event["type"], "message.refused");
        event["data"]["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused("UTILITY", "a", &|_| {}).await, "lane_mismatch");
    assert_eq!(
        refused("MARKETING", "b", &|body| body["from"] = json!("nobody")).await,
        "unknown_sender"
    );
    assert_eq!(
        refused("MARKETING", "c", &|body| body["from"] = json!("closed")).await,
        "unknown_sender"
    );
    let stranger = SubjectId::from_random([9; 16]);
    assert_eq!(
        refused("MARKETING", "d", &|body| body["to"] =
            json!({ "subject": stranger.as_str() }))
        .await,
        "unknown_subject"
    );
    let missing = format!("in_m1_{}", "A".repeat(43));
    assert_eq!(
        refused("MARKETING", "e", &|body| body["message"]["context"] =
            json!({ "message_ref": missing }))
        .await,
        "unknown_message_ref"
    );
}

#[tokio::test]
async fn a_message_ref_becomes_the_wamid_for_the_person_it_belongs_to_and_for_nobody_else() {
    let world = World::start().await;
    let subjects = world.consents().await.subjects().clone();
    let phone = Identifier::Phone(Phone::parse(NUMBER).unwrap());
    let person = subjects
        .find_or_create(&[phone], world.now())
        .await
        .unwrap();
    subjects.note_inbound(&person, world.now()).await.unwrap();
    let wamid = "wamid.HBgLMTYxMzU1NTAxMjM";
    let name = pseudonym(
        &world.message_refs().await,
        Kind::Message,
        1,
        world.name("HEADGATE_DEPLOYMENT"),
        wamid,
    );
    let salt = world.keyring().salt(&person).await.unwrap();
    let day = world.now().day();
    let place = Place {
        table: "messages",
        key: &inbound_place_key(&name),
        field: "body",
    };
    let body = world
        .keyring()
        .seal_content(
            day,
            &salt,
            &place,
            json!({ "wamid": wamid }).to_string().as_bytes(),
        )
        .await
        .unwrap();
    let inbound = Inbound {
        reference: name.clone(),
        subject: person.clone(),
        at: world.now(),
        kind: "text".to_owned(),
        day,
        body,
        done: true,
    };
    world.messages().put_inbound(&inbound).await.unwrap();

    let reply = |number: &str, id: &str| {
        json!({ "schema": "headgate.outbound/1", "id": id, "from": "main", "to": { "phone": number }, "purpose": "service",
            "message": { "type": "text", "text": { "body": TEXT }, "context": { "message_ref": format!("in_{}", name.as_str()) } } })
    };
    let accepted = world
        .answer("SERVICE", "sqs-1", &reply(NUMBER, "reply-1"))
        .await;
    assert_eq!(accepted["type"], "message.accepted");
    let record = world
        .messages()
        .load(&[reference(&accepted)], world.now())
        .await
        .unwrap()
        .pop()
        .unwrap();
    let place = Place {
        table: "messages",
        key: &body_place_key(&record.reference),
        field: "body",
    };
    let opened = world
        .keyring()
        .open_content(record.day, world.now(), &salt, &place, &record.body)
        .await
        .unwrap();
    assert_eq!(
        Payload::from_bytes(opened.reveal()).unwrap().message["context"]["message_id"],
        wamid
    );

    let stolen = world
        .answer("SERVICE", "sqs-2", &reply("+16135550124", "reply-2"))
        .await;
    assert_eq!(stolen["data"]["code"], "unknown_message_ref");
    nothing_is_in_clear(&world, &[wamid]).await;
}

#[tokio::test]
async fn a_scheduled_message_waits_in_the_due_list() {
    let world = World::start().await;
    world
        .answer(
            "CONSENTS",
            "sqs-1",
            &consent(&world, "given", &json!("marketing"), "c-1"),
        )
        .await;
    let at = world.now().plus_millis(3_600_000);
    let mut body = message("marketing", ID);
    body["not_before"] = json!(at);
    let accepted = world.answer("MARKETING", "sqs-2", &body).await;
    let record = world
        .messages()
        .load(&[reference(&accepted)], world.now())
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(
        (record.state, record.not_before),
        (State::Scheduled, Some(at))
    );
    assert_eq!(
        world.pacing().next_due("portfolio-1").await.unwrap(),
        Some(at)
    );
}
