//! SQS: sending to a queue, and reading one the way an app does.

use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageAttributeValue, QueueAttributeName,
    SendMessageBatchRequestEntry,
};

use crate::{Aws, AwsError};

/// One queue to send to.
#[derive(Clone)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Queue {
    /// The queue at a URL.
    pub fn new(aws: &Aws, url: &str) -> Self {
        Self {
            client: aws.sqs(),
            url: url.to_owned(),
        }
    }

    /// Sends one message; returning means that SQS has it.
    ///
    /// # Errors
    /// [`AwsError`] when SQS did not confirm it.
    pub async fn send(&self, body: &str, attributes: &[(&str, &str)]) -> Result<(), AwsError> {
        let mut call = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body);
        for (name, value) in attributes {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(*value)
                .build()
                .map_err(|_build| AwsError::new("SendMessage", "request not built"))?;
            call = call.message_attributes(*name, value);
        }
        call.send()
            .await
            .map(|_sent| ())
            .map_err(|e| AwsError::of("SendMessage", &e))
    }

    /// Sends a message that becomes visible only after a delay of up to 900 seconds.
    ///
    /// # Errors
    /// [`AwsError`] when SQS did not confirm it.
    pub async fn send_after(&self, body: &str, seconds: i32) -> Result<(), AwsError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .delay_seconds(seconds.clamp(0, 900))
            .send()
            .await
            .map(|_sent| ())
            .map_err(|e| AwsError::of("SendMessage", &e))
    }

    /// Sends messages, ten a call; returning means that SQS has all of them.
    ///
    /// # Errors
    /// [`AwsError`] when SQS refused one; those before it were sent.
    pub async fn send_batch(&self, bodies: &[String]) -> Result<(), AwsError> {
        for chunk in bodies.chunks(PER_CALL) {
            let entries = chunk
                .iter()
                .enumerate()
                .map(|(i, body)| {
                    SendMessageBatchRequestEntry::builder()
                        .id(i.to_string())
                        .message_body(body)
                        .build()
                })
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_build| AwsError::new("SendMessageBatch", "request not built"))?;
            let call = self
                .client
                .send_message_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries));
            let answer = call
                .send()
                .await
                .map_err(|e| AwsError::of("SendMessageBatch", &e))?;
            if let Some(refused) = answer.failed().first() {
                return Err(AwsError::new("SendMessageBatch", refused.code()));
            }
        }
        Ok(())
    }
}

/// The most messages SQS takes or gives in one call.
const PER_CALL: usize = 10;
/// A poll waits less than a call may take (`client`).
const LONGEST_POLL_SECONDS: i32 = 4;

/// A message taken from a queue; it comes back unless it is deleted.
///
/// # Privacy
/// The body may hold personal data, so there is no `Debug`.
pub struct Received {
    /// What the producer wrote.
    pub body: String,
    receipt: String,
}

/// How full a queue is, as far as SQS knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting to be received.
    pub waiting: u64,
    /// Received and not yet deleted.
    pub in_flight: u64,
    /// Not visible before a delay ends.
    pub delayed: u64,
}

/// One queue to read from, as an app reads `app-events`.
#[derive(Clone)]
pub struct Reader {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl Reader {
    /// The queue at a URL.
    pub fn new(aws: &Aws, url: &str) -> Self {
        Self {
            client: aws.sqs(),
            url: url.to_owned(),
        }
    }

    /// Takes up to ten messages, waiting for the first up to `wait_seconds` (at most four).
    ///
    /// # Errors
    /// [`AwsError`] when SQS did not answer.
    pub async fn receive(&self, wait_seconds: i32) -> Result<Vec<Received>, AwsError> {
        let call = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(PER_CALL).unwrap_or(1))
            .wait_time_seconds(wait_seconds.clamp(0, LONGEST_POLL_SECONDS));
        let answer = call
            .send()
            .await
            .map_err(|e| AwsError::of("ReceiveMessage", &e))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages
            .filter_map(|m| {
                Some(Received {
                    body: m.body?,
                    receipt: m.receipt_handle?,
                })
            })
            .collect())
    }

    /// Deletes messages that were dealt with.
    ///
    /// # Errors
    /// [`AwsError`] when SQS did not delete all of them; those come again.
    pub async fn delete(&self, messages: &[Received]) -> Result<(), AwsError> {
        for chunk in messages.chunks(PER_CALL) {
            let entries = chunk
                .iter()
                .enumerate()
                .map(|(i, m)| {
                    DeleteMessageBatchRequestEntry::builder()
                        .id(i.to_string())
                        .receipt_handle(&m.receipt)
                        .build()
                })
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_build| AwsError::new("DeleteMessageBatch", "request not built"))?;
            let call = self
                .client
                .delete_message_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries));
            let answer = call
                .send()
                .await
                .map_err(|e| AwsError::of("DeleteMessageBatch", &e))?;
            if let Some(refused) = answer.failed().first() {
                return Err(AwsError::new("DeleteMessageBatch", refused.code()));
            }
        }
        Ok(())
    }

    /// How full the queue is, approximately.
    ///
    /// # Errors
    /// [`AwsError`] when SQS did not answer.
    pub async fn depth(&self) -> Result<Depth, AwsError> {
        let call = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::All);
        let answer = call
            .send()
            .await
            .map_err(|e| AwsError::of("GetQueueAttributes", &e))?;
        let attributes = answer.attributes.unwrap_or_default();
        let count = |name: &QueueAttributeName| {
            attributes
                .get(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        };
        Ok(Depth {
            waiting: count(&QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: count(&QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            delayed: count(&QueueAttributeName::ApproximateNumberOfMessagesDelayed),
        })
    }
}
