//! What is read from a notification, by fixtures of our own in Meta's shapes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests may fail loudly"
)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NUMBER: &str = "200000000000001";

fn parse_text(text: &str) -> Result<Vec<Update>, Malformed> {
    parse(&VerifiedBody::from_own_queue(text.as_bytes().to_vec()))
}

/// A notification with one change.
fn notification(field: &str, value: &Value) -> String {
    json!({
        "object": "whatsapp_business_account",
        "entry": [{ "id": "300000000000001", "changes": [{ "field": field, "value": value }] }]
    })
    .to_string()
}

fn value(rest: &Value) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": "16135550199", "phone_number_id": NUMBER }
    });
    for (key, part) in rest.as_object().unwrap() {
        value[key] = part.clone();
    }
    value
}

fn updates(rest: &Value) -> Vec<Update> {
    parse_text(&notification("messages", &value(rest))).unwrap()
}

fn inbound(rest: &Value) -> Inbound {
    match updates(rest).remove(0) {
        Update::Inbound(inbound) => inbound,
        other => panic!("{}", other.word()),
    }
}

#[test]
fn a_text_from_a_number_is_read() {
    let message = json!({ "from": "16135550100", "from_user_id": "CA.1234567890", "id": "wamid.A1",
        "timestamp": "1795341600", "type": "text", "text": { "body": "STOP" } });
    let inbound = inbound(&json!({
        "contacts": [{ "profile": { "name": "Ada" }, "wa_id": "16135550100", "user_id": "CA.1234567890" }],
        "messages": [message]
    }));
    assert_eq!(inbound.number.as_deref(), Some(NUMBER));
    assert_eq!(inbound.wamid.reveal(), "wamid.A1");
    assert_eq!(inbound.at, Timestamp::from_seconds(1_795_341_600));
    assert_eq!(inbound.from_phone.unwrap().reveal(), "+16135550100");
    assert_eq!(inbound.from_bsuid.unwrap().reveal(), "CA.1234567890");
    assert_eq!(inbound.profile_name.unwrap().reveal(), "Ada");
    assert_eq!(
        (
            inbound.kind.as_str(),
            inbound.text.unwrap().reveal().as_str()
        ),
        ("text", "STOP")
    );
    let raw: Value = serde_json::from_str(inbound.raw.reveal()).unwrap();
    assert_eq!(raw, message);
}

#[test]
fn a_person_without_a_number_is_known_by_the_id_alone() {
    let inbound = inbound(&json!({
        "contacts": [{ "profile": { "name": "Ada", "username": "ada" }, "user_id": "CA.1234567890" }],
        "messages": [{ "from_user_id": "CA.1234567890", "id": "wamid.A1", "timestamp": 1_795_341_600,
            "type": "text", "text": { "body": "hello" } }]
    }));
    assert_eq!(inbound.from_phone, None);
    assert_eq!(inbound.from_bsuid.unwrap().reveal(), "CA.1234567890");
    assert_eq!(inbound.profile_name.unwrap().reveal(), "Ada");
}

#[test]
fn contacts_may_be_missing_and_are_not_given_to_somebody_else() {
    let message = |from: &str, id: &str| json!({ "from": from, "id": id, "timestamp": "1795341600", "type": "text", "text": { "body": "x" } });
    assert!(
        inbound(&json!({ "messages": [message("16135550100", "wamid.A")] }))
            .profile_name
            .is_none()
    );
    let two = updates(&json!({
        "contacts": [{ "profile": { "name": "Ada" }, "wa_id": "16135550100", "user_id": "CA.1" }],
        "messages": [message("16135550101", "wamid.A"), message("16135550100", "wamid.B")]
    }));
    let people: Vec<_> = two
        .iter()
        .map(|update| match update {
            Update::Inbound(i) => (i.profile_name.is_some(), i.from_bsuid.is_some()),
            other => panic!("{}", other.word()),
        })
        .collect();
    assert_eq!(people, [(false, false), (true, true)]);
}

#[test]
fn every_kind_of_button_yields_what_was_seen_and_what_it_stands_for() {
    for (kind, body) in [
        (
            "button",
            json!({ "text": "Unsubscribe", "payload": "opt-out" }),
        ),
        (
            "interactive",
            json!({ "type": "button_reply", "button_reply": { "title": "Unsubscribe", "id": "opt-out" } }),
        ),
        (
            "interactive",
            json!({ "type": "list_reply", "list_reply": { "title": "Unsubscribe", "id": "opt-out" } }),
        ),
    ] {
        let mut message = json!({ "from": "16135550100", "id": "wamid.A", "timestamp": "1795341600", "type": kind });
        message[kind] = body;
        let inbound = inbound(&json!({ "messages": [message] }));
        assert_eq!(inbound.text.unwrap().reveal(), "Unsubscribe");
        assert_eq!(inbound.payload.unwrap().reveal(), "opt-out");
    }
}

#[test]
fn words_are_found_in_captions_in_edits_and_without_a_kind() {
    let caption = json!({ "id": "1", "caption": "STOP" });
    for rest in [
        json!({ "type": "image", "image": caption }),
        json!({ "type": "video", "video": caption }),
        json!({ "type": "document", "document": caption }),
        json!({ "type": "edit", "edit": { "original_message_id": "wamid.B", "message": { "type": "text", "text": { "body": "STOP" } } } }),
        json!({ "type": "edit", "edit": { "message": { "type": "image", "image": caption } } }),
        json!({ "text": { "body": "STOP" } }),
        json!({ "type": "something_new", "text": { "body": "STOP" } }),
    ] {
        let mut message =
            json!({ "from": "16135550100", "id": "wamid.A", "timestamp": "1795341600" });
        for (name, value) in rest.as_object().unwrap() {
            message[name] = value.clone();
        }
        let inbound = inbound(&json!({ "messages": [message] }));
        assert_eq!(inbound.text.unwrap().reveal(), "STOP", "{rest}");
    }
}

#[test]
fn unknown_kinds_and_shapes_are_still_messages() {
    for message in [
        json!({ "id": "wamid.A", "timestamp": "1795341600" }),
        json!({ "id": "wamid.A", "timestamp": "1795341600", "type": 7, "text": "not an object" }),
        json!({ "id": "wamid.A", "timestamp": "1795341600", "type": "text", "text": { "body": null }, "from": {} }),
        json!({ "id": "wamid.A", "timestamp": "1795341600", "type": "hologram", "from": "" , "new": [[[]]] }),
        json!({ "id": "wamid.A", "timestamp": "1795341600", "type": "unsupported", "errors": [{ "code": 131_051 }] }),
    ] {
        let inbound = inbound(&json!({ "contacts": "odd", "messages": [message] }));
        assert!(inbound.text.is_none() && inbound.from_phone.is_none());
    }
}

#[test]
fn a_status_is_read_with_our_reference_and_the_codes() {
    let updates = updates(&json!({ "statuses": [
        { "id": "wamid.A", "status": "failed", "timestamp": "1795341600", "recipient_id": "16135550100",
          "biz_opaque_callback_data": "hg1.x.1", "errors": [{ "code": 131_049 }, { "code": "131026" }, {}, 5] },
        { "id": "wamid.B", "status": "played", "timestamp": 1_795_341_601, "recipient_user_id": "CA.1" },
        { "id": "wamid.C", "status": "read", "timestamp": 1_795_341_602, "recipient_id": "16135550100", "recipient_type": "group" },
    ] }));
    let statuses: Vec<&Status> = updates
        .iter()
        .map(|update| match update {
            Update::Status(status) => status,
            other => panic!("{}", other.word()),
        })
        .collect();
    assert_eq!(statuses[0].errors, [131_049, 131_026]);
    assert_eq!(statuses[0].opaque.as_deref(), Some("hg1.x.1"));
    assert_eq!(statuses[0].number.as_deref(), Some(NUMBER));
    assert_eq!(
        statuses[0].to_phone.as_ref().unwrap().reveal(),
        "+16135550100"
    );
    assert_eq!(statuses[1].status, StatusWord::Played);
    assert!(statuses[1].to_bsuid.is_some() && statuses[1].to_phone.is_none());
    assert_eq!(
        statuses[2].status.state(),
        headgate_domain::record::State::Read
    );
    assert!(statuses[2].to_phone.is_none());
}

#[test]
fn a_status_word_of_the_future_moves_nothing() {
    let updates = updates(
        &json!({ "statuses": [{ "id": "wamid.A", "status": "warning", "timestamp": "1" }] }),
    );
    assert_eq!(updates[0].word(), "messages.statuses");
}

#[test]
fn stop_and_resume_are_read_and_only_a_stop_is_taken_from_an_unknown_category() {
    let preference = |category: &str, value: &str, who: &str| json!({ "wa_id": who, "category": category, "value": value, "timestamp": 1_795_341_600 });
    let body = value(&json!({ "user_preferences": [
        preference("marketing_messages", "stop", "16135550100"),
        preference("marketing_messages", "resume", "16135550100"),
        preference("other_messages", "stop", "16135550100"),
        preference("other_messages", "resume", "16135550100"),
        preference("marketing_messages", "signup", "16135550100"),
        preference("marketing_messages", "stop", ""),
        { "user_id": "CA.1", "category": "marketing_messages", "value": "stop", "timestamp": 1_795_341_600 },
    ] }));
    let updates = parse_text(&notification("user_preferences", &body)).unwrap();
    let choices: Vec<_> = updates
        .iter()
        .map(|update| match update {
            Update::Preference(p) => Some((p.choice, p.phone.is_some(), p.bsuid.is_some())),
            Update::Other(_) => None,
            Update::Unreadable { index, .. } => {
                assert_eq!(*index, 5);
                None
            }
            Update::Status(_) | Update::Inbound(_) => panic!("{}", update.word()),
        })
        .collect();
    let stop = Some((Choice::Stop, true, false));
    let resume = Some((Choice::Resume, true, false));
    assert_eq!(
        choices,
        [
            stop,
            resume,
            stop,
            None,
            None,
            None,
            Some((Choice::Stop, false, true))
        ]
    );
}

#[test]
fn other_fields_are_passed_on_with_their_value() {
    let text = json!({ "entry": [{ "id": 300_000_000_000_001_u64, "time": 1_795_341_600,
        "changes": [{ "field": "account_update", "value": { "event": "ACCOUNT_DELETED" } }, { "field": "quux", "value": 1 }] }] });
    let updates = parse_text(&text.to_string()).unwrap();
    let Update::Other(other) = &updates[0] else {
        panic!("{}", updates[0].word())
    };
    assert_eq!(other.entry_id, "300000000000001");
    assert_eq!(other.at, Some(Timestamp::from_seconds(1_795_341_600)));
    assert_eq!(other.value.reveal(), r#"{"event":"ACCOUNT_DELETED"}"#);
    assert_eq!(
        (updates[0].word(), updates[1].word()),
        ("account_update", "unknown_field")
    );
    let errors = parse_text(&notification(
        "messages",
        &value(&json!({ "errors": [{ "code": 131_035 }] })),
    ))
    .unwrap();
    assert_eq!(errors[0].word(), "messages");
}

#[test]
fn one_poisonous_update_does_not_take_the_batch_along() {
    let good = r#"{"from":"16135550100","id":"wamid.A","timestamp":"1795341600","type":"text","text":{"body":"hi"}}"#;
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let poisons = [
        "7".to_owned(),
        "null".to_owned(),
        format!(r#"{{"id":"wamid.B","timestamp":"1","text":{deep}}}"#),
        r#"{"id":"wamid.B","timestamp":"1","text":{"body":"\ud800"}}"#.to_owned(),
        r#"{"id":"wamid.B","timestamp":1e999}"#.to_owned(),
        r#"{"id":"not a wamid","timestamp":"1"}"#.to_owned(),
        r#"{"timestamp":"1"}"#.to_owned(),
        r#"{"id":"wamid.B"}"#.to_owned(),
        r#"{"id":"wamid.B","timestamp":"-5"}"#.to_owned(),
    ];
    for poison in poisons {
        let text = format!(
            r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{"messages":[{good},{poison},{good}]}}}}]}}]}}"#
        );
        let words: Vec<_> = parse_text(&text)
            .unwrap()
            .iter()
            .map(Update::word)
            .collect();
        assert_eq!(
            words,
            ["inbound", "unreadable", "inbound"],
            "{}",
            poison.chars().take(60).collect::<String>()
        );
    }
    let name = r#"{"entry":[{"changes":[{"field":"messages","value":{"contacts":[{"profile":{"name":"\ud83d"}}],"messages":[GOOD]}}]},7,{"changes":7},{"changes":[7,{"value":7}]}]}"#;
    let words: Vec<_> = parse_text(&name.replace("GOOD", good))
        .unwrap()
        .iter()
        .map(Update::word)
        .collect();
    assert_eq!(
        words,
        [
            "inbound",
            "unreadable",
            "unreadable",
            "unreadable",
            "unreadable"
        ]
    );
}

#[test]
fn a_stray_byte_costs_a_character_and_not_the_batch() {
    let mut bytes = br#"{"entry":[{"changes":[{"field":"messages","value":{"messages":[{"id":"wamid.A","timestamp":"1","text":{"body":"a"#.to_vec();
    bytes.push(0xff);
    bytes.extend_from_slice(br#"b"}}]}}]}]}"#);
    let updates = parse(&VerifiedBody::from_own_queue(bytes)).unwrap();
    assert_eq!(updates[0].word(), "inbound");
}

#[test]
fn what_is_no_envelope_is_malformed() {
    for text in [
        "",
        "{",
        "[]",
        "7",
        "{}",
        r#"{"entry":{}}"#,
        r#"{"entry":[}"#,
    ] {
        assert_eq!(parse_text(text).err(), Some(Malformed), "{text}");
    }
    assert_eq!(parse_text(r#"{"entry":[]}"#).unwrap(), []);
}

#[test]
fn debug_shows_nobody() {
    let inbound = inbound(
        &json!({ "contacts": [{ "profile": { "name": "Ada" }, "wa_id": "16135550100" }],
        "messages": [{ "from": "16135550100", "from_user_id": "CA.1234567890", "id": "wamid.A1",
        "timestamp": "1795341600", "type": "text", "text": { "body": "canary" } }] }),
    );
    let shown = format!("{inbound:?}");
    for secret in ["5550100", "Ada", "canary", "wamid.A", "CA.1"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        drop(parse(&VerifiedBody::from_own_queue(bytes)));
    }

    #[test]
    fn no_damage_to_a_notification_makes_it_panic(at in 0_usize..400, bytes in proptest::collection::vec(any::<u8>(), 0..8)) {
        drop(parse(&VerifiedBody::from_own_queue(damaged(at, &bytes))));
    }

    #[test]
    fn cutting_at_once_and_level_by_level_find_the_same(at in 0_usize..480, damage in "[\\[\\]{}:,\"a0]{0,4}|null|,\"entry\":[7]") {
        let damaged = String::from_utf8(damaged(at, damage.as_bytes())).unwrap();
        prop_assert_eq!(parse_text(&damaged), level_by_level(&damaged));
    }
}

/// A notification with other bytes at some place.
fn damaged(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut damaged = notification(
        "messages",
        &value(&json!({
            "contacts": [{ "profile": { "name": "Ada" }, "wa_id": "16135550100" }],
            "messages": [{ "from": "16135550100", "id": "wamid.A", "timestamp": "1795341600", "type": "text", "text": { "body": "hi" } }],
            "statuses": [{ "id": "wamid.A", "status": "sent", "timestamp": "1795341600" }],
        })),
    )
    .into_bytes();
    let at = at.min(damaged.len());
    let end = at.saturating_add(bytes.len()).min(damaged.len());
    damaged.splice(at..end, bytes.iter().copied());
    damaged
}

/// Serde takes a list for a struct, member by member; Meta never writes one, and what it means is a guess.
#[test]
fn a_list_is_not_read_as_an_object() {
    let change = json!({ "field": "messages", "value": {} });
    assert_eq!(parse_text(&json!([[]]).to_string()), Err(Malformed));
    for entry in [
        json!(["300", 1_795_341_600, [change]]),
        json!({ "changes": [["messages", {}]] }),
        json!({ "changes": [{ "field": "messages", "value": [null, null, []] }] }),
        json!({ "changes": [{ "field": "messages", "value": [null, null, [7]] }] }),
    ] {
        let text = json!({ "entry": [entry] }).to_string();
        let words: Vec<_> = parse_text(&text)
            .unwrap()
            .iter()
            .map(Update::word)
            .collect();
        assert_eq!(words, ["unreadable"], "{text}");
    }
}

#[test]
fn the_advertisement_behind_a_message_is_read_where_it_names_one() {
    let of = |referral: Value| {
        let message = json!({ "from": "16135550100", "id": "wamid.A1", "timestamp": "1795341600",
            "type": "text", "text": { "body": "hello" }, "referral": referral });
        inbound(&json!({ "messages": [message] })).referral
    };
    let told = json!({ "source_type": "ad", "source_id": 7, "source_url": "https://ad.example/1",
        "headline": "Chat with us", "ctwa_clid": "click-1" });
    let referral = of(told).unwrap();
    assert_eq!(
        (referral.source_type.as_str(), referral.source_id.as_str()),
        ("ad", "7")
    );
    assert_eq!(
        referral.source_url.unwrap().reveal(),
        "https://ad.example/1"
    );
    assert_eq!(referral.headline.unwrap().reveal(), "Chat with us");
    assert_eq!(referral.click.unwrap().reveal(), "click-1");
    let bare = of(json!({ "source_id": "7" })).unwrap();
    assert_eq!((bare.source_type.as_str(), bare.click), ("", None));
    for none in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "source_id": {} }),
        json!("ad"),
    ] {
        assert_eq!(of(none.clone()), None, "{none}");
    }
}
