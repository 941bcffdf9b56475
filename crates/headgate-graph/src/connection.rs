//! One connection to the Graph API.
//!
//! Owns one HTTP client, which over HTTP/2 keeps one connection and makes another when that one
//! says goodbye, and the count of what is under way on it. Everything that would repeat a request
//! is off: a second message to a person is worse than a late one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Url;

use crate::client::{InvalidClient, Timeouts};

/// A warm-up is worth waiting for only this long.
const WARM_UP: Duration = Duration::from_millis(800);

pub(crate) struct Connection {
    pub(crate) http: reqwest::Client,
    under_way: AtomicUsize,
}

/// Something under way, until it is dropped.
pub(crate) struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    pub(crate) fn new(
        tls: rustls::ClientConfig,
        plain: bool,
        timeouts: Timeouts,
    ) -> Result<Self, InvalidClient> {
        let builder = reqwest::Client::builder()
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(timeouts.connect)
            // A function may have been frozen: notice a dead connection before using it.
            .pool_idle_timeout(Duration::from_secs(30))
            .http2_keep_alive_interval(Duration::from_secs(10))
            .http2_keep_alive_timeout(Duration::from_secs(3))
            .tls_backend_preconfigured(tls);
        let builder = if plain {
            builder.http1_only()
        } else {
            builder.https_only(true)
        };
        Ok(Self {
            http: builder.build().map_err(|_foreign| InvalidClient::Tls)?,
            under_way: AtomicUsize::new(0),
        })
    }

    /// The one with the least under way; the first of several.
    pub(crate) fn idlest(all: &[Self]) -> Option<(&Self, UnderWay<'_>)> {
        let least = all
            .iter()
            .min_by_key(|connection| connection.under_way.load(Ordering::Relaxed))?;
        least.under_way.fetch_add(1, Ordering::Relaxed);
        Some((least, UnderWay(&least.under_way)))
    }

    /// Connects, and sends nothing of ours, no token either.
    pub(crate) async fn warm(&self, base: &Url) {
        drop(self.http.head(base.clone()).timeout(WARM_UP).send().await);
    }
}
