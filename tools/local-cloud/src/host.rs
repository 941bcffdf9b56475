//! Serves HTTP/1.1 on a loopback listener and hands each request over as bytes.
//!
//! Promises that nothing listens beyond 127.0.0.1, that bodies arrive byte for byte, and that a stopped host closes
//! its connections. Deliberately knows no service.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Above anything a service takes: the services have limits of their own.
pub(crate) const SERVICE_BODY_MAX: usize = 16 * 1024 * 1024;

/// Listens on the loopback address only.
pub(crate) async fn listen(port: Option<u16>) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: is another local cloud running?"))
}

/// The base URL of a listener.
pub(crate) fn url_of(listener: &TcpListener) -> Result<String> {
    let address = listener.local_addr().context("a listener has no address")?;
    Ok(format!("http://{address}"))
}

/// Serves until `stop` changes; `too_large` is the answer to a body beyond `limit` bytes.
pub(crate) fn serve<F, R>(
    listener: TcpListener,
    limit: usize,
    too_large: Response<Bytes>,
    stop: watch::Receiver<bool>,
    handle: F,
) -> JoinHandle<()>
where
    F: Fn(Request<Bytes>) -> R + Send + Sync + 'static,
    R: Future<Output = Response<Bytes>> + Send + 'static,
{
    let handle = Arc::new(handle);
    let too_large = Arc::new(too_large);
    tokio::spawn(async move {
        let mut stopped = stop.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopped.wait_for(|s| *s) => return,
            };
            let Ok((stream, _)) = accepted else {
                // Out of file descriptors, most likely: give connections time to end.
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                continue;
            };
            stream.set_nodelay(true).ok();
            let (handle, too_large) = (Arc::clone(&handle), Arc::clone(&too_large));
            let mut stopped = stop.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let (handle, too_large) = (Arc::clone(&handle), Arc::clone(&too_large));
                    async move {
                        Ok::<_, Infallible>(exchange(request, limit, &too_large, &*handle).await)
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service);
                tokio::pin!(connection);
                // A peer that disconnects is no failure of ours.
                tokio::select! {
                    _ = connection.as_mut() => {}
                    _ = stopped.wait_for(|s| *s) => {}
                }
            });
        }
    })
}

async fn exchange<F, R>(
    request: Request<Incoming>,
    limit: usize,
    too_large: &Response<Bytes>,
    handle: &F,
) -> Response<Full<Bytes>>
where
    F: Fn(Request<Bytes>) -> R,
    R: Future<Output = Response<Bytes>>,
{
    let (parts, body) = request.into_parts();
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return close(too_large.clone());
    }
    match Limited::new(body, limit).collect().await {
        Ok(body) => handle(Request::from_parts(parts, body.to_bytes()))
            .await
            .map(Full::new),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            close(too_large.clone())
        }
        Err(_disconnected) => close(json(StatusCode::BAD_REQUEST, "{}")),
    }
}

fn close(response: Response<Bytes>) -> Response<Full<Bytes>> {
    let mut response = response.map(Full::new);
    response
        .headers_mut()
        .insert("connection", HeaderValue::from_static("close"));
    response
}

/// A JSON response.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    response
}

/// The operation of an AWS JSON request: what follows the dot in `X-Amz-Target`.
pub(crate) fn operation(request: &Request<Bytes>) -> String {
    request
        .headers()
        .get("x-amz-target")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.rsplit('.').next())
        .unwrap_or_default()
        .to_owned()
}
