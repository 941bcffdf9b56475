//! SQS batches: each record succeeds or fails alone.
//!
//! Owns Lambda's event for SQS, the partial batch response and the running of records beside each
//! other. A failure or a panic in one record is that record's failure; the others are not handled
//! again. It does not decide what a failure means: a handler that has dealt with a poisonous
//! record returns `Ok`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use headgate_domain::time::Timestamp;
use headgate_redact::LogSafe;
use serde::{Deserialize, Serialize};

use crate::log::{Field, Level, log};

/// What Lambda hands over for SQS.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SqsEvent {
    /// The records of the batch.
    #[serde(rename = "Records", default)]
    pub records: Vec<SqsRecord>,
}

/// One SQS message.
///
/// # Privacy
/// The body may hold personal data; `Debug` does not show it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqsRecord {
    /// SQS's id of the message.
    pub message_id: String,
    /// What deletes or defers the message.
    #[serde(default)]
    pub receipt_handle: String,
    /// What the producer wrote.
    pub body: String,
    /// What SQS knows about the message.
    #[serde(default)]
    pub attributes: SystemAttributes,
    /// What the producer attached.
    #[serde(default)]
    pub message_attributes: BTreeMap<String, MessageAttribute>,
    /// The queue it came from; the one thing that says which lane it is.
    #[serde(rename = "eventSourceARN", default)]
    pub event_source_arn: String,
}

/// The attributes SQS itself sets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SystemAttributes {
    /// The principal that sent the message: proof of the producer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<String>,
    /// How often it was received, this time included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approximate_receive_count: Option<String>,
    /// When it was sent, in epoch milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_timestamp: Option<String>,
}

/// An attribute set by the producer; only text is read.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageAttribute {
    /// The text, when the attribute is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// `String`, `Number` or `Binary`.
    pub data_type: String,
}

impl fmt::Debug for MessageAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageAttribute(…)")
    }
}

impl fmt::Debug for SqsRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsRecord")
            .field("message_id", &self.message_id)
            .finish_non_exhaustive()
    }
}

impl SqsRecord {
    /// The text of a producer's attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.message_attributes.get(name)?.string_value.as_deref()
    }

    /// The principal that sent the message.
    pub fn sender_id(&self) -> Option<&str> {
        self.attributes.sender_id.as_deref()
    }

    /// How often the message was received, at least once.
    pub fn receive_count(&self) -> u32 {
        let count = self.attributes.approximate_receive_count.as_deref();
        count.and_then(|text| text.parse().ok()).unwrap_or(1)
    }

    /// When the message was put on the queue.
    pub fn sent_at(&self) -> Option<Timestamp> {
        let text = self.attributes.sent_timestamp.as_deref()?;
        text.parse().ok().map(Timestamp::from_millis)
    }
}

/// What Lambda wants back: the records to hand over again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    /// The failed records; empty when all succeeded.
    pub batch_item_failures: Vec<BatchItemFailure>,
}

/// One failed record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItemFailure {
    /// The SQS message id.
    pub item_identifier: String,
}

/// Handles the records of a batch, at most `concurrency` at a time, and reports those that failed
/// in the order they came.
///
/// Each failure is logged here, once.
pub async fn run<F, Fut, E>(event: SqsEvent, concurrency: usize, handle: F) -> BatchResponse
where
    F: Fn(SqsRecord) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: LogSafe,
{
    let ids: Vec<String> = event
        .records
        .iter()
        .map(|record| record.message_id.clone())
        .collect();
    let handle = &handle;
    let failed: BTreeSet<usize> = stream::iter(event.records.into_iter().enumerate())
        .map(|(index, record)| async move {
            let receives = record.receive_count();
            // The handler is called inside the future, so that its synchronous part may panic too.
            // Unwind safety: a record's future is dropped with its panic, and what it shares with
            // the others are clients that hold no half-made state across an await.
            let attempt = AssertUnwindSafe(async move { handle(record).await });
            let failure = match attempt.catch_unwind().await {
                Ok(Ok(())) => return None,
                Ok(Err(error)) => Field::safe(&error),
                Err(_payload) => Field::code("panicked"),
            };
            let receives = Field::number(i64::from(receives));
            log(
                Level::Error,
                "record_failed",
                &[("error", failure), ("receives", receives)],
            );
            Some(index)
        })
        .buffer_unordered(concurrency.max(1))
        .filter_map(std::future::ready)
        .collect()
        .await;
    BatchResponse {
        batch_item_failures: ids
            .into_iter()
            .enumerate()
            .filter(|(index, _id)| failed.contains(index))
            .map(|(_index, item_identifier)| BatchItemFailure { item_identifier })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn batch(bodies: &[&str]) -> SqsEvent {
        let records = bodies
            .iter()
            .enumerate()
            .map(|(index, body)| SqsRecord {
                message_id: format!("m{index}"),
                body: (*body).to_owned(),
                ..SqsRecord::default()
            })
            .collect();
        SqsEvent { records }
    }

    fn ids(response: &BatchResponse) -> Vec<&str> {
        response
            .batch_item_failures
            .iter()
            .map(|failure| failure.item_identifier.as_str())
            .collect()
    }

    #[tokio::test]
    async fn a_failure_and_a_panic_are_their_own_records_failures() {
        let event = batch(&["good", "panic", "good", "fail", "good"]);
        let response = run(event, 3, |record| async move {
            match record.body.as_str() {
                "panic" => panic!("in one record"),
                "fail" => Err("refused by the far side"),
                _ => Ok(()),
            }
        })
        .await;
        assert_eq!(ids(&response), ["m1", "m3"]);
    }

    #[tokio::test]
    async fn a_panic_before_the_first_await_is_caught_too() {
        let response = run(batch(&["a", "b"]), 2, |record| {
            assert!(record.body != "a", "before the future exists");
            std::future::ready(Ok::<(), &'static str>(()))
        })
        .await;
        assert_eq!(ids(&response), ["m0"]);
    }

    #[tokio::test]
    async fn no_more_than_the_allowed_number_run_at_once() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let bodies = vec!["x"; 40];
        let response = run(batch(&bodies), 4, |_record| async {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<(), &'static str>(())
        })
        .await;
        assert!(response.batch_item_failures.is_empty());
        assert_eq!(most.load(Ordering::SeqCst), 4);
    }

    #[test]
    fn lambdas_event_is_read_and_what_is_unknown_is_ignored() {
        let text = r#"{"Records":[{"messageId":"m","receiptHandle":"r","body":"b","new":1,
            "attributes":{"ApproximateReceiveCount":"2","SentTimestamp":"1545082649183",
            "SenderId":"AROAEXAMPLE:app","Other":"x"},"messageAttributes":{"encoding":
            {"stringValue":"zstd","dataType":"String","binaryListValues":[]}},"md5OfBody":"x",
            "eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:ca-central-1:111122223333:utility"}]}"#;
        let event: SqsEvent = serde_json::from_str(text).unwrap();
        let record = event.records.first().unwrap();
        assert_eq!(record.receive_count(), 2);
        assert_eq!(record.sender_id(), Some("AROAEXAMPLE:app"));
        assert_eq!(
            record.sent_at(),
            Some(Timestamp::from_millis(1_545_082_649_183))
        );
        assert_eq!(record.attribute("encoding"), Some("zstd"));
        assert!(record.event_source_arn.ends_with(":utility"));
    }

    #[test]
    fn the_response_is_spelled_as_lambda_wants_it() {
        let response = BatchResponse {
            batch_item_failures: vec![BatchItemFailure {
                item_identifier: "m1".to_owned(),
            }],
        };
        let text = serde_json::to_string(&response).unwrap();
        assert_eq!(text, r#"{"batchItemFailures":[{"itemIdentifier":"m1"}]}"#);
    }

    #[test]
    fn debug_does_not_show_a_body() {
        let record = SqsRecord {
            body: "canary".to_owned(),
            ..SqsRecord::default()
        };
        assert!(!format!("{record:?}").contains("canary"));
    }
}
