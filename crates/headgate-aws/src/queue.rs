//! SQS: sending to a queue, and what a function does with a message it cannot handle.

use aws_sdk_sqs::types::MessageAttributeValue;

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
        Self { client: aws.sqs(), url: url.to_owned() }
    }

    /// Sends one message; returning means that SQS has it.
    ///
    /// # Errors
    /// [`AwsError`] when SQS did not confirm it.
    pub async fn send(&self, body: &str, attributes: &[(&str, &str)]) -> Result<(), AwsError> {
        let mut call = self.client.send_message().queue_url(&self.url).message_body(body);
        for (name, value) in attributes {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(*value)
                .build()
                .map_err(|_build| AwsError::new("SendMessage", "request not built"))?;
            call = call.message_attributes(*name, value);
        }
        call.send().await.map(|_sent| ()).map_err(|e| AwsError::of("SendMessage", &e))
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
}
