//! A far end that speaks HTTP/2 frame by frame over TLS, so that it can do what no server would.
//!
//! On every connection it reads one request after the other and answers each with the same acts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::support::identity;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PREFACE: usize = 24;

pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const INTERNAL_ERROR: u32 = 2;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// One thing to do once a request was read to its end.
#[derive(Clone)]
pub(crate) enum Act {
    /// The head of an answer with a status, announcing so many bytes.
    Head(&'static str, Option<usize>),
    /// A piece of its body.
    Body(Vec<u8>),
    /// The last piece of its body.
    Last(Vec<u8>),
    /// `RST_STREAM`.
    StopStream(u32),
    /// GOAWAY whose last id is so far from the stream's.
    Goodbye { from_ours: i32, code: u32 },
    /// Bytes that are no frame.
    Garbage,
    /// The end of the connection, in good order.
    Close,
    /// The end of the connection by RST.
    Reset,
    /// Nothing, for as long as the test runs.
    Hang,
}

/// An answer of status 200 and nothing odd about it.
pub(crate) fn answer(body: &str) -> Vec<Act> {
    vec![
        Act::Head("200", Some(body.len())),
        Act::Last(body.as_bytes().to_vec()),
    ]
}

/// A running far end. Stops with the runtime of its test.
pub(crate) struct FarEnd {
    pub(crate) url: String,
    pub(crate) certificate: Vec<u8>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl FarEnd {
    /// Answers every request with these acts.
    pub(crate) async fn that(acts: Vec<Act>) -> Self {
        Self::start(vec![acts]).await
    }

    /// Answers as the first list says on the first connection, and so on; the last one repeats.
    pub(crate) async fn start(scripts: Vec<Vec<Act>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let (config, certificate) = identity();
        let acceptor = TlsAcceptor::from(config);
        let counts = Arc::new(Counts::default());
        let seen = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((stream, _from)) = listener.accept().await {
                let nth = seen.connections.fetch_add(1, Ordering::SeqCst);
                let acts = scripts[nth.min(scripts.len() - 1)].clone();
                let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    let stream = acceptor.accept(stream).await.ok()?;
                    Peer { stream }.serve(&acts, &seen).await
                });
            }
        });
        Self {
            url,
            certificate,
            counts,
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }
}

struct Peer {
    stream: TlsStream<TcpStream>,
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Peer {
    /// `None` once the connection is over.
    async fn serve(mut self, acts: &[Act], seen: &Counts) -> Option<()> {
        let mut preface = [0; PREFACE];
        self.stream.read_exact(&mut preface).await.ok()?;
        self.write(SETTINGS, 0, 0, &[]).await?;
        loop {
            let stream = self.request().await?;
            seen.requests.fetch_add(1, Ordering::SeqCst);
            for act in acts {
                self.act(act, stream).await?;
            }
        }
    }

    /// Reads until a request has ended; tells its stream.
    async fn request(&mut self) -> Option<u32> {
        loop {
            let frame = self.read().await?;
            match frame.kind {
                SETTINGS if frame.flags & ACK == 0 => self.write(SETTINGS, ACK, 0, &[]).await?,
                PING if frame.flags & ACK == 0 => {
                    self.write(PING, ACK, 0, &frame.payload).await?;
                }
                HEADERS | DATA if frame.flags & END_STREAM != 0 => return Some(frame.stream),
                _ => {}
            }
        }
    }

    async fn act(&mut self, act: &Act, stream: u32) -> Option<()> {
        match act {
            Act::Head(status, length) => {
                self.write(HEADERS, END_HEADERS, stream, &head(status, *length))
                    .await
            }
            Act::Body(piece) => self.write(DATA, 0, stream, piece).await,
            Act::Last(piece) => {
                // Frames may be 16 KiB.
                let mut pieces = piece.chunks(16_384).peekable();
                while let Some(piece) = pieces.next() {
                    let end = if pieces.peek().is_none() {
                        END_STREAM
                    } else {
                        0
                    };
                    self.write(DATA, end, stream, piece).await?;
                }
                Some(())
            }
            Act::StopStream(code) => self.write(RST_STREAM, 0, stream, &code.to_be_bytes()).await,
            Act::Goodbye { from_ours, code } => {
                let last = stream.checked_add_signed(*from_ours).unwrap_or(0);
                let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
                self.write(GOAWAY, 0, 0, &payload).await
            }
            Act::Garbage => {
                self.stream.write_all(&[0xff; 64]).await.ok()?;
                self.stream.flush().await.ok()
            }
            Act::Close => {
                self.stream.shutdown().await.ok()?;
                None
            }
            Act::Reset => {
                self.stream.get_ref().0.set_zero_linger().ok()?;
                None
            }
            Act::Hang => {
                tokio::time::sleep(Duration::from_hours(1)).await;
                None
            }
        }
    }

    async fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(id) & 0x7fff_ffff,
            payload,
        })
    }

    async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Option<()> {
        let [_, a, b, c] = u32::try_from(payload.len()).ok()?.to_be_bytes();
        let mut frame = vec![a, b, c, kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.stream.write_all(&frame).await.ok()?;
        self.stream.flush().await.ok()
    }
}

/// HPACK without an index: `:status`, and `content-length` or `location` (RFC 7541, appendix A).
fn head(status: &str, length: Option<usize>) -> Vec<u8> {
    let mut block = Vec::new();
    literal(&mut block, 8, status);
    if let Some(length) = length {
        literal(&mut block, 28, &length.to_string());
    }
    if status.starts_with('3') {
        literal(&mut block, 46, "/elsewhere");
    }
    block
}

/// A literal without indexing whose name is in the static table.
fn literal(block: &mut Vec<u8>, name: u8, value: &str) {
    match name.checked_sub(15) {
        None => block.push(name),
        Some(rest) => block.extend_from_slice(&[15, rest]),
    }
    block.push(u8::try_from(value.len()).unwrap());
    block.extend_from_slice(value.as_bytes());
}
