//! HTTP: paths, credentials and bodies on the way in, answers with their delay on the way out.

use crate::admin;
use crate::answer::{Answer, Decision, JSON, Then};
use crate::connection::Switch;
use crate::graph::{self, Call, Credentials, Lane};
use crate::media;
use crate::refusal::Refusal;
use crate::wire::to_wire;
use crate::world::World;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Map, Value, json};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// More than any message needs.
pub(crate) const LARGEST_BODY: usize = 1024 * 1024;

pub(crate) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/{version}/{number}/messages", post(messages))
        .route("/{version}/{number}/marketing_messages", post(messages))
        .route("/{version}/{node}", get(node))
        .route("/media/{id}/{until}/{key}", get(media::download))
        .merge(admin::routes())
        .fallback(unknown)
        .with_state(world)
}

async fn messages(
    State(world): State<Arc<World>>,
    ConnectInfo(connection): ConnectInfo<Switch>,
    request: Request,
) -> Response {
    let at = Instant::now();
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return whole(graph::refuse(&world, &Refusal::of(100), 0));
    };
    let decision = decide(&world, &head, &body, at);
    if !decision.delay.is_zero() {
        tokio::time::sleep(decision.delay).await;
    }
    match decision.answer {
        // HTTP/1.1 has no streams to refuse, and no goodbye but closing.
        Answer::Reset | Answer::RefusedStream | Answer::GoAway => {
            connection.throw();
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Answer::Hang(ms) => {
            // When the caller hangs up first, this future is dropped with the connection.
            tokio::time::sleep(Duration::from_millis(ms)).await;
            whole(Answer::html(504, "Gateway timeout"))
        }
        Answer::Part { body, sent, then } => part(&body, sent, then),
        told @ Answer::Whole { .. } => whole(told),
    }
}

/// The head of an answer that announces all of `body`, and `sent` bytes of it. Ending short of what
/// was announced makes the server close the connection.
fn part(body: &Bytes, sent: usize, then: Then) -> Response {
    let length = body.len();
    let first = (sent > 0).then(|| Ok(body.slice(..sent)));
    let rest = async move {
        if let Then::Hang(ms) = then {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    };
    let chunks = stream::iter(first).chain(stream::once(rest));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(JSON)),
        (CONTENT_LENGTH, HeaderValue::from(length)),
    ];
    (headers, Body::from_stream(chunks)).into_response()
}

/// What becomes of a request to a send endpoint, whatever version of HTTP it came over.
pub(crate) fn decide(world: &World, head: &Parts, body: &[u8], at: Instant) -> Decision {
    let Some((version, number_id, lane)) = send_path(head.uri.path()) else {
        return Decision::at_once(graph::refuse(world, &Refusal::unknown_path(), 0));
    };
    if !is_version(version) {
        return Decision::at_once(graph::refuse(world, &Refusal::unknown_path(), 0));
    }
    // Graph reads what it cannot parse as no parameters at all, and then misses the first one.
    let is_json = header(&head.headers, CONTENT_TYPE)
        .is_some_and(|kind| kind.starts_with("application/json"));
    let body: Map<String, Value> = if is_json {
        serde_json::from_slice(body).unwrap_or_default()
    } else {
        Map::new()
    };
    let mut credentials = credentials(&head.headers, head.uri.query());
    if credentials.proof.is_none() {
        credentials.proof = body.get("appsecret_proof").and_then(Value::as_str);
    }
    graph::receive(
        world,
        &Call {
            at,
            number_id,
            lane,
            credentials,
            body: &body,
        },
    )
}

/// Version, number and lane of the path of a send endpoint.
pub(crate) fn send_path(path: &str) -> Option<(&str, &str, Lane)> {
    let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (number, edge) = rest.split_once('/')?;
    let lane = match edge {
        "messages" => Lane::Messages,
        "marketing_messages" => Lane::MarketingMessages,
        _ => return None,
    };
    Some((version, number, lane))
}

/// A medium, or the fields of a number that a caller may probe.
async fn node(
    State(world): State<Arc<World>>,
    Path((version, node)): Path<(String, String)>,
    request: Request,
) -> Response {
    let told = |refusal: &Refusal| whole(graph::refuse(&world, refusal, 0));
    if !is_version(&version) {
        return told(&Refusal::unknown_path());
    }
    if let Err(refusal) = graph::authorize(
        &world,
        &credentials(request.headers(), request.uri().query()),
    ) {
        return told(&refusal);
    }
    if let Some(medium) = media::find(&world, &node) {
        return whole(media::describe(&world, medium, request.headers()));
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
    whole(Answer::json(200, to_wire(&body).unwrap_or_default()))
}

async fn unknown(State(world): State<Arc<World>>) -> Response {
    whole(graph::refuse(&world, &Refusal::unknown_path(), 0))
}

pub(crate) fn whole(answer: Answer) -> Response {
    let (head, body) = answer.into_response().into_parts();
    Response::from_parts(head, Body::from(body))
}

/// `v25.0` and the like.
fn is_version(text: &str) -> bool {
    text.strip_prefix('v')
        .and_then(|rest| rest.strip_suffix(".0"))
        .is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

pub(crate) fn header(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

pub(crate) fn credentials<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Credentials<'a> {
    let bearer = header(headers, AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    // Proofs are hex, so nothing in them is ever percent-encoded.
    let proof = query
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("appsecret_proof="));
    Credentials {
        token: bearer,
        proof,
    }
}
