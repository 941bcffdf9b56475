//! A notification that is damaged at one place: what stands beside the damage is done all the same.
//!
//! Owns the damage: any node of any fixture dropped, renamed, of another type, nested deep, doubled,
//! huge, or with broken characters.

use std::fs;

use headgate_domain::lane::Purpose;
use headgate_domain::record::State;
use headgate_webhook::notification::{self, Update};
use headgate_webhook::signature::VerifiedBody;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use serde_json::{Value, json};

use crate::page::in_repository;
use crate::shapes::{FIXTURES, files, parse};
use crate::world::{World, status};

/// Stands for the node that is damaged until the text is written.
const HOLE: &str = "a hole";

/// What happens to a node.
#[derive(Clone, Debug)]
enum Damage {
    Dropped,
    Renamed(&'static str),
    /// Replaced by other bytes, which are JSON.
    Replaced(Vec<u8>),
    Doubled,
    /// Wrapped in this many lists.
    Nested(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let words = prop::sample::select(vec![
        "null",
        "true",
        "0",
        "-1",
        "1e999",
        "99999999999999999999999999",
        "1.5",
        "\"\"",
        "\" \"",
        "\"x\"",
        "[]",
        "{}",
        "[[]]",
        "{\"a\":{}}",
        "\"2026-11-22\"",
        "[null,7,\"x\",{}]",
        r#""\ud83d""#,
        r#""\udc00\ud800""#,
        r#""\u0000""#,
        r#""\u202e\u0301""#,
    ]);
    let stray = prop::collection::vec(any::<u8>(), 1..40).prop_map(|bytes| {
        let harmless = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        let inner = bytes.into_iter().filter(|byte| harmless(*byte));
        std::iter::once(b'"').chain(inner).chain([b'"']).collect()
    });
    let huge = prop::sample::select(vec![b'x', b'7', 0xff, b'.'])
        .prop_map(|byte| [vec![b'"'], vec![byte; 70_000], vec![b'"']].concat());
    prop_oneof![
        2 => Just(Damage::Dropped),
        2 => prop::sample::select(vec!["quux", "", "id", "timestamp", "\u{202e}\u{0}"]).prop_map(Damage::Renamed),
        4 => words.prop_map(|word| Damage::Replaced(word.as_bytes().to_vec())),
        2 => stray.prop_map(Damage::Replaced),
        1 => huge.prop_map(Damage::Replaced),
        2 => Just(Damage::Doubled),
        1 => prop::sample::select(vec![1, 100, 130, 5_000]).prop_map(Damage::Nested),
    ]
}

/// The paths of all nodes below a value, as pointers.
fn nodes(value: &Value, at: &str, all: &mut Vec<String>) {
    let mut below = |name: &str, value: &Value| {
        let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        all.push(at.clone());
        nodes(value, &at, all);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| below(name, value)),
        Value::Array(list) => {
            for (place, value) in list.iter().enumerate() {
                below(&place.to_string(), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The text of a notification with one node damaged.
fn damaged(mut whole: Value, at: &str, damage: &Damage) -> Vec<u8> {
    let (parent, name) = at.rsplit_once('/').unwrap();
    let node = whole.pointer(at).unwrap().to_string();
    let hole = match damage {
        Damage::Dropped | Damage::Renamed(_) => None,
        Damage::Replaced(bytes) => Some(bytes.clone()),
        Damage::Nested(deep) => {
            Some([b"[".repeat(*deep), node.clone().into(), b"]".repeat(*deep)].concat())
        }
        Damage::Doubled if whole.pointer(parent).unwrap().is_object() => {
            Some(format!("{node},\"{name}\":{node}").into())
        }
        Damage::Doubled => Some(format!("{node},{node}").into()),
    };
    match (whole.pointer_mut(parent).unwrap(), damage) {
        (Value::Object(members), Damage::Dropped) => drop(members.remove(name)),
        (Value::Object(members), Damage::Renamed(to)) => {
            let node = members.remove(name).unwrap();
            members.insert((*to).to_owned(), node);
        }
        (Value::Array(list), Damage::Dropped | Damage::Renamed(_)) => {
            list.remove(name.parse().unwrap());
        }
        (Value::Object(members), _) => drop(members.insert(name.to_owned(), json!(HOLE))),
        (Value::Array(list), _) => list[name.parse::<usize>().unwrap()] = json!(HOLE),
        (other, _) => panic!("{other} holds nothing"),
    }
    let text = whole.to_string();
    let Some(hole) = hole else { return text.into() };
    let (before, after) = text.split_once(&format!("\"{HOLE}\"")).unwrap();
    [before.as_bytes(), &hole, after.as_bytes()].concat()
}

/// A fixture with a good update beside it, in the same list where it has one, in the same entry, and in
/// one of its own; and how many of them must be done when the node is damaged.
fn beside(mut whole: Value, at: &str, good: &Value) -> (Value, usize) {
    let value = json!({ "messaging_product": "whatsapp", "statuses": [good] });
    let change = json!({ "field": "messages", "value": value });
    let is_list = |value: &Value, list: &str| value[list].as_array().is_some();
    let mut must = 1;
    let first = &mut whole["entry"][0]["changes"][0];
    let is_read_apart = matches!(
        first["field"].as_str(),
        Some("messages" | "user_preferences")
    );
    if is_read_apart && is_list(&first["value"], "statuses") {
        first["value"]["statuses"]
            .as_array_mut()
            .unwrap()
            .push(good.clone());
        must += usize::from(at.starts_with("/entry/0/changes/0/value/statuses/0"));
    }
    let changes = whole["entry"][0]["changes"].as_array_mut().unwrap();
    changes.push(change.clone());
    must += usize::from(at.starts_with("/entry/0/changes/0"));
    let entry = json!({ "id": "300000000000001", "changes": [change] });
    whole["entry"].as_array_mut().unwrap().push(entry);
    (whole, must)
}

fn fixtures() -> Vec<Value> {
    files(&in_repository(FIXTURES))
        .iter()
        .map(|path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
        .collect()
}

/// A damaged notification.
struct Case {
    body: Vec<u8>,
    /// How many of the good updates beside the damage must be done.
    must: usize,
    /// The notification before the damage, when the damage is inside one update: that stays an update.
    inside: Option<String>,
}

fn case(fixture: Value, node: prop::sample::Index, damage: &Damage, good: &Value) -> Case {
    let mut all = Vec::new();
    nodes(&fixture, "", &mut all);
    // Without its list of entries it is no notification.
    all.retain(|at| at != "/entry" && at != "/object");
    let at = node.get(&all);
    let field = fixture["entry"][0]["changes"][0]["field"].clone();
    let (whole, must) = beside(fixture, at, good);
    let below = at.strip_prefix("/entry/0/changes/0/value/").unwrap_or("");
    let steps = below.split('/').count();
    let is_inside = if matches!(field.as_str(), Some("messages" | "user_preferences")) {
        let lists = ["messages/", "statuses/", "user_preferences/"];
        lists.iter().any(|list| below.starts_with(list)) && steps > 2
    } else {
        !below.is_empty()
    };
    Case {
        inside: is_inside.then(|| whole.to_string()),
        body: damaged(whole, at, damage),
        must,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_at_one_place_costs_nothing_beside_it(
        fixture in prop::sample::select(fixtures()), node: prop::sample::Index, damage in damage(),
    ) {
        let good = json!({ "id": "wamid.GOOD", "status": "sent", "timestamp": "1795341600", "biz_opaque_callback_data": "good" });
        let case = case(fixture, node, &damage, &good);
        let updates = notification::parse(&VerifiedBody::from_own_queue(case.body)).unwrap();
        let is_good = |update: &&Update| {
            matches!(update, Update::Status(told) if told.opaque.as_deref() == Some("good"))
        };
        let found = updates.iter().filter(is_good).count();
        prop_assert!(found >= case.must, "{found} of {}", case.must);
        if let Some(before) = case.inside {
            prop_assert_eq!(updates.len(), parse(&before).len());
        }
    }
}

#[tokio::test]
async fn a_damaged_notification_is_consumed_and_the_message_beside_it_moves() {
    let world = World::start().await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (
        prop::sample::select(fixtures()),
        any::<prop::sample::Index>(),
        damage(),
    );
    for round in 0..8 {
        let mut bodies = Vec::new();
        let mut records = Vec::new();
        for id in 0..10 {
            let reference = world
                .record("+16135550177", Purpose::Utility, round * 10 + id)
                .await;
            let tree = strategy.new_tree(&mut runner).unwrap();
            let (fixture, node, damage) = tree.current();
            let good = status(&reference.opaque(1), "sent", world.now(), None);
            let case = case(fixture, node, &damage, &good);
            // What webhook puts on the queue is text.
            bodies.push(String::from_utf8_lossy(&case.body).into_owned());
            records.push(reference);
        }
        let answer = world.deliver(&bodies, 1).await;
        assert!(answer.batch_item_failures.is_empty(), "{bodies:?}");
        for (record, body) in records.iter().zip(&bodies) {
            assert_eq!(world.state(record).await, State::Sent, "{body}");
        }
    }
}
