//! The webhook's binary under everything a stranger may send to its routes (I10).
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use headgate_testkit::events::{Body, api_gateway, signature};
use headgate_testkit::{APP_SECRET, Running, VERIFY_TOKEN, hostile, stage};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_webhook");
const HEADERS: [(&str, &str); 3] = [
    (
        "strict-transport-security",
        "max-age=63072000; includeSubDomains",
    ),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
];

/// One of the refusals of the closed set, without a body: no hostile request is ever a 200.
fn refused(name: &str, answer: &Value) {
    let status = answer["statusCode"].as_u64().unwrap_or_default();
    assert!([401, 403, 405, 413].contains(&status), "{name}: {answer}");
    assert!(
        answer["body"].is_null() || answer["body"] == "",
        "{name}: {answer}"
    );
    let headers = answer["multiValueHeaders"].as_object();
    let names: Vec<&str> = headers
        .into_iter()
        .flat_map(|headers| headers.keys())
        .map(String::as_str)
        .collect();
    for (header, value) in HEADERS {
        assert_eq!(
            answer["multiValueHeaders"][header],
            json!([value]),
            "{name}"
        );
    }
    let more = names.len() - HEADERS.len();
    assert_eq!(more, usize::from(status == 405), "{name}: {names:?}");
}

#[tokio::test]
async fn whatever_a_stranger_sends_is_refused_and_leaves_nothing() {
    let stage = stage().await;
    let webhook = Running::start(BINARY, &stage.environment("WebhookFunction")).await;
    let mut tried = 0;
    for (number, (method, path)) in hostile::routes_of(&stage, "WebhookFunction")
        .iter()
        .enumerate()
    {
        tried += hostile::withstands(&webhook, &stage, (method, path), refused).await;
        still_works(&webhook, method, path, number).await;
    }
    assert!(tried > 200, "{tried}");
    // Nor does it say what would have been right.
    let right = signature(APP_SECRET, b"{}");
    let event = api_gateway("POST", "/webhook", &[], &[], Body::Text("{}"));
    refused("unsigned", &webhook.invoke(event).await);
    for told in [
        APP_SECRET,
        VERIFY_TOKEN,
        right.trim_start_matches("sha256="),
    ] {
        assert!(!webhook.output().contains(told));
    }
    assert!(webhook.output().contains("signature_refused"));
}

/// What Meta would send to the route, and what it gets.
async fn still_works(webhook: &Running, method: &str, path: &str, number: usize) {
    match (method, path) {
        ("GET", "/webhook") => {
            let query = [
                ("hub.mode", "subscribe"),
                ("hub.verify_token", VERIFY_TOKEN),
                ("hub.challenge", "1158201444"),
            ];
            let event = api_gateway(method, path, &query, &[], Body::None);
            assert_eq!(webhook.invoke(event).await["body"], "1158201444");
        }
        ("POST", "/webhook") => {
            let text = format!(r#"{{"entry":[{number}]}}"#);
            let signed = signature(APP_SECRET, text.as_bytes());
            let headers = [("X-Hub-Signature-256", signed.as_str())];
            let event = api_gateway(method, path, &[], &headers, Body::Text(&text));
            assert_eq!(webhook.invoke(event).await["statusCode"], 200);
        }
        unknown => panic!("say here what an honest request to {unknown:?} is"),
    }
}
