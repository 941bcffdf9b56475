//! Carries notifications to the webhook: signed, at most four at a time, again after a failure.
//!
//! Meta retries for seven days; here six attempts within 16 seconds stand for that, then a
//! notification counts as lost.

use crate::ledger::{Counters, locked};
use crate::options::Options;
use crate::text::draw;
use crate::wire::signature;
use axum::body::Bytes;
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

const AT_ONCE: usize = 4;
const DELAYS_MS: [u64; 5] = [500, 1_000, 2_000, 4_000, 8_000];
const TIMEOUT: Duration = Duration::from_secs(10);
/// A duplicate follows this long after.
const DUPLICATE_AFTER: Duration = Duration::from_millis(300);

pub(crate) struct Courier {
    client: reqwest::Client,
    app_secret: String,
    duplicate_share: f64,
    seed: u64,
    webhook: Mutex<Option<Arc<str>>>,
    permits: Semaphore,
    counters: Arc<Mutex<Counters>>,
    /// Updates that are planned, on their way or waiting for another attempt.
    outstanding: AtomicU64,
    sequence: AtomicU64,
}

impl Courier {
    pub(crate) fn new(options: &Options, counters: Arc<Mutex<Counters>>) -> anyhow::Result<Self> {
        // Plain http only; but the client refuses to be built without a TLS configuration.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .tcp_nodelay(true)
            .build()?;
        Ok(Self {
            client,
            app_secret: options.app_secret.clone(),
            duplicate_share: options.duplicate_share,
            seed: options.seed,
            webhook: Mutex::new(None),
            permits: Semaphore::new(AT_ONCE),
            counters,
            outstanding: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
        })
    }

    pub(crate) fn set_webhook(&self, url: &str) {
        *locked(&self.webhook) = Some(url.into());
    }

    pub(crate) fn webhook(&self) -> Option<Arc<str>> {
        locked(&self.webhook).clone()
    }

    /// Announces updates that will come.
    pub(crate) fn expect(&self, updates: u64) {
        self.outstanding.fetch_add(updates, Ordering::SeqCst);
    }

    /// Updates that are done with, one way or the other.
    pub(crate) fn settle(&self, updates: u64) {
        self.outstanding.fetch_sub(updates, Ordering::SeqCst);
    }

    pub(crate) fn outstanding(&self) -> u64 {
        self.outstanding.load(Ordering::SeqCst)
    }

    /// Delivers a notification whose updates were announced. Returns after the first attempt;
    /// further ones and duplicates go on in the background.
    pub(crate) async fn deliver(self: &Arc<Self>, body: Bytes, updates: u64) {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        if draw(self.seed, sequence, 6) < self.duplicate_share {
            self.expect(1);
            locked(&self.counters).duplicates += 1;
            let (courier, copy) = (Arc::clone(self), body.clone());
            tokio::spawn(async move {
                tokio::time::sleep(DUPLICATE_AFTER).await;
                courier.attempt(copy, 1).await;
            });
        }
        self.attempt(body, updates).await;
    }

    async fn attempt(self: &Arc<Self>, body: Bytes, updates: u64) {
        if self.post(body.clone()).await {
            self.settle(updates);
            return;
        }
        let courier = Arc::clone(self);
        tokio::spawn(async move {
            for delay in DELAYS_MS {
                tokio::time::sleep(Duration::from_millis(delay)).await;
                locked(&courier.counters).redelivered += 1;
                if courier.post(body.clone()).await {
                    courier.settle(updates);
                    return;
                }
            }
            locked(&courier.counters).lost += 1;
            courier.settle(updates);
        });
    }

    /// Meta takes 200 for success and nothing else.
    async fn post(&self, body: Bytes) -> bool {
        match signature(&self.app_secret, &body) {
            Ok(signature) => matches!(self.post_raw(body, Some(signature)).await, Ok(200)),
            Err(_) => false,
        }
    }

    /// Posts once, with the signature given or none.
    pub(crate) async fn post_raw(
        &self,
        body: Bytes,
        signature: Option<String>,
    ) -> anyhow::Result<u16> {
        let url = self
            .webhook()
            .ok_or_else(|| anyhow::anyhow!("no webhook is set"))?;
        let _permit = self.permits.acquire().await?;
        locked(&self.counters).posts += 1;
        let mut request = self
            .client
            .post(&*url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, "facebookexternalua")
            .body(body);
        if let Some(signature) = signature {
            request = request.header("X-Hub-Signature-256", signature);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        // Read to the end, so that the connection can be used again.
        response.bytes().await?;
        Ok(status)
    }

    /// The GET Meta makes when a callback is set: it must answer 200 with the challenge.
    pub(crate) async fn verify(&self, url: &str, verify_token: &str) -> anyhow::Result<bool> {
        let challenge = "1158201444";
        let query = [
            ("hub.mode", "subscribe"),
            ("hub.challenge", challenge),
            ("hub.verify_token", verify_token),
        ];
        let query: Vec<String> = query
            .iter()
            .map(|(key, value)| format!("{key}={}", encode(value)))
            .collect();
        let request = self
            .client
            .get(format!("{url}?{}", query.join("&")))
            .header(
                USER_AGENT,
                "facebookplatform/1.0 (+http://developers.facebook.com)",
            );
        let response = request.send().await?;
        let accepted = response.status().as_u16() == 200;
        Ok(accepted && response.text().await? == challenge)
    }
}

/// Percent-encoding of everything but letters and digits.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
