//! The two short inputs: what an app says about its message, and what Headgate itself writes.

use headgate_domain::control_message::{self, Control, NotCancelled};
use headgate_domain::event::Event;
use headgate_domain::outbound::Recipient;
use headgate_domain::privacy::Ask;
use headgate_domain::system::{Kind, Locale, SystemMessage, Wanted, to_json};
use serde_json::{Value, json};

use super::{now, schema, validator};

#[test]
fn a_control_message_is_read_exactly_when_it_is_valid() {
    let validator = validator(&schema("control.v1.json"));
    let good = json!({ "schema": "headgate.control/1", "action": "cancel", "id": "order-1001" });
    let mut bodies = vec![good.clone(), json!([]), json!({}), json!("cancel")];
    for member in ["schema", "action", "id"] {
        for value in [
            json!("x"),
            json!(""),
            json!("two words"),
            json!(7),
            Value::Null,
            json!("a".repeat(128)),
            json!("a".repeat(129)),
            json!("headgate.control/2"),
        ] {
            let mut body = good.clone();
            body[member] = value;
            bodies.push(body);
        }
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(member);
        bodies.push(body);
    }
    let mut more = good.clone();
    more["lane"] = json!("utility");
    bodies.push(more);
    let mut read = 0;
    for body in bodies {
        let parsed = control_message::parse(&body.to_string());
        assert_eq!(parsed.is_ok(), validator.is_valid(&body), "{body}");
        read += usize::from(parsed.is_ok());
    }
    assert_eq!(read, 3);
    let cancel = control_message::parse(&good.to_string());
    assert_eq!(
        cancel,
        Ok(Control::Cancel {
            id: "order-1001".into()
        })
    );
}

#[test]
fn a_system_message_is_read_exactly_when_it_is_valid() {
    let validator = validator(&schema("system-message.v1.json"));
    let good = |kind: Kind| -> Value {
        let has_token = kind.is_about_a_request();
        let said = SystemMessage {
            kind,
            cause: "in_m1_A".into(),
            to: Recipient::Subject(headgate_domain::identity::SubjectId::from_random([7; 16])),
            from: "main".into(),
            locale: Locale::ZhHans,
            token: has_token.then(|| "402913".into()),
            said_at: Some(now()),
            question: kind.is_question().then(|| Wanted {
                entry: "shop-door".into(),
                notice: headgate_domain::consent::NoticeId::of("Yes", "en", "Maple Outfitters"),
                token: "T".repeat(43),
            }),
        };
        serde_json::from_str(&to_json(&said)).unwrap()
    };
    let question = good(Kind::OptinQuestion)["question"].clone();
    let with = |member: &str, value: Value| {
        let mut changed = question.clone();
        changed[member] = value;
        changed
    };
    for kind in Kind::ALL {
        let good = good(*kind);
        assert!(validator.is_valid(&good), "{good}");
        for member in [
            "schema", "kind", "cause", "to", "from", "locale", "token", "said_at", "question",
            "text",
        ] {
            for value in [
                json!("x"),
                json!(""),
                json!("two words"),
                json!(7),
                Value::Null,
                json!("privacy_export"),
                json!("a".repeat(97)),
                json!({ "phone": "+16135550123" }),
                question.clone(),
                with("entry", json!("buy now")),
                with("entry", json!("door-1234567")),
                with("notice", json!("Buy now")),
                with("token", json!("T")),
                with("text", json!("buy now")),
                json!({ "phone": "+16135550123", "bsuid": "CA.1" }),
                json!({ "phone": "+16135550123", "ref": "customer-1" }),
            ] {
                let mut body = good.clone();
                body[member] = value;
                let parsed = SystemMessage::parse(&body.to_string());
                assert_eq!(parsed.is_ok(), validator.is_valid(&body), "{body}");
            }
        }
    }
}

#[test]
fn why_a_message_is_not_cancelled_is_what_the_events_say() {
    let schema = schema("event.v1.json");
    let listed = &schema["$defs"]["message_not_cancelled"]["properties"]["code"]["enum"];
    let mut all: Vec<&str> = NotCancelled::ALL.iter().map(|why| why.word()).collect();
    all.extend(["malformed", "too_large"]);
    assert_eq!(listed, &json!(all));
    let validator = validator(&schema);
    for why in NotCancelled::ALL {
        let event = Event::new("message.not_cancelled", now(), &["sqs-1"])
            .with("code", why.word())
            .with("message", why.sentence())
            .with("remedy", why.remedy());
        let event: Value = serde_json::from_str(&event.to_json()).unwrap();
        assert!(validator.is_valid(&event), "{event}");
    }
}

#[test]
fn a_request_of_a_person_is_read_exactly_when_it_is_valid() {
    let schema = schema("privacy-request.v1.json");
    let validator = validator(&schema);
    let mut tried = 0;
    for good in schema["examples"].as_array().unwrap() {
        assert!(Ask::parse(&good.to_string()).is_ok(), "{good}");
        for member in [
            "schema", "right", "code", "subject", "source", "at", "number", "locale", "text",
        ] {
            for value in [
                json!("x"),
                json!(""),
                json!(7),
                json!("erasure"),
                json!("de"),
                json!("A".repeat(43)),
                json!("123"),
                json!("2026-11-29T09:00:00Z"),
                json!({}),
            ] {
                let mut changed = good.clone();
                changed[member] = value;
                let reads = Ask::parse(&changed.to_string()).is_ok();
                assert_eq!(reads, validator.is_valid(&changed), "{changed}");
                tried += 1;
            }
            let mut without = good.clone();
            without.as_object_mut().unwrap().remove(member);
            let reads = Ask::parse(&without.to_string()).is_ok();
            assert_eq!(reads, validator.is_valid(&without), "{without}");
        }
    }
    assert!(tried > 150);
}
