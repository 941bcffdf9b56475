//! Composes the public pages from their environment and serves them.

use std::convert::Infallible;

use bytes::Bytes;
use headgate_lambda::clock::system_clock;
use headgate_lambda::runtime::{refuse_to_start, start};
use headgate_lambda::settings::Settings;
use lambda_http::{Body, Error, Request, service_fn};
use privacy_web::PrivacyWeb;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start();
    let pages = PrivacyWeb::new(&Settings::from_environment(), system_clock())
        .await
        .map_err(|error| refuse_to_start(&error))?;
    let pages = &pages;
    lambda_http::run(service_fn(async move |request: Request| {
        let response = pages.handle(request.map(exact_bytes)).await;
        Ok::<_, Infallible>(response.map(|body| as_text(&body)))
    }))
    .await
}

/// Every body of ours is UTF-8; as text it needs no base64 on its way through API Gateway.
fn as_text(body: &Bytes) -> Body {
    if body.is_empty() {
        Body::Empty
    } else {
        Body::Text(String::from_utf8_lossy(body).into_owned())
    }
}

/// The body as it was on the wire; `lambda_http` has undone the base64.
fn exact_bytes(body: Body) -> Bytes {
    match body {
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        Body::Empty | _ => Bytes::new(),
    }
}
