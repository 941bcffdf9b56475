//! Whole batches against the template's own tables, queues and keys.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::use_debug,
    reason = "tests may fail loudly"
)]

mod world;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use headgate_aws::messages::{Idempotency, Inbound, body_place_key, inbound_place_key};
use headgate_aws::pacing::DueKind;
use headgate_domain::identity::{Identifier, Kind, Phone, SubjectId, pseudonym};
use headgate_domain::lane::Purpose;
use headgate_domain::link;
use headgate_domain::outbound::Payload;
use headgate_domain::record::{RecordRef, State, ulid};
use headgate_domain::sealing::Place;
use headgate_lambda::batch::SqsEvent;
use serde_json::{Value, json};
use world::{PRODUCER, STRANGER, World};

const NUMBER: &str = "+16135550123";
const ID: &str = "order-4711-quokka";
const TEXT: &str = "Parcel wombat-canary is on its way";

fn message(purpose: &str, id: &str) -> Value {
    let template = if purpose == "marketing" {
        "autumn_sale"
    } else {
        "order_shipped"
    };
    json!({
        "schema": "headgate.outbound/1", "id": id, "from": "main", "to": { "phone": NUMBER, "ref": "customer-dingo" }, "purpose": purpose,
        "message": { "type": "template", "template": { "name": template, "language": { "code": "en_US" },
            "components": [{ "type": "body", "parameters": [{ "type": "text", "text": TEXT }] }] } },
        "campaign": "autumn",
    })
}

fn consent(action: &str, purposes: &Value, id: &str) -> Value {
    json!({
        "schema": "headgate.consent/1", "id": id, "to": { "phone": NUMBER }, "purpose": purposes, "action": action,
        "method": "web_checkbox", "notice": "Yes, write to me on WhatsApp", "evidence": { "form": "checkout-7" },
    })
}

fn subject(event: &Value) -> SubjectId {
    SubjectId::parse(event["subject"].as_str().unwrap()).unwrap()
}

fn reference(event: &Value) -> RecordRef {
    RecordRef::from_message_id(event["message_id"].as_str().unwrap()).unwrap()
}

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
            "headgate opt-in --subject {person} --purpose marketing --source api_attested --env-file .headgate/dev.env"
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
            &consent("given", &json!("marketing"), "consent-1"),
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
        .load(&[reference(&accepted)])
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(
        (record.state, record.attempt, record.producer.as_str()),
        (State::Queued, 0, PRODUCER)
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

/// No item of any table shows a person, an app's id or a body, in clear or in base64.
async fn nothing_is_in_clear(world: &World, more: &[&str]) {
    let tables = world.tables().await;
    let shows = |text: &str| tables.iter().any(|(_, item)| item.contains(text));
    assert!(
        shows("106540352242922"),
        "what may be seen is seen, so what may not would be"
    );
    for canary in [NUMBER, &NUMBER[1..], ID, TEXT, "wombat-canary"]
        .iter()
        .chain(more)
    {
        for hidden in spellings(canary) {
            for (place, text) in &tables {
                assert!(
                    !place.contains(&hidden) && !text.contains(&hidden),
                    "{canary} in {place}"
                );
            }
        }
    }
}

/// A text as it is, and as it looks inside base64 at each of the three alignments.
fn spellings(text: &str) -> Vec<String> {
    let mut all = vec![text.to_owned()];
    for shift in 0..3_usize {
        let encoded = STANDARD_NO_PAD.encode([&vec![b'x'; shift][..], text.as_bytes()].concat());
        // The characters at the edges depend on the neighbours.
        all.push(encoded[shift + 1..encoded.len() - 2].to_owned());
    }
    all
}

#[tokio::test]
async fn a_repeated_id_is_the_same_message_or_refused() {
    let world = World::start().await;
    world
        .answer(
            "CONSENTS",
            "sqs-1",
            &consent("given", &json!(["marketing", "marketing"]), "c-1"),
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
    let in_outbox = world
        .messages()
        .after("106540352242922", Purpose::Marketing, 0, "0", 10)
        .await
        .unwrap();
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
            &consent("given", &json!("utility"), "c-2"),
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
            &consent("given", &json!("marketing"), "c-1"),
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
            &old,
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
        .load(std::slice::from_ref(&old))
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(record.state, State::Scheduled);
    let due = world
        .pacing()
        .due("portfolio-1", world.now(), 10)
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
fn canonical_of(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            format!(
                "{{{}}}",
                names
                    .iter()
                    .map(|n| format!("{}:{},", json!(n), canonical_of(&members[*n])))
                    .collect::<String>()
            )
        }
        Value::Array(items) => format!(
            "[{}]",
            items
                .iter()
                .map(|item| format!("{},", canonical_of(item)))
                .collect::<String>()
        ),
        other => other.to_string(),
    }
}

#[tokio::test]
async fn a_bad_record_and_a_foreign_queue_do_not_touch_the_nine_good_ones() {
    let world = World::start().await;
    world
        .answer(
            "CONSENTS",
            "sqs-c",
            &consent("given", &json!("marketing"), "c-1"),
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
            &consent("given", &json!("marketing"), "c-1"),
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
    let again = |response: headgate_lambda::batch::BatchResponse| -> Vec<String> {
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
    assert_eq!(
        world
            .messages()
            .after("106540352242922", Purpose::Marketing, 0, "0", 10)
            .await
            .unwrap()
            .len(),
        1
    );
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
        .load(&[reference(&accepted)])
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
            &consent("given", &json!("marketing"), "c-1"),
        )
        .await;
    let at = world.now().plus_millis(3_600_000);
    let mut body = message("marketing", ID);
    body["not_before"] = json!(at);
    let accepted = world.answer("MARKETING", "sqs-2", &body).await;
    let record = world
        .messages()
        .load(&[reference(&accepted)])
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

#[tokio::test]
async fn only_an_attester_can_say_yes_for_somebody_and_anybody_can_say_no() {
    let world = World::start().await;
    let handle = async |id: &str, producer: &str, body: &Value| {
        let response = world
            .handle(vec![world.record(
                "CONSENTS",
                id,
                producer,
                &body.to_string(),
            )])
            .await;
        assert!(response.batch_item_failures.is_empty());
        world
            .events()
            .await
            .into_iter()
            .rfind(|event| event["id"] == body["id"])
            .unwrap()
    };
    let refused = handle(
        "s-1",
        STRANGER,
        &consent("given", &json!("marketing"), "c-1"),
    )
    .await;
    assert_eq!(
        (&refused["type"], &refused["data"]["code"]),
        (&json!("consent.refused"), &json!("not_attested"))
    );
    let own_channel = {
        let mut body = consent("given", &json!("marketing"), "c-2");
        body["method"] = json!("keyword");
        handle("s-2", PRODUCER, &body).await
    };
    assert_eq!(
        (&own_channel["data"]["code"], &own_channel["data"]["field"]),
        (&json!("malformed"), &json!("method"))
    );
    assert_eq!(
        own_channel["data"]["message"],
        "The record does not follow headgate.consent/1."
    );

    let given = handle(
        "s-3",
        PRODUCER,
        &consent("given", &json!(["marketing", "utility"]), "c-3"),
    )
    .await;
    assert_eq!(given["type"], "subject.opted_in");
    let mut withdrawn = consent("withdrawn", &json!("marketing"), "c-4");
    withdrawn["to"] = json!({ "subject": given["subject"] });
    withdrawn["method"] = json!("link");
    let out = handle("s-4", STRANGER, &withdrawn).await;
    assert_eq!(
        (&out["type"], &out["data"]["purpose"]),
        (&json!("subject.opted_out"), &json!("marketing"))
    );
    assert!(out["data"].get("unsubscribe_url").is_none());
    assert_eq!(
        world
            .answer("MARKETING", "s-5", &message("marketing", "o-1"))
            .await["data"]["code"],
        "suppressed"
    );
    assert_eq!(
        world
            .answer("UTILITY", "s-6", &message("utility", "o-2"))
            .await["type"],
        "message.accepted"
    );

    let mut old = consent("given", &json!("marketing"), "c-5");
    old["occurred_at"] = json!(world.now().plus_millis(-86_400_000));
    let superseded = handle("s-7", PRODUCER, &old).await;
    assert_eq!(
        (&superseded["type"], &superseded["data"]["code"]),
        (&json!("consent.refused"), &json!("superseded"))
    );

    let mut nobody = consent("withdrawn", &json!("marketing"), "c-6");
    nobody["to"] = json!({ "subject": SubjectId::from_random([9; 16]).as_str() });
    assert_eq!(
        handle("s-8", PRODUCER, &nobody).await["data"]["code"],
        "unknown_subject"
    );
}

#[tokio::test]
async fn zz_speed() {
    let world = World::start().await;
    world
        .answer(
            "CONSENTS",
            "sqs-c",
            &consent("given", &json!("marketing"), "c-1"),
        )
        .await;
    let start = std::time::Instant::now();
    for b in 0..50 {
        let records = (0..10)
            .map(|n| {
                let mut m = message("marketing", &format!("o-{b}-{n}"));
                m["to"] = json!({"phone": format!("+16135550{:03}", 100 + (b*10+n) % 100)});
                world.record("MARKETING", &format!("m-{b}-{n}"), PRODUCER, &m.to_string())
            })
            .collect();
        assert!(world.handle(records).await.batch_item_failures.is_empty());
    }
    eprintln!("500 mixed records {:?}", start.elapsed());
    let start = std::time::Instant::now();
    for b in 0..50 {
        let records = (0..10)
            .map(|n| {
                world.record(
                    "MARKETING",
                    &format!("p-{b}-{n}"),
                    PRODUCER,
                    &message("marketing", &format!("q-{b}-{n}")).to_string(),
                )
            })
            .collect();
        assert!(world.handle(records).await.batch_item_failures.is_empty());
    }
    eprintln!("500 accepted records {:?}", start.elapsed());
}
