//! The handle of a running simulator. It has a runtime of its own, so that a busy caller does not
//! distort when things arrive.

use crate::arrivals::{Arrival, WindowReport};
use crate::connection::{ResettableListener, Switch};
use crate::faults::Faults;
use crate::inbound::{self, Content};
use crate::ledger::{Counters, Span, locked, windows};
use crate::options::{Options, Person};
use crate::secure;
use crate::serve::router;
use crate::tls;
use crate::world::World;
use anyhow::Context as _;
use axum::body::Bytes;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

/// A running simulator; stops when dropped.
pub struct Simulator {
    world: Arc<World>,
    address: SocketAddr,
    certificate: Option<Vec<u8>>,
    runtime: Option<Runtime>,
}

impl Simulator {
    /// Listens on the loopback address.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let port = options.port.unwrap_or(0);
        let identity = options.tls.then(tls::identity).transpose()?;
        let (config, certificate) = identity.unzip();
        let runtime = Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_name("meta-simulator")
            .enable_all()
            .build()?;
        let mut simulator = Self {
            world: Arc::new(World::new(options)?),
            certificate,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            runtime: Some(runtime),
        };
        let (address, world) = (simulator.address, Arc::clone(&simulator.world));
        let bound = simulator.within(async move {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            let router = router(Arc::clone(&world));
            if let Some(config) = config {
                tokio::spawn(secure::serve(listener, config, Arc::clone(&world), router));
            } else {
                let service = router.into_make_service_with_connect_info::<Switch>();
                tokio::spawn(axum::serve(ResettableListener(listener), service).into_future());
            }
            tokio::spawn(world.beat());
            anyhow::Ok(address)
        });
        simulator.address = bound
            .await
            .context("the simulator cannot listen on its port")?;
        Ok(simulator)
    }

    /// Runs a future on the simulator's own runtime, where its connections live.
    async fn within<T: Send + 'static>(
        &self,
        future: impl Future<Output = anyhow::Result<T>> + Send + 'static,
    ) -> anyhow::Result<T> {
        let runtime = self.runtime.as_ref().context("the simulator is stopped")?;
        runtime
            .spawn(future)
            .await
            .context("the simulator stopped meanwhile")?
    }

    /// `http://127.0.0.1:PORT`, or https; the API is below `/v25.0` or any other version.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// The certificate a caller has to trust, with TLS.
    pub fn certificate_der(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// Where notifications go from now on.
    pub fn set_webhook(&self, url: &str) {
        self.world.courier.set_webhook(url);
    }

    /// Makes the GET with which Meta verifies a callback; true when it is answered as it must be.
    ///
    /// # Errors
    /// When the webhook cannot be reached.
    pub async fn verify_webhook(&self, url: &str, verify_token: &str) -> anyhow::Result<bool> {
        let (courier, url, token) = (
            Arc::clone(&self.world.courier),
            url.to_owned(),
            verify_token.to_owned(),
        );
        self.within(async move { courier.verify(&url, &token).await })
            .await
    }

    /// Every request to a messages endpoint so far, in the order of arrival.
    pub fn arrivals(&self) -> Vec<Arrival> {
        let ledger = locked(&self.world.ledger);
        let mut arrivals: Vec<Arrival> = ledger
            .arrivals
            .iter()
            .map(|kept| kept.reveal(self.world.started))
            .collect();
        drop(ledger);
        arrivals.sort_by_key(|arrival| arrival.at);
        arrivals
    }

    /// The densest second of each number, over everything that counts for throughput.
    pub fn worst_window(&self) -> WindowReport {
        self.window(None)
    }

    /// The same over what came from `from` until before `to`.
    pub fn window_between(&self, from: Instant, to: Instant) -> WindowReport {
        self.window(Some((from, to)))
    }

    fn window(&self, within: Option<(Instant, Instant)>) -> WindowReport {
        let span = Span {
            started: self.world.started,
            within,
        };
        let numbers = windows(&self.world.ledger, &self.world.options.numbers, &span);
        WindowReport { numbers }
    }

    /// What happened so far, in numbers.
    pub fn counters(&self) -> Counters {
        locked(&self.world.counters).clone()
    }

    /// Somebody writes. Returns the message id once the webhook answered for the first time.
    ///
    /// # Errors
    /// When the number or the person is unknown to Meta, or no webhook is set.
    pub async fn inbound_text(
        &self,
        number_id: &str,
        from: &Person,
        text: &str,
    ) -> anyhow::Result<String> {
        self.inbound(number_id, from, Content::Text(text.to_owned()))
            .await
    }

    /// Somebody presses a quick reply of the last message sent to them.
    ///
    /// # Errors
    /// As for a text.
    pub async fn inbound_button(
        &self,
        number_id: &str,
        from: &Person,
        payload: &str,
        text: &str,
    ) -> anyhow::Result<String> {
        let content = Content::Button {
            payload: payload.to_owned(),
            text: text.to_owned(),
        };
        self.inbound(number_id, from, content).await
    }

    async fn inbound(
        &self,
        number_id: &str,
        from: &Person,
        content: Content,
    ) -> anyhow::Result<String> {
        let (world, number_id, from) =
            (Arc::clone(&self.world), number_id.to_owned(), from.clone());
        self.within(inbound::message(world, number_id, from, content))
            .await
    }

    /// Somebody stops (or resumes) marketing messages in their app; marketing then fails with 131050.
    ///
    /// # Errors
    /// As for a text.
    pub async fn marketing_preference(
        &self,
        number_id: &str,
        from: &Person,
        stop: bool,
    ) -> anyhow::Result<()> {
        let (world, number_id, from) =
            (Arc::clone(&self.world), number_id.to_owned(), from.clone());
        self.within(inbound::preference(world, number_id, from, stop))
            .await
    }

    /// Posts bytes as they are, once, with the signature given or none; returns the HTTP status.
    ///
    /// # Errors
    /// When no webhook is set or it cannot be reached.
    pub async fn notify_raw(
        &self,
        body: Vec<u8>,
        signature: Option<String>,
    ) -> anyhow::Result<u16> {
        let courier = Arc::clone(&self.world.courier);
        self.within(async move { courier.post_raw(Bytes::from(body), signature).await })
            .await
    }

    /// Whether no status is planned, on its way or waiting for another attempt.
    #[allow(
        clippy::unused_async,
        reason = "may have to ask the runtime one day; callers await it already"
    )]
    pub async fn settled(&self) -> bool {
        self.world.courier.outstanding() == 0
    }

    /// Orders misbehaviour for the next sends.
    pub fn faults(&self, faults: Faults) {
        locked(&self.world.ledger).order(faults);
    }

    /// Stops listening and forgets what was not delivered.
    ///
    /// # Errors
    /// When the simulator cannot be waited for.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(runtime) = self.runtime.take() {
            let stopped = tokio::task::spawn_blocking(move || {
                runtime.shutdown_timeout(Duration::from_secs(2));
            });
            stopped.await.context("the simulator did not stop")?;
        }
        Ok(())
    }
}

impl Drop for Simulator {
    /// A runtime must not be waited for inside another one.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
