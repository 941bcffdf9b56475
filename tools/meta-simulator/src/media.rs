//! Media that people have sent: an address for five minutes, and the bytes behind it.
//!
//! The address is one of this simulator's own, as it was called; like Meta's it gives the bytes to the
//! bearer of the token only.

use crate::answer::Answer;
use crate::graph;
use crate::options::Medium;
use crate::refusal::Refusal;
use crate::serve::{credentials, header, whole};
use crate::text::mix;
use crate::wire::to_wire;
use crate::world::World;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// How long an address is good (developers.facebook.com, business phone numbers, media, 2026-09).
const ADDRESS_SECONDS: i64 = 300;

pub(crate) fn find<'a>(world: &'a World, id: &str) -> Option<&'a Medium> {
    world.options.media.iter().find(|medium| medium.id == id)
}

/// What Graph says about a medium.
pub(crate) fn describe(world: &World, medium: &Medium, headers: &HeaderMap) -> Answer {
    let until = (world.options.clock)() + ADDRESS_SECONDS;
    let scheme = if world.options.tls { "https" } else { "http" };
    let host = header(headers, HOST).unwrap_or("127.0.0.1");
    let key = key(world, &medium.id, until);
    let url = format!("{scheme}://{host}/media/{}/{until}/{key}", medium.id);
    let hash = Sha256::digest(&medium.bytes)
        .iter()
        .fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"));
    let body = json!({"messaging_product": "whatsapp", "url": url, "mime_type": medium.mime_type,
        "sha256": hash, "file_size": medium.bytes.len(), "id": medium.id});
    Answer::json(200, to_wire(&body).unwrap_or_default())
}

/// The bytes.
pub(crate) async fn download(
    State(world): State<Arc<World>>,
    Path((id, until, given)): Path<(String, i64, String)>,
    request: Request,
) -> Response {
    let token = credentials(request.headers(), None).token;
    if token != Some(world.options.access_token.as_str()) {
        return whole(graph::refuse(&world, &Refusal::of(190), 0));
    }
    let is_good = until > (world.options.clock)() && given == key(&world, &id, until);
    match find(&world, &id).filter(|_medium| is_good) {
        Some(medium) => {
            let kind = [(CONTENT_TYPE, medium.mime_type.clone())];
            (kind, medium.bytes.clone()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Makes an address good for one medium and time alone.
fn key(world: &World, id: &str, until: i64) -> String {
    let of_id = id
        .bytes()
        .fold(world.boot, |all, byte| mix(all ^ u64::from(byte)));
    format!("{:016x}", mix(of_id ^ until.unsigned_abs()))
}
