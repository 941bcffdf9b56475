//! The reference pages that are made from the schemas and the list of refusals.
//!
//! What stands between the marks of a page is generated, the rest is written by hand.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::fs;

use headgate_domain::refusal::Code;
use serde_json::Value;

use super::{in_repository, schema};

const START: &str = "<!-- generated: UPDATE_DOCS=1 cargo test -p headgate-it --test schemas -->\n";
const END: &str = "<!-- end of generated -->\n";

/// What a `$ref` of the same file points at.
pub(crate) fn resolve<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    part["$ref"].as_str().map_or(part, |r| {
        schema.pointer(r.strip_prefix('#').unwrap()).expect(r)
    })
}

/// One table row for a member.
fn row(schema: &Value, holder: &Value, name: &str, path: &str) -> String {
    let about = resolve(schema, &holder["properties"][name]);
    let required = holder["required"]
        .as_array()
        .is_some_and(|r| r.iter().any(|n| n == name));
    let needed = if required { "yes" } else { "" };
    format!(
        "| `{path}` | {needed} | {} | {} |\n",
        form(schema, about),
        about["description"].as_str().unwrap_or_default()
    )
}

/// What a value looks like, in a few words.
fn form(schema: &Value, about: &Value) -> String {
    let mut words = Vec::new();
    if let Some(word) = about["const"].as_str() {
        words.push(format!("`{word}`"));
    } else if about["const"].as_bool() == Some(true) {
        words.push("`true`".to_owned());
    }
    if let Some(list) = about["enum"].as_array() {
        // The codes have a page of their own.
        let all: Vec<String> = list
            .iter()
            .map(|v| format!("`{}`", v.as_str().unwrap()))
            .collect();
        words.push(if all.len() > 20 {
            "a code".to_owned()
        } else {
            all.join(", ")
        });
    }
    for choice in ["oneOf", "anyOf"] {
        if about["properties"].is_object() {
            continue;
        }
        let each = about[choice]
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| resolve(schema, c));
        let mut all: Vec<String> = each
            .map(|c| form(schema, c))
            .filter(|f| f != "null")
            .collect();
        all.dedup();
        if !all.is_empty() {
            words.push(all.join(" or "));
        }
    }
    let is_time = about["format"] == "date-time";
    if words.is_empty() {
        let kind = match &about["type"] {
            Value::String(kind) => kind.clone(),
            Value::Array(kinds) => kinds
                .iter()
                .filter_map(Value::as_str)
                .find(|k| *k != "null")
                .unwrap()
                .to_owned(),
            _ => "any JSON".to_owned(),
        };
        words.push(if is_time {
            "time, RFC 3339".to_owned()
        } else {
            kind
        });
    }
    match (about["minLength"].as_u64(), about["maxLength"].as_u64()) {
        _ if is_time => {}
        (min, Some(max)) => words.push(format!("{} to {max} characters", min.unwrap_or(0))),
        (Some(min), None) => words.push(format!("at least {min} character")),
        (None, None) => {}
    }
    if let Some(pattern) = about["pattern"].as_str().filter(|_| !is_time) {
        words.push(format!(
            "`{}`",
            pattern.replace('|', "\\|").replace('\u{a0}', "\\u00a0")
        ));
    }
    words.join("; ")
}

/// A table of the members, in the order given, which must name them all.
fn table(schema: &Value, holder: &Value, prefix: &str, order: &[&str]) -> String {
    let named: BTreeSet<&str> = order.iter().copied().collect();
    let existing: BTreeSet<&str> = holder["properties"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        named, existing,
        "the order names other members than the schema"
    );
    let mut text = "| Field | Required | Form | Meaning |\n|---|---|---|---|\n".to_owned();
    for name in order {
        if !holder["properties"][name].is_boolean() {
            text += &row(schema, holder, name, &format!("{prefix}{name}"));
        }
    }
    text
}

fn example(schema: &Value, index: usize, order: &[&str]) -> String {
    let example = &schema["examples"][index];
    let members: Vec<String> = order
        .iter()
        .filter(|m| !example[**m].is_null())
        .map(|m| format!("  \"{m}\": {}", sorted(&example[*m])))
        .collect();
    format!("```json\n{{\n{}\n}}\n```\n", members.join(",\n"))
}

/// JSON text with the members in alphabetical order, whatever order a build of `serde_json` keeps.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let members: BTreeSet<String> = map
                .iter()
                .map(|(k, v)| format!("\"{k}\": {}", sorted(v)))
                .collect();
            format!(
                "{{ {} }}",
                members.into_iter().collect::<Vec<_>>().join(", ")
            )
        }
        Value::Array(list) => format!(
            "[{}]",
            list.iter().map(sorted).collect::<Vec<_>>().join(", ")
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn compare(path: &str, generated: &str) {
    let path_on_disk = in_repository(path);
    let page = fs::read_to_string(&path_on_disk).expect(path);
    let (before, rest) = page.split_once(START).expect(path);
    let (_, after) = rest.split_once(END).expect(path);
    let wanted = format!("{before}{START}\n{generated}\n{END}{after}");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path_on_disk, &wanted).unwrap();
        return;
    }
    let difference = page
        .lines()
        .zip(wanted.lines())
        .find(|(is, should)| is != should);
    assert!(
        page == wanted,
        "{path} is not what code and schemas say; {difference:?}\nrun UPDATE_DOCS=1 cargo test -p headgate-it --test schemas"
    );
}

#[test]
fn the_page_on_refusals_is_the_closed_list() {
    let mut text = "| Code | What is wrong | What to do |\n|---|---|---|\n".to_owned();
    for code in Code::ALL {
        writeln!(
            text,
            "| `{}` | {} | {} |",
            code.word(),
            code.sentence(),
            code.remedy()
        )
        .unwrap();
    }
    compare("docs/reference/refusals.md", &text);
}

const OUTBOUND: [&str; 11] = [
    "schema",
    "id",
    "from",
    "to",
    "purpose",
    "basis",
    "message",
    "not_before",
    "expires_at",
    "campaign",
    "topic",
];
const PERSON: [&str; 4] = ["phone", "bsuid", "subject", "ref"];

#[test]
fn the_page_on_messages_is_the_schema() {
    let schema = schema("outbound-message.v1.json");
    let def = |name: &str| &schema["$defs"][name];
    let mut text = format!(
        "## Example\n\n{}\n## Members\n\n",
        example(&schema, 0, &OUTBOUND)
    );
    text += &table(&schema, &schema, "", &OUTBOUND);
    text += &format!(
        "\n## to\n\n{}\n\n",
        def("recipient")["description"].as_str().unwrap()
    );
    text += &table(&schema, def("recipient"), "to.", &PERSON);
    text += "\n## basis\n";
    for (name, order) in [
        ("basis_consent", &["kind"][..]),
        ("basis_user_action", &["kind", "at"]),
        ("basis_contract", &["kind", "reference"]),
    ] {
        text += &format!(
            "\n{}\n\n{}",
            def(name)["description"].as_str().unwrap(),
            table(&schema, def(name), "basis.", order)
        );
    }
    text += "\n## message\n\n| Type | Meaning |\n|---|---|\n";
    for kind in schema["properties"]["message"]["oneOf"].as_array().unwrap() {
        let shape = resolve(&schema, kind);
        let word = shape["properties"]["type"]["const"]
            .as_str()
            .map_or("`\"status\": \"read\"`".to_owned(), |k| format!("`{k}`"));
        text += &format!("| {word} | {} |\n", shape["description"].as_str().unwrap());
    }
    let inner = |name: &str, member: &str| &schema["$defs"][name]["properties"][member];
    for (holder, prefix, order) in [
        (
            inner("message_text", "text"),
            "message.text.",
            &["body"][..],
        ),
        (
            inner("message_template", "template"),
            "message.template.",
            &["name", "language", "components"],
        ),
        (
            &inner("message_template", "template")["properties"]["language"],
            "message.template.language.",
            &["code"],
        ),
        (
            inner("message_reaction", "reaction"),
            "message.reaction.",
            &["message_ref", "message_id"],
        ),
        (
            def("context"),
            "message.context.",
            &["message_ref", "message_id"],
        ),
        (
            def("message_read"),
            "message.",
            &["status", "message_ref", "typing_indicator"],
        ),
    ] {
        text += &format!(
            "\n{}\n\n{}",
            holder["description"].as_str().unwrap(),
            table(&schema, holder, prefix, order)
        );
    }
    compare("docs/reference/outbound.md", &text);
}

const CONSENT: [&str; 11] = [
    "schema",
    "id",
    "to",
    "purpose",
    "topics",
    "action",
    "method",
    "notice",
    "locale",
    "occurred_at",
    "evidence",
];

#[test]
fn the_page_on_consents_is_the_schema() {
    let schema = schema("consent-record.v1.json");
    let mut text = format!(
        "## Example\n\n{}\n## Members\n\n",
        example(&schema, 0, &CONSENT)
    );
    text += &table(&schema, &schema, "", &CONSENT);
    text += "\n## to\n\n";
    text += &table(&schema, &schema["$defs"]["recipient"], "to.", &PERSON);
    compare("docs/reference/consents.md", &text);
}

const EVENT: [&str; 9] = [
    "schema",
    "event_id",
    "type",
    "at",
    "message_id",
    "id",
    "subject",
    "ref",
    "data",
];

#[test]
fn the_page_on_events_is_the_schema() {
    let schema = schema("event.v1.json");
    let mut text = format!(
        "## Examples\n\n{}\n{}\n## Envelope\n\n",
        example(&schema, 0, &EVENT),
        example(&schema, 1, &EVENT)
    );
    text += &table(&schema, &schema, "", &EVENT);
    let mut shapes: Vec<(&str, Vec<&str>)> = Vec::new();
    for rule in schema["allOf"].as_array().unwrap() {
        let kind = rule["if"]["properties"]["type"]["const"].as_str().unwrap();
        let shape = rule["then"]["properties"]["data"]["$ref"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap();
        match shapes.iter_mut().find(|(name, _)| *name == shape) {
            Some((_, kinds)) => kinds.push(kind),
            None => shapes.push((shape, vec![kind])),
        }
    }
    for (shape, kinds) in shapes {
        let shape = &schema["$defs"][shape];
        let required: Vec<&str> = shape["required"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r.as_str().unwrap())
            .collect();
        let mut order = required.clone();
        let mut rest: Vec<&str> = shape["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .filter(|k| !required.contains(k))
            .collect();
        rest.sort_unstable();
        order.extend(rest);
        text += &format!(
            "\n## {}\n\n{}\n",
            kinds.join(", "),
            shape["description"].as_str().unwrap()
        );
        if !order.is_empty() {
            text += &format!("\n{}", table(&schema, shape, "data.", &order));
        }
    }
    compare("docs/reference/events.md", &text);
}
