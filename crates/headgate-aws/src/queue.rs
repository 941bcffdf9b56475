//! SQS: sending to a queue, and reading one the way an app or an operator does.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
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
    /// SQS's id of the message; stays the same however often it is received.
    pub id: String,
    /// How often it was received, this time included; 0 unless it was asked for.
    pub receives: u32,
    /// When SQS took it, in epoch milliseconds; 0 unless it was asked for.
    pub sent_at: i64,
    /// Its attributes of type String; empty unless they were asked for.
    pub attributes: BTreeMap<String, String>,
    receipt: String,
}

impl Received {
    /// What deletes or defers the message.
    pub fn receipt(&self) -> &str {
        &self.receipt
    }

    fn of(message: Message) -> Option<Self> {
        let system = message.attributes.unwrap_or_default();
        let number = |name: &MessageSystemAttributeName| system.get(name)?.parse::<i64>().ok();
        let receives = number(&MessageSystemAttributeName::ApproximateReceiveCount);
        Some(Self {
            body: message.body?,
            id: message.message_id?,
            receives: receives.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            sent_at: number(&MessageSystemAttributeName::SentTimestamp).unwrap_or(0),
            attributes: message
                .message_attributes
                .unwrap_or_default()
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.string_value?)))
                .collect(),
            receipt: message.receipt_handle?,
        })
    }
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
        Ok(messages.filter_map(Received::of).collect())
    }

    /// Takes up to ten messages with everything SQS knows of them, and hides them from others for so long.
    ///
    /// # Errors
    /// [`AwsError`] when SQS did not answer.
    pub async fn take(
        &self,
        wait_seconds: i32,
        hide_seconds: i32,
    ) -> Result<Vec<Received>, AwsError> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(PER_CALL).unwrap_or(1))
            .wait_time_seconds(wait_seconds.clamp(0, LONGEST_POLL_SECONDS))
            .visibility_timeout(hide_seconds)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|e| AwsError::of("ReceiveMessage", &e))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages.filter_map(Received::of).collect())
    }

    /// Puts messages back: others see them at once.
    ///
    /// # Errors
    /// [`AwsError`] when SQS did not answer; they come back when they are no longer hidden. One that is
    /// visible again already is no error.
    pub async fn release(&self, messages: &[Received]) -> Result<(), AwsError> {
        for chunk in messages.chunks(PER_CALL) {
            let entries = chunk
                .iter()
                .enumerate()
                .map(|(i, m)| {
                    ChangeMessageVisibilityBatchRequestEntry::builder()
                        .id(i.to_string())
                        .receipt_handle(&m.receipt)
                        .visibility_timeout(0)
                        .build()
                })
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_build| {
                    AwsError::new("ChangeMessageVisibilityBatch", "request not built")
                })?;
            self.client
                .change_message_visibility_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries))
                .send()
                .await
                .map_err(|e| AwsError::of("ChangeMessageVisibilityBatch", &e))?;
        }
        Ok(())
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
