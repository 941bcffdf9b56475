//! Events: whatever the code can say, the schema allows, and what the code names, the schema names.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use headgate_domain::consent::{IdentityChange, METHODS};
use headgate_domain::do_not_sell::{DoNotSell, Way};
use headgate_domain::event::{Event, message_event, refusal_data};
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_domain::record::{RecordRef, State, ulid};
use headgate_domain::refusal::{Code, Refusal};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::{in_repository, now, schema, validator};

fn events() -> (Value, Validator) {
    let schema = schema("event.v1.json");
    let validator = validator(&schema);
    (schema, validator)
}

fn record(lane: Purpose) -> RecordRef {
    RecordRef {
        number: "106540352242922".into(),
        lane,
        shard: 0,
        ulid: ulid(now(), [7; 10]),
    }
}

fn subject() -> SubjectId {
    SubjectId::from_random([7; 16])
}

fn about(event: Event) -> Event {
    event
        .with_id(Some("order-1001".into()))
        .with_subject(Some(&subject()))
        .with_reference(Some("customer-77".into()))
}

/// The members that a type's data may have.
fn data_members(schema: &Value, kind: &str) -> BTreeSet<String> {
    let rules = schema["allOf"].as_array().unwrap();
    let rule = rules
        .iter()
        .find(|r| r["if"]["properties"]["type"]["const"] == kind)
        .expect(kind);
    let reference = rule["then"]["properties"]["data"]["$ref"].as_str().unwrap();
    let shape = schema
        .pointer(reference.strip_prefix('#').unwrap())
        .unwrap();
    shape["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

fn allow(event: &Event) {
    let (schema, validator) = events();
    let value: Value = serde_json::from_str(&event.to_json()).unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(&value)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{value}\n{wrong:?}");
    let members = data_members(&schema, event.kind);
    assert!(
        event.data.keys().all(|k| members.contains(k)),
        "undocumented: {value}"
    );
}

fn refuse(event: &Event) {
    let (_, validator) = events();
    let value: Value = serde_json::from_str(&event.to_json()).unwrap();
    assert!(!validator.is_valid(&value), "{value}");
}

#[test]
fn every_type_has_a_shape_and_every_shape_a_type() {
    let (schema, _) = events();
    let types: Vec<&Value> = schema["properties"]["type"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    let shaped: Vec<&Value> = schema["allOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["if"]["properties"]["type"]["const"])
        .collect();
    assert_eq!(types, shaped);
}

#[test]
fn every_state_an_app_sees_makes_an_allowed_event() {
    let states = [
        "HELD",
        "SENT",
        "DELIVERED",
        "READ",
        "PLAYED",
        "FAILED",
        "UNKNOWN",
        "CANCELLED",
    ];
    for kind in states
        .into_iter()
        .filter_map(State::from_word)
        .map(|s| message_event(s).unwrap())
    {
        for lane in PURPOSES {
            let bare = Event::of_message(kind, now(), &record(lane)).with("purpose", lane.word());
            allow(&bare);
            let full = about(bare)
                .with("campaign", "autumn")
                .with("template", "autumn_sale")
                .with("status_at", now().to_string())
                .with("code", 131_049)
                .with("reason", "suppressed");
            allow(&full);
        }
        refuse(&Event::new(kind, now(), &["no record"]).with("purpose", "utility"));
        refuse(&Event::of_message(kind, now(), &record(Purpose::Utility)));
    }
    allow(
        &Event::of_message("message.failed", now(), &record(Purpose::Utility))
            .with("purpose", "utility")
            .with("message", "Not delivered."),
    );
    let accepted = Event::of_message("message.accepted", now(), &record(Purpose::Utility))
        .with("purpose", "utility")
        .with("expires_at", now().to_string());
    allow(&about(accepted.clone().with("campaign", "autumn")));
    refuse(&accepted.with("purpose", "sales"));
}

#[test]
fn every_refusal_makes_an_allowed_event_and_an_unknown_code_does_not() {
    for code in Code::ALL {
        allow(&Event::refused(now(), &(*code).into(), "sqs-1"));
        let named = Refusal::at(*code, "to.phone", "is empty");
        allow(&about(Event::refused(now(), &named, "sqs-1")).with("command", "headgate opt-in"));
        let mut consent = Event::new("consent.refused", now(), &["sqs-1"]);
        consent.data = refusal_data(&named);
        allow(&about(consent));
    }
    for code in ["not_attested", "superseded"] {
        let event = |kind| {
            Event::new(kind, now(), &["sqs-1"])
                .with("code", code)
                .with("message", "No.")
                .with("remedy", "None.")
        };
        allow(
            &event("consent.refused")
                .with("purpose", "marketing")
                .with("ledger_event", "L0.1"),
        );
        refuse(&event("message.refused"));
    }
}

#[test]
fn what_a_person_says_makes_an_allowed_event() {
    for kind in ["subject.opted_in", "subject.opted_out"] {
        for method in METHODS {
            let event = Event::new(kind, now(), &["sqs-1", "marketing"])
                .with("purpose", "marketing")
                .with("method", method)
                .with("ledger_event", "L0.1");
            refuse(&event);
            allow(&about(event.clone()));
            allow(&about(event).with("occurred_at", now().to_string()));
        }
    }
    let changed = |change: &str| {
        Event::new("subject.changed", now(), &[change])
            .with_subject(Some(&subject()))
            .with("change", change)
    };
    for change in [
        IdentityChange::Number,
        IdentityChange::UserId,
        IdentityChange::IdentityKey,
        IdentityChange::NumberReassigned,
    ] {
        allow(&changed(change.word()).with("consents", "suspended"));
    }
    allow(&changed("same_person").with("same_as", subject().as_str()));
    refuse(&changed("hair"));
    let inbound = |message_ref: &str| {
        about(Event::new("inbound.message", now(), &[message_ref]))
            .with("number", Some("106540352242922"))
            .with("message_ref", message_ref)
            .with("message_type", "text")
            .with("at", now().to_string())
            .with_id(None)
    };
    let named = inbound("in_m1_0123456789-_abcdefghijklmnopqrstuvwxyz01234567");
    allow(
        &named
            .clone()
            .with(
                "message",
                json!({"type": "text", "text": {"body": "hello"}}),
            )
            .with("phone", "+16135550123"),
    );
    allow(&named.with("truncated", true).with("number", Value::Null));
    refuse(&inbound("wamid.x"));
}

#[test]
fn a_choice_not_to_sell_makes_an_allowed_event() {
    for way in Way::ALL {
        let choice = DoNotSell {
            at: now(),
            way,
            source: "sqs-1".to_owned(),
            event: None,
        };
        let told = choice.told(&subject(), Some("customer-77".to_owned()), "L0.1");
        allow(&told);
        refuse(&told.with("method", "paper"));
    }
}

#[test]
fn a_request_makes_an_allowed_event() {
    for kind in ["subject.restricted", "subject.unrestricted"] {
        let event = |request: &str| {
            Event::new(kind, now(), &[request])
                .with_subject(Some(&subject()))
                .with_reference(Some("customer-77".into()))
                .with("request", request)
        };
        allow(&event(&format!("dsr_{}", "a".repeat(20))));
        refuse(&event("dsr_1"));
        refuse(&event("+16135550123"));
    }
    let forgotten = Event::new("subject.forgotten", now(), &[subject().as_str()]);
    refuse(&forgotten);
    let forgotten = forgotten.with_subject(Some(&subject()));
    refuse(&forgotten);
    allow(&forgotten.with("contact_at", now().to_string()));
    let rectification = Event::new("subject.rectification", now(), &["dsr"])
        .with_subject(Some(&subject()))
        .with("request", format!("dsr_{}", "a".repeat(20)));
    refuse(&rectification);
    allow(&rectification.with("due_at", now().to_string()));
}

#[test]
fn a_notice_makes_an_allowed_event() {
    for kind in [
        "template.notification",
        "number.notification",
        "account.notification",
    ] {
        allow(
            &Event::new(kind, now(), &["1"])
                .with("field", "account_update")
                .with("time", now().to_string()),
        );
        refuse(&Event::new(kind, now(), &["1"]));
    }
    let template = Event::new("template.notification", now(), &["1"])
        .with("field", "message_template_status_update")
        .with("event", "PAUSED")
        .with("template", "autumn_sale")
        .with("language", "en_US")
        .with("reason", "NONE")
        .with("quality", "RED");
    allow(&template);
}

/// The text between a marker and the next quotation mark, each time the marker occurs.
fn quoted_after<'a>(source: &'a str, marker: &'a str) -> impl Iterator<Item = &'a str> {
    source
        .match_indices(marker)
        .map(move |(at, _)| source[at + marker.len()..].split('"').next().unwrap())
}

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&entry).unwrap();
            found.push(text.split("#[cfg(test)]").next().unwrap().to_owned());
        }
    }
}

#[test]
fn every_type_and_member_the_functions_name_is_in_the_schema() {
    let (schema, _) = events();
    let types = schema["properties"]["type"]["enum"].as_array().unwrap();
    let members: BTreeSet<String> = types
        .iter()
        .flat_map(|t| data_members(&schema, t.as_str().unwrap()))
        .collect();
    let mut texts = Vec::new();
    for function in fs::read_dir(in_repository("functions")).unwrap() {
        sources(&function.unwrap().path().join("src"), &mut texts);
    }
    let mut seen = 0;
    for text in texts.iter().filter(|t| t.contains("Event::")) {
        for marker in ["Event::new(\"", "Event::of_message(\""] {
            for kind in quoted_after(text, marker) {
                assert!(
                    types.iter().any(|t| t == kind),
                    "{kind} is not in schemas/event.v1.json"
                );
                seen += 1;
            }
        }
        for member in quoted_after(text, ".with(\"") {
            assert!(
                members.contains(member),
                "data.{member} is not in schemas/event.v1.json"
            );
        }
    }
    assert!(
        seen > 3,
        "the functions make no events any more, or in another way than this test reads"
    );
}
