//! The HTTP API's binary under Lambda's Runtime API: it answers, or refuses to start (I5).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use headgate_domain::api_token::Scope;
use headgate_testkit::events::{Body, api_gateway};
use headgate_testkit::{Running, refusals, stage};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_consent-api");

#[tokio::test]
async fn a_record_is_taken_whether_or_not_it_comes_in_base64() {
    let stage = stage().await;
    let api = Running::start(BINARY, &stage.environment("ConsentApiFunction")).await;
    let token = stage.api_token(&[Scope::ConsentsWrite]).await;
    let bearer = format!("Bearer {}", token.expose());
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
    ];
    let record = |id: &str| {
        json!({
            "schema": "headgate.consent/1", "id": id, "to": {"phone": "+16135550123"},
            "purpose": "marketing", "action": "withdrawn", "method": "agent",
        })
        .to_string()
    };
    let (first, second) = (record("a"), record("b"));
    for body in [Body::Text(&first), Body::Base64(second.as_bytes())] {
        let answer = api
            .invoke(api_gateway("POST", "/consents", &[], &headers, body))
            .await;
        assert_eq!(answer["statusCode"], 202, "{answer} {}", api.output());
    }
    let queued = stage.places_with("headgate.relayed-consent/1").await;
    assert_eq!(queued.len(), 2, "{queued:?}");
    let output = api.output();
    assert!(!output.contains(token.expose()) && !output.contains("6135550123"));
}

#[tokio::test]
async fn without_a_setting_it_does_not_start() {
    refusals::without_a_setting(BINARY, "consent-api").await;
}
