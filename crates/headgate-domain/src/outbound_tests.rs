#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::json;

use super::*;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-22T09:00:00Z").unwrap()
}

fn example() -> Value {
    json!({
        "schema": "headgate.outbound/1",
        "id": "order-1001-shipped",
        "from": "main",
        "to": { "phone": "+16135550123", "ref": "customer-77" },
        "purpose": "utility",
        "basis": { "kind": "contract", "reference": "order-1001" },
        "message": { "type": "template", "template": { "name": "order_shipped", "language": { "code": "en_US" }, "components": [] } },
        "not_before": "2026-11-22T10:00:00Z", "expires_at": "2026-11-22T18:00:00Z", "campaign": "autumn"
    })
}

fn parse(value: &Value) -> Result<OutboundMessage, Refusal> {
    OutboundMessage::parse(&value.to_string(), now())
}

fn check(change: impl FnOnce(&mut Value), expected: (Code, Option<&'static str>)) {
    let mut value = example();
    change(&mut value);
    match parse(&value) {
        Ok(_) => panic!("accepted, expected {}", expected.0),
        Err(refusal) => assert_eq!((refusal.code, refusal.field), expected),
    }
}

#[test]
fn the_documented_example_is_accepted() {
    let message = parse(&example()).unwrap_or_else(|r| panic!("{} {:?}", r.code, r.field));
    assert_eq!(
        message.kind,
        Kind::Template {
            name: "order_shipped".into(),
            language: "en_US".into(),
            parameters: Parameters::default()
        }
    );
    assert_eq!(message.campaign.as_deref(), Some("autumn"));
}

#[test]
fn every_bad_field_is_named() {
    check(
        |v| v["schema"] = json!("headgate.outbound/2"),
        (Code::Malformed, Some("schema")),
    );
    check(
        |v| v["id"] = json!("has space"),
        (Code::Malformed, Some("id")),
    );
    check(|v| v["id"] = json!(7), (Code::Malformed, Some("id")));
    check(|v| v["from"] = json!(""), (Code::Malformed, Some("from")));
    check(
        |v| v["to"]["phone"] = json!("613 555 0123"),
        (Code::InvalidRecipient, Some("to.phone")),
    );
    check(
        |v| v["to"]["bsuid"] = json!("CA.123"),
        (Code::Malformed, Some("to")),
    );
    check(
        |v| v["to"] = json!({"bsuid": "nobody"}),
        (Code::InvalidRecipient, Some("to.bsuid")),
    );
    check(
        |v| v["to"] = json!({"subject": "sub_1"}),
        (Code::UnknownSubject, Some("to.subject")),
    );
    check(
        |v| v["purpose"] = json!("promo"),
        (Code::Malformed, Some("purpose")),
    );
    check(
        |v| v["basis"] = json!({"kind": "because"}),
        (Code::Malformed, Some("basis.kind")),
    );
    check(
        |v| v["basis"] = json!({"kind": "contract"}),
        (Code::Malformed, Some("basis.reference")),
    );
    check(
        |v| v["message"] = json!({"type": "telepathy", "telepathy": {}}),
        (Code::Malformed, Some("message.type")),
    );
    check(
        |v| v["message"]["to"] = json!("+16135550199"),
        (Code::Malformed, Some("message.to")),
    );
    check(
        |v| v["message"] = json!({"type": "text", "text": {"body": ""}}),
        (Code::Malformed, Some("message.text.body")),
    );
    check(
        |v| v["campaign"] = json!("for-6135550123"),
        (Code::IdentifierLooksPersonal, Some("campaign")),
    );
    check(
        |v| v["campaign"] = json!("a@b"),
        (Code::IdentifierLooksPersonal, Some("campaign")),
    );
    check(
        |v| v["expires_at"] = json!("2026-11-22T08:00:00Z"),
        (Code::Expired, Some("expires_at")),
    );
    check(
        |v| v["expires_at"] = json!("tomorrow"),
        (Code::Malformed, Some("expires_at")),
    );
    check(
        |v| v["expires_at"] = json!("2026-11-22T09:30:00Z"),
        (Code::Malformed, Some("expires_at")),
    );
    check(
        |v| v["not_before"] = json!("2027-01-31T10:00:00Z"),
        (Code::Malformed, Some("expires_at")),
    );
    check(
        |v| v["expires_at"] = json!("2027-01-31T10:00:00Z"),
        (Code::NotBeforeTooFar, Some("expires_at")),
    );
    check(|v| v["extra"] = json!(1), (Code::Malformed, Some("$")));
}

#[test]
fn an_authentication_message_names_the_persons_own_action() {
    check(
        |v| {
            v["purpose"] = json!("authentication");
            v["basis"] = json!(null);
        },
        (Code::NoUserAction, None),
    );
    check(
        |v| {
            v["purpose"] = json!("authentication");
            v["basis"] = json!({"kind": "consent"});
        },
        (Code::NoUserAction, None),
    );
    let mut value = example();
    value["purpose"] = json!("authentication");
    value["basis"] = json!({"kind": "user_action", "at": "2026-11-22T08:59:00Z"});
    assert!(parse(&value).is_ok());
}

#[test]
fn a_wamid_is_never_accepted_and_a_message_ref_takes_its_place() {
    check(
        |v| {
            v["message"] = json!({"type": "text", "text": {"body": "hi"}, "context": {"message_id": "wamid.x"}});
        },
        (Code::Malformed, Some("message.context.message_id")),
    );
    check(
        |v| v["message"] = json!({"type": "reaction", "reaction": {"emoji": "x"}}),
        (Code::Malformed, Some("message.reaction.message_ref")),
    );
    let mut value = example();
    value["message"] =
        json!({"status": "read", "message_ref": "in_m1_x", "typing_indicator": {"type": "text"}});
    let mut message = parse(&value).unwrap_or_else(|r| panic!("{}", r.code));
    assert_eq!(message.message_ref.as_deref(), Some("in_m1_x"));
    insert_wamid(&mut message.message, "wamid.y");
    assert_eq!(message.message["message_id"], "wamid.y");
}

#[test]
fn nothing_in_a_basis_or_a_reference_is_passed_over() {
    check(
        |v| v["basis"]["referrence"] = json!("order-1001"),
        (Code::Malformed, Some("basis")),
    );
    check(
        |v| v["basis"] = json!({"kind": "consent", "reference": "order-1001"}),
        (Code::Malformed, Some("basis")),
    );
    check(
        |v| v["message"]["context"] = json!("in_m1_x"),
        (Code::Malformed, Some("message.context")),
    );
    check(
        |v| v["message"]["context"] = json!({"message_ref": ""}),
        (Code::Malformed, Some("message")),
    );
    let reaction = json!({"type": "reaction", "reaction": {"message_ref": "in_m1_x", "emoji": "x"}, "context": {"message_ref": "in_m1_y"}});
    check(
        |v| v["message"] = reaction,
        (Code::Malformed, Some("message.context")),
    );
    check(
        |v| v["message"] = json!({"type": "contacts", "contacts": {}}),
        (Code::Malformed, Some("message")),
    );
}

#[test]
fn a_limit_counts_characters_in_every_script() {
    let mut value = example();
    value["to"]["ref"] = json!("客".repeat(64));
    assert!(parse(&value).is_ok());
    check(
        |v| v["to"]["ref"] = json!("客".repeat(65)),
        (Code::Malformed, Some("to.ref")),
    );
}

#[test]
fn what_is_not_json_is_refused_without_a_quote() {
    for body in [
        "",
        "{",
        "[]",
        "\"x\"",
        "null",
        "{\"schema\":\"headgate.outbound/1\",\"id\":",
    ] {
        let refusal = OutboundMessage::parse(body, now()).err().unwrap();
        assert_eq!(refusal.code, Code::Malformed, "{body}");
    }
    let big = format!("{{\"id\":\"{}\"}}", "a".repeat(MAX_BYTES));
    assert_eq!(
        OutboundMessage::parse(&big, now()).err().unwrap().code,
        Code::TooLarge
    );
}

#[test]
fn the_graph_body_carries_our_reference_and_never_the_apps_id() {
    let message = parse(&example()).unwrap_or_else(|r| panic!("{}", r.code));
    let payload = Payload {
        phone: Some("+16135550123".into()),
        bsuid: None,
        identity_key: Some("DF2lS5v2W6x=".into()),
        suppression: vec![],
        message: message.message,
        id: message.id,
        reference: None,
        basis: basis_json(&message.basis),
        topic: None,
    };
    let body = payload.graph_body("hg1.x");
    assert_eq!(body["to"], "+16135550123");
    assert_eq!(body["biz_opaque_callback_data"], "hg1.x");
    assert_eq!(body["recipient_identity_key_hash"], "DF2lS5v2W6x=");
    assert!(!body.to_string().contains("order-1001-shipped"));
    assert_eq!(
        basis_from_json(&payload.basis),
        Basis::Contract {
            reference: "order-1001".into()
        }
    );
}

/// Sealed, opened and sent: a place on the map stays where the app put it, to the last digit.
#[test]
fn a_number_goes_to_meta_as_the_app_wrote_it() {
    for step in 1..2_000_u32 {
        let written = format!("45.{:013}", u64::from(step) * 4_999_999_937);
        let mut message = example();
        message["purpose"] = json!("service");
        message["basis"] = json!({ "kind": "consent" });
        message["message"] = json!({ "type": "location", "location": { "latitude": "here" } });
        let body = message.to_string().replace("\"here\"", &written);
        let parsed = OutboundMessage::parse(&body, now()).unwrap_or_else(|r| panic!("{}", r.code));
        let payload = Payload {
            phone: None,
            bsuid: None,
            suppression: Vec::new(),
            identity_key: None,
            message: parsed.message,
            id: parsed.id,
            reference: None,
            basis: Value::Null,
            topic: None,
        };
        let opened = Payload::from_bytes(&payload.to_bytes()).unwrap();
        let sent = opened.graph_body("opaque");
        let exact: f64 = written.parse().unwrap();
        assert_eq!(
            sent["location"]["latitude"].as_f64(),
            Some(exact),
            "{written}"
        );
    }
}
