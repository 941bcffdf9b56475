//! A runtime of its own for the sender, as in Lambda: there it shares its processor with nobody.
//!
//! The pacer's promise is about instants. In one runtime with six functions and five services, a slot that
//! was taken on time would reach the wire when the others had let it through.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime that may be dropped anywhere.
pub struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    /// Starts its threads.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(name: &'static str) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(name)
            .enable_all()
            .build();
        Ok(Self(Some(runtime.context("no threads for the sender")?)))
    }

    /// What tasks are spawned with.
    ///
    /// # Errors
    /// When it was stopped.
    pub fn handle(&self) -> Result<Handle> {
        self.0
            .as_ref()
            .map(|r| r.handle().clone())
            .context("the sender's threads were stopped")
    }

    /// Runs a future on its threads.
    ///
    /// # Errors
    /// When the future panicked, or the runtime was stopped.
    pub async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        self.handle()?
            .spawn(future)
            .await
            .context("what ran on the sender's threads broke off")
    }

    /// Stops its threads.
    pub async fn stop(mut self) {
        if let Some(runtime) = self.0.take() {
            tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(2)))
                .await
                .ok();
        }
    }
}

impl Drop for OwnRuntime {
    /// A runtime must not be waited for inside another one.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
