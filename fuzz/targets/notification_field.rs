//! Any value under any field, between two notifications that are in order: those two are read
//! whatever stands between them, and what is made of the value for keys, logs and apps has the
//! form it must have.
//!
//! An input is the field and, if the entry has one, its time, then the value below.

#![no_main]

use std::sync::LazyLock;

use headgate_domain::config::Config;
use headgate_domain::identity::Wamid;
use headgate_domain::time::Timestamp;
use headgate_fuzz::{facts, head_and_rest, json};
use headgate_webhook::notification::{Other, Update, parse, parse_level_by_level};
use headgate_webhook::signature::VerifiedBody;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use notification_processor::fuzzing::{changes, event, shown};
use serde_json::Value;
use serde_json::value::RawValue;

const NOW: Timestamp = Timestamp::from_seconds(1_795_341_700);

const BEFORE: &str = r#"{"id":"300","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"1001"},"statuses":[{"id":"wamid.before","status":"sent","timestamp":"1795341600","recipient_id":"16135550101"}]}}]}"#;
const AFTER: &str = r#"{"id":"300","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"phone_number_id":"1001"},"messages":[{"id":"wamid.after","from":"16135550102","timestamp":"1795341600","type":"text","text":{"body":"STOP"}}]}}]}"#;

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let text = r#"{"controller":{"name":"Maple","privacy_contact":"privacy@maple.example"},
        "numbers":[{"id":"1001","alias":"main","display":"+16135550100","portfolio":"p"}]}"#;
    serde_json::from_str(text).expect("a configuration")
});

static NEIGHBOURS: LazyLock<Vec<Update>> = LazyLock::new(|| {
    let body = format!(r#"{{"entry":[{BEFORE},{AFTER}]}}"#);
    parse(&VerifiedBody::from_own_queue(body.into())).expect("two notifications")
});

fuzz_target!(|input: &[u8]| {
    let (head, rest) = head_and_rest(input);
    let (head, value) = (String::from_utf8_lossy(head), String::from_utf8_lossy(rest));
    if serde_json::from_str::<&RawValue>(&value).is_err() {
        return;
    }
    let (field, time) = head.split_once(' ').unwrap_or((&head, ""));
    let time = time
        .parse::<u32>()
        .map_or(String::new(), |time| format!(r#""time":{time},"#));
    let field = Value::from(field);
    let entry = format!(r#"{{"id":"300",{time}"changes":[{{"field":{field},"value":{value}}}]}}"#);
    let body = format!(r#"{{"entry":[{BEFORE},{entry},{AFTER}]}}"#);
    let verified = VerifiedBody::from_own_queue(body.clone().into());
    let updates = parse(&verified).expect("an envelope is an envelope whatever is in it");
    let long_way = parse_level_by_level(&verified);
    assert_eq!(Ok(&updates), long_way.as_ref(), "two ways, two readings");

    facts::check(&updates, &body);
    let [first, between @ .., last] = updates.as_slice() else {
        panic!("the neighbours are gone");
    };
    assert_eq!([first, last], [&NEIGHBOURS[0], &NEIGHBOURS[1]]);
    assert!(!between.is_empty(), "nothing is passed over in silence");
    let is_read = ["messages", "user_preferences", ""].contains(&field.as_str().unwrap_or(""));
    if is_read && !value.trim_ascii_start().starts_with('{') {
        assert!(
            matches!(between, [Update::Unreadable { .. }]),
            "a list is no value"
        );
    }
    for update in between {
        match update {
            Update::Other(notice) => told(notice),
            Update::Inbound(inbound) => seen(inbound.raw.reveal()),
            Update::Status(_) | Update::Preference(_) | Update::Unreadable { .. } => {}
        }
    }
});

/// What a notice changes and what an app hears of it.
fn told(notice: &Other) {
    let (at, written) = changes(notice, &CONFIG, NOW);
    assert!(at <= NOW, "a notice counts from the future");
    for change in written {
        assert!(
            notice.at.is_some() || !loosens(&change.text),
            "an undated notice loosens"
        );
        for text in change.keys.iter().chain(&change.word) {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            assert!((1..=512).contains(&text.len()) && text.bytes().all(fits));
        }
        let digits = |word: &String| word.bytes().filter(u8::is_ascii_digit).count();
        assert!(
            change
                .word
                .as_ref()
                .is_none_or(|word| word.len() <= 64 && digits(word) < 7)
        );
    }
    let Some(event) = event(notice, NOW) else {
        return;
    };
    assert_eq!(Some(&event), self::event(notice, NOW).as_ref());
    let families = [
        "template.notification",
        "number.notification",
        "account.notification",
    ];
    assert!(families.contains(&event.kind));
    assert!(event.to_json().len() <= 4_096);
    for (name, value) in &event.data {
        let text = value.as_str().expect("a notice tells words");
        assert!(name == "time" || (!text.contains(['@', '+', ' ']) && text.len() <= 512));
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        assert!(name == "time" || digits < 7, "a number goes to an app");
    }
}

/// Whether a change, as it prints, lets more be sent: what is good news, and every halt lifted.
fn loosens(change: &str) -> bool {
    let good = [
        "Status(Approved)",
        "Category(Utility)",
        "Category(Authentication)",
    ];
    let more = ["Quality(Green)", "PerSecond(", "Share(", "Tier(", ", None)"];
    good.iter().chain(&more).any(|word| change.contains(word))
}

/// What an app sees of a message.
fn seen(raw: &str) {
    let name = |_id: &Wamid| "in_m1_x".to_owned();
    let Some(message) = shown(raw, name) else {
        return;
    };
    assert!(message.to_string().len() <= 190_000);
    without_envelope(&message);
}

fn without_envelope(message: &Value) {
    let members = message.as_object().expect("a message is an object");
    for gone in [
        "id",
        "from",
        "from_user_id",
        "to",
        "recipient_id",
        "identity_key_hash",
    ] {
        assert!(!members.contains_key(gone), "who wrote comes through");
    }
    let at = |path: &str| message.pointer(path).is_some();
    for gone in [
        "/context/id",
        "/context/from",
        "/system/wa_id",
        "/system/body",
    ] {
        assert!(!at(gone), "who wrote comes through");
    }
    for part in members.values().filter_map(Value::as_object) {
        for id in ["id", "message_id", "original_message_id"] {
            let id = part.get(id).and_then(Value::as_str);
            assert!(
                id.is_none_or(|id| Wamid::parse(id).is_err()),
                "a wamid comes through"
            );
        }
        if let Some(inner @ Value::Object(_)) = part.get("message") {
            without_envelope(inner);
        }
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    json::mutate_below_a_line(data, size, max_size, seed)
});
