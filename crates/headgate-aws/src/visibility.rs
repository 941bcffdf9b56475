//! When a message of a queue comes again: sooner or later than the queue's own timeout.

use crate::{Aws, AwsError};

/// Nothing of ours waits longer than this between two tries.
pub const LONGEST_SECONDS: i32 = 900;
/// SQS keeps a message back for at most twelve hours from when it was received.
const LONGEST_HOLD_SECONDS: i32 = 39_600;

/// Defers messages that were received and not dealt with.
#[derive(Clone)]
pub struct Visibility {
    client: aws_sdk_sqs::Client,
}

impl Visibility {
    /// For any queue of the deployment.
    pub fn new(aws: &Aws) -> Self {
        Self { client: aws.sqs() }
    }

    /// Lets a message come again after some seconds, at most 900.
    ///
    /// # Errors
    /// [`AwsError`] when SQS did not take it; the message then comes when the queue's timeout ends.
    pub async fn defer(&self, queue: &str, receipt: &str, seconds: i32) -> Result<(), AwsError> {
        self.change(queue, receipt, seconds.clamp(0, LONGEST_SECONDS))
            .await
    }

    /// Lets a message come again much later, at most eleven hours: what waits for another day comes again twice.
    ///
    /// # Errors
    /// As for [`Self::defer`].
    pub async fn hold(&self, queue: &str, receipt: &str, seconds: i64) -> Result<(), AwsError> {
        let seconds = i32::try_from(seconds).unwrap_or(LONGEST_HOLD_SECONDS);
        self.change(queue, receipt, seconds.clamp(0, LONGEST_HOLD_SECONDS))
            .await
    }

    async fn change(&self, queue: &str, receipt: &str, seconds: i32) -> Result<(), AwsError> {
        self.client
            .change_message_visibility()
            .queue_url(queue)
            .receipt_handle(receipt)
            .visibility_timeout(seconds)
            .send()
            .await
            .map(|_changed| ())
            .map_err(|e| AwsError::of("ChangeMessageVisibility", &e))
    }
}
