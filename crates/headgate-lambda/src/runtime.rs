//! The Lambda runtime, kept from reporting what it should not.
//!
//! Owns the loop around a handler. The runtime would report a panic's payload to the service and
//! so to the logs; here a panic ends as a fixed sentence. It owns no HTTP: see `http`.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use headgate_domain::time::Timestamp;
use headgate_redact::LogSafe;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::log::{self, Field, Level};

/// An invocation that failed; what happened is in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the invocation failed; the log line before this one says why")]
pub struct InvocationFailed;

impl From<InvocationFailed> for Diagnostic {
    fn from(failed: InvocationFailed) -> Self {
        Self {
            error_type: "InvocationFailed".to_owned(),
            error_message: failed.to_string(),
        }
    }
}

/// Serves invocations until the process ends. The handler is told when its time is up.
///
/// # Errors
/// When the runtime itself cannot go on.
pub async fn serve<I, O, F, Fut, E>(handle: F) -> Result<(), lambda_runtime::Error>
where
    I: DeserializeOwned,
    O: Serialize,
    F: Fn(I, Timestamp) -> Fut,
    Fut: Future<Output = Result<O, E>>,
    E: LogSafe,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<I>| {
        let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
        guarded(handle(event.payload, Timestamp::from_millis(deadline))).await
    }))
    .await
}

/// Runs one invocation; its failure or panic is logged here and reported without its words.
async fn guarded<O, E: LogSafe>(
    work: impl Future<Output = Result<O, E>>,
) -> Result<O, InvocationFailed> {
    let error = match survive(work).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => Field::safe(&error),
        Err(panicked) => Field::safe(&panicked),
    };
    log::log(Level::Error, "invocation_failed", &[("error", error)]);
    Err(InvocationFailed)
}

/// The work panicked; the place is in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a panic was caught")]
pub struct Panicked;

/// Consists of a text of ours.
impl LogSafe for Panicked {}

/// Runs one request so that a panic is an answer and not the payload's way into the logs.
///
/// # Errors
/// [`Panicked`].
pub async fn survive<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    // Unwind safety: what a request shares with the next are clients and caches that are replaced
    // as a whole.
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .map_err(|_payload| Panicked)
}

/// Prepares the process; first thing in every `main`.
pub fn start() {
    log::silence_panics();
}

/// Logs why a function cannot start and makes the error for `main` to return (I5).
pub fn refuse_to_start(why: &impl LogSafe) -> lambda_runtime::Error {
    log::log(
        Level::Error,
        "cold_start_refused",
        &[("error", Field::safe(why))],
    );
    InvocationFailed.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests may fail loudly")]
    use super::*;

    #[tokio::test]
    async fn neither_an_error_nor_a_panic_reaches_the_service_in_words() {
        let failed = guarded(async { Err::<(), _>("the queue is away") }).await;
        assert_eq!(failed, Err(InvocationFailed));
        let panicked = guarded(async { panic!("canary-body") as Result<(), &'static str> }).await;
        assert_eq!(
            panicked.map_err(|e| e.to_string().contains("canary")),
            Err(false)
        );
        assert_eq!(guarded(async { Ok::<_, &'static str>(7) }).await, Ok(7));
    }
}
