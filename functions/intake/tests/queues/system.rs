//! The system lane, end to end: the only messages a suppressed person can get.

use headgate_aws::messages::body_place_key;
use headgate_aws::poison::Letter;
use headgate_domain::config::Config;
use headgate_domain::identity::{Identifier, Phone, SubjectId};
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::live::Live;
use headgate_domain::outbound::Recipient;
use headgate_domain::outbound::{Basis, Payload, basis_from_json, kind_of};
use headgate_domain::policy::{Facts, Moment, Request, authorize};
use headgate_domain::profiles::ProcessingRegion;
use headgate_domain::recent::Recent;
use headgate_domain::record::State;
use headgate_domain::region::Country;
use headgate_domain::sealing::Place;
use headgate_domain::system::{Kind, Locale, SystemMessage, to_json};
use headgate_lambda::batch::BatchResponse;
use serde_json::{Value, json};

use crate::world::{PRODUCER, World};
use crate::{NUMBER, TEXT, consent, message, reference};

const PROCESSOR: &str = "AROAPROCESSOR:notification-processor";

/// Somebody who said no to everything, and wrote just now.
async fn suppressed_person(world: &World) -> SubjectId {
    let all: Vec<&str> = PURPOSES.iter().map(|purpose| purpose.word()).collect();
    let no = consent(world, "withdrawn", &json!(all), "c-1");
    let record = world.record("CONSENTS", "s-0", PRODUCER, &no.to_string());
    assert_eq!(world.handle(vec![record]).await, BatchResponse::default());
    let subjects = world.consents().await.subjects().clone();
    let phone = Identifier::Phone(Phone::parse(NUMBER).unwrap());
    let person = subjects
        .find_or_create(&[phone], world.now())
        .await
        .unwrap();
    subjects.note_inbound(&person, world.now()).await.unwrap();
    person
}

fn confirmation(person: &SubjectId, cause: &str) -> Value {
    let said = SystemMessage {
        kind: Kind::OptoutConfirmation,
        cause: cause.to_owned(),
        to: Recipient::Subject(person.clone()),
        from: "main".to_owned(),
        locale: Locale::En,
        token: None,
        said_at: None,
        question: None,
    };
    serde_json::from_str(&to_json(&said)).unwrap()
}

async fn answers(world: &World, body: &Value) -> Vec<Value> {
    world.told("SYSTEM", "s-1", PROCESSOR, body).await
}

#[tokio::test]
async fn a_suppressed_person_gets_the_confirmation_within_the_window_and_nothing_else() {
    let world = World::start().await;
    let person = suppressed_person(&world).await;
    let reply = json!({ "schema": "headgate.outbound/1", "id": "reply", "from": "main", "to": { "phone": NUMBER },
        "purpose": "service", "message": { "type": "text", "text": { "body": TEXT } } });
    assert_eq!(
        world.answer("SERVICE", "s-2", &reply).await["data"]["code"],
        "suppressed"
    );

    let told = answers(&world, &confirmation(&person, "in_m1_A")).await;
    assert_eq!(told[0]["type"], "message.accepted");
    assert_eq!(told[0]["id"], "system.optout_confirmation.in_m1_A");
    let at = reference(&told[0]);
    assert_eq!(at.lane, Purpose::Service);
    let record = world
        .messages()
        .load(&[at], world.now())
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (record.state, record.producer.as_str()),
        (State::Queued, "AROAPROCESSOR")
    );

    // What the sender will see of it at the claim: our own text, and a permit.
    let salt = world.keyring().salt(&person).await.unwrap();
    let key = body_place_key(&record.reference);
    let place = Place {
        table: "messages",
        key: &key,
        field: "body",
    };
    let opened = world
        .keyring()
        .open_content(record.day, world.now(), &salt, &place, &record.body)
        .await
        .unwrap();
    let payload = Payload::from_bytes(opened.reveal()).unwrap();
    let text = payload.message["text"]["body"].as_str().unwrap();
    assert!(text.contains("Maple Outfitters"), "{text}");
    let basis = basis_from_json(&payload.basis);
    assert_eq!(
        basis,
        Basis::System {
            kind: Kind::OptoutConfirmation
        }
    );
    let subject = world
        .consents()
        .await
        .subjects()
        .load(&person)
        .await
        .unwrap()
        .unwrap();
    let config = Config::from_toml(&crate::world::config("")).unwrap();
    let (kind, live, recent) = (
        kind_of(&payload.message),
        Live::default(),
        Recent::default(),
    );
    let region = ProcessingRegion::parse("ca-central-1").unwrap();
    let permitted = |basis: &Basis, now| {
        let request = Request {
            at: Moment::Claim,
            number: config.number("main").unwrap(),
            to: Country::of(&Identifier::Phone(Phone::parse(NUMBER).unwrap())),
            purpose: record.purpose,
            topic: None,
            basis,
            kind: &kind,
            expires_at: record.expires_at,
            accepted_at: record.accepted_at,
            not_before: record.not_before,
        };
        let facts = Facts {
            config: &config,
            live: &live,
            subject: &subject,
            suppressed: &PURPOSES,
            region: &region,
            checks: &[],
            recent: &recent,
            producer: "AROAPROCESSOR",
        };
        authorize(&request, &facts, now)
            .map(|_permit| ())
            .map_err(|no| no.code().word())
    };
    assert_eq!(permitted(&basis, world.now()), Ok(()));
    assert_eq!(permitted(&Basis::Consent, world.now()), Err("suppressed"));
    assert_eq!(
        permitted(&basis, world.now().plus_millis(6 * 60_000)),
        Err("expired"),
        "within five minutes or not at all"
    );
}

#[tokio::test]
async fn one_cause_makes_one_message_and_another_cause_another() {
    let world = World::start().await;
    let person = suppressed_person(&world).await;
    let first = answers(&world, &confirmation(&person, "in_m1_A")).await;
    let again = answers(&world, &confirmation(&person, "in_m1_A")).await;
    assert_eq!(first[0]["event_id"], again[0]["event_id"]);
    let mut in_chinese = confirmation(&person, "in_m1_A");
    in_chinese["locale"] = json!("zh-Hant");
    assert_eq!(
        answers(&world, &in_chinese).await[0]["data"]["code"],
        "duplicate_id"
    );
    // No app can use up the id of a system message on its own lane.
    for n in 0..6 {
        let told = answers(&world, &confirmation(&person, &format!("in_m1_B{n}"))).await;
        let expected = if n < 4 {
            Value::Null
        } else {
            json!("abuse_ceiling")
        };
        assert_eq!(told[0]["data"]["code"], expected, "{n}: they count, too");
    }
    let outbox = world.outbox(Purpose::Service).await;
    assert_eq!(outbox.len(), 5);
}

#[tokio::test]
async fn outside_the_window_it_is_refused() {
    let world = World::start().await;
    let person = suppressed_person(&world).await;
    world.turn(25 * 3_600_000);
    world
        .keyring()
        .mint_day(world.now().day(), world.now())
        .await
        .unwrap();
    let told = answers(&world, &confirmation(&person, "in_m1_A")).await;
    assert_eq!(
        (&told[0]["type"], &told[0]["data"]["code"]),
        (&json!("message.refused"), &json!("window_closed"))
    );
}

#[tokio::test]
async fn what_is_no_system_message_is_set_aside_and_told_to_nobody() {
    let world = World::start().await;
    let person = suppressed_person(&world).await;
    let mut free_text = confirmation(&person, "in_m1_A");
    free_text["text"] = json!("Buy now");
    let mut newsletter = confirmation(&person, "in_m1_A");
    newsletter["kind"] = json!("newsletter");
    for (n, body) in [
        free_text,
        newsletter,
        message("marketing", "m-1"),
        json!({ "schema": "headgate.control/1", "action": "cancel", "id": "a" }),
    ]
    .iter()
    .enumerate()
    {
        assert!(answers(&world, body).await.is_empty(), "{body}");
        let letters = world.queue("system-dlq").await;
        assert_eq!(letters.len(), n + 1);
        let letter = Letter::parse(&letters[n].to_string()).unwrap();
        assert_eq!(
            (letter.source.as_str(), letter.reason.as_str()),
            ("system", "not_system")
        );
    }
    // Nor is a system message anything on a lane.
    let told = world
        .answer("SERVICE", "s-9", &confirmation(&person, "in_m1_A"))
        .await;
    assert_eq!(told["data"]["code"], "malformed");
}
