//! The connection to the Graph API.
//!
//! Owns one `reqwest` client, the address with its proof and the bearer token. A second message to
//! a person is worse than a late one, so everything that would repeat a request is off.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use headgate_domain::policy::SendPermit;
use headgate_domain::record::is_number_id;
use headgate_redact::{LogSafe, Secret};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use reqwest::Url;
use serde_json::Value;

use crate::answer;
use crate::outcome::{NotAccepted, Outcome};

/// The version Meta's own `WhatsApp` examples use; it lives until 2028-07-29
/// (developers.facebook.com/docs/graph-api/changelog, read 2026-09).
pub const VERSION: &str = "v25.0";

/// Real answers are below 1 KB; more is not one.
const LARGEST_ANSWER: usize = 64 * 1024;

/// "Invalid id", which Meta would answer too.
const INVALID_ID: u32 = 33;

/// How long things may take.
#[derive(Clone, Copy)]
pub(crate) struct Timeouts {
    /// Until there is a connection: after this nothing was sent.
    pub(crate) connect: Duration,
    /// Until the answer is read: after this anything may have happened.
    pub(crate) total: Duration,
}

/// A slow Meta answers in 800 ms (p99); what takes 10 s is better resolved by the notification.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    total: Duration::from_secs(10),
};

/// The client cannot be made from these settings (I5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidClient {
    /// Not an address.
    #[error("the address of the Graph API must be https, or http on this machine, without a path")]
    Address,
    /// Not a token.
    #[error("the access token is blank or holds characters no token has")]
    Token,
    /// Not a proof.
    #[error("the appsecret_proof is not 64 hexadecimal digits")]
    Proof,
    /// The TLS library refused.
    #[error("the TLS client could not be set up")]
    Tls,
}

/// A warm-up is worth waiting for only this long.
const WARM_UP: Duration = Duration::from_millis(800);

/// Consists of texts of ours alone.
impl LogSafe for InvalidClient {}

/// One connection to the Graph API with one token.
///
/// # Security
/// `Debug` shows neither the token nor the proof.
pub struct GraphClient {
    http: reqwest::Client,
    base: Url,
    bearer: HeaderValue,
    proof: Secret<String>,
}

impl fmt::Debug for GraphClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GraphClient(…)")
    }
}

impl GraphClient {
    /// A client for `base_url` (`https://graph.facebook.com`, or a simulator on this machine).
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
        Self::with_timeouts(base_url, access_token, appsecret_proof, TIMEOUTS)
    }

    pub(crate) fn with_timeouts(
        base_url: &str,
        access_token: &Secret<String>,
        appsecret_proof: Secret<String>,
        timeouts: Timeouts,
    ) -> Result<Self, InvalidClient> {
        let base = parse_base(base_url)?;
        let proof = appsecret_proof.expose();
        if proof.len() != 64 || !proof.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidClient::Proof);
        }
        let builder = reqwest::Client::builder()
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.total)
            // A function may have been frozen: notice a dead connection before using it.
            .pool_idle_timeout(Duration::from_secs(30))
            .http2_keep_alive_interval(Duration::from_secs(10))
            .http2_keep_alive_timeout(Duration::from_secs(3));
        let builder = if base.scheme() == "https" {
            builder.https_only(true).tls_backend_preconfigured(tls()?)
        } else {
            builder.http1_only().tls_backend_preconfigured(tls()?)
        };
        Ok(Self {
            http: builder.build().map_err(|_foreign| InvalidClient::Tls)?,
            base,
            bearer: bearer(access_token)?,
            proof: appsecret_proof,
        })
    }

    /// Sends one message, or marks one as read, from the number with the given id. The permit is
    /// used up: one permit, one message.
    pub async fn send(&self, _permit: SendPermit, number: &str, body: &Value) -> Outcome {
        let Some(url) = self.messages_url(number) else {
            return Outcome::Failed { code: INVALID_ID };
        };
        let request = self
            .http
            .post(url)
            .header(AUTHORIZATION, self.bearer.clone())
            .json(body);
        match request.send().await {
            Ok(response) => read_answer(response).await,
            Err(error) => unanswered(&error),
        }
    }

    /// Opens connections before the first slot, so that the first messages leave as evenly as the
    /// rest. Sends nothing of ours, no token either; whether it worked shows at the first send.
    pub async fn warm(&self, connections: usize) {
        let knock = || async {
            let answer = self
                .http
                .head(self.base.clone())
                .timeout(WARM_UP)
                .send()
                .await;
            drop(answer);
        };
        futures_util::future::join_all((0..connections).map(|_| knock())).await;
    }

    fn messages_url(&self, number: &str) -> Option<Url> {
        // The number becomes a path segment; nothing but digits may.
        if !is_number_id(number) {
            return None;
        }
        let mut url = self
            .base
            .join(&format!("{VERSION}/{number}/messages"))
            .ok()?;
        url.query_pairs_mut()
            .append_pair("appsecret_proof", self.proof.expose());
        Some(url)
    }
}

/// Reads at most [`LARGEST_ANSWER`] bytes.
async fn read_answer(mut response: reqwest::Response) -> Outcome {
    let status = response.status();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > LARGEST_ANSWER => {
                return Outcome::ambiguous("oversized_answer");
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return answer::read(status, &body),
            Err(_shows_the_url) => return Outcome::ambiguous("answer_cut_off"),
        }
    }
}

/// What it means that there was no answer. Only what is known not to have been read by Meta is
/// called that; after the first byte everything else is ambiguous (I6).
fn unanswered(error: &reqwest::Error) -> Outcome {
    if error.is_connect() || error.is_builder() || refused_by_protocol(error) {
        Outcome::NotAccepted(NotAccepted::Unreachable)
    } else if error.is_timeout() {
        Outcome::ambiguous("timeout")
    } else {
        Outcome::ambiguous("connection_lost")
    }
}

/// HTTP/2 says of two errors that the request was not processed: a stream refused, and one above
/// the last id of an orderly goodbye (RFC 9113, 8.7).
fn refused_by_protocol(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(h2) = cause.downcast_ref::<h2::Error>() {
            let refused = h2.is_reset() && h2.reason() == Some(h2::Reason::REFUSED_STREAM);
            let goodbye = h2.is_go_away() && h2.reason() == Some(h2::Reason::NO_ERROR);
            return h2.is_remote() && (refused || goodbye);
        }
        source = cause.source();
    }
    false
}

fn bearer(token: &Secret<String>) -> Result<HeaderValue, InvalidClient> {
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

/// Plain http is for a simulator on this machine; anywhere else it would show the token.
fn parse_base(text: &str) -> Result<Url, InvalidClient> {
    let url = Url::parse(text).map_err(|_quotes_input| InvalidClient::Address)?;
    let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let safe = url.scheme() == "https" || (url.scheme() == "http" && here);
    let plain = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    (safe && plain && url.has_host())
        .then_some(url)
        .ok_or(InvalidClient::Address)
}

/// TLS by ring with Mozilla's roots compiled in, so that no file of the machine decides whom we
/// trust with the token.
fn tls() -> Result<rustls::ClientConfig, InvalidClient> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = webpki_roots::TLS_SERVER_ROOTS
        .iter()
        .cloned()
        .collect::<rustls::RootCertStore>();
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_foreign| InvalidClient::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A preconfigured client is not given these by reqwest.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
