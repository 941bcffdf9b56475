//! One function per SQS operation: checks what AWS checks, then asks the engine.
//!
//! Promises the limits of AWS: ten entries and 1 MiB per call, ten messages per receive, 20 seconds of waiting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::attributes;
use super::checks::{MAX_CALL_BYTES, MAX_ENTRIES, check_batch, check_message};
use super::engine::{Engine, Settled};
use super::types::Message;
use super::wire::{self, Entry, Refusal, Request};
use crate::calendar::{Calendar, system_ms};
use crate::environment::caller;
use crate::ids::random_id;
use crate::stack::ACCOUNT;

/// The id AWS reports for a role, which is role id and session name: of whoever is no function.
const SENDER: &str = "AROAEXAMPLEEXAMPLE000:local";

pub(super) type Outcome = Result<Value, Refusal>;

/// The queues and the address they are reached at.
#[derive(Debug)]
pub(crate) struct Sqs {
    engine: Mutex<Engine>,
    base_url: String,
    calendar: Calendar,
}

impl Sqs {
    pub(crate) fn new(engine: Engine, base_url: String, calendar: Calendar) -> Self {
        Self {
            engine: Mutex::new(engine),
            base_url,
            calendar,
        }
    }

    /// The queues, for as long as no await is in between.
    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends one message from inside: the delivery of a rule.
    pub(crate) fn deliver(&self, queue: &str, body: String) -> anyhow::Result<()> {
        let mut engine = self.engine();
        let Some(delay) = engine.settings(queue).map(|s| s.delay_s) else {
            anyhow::bail!("there is no queue {queue}")
        };
        let entry = Entry {
            message_body: Some(body),
            ..Entry::default()
        };
        let message = self.message(entry, delay, None);
        engine.send(queue, vec![message])
    }

    fn message(&self, entry: Entry, queue_delay: i64, sender: Option<String>) -> Message {
        let now = system_ms();
        Message {
            id: random_id(),
            body: entry.message_body.unwrap_or_default(),
            attributes: entry.message_attributes,
            sent_at: now,
            offset: self.calendar.offset_ms(),
            not_before: now + entry.delay_seconds.unwrap_or(queue_delay) * 1000,
            group: entry.message_group_id,
            sender,
            trace: entry
                .message_system_attributes
                .get("AWSTraceHeader")
                .and_then(|a| a.string_value.clone()),
            received: 0,
            first_received_at: None,
            moved_from: None,
        }
    }
}

/// Answers one request; `operation` is the part of `X-Amz-Target` after the dot.
pub(crate) async fn answer(
    sqs: &Arc<Sqs>,
    operation: &str,
    asked: &http::Request<Bytes>,
) -> Response<Bytes> {
    let outcome = match serde_json::from_slice::<Request>(asked.body()) {
        Ok(mut request) => {
            request.caller = caller(asked.headers());
            run(sqs, operation, request).await
        }
        Err(_quotes_input) => Err(Refusal::new(
            "com.amazon.coral.service#SerializationException",
            "MalformedInput",
            "The request cannot be read.",
        )),
    };
    let (status, text, error) = match outcome {
        Ok(value) => (StatusCode::OK, value.to_string(), None),
        Err(refusal) => {
            let status = if refusal.code == "InternalError" {
                StatusCode::INTERNAL_SERVER_ERROR
            } else {
                StatusCode::BAD_REQUEST
            };
            let body = json!({"__type": refusal.shape, "message": refusal.message});
            (
                status,
                body.to_string(),
                Some(format!("{};Sender", refusal.code)),
            )
        }
    };
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        http::HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    if let Some(error) = error.and_then(|e| http::HeaderValue::from_str(&e).ok()) {
        headers.insert("x-amzn-query-error", error);
    }
    response
}

async fn run(sqs: &Arc<Sqs>, operation: &str, mut request: Request) -> Outcome {
    match operation {
        "ListQueues" => return Ok(list(sqs, &request)),
        "GetQueueUrl" => {
            let name = request.queue_name.clone();
            sqs.engine().settings(&name).ok_or_else(Refusal::no_queue)?;
            return Ok(json!({"QueueUrl": format!("{}/{ACCOUNT}/{name}", sqs.base_url)}));
        }
        "StartMessageMoveTask" => return start_move(sqs, &request),
        _ => {}
    }
    if request.queue_url.is_empty() {
        return Err(Refusal::new(
            "com.amazonaws.sqs#MissingRequiredParameterException",
            "MissingParameter",
            "The request must contain the parameter QueueUrl.",
        ));
    }
    let queue = request
        .queue_url
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let delay = sqs
        .engine()
        .settings(&queue)
        .map(|s| s.delay_s)
        .ok_or_else(Refusal::no_queue)?;
    match operation {
        "SendMessage" => {
            let entry = std::mem::take(&mut request.entry);
            let max = sqs
                .engine()
                .settings(&queue)
                .map_or(MAX_CALL_BYTES, |s| s.max_size);
            check_message(&entry, max)?;
            let message = sqs.message(entry, delay, request.caller.clone());
            let answer = wire::sent(&message, None);
            sqs.engine().send(&queue, vec![message]).map_err(failure)?;
            Ok(answer)
        }
        "SendMessageBatch" => send_batch(sqs, &queue, request, delay),
        "ReceiveMessage" => receive(sqs, &queue, &request).await,
        "DeleteMessage" => {
            let handle = wire::handle(&request.entry.receipt_handle).ok_or_else(Refusal::handle)?;
            match sqs.engine().delete(&queue, &handle).map_err(failure)? {
                Settled::Done | Settled::Stale => Ok(json!({})),
                Settled::Malformed => Err(Refusal::handle()),
            }
        }
        "DeleteMessageBatch" => each_entry(request.entries, |entry| {
            let handle = wire::handle(&entry.receipt_handle).ok_or_else(Refusal::handle)?;
            match sqs.engine().delete(&queue, &handle).map_err(failure)? {
                Settled::Done | Settled::Stale => Ok(()),
                Settled::Malformed => Err(Refusal::handle()),
            }
        }),
        "ChangeMessageVisibility" => {
            change_visibility(sqs, &queue, &request.entry)?;
            Ok(json!({}))
        }
        "ChangeMessageVisibilityBatch" => each_entry(request.entries, |entry| {
            change_visibility(sqs, &queue, entry)
        }),
        "GetQueueAttributes" => attributes::read(sqs, &queue, &request),
        "SetQueueAttributes" => attributes::write(sqs, &queue, &request),
        "PurgeQueue" => {
            sqs.engine().purge(&queue).map_err(failure)?;
            Ok(json!({}))
        }
        "ListDeadLetterSourceQueues" => {
            let engine = sqs.engine();
            let sources: Vec<String> = engine
                .names()
                .filter(|name| {
                    let redrive = engine.settings(name).and_then(|s| s.redrive.as_ref());
                    redrive.is_some_and(|r| r.queue == queue)
                })
                .map(|name| format!("{}/{ACCOUNT}/{name}", sqs.base_url))
                .collect();
            Ok(json!({"queueUrls": sources}))
        }
        _ => Err(Refusal::new(
            "com.amazon.coral.service#UnknownOperationException",
            "InvalidAction",
            "The operation is not supported locally.",
        )),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "the shape of map_err")]
pub(super) fn failure(error: anyhow::Error) -> Refusal {
    Refusal::new(
        "com.amazonaws.sqs#InternalError",
        "InternalError",
        error.to_string(),
    )
}

fn list(sqs: &Sqs, request: &Request) -> Value {
    let engine = sqs.engine();
    let urls: Vec<String> = engine
        .names()
        .filter(|name| name.starts_with(&request.queue_name_prefix))
        .map(|name| format!("{}/{ACCOUNT}/{name}", sqs.base_url))
        .collect();
    json!({"QueueUrls": urls})
}

fn start_move(sqs: &Sqs, request: &Request) -> Outcome {
    let name = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
    let missing = || {
        Refusal::new(
            "com.amazonaws.sqs#ResourceNotFoundException",
            "ResourceNotFoundException",
            "The resource that you specified for the SourceArn parameter doesn't exist.",
        )
    };
    let source = name(&request.source_arn);
    let mut engine = sqs.engine();
    engine.settings(&source).ok_or_else(missing)?;
    let target = request.destination_arn.as_deref().map(name);
    engine
        .move_all(&source, target.as_deref())
        .map_err(failure)?;
    Ok(json!({"TaskHandle": random_id()}))
}

fn send_batch(sqs: &Sqs, queue: &str, request: Request, delay: i64) -> Outcome {
    let sender = request.caller;
    let entries = check_batch(request.entries)?;
    let total: usize = entries.iter().map(Entry::size).sum();
    if total > MAX_CALL_BYTES {
        return Err(Refusal::new(
            "com.amazonaws.sqs#BatchRequestTooLong",
            "AWS.SimpleQueueService.BatchRequestTooLong",
            format!(
                "Batch requests cannot be longer than {MAX_CALL_BYTES} bytes. You have sent {total} bytes."
            ),
        ));
    }
    let mut engine = sqs.engine();
    let max = engine
        .settings(queue)
        .map_or(MAX_CALL_BYTES, |s| s.max_size);
    let (mut successful, mut failed, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        match check_message(&entry, max) {
            Ok(()) => {
                let id = entry.id.clone();
                let message = sqs.message(entry, delay, sender.clone());
                successful.push(wire::sent(&message, Some(&id)));
                messages.push(message);
            }
            Err(refusal) => failed.push(failed_entry(&entry.id, &refusal)),
        }
    }
    engine.send(queue, messages).map_err(failure)?;
    Ok(json!({"Successful": successful, "Failed": failed}))
}

fn failed_entry(id: &str, refusal: &Refusal) -> Value {
    json!({"Id": id, "Code": refusal.code, "Message": refusal.message, "SenderFault": true})
}

fn each_entry(
    entries: Option<Vec<Entry>>,
    mut each: impl FnMut(&Entry) -> Result<(), Refusal>,
) -> Outcome {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in check_batch(entries)? {
        match each(&entry) {
            Ok(()) => successful.push(json!({"Id": entry.id})),
            Err(refusal) => failed.push(failed_entry(&entry.id, &refusal)),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

async fn receive(sqs: &Arc<Sqs>, queue: &str, request: &Request) -> Outcome {
    let max = request.max_number_of_messages.unwrap_or(1);
    let max = usize::try_from(max).ok().filter(|m| (1..=MAX_ENTRIES).contains(m)).ok_or_else(|| {
        Refusal::invalid(format!(
            "Value {max} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        ))
    })?;
    let default_wait = sqs.engine().settings(queue).map_or(0, |s| s.wait_s);
    let wait = request.wait_time_seconds.unwrap_or(default_wait);
    let wait = u64::try_from(wait).ok().filter(|w| *w <= 20).ok_or_else(|| {
        Refusal::invalid(format!(
            "Value {wait} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
        ))
    })?;
    let visibility = request.entry.visibility_timeout;
    if visibility.is_some_and(|v| !(0..=43_200).contains(&v)) {
        return Err(Refusal::invalid(
            "Value for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200, if provided.",
        ));
    }
    let arrival = sqs.engine().arrival(queue).ok_or_else(Refusal::no_queue)?;
    let deadline = Instant::now() + Duration::from_secs(wait);
    loop {
        let notified = arrival.notified();
        tokio::pin!(notified);
        // Registered before looking, so that a send in between is not missed.
        notified.as_mut().enable();
        let (receipts, next) = {
            let mut engine = sqs.engine();
            let receipts = engine.receive(queue, max, visibility).map_err(failure)?;
            (receipts, engine.next_visible_at(queue))
        };
        if !receipts.is_empty() || Instant::now() >= deadline {
            let messages: Vec<Value> = receipts
                .iter()
                .map(|r| wire::received(r, request, SENDER))
                .collect();
            return Ok(if messages.is_empty() {
                json!({})
            } else {
                json!({"Messages": messages})
            });
        }
        let next = next.map_or(deadline, |at| {
            let due = u64::try_from(at.saturating_sub(system_ms())).unwrap_or_default();
            deadline.min(Instant::now() + Duration::from_millis(due.saturating_add(1)))
        });
        tokio::select! {
            () = notified => {}
            () = tokio::time::sleep_until(next) => {}
        }
    }
}

fn change_visibility(sqs: &Sqs, queue: &str, entry: &Entry) -> Result<(), Refusal> {
    let seconds = entry.visibility_timeout.unwrap_or(-1);
    if !(0..=43_200).contains(&seconds) {
        return Err(Refusal::invalid(
            "Value for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.",
        ));
    }
    let handle = wire::handle(&entry.receipt_handle).ok_or_else(Refusal::handle)?;
    match sqs.engine().change_visibility(queue, &handle, seconds) {
        Settled::Done => Ok(()),
        Settled::Stale => Err(Refusal::new(
            "com.amazonaws.sqs#MessageNotInflight",
            "AWS.SimpleQueueService.MessageNotInflight",
            "The message referred to is not in flight.",
        )),
        Settled::Malformed => Err(Refusal::handle()),
    }
}
