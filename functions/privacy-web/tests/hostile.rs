//! The public pages' binary under everything a stranger may send to their routes (I10).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use headgate_testkit::events::{Body, api_gateway};
use headgate_testkit::hostile::{self, CANARY};
use headgate_testkit::{Running, Stage, stage};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_privacy-web");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
/// On every answer, whatever it says.
const HEADERS: [&str; 13] = [
    "cache-control",
    "content-language",
    "content-security-policy",
    "content-type",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "referrer-policy",
    "strict-transport-security",
    "vary",
    "x-content-type-options",
    "x-frame-options",
    "x-robots-tag",
];

/// A page or one of the refusals of the closed set; of the latter also as a problem document.
fn closed(name: &str, answer: &Value) {
    let status = answer["statusCode"].as_u64().unwrap_or_default();
    assert!(
        [200, 403, 404, 405, 413, 415, 422].contains(&status),
        "{name}: {answer}"
    );
    let headers = answer["multiValueHeaders"].as_object().unwrap();
    let mut names: Vec<&str> = headers.keys().map(String::as_str).collect();
    names.retain(|header| status != 405 || *header != "allow");
    assert_eq!(names, HEADERS, "{name}");
    let hsts = &headers["strict-transport-security"];
    assert_eq!(*hsts, json!(["max-age=63072000; includeSubDomains"]));
    let body = answer["body"].as_str().unwrap_or_default();
    let problem = headers["content-type"] == json!(["application/problem+json"]);
    if problem && !body.is_empty() {
        let problem: Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["status"], status, "{name}");
    } else if headers["content-type"] == json!(["application/json"]) {
        assert!(
            body.is_empty() || body.starts_with("{\"gpc\":true"),
            "{name}"
        );
    } else if !body.is_empty() {
        assert!(body.starts_with("<!doctype html>"), "{name}: {body}");
        assert!(!body.contains("<script"), "{name}");
    }
}

#[tokio::test]
async fn whatever_a_stranger_sends_is_a_page_or_a_refusal_and_leaves_nothing() {
    let stage = stage().await;
    let pages = Running::start(BINARY, &stage.environment("PrivacyWebFunction")).await;
    let mut tried = 0;
    for (method, path) in &hostile::routes_of(&stage, "PrivacyWebFunction") {
        tried += hostile::withstands(&pages, &stage, (method, path), closed).await;
        still_works(&pages, &stage, method, path).await;
    }
    assert!(tried > 500, "{tried}");
}

/// A link that opens: nobody else's page makes it withdraw, and no scanner that follows it.
#[tokio::test]
async fn a_link_that_opens_withdraws_for_a_form_of_ours_alone() {
    let stage = stage().await;
    let pages = Running::start(BINARY, &stage.environment("PrivacyWebFunction")).await;
    let path = format!("/u/{}", stage.link_token().await);
    let before = stage.cloud().dump().await.unwrap();
    let cross_site = [FORM, ("Sec-Fetch-Site", "cross-site")];
    let elsewhere = [FORM, ("Origin", "https://canary16135550177.example")];
    let json = [("Content-Type", "application/json")];
    let long = CANARY.repeat(300);
    for (method, headers, body, status) in [
        ("GET", &[FORM][..], Body::Text("scope=everything"), 200),
        ("HEAD", &[], Body::None, 200),
        ("POST", &cross_site, Body::Text("scope=everything"), 403),
        ("POST", &elsewhere, Body::Text("scope=everything"), 403),
        ("POST", &json, Body::Text("{}"), 415),
        ("POST", &[], Body::None, 415),
        ("POST", &[FORM], Body::Text(&long), 413),
        ("DELETE", &[FORM], Body::None, 405),
    ] {
        let event = api_gateway(method, &path, &[], headers, body);
        let answer = pages.invoke(event).await;
        assert_eq!(answer["statusCode"], status, "{method} {headers:?}");
        closed(method, &answer);
    }
    assert!(before == stage.cloud().dump().await.unwrap());
    assert!(!pages.output().contains(CANARY));
}

/// What a person would send to the route, and what they get.
async fn still_works(pages: &Running, stage: &Stage, method: &str, path: &str) {
    let token = stage.link_token().await;
    let (link, made_up) = (stage.confirm_token(60_000).await, "A".repeat(72));
    let pressed = format!("token={link}&agree=yes");
    let (path, form, status) = match (method, path.strip_suffix(CANARY).unwrap_or(path)) {
        (
            "GET",
            "/opt-in" | "/privacy" | "/do-not-sell" | "/requests" | "/.well-known/gpc.json",
        ) => (path.to_owned(), Body::None, 200),
        // Without the wording that was shown, the page is shown again.
        ("POST", "/opt-in") => (path.to_owned(), Body::Text("purpose=marketing"), 422),
        ("POST", "/requests") => (path.to_owned(), Body::Text("ask=erasure"), 200),
        ("GET", "/r/") => (format!("/r/dsr_{}", "a".repeat(20)), Body::None, 200),
        ("GET", "/e/") => (format!("/e/{}", "a".repeat(24)), Body::None, 410),
        ("POST", "/e/") => (format!("/e/{}", "a".repeat(24)), Body::Text("as=file"), 410),
        ("GET", "/c/") => (format!("/c/{made_up}"), Body::None, 200),
        ("POST", "/c/") => (format!("/c/{link}"), Body::Text(&pressed), 200),
        ("GET", "/u/") => (format!("/u/{token}"), Body::None, 200),
        ("GET", "/p/") => (format!("/p/{token}"), Body::None, 200),
        ("POST", "/p/") => (format!("/p/{token}"), Body::Text("scope=utility"), 200),
        ("POST", "/u/") => (format!("/u/{token}"), Body::Text("scope=marketing"), 200),
        unknown => panic!("say here what an honest request to {unknown:?} is"),
    };
    let browser = ("User-Agent", "Mozilla/5.0 (Android 16)");
    let own = ("Sec-Fetch-Site", "same-origin");
    let event = api_gateway(method, &path, &[], &[FORM, browser, own], form);
    let answer = pages.invoke(event).await;
    assert_eq!(answer["statusCode"], status, "{method} {path}");
}
