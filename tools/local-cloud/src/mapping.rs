//! Event source mappings: what Lambda's pollers do between a queue and a function.
//!
//! Promises: up to four batches of one mapping at a time, deletion of exactly the messages that succeeded, and that a
//! failed message stays hidden for the rest of its visibility timeout.
//! Deliberately polls with the real SDK over the real socket, with one poller: it only waits while there is nothing.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::functions::Functions;
use crate::stack::REGION;

const CONCURRENCY: usize = 4;
const RECEIVE_MAX: usize = 10;
const POLL_SECONDS: i32 = 20;
const GRACE: Duration = Duration::from_secs(1);

/// What the template says about one mapping.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) function: String,
    pub(crate) queue: String,
    /// Logical id of the queue, when the template declares it.
    pub(crate) queue_logical_id: Option<String>,
    pub(crate) queue_url: String,
    pub(crate) queue_arn: String,
    pub(crate) batch_size: usize,
    pub(crate) window: Duration,
    pub(crate) reports_failures: bool,
    pub(crate) enabled: bool,
}

/// Polls until `stop`, but only while `enabled`.
pub(crate) async fn run(
    mapping: Arc<Mapping>,
    client: Client,
    functions: Functions,
    mut enabled: watch::Receiver<bool>,
    mut stop: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(CONCURRENCY));
    let mut batches = JoinSet::new();
    loop {
        let ready = async {
            enabled.wait_for(|on| *on).await.ok();
            Arc::clone(&slots).acquire_owned().await.ok()
        };
        let slot = tokio::select! {
            slot = ready => slot,
            _ = stop.wait_for(|s| *s) => break,
        };
        let Some(slot) = slot else { break };
        let first = RECEIVE_MAX.min(mapping.batch_size);
        let batch = tokio::select! {
            biased;
            _ = stop.wait_for(|s| *s) => break,
            _ = enabled.wait_for(|on| !*on) => continue,
            batch = receive(&mapping, &client, first, POLL_SECONDS) => batch,
        };
        if batch.is_empty() {
            continue;
        }
        // From here on nothing is dropped: its messages would stay hidden for nothing.
        let batch = fill(&mapping, &client, batch).await;
        let (mapping, client, functions) =
            (Arc::clone(&mapping), client.clone(), functions.clone());
        while batches.try_join_next().is_some() {}
        batches.spawn(async move {
            settle(&mapping, &client, &functions, batch).await;
            drop(slot);
        });
    }
    // What runs may end; what does not end soon is cut off, as by a crash, and its messages come back.
    let end = async { while batches.join_next().await.is_some() {} };
    tokio::time::timeout(GRACE, end).await.ok();
}

/// Adds to a batch: up to the batch size, for up to the batching window after the first message.
async fn fill(mapping: &Mapping, client: &Client, mut batch: Vec<Message>) -> Vec<Message> {
    let window_ends = Instant::now() + mapping.window;
    while batch.len() < mapping.batch_size {
        let room = RECEIVE_MAX.min(mapping.batch_size - batch.len());
        let left = window_ends.saturating_duration_since(Instant::now());
        if left.is_zero() && !batch.len().is_multiple_of(RECEIVE_MAX) {
            break;
        }
        let wait = i32::try_from(left.as_secs())
            .unwrap_or(POLL_SECONDS)
            .min(POLL_SECONDS);
        let more = receive(mapping, client, room, wait).await;
        if more.is_empty() {
            if wait == 0 {
                // What is left of the window is below the second that a poll can wait.
                tokio::time::sleep(left).await;
                if left.is_zero() {
                    break;
                }
            }
        } else {
            batch.extend(more);
        }
    }
    batch
}

async fn receive(mapping: &Mapping, client: &Client, max: usize, wait: i32) -> Vec<Message> {
    let answer = client
        .receive_message()
        .queue_url(&mapping.queue_url)
        .max_number_of_messages(i32::try_from(max).unwrap_or(1))
        .wait_time_seconds(wait)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .message_attribute_names("All")
        .send()
        .await;
    if let Ok(answer) = answer {
        answer.messages.unwrap_or_default()
    } else {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Vec::new()
    }
}

async fn settle(mapping: &Mapping, client: &Client, functions: &Functions, batch: Vec<Message>) {
    let records: Vec<Value> = batch.iter().map(|m| record(mapping, m)).collect();
    let ids: Vec<&str> = batch
        .iter()
        .map(|m| m.message_id().unwrap_or_default())
        .collect();
    let Ok(answer) = functions
        .invoke(&mapping.function, json!({"Records": records}))
        .await
    else {
        return;
    };
    let Ok(failed) = failures(mapping.reports_failures, &answer, &ids) else {
        return;
    };
    let done = batch
        .iter()
        .filter(|m| !failed.iter().any(|f| Some(f.as_str()) == m.message_id()));
    let handles: Vec<&str> = done.filter_map(|m| m.receipt_handle()).collect();
    for chunk in handles.chunks(RECEIVE_MAX) {
        let entries: Result<Vec<_>, _> = chunk
            .iter()
            .enumerate()
            .map(|(i, handle)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(i.to_string())
                    .receipt_handle(*handle)
                    .build()
            })
            .collect();
        let Ok(entries) = entries else { return };
        // A delete that fails means a redelivery, which every consumer of SQS must survive.
        client
            .delete_message_batch()
            .queue_url(&mapping.queue_url)
            .set_entries(Some(entries))
            .send()
            .await
            .ok();
    }
}

/// The ids that failed, as Lambda reads a response; an error means that the whole batch failed.
fn failures(reports: bool, answer: &Value, ids: &[&str]) -> Result<Vec<String>> {
    if !reports {
        return Ok(Vec::new());
    }
    let listed = match answer {
        Value::Null => return Ok(Vec::new()),
        Value::Object(map) => match map.get("batchItemFailures") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => anyhow::bail!("batchItemFailures is not a list"),
        },
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            anyhow::bail!("the response is not an object")
        }
    };
    listed
        .iter()
        .map(|item| {
            let id = item
                .get("itemIdentifier")
                .and_then(Value::as_str)
                .unwrap_or_default();
            ids.contains(&id)
                .then(|| id.to_owned())
                .context("an item identifier is empty or unknown")
        })
        .collect()
}

/// One record of the event, in the shape Lambda documents for SQS.
fn record(mapping: &Mapping, message: &Message) -> Value {
    let attributes: Map<String, Value> = message
        .attributes()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str().to_owned(), json!(value)))
        .collect();
    let custom: Map<String, Value> = message
        .message_attributes()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let mut fields = Map::new();
            if let Some(text) = value.string_value() {
                fields.insert("stringValue".to_owned(), json!(text));
            }
            if let Some(bytes) = value.binary_value() {
                use base64::Engine as _;
                let text = base64::engine::general_purpose::STANDARD.encode(bytes.as_ref());
                fields.insert("binaryValue".to_owned(), json!(text));
            }
            fields.insert("stringListValues".to_owned(), json!([]));
            fields.insert("binaryListValues".to_owned(), json!([]));
            fields.insert("dataType".to_owned(), json!(value.data_type()));
            (name.clone(), Value::Object(fields))
        })
        .collect();
    let mut out = json!({
        "messageId": message.message_id(),
        "receiptHandle": message.receipt_handle(),
        "body": message.body(),
        "attributes": attributes,
        "messageAttributes": custom,
        "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs",
        "eventSourceARN": mapping.queue_arn,
        "awsRegion": REGION,
    });
    if let (Some(md5), Some(fields)) = (message.md5_of_message_attributes(), out.as_object_mut()) {
        fields.insert("md5OfMessageAttributes".to_owned(), json!(md5));
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::failures;
    use serde_json::json;

    #[test]
    fn a_response_is_read_as_lambda_reads_it() {
        let ids = ["a", "b"];
        let check = |reports, answer, expected: Option<&[&str]>| {
            let read = failures(reports, &answer, &ids).ok();
            let expected = expected.map(|e| e.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
            assert_eq!(read, expected, "{answer}");
        };
        check(true, json!(null), Some(&[]));
        check(true, json!({}), Some(&[]));
        check(true, json!({"batchItemFailures": null}), Some(&[]));
        check(
            true,
            json!({"batchItemFailures": [{"itemIdentifier": "b"}]}),
            Some(&["b"]),
        );
        check(
            true,
            json!({"batchItemFailures": [{"itemIdentifier": ""}]}),
            None,
        );
        check(
            true,
            json!({"batchItemFailures": [{"itemIdentifier": null}]}),
            None,
        );
        check(
            true,
            json!({"batchItemFailures": [{"itemIdentifier": "unknown"}]}),
            None,
        );
        check(true, json!({"batchItemFailures": {}}), None);
        check(true, json!("done"), None);
        check(
            false,
            json!({"batchItemFailures": [{"itemIdentifier": "b"}]}),
            Some(&[]),
        );
    }
}
