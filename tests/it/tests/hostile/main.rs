//! Every public route under what a stranger can put on a connection (I10).
//!
//! The functions run behind the routes of the template, and the requests are bytes on a socket: what
//! no HTTP client would send is sent too. What API Gateway can hand over, and what it never would, is
//! tried against the real binaries by each function's own tests/hostile.rs, with the same list of
//! routes. A route of the template that this suite does not know fails it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

mod requests;
mod world;

use std::path::Path;

use futures_util::future::join_all;
use requests::{CANARY, hostile};
use world::{Answer, PATIENCE, SILENCE, World};

/// Every route a stranger can call: API, method, path, function. A new one is added here with what an
/// honest request to it is ([`honest`]).
const ROUTES: [(&str, &str, &str, &str); 21] = [
    ("ConsentApi", "POST", "/confirmations", "ConsentApiFunction"),
    ("ConsentApi", "POST", "/consents", "ConsentApiFunction"),
    (
        "ConsentApi",
        "POST",
        "/consents/query",
        "ConsentApiFunction",
    ),
    ("HooksApi", "GET", "/webhook", "WebhookFunction"),
    ("HooksApi", "POST", "/webhook", "WebhookFunction"),
    (
        "PrivacyApi",
        "GET",
        "/.well-known/gpc.json",
        "PrivacyWebFunction",
    ),
    ("PrivacyApi", "GET", "/c/{token}", "PrivacyWebFunction"),
    ("PrivacyApi", "GET", "/do-not-sell", "PrivacyWebFunction"),
    ("PrivacyApi", "GET", "/e/{copy}", "PrivacyWebFunction"),
    ("PrivacyApi", "GET", "/opt-in", "PrivacyWebFunction"),
    ("PrivacyApi", "GET", "/p/{token}", "PrivacyWebFunction"),
    ("PrivacyApi", "GET", "/privacy", "PrivacyWebFunction"),
    ("PrivacyApi", "GET", "/r/{request}", "PrivacyWebFunction"),
    ("PrivacyApi", "GET", "/requests", "PrivacyWebFunction"),
    ("PrivacyApi", "GET", "/u/{token}", "PrivacyWebFunction"),
    ("PrivacyApi", "POST", "/c/{token}", "PrivacyWebFunction"),
    ("PrivacyApi", "POST", "/e/{copy}", "PrivacyWebFunction"),
    ("PrivacyApi", "POST", "/opt-in", "PrivacyWebFunction"),
    ("PrivacyApi", "POST", "/p/{token}", "PrivacyWebFunction"),
    ("PrivacyApi", "POST", "/requests", "PrivacyWebFunction"),
    ("PrivacyApi", "POST", "/u/{token}", "PrivacyWebFunction"),
];

/// What the API itself answers when a request does not reach a function.
const OF_THE_API: [&str; 4] = [
    "",
    "{}",
    r#"{"message":"Missing Authentication Token"}"#,
    r#"{"message":"Request Too Long"}"#,
];

#[tokio::test]
async fn every_public_route_has_its_hostile_set() {
    let world = World::start().await;
    let mut routes = world.routes();
    routes.sort();
    let known = ROUTES
        .map(|(api, method, path, function)| [api, method, path, function].map(str::to_owned));
    assert_eq!(routes, known, "a route of the template is not in the suite");
    for (_api, _method, _path, function) in ROUTES {
        let package = kebab(function.strip_suffix("Function").unwrap());
        let own = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../functions")
            .join(package)
            .join("tests/hostile.rs");
        assert!(own.exists(), "{function} has no tests/hostile.rs");
    }
}

/// So many of the hostile requests are whole, and have an answer.
const ENOUGH: usize = 80;

#[tokio::test(flavor = "multi_thread")]
async fn no_route_is_shaken_by_what_a_stranger_puts_on_the_wire() {
    let world = &World::start().await;
    for (api, method, path, function) in ROUTES {
        let before = world.stored().await;
        let mut answered = 0;
        let requests = hostile(
            method,
            &path
                .replace("{token}", CANARY)
                .replace("{request}", CANARY)
                .replace("{copy}", CANARY),
        );
        // All at once, as a stranger would.
        let send = |time| {
            let all = requests.iter();
            join_all(all.map(move |(_name, bytes)| world.send(api, bytes, time)))
        };
        let mut answers = send(SILENCE).await;
        if answers.iter().flatten().count() <= ENOUGH {
            answers = send(PATIENCE).await;
        }
        for ((name, _bytes), answer) in requests.iter().zip(answers) {
            let name = format!("{method} {path}: {name}");
            let Some(answer) = answer else {
                continue; // no whole request, and no word
            };
            closed(&name, function, &answer);
            answered += 1;
        }
        assert!(answered > ENOUGH, "{method} {path}: {answered}");
        assert!(
            before == world.stored().await,
            "{method} {path} left something behind"
        );
        honest(world, api, method, path).await;
    }
    assert!(
        !world::log().contains(CANARY),
        "a stranger writes in the log"
    );
}

/// An answer is the API's or one of the function's closed set, and repeats nothing.
fn closed(name: &str, function: &str, answer: &Answer) {
    assert!(!answer.text.contains(CANARY), "{name}: comes back");
    if !answer.has("strict-transport-security") {
        let api = [400, 403, 413, 414, 431, 505];
        assert!(api.contains(&answer.status), "{name}: {}", answer.status);
        assert!(
            OF_THE_API.contains(&answer.body.as_str()),
            "{name}: {}",
            answer.body
        );
        return;
    }
    assert!(answer.has("x-content-type-options") && answer.has("cache-control"));
    // What the API answers by itself, as the template has it.
    if answer.body == "{}" {
        let api = [400, 403, 413];
        assert!(api.contains(&answer.status), "{name}: {}", answer.status);
        return;
    }
    match function {
        "WebhookFunction" => {
            assert!(
                [401, 403, 413].contains(&answer.status),
                "{name}: {}",
                answer.status
            );
            assert_eq!(answer.body, "", "{name}");
        }
        "PrivacyWebFunction" => {
            let pages = [200, 403, 404, 413, 415, 422];
            assert!(pages.contains(&answer.status), "{name}: {}", answer.status);
            assert!(answer.has("content-security-policy") && answer.has("referrer-policy"));
        }
        "ConsentApiFunction" => {
            // Without a token nobody gets further than to hear that there is an address, or none.
            assert!([401, 404].contains(&answer.status), "{name}");
            assert_eq!(answer.has("www-authenticate"), answer.status == 401);
        }
        unknown => panic!("say here what {unknown} may answer"),
    }
}

fn no_copy() -> String {
    format!("/e/{}", "a".repeat(24))
}

/// What those the route is for would send, and what they get.
async fn honest(world: &World, api: &str, method: &str, path: &str) {
    let (target, headers, body, status) = match (method, path) {
        ("GET", "/webhook") => (world::handshake(), String::new(), String::new(), 200),
        ("POST", "/webhook") => {
            let body = r#"{"object":"whatsapp_business_account","entry":[]}"#.to_owned();
            (path.to_owned(), world::signed(&body), body, 200)
        }
        (
            "GET",
            "/opt-in" | "/privacy" | "/do-not-sell" | "/requests" | "/.well-known/gpc.json",
        ) => (path.to_owned(), String::new(), String::new(), 200),
        // Without the wording that was shown, the page is shown again.
        ("POST", "/opt-in") => (path.to_owned(), form(), "purpose=marketing".to_owned(), 422),
        ("POST", "/requests") => (path.to_owned(), form(), "ask=erasure".to_owned(), 200),
        // A link that was never made looks like one that has run out.
        ("GET", "/e/{copy}") => (no_copy(), String::new(), String::new(), 410),
        ("POST", "/e/{copy}") => (no_copy(), form(), "as=file".to_owned(), 410),
        // A reference that was never given looks like one whose message has not come.
        ("GET", "/r/{request}") => {
            let reference = format!("/r/dsr_{}", "a".repeat(20));
            (reference, String::new(), String::new(), 200)
        }
        // Every text of the right form has the same page; one that was not made here does nothing.
        ("GET", "/c/{token}") => (made_up(), String::new(), String::new(), 200),
        ("POST", "/c/{token}") => (made_up(), form(), "agree=yes".to_owned(), 404),
        ("GET", "/u/{token}") => (world.link().await, String::new(), String::new(), 200),
        ("GET", "/p/{token}") => {
            let link = world.link().await.replace("/u/", "/p/");
            (link, String::new(), String::new(), 200)
        }
        ("POST", "/p/{token}") => {
            let link = world.link().await.replace("/u/", "/p/");
            (link, form(), "scope=utility".to_owned(), 200)
        }
        ("POST", "/u/{token}") => (
            world.link().await,
            form(),
            "scope=marketing".to_owned(),
            200,
        ),
        ("POST", "/consents") => (path.to_owned(), world.token().await, world::no(), 202),
        ("POST", "/consents/query") => (path.to_owned(), world.token().await, world::query(), 200),
        // A no is nothing to confirm.
        ("POST", "/confirmations") => (path.to_owned(), world.token().await, world::no(), 422),
        unknown => panic!("say here what an honest request to {unknown:?} is"),
    };
    let length = body.len();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    let answer = world.send(api, request.as_bytes(), PATIENCE).await;
    assert_eq!(
        answer.map(|answer| answer.status),
        Some(status),
        "{method} {path}"
    );
}

fn made_up() -> String {
    format!("/c/{}", "A".repeat(72))
}

fn form() -> String {
    "Content-Type: application/x-www-form-urlencoded\r\n".to_owned()
}

fn kebab(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
