//! S3, with the real SDK over a real socket: objects, the errors that matter, signatures, and how objects go.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    missing_docs,
    reason = "tests may fail loudly"
)]

mod support;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use local_cloud::{LocalCloud, Service};
use support::{cloud, options, s3, s3_as};

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

fn shelf(cloud: &LocalCloud) -> String {
    cloud.output("Data.ShelfName").unwrap()
}

async fn put(s3: &Client, bucket: &str, key: &str, body: &'static [u8]) {
    let body = ByteStream::from_static(body);
    let call = s3.put_object().bucket(bucket).key(key).body(body);
    call.send().await.unwrap();
}

async fn names(s3: &Client, bucket: &str) -> Vec<String> {
    let listed = s3.list_objects_v2().bucket(bucket).send().await.unwrap();
    let objects = listed.contents().iter();
    objects.map(|o| o.key().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_object_is_read_as_it_was_put_and_gone_once_it_is_deleted() {
    let cloud = cloud().await;
    let (s3, bucket) = (s3(&cloud), shelf(&cloud));
    assert_eq!(bucket, "local-shelf-123456789012");
    let arn = cloud.output("Data.ShelfArn").unwrap();
    assert_eq!(arn, format!("arn:aws:s3:::{bucket}"));
    let get = |key: &str| s3.get_object().bucket(&bucket).key(key);

    assert_eq!(code!(get("2026-11-28/a")), Some("NoSuchKey"));
    put(&s3, &bucket, "2026-11-28/a", b"\x00\xffone").await;
    put(&s3, &bucket, "2026-11-28/a", b"\x00\xfftwo").await;
    let got = get("2026-11-28/a").send().await.unwrap();
    assert_eq!(got.content_length(), Some(5));
    let bytes = got.body.collect().await.unwrap().into_bytes();
    assert_eq!(bytes.as_ref(), b"\x00\xfftwo");

    for _ in 0..2 {
        let delete = s3.delete_object().bucket(&bucket).key("2026-11-28/a");
        delete.send().await.unwrap();
        assert_eq!(code!(get("2026-11-28/a")), Some("NoSuchKey"));
    }
    let nowhere = s3.get_object().bucket("nowhere").key("a");
    assert_eq!(code!(nowhere), Some("NoSuchBucket"));
    let long = "a".repeat(1025);
    assert_eq!(code!(get(&long)), Some("KeyTooLongError"));
    put(&s3, &bucket, "a", b"012345").await;
    for (range, expected) in [("bytes=0-1", "01"), ("bytes=4-9", "45")] {
        let part = get("a").range(range).send().await.unwrap();
        let bytes = part.body.collect().await.unwrap().into_bytes();
        assert_eq!(bytes, expected, "{range}");
    }
    assert_eq!(code!(get("a").range("bytes=6-9")), Some("InvalidRange"));
    assert_eq!(code!(get("a").range("bytes=-2")), Some("NotImplemented"));
    assert_eq!(
        cloud.counters().calls[&(Service::S3, "PutObject".to_owned())],
        3
    );
}

#[tokio::test]
async fn a_list_is_in_order_by_prefix_and_in_pages() {
    let cloud = cloud().await;
    let (s3, bucket) = (s3(&cloud), shelf(&cloud));
    for key in ["b/2", "a/1", "b/1", "b/3"] {
        put(&s3, &bucket, key, b"x").await;
    }
    assert_eq!(names(&s3, &bucket).await, ["a/1", "b/1", "b/2", "b/3"]);
    let list = || {
        s3.list_objects_v2()
            .bucket(&bucket)
            .prefix("b/")
            .max_keys(2)
    };
    let first = list().send().await.unwrap();
    let page = |page: &[aws_sdk_s3::types::Object]| -> Vec<(String, Option<i64>)> {
        let named = page.iter().map(|o| (o.key().unwrap().to_owned(), o.size()));
        named.collect()
    };
    let sized = |key: &str| (key.to_owned(), Some(1));
    assert_eq!(page(first.contents()), [sized("b/1"), sized("b/2")]);
    assert_eq!(first.is_truncated(), Some(true));
    let token = first.next_continuation_token().unwrap();
    let second = list().continuation_token(token).send().await.unwrap();
    assert_eq!(page(second.contents()), [sized("b/3")]);
    assert_eq!(second.is_truncated(), Some(false));
}

#[tokio::test]
async fn nobody_is_answered_who_signs_with_another_secret() {
    let cloud = cloud().await;
    let (stranger, bucket) = (s3_as(&cloud, "another"), shelf(&cloud));
    let body = ByteStream::from_static(b"x");
    let put = stranger.put_object().bucket(&bucket).key("a").body(body);
    assert_eq!(code!(put), Some("SignatureDoesNotMatch"));
    assert!(names(&s3(&cloud), &bucket).await.is_empty());

    let url = format!("{}/{bucket}/a", cloud.endpoint(Service::S3));
    // reqwest insists on a TLS provider, though nothing here is TLS.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let answer = reqwest::Client::new().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("<Code>AccessDenied</Code>")
    );
}

#[tokio::test]
async fn objects_go_by_the_rule_of_their_bucket_and_the_calendar() {
    let cloud = cloud().await;
    let (s3, bucket) = (s3(&cloud), shelf(&cloud));
    let keeper = cloud.output("Data.KeeperName").unwrap();
    for bucket in [&bucket, &keeper] {
        put(&s3, bucket, "2026-11-28/a", b"in clear").await;
    }
    let places = async || -> Vec<String> {
        let dump = cloud.dump().await.unwrap();
        let objects = dump.into_iter().filter(|(_, text)| text == "in clear");
        objects.map(|(place, _)| place).collect()
    };
    let kept = format!("bucket {keeper} object 2026-11-28/a");
    let both = [kept.clone(), format!("bucket {bucket} object 2026-11-28/a")];
    assert_eq!(places().await, both);
    // Put at nine in the morning: six days later it is there, and at the midnight after it is not.
    cloud.turn_calendar(6 * DAY, |_, _| {}).await.unwrap();
    assert_eq!(places().await, both);
    cloud.turn_calendar(DAY * 5 / 8, |_, _| {}).await.unwrap();
    assert_eq!(cloud.sweep_expired().await.unwrap(), 1);
    assert_eq!(places().await, [kept]);
    assert!(names(&s3, &bucket).await.is_empty());
}

#[tokio::test]
async fn objects_are_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let start = || LocalCloud::start(options(Some(directory.path().to_owned())));
    let cloud = start().await.unwrap();
    put(&s3(&cloud), &shelf(&cloud), "a", b"\x00\xff").await;
    // Not stopped: what was answered is written.
    drop(cloud);
    let cloud = loop {
        match start().await {
            Ok(cloud) => break cloud,
            Err(_still_closing) => tokio::task::yield_now().await,
        }
    };
    let get = s3(&cloud).get_object().bucket(shelf(&cloud)).key("a");
    let body = get.send().await.unwrap().body.collect().await.unwrap();
    assert_eq!(body.into_bytes().as_ref(), b"\x00\xff");
}

#[tokio::test]
async fn a_rule_for_a_part_of_a_bucket_does_not_start() {
    let mut options = options(None);
    options
        .nested
        .entry("infra/data.yaml".into())
        .and_modify(|data| {
            *data = data.replace("ExpirationInDays: 6", "ExpirationInDays: 6, Prefix: a/");
        });
    let error = LocalCloud::start(options).await.err().unwrap();
    assert!(format!("{error:#}").contains("a part of a bucket"));
}
