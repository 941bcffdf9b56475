//! The `OpenAPI` document of the HTTP API for consents: made from the schema and the closed list of problems,
//! and held against what the function answers.

use std::collections::BTreeSet;
use std::env;
use std::fs;

use bytes::Bytes;
use consent_api::{ConsentApi, Kind, MAX_RECORDS};
use headgate_domain::api_token::Scope;
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
    let scopes: Vec<&str> = Scope::ALL.iter().map(|scope| scope.word()).collect();
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
                "responses": responses("On the consents queue; what it changed is told as an event.", "Taken"),
            } },
            "/confirmations": { "post": {
                "operationId": "askForConfirmations",
                "summary": "Have people confirm by a link what they agreed to.",
                "description": format!("As for /consents, of records whose action is given. Each only asks until the person opens its link and presses the button. Scope: {}.", Scope::ConsentsAttest.word()),
                "requestBody": body,
                "responses": responses("On the consents queue, with a link for each person.", "Links"),
            } },
        },
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "bearerFormat": "hgt_…" } },
            "schemas": bodies(&record, &codes),
        },
    })
}

/// What an address answers.
fn responses(taken: &str, body: &str) -> Value {
    let mut responses = Map::new();
    responses.insert("202".to_owned(), answer(taken, "application/json", body));
    for kind in Kind::ALL {
        // Not of this address, or of this method.
        if matches!(kind, Kind::NotFound | Kind::Method) {
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
    let mut yes = document["paths"]["/consents"]["post"]["requestBody"]["content"]["application/json"]["example"].clone();
    yes["occurred_at"] = json!(system_clock()().to_string());
    let mut other = yes.clone();
    other["purpose"] = json!("utility");
    let (yes, other) = (yes.to_string(), other.to_string());
    let large = format!("\"{}\"", "x".repeat(consent_api::MAX_BODY));
    let json = "application/json";
    for path in ["/consents", "/confirmations"] {
        // Ids are counted by token: each path has its own.
        let (yes, other) = (in_path(&yes, path), in_path(&other, path));
        let mut answered = BTreeSet::new();
        for (token, media_type, body, status) in [
            (Some(&attests), json, yes.as_str(), 202),
            (Some(&attests), json, &yes, 202),
            (Some(&attests), json, &other, 409),
            (Some(&writes), json, &yes, 403),
            (None, json, &yes, 401),
            (Some(&writes), json, "[]", 400),
            (Some(&writes), json, "[{}]", 422),
            (Some(&writes), "text/plain", &yes, 415),
            (Some(&writes), json, &large, 413),
        ] {
            let mut request = Request::post(path).header("content-type", media_type);
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {}", token.expose()));
            }
            let request = request.body(Bytes::from(body.to_owned())).unwrap();
            let answer = api.handle(request).await;
            assert_eq!(answer.status(), status, "{path}");
            let media_type = answer.headers()["content-type"].to_str().unwrap();
            let promised = &document["paths"][path]["post"]["responses"][status.to_string()];
            let schema = &promised["content"][media_type]["schema"];
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
        let promised = document["paths"][path]["post"]["responses"]
            .as_object()
            .unwrap();
        assert_eq!(answered, promised.keys().cloned().collect());
    }
}

fn in_path(record: &str, path: &str) -> String {
    record.replacen(
        "\"id\":\"",
        &format!("\"id\":\"{}-", path.trim_start_matches('/')),
        1,
    )
}
