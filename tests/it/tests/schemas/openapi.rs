//! The `OpenAPI` document of the HTTP API for consents: made from the schema and the closed list of problems,
//! and held against what the function answers.

use std::collections::BTreeSet;
use std::env;
use std::fs;

use bytes::Bytes;
use consent_api::{ConsentApi, Kind, MAX_RECORDS};
use headgate_domain::api_token::{PlainToken, Scope};
use headgate_domain::consent::QUERY_SCHEMA;
use headgate_domain::do_not_sell::Way;
use headgate_domain::lane::{PURPOSES, Purpose};
use headgate_lambda::clock::system_clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::stage;
use http::Request;
use serde_json::{Map, Value, json};

use super::{in_repository, schema, validator};

const PATH: &str = "schemas/consent-api.openapi.json";

/// The document as code and schemas say it must be.
fn document() -> Value {
    let record = schema("consent-record.v1.json");
    let codes: Vec<&str> = Kind::ALL.iter().map(|kind| kind.code()).collect();
    let scopes = [Scope::ConsentsWrite, Scope::ConsentsAttest].map(Scope::word);
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let body = json!({ "required": true, "content": { "application/json": {
        "schema": { "oneOf": [
            reference("ConsentRecord"),
            { "type": "array", "minItems": 1, "maxItems": MAX_RECORDS, "items": reference("ConsentRecord") },
        ] },
        "example": record["examples"][0],
    } } });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Headgate: consents",
            "version": "1",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "For systems that can neither write to a queue nor use an IAM role: docs/consent-api.md.",
        },
        "servers": [{
            "url": "{address}",
            "description": "The output ConsentApiUrl of the stack.",
            "variables": { "address": { "default": "https://api.example/v1" } },
        }],
        "security": [{ "token": [] }],
        "paths": {
            "/consents": { "post": {
                "operationId": "recordConsents",
                "summary": "Record what people said.",
                "description": format!("One record, or 1 to {MAX_RECORDS}; taken whole or not at all. The same id with the same bytes is answered again and changes nothing. Scopes: {}.", scopes.join(", ")),
                "requestBody": body,
                "responses": responses("202", "On the consents queue; what it changed is told as an event.", "Taken", &[]),
            } },
            "/confirmations": { "post": {
                "operationId": "askForConfirmations",
                "summary": "Have people confirm by a link what they agreed to.",
                "description": format!("As for /consents, of records whose action is given. Each only asks until the person opens its link and presses the button. Scope: {}.", Scope::ConsentsAttest.word()),
                "requestBody": body,
                "responses": responses("202", "On the consents queue, with a link for each person.", "Links", &[]),
            } },
            "/consents/query": { "post": {
                "operationId": "queryConsents",
                "summary": "Ask where somebody stands.",
                "description": format!("The person is named in the body, so that a number is in no address. Of somebody who is not on record the answer has the same members. Scope: {}.", Scope::ConsentsRead.word()),
                "requestBody": { "required": true, "content": { "application/json": {
                    "schema": reference("Question"),
                    "example": { "schema": QUERY_SCHEMA, "to": { "phone": "+16135550123" } },
                } } },
                "responses": responses("200", "Where the person stands.", "Standings", &[Kind::DuplicateId]),
            } },
        },
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "bearerFormat": "hgt_…" } },
            "schemas": schemas(&record, &codes),
        },
    })
}

/// What an address answers; `never` are the problems it has not.
fn responses(status: &str, done: &str, body: &str, never: &[Kind]) -> Value {
    let mut responses = Map::new();
    responses.insert(status.to_owned(), answer(done, "application/json", body));
    for kind in Kind::ALL {
        // Not of this address, or of this method.
        if matches!(kind, Kind::NotFound | Kind::Method) || never.contains(&kind) {
            continue;
        }
        let described = format!("`{}`: {}", kind.code(), kind.sentence());
        let status = kind.status().as_u16().to_string();
        let before = responses.insert(
            status,
            answer(&described, "application/problem+json", "Problem"),
        );
        assert!(before.is_none(), "two kinds of one status: {kind:?}");
    }
    Value::Object(responses)
}

/// What is sent and answered.
fn schemas(record: &Value, codes: &[&str]) -> Value {
    let mut all = bodies(record, codes);
    let members = all.as_object_mut().unwrap();
    members.insert("Question".to_owned(), question(record));
    members.insert("Standings".to_owned(), standings());
    all
}

/// What is asked.
fn question(record: &Value) -> Value {
    let to = &record["properties"]["to"]["properties"];
    let one = |name: &str| {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": [name],
            "properties": { name: to[name] },
        })
    };
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["schema", "to"],
        "properties": {
            "schema": { "const": QUERY_SCHEMA },
            "to": {
                "description": "The person, by one identifier.",
                "oneOf": [one("phone"), one("bsuid"), one("subject")],
            },
        },
    })
}

/// What is answered.
fn standings() -> Value {
    let time = json!({ "type": "string", "format": "date-time" });
    let event = json!({ "description": "The ledger event that proves it.", "type": "string" });
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["subject", "stopped_in_whatsapp", "do_not_sell", "restricted_since", "consents"],
        "properties": {
            "subject": { "description": "Headgate's id of the person; null when nobody is on record.", "type": ["string", "null"] },
            "restricted_since": {
                "description": "Since when the person wants their data kept and not used: messages to them are refused with restricted. Null when it is not so.",
                "type": ["string", "null"],
                "format": "date-time",
            },
            "stopped_in_whatsapp": { "description": "Whether the person stopped marketing with WhatsApp's own switch.", "type": "boolean" },
            "do_not_sell": {
                "description": "The person's request that their data be neither sold nor shared; null when there is none.",
                "type": ["object", "null"],
                "additionalProperties": false,
                "required": ["at", "method", "ledger_event"],
                "properties": {
                    "at": time,
                    "method": { "enum": Way::ALL.map(Way::word) },
                    "ledger_event": { "description": "Null for the moment until it is written.", "type": ["string", "null"] },
                },
            },
            "consents": {
                "description": "Each purpose, and each topic of it that is declared.",
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["purpose", "standing"],
                    "properties": {
                        "purpose": { "enum": PURPOSES.map(Purpose::word) },
                        "topic": { "type": "string" },
                        "standing": {
                            "description": "As messages are judged by it: docs/consent.md.",
                            "enum": ["unknown", "requested", "given", "renew_due", "expired", "withdrawn", "invalidated", "refused", "suspended"],
                        },
                        "since": time,
                        "method": { "description": "How it was said, as in a consent record.", "type": "string" },
                        "notice": { "description": "The id of the wording that was agreed to.", "type": "string" },
                        "valid_until": { "description": "When a yes ends by itself.", "type": "string", "format": "date-time" },
                        "ledger_event": event,
                    },
                },
            },
        },
    })
}

/// What is sent and answered of records.
fn bodies(record: &Value, codes: &[&str]) -> Value {
    json!({
                "ConsentRecord": record,
                "Taken": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["records"],
                    "properties": { "records": {
                        "description": "In the order of the request.",
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": false,
                            "required": ["id", "status"],
                            "properties": {
                                "id": { "description": "The record's id.", "type": "string" },
                                "status": { "description": "repeated: it had been queued before.", "enum": ["queued", "repeated"] },
                            },
                        },
                    } },
                },
                "Links": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["confirmations"],
                    "properties": { "confirmations": {
                        "description": "In the order of the request.",
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": false,
                            "required": ["id", "status", "url", "expires_at"],
                            "properties": {
                                "id": { "description": "The record's id.", "type": "string" },
                                "status": { "description": "repeated: it had been queued before, and has the same link.", "enum": ["queued", "repeated"] },
                                "url": { "description": "For this person and nobody else. It is kept nowhere; send the same record again to have it again.", "type": "string", "format": "uri" },
                                "expires_at": { "type": "string", "format": "date-time" },
                            },
                        },
                    } },
                },
                "Problem": {
                    "description": "RFC 9457. No value of the request is repeated.",
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["type", "title", "status", "code", "detail"],
                    "properties": {
                        "type": { "const": "about:blank" },
                        "title": { "type": "string" },
                        "status": { "type": "integer" },
                        "code": { "enum": codes },
                        "detail": { "type": "string" },
                        "errors": {
                            "description": "The records at fault.",
                            "type": "array",
                            "minItems": 1,
                            "items": {
                                "type": "object",
                                "additionalProperties": false,
                                "required": ["record", "code"],
                                "properties": {
                                    "record": { "description": "Its place in the request, from 0.", "type": "integer", "minimum": 0 },
                                    "code": { "description": "As in docs/reference/refusals.md, or the problem's own.", "type": "string" },
                                    "field": { "type": "string" },
                                    "detail": { "type": "string" },
                                    "remedy": { "type": "string" },
                                },
                            },
                        },
                    },
                },
    })
}

fn answer(description: &str, media_type: &str, name: &str) -> Value {
    let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
    json!({ "description": description, "content": { media_type: { "schema": schema } } })
}

/// The same value with its members in order, whatever order a build of `serde_json` keeps.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let names: BTreeSet<&String> = map.keys().collect();
            let members = names
                .into_iter()
                .map(|name| (name.clone(), in_order(&map[name])));
            Value::Object(members.collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(in_order).collect()),
        other => other.clone(),
    }
}

#[test]
fn the_openapi_document_is_what_code_and_schemas_say() {
    let text = serde_json::to_string_pretty(&in_order(&document())).unwrap() + "\n";
    let file = in_repository(PATH);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &text).unwrap();
        return;
    }
    let stored = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        stored == text,
        "{PATH} is not what code and schemas say; run UPDATE_DOCS=1 cargo test -p headgate-it --test schemas"
    );
}

#[tokio::test]
async fn the_document_and_the_function_agree_on_every_answer() {
    let document = document();
    let stage = stage().await;
    let routes = stage.cloud().routes();
    let routes: BTreeSet<(String, String)> = routes
        .into_iter()
        .filter(|(_, _, _, function)| function == "ConsentApiFunction")
        .map(|(_, method, path, _)| (method.to_lowercase(), path))
        .collect();
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(|method| (method.clone(), path.clone()))
        })
        .collect();
    assert_eq!(routes, documented);

    let settings = Settings::from_map(stage.environment("ConsentApiFunction"));
    let api = ConsentApi::new(&settings, system_clock()).await.unwrap();
    let writes = stage.api_token(&[Scope::ConsentsWrite]).await;
    let attests = stage.api_token(&[Scope::ConsentsAttest]).await;
    let reads = stage.api_token(&[Scope::ConsentsRead]).await;
    let example = |path: &str| {
        let post = &document["paths"][path]["post"];
        post["requestBody"]["content"]["application/json"]["example"].clone()
    };
    let mut yes = example("/consents");
    yes["occurred_at"] = json!(system_clock()().to_string());
    let mut other = yes.clone();
    other["purpose"] = json!("utility");
    let (yes, other) = (yes.to_string(), other.to_string());
    let large = format!("\"{}\"", "x".repeat(consent_api::MAX_BODY));
    let json = "application/json";
    for path in ["/consents", "/confirmations"] {
        // Ids are counted by token: each path has its own.
        let (yes, other) = (in_path(&yes, path), in_path(&other, path));
        let tried = [
            (Some(&attests), json, yes.as_str(), 202),
            (Some(&attests), json, &yes, 202),
            (Some(&attests), json, &other, 409),
            (Some(&writes), json, &yes, 403),
            (None, json, &yes, 401),
            (Some(&writes), json, "[]", 400),
            (Some(&writes), json, "[{}]", 422),
            (Some(&writes), "text/plain", &yes, 415),
            (Some(&writes), json, &large, 413),
        ];
        agree(&document, &api, path, &tried).await;
    }
    let question = example("/consents/query").to_string();
    let tried = [
        (Some(&reads), json, question.as_str(), 200),
        (Some(&attests), json, &question, 403),
        (None, json, &question, 401),
        (Some(&reads), json, "", 400),
        (Some(&reads), json, "{}", 422),
        (Some(&reads), "text/plain", &question, 415),
        (Some(&reads), json, &large, 413),
    ];
    agree(&document, &api, "/consents/query", &tried).await;
}

/// Sends each, and holds what comes against the document, which promises nothing else.
async fn agree(
    document: &Value,
    api: &ConsentApi,
    path: &str,
    tried: &[(Option<&PlainToken>, &str, &str, u16)],
) {
    let promised = &document["paths"][path]["post"]["responses"];
    let mut answered = BTreeSet::new();
    for (token, media_type, body, status) in tried {
        let mut request = Request::post(path).header("content-type", *media_type);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {}", token.expose()));
        }
        let request = request.body(Bytes::from((*body).to_owned())).unwrap();
        let answer = Box::pin(api.handle(request)).await;
        assert_eq!(answer.status(), *status, "{path}");
        let media_type = answer.headers()["content-type"].to_str().unwrap();
        let schema = &promised[status.to_string()]["content"][media_type]["schema"];
        assert!(schema.is_object(), "{path} {status} {media_type}");
        let mut whole = schema.clone();
        whole["components"] = document["components"].clone();
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        let wrong: Vec<String> = validator(&whole)
            .iter_errors(&body)
            .map(|e| e.to_string())
            .collect();
        assert!(wrong.is_empty(), "{path} {status}: {wrong:?}");
        answered.insert(status.to_string());
    }
    // Too often and not durable: the function's own tests bring these about.
    answered.extend(["429", "503"].map(str::to_owned));
    let promised = promised.as_object().unwrap().keys().cloned().collect();
    assert_eq!(answered, promised);
}

fn in_path(record: &str, path: &str) -> String {
    record.replacen(
        "\"id\":\"",
        &format!("\"id\":\"{}-", path.trim_start_matches('/')),
        1,
    )
}
