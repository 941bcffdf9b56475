//! Bodies nobody thought of: valid ones with members dropped, retyped and given twice.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::agreement::{Contract, consent, outbound};

/// What is done to one place of a body.
#[derive(Clone, Debug)]
enum Change {
    Drop,
    Retype(usize),
    Add(usize, usize),
}

fn values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(7),
        json!(-1.5),
        json!(""),
        json!("x"),
        json!("read"),
        json!("consent"),
        json!("authentication"),
        json!("withdrawn"),
        json!("2026-11-22T12:00:00Z"),
        json!("+447700900123"),
        json!("x".repeat(200)),
        json!([]),
        json!(["marketing"]),
        json!({}),
        json!({"kind": "consent"}),
        json!({"message_ref": "in_m1_x"}),
    ]
}

const MEMBERS: [&str; 17] = [
    "context",
    "message_ref",
    "message_id",
    "status",
    "type",
    "text",
    "phone",
    "bsuid",
    "subject",
    "ref",
    "at",
    "reference",
    "topics",
    "campaign",
    "topic",
    "Phone",
    "evidence",
];

fn seeds(contract: &Contract) -> Vec<Value> {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut value = contract.example();
        change(&mut value);
        value
    };
    if contract.name.starts_with("consent") {
        return vec![
            contract.example(),
            with(&|v| (v["action"], v["method"]) = (json!("withdrawn"), json!("keyword"))),
        ];
    }
    let text =
        json!({"type": "text", "text": {"body": "hello"}, "context": {"message_ref": "in_m1_x"}});
    vec![
        contract.example(),
        with(&|v| v["message"] = text.clone()),
        with(&|v| {
            v["message"] =
                json!({"type": "reaction", "reaction": {"message_ref": "in_m1_x", "emoji": "x"}});
        }),
        with(&|v| v["message"] = json!({"status": "read", "message_ref": "in_m1_x"})),
        with(&|v| {
            v["purpose"] = json!("authentication");
            v["basis"] = json!({"kind": "user_action", "at": "2026-11-22T08:59:00Z"});
            v["to"] = json!({"bsuid": "CA.1000000000000001"});
        }),
    ]
}

/// Every place in a value, as JSON pointers.
fn places(value: &Value, here: &str) -> Vec<String> {
    let inner: Vec<String> = match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(k, v)| places(v, &format!("{here}/{k}")))
            .collect(),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .flat_map(|(i, v)| places(v, &format!("{here}/{i}")))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    std::iter::once(here.to_owned()).chain(inner).collect()
}

fn apply(value: &mut Value, place: &str, change: &Change) {
    let values = values();
    match change {
        Change::Drop => {
            let Some((parent, key)) = place.rsplit_once('/') else {
                return;
            };
            if let Some(Value::Object(map)) = value.pointer_mut(parent) {
                map.remove(key);
            }
        }
        Change::Retype(with) => {
            if let Some(found) = value.pointer_mut(place) {
                *found = values[with % values.len()].clone();
            }
        }
        Change::Add(member, with) => {
            if let Some(Value::Object(map)) = value.pointer_mut(place) {
                map.insert(
                    MEMBERS[member % MEMBERS.len()].to_owned(),
                    values[with % values.len()].clone(),
                );
            }
        }
    }
}

fn changes() -> impl Strategy<Value = Vec<(usize, Change)>> {
    let change = prop_oneof![
        Just(Change::Drop),
        any::<usize>().prop_map(Change::Retype),
        (any::<usize>(), any::<usize>()).prop_map(|(member, with)| Change::Add(member, with)),
    ];
    prop::collection::vec((any::<usize>(), change), 1..4)
}

fn mutated(contract: &Contract, seed: usize, changes: &[(usize, Change)]) -> Value {
    let seeds = seeds(contract);
    let mut value = seeds[seed % seeds.len()].clone();
    for (place, change) in changes {
        let places = places(&value, "");
        let place = places[place % places.len()].clone();
        apply(&mut value, &place, change);
    }
    value
}

/// The body with one member of its outermost object written twice; the last one counts.
fn with_a_repetition(value: &Value, member: usize, other: &Value) -> Option<String> {
    let map = value.as_object().filter(|m| !m.is_empty())?;
    let key = map.keys().nth(member % map.len())?;
    let text = value.to_string();
    Some(format!(
        "{},{}:{other}}}",
        text.strip_suffix('}')?,
        json!(key)
    ))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn schema_and_parser_agree_about_bodies_nobody_thought_of(
        seed in any::<usize>(), changes in changes(), again in any::<usize>(), with in any::<usize>(),
    ) {
        thread_local! {
            static BOTH: [Contract; 2] = [outbound(), consent()];
        }
        let values = values();
        BOTH.with(|both| for contract in both {
            let value = mutated(contract, seed, &changes);
            let _either_verdict = contract.verdict(&value.to_string());
            if let Some(body) = with_a_repetition(&value, again, &values[with % values.len()]) {
                let _either_verdict = contract.verdict(&body);
            }
        });
    }
}

#[test]
fn every_single_change_of_every_valid_body_is_judged_alike() {
    for contract in [outbound(), consent()] {
        for seed in seeds(&contract) {
            assert!(contract.verdict(&seed.to_string()).is_ok());
            for place in places(&seed, "") {
                let all = std::iter::once(Change::Drop)
                    .chain((0..values().len()).map(Change::Retype))
                    .chain(
                        (0..MEMBERS.len())
                            .flat_map(|m| (0..values().len()).map(move |v| Change::Add(m, v))),
                    );
                for change in all {
                    let mut value = seed.clone();
                    apply(&mut value, &place, &change);
                    let _either_verdict = contract.verdict(&value.to_string());
                }
            }
        }
    }
}
