//! `/_sim/…`: the simulator's own routes, for people and for tests in other languages.
//!
//! Unauthenticated on purpose: the server listens on the loopback address and holds nothing real.

use crate::faults::Faults;
use crate::inbound::{self, Content};
use crate::ledger::{self, Span, locked};
use crate::options::Person;
use crate::world::World;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/_sim/inbound", post(inbound))
        .route("/_sim/arrivals", get(arrivals))
        .route("/_sim/windows", get(windows))
        .route("/_sim/counters", get(counters))
        .route("/_sim/faults", post(faults))
        .route("/_sim/webhook", post(webhook))
}

/// A message from somebody; with a `payload` it is a button.
#[derive(Deserialize)]
struct Inbound {
    number_id: Option<String>,
    from: Option<String>,
    bsuid: Option<String>,
    name: Option<String>,
    text: String,
    payload: Option<String>,
}

async fn inbound(State(world): State<Arc<World>>, Json(asked): Json<Inbound>) -> Response {
    let first = || {
        world
            .options
            .numbers
            .first()
            .map(|number| number.id.clone())
    };
    let number_id = asked.number_id.or_else(first).unwrap_or_default();
    let person = match (asked.from, asked.bsuid) {
        (Some(e164), bsuid) => Person::Phone {
            e164,
            name: asked.name.unwrap_or_else(|| "Somebody".to_owned()),
            bsuid: bsuid.unwrap_or_default(),
        },
        (None, Some(bsuid)) => Person::BsuidOnly {
            bsuid,
            username: asked.name,
        },
        (None, None) => return problem("from or bsuid is needed"),
    };
    let content = match asked.payload {
        Some(payload) => Content::Button {
            payload,
            text: asked.text,
        },
        None => Content::Text(asked.text),
    };
    match inbound::message(Arc::clone(&world), number_id, person, content).await {
        Ok(id) => Json(json!({"id": id})).into_response(),
        Err(error) => problem(&error.to_string()),
    }
}

fn problem(sentence: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": sentence}))).into_response()
}

async fn arrivals(State(world): State<Arc<World>>) -> Json<Value> {
    let ledger = locked(&world.ledger);
    let arrivals: Vec<Value> = ledger
        .arrivals
        .iter()
        .map(|kept| {
            let arrival = kept.reveal(world.started);
            json!({
                "at_ms": arrival.at_ms, "number_id": arrival.number_id, "recipient": arrival.recipient,
                "message_type": arrival.message_type, "template": arrival.template, "opaque": arrival.opaque,
                "accepted": arrival.accepted, "code": arrival.code, "counted": arrival.counted,
            })
        })
        .collect();
    Json(Value::Array(arrivals))
}

async fn windows(State(world): State<Arc<World>>) -> Json<Value> {
    let span = Span {
        started: world.started,
        within: None,
    };
    Json(json!(ledger::windows(
        &world.ledger,
        &world.options.numbers,
        &span
    )))
}

async fn counters(State(world): State<Arc<World>>) -> Json<Value> {
    Json(json!(*locked(&world.counters)))
}

async fn faults(State(world): State<Arc<World>>, Json(faults): Json<Faults>) -> StatusCode {
    locked(&world.ledger).order(faults);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Webhook {
    url: String,
}

async fn webhook(State(world): State<Arc<World>>, Json(webhook): Json<Webhook>) -> StatusCode {
    world.courier.set_webhook(&webhook.url);
    StatusCode::NO_CONTENT
}
