//! HTTP/2 over TLS, as Meta serves it: a short way for sends, the router for everything else.
//!
//! It works on the protocol's own level because some of the ordered misbehaviour does: a stream
//! refused or reset, a goodbye that leaves one out.

use crate::answer::{Answer, Decision, Then};
use crate::connection::{Resettable, Switch};
use crate::serve::{LARGEST_BODY, decide, send_path};
use crate::world::World;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Request, Response};
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use rustls::ServerConfig;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

/// What Meta is taken to allow at once on a connection.
const STREAMS: u32 = 100;
/// Enough for a frame to be written.
const HEAD_START: Duration = Duration::from_millis(20);

/// Serves for ever.
pub(crate) async fn serve(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    world: Arc<World>,
    router: Router,
) {
    let acceptor = TlsAcceptor::from(config);
    loop {
        // A connection that is gone already is nobody's business but its caller's.
        if let Ok((stream, _from)) = listener.accept().await
            && stream.set_nodelay(true).is_ok()
        {
            let acceptor = acceptor.clone();
            tokio::spawn(connection(
                stream,
                acceptor,
                Arc::clone(&world),
                router.clone(),
            ));
        }
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, world: Arc<World>, router: Router) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let switch = Switch::new();
    let handshake = h2::server::Builder::new()
        .max_concurrent_streams(STREAMS)
        .handshake(Resettable::new(stream, switch.clone()))
        .await;
    let Ok(mut connection) = handshake else {
        return;
    };
    while let Some(Ok((request, mut reply))) = connection.accept().await {
        if !switch.take(reply.stream_id().as_u32()) {
            reply.send_reset(Reason::REFUSED_STREAM);
            continue;
        }
        let (world, router, switch) = (Arc::clone(&world), router.clone(), switch.clone());
        let at = switch.read_at();
        tokio::spawn(async move {
            // A caller that went away gets no answer, and needs none.
            drop(stream_of(&world, router, &switch, request, reply, at).await);
        });
    }
}

async fn stream_of(
    world: &World,
    router: Router,
    switch: &Switch,
    request: Request<RecvStream>,
    reply: SendResponse<Bytes>,
    at: Instant,
) -> Result<(), h2::Error> {
    let (head, body) = request.into_parts();
    let body = read(body).await?;
    if head.method == Method::POST && send_path(head.uri.path()).is_some() {
        let decision = decide(world, &head, &body, at);
        return tell(decision, switch, reply).await;
    }
    let mut router = router;
    let answered = router.call(Request::from_parts(head, Body::from(body)));
    let response = answered.await.unwrap_or_else(|never| match never {});
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    send(reply, Response::from_parts(head, body))
}

/// The body; nearly every one is a single piece.
async fn read(mut body: RecvStream) -> Result<Bytes, h2::Error> {
    let mut whole = Bytes::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        if whole.is_empty() {
            whole = piece;
        } else if whole.len() + piece.len() <= LARGEST_BODY {
            whole = [whole, piece].concat().into();
        }
    }
    Ok(whole)
}

async fn tell(
    decision: Decision,
    switch: &Switch,
    mut reply: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    if !decision.delay.is_zero() {
        tokio::time::sleep(decision.delay).await;
    }
    match decision.answer {
        whole @ Answer::Whole { .. } => send(reply, whole.into_response()),
        Answer::Part { body, sent, then } => part(reply, &body, sent, then).await,
        Answer::Hang(ms) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            send(reply, Answer::html(504, "Gateway timeout").into_response())
        }
        Answer::Reset => {
            switch.throw();
            // The attempt to write is what closes the connection.
            send(reply, Answer::Reset.into_response())
        }
        Answer::RefusedStream => {
            reply.send_reset(Reason::REFUSED_STREAM);
            Ok(())
        }
        Answer::GoAway => {
            let left_out = switch.leave_out(reply.stream_id().as_u32());
            // The goodbye goes out ahead of the next frame, and this is one. Without a goodbye,
            // because a later stream was looked at, this one alone is refused.
            reply.send_reset(if left_out {
                Reason::CANCEL
            } else {
                Reason::REFUSED_STREAM
            });
            Ok(())
        }
    }
}

fn send(mut reply: SendResponse<Bytes>, response: Response<Bytes>) -> Result<(), h2::Error> {
    let (head, body) = response.into_parts();
    let mut stream = reply.send_response(Response::from_parts(head, ()), body.is_empty())?;
    if body.is_empty() {
        return Ok(());
    }
    stream.send_data(body, true)
}

/// The head of an answer that announces all of `body`, and `sent` bytes of it.
async fn part(
    mut reply: SendResponse<Bytes>,
    body: &Bytes,
    sent: usize,
    then: Then,
) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(crate::answer::JSON));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let mut stream = reply.send_response(response, false)?;
    stream.send_data(body.slice(..sent), matches!(then, Then::End))?;
    match then {
        Then::End => {}
        Then::Hang(ms) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            stream.send_data(body.slice(sent..), true)?;
        }
        Then::Reset => {
            // A reset takes back what is still queued, and the head is to be seen.
            tokio::time::sleep(HEAD_START).await;
            stream.send_reset(Reason::INTERNAL_ERROR);
        }
    }
    Ok(())
}
