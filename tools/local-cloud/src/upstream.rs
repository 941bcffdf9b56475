//! Passes an HTTP/1.1 request on to another loopback listener.
//!
//! Promises that a request goes out at most once, and that connections are kept and used again one request at a time.
//! Deliberately neither reads nor changes what it passes on.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A listener to pass requests on to.
pub(crate) struct Upstream {
    address: SocketAddr,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

impl Upstream {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Passes a request on; where nobody answers, the answer is a 502.
    pub(crate) async fn pass(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.exchange(request).await.unwrap_or_else(|_unreachable| {
            crate::host::json(StatusCode::BAD_GATEWAY, Bytes::from_static(b"{}"))
        })
    }

    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        for header in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            request.headers_mut().remove(header);
        }
        let mut connection = self.connection().await?;
        let response = connection
            .send_request(request.map(Full::new))
            .await
            .context("no answer")?;
        let (mut parts, body) = response.into_parts();
        let body = body.collect().await.context("half an answer")?.to_bytes();
        for header in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            parts.headers.remove(header);
        }
        self.idle().push(connection);
        Ok(Response::from_parts(parts, body))
    }

    async fn connection(&self) -> Result<SendRequest<Full<Bytes>>> {
        loop {
            let Some(mut kept) = self.idle().pop() else {
                break;
            };
            if !kept.is_closed() && kept.ready().await.is_ok() {
                return Ok(kept);
            }
        }
        let stream = TcpStream::connect(self.address)
            .await
            .context("nobody listens")?;
        stream.set_nodelay(true).context("no connection")?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .context("no connection")?;
        // Its end shows in the sender.
        tokio::spawn(async move { connection.await.ok() });
        Ok(sender)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
