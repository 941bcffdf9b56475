//! Functions behind API Gateway: the exact bytes in, the exact bytes out.
//!
//! Owns the adapter between `lambda_http` and handlers over plain bytes, so that a handler runs
//! the same on a laptop, in a test and behind API Gateway. It reads the events of REST APIs, and of
//! HTTP APIs that use the same form (payload format 1.0).

use std::convert::Infallible;

use bytes::Bytes;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Error, Request, RequestExt as _, Response, service_fn};

/// The subject of the client certificate, as API Gateway writes it: an extension of a request that
/// came over mutual TLS. The chain is verified; whose certificate it is, is not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientSubject(pub String);

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
        let subject = client_subject(&request);
        let mut request = request.map(exact_bytes);
        if let Some(subject) = subject {
            request.extensions_mut().insert(subject);
        }
        Ok::<_, Infallible>(handle(request).await.map(|body| as_text(&body)))
    }))
    .await
}

/// Read from what API Gateway says about the connection; no header can say it.
fn client_subject(request: &Request) -> Option<ClientSubject> {
    let RequestContext::ApiGatewayV1(context) = request.request_context_ref()? else {
        return None;
    };
    let certificate = context.identity.other.get("clientCert")?;
    let subject = certificate.get("subjectDN")?.as_str()?;
    Some(ClientSubject(subject.to_owned()))
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
