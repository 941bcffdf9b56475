//! The HTTP API's binary under everything a stranger may send to its routes (I10).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use headgate_domain::api_token::Scope;
use headgate_testkit::events::{Body, api_gateway};
use headgate_testkit::hostile::{self, CANARY};
use headgate_testkit::{Running, Stage, stage};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_consent-api");
const HEADERS: [&str; 5] = [
    "cache-control",
    "content-security-policy",
    "content-type",
    "strict-transport-security",
    "x-content-type-options",
];

/// A problem of the closed set, the same for everybody who has no token.
fn closed(name: &str, answer: &Value) {
    let status = answer["statusCode"].as_u64().unwrap_or_default();
    assert!([401, 404, 405].contains(&status), "{name}: {answer}");
    let headers = answer["multiValueHeaders"].as_object().unwrap();
    let mut names: Vec<&str> = headers.keys().map(String::as_str).collect();
    names.retain(|header| !["allow", "www-authenticate"].contains(header));
    assert_eq!(names, HEADERS, "{name}");
    assert_eq!(headers.contains_key("www-authenticate"), status == 401);
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["status"], status, "{name}");
    assert!(body.get("errors").is_none(), "{name}");
}

#[tokio::test]
async fn whoever_has_no_token_is_told_one_thing_and_leaves_nothing() {
    let stage = stage().await;
    let api = Running::start(BINARY, &stage.environment("ConsentApiFunction")).await;
    let mut tried = 0;
    for (method, path) in &hostile::routes_of(&stage, "ConsentApiFunction") {
        tried += hostile::withstands(&api, &stage, (method, path), closed).await;
        still_works(&api, &stage, method, path).await;
    }
    assert!(tried > 80, "{tried}");
}

/// What a system with a token would send to the route, and what it gets; and a token does not help
/// against the rest.
async fn still_works(api: &Running, stage: &Stage, method: &str, path: &str) {
    let scopes = [Scope::ConsentsWrite, Scope::ConsentsRead];
    let token = stage.api_token(&scopes).await;
    let bearer = format!("Bearer {}", token.expose());
    let json = ("Content-Type", "application/json");
    let record = json!({
        "schema": "headgate.consent/1", "id": "r-1", "to": {"phone": "+16135550123"},
        "purpose": "marketing", "action": "withdrawn", "method": "agent",
    })
    .to_string();
    let yes = record.replace("withdrawn", "given");
    let long = format!("\"{}\"", CANARY.repeat(50_000));
    let deep = "[".repeat(100_000);
    if path == "/consents/query" {
        let query =
            json!({ "schema": "headgate.consent-query/1", "to": {"phone": "+16135550123"} });
        let query = query.to_string();
        let all = [("Authorization", bearer.as_str()), json];
        let event = api_gateway(method, path, &[], &all, Body::Text(&query));
        let answer = api.invoke(event).await;
        assert_eq!(answer["statusCode"], 200, "{answer}");
    }
    // A no is nothing to confirm, and a record no question.
    let answered = if path == "/consents" { 202 } else { 422 };
    // A question is shorter than any record may be.
    let too_deep = if path == "/consents/query" { 413 } else { 400 };
    for (headers, body, status) in [
        (&[json][..], record.as_str(), answered),
        (&[json], yes.as_str(), 422),
        (&[json], long.as_str(), 413),
        (&[json], deep.as_str(), too_deep),
        (&[json], CANARY, 400),
        (&[json], "", 400),
        (&[("Content-Type", CANARY)], record.as_str(), 415),
        (&[], record.as_str(), 415),
    ] {
        let all = [&[("Authorization", bearer.as_str())], headers].concat();
        let event = api_gateway(method, path, &[], &all, Body::Text(body));
        let answer = api.invoke(event).await;
        assert_eq!(answer["statusCode"], status, "{method} {path}: {answer}");
        assert!(!answer.to_string().contains(CANARY));
    }
    assert!(!api.output().contains(CANARY));
    assert!(stage.places_with(CANARY).await.is_empty());
}
