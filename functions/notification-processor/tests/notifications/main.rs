//! Whole notifications against the template's own tables, queues and keys.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may fail loudly, and are told by their environment to write a page"
)]

mod answers;
mod controls;
mod failures;
mod identity;
mod mutations;
mod objections;
mod overflow;
mod page;
mod questions;
mod replays;
mod shapes;
mod standing;
mod world;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_aws::subjects::ConsentRequest;
use headgate_domain::consent::{State as Stands, Topic};
use headgate_domain::identity::Pseudonym;
use headgate_domain::lane::Purpose;
use headgate_domain::optin_code;
use headgate_domain::record::{RecordRef, State, ulid};
use headgate_domain::sealing::Place;
use headgate_domain::time::{HOUR, MINUTE, Timestamp};
use notification_processor::quarantine;
use serde_json::{Value, json};
use world::{NUMBER, World, body, status, text};

const ADA: &str = "+16135550100";
const WAMID: &str = "wamid.HBgLMTYxMzU1NTAxMDA";

fn one(events: &[Value]) -> &Value {
    assert_eq!(events.len(), 1);
    &events[0]
}

#[tokio::test]
async fn a_stop_closes_marketing_everywhere_and_is_passed_on() {
    let world = World::start().await;
    let at = world.now().plus_millis(-HOUR);
    world.opt_in(ADA, at.plus_millis(-HOUR)).await;
    let facts = world.ledger().await;
    let stop = body("messages", &[text(ADA, WAMID, at, "STOP")]);
    world.consume(&stop).await;

    assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));
    assert_eq!(world.suppressed(ADA).await, [Purpose::Marketing]);
    assert_eq!(world.ledger().await, facts + 1);
    let out = world.events("subject.opted_out").await;
    let out = one(&out);
    assert_eq!(
        (&out["data"]["purpose"], &out["data"]["method"]),
        (&json!("marketing"), &json!("keyword"))
    );
    assert!(
        out["data"]["ledger_event"]
            .as_str()
            .unwrap()
            .starts_with('L')
    );

    let passed = world.events("inbound.message").await;
    let data = &one(&passed)["data"];
    assert_eq!(
        (&data["number"], &data["message"]["text"]["body"]),
        (&json!(NUMBER), &json!("STOP"))
    );
    let name = Pseudonym::parse(
        data["message_ref"]
            .as_str()
            .unwrap()
            .strip_prefix("in_")
            .unwrap(),
    )
    .unwrap();
    assert!(
        world
            .messages()
            .inbound(&name, world.now())
            .await
            .unwrap()
            .unwrap()
            .done
    );
    let subject = world.subject(ADA).await;
    assert_eq!(
        world
            .person(&subject)
            .await
            .last_inbound_at
            .map(Timestamp::seconds),
        Some(at.seconds())
    );

    // Meta repeats for seven days.
    world.consume(&stop).await;
    assert_eq!(world.ledger().await, facts + 1);
    assert_eq!(world.events("inbound.message").await.len(), 1);
    let everything = world.everything().await;
    for secret in ["5550100", WAMID] {
        assert!(!everything.contains(secret), "{secret} is stored in clear");
    }
}

/// Since 2026 a notification may name nobody's number; who wrote is the business-scoped user id alone.
#[tokio::test]
async fn a_message_of_a_person_without_a_number_is_processed() {
    let world = World::start().await;
    let at = world.now().plus_millis(-HOUR);
    let wrote = |wamid: &str, words: &str| {
        let mut message = text("", wamid, at, words);
        let members = message.as_object_mut().unwrap();
        members.remove("from");
        members.insert("from_user_id".into(), json!("CA.1702955511"));
        message
    };
    let messages = [wrote("wamid.HBgM1", "hello"), wrote("wamid.HBgM2", "STOP")];
    world.consume(&body("messages", &messages)).await;
    let passed = world.events("inbound.message").await;
    assert_eq!(passed.len(), 2);
    assert_eq!(passed[0]["subject"], passed[1]["subject"], "one person");
    let out = world.events("subject.opted_out").await;
    assert_eq!(one(&out)["subject"], passed[0]["subject"]);
    assert!(!world.everything().await.contains("1702955511"));
}

#[tokio::test]
async fn a_start_reopens_what_a_stop_closed_and_a_replayed_one_does_not() {
    let world = World::start().await;
    let at = world.now().plus_millis(-HOUR);
    let minute = |n: i64| at.plus_millis(n * MINUTE);
    world.opt_in(ADA, minute(-10)).await;
    world
        .consume(&body(
            "messages",
            &[text(ADA, "wamid.A", minute(0), "STOP")],
        ))
        .await;
    world
        .consume(&body(
            "messages",
            &[text(ADA, "wamid.B", minute(1), "START")],
        ))
        .await;
    assert_eq!(world.marketing(ADA).await, Some(Stands::Given));
    assert_eq!(world.suppressed(ADA).await, []);
    assert_eq!(world.events("subject.opted_in").await.len(), 1);

    world
        .consume(&body(
            "messages",
            &[text(ADA, "wamid.C", minute(2), "STOP")],
        ))
        .await;
    // The same message again, and one that was written before the STOP and arrives after it.
    world
        .consume(&body(
            "messages",
            &[
                text(ADA, "wamid.B", minute(1), "START"),
                text(ADA, "wamid.D", minute(1), "START"),
            ],
        ))
        .await;
    assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));
    assert_eq!(world.suppressed(ADA).await, [Purpose::Marketing]);
    assert_eq!(world.events("subject.opted_in").await.len(), 1);
}

#[tokio::test]
async fn a_start_of_a_stranger_is_no_consent() {
    let world = World::start().await;
    world
        .consume(&body("messages", &[text(ADA, WAMID, world.now(), "START")]))
        .await;
    assert_eq!(world.marketing(ADA).await, None);
    assert_eq!(world.ledger().await, 0);
    assert_eq!(world.events("inbound.message").await.len(), 1);
}

#[tokio::test]
async fn the_code_of_the_opt_in_page_makes_the_message_a_consent_once() {
    let world = World::start().await;
    let now = world.now();
    let code = optin_code::from_random([9; 7]);
    let request = ConsentRequest {
        asks: vec![(Purpose::Marketing, None), (Purpose::Utility, None)],
        notice: "Maple Outfitters may write to me".into(),
        locale: "en".into(),
        requested_at: now,
    };
    world
        .requests()
        .put(&optin_code::hash(&code), &request, now.plus_millis(HOUR))
        .await
        .unwrap();
    world
        .consume(&body(
            "messages",
            &[text(
                ADA,
                WAMID,
                now,
                &format!("confirm {}", code.to_lowercase()),
            )],
        ))
        .await;
    let subject = world.subject(ADA).await;
    let person = world.person(&subject).await;
    for purpose in [Purpose::Marketing, Purpose::Utility] {
        assert_eq!(
            person
                .consent(purpose)
                .map(|c| (c.state, c.method.as_str())),
            Some((Stands::Given, "message_in"))
        );
    }
    assert_eq!(world.events("subject.opted_in").await.len(), 2);

    world
        .consume(&body(
            "messages",
            &[text(
                "+16135550101",
                "wamid.B",
                now,
                &format!("CONFIRM {code}"),
            )],
        ))
        .await;
    assert_eq!(
        world.marketing("+16135550101").await,
        None,
        "a code is good for one message"
    );
}

#[tokio::test]
async fn a_code_for_a_topic_is_a_yes_to_that_topic_alone() {
    let world = World::start().await;
    let now = world.now();
    let code = optin_code::from_random([8; 7]);
    let offers = Topic::parse("offers").unwrap();
    let request = ConsentRequest {
        asks: vec![(Purpose::Marketing, Some(offers.clone()))],
        notice: "Maple Outfitters may write to me about offers".into(),
        locale: "en".into(),
        requested_at: now,
    };
    let hash = optin_code::hash(&code);
    let ends = now.plus_millis(HOUR);
    world.requests().put(&hash, &request, ends).await.unwrap();
    let said = text(ADA, WAMID, now, &format!("CONFIRM {code}"));
    world.consume(&body("messages", &[said])).await;
    let person = world.person(&world.subject(ADA).await).await;
    let given = person.topic_consent(Purpose::Marketing, &offers);
    assert_eq!(given.map(|consent| consent.state), Some(Stands::Given));
    assert!(person.consent(Purpose::Marketing).is_none());
    let told = world.events("subject.opted_in").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["data"]["topic"], "offers");
}

#[tokio::test]
async fn statuses_move_a_record_up_in_any_order_and_each_move_is_told_once() {
    let world = World::start().await;
    let now = world.now();
    let reference = world.record(ADA, Purpose::Utility, 1).await;
    let opaque = reference.opaque(1);
    world
        .consume(&body(
            "statuses",
            &[
                status(&opaque, "delivered", now, None),
                status(&opaque, "sent", now, None),
            ],
        ))
        .await;
    assert_eq!(world.state(&reference).await, State::Delivered);
    assert!(world.events("message.sent").await.is_empty());
    let told = world.events("message.delivered").await;
    let told = one(&told);
    assert_eq!(
        (&told["id"], &told["ref"]),
        (&json!("order-1"), &json!("customer-7"))
    );
    assert_eq!(told["message_id"], reference.message_id());
    assert_eq!(
        (&told["data"]["purpose"], &told["data"]["campaign"]),
        (&json!("utility"), &json!("autumn"))
    );

    world
        .consume(&body(
            "statuses",
            &[status(&opaque, "delivered", now, None)],
        ))
        .await;
    assert_eq!(world.events("message.delivered").await.len(), 1);
    world
        .consume(&body(
            "statuses",
            &[
                status(&opaque, "failed", now, Some(131_026)),
                status(&opaque, "read", now, None),
            ],
        ))
        .await;
    assert_eq!(world.state(&reference).await, State::Failed);
    let failed = world.events("message.failed").await;
    assert_eq!(one(&failed)["data"]["code"], 131_026);
    assert!(world.events("message.read").await.is_empty());

    // Handed over again, the first time may have ended between the move and the telling.
    let again = body("statuses", &[status(&opaque, "failed", now, Some(131_026))]);
    assert!(
        world
            .deliver(&[again], 2)
            .await
            .batch_item_failures
            .is_empty()
    );
    let failed = world.events("message.failed").await;
    assert_eq!(
        (failed.len(), &failed[0]["event_id"]),
        (2, &failed[1]["event_id"])
    );
}

/// Meta answered 200 and held the message; hours later it says that nothing will come of it.
#[tokio::test]
async fn a_held_message_whose_template_is_paused_has_failed() {
    let world = World::start().await;
    let reference = world
        .record_in(State::Held, ADA, Purpose::Marketing, 1)
        .await;
    let later = status(&reference.opaque(1), "failed", world.now(), Some(132_015));
    world.consume(&body("statuses", &[later])).await;
    assert_eq!(world.state(&reference).await, State::Failed);
    let failed = world.events("message.failed").await;
    assert_eq!(one(&failed)["data"]["code"], 132_015);
    assert!(world.events("message.sent").await.is_empty());
}

#[tokio::test]
async fn a_status_of_a_message_that_is_not_ours_changes_nothing() {
    let world = World::start().await;
    let now = world.now();
    let reference = world.record(ADA, Purpose::Utility, 1).await;
    let unknown = RecordRef {
        ulid: ulid(now, [9; 10]),
        ..reference.clone()
    };
    let before = world.everything().await;
    world
        .consume(&body(
            "statuses",
            &[
                status("crm-7", "read", now, None),
                status(&unknown.opaque(1), "failed", now, Some(131_050)),
            ],
        ))
        .await;
    assert_eq!(world.state(&reference).await, State::Accepted);
    assert!(world.queue("app-events").await.is_empty());
    assert_eq!(before, world.everything().await);
}

#[tokio::test]
async fn metas_own_switch_is_an_opt_out_and_its_return_is_no_consent() {
    let world = World::start().await;
    let at = world.now().plus_millis(-HOUR);
    world.opt_in(ADA, at.plus_millis(-HOUR)).await;
    let choice = |value: &str, at: Timestamp| {
        body(
            "user_preferences",
            &[
                json!({ "wa_id": "16135550100", "user_id": "CA.17", "category": "marketing_messages", "value": value, "timestamp": at.seconds() }),
            ],
        )
    };
    world.consume(&choice("stop", at)).await;
    assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));
    assert_eq!(world.suppressed(ADA).await, [Purpose::Marketing]);
    let subject = world.subject(ADA).await;
    let person = world.person(&subject).await;
    assert!(person.meta_stop && person.bsuid.is_some());
    world
        .consume(&choice("resume", at.plus_millis(MINUTE)))
        .await;
    assert!(!world.person(&subject).await.meta_stop);
    assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));
    assert_eq!(world.events("subject.opted_out").await.len(), 1);
}

#[tokio::test]
async fn a_marketing_message_refused_for_a_stop_is_an_opt_out() {
    let world = World::start().await;
    let now = world.now();
    world.opt_in(ADA, now.plus_millis(-HOUR)).await;
    let reference = world.record(ADA, Purpose::Marketing, 1).await;
    world
        .consume(&body(
            "statuses",
            &[status(&reference.opaque(1), "failed", now, Some(131_050))],
        ))
        .await;
    assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));
    let subject = world.subject(ADA).await;
    assert!(world.person(&subject).await.meta_stop);
    assert_eq!(
        world.events("subject.opted_out").await[0]["data"]["method"],
        "meta_switch"
    );
}

#[tokio::test]
async fn one_poisonous_update_of_a_thousand_is_set_aside_and_the_rest_is_done() {
    let world = World::start().await;
    let now = world.now();
    let mut updates = Vec::new();
    let mut references = Vec::new();
    for id in 0..9 {
        references.push(world.record(ADA, Purpose::Utility, id).await);
    }
    for n in 0..999 {
        // A hundred and eleven repetitions of nine messages: a replay costs a look and changes nothing.
        updates.push(status(&references[n % 9].opaque(1), "sent", now, None));
    }
    updates.insert(
        500,
        json!({ "id": "wamid.canary", "status": "sent", "timestamp": "never" }),
    );
    let started = std::time::Instant::now();
    world.consume(&body("statuses", &updates)).await;
    assert!(
        started.elapsed().as_secs() < 50,
        "a batch has sixty seconds"
    );
    for reference in &references {
        assert_eq!(world.state(reference).await, State::Sent);
    }
    assert_eq!(world.events("message.sent").await.len(), 9);

    let aside = world.queue("notifications-dlq").await;
    let aside = one(&aside);
    assert_eq!(
        (&aside["reason"], &aside["index"]),
        (&json!("unreadable"), &json!(500))
    );
    let sealed = STANDARD.decode(aside["sealed"].as_str().unwrap()).unwrap();
    let salt = world.keyring().salt(&quarantine::subject()).await.unwrap();
    let place = Place {
        table: "notifications",
        key: "quarantine",
        field: "body",
    };
    let plain = world
        .keyring()
        .open_content(now.day(), now, &salt, &place, &sealed)
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(plain.reveal()).contains("wamid.canary"));
    assert!(!world.everything().await.contains("wamid.canary"));
}

#[tokio::test]
async fn a_body_nobody_can_read_is_set_aside_and_consumed_beside_one_that_works() {
    let world = World::start().await;
    let good = body("messages", &[text(ADA, WAMID, world.now(), "hello")]);
    let answer = world.deliver(&["{\"canary\":".to_owned(), good], 1).await;
    assert!(answer.batch_item_failures.is_empty());
    assert_eq!(
        world.queue("notifications-dlq").await[0]["reason"],
        "malformed"
    );
    assert_eq!(world.events("inbound.message").await.len(), 1);
    assert!(!world.everything().await.contains("canary"));
}

#[tokio::test]
async fn a_paused_template_is_told() {
    let world = World::start().await;
    let notice = json!({ "entry": [{ "id": "300", "time": 1_795_341_600, "changes": [{ "field": "message_template_status_update",
        "value": { "event": "PAUSED", "message_template_name": "autumn_sale", "message_template_language": "en_US" } }] }] });
    world.consume(&notice.to_string()).await;
    let told = world.events("template.notification").await;
    assert_eq!(one(&told)["data"]["template"], "autumn_sale");
}

#[tokio::test]
async fn what_we_could_not_do_is_handed_over_again_and_nothing_is_lost_or_told_twice() {
    let world = World::start().await;
    let (now, at) = (world.now(), world.now().plus_millis(-HOUR));
    world.opt_in(ADA, at.plus_millis(-HOUR)).await;
    let reference = world.record("+16135550101", Purpose::Utility, 1).await;
    world.keyring().destroy(now.day().into()).await.unwrap();
    let bodies = [
        body("messages", &[text(ADA, WAMID, at, "STOP")]),
        body(
            "statuses",
            &[status(&reference.opaque(1), "sent", now, None)],
        ),
    ];
    let answer = world.deliver(&bodies, 1).await;
    let failed: Vec<_> = answer
        .batch_item_failures
        .iter()
        .map(|f| f.item_identifier.as_str())
        .collect();
    assert_eq!(
        failed,
        ["m0"],
        "without the key of the day nothing can be stored, and the status needs none"
    );
    assert!(world.events("inbound.message").await.is_empty());
    let told = world.events("message.sent").await;
    assert_eq!(
        (one(&told)["message_id"].as_str(), &one(&told)["id"]),
        (Some(reference.message_id().as_str()), &Value::Null)
    );

    world.keyring().mint_day(now.day(), now).await.unwrap();
    assert!(
        world
            .deliver(&bodies[..1], 2)
            .await
            .batch_item_failures
            .is_empty()
    );
    assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));
    assert_eq!(world.events("inbound.message").await.len(), 1);
}
