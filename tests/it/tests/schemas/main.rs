//! The JSON Schemas apps rely on and the code that reads and writes say the same.
//!
//! Owns schemas/ and the reference pages made from them:
//! `UPDATE_DOCS=1 cargo test -p headgate-it --test schemas` rewrites the pages, otherwise a
//! difference fails. Needs no network: every schema is complete in its file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::string_slice,
    clippy::format_push_string,
    clippy::wildcard_enum_match_arm,
    reason = "tests may fail loudly"
)]

mod agreement;
mod configuration;
mod consents;
mod controls;
mod events;
mod mutations;
mod openapi;
mod outbound;
mod pages;

use std::fs;
use std::path::{Path, PathBuf};

use headgate_domain::refusal::Code;
use headgate_domain::time::Timestamp;
use jsonschema::Validator;
use serde_json::Value;

/// The moment at which every body here is judged.
fn now() -> Timestamp {
    Timestamp::parse("2026-11-22T09:00:00Z").unwrap()
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn schema(name: &str) -> Value {
    let text = fs::read_to_string(in_repository("schemas").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// `format` is only a remark unless asked for; the documentation tells apps to ask for it.
fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap()
}

/// Every schema in the object, the object included.
fn parts(schema: &Value) -> Vec<&Value> {
    let inner: Vec<&Value> = match schema {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| *key != "examples")
            .flat_map(|(_, v)| parts(v))
            .collect(),
        Value::Array(list) => list.iter().flat_map(parts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    std::iter::once(schema).chain(inner).collect()
}

const ALL: [&str; 7] = [
    "outbound-message.v1.json",
    "consent-record.v1.json",
    "event.v1.json",
    "control.v1.json",
    "system-message.v1.json",
    "privacy-request.v1.json",
    "export.v1.json",
];

#[test]
fn every_schema_is_a_schema_and_its_examples_are_valid() {
    for name in ALL {
        let schema = schema(name);
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{name}");
        for example in schema["examples"].as_array().unwrap() {
            let wrong: Vec<String> = validator(&schema)
                .iter_errors(example)
                .map(|e| e.to_string())
                .collect();
            assert!(wrong.is_empty(), "{name}: {wrong:?}");
        }
    }
}

#[test]
fn every_member_is_described() {
    for name in ALL {
        let schema = schema(name);
        // What stands under if, then and oneOf only narrows a member that is described elsewhere.
        let defined = schema["$defs"]
            .as_object()
            .into_iter()
            .flat_map(|defined| defined.values())
            .chain(std::iter::once(&schema));
        for part in defined {
            for (member, about) in part["properties"].as_object().into_iter().flatten() {
                let described =
                    about.is_boolean() || pages::resolve(&schema, about)["description"].is_string();
                assert!(described, "{name}: {member}");
            }
        }
    }
}

#[test]
fn every_code_a_schema_promises_is_on_the_list() {
    let known: Vec<&str> = Code::ALL
        .iter()
        .map(|c| c.word())
        .chain(["not_attested", "superseded"])
        .collect();
    for name in ALL {
        let schema = schema(name);
        for part in parts(&schema) {
            let Some(text) = part["description"].as_str() else {
                continue;
            };
            for (_, promise) in text
                .match_indices("efused as ")
                .map(|(at, m)| (at, &text[at + m.len()..]))
            {
                let code = promise
                    .split(|c: char| !(c.is_ascii_lowercase() || c == '_'))
                    .next()
                    .unwrap();
                assert!(known.contains(&code), "{name}: {code}");
            }
        }
    }
}

#[test]
fn the_events_know_exactly_the_closed_list_of_codes() {
    let schema = schema("event.v1.json");
    let listed: Vec<&str> = schema["$defs"]["refusal_code"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect();
    let all: Vec<&str> = Code::ALL.iter().map(|c| c.word()).collect();
    assert_eq!(listed, all);
}

#[test]
fn a_person_is_named_in_the_same_way_everywhere() {
    let (message, consent) = (schema(ALL[0]), schema(ALL[1]));
    for name in ["recipient", "purpose"] {
        assert_eq!(message["$defs"][name], consent["$defs"][name], "{name}");
    }
    let event = schema(ALL[2]);
    let subject = &message["$defs"]["recipient"]["properties"]["subject"]["pattern"];
    assert_eq!(&event["properties"]["subject"]["pattern"], subject);
    assert_eq!(
        event["properties"]["id"]["pattern"],
        message["properties"]["id"]["pattern"]
    );
    assert_eq!(
        consent["properties"]["id"]["pattern"],
        message["properties"]["id"]["pattern"]
    );
}
