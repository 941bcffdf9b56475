//! What a bucket says to queues: that an object was put.
//!
//! Promises one message for each object that was stored, with the name as S3 writes it. Deliberately has no other
//! events, no suffixes and no other targets.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::json;

use super::Buckets;
use super::operations::Asked;
use crate::environment::{ACCESS_KEY_ID, caller};
use crate::sqs::Sqs;

/// What the template says a bucket tells, and whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notify {
    /// Objects whose names begin so.
    pub(crate) prefix: String,
    /// The name of the queue.
    pub(crate) queue: String,
}

/// The notifications of all buckets.
pub(crate) struct Notifications {
    pub(crate) of: BTreeMap<String, Vec<Notify>>,
    pub(crate) sqs: Arc<Sqs>,
    pub(crate) buckets: Arc<Buckets>,
}

impl Notifications {
    /// Tells of an object, if the request put one.
    pub(crate) fn after(&self, request: &Request<Bytes>, response: &Response<Bytes>) {
        let asked = Asked::of(request);
        let event = match asked.operation() {
            "PutObject" => "ObjectCreated:Put",
            "CompleteMultipartUpload" => "ObjectCreated:CompleteMultipartUpload",
            _ => return,
        };
        if !response.status().is_success() {
            return;
        }
        let by = caller(request.headers()).unwrap_or_else(|| ACCESS_KEY_ID.to_owned());
        let size = self.buckets.size(asked.bucket, asked.key());
        for notify in self.of.get(asked.bucket).into_iter().flatten() {
            if !asked.key().starts_with(&notify.prefix) {
                continue;
            }
            let body = json!({ "Records": [{
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "eventName": event,
                "userIdentity": { "principalId": format!("AWS:{by}") },
                "s3": {
                    "bucket": { "name": asked.bucket },
                    "object": { "key": asked.key(), "size": size },
                },
            }] });
            // The queue is one of the template's: there is nobody to tell of a state that cannot be written.
            self.sqs.deliver(&notify.queue, body.to_string()).ok();
        }
    }
}
