//! Functions behind API Gateway: the exact bytes in, the exact bytes out.
//!
//! Owns the adapter between `lambda_http` and handlers over plain bytes, so that a handler runs
//! the same on a laptop, in a test and behind API Gateway.

use std::convert::Infallible;

use bytes::Bytes;
use lambda_http::{Body, Error, Request, Response, service_fn};

/// Serves requests until the process ends.
///
/// # Errors
/// When the runtime itself cannot go on.
pub async fn serve<F, Fut>(handle: F) -> Result<(), Error>
where
    F: Fn(lambda_http::http::Request<Bytes>) -> Fut + Sync,
    Fut: Future<Output = Response<Bytes>> + Send,
{
    let handle = &handle;
    lambda_http::run(service_fn(async move |request: Request| {
        Ok::<_, Infallible>(
            handle(request.map(exact_bytes))
                .await
                .map(|body| as_text(&body)),
        )
    }))
    .await
}

/// The body as it was on the wire; `lambda_http` has undone the base64.
fn exact_bytes(body: Body) -> Bytes {
    match body {
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        Body::Empty | _ => Bytes::new(),
    }
}

/// Every body of ours is UTF-8; as text it needs no base64 on its way through API Gateway.
fn as_text(body: &Bytes) -> Body {
    if body.is_empty() {
        Body::Empty
    } else {
        Body::Text(String::from_utf8_lossy(body).into_owned())
    }
}
