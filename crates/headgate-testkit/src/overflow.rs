//! A notification in the overflow bucket, as the webhook would have left it.
//!
//! Owns what stands on the wire between the two functions, written here a second time: the form of
//! a name and of a pointer, so that a change of either is seen.

use std::fmt::Write as _;

use headgate_aws::Aws;
use headgate_aws::objects::Bucket;
use headgate_domain::time::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Stores a body and gives the pointer to it.
pub async fn store(aws: &Aws, bucket: &str, body: &[u8], now: Timestamp) -> Value {
    let packed = zstd::bulk::compress(body, 0).unwrap();
    let pointer = pointer(&name(now), &packed);
    put(
        aws,
        bucket,
        pointer.get("key").unwrap().as_str().unwrap(),
        packed,
    )
    .await;
    pointer
}

/// Puts bytes under a name.
pub async fn put(aws: &Aws, bucket: &str, key: &str, bytes: Vec<u8>) {
    let bucket = Bucket::new(aws, bucket, bytes.len());
    bucket.put(key, bytes).await.unwrap();
}

/// A fresh name of a stored object.
pub fn name(now: Timestamp) -> String {
    let random = headgate_aws::random::<16>().unwrap();
    format!("{}/{}", now.day(), hex(&random))
}

/// The pointer to these bytes under this name.
pub fn pointer(key: &str, stored: &[u8]) -> Value {
    let hash = hex(&Sha256::digest(stored));
    json!({ "key": key, "bytes": stored.len(), "sha256": hash })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
