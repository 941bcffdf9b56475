//! Every outcome, once by a table of answers and once over a socket.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "tests may fail loudly"
)]

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, post};
use headgate_domain::config::Config;
use headgate_domain::consent::Subject;
use headgate_domain::disposition::Disposition;
use headgate_domain::identity::{SubjectId, Wamid};
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::{Basis, Kind};
use headgate_domain::policy::{Facts, Request, SendPermit, authorize};
use headgate_domain::time::Timestamp;
use headgate_redact::Secret;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::Timeouts;
use crate::{GraphClient, InvalidClient, NotAccepted, Outcome, VERSION, answer};

const NUMBER: &str = "200000000000001";
const TOKEN: &str = "not-a-real-token";
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_millis(200),
    total: Duration::from_millis(300),
};

/// The way every caller must go to be allowed to send: through policy.
fn permit() -> SendPermit {
    let now = Timestamp::from_seconds(1_795_000_000);
    let config = Config::from_toml(
        "[controller]\nname = \"Maple Outfitters\"\nprivacy_contact = \"privacy@maple.example\"\n\
         [[numbers]]\nid = \"200000000000001\"\nalias = \"main\"\ndisplay = \"+16135550199\"\nportfolio = \"p\"\n",
    )
    .unwrap();
    let mut subject = Subject::unknown(SubjectId::from_random([7; 16]));
    subject.last_inbound_at = Some(now);
    let request = Request {
        purpose: Purpose::Service,
        basis: &Basis::Consent,
        kind: &Kind::FreeForm,
        expires_at: now.plus_millis(60_000),
        accepted_at: now,
        not_before: None,
    };
    let facts = Facts {
        config: &config,
        subject: &subject,
        suppressed: &[],
    };
    authorize(&request, &facts, now).unwrap()
}

fn client(base: &str) -> GraphClient {
    let token = Secret::new(TOKEN.to_owned());
    let proof = Secret::new("ab".repeat(32));
    GraphClient::with_timeouts(base, &token, proof, TIMEOUTS).unwrap()
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn send_to(base: &str) -> Outcome {
    let body = json!({ "messaging_product": "whatsapp", "to": "+16135550100" });
    client(base).send(permit(), NUMBER, &body).await
}

async fn answered_with<R: IntoResponse + Clone + Send + Sync + 'static>(response: R) -> Outcome {
    let base = serve(Router::new().fallback(any(move || async move { response.clone() }))).await;
    send_to(&base).await
}

fn accepted(held: bool) -> Outcome {
    Outcome::Accepted {
        wamid: Wamid::parse("wamid.A").unwrap(),
        held,
    }
}

fn error(status: u16, error: &Value) -> Outcome {
    let body = json!({ "error": error }).to_string();
    answer::read(StatusCode::from_u16(status).unwrap(), body.as_bytes())
}

fn code(status: u16, code: u32) -> Outcome {
    error(
        status,
        &json!({ "message": "x", "code": code, "fbtrace_id": "y" }),
    )
}

const fn ambiguous(why: &'static str) -> Outcome {
    Outcome::Ambiguous { why, pause: None }
}

#[tokio::test]
async fn a_message_is_posted_with_token_and_proof_and_its_id_comes_back() {
    async fn check(uri: Uri, headers: HeaderMap, axum::Json(body): axum::Json<Value>) -> Response {
        assert_eq!(
            uri.query().unwrap(),
            format!("appsecret_proof={}", "ab".repeat(32))
        );
        assert_eq!(headers["authorization"], "Bearer not-a-real-token");
        assert_eq!(body["to"], "+16135550100");
        let answer = json!({ "messaging_product": "whatsapp", "contacts": [{ "wa_id": "16135550100" }],
            "messages": [{ "id": "wamid.A", "message_status": "accepted" }] });
        axum::Json(answer).into_response()
    }
    let path = format!("/{VERSION}/{NUMBER}/messages");
    let base = serve(Router::new().route(&path, post(check))).await;
    assert_eq!(send_to(&base).await, accepted(false));
}

#[tokio::test]
async fn held_and_done_are_told_apart_from_accepted() {
    let held = json!({ "messages": [{ "id": "wamid.A", "message_status": "held_for_quality_assessment" }] });
    assert_eq!(answered_with(axum::Json(held)).await, accepted(true));
    assert_eq!(
        answered_with(axum::Json(json!({ "success": true }))).await,
        Outcome::Done
    );
}

#[tokio::test]
async fn a_yes_that_cannot_be_read_is_ambiguous() {
    for (body, why) in [
        ("<html>".to_owned(), "unreadable_answer"),
        (String::new(), "unreadable_answer"),
        ("{}".to_owned(), "answer_without_id"),
        (
            json!({ "error": { "code": 131_026 } }).to_string(),
            "answer_without_id",
        ),
        (json!({ "messages": [] }).to_string(), "answer_without_id"),
        (
            json!({ "messages": [{ "id": "7" }] }).to_string(),
            "answer_without_id",
        ),
        (json!({ "messages": [{}] }).to_string(), "unreadable_answer"),
        (json!({ "success": false }).to_string(), "answer_without_id"),
        ("x".repeat(64 * 1024 + 1), "oversized_answer"),
    ] {
        assert_eq!(answered_with(body).await, ambiguous(why));
    }
}

#[tokio::test]
async fn server_errors_timeouts_and_lost_connections_are_ambiguous() {
    let outcome = answered_with((StatusCode::BAD_GATEWAY, "<html>")).await;
    assert_eq!(outcome, ambiguous("server_error"));
    let base = serve(Router::new().fallback(any(std::future::pending::<()>))).await;
    assert_eq!(send_to(&base).await, ambiguous("timeout"));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _peer) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        drop(stream);
    });
    assert_eq!(send_to(&base).await, ambiguous("connection_lost"));
}

#[tokio::test]
async fn no_connection_means_not_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = send_to(&base).await;
    assert_eq!(outcome, Outcome::NotAccepted(NotAccepted::Unreachable));

    // Something that does not speak TLS: the handshake fails before the first byte of HTTP.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    let outcome = send_to(&base).await;
    assert_eq!(outcome, Outcome::NotAccepted(NotAccepted::Unreachable));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let base = serve(Router::new().fallback(any(|uri: Uri| async move {
        assert!(!uri.path().starts_with("/elsewhere"));
        Redirect::temporary("/elsewhere")
    })))
    .await;
    assert_eq!(send_to(&base).await, ambiguous("redirect"));
}

#[tokio::test]
async fn a_number_that_is_none_reaches_no_server() {
    for number in ["", "../me", "1/2", "1?x=1"] {
        let outcome = client("https://graph.facebook.com")
            .send(permit(), number, &json!({}))
            .await;
        assert_eq!(outcome, Outcome::Failed { code: 33 });
    }
}

#[test]
fn limits_send_the_message_back_to_its_lane() {
    let limit = |code| NotAccepted::AppLimit { code };
    for (number, expected) in [
        (130_429, NotAccepted::Throttled),
        (131_056, NotAccepted::Pair),
        (4, limit(4)),
        (80_007, limit(80_007)),
    ] {
        let outcome = code(400, number);
        assert_eq!(outcome, Outcome::NotAccepted(expected));
        assert_eq!(expected.code(), Some(number));
        assert_eq!(outcome.disposition(), Some(Disposition::Retry));
    }
}

#[test]
fn credentials_stop_the_number_and_do_not_fail_the_message() {
    for (status, number) in [
        (401, 0),
        (500, 3),
        (403, 10),
        (401, 102),
        (401, 104),
        (401, 190),
        (403, 200),
        (403, 299),
        (403, 131_005),
    ] {
        let outcome = code(status, number);
        assert_eq!(outcome, Outcome::Credential { code: number });
        assert_eq!(outcome.disposition(), Some(Disposition::Retry));
    }
}

#[test]
fn trouble_at_meta_is_ambiguous_whatever_the_status() {
    for number in [1, 2, 131_000, 131_016, 133_004] {
        for status in [400, 500, 503] {
            let outcome = code(status, number);
            assert_eq!(outcome, ambiguous("trouble_at_meta"));
            assert_eq!(outcome.disposition(), Some(Disposition::Reconcile));
        }
    }
    let pause = Some(Duration::from_mins(1));
    assert_eq!(
        code(500, 131_057),
        Outcome::Ambiguous {
            why: "maintenance",
            pause
        }
    );
}

#[test]
fn a_documented_no_is_final_only_as_a_4xx() {
    for number in [
        33, 100, 131_026, 131_047, 131_049, 131_050, 132_001, 132_015, 368,
    ] {
        let outcome = code(400, number);
        assert_eq!(outcome, Outcome::Failed { code: number });
        assert_eq!(outcome.disposition(), Some(Disposition::Discard));
        assert_eq!(code(500, number), ambiguous("server_error"));
    }
}

#[test]
fn an_unknown_code_is_final_unless_meta_calls_it_transient() {
    assert_eq!(code(400, 999_999), Outcome::Failed { code: 999_999 });
    let transient = json!({ "code": 999_999, "is_transient": true });
    assert_eq!(error(400, &transient), ambiguous("unknown_transient"));
    let text = json!({ "code": "131026", "error_data": "a plain string" });
    assert_eq!(error(400, &text), Outcome::Failed { code: 131_026 });
    for odd in [
        json!({ "code": -1 }),
        json!({ "code": null }),
        json!({ "code": [] }),
    ] {
        assert_eq!(error(400, &odd), ambiguous("error_without_code"));
    }
    let html = answer::read(StatusCode::FORBIDDEN, b"<html>");
    assert_eq!(html, ambiguous("unreadable_error"));
}

#[test]
fn settings_that_would_show_the_token_make_no_client() {
    let make = |base: &str, token: &str, proof: &str| {
        GraphClient::new(
            base,
            &Secret::new(token.to_owned()),
            Secret::new(proof.to_owned()),
        )
        .map(|_client| ())
    };
    let proof = "ab".repeat(32);
    let good = "https://graph.facebook.com";
    assert_eq!(make(good, TOKEN, &proof), Ok(()));
    assert_eq!(make("http://127.0.0.1:4000", TOKEN, &proof), Ok(()));
    for base in [
        "http://graph.facebook.com",
        "ftp://x",
        "",
        "https://a@b.example",
        "https://b.example/x",
        "http://127.0.0.1.example",
    ] {
        assert_eq!(
            make(base, TOKEN, &proof),
            Err(InvalidClient::Address),
            "{base}"
        );
    }
    for token in ["", " ", "a b", "a\r\nb"] {
        assert_eq!(make(good, token, &proof), Err(InvalidClient::Token));
    }
    for bad in ["", "ab", &"zz".repeat(32)] {
        assert_eq!(make(good, TOKEN, bad), Err(InvalidClient::Proof));
    }
    assert_eq!(format!("{:?}", client(good)), "GraphClient(…)");
}
