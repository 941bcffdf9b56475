//! The request itself, and every outcome once over plain HTTP/1.1, as the demo speaks it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may fail loudly, and a server of their own is a task nobody awaits"
)]

mod support;

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, post};
use headgate_domain::identity::Wamid;
use headgate_graph::{Outcome, Timeouts, Unreachable, VERSION};
use serde_json::{Value, json};
use support::{NUMBER, PATIENT, TOKEN, ambiguous, client, permit, send, unreachable};
use tokio::net::TcpListener;

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn answered_with<R: IntoResponse + Clone + Send + Sync + 'static>(response: R) -> Outcome {
    let base = serve(Router::new().fallback(any(move || async move { response.clone() }))).await;
    send(&client(&base)).await
}

fn accepted(held: bool) -> Outcome {
    Outcome::Accepted {
        wamid: Wamid::parse("wamid.A").unwrap(),
        held,
    }
}

#[tokio::test]
async fn a_message_is_posted_with_token_and_proof_and_its_id_comes_back() {
    async fn check(uri: Uri, headers: HeaderMap, axum::Json(body): axum::Json<Value>) -> Response {
        assert_eq!(
            uri.query().unwrap(),
            format!("appsecret_proof={}", "ab".repeat(32))
        );
        assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(body["to"], "+16135550101");
        let answer = json!({ "messaging_product": "whatsapp", "contacts": [{ "wa_id": "16135550101" }],
            "messages": [{ "id": "wamid.A", "message_status": "accepted" }] });
        axum::Json(answer).into_response()
    }
    let path = format!("/{VERSION}/{NUMBER}/messages");
    let base = serve(Router::new().route(&path, post(check))).await;
    let client = client(&base);
    for _ in 0..2 {
        assert_eq!(send(&client).await, accepted(false));
    }
}

#[tokio::test]
async fn held_and_done_are_told_apart_from_accepted() {
    let held = json!({ "messages": [{ "id": "wamid.A", "message_status": "held_for_quality_assessment" }] });
    assert_eq!(answered_with(axum::Json(held)).await, accepted(true));
    for success in [json!(true), json!("true")] {
        let done = json!({ "success": success });
        assert_eq!(answered_with(axum::Json(done)).await, Outcome::Done);
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_ambiguous() {
    for (body, why) in [
        ("<html>".to_owned(), "unreadable_answer"),
        (String::new(), "unreadable_answer"),
        ("{}".to_owned(), "answer_without_id"),
        ("x".repeat(64 * 1024 + 1), "oversized_answer"),
    ] {
        assert_eq!(answered_with(body).await, ambiguous(why));
    }
    let outcome = answered_with((StatusCode::BAD_GATEWAY, "<html>")).await;
    assert_eq!(outcome, ambiguous("server_error"));
}

#[tokio::test]
async fn silence_and_a_lost_connection_are_ambiguous_and_no_connection_is_not() {
    let base = serve(Router::new().fallback(any(std::future::pending::<()>))).await;
    let impatient = Timeouts {
        first_byte: Duration::from_millis(300),
        ..PATIENT
    };
    let hasty = client(&base).with_timeouts(impatient).unwrap();
    assert_eq!(send(&hasty).await, ambiguous("timeout_first_byte"));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    let (outcome, ()) = tokio::join!(send(&client), async {
        let (stream, _peer) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
    });
    assert_eq!(outcome, ambiguous("connection_lost"));
    drop(listener);
    assert_eq!(send(&client).await, unreachable(Unreachable::Connect));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let base = serve(Router::new().fallback(any(|uri: Uri| async move {
        assert!(!uri.path().starts_with("/elsewhere"));
        Redirect::temporary("/elsewhere")
    })))
    .await;
    assert_eq!(send(&client(&base)).await, ambiguous("redirect"));
}

#[tokio::test]
async fn a_number_that_is_none_reaches_no_server() {
    let client = client("https://graph.facebook.com");
    for number in ["", "../me", "1/2", "1?x=1"] {
        let outcome = client.send(permit(), number, &json!({})).await;
        assert_eq!(outcome, Outcome::failed(33));
    }
}
