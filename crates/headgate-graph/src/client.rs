//! The client of the Graph API.
//!
//! Owns the bearer token, one to four connections, and the time a send may take. Each send goes
//! over the connection with the least under way; what comes of it is an [`Outcome`], always.

use std::fmt;
use std::time::Duration;

use headgate_domain::policy::SendPermit;
use headgate_redact::{LogSafe, Secret};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use reqwest::{Request, Response, Url};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::address::{self, Addresses};
use crate::answer;
use crate::connection::Connection;
use crate::outcome::{NotAccepted, Outcome, Unreachable};
use crate::unanswered;

/// The version Meta's own `WhatsApp` examples use; it lives until 2028-07-29
/// (developers.facebook.com/docs/graph-api/changelog, read 2026-09).
pub const VERSION: &str = "v25.0";

/// As many as the busiest number needs: Meta allows 100 requests at once on each, and answers in
/// less than 800 ms.
pub const MOST_CONNECTIONS: usize = 4;

/// Over HTTP/1.1, which only a simulator speaks, every request under way has a connection of its own.
const PLAIN_CONNECTIONS: usize = 4;

/// Real answers are below 1 KB; more is not one.
const LARGEST_ANSWER: usize = 64 * 1024;

/// "Invalid id", which Meta would answer too.
const INVALID_ID: u32 = 33;

/// How long things may take, all of them from the start of the send but the first.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Until there is a connection: after this nothing was sent.
    pub connect: Duration,
    /// Until the answer begins: after this anything may have happened.
    pub first_byte: Duration,
    /// Until the answer is read.
    pub whole: Duration,
}

/// A slow Meta answers in 800 ms (p99); what takes 8 s is better resolved by the notification.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    first_byte: Duration::from_secs(8),
    whole: Duration::from_secs(10),
};

/// The client cannot be made from these settings (I5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidClient {
    /// Not an address.
    #[error("the address of the Graph API must be https, or http on this machine, without a path")]
    Address,
    /// Not a host of Meta's in the register of processors.
    #[error(
        "the address of the Graph API is no host of meta in config/processors.toml, and not on this machine"
    )]
    Unregistered,
    /// Not a token.
    #[error("the access token is blank or holds characters no token has")]
    Token,
    /// Not a proof.
    #[error("the appsecret_proof is not 64 hexadecimal digits")]
    Proof,
    /// Too many or none.
    #[error("there must be one to four connections")]
    Connections,
    /// The TLS library refused.
    #[error("the TLS client could not be set up")]
    Tls,
}

/// Consists of texts of ours alone.
impl LogSafe for InvalidClient {}

/// The Graph API with one token, over one connection or up to four.
///
/// # Security
/// `Debug` shows neither the token nor the proof.
pub struct GraphClient {
    connections: Vec<Connection>,
    addresses: Addresses,
    headers: HeaderMap,
    tls: rustls::ClientConfig,
    timeouts: Timeouts,
}

impl fmt::Debug for GraphClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GraphClient(…)")
    }
}

impl GraphClient {
    /// A client for `base_url` (`https://graph.facebook.com`, or a simulator on this machine)
    /// with one connection.
    ///
    /// `appsecret_proof` is HMAC-SHA256(app secret, access token) in hexadecimal; with it
    /// required in the app's settings, a stolen token alone is useless.
    ///
    /// # Errors
    /// [`InvalidClient`].
    pub fn new(
        base_url: &str,
        access_token: &Secret<String>,
        appsecret_proof: Secret<String>,
    ) -> Result<Self, InvalidClient> {
        let base = address::parse(base_url)?;
        let tls = address::tls(address::public_roots())?;
        Self::over(tls, base, access_token, appsecret_proof)
    }

    /// A client for a simulator on this machine that has the given certificate, for tests and
    /// measurements. Any other host is refused: whom to trust with a token is not a setting.
    ///
    /// # Errors
    /// [`InvalidClient`].
    pub fn trusting(
        base_url: &str,
        access_token: &Secret<String>,
        appsecret_proof: Secret<String>,
        root_der: &[u8],
    ) -> Result<Self, InvalidClient> {
        let base = address::parse_loopback(base_url)?;
        let tls = address::tls(address::only_root(root_der)?)?;
        Self::over(tls, base, access_token, appsecret_proof)
    }

    fn over(
        tls: rustls::ClientConfig,
        base: Url,
        access_token: &Secret<String>,
        appsecret_proof: Secret<String>,
    ) -> Result<Self, InvalidClient> {
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(AUTHORIZATION, bearer(access_token)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let client = Self {
            connections: Vec::new(),
            addresses: Addresses::new(base, appsecret_proof)?,
            headers,
            tls,
            timeouts: TIMEOUTS,
        };
        client.with_connections(1)
    }

    /// The same client over this many connections, one to [`MOST_CONNECTIONS`].
    ///
    /// # Errors
    /// [`InvalidClient::Connections`].
    pub fn with_connections(mut self, connections: usize) -> Result<Self, InvalidClient> {
        if connections == 0 || connections > MOST_CONNECTIONS {
            return Err(InvalidClient::Connections);
        }
        let plain = self.is_plain();
        self.connections = (0..connections)
            .map(|_| Connection::new(self.tls.clone(), plain, self.timeouts))
            .collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// The same client with other patience.
    ///
    /// # Errors
    /// [`InvalidClient::Tls`].
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Result<Self, InvalidClient> {
        self.timeouts = timeouts;
        let connections = self.connections.len();
        self.with_connections(connections)
    }

    /// Sends one message, or marks one as read, from the number with the given id. The permit is
    /// used up: one permit, one message.
    pub async fn send(&self, _permit: SendPermit, number: &str, body: &Value) -> Outcome {
        let now = Instant::now();
        let Some(url) = self.addresses.messages(number) else {
            return Outcome::failed(INVALID_ID);
        };
        let unsent = Outcome::NotAccepted(NotAccepted::Unreachable(Unreachable::Connect));
        let Ok(body) = serde_json::to_vec(body) else {
            return unsent;
        };
        let mut request = Request::new(Method::POST, url);
        *request.headers_mut() = self.headers.clone();
        *request.body_mut() = Some(body.into());
        let Some((connection, _under_way)) = Connection::idlest(&self.connections) else {
            return unsent;
        };
        let by = |patience| now.checked_add(patience).unwrap_or(now);
        let answer = timeout_at(
            by(self.timeouts.first_byte),
            connection.http.execute(request),
        );
        let response = match answer.await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return unanswered::read(&error),
            Err(_elapsed) => return Outcome::ambiguous("timeout_first_byte"),
        };
        timeout_at(by(self.timeouts.whole), read_answer(response))
            .await
            .unwrap_or(Outcome::ambiguous("timeout_whole"))
    }

    /// Connects before the first slot, so that the first messages leave as evenly as the rest.
    /// Sends nothing of ours, no token either; whether it worked shows at the first send.
    pub async fn warm(&self) {
        let base = self.addresses.base();
        let each = if self.is_plain() {
            PLAIN_CONNECTIONS
        } else {
            1
        };
        let knocks = self
            .connections
            .iter()
            .flat_map(|connection| (0..each).map(move |_| connection.warm(base)));
        futures_util::future::join_all(knocks).await;
    }

    fn is_plain(&self) -> bool {
        self.addresses.base().scheme() == "http"
    }
}

/// Reads at most [`LARGEST_ANSWER`] bytes.
async fn read_answer(mut response: Response) -> Outcome {
    let status = response.status();
    let mut first = None;
    let mut more = Vec::new();
    loop {
        let so_far = first
            .as_ref()
            .map_or(0, |first: &bytes::Bytes| first.len())
            .saturating_add(more.len());
        match response.chunk().await {
            Ok(Some(chunk)) if so_far.saturating_add(chunk.len()) > LARGEST_ANSWER => {
                return Outcome::ambiguous("oversized_answer");
            }
            Ok(Some(chunk)) => match &first {
                None => first = Some(chunk),
                Some(_) => more.extend_from_slice(&chunk),
            },
            Ok(None) => break,
            Err(_shows_the_url) => return Outcome::ambiguous("answer_cut_off"),
        }
    }
    // Nearly every answer is one piece, and is read where it lies.
    let first = first.unwrap_or_default();
    if more.is_empty() {
        return answer::read(status, &first);
    }
    let mut whole = first.to_vec();
    whole.append(&mut more);
    answer::read(status, &whole)
}

pub(crate) fn bearer(token: &Secret<String>) -> Result<HeaderValue, InvalidClient> {
    let token = token.expose();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(InvalidClient::Token);
    }
    let header = Secret::new(format!("Bearer {token}"));
    let mut value =
        HeaderValue::from_str(header.expose()).map_err(|_foreign| InvalidClient::Token)?;
    value.set_sensitive(true);
    Ok(value)
}
