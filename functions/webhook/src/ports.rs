//! What the webhook asks of the outside: its secret, a queue, and a place for what no message holds.
//!
//! Owns the port, so that every answer can be shown without AWS, and the adapter to AWS.

use std::pin::Pin;

use headgate_aws::objects::Bucket;
use headgate_aws::queue::Queue;
use headgate_aws::secrets::Secrets;
use headgate_aws::{Aws, AwsError};
use headgate_redact::Secret;
use headgate_webhook::overflow::{LARGEST_OBJECT, ObjectKey};
use headgate_webhook::queue_body::{ENCODING_ATTRIBUTE, Encoded};

use crate::config::Config;

/// A future of a port.
pub type PortFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, AwsError>> + Send + 'a>>;

/// What the webhook needs from the outside.
pub trait Ports: Send + Sync {
    /// Makes a notification durable; returning `Ok` means that it is.
    fn enqueue(&self, body: Encoded) -> PortFuture<'_, ()>;

    /// Stores what fits no queue message; returning `Ok` means that a pointer to it can be queued.
    fn store(&self, key: ObjectKey, bytes: Vec<u8>) -> PortFuture<'_, ()>;

    /// Reads the webhook's secret as it is now.
    fn read_secret(&self) -> PortFuture<'_, Secret<String>>;
}

/// The port in AWS: SQS, S3 and Secrets Manager.
pub struct AwsPorts {
    queue: Queue,
    overflow: Bucket,
    secrets: Secrets,
    secret_id: String,
}

impl AwsPorts {
    /// Connects to the queue, the bucket and the secret the configuration names.
    pub fn new(aws: &Aws, config: &Config) -> Self {
        Self {
            queue: Queue::new(aws, &config.notifications_queue_url),
            overflow: Bucket::new(aws, &config.overflow_bucket, LARGEST_OBJECT),
            secrets: Secrets::new(aws),
            secret_id: config.secret_id.clone(),
        }
    }
}

impl Ports for AwsPorts {
    fn enqueue(&self, body: Encoded) -> PortFuture<'_, ()> {
        Box::pin(async move {
            let attributes = body.encoding.map(|encoding| (ENCODING_ATTRIBUTE, encoding));
            self.queue.send(&body.text, attributes.as_slice()).await
        })
    }

    fn store(&self, key: ObjectKey, bytes: Vec<u8>) -> PortFuture<'_, ()> {
        Box::pin(async move { self.overflow.put(key.as_str(), bytes).await })
    }

    fn read_secret(&self) -> PortFuture<'_, Secret<String>> {
        Box::pin(self.secrets.read(&self.secret_id))
    }
}
