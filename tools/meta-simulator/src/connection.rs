//! Connections that can be reset from within a request, or told goodbye in HTTP/2, for the faults
//! of those names; and that know when they were last read from.

use crate::ledger::locked;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;

/// A listener whose connections carry a [`Switch`].
pub(crate) struct ResettableListener(pub(crate) TcpListener);

/// What a request may do to the connection it came over.
#[derive(Clone)]
pub(crate) struct Switch(Arc<Shared>);

struct Shared {
    reset: AtomicBool,
    streams: Mutex<Streams>,
    read_at: Mutex<Instant>,
}

/// How far the streams of an HTTP/2 connection have come.
#[derive(Default)]
struct Streams {
    /// The highest that was looked at.
    highest: u32,
    /// The last one that a goodbye left alive.
    last: Option<u32>,
    /// A goodbye that is not written yet.
    unwritten: bool,
}

impl Switch {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared {
            reset: AtomicBool::new(false),
            streams: Mutex::default(),
            read_at: Mutex::new(Instant::now()),
        }))
    }

    /// The connection is closed with a RST instead of another byte.
    pub(crate) fn throw(&self) {
        self.0.reset.store(true, Ordering::SeqCst);
    }

    /// When the connection was last read from.
    pub(crate) fn read_at(&self) -> Instant {
        *locked(&self.0.read_at)
    }

    /// Whether a stream may be looked at; not after a goodbye that did not include it.
    pub(crate) fn take(&self, stream: u32) -> bool {
        let mut streams = locked(&self.0.streams);
        let alive = streams.last.is_none_or(|last| stream <= last);
        if alive {
            streams.highest = streams.highest.max(stream);
        }
        alive
    }

    /// Says goodbye with a last id below this stream; false when a later one was looked at already.
    pub(crate) fn leave_out(&self, stream: u32) -> bool {
        let mut streams = locked(&self.0.streams);
        if streams.highest != stream || streams.last.is_some() {
            return false;
        }
        streams.last = Some(stream.saturating_sub(2));
        streams.unwritten = true;
        true
    }

    /// The goodbye that is to be written now, as a frame (RFC 9113, 6.8).
    fn goodbye(&self) -> Option<Vec<u8>> {
        let mut streams = locked(&self.0.streams);
        if !std::mem::take(&mut streams.unwritten) {
            return None;
        }
        let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
        frame.extend_from_slice(&streams.last.unwrap_or(0).to_be_bytes());
        frame.extend_from_slice(&[0; 4]);
        Some(frame)
    }
}

/// A transport with a TCP connection below.
pub(crate) trait OverTcp {
    fn tcp(&self) -> &TcpStream;
}

impl OverTcp for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl OverTcp for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

pub(crate) struct Resettable<S> {
    stream: S,
    switch: Switch,
    /// Whether everything written so far was flushed, so that a whole frame is out.
    between_frames: bool,
    /// What is left of a goodbye.
    goodbye: Vec<u8>,
}

impl<S: OverTcp> Resettable<S> {
    pub(crate) fn new(stream: S, switch: Switch) -> Self {
        Self {
            stream,
            switch,
            between_frames: true,
            goodbye: Vec::new(),
        }
    }

    fn check(&self) -> io::Result<()> {
        if !self.switch.0.reset.load(Ordering::SeqCst) {
            return Ok(());
        }
        // Without lingering, closing sends a reset and drops what is buffered.
        self.stream.tcp().set_zero_linger()?;
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl Listener for ResettableListener {
    type Io = Resettable<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Resettable<TcpStream>, SocketAddr) {
        loop {
            let (stream, from) = Listener::accept(&mut self.0).await;
            // A connection that is gone already has no options to set: take the next.
            if stream.set_nodelay(true).is_ok() {
                return (Resettable::new(stream, Switch::new()), from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, ResettableListener>> for Switch {
    fn connect_info(stream: IncomingStream<'_, ResettableListener>) -> Self {
        stream.io().switch.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Resettable<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            *locked(&self.switch.0.read_at) = Instant::now();
        }
        read
    }
}

impl<S: AsyncWrite + OverTcp + Unpin> AsyncWrite for Resettable<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if let Err(reset) = this.check() {
            return Poll::Ready(Err(reset));
        }
        if this.between_frames
            && this.goodbye.is_empty()
            && let Some(goodbye) = this.switch.goodbye()
        {
            this.goodbye = goodbye;
        }
        while !this.goodbye.is_empty() {
            let written = ready!(Pin::new(&mut this.stream).poll_write(context, &this.goodbye))?;
            this.goodbye.drain(..written);
        }
        let written = ready!(Pin::new(&mut this.stream).poll_write(context, bytes))?;
        this.between_frames = false;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.between_frames = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
