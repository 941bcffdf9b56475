//! The functions: handlers by logical id, called as Lambda calls them.
//!
//! Promises that a panic of a handler is a failed invocation and nothing more. Knows no triggers.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;

/// A Lambda function: an event in, a response out.
pub type Handler = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// A Lambda function behind an API: a request in, a response out.
pub type HttpHandler =
    Arc<dyn Fn(http::Request<Bytes>) -> BoxFuture<'static, http::Response<Bytes>> + Send + Sync>;

/// The connected handlers.
#[derive(Clone, Default)]
pub(crate) struct Functions {
    events: Arc<RwLock<HashMap<String, Handler>>>,
    requests: Arc<RwLock<HashMap<String, HttpHandler>>>,
}

impl Functions {
    /// Takes a handler; true if the function had one already.
    pub(crate) fn connect(&self, function: &str, handler: Handler) -> bool {
        let mut events = self.events.write().unwrap_or_else(PoisonError::into_inner);
        events.insert(function.to_owned(), handler).is_some()
    }

    pub(crate) fn connect_http(&self, function: &str, handler: HttpHandler) {
        let mut requests = self
            .requests
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        requests.insert(function.to_owned(), handler);
    }

    /// Calls a function; a panic is an error like any other.
    pub(crate) async fn invoke(&self, function: &str, event: Value) -> Result<Value> {
        let handler = self
            .events
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(function)
            .cloned();
        let handler = handler.with_context(|| format!("function {function} is not connected"))?;
        let task = tokio::spawn(async move { handler(event).await });
        // A caller that gives up takes the handler with it: nothing runs on after a stop.
        let _abort = AbortOnDrop(task.abort_handle());
        match task.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(message)) => Err(anyhow!("function {function} failed: {message}")),
            Err(_panic) => Err(anyhow!("function {function} panicked")),
        }
    }

    /// Calls a function behind an API; `None` if it is not connected or panicked.
    pub(crate) async fn request(
        &self,
        function: &str,
        request: http::Request<Bytes>,
    ) -> Option<http::Response<Bytes>> {
        let handler = self
            .requests
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(function)
            .cloned()?;
        let task = tokio::spawn(async move { handler(request).await });
        let _abort = AbortOnDrop(task.abort_handle());
        task.await.ok()
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
