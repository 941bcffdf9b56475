//! Functions behind API Gateway: the exact bytes in, the exact bytes out.
//!
//! Owns the adapter between the Lambda runtime and handlers over plain bytes, so that a handler runs
//! the same on a laptop, in a test and behind API Gateway. It reads the events of REST APIs, and of
//! HTTP APIs that use the same form (payload format 1.0), and of them only what a handler sees: to
//! read all of an event costs more than all that the webhook itself does.

mod event;

use std::convert::Infallible;
use std::fmt;

use bytes::Bytes;
use headgate_redact::{LogSafe, Personal};
use http::{HeaderMap, Request, Response};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use event::{Event, Visit};

/// The subject of the client certificate, as API Gateway writes it: an extension of a request that
/// came over mutual TLS. The chain is verified; whose certificate it is, is not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientSubject(pub String);

/// Where a request came from: an IP address, as API Gateway saw it. An extension of a request that
/// [`serve_visits`] serves.
///
/// # Privacy
/// Of a person who opens a page it is personal: it is never logged, only hashed.
#[derive(Clone, Debug)]
pub struct SourceAddress(pub Personal<String>);

/// API Gateway's id of a request, as its access log has it: an extension of a request that
/// [`serve_visits`] serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestId(String);

impl RequestId {
    /// The id, if it has the form of one: letters, digits, `-`, `_` and `=`, at most 64.
    fn parse(text: &str) -> Option<Self> {
        let is_id = |b: u8| b.is_ascii_alphanumeric() || b"-_=".contains(&b);
        let is_one = (1..=64).contains(&text.len()) && text.bytes().all(is_id);
        is_one.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Made by API Gateway, and of its form.
impl LogSafe for RequestId {}

/// Serves requests until the process ends.
///
/// # Errors
/// When the runtime itself cannot go on.
pub async fn serve<F, Fut>(handle: F) -> Result<(), Error>
where
    F: Fn(Request<Bytes>) -> Fut + Sync,
    Fut: Future<Output = Response<Bytes>> + Send,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Event>| {
        let Event(request) = event.payload;
        Ok::<_, Infallible>(Answer::of(&handle(request).await))
    }))
    .await
}

/// Serves requests of people until the process ends; each has its [`SourceAddress`] and its [`RequestId`].
///
/// # Errors
/// When the runtime itself cannot go on.
pub async fn serve_visits<F, Fut>(handle: F) -> Result<(), Error>
where
    F: Fn(Request<Bytes>) -> Fut + Sync,
    Fut: Future<Output = Response<Bytes>> + Send,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Visit>| {
        let Visit(request) = event.payload;
        Ok::<_, Infallible>(Answer::of(&handle(request).await))
    }))
    .await
}

/// What API Gateway wants back.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    multi_value_headers: Headers,
    body: String,
    is_base64_encoded: bool,
}

impl Answer {
    /// Every body of ours is UTF-8; as text it needs no base64 on its way through API Gateway.
    fn of(response: &Response<Bytes>) -> Self {
        Self {
            status_code: response.status().as_u16(),
            multi_value_headers: Headers(response.headers().clone()),
            body: String::from_utf8_lossy(response.body()).into_owned(),
            is_base64_encoded: false,
        }
    }
}

/// Headers, all values of each.
struct Headers(HeaderMap);

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.keys_len()))?;
        for name in self.0.keys() {
            // Every value of ours is ASCII.
            let values = self.0.get_all(name).iter();
            let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
            map.serialize_entry(name.as_str(), &values)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_answer_is_spelled_as_api_gateway_wants_it() {
        let response = Response::builder()
            .status(405)
            .header("allow", "GET")
            .header("allow", "POST")
            .body(Bytes::from_static(b"no"))
            .unwrap();
        let answer: Value = serde_json::to_value(Answer::of(&response)).unwrap();
        assert_eq!(
            answer,
            json!({ "statusCode": 405, "multiValueHeaders": { "allow": ["GET", "POST"] }, "body": "no",
                "isBase64Encoded": false })
        );
    }
}
