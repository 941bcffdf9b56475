//! Functions as Lambda calls them: JSON in, JSON out, a failure logged once and reported.

use std::sync::Arc;

use headgate_lambda::batch::{BatchResponse, SqsEvent};
use headgate_lambda::log::{Field, Level, log};
use headgate_redact::LogSafe;
use local_cloud::Handler;
use serde::Serialize;
use serde_json::Value;

/// A failed invocation: logged as the runtime would, reported as Lambda would.
pub(crate) fn failed(function: &'static str, error: &impl LogSafe) -> String {
    log(
        Level::Error,
        "function_failed",
        &[
            ("function", Field::code(function)),
            ("error", Field::safe(error)),
        ],
    );
    error.to_string()
}

/// A handler of SQS batches as Lambda calls it: JSON in, JSON out.
pub(crate) fn batches<F, R>(handle: F) -> Handler
where
    F: Fn(SqsEvent) -> R + Send + Sync + 'static,
    R: Future<Output = BatchResponse> + Send + 'static,
{
    let handle = Arc::new(handle);
    Arc::new(move |event| {
        let handle = Arc::clone(&handle);
        Box::pin(async move {
            let event: SqsEvent = serde_json::from_value(event)
                .map_err(|_shape| "the event is not one of SQS".to_owned())?;
            answer(&handle(event).await)
        })
    })
}

fn answer(response: &impl Serialize) -> Result<Value, String> {
    serde_json::to_value(response).map_err(|_shape| "the response cannot be written".to_owned())
}
