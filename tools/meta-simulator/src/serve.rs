//! HTTP: paths, credentials and bodies on the way in, answers with their delay on the way out.

use crate::admin;
use crate::connection::ResetSwitch;
use crate::graph::{self, Answer, Call, Credentials, Lane};
use crate::refusal::Refusal;
use crate::wire::to_wire;
use crate::world::World;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// More than any message needs.
const LARGEST_BODY: usize = 1024 * 1024;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/{version}/{number}/messages", post(messages))
        .route(
            "/{version}/{number}/marketing_messages",
            post(marketing_messages),
        )
        .route("/{version}/{node}", get(node))
        .merge(admin::routes())
        .fallback(unknown)
        .with_state(world)
}

async fn messages(
    State(world): State<Arc<World>>,
    ConnectInfo(connection): ConnectInfo<ResetSwitch>,
    Path(path): Path<(String, String)>,
    request: Request,
) -> Response {
    send(&world, &connection, path, request, Lane::Messages).await
}

async fn marketing_messages(
    State(world): State<Arc<World>>,
    ConnectInfo(connection): ConnectInfo<ResetSwitch>,
    Path(path): Path<(String, String)>,
    request: Request,
) -> Response {
    send(&world, &connection, path, request, Lane::MarketingMessages).await
}

async fn send(
    world: &World,
    connection: &ResetSwitch,
    (version, number_id): (String, String),
    request: Request,
    lane: Lane,
) -> Response {
    let at = Instant::now();
    if !is_version(&version) {
        return answer(graph::refuse(world, &Refusal::unknown_path(), 0));
    }
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return answer(graph::refuse(world, &Refusal::of(100), 0));
    };
    // Graph reads what it cannot parse as no parameters at all, and then misses the first one.
    let is_json = header(&head.headers, CONTENT_TYPE)
        .is_some_and(|kind| kind.starts_with("application/json"));
    let body: Map<String, Value> = if is_json {
        serde_json::from_slice(&body).unwrap_or_default()
    } else {
        Map::new()
    };
    let mut credentials = credentials(&head.headers, head.uri.query());
    if credentials.proof.is_none() {
        credentials.proof = body
            .get("appsecret_proof")
            .and_then(Value::as_str)
            .map(str::to_owned);
    }
    let decision = graph::receive(
        world,
        &Call {
            at,
            number_id,
            lane,
            credentials,
            body,
        },
    );
    if !decision.delay.is_zero() {
        tokio::time::sleep(decision.delay).await;
    }
    match decision.answer {
        Answer::Reset => {
            connection.throw();
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Answer::Hang(ms) => {
            // When the caller hangs up first, this future is dropped with the connection.
            tokio::time::sleep(Duration::from_millis(ms)).await;
            answer(Answer::Html(
                504,
                "<!DOCTYPE html><html><body><h1>Gateway timeout</h1></body></html>",
            ))
        }
        told @ (Answer::Json(..) | Answer::Html(..)) => answer(told),
    }
}

/// The fields of a number that a caller may probe.
async fn node(
    State(world): State<Arc<World>>,
    Path((version, node)): Path<(String, String)>,
    request: Request,
) -> Response {
    let told = |refusal: &Refusal| answer(graph::refuse(&world, refusal, 0));
    if !is_version(&version) {
        return told(&Refusal::unknown_path());
    }
    if let Err(refusal) = graph::authorize(
        &world,
        &credentials(request.headers(), request.uri().query()),
    ) {
        return told(&refusal);
    }
    let Some(number) = world
        .options
        .numbers
        .iter()
        .find(|number| number.id == node)
    else {
        return told(&graph::unknown_object());
    };
    let level = if number.per_second > 80 {
        "HIGH"
    } else {
        "STANDARD"
    };
    let body = json!({
        "id": number.id, "display_phone_number": number.display_phone, "verified_name": "Simulated business",
        "quality_rating": "GREEN", "throughput": {"level": level},
        "whatsapp_business_manager_messaging_limit": "TIER_UNLIMITED",
        "health_status": {"can_send_message": "AVAILABLE", "entities": []},
    });
    answer(Answer::Json(200, to_wire(&body).unwrap_or_default()))
}

async fn unknown(State(world): State<Arc<World>>) -> Response {
    answer(graph::refuse(&world, &Refusal::unknown_path(), 0))
}

fn answer(answer: Answer) -> Response {
    let (status, kind, body) = match answer {
        Answer::Json(status, body) => (status, "application/json; charset=UTF-8", Body::from(body)),
        Answer::Html(status, page) => (status, "text/html; charset=utf-8", Body::from(page)),
        Answer::Hang(_) | Answer::Reset => (500, "text/plain", Body::empty()),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, kind)], body).into_response()
}

/// `v25.0` and the like.
fn is_version(text: &str) -> bool {
    text.strip_prefix('v')
        .and_then(|rest| rest.strip_suffix(".0"))
        .is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

fn header(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn credentials(headers: &HeaderMap, query: Option<&str>) -> Credentials {
    let bearer = header(headers, AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    // Proofs are hex, so nothing in them is ever percent-encoded.
    let proof = query
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("appsecret_proof="));
    Credentials {
        token: bearer.map(str::to_owned),
        proof: proof.map(str::to_owned),
    }
}
