//! Object lock, with the real SDK over a real socket: what is put is there until its time, whoever asks.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests may fail loudly")]

mod support;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ObjectLockMode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use local_cloud::LocalCloud;
use sha2::{Digest as _, Sha256};
use support::{options, s3};

const DAY: Duration = Duration::from_hours(24);

/// What the error of a call is called.
macro_rules! code {
    ($call:expr) => {
        $call
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .code()
            .map(str::to_owned)
            .as_deref()
    };
}

/// The fixtures with a bucket that locks for ten days.
fn with_lock(lock: &str) -> local_cloud::Options {
    let mut options = options(None);
    options.nested.entry("infra/data.yaml".into()).and_modify(|data| {
        let bucket = format!("\n  Vault: {{Type: AWS::S3::Bucket, Properties: {{ObjectLockEnabled: true, ObjectLockConfiguration: {{ObjectLockEnabled: Enabled, Rule: {{DefaultRetention: {lock}}}}}}}}}\nOutputs:\n  VaultName: {{Value: !Ref Vault}}\n");
        *data = data.replace("\nOutputs:\n", &bucket);
    });
    options
}

async fn locked_cloud() -> (LocalCloud, Client, String) {
    let cloud = LocalCloud::start(with_lock("{Mode: COMPLIANCE, Days: 10}"))
        .await
        .unwrap();
    let bucket = cloud.output("Data.VaultName").unwrap();
    let s3 = s3(&cloud);
    (cloud, s3, bucket)
}

fn sum(body: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(body))
}

async fn read(s3: &Client, bucket: &str, version: Option<&str>) -> Vec<u8> {
    let get = s3.get_object().bucket(bucket).key("a");
    let got = get
        .set_version_id(version.map(str::to_owned))
        .send()
        .await
        .unwrap();
    got.body.collect().await.unwrap().into_bytes().to_vec()
}

#[tokio::test]
async fn a_locked_version_is_neither_deleted_nor_overwritten_before_its_time() {
    let (cloud, s3, bucket) = locked_cloud().await;
    let put = |body: &'static [u8]| {
        s3.put_object()
            .bucket(&bucket)
            .key("a")
            .checksum_sha256(sum(body))
            .body(ByteStream::from_static(body))
    };
    let first = put(b"one").send().await.unwrap();
    let first = first.version_id().unwrap();
    // Once more under its name only where there is nothing of that name.
    assert_eq!(
        code!(put(b"two").if_none_match("*")),
        Some("PreconditionFailed")
    );
    // Without that, another version stands before it, and it is still there.
    put(b"two").send().await.unwrap();
    assert_eq!(read(&s3, &bucket, None).await, b"two");
    assert_eq!(read(&s3, &bucket, Some(first)).await, b"one");
    // A deletion hides the name, and no version goes.
    let delete = || s3.delete_object().bucket(&bucket).key("a");
    delete().send().await.unwrap();
    assert_eq!(
        code!(s3.get_object().bucket(&bucket).key("a")),
        Some("NoSuchKey")
    );
    assert_eq!(read(&s3, &bucket, Some(first)).await, b"one");
    assert_eq!(code!(delete().version_id(first)), Some("AccessDenied"));
    cloud.turn_calendar(DAY * 9, |_, _| {}).await.unwrap();
    assert_eq!(code!(delete().version_id(first)), Some("AccessDenied"));
    cloud.turn_calendar(DAY * 2, |_, _| {}).await.unwrap();
    delete().version_id(first).send().await.unwrap();
    let gone = s3.get_object().bucket(&bucket).key("a").version_id(first);
    assert_eq!(code!(gone), Some("NoSuchKey"));
}

#[tokio::test]
async fn a_put_says_what_it_is_and_may_lock_longer() {
    let (cloud, s3, bucket) = locked_cloud().await;
    let put = || {
        s3.put_object()
            .bucket(&bucket)
            .key("a")
            .body(ByteStream::from_static(b"one"))
    };
    assert_eq!(code!(put()), Some("InvalidRequest"));
    let put = || put().checksum_sha256(sum(b"one"));
    let wrong = put().checksum_sha256("AAAA");
    assert_eq!(code!(wrong), Some("BadDigest"));
    let half = put().object_lock_mode(ObjectLockMode::Compliance);
    assert_eq!(code!(half), Some("InvalidArgument"));
    let in_the_past = locked(put(), 0);
    assert_eq!(code!(in_the_past), Some("InvalidArgument"));
    let longer = locked(put(), cloud.calendar().now_ms() / 1000 + 20 * 86_400);
    let version = longer.send().await.unwrap();
    let version = version.version_id().unwrap();
    cloud.turn_calendar(DAY * 19, |_, _| {}).await.unwrap();
    let delete = s3
        .delete_object()
        .bucket(&bucket)
        .key("a")
        .version_id(version);
    assert_eq!(code!(delete), Some("AccessDenied"));
    // A bucket without object lock takes no such header.
    let shelf = cloud.output("Data.ShelfName").unwrap();
    let elsewhere = locked(put().bucket(shelf), 4_000_000_000);
    assert_eq!(code!(elsewhere), Some("InvalidRequest"));
}

fn locked(
    put: aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder,
    until: i64,
) -> aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder {
    put.object_lock_mode(ObjectLockMode::Compliance)
        .object_lock_retain_until_date(DateTime::from_secs(until))
}

#[tokio::test]
async fn a_lock_that_cannot_be_kept_here_does_not_start() {
    for (lock, wanted) in [
        ("{Mode: GOVERNANCE, Days: 1}", "other than COMPLIANCE"),
        ("{Mode: COMPLIANCE}", "in days or in years"),
    ] {
        let error = LocalCloud::start(with_lock(lock)).await.err().unwrap();
        assert!(format!("{error:#}").contains(wanted), "{error:#}");
    }
}
