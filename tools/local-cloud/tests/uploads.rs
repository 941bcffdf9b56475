//! Uploads in parts, and puts with conditions, with the real SDK over a real socket.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests may fail loudly"
)]

mod support;

use std::collections::BTreeSet;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use local_cloud::LocalCloud;
use serde_json::Value;
use support::{options, s3, sqs};

const LEAST: usize = 5 << 20;

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

/// The fixtures with a bucket that tells a queue of what is under `files/`.
async fn telling_cloud() -> (LocalCloud, Client, String) {
    let mut options = options(None);
    options.nested.entry("infra/data.yaml".into()).and_modify(|data| {
        let bucket = "\n  Teller: {Type: AWS::S3::Bucket, Properties: {NotificationConfiguration: {QueueConfigurations: [{Event: 's3:ObjectCreated:*', Queue: !GetAtt BulkQueue.Arn, Filter: {S3Key: {Rules: [{Name: prefix, Value: files/}]}}}]}}}\nOutputs:\n  TellerName: {Value: !Ref Teller}\n";
        *data = data.replace("\nOutputs:\n", bucket);
    });
    let cloud = LocalCloud::start(options).await.unwrap();
    let bucket = cloud.output("Data.TellerName").unwrap();
    let s3 = s3(&cloud);
    (cloud, s3, bucket)
}

fn body(letter: u8, length: usize) -> ByteStream {
    ByteStream::from(vec![letter; length])
}

fn named(parts: &[(i32, &str)]) -> CompletedMultipartUpload {
    let parts = parts.iter().map(|(number, etag)| {
        CompletedPart::builder()
            .part_number(*number)
            .e_tag(*etag)
            .build()
    });
    CompletedMultipartUpload::builder()
        .set_parts(Some(parts.collect()))
        .build()
}

async fn begin(s3: &Client, bucket: &str, key: &str) -> String {
    let begun = s3.create_multipart_upload().bucket(bucket).key(key);
    let begun = begun.send().await.unwrap();
    begun.upload_id().unwrap().to_owned()
}

async fn put_part(
    s3: &Client,
    bucket: &str,
    key: &str,
    id: &str,
    number: i32,
    body: ByteStream,
) -> String {
    let part = s3.upload_part().bucket(bucket).key(key).upload_id(id);
    let put = part.part_number(number).body(body).send().await.unwrap();
    put.e_tag().unwrap().to_owned()
}

#[tokio::test]
async fn an_object_that_came_in_parts_is_there_once_it_is_complete_and_told_of_once() {
    let (cloud, s3, bucket) = telling_cloud().await;
    let key = "files/a.csv";
    let id = begin(&s3, &bucket, key).await;
    // Out of order, and the first of them twice: the later one counts.
    let last = put_part(&s3, &bucket, key, &id, 7, body(b'c', 3)).await;
    put_part(&s3, &bucket, key, &id, 2, body(b'x', 9)).await;
    let first = put_part(&s3, &bucket, key, &id, 2, body(b'a', LEAST)).await;
    let get = || s3.get_object().bucket(&bucket).key(key);
    assert_eq!(code!(get()), Some("NoSuchKey"));
    let complete = |parts: &[(i32, &str)]| {
        s3.complete_multipart_upload()
            .bucket(&bucket)
            .key(key)
            .upload_id(&id)
            .multipart_upload(named(parts))
    };
    for (parts, expected) in [
        (
            &[(7, last.as_str()), (2, first.as_str())][..],
            "InvalidPartOrder",
        ),
        (&[(2, first.as_str()), (3, last.as_str())], "InvalidPart"),
        (&[(2, last.as_str())], "InvalidPart"),
        (&[], "MalformedXML"),
    ] {
        assert_eq!(code!(complete(parts)), Some(expected));
    }
    let parts = [(2, first.as_str()), (7, last.as_str())];
    let done = complete(&parts).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""));
    let got = get().send().await.unwrap();
    assert_eq!(got.e_tag(), done.e_tag());
    let bytes = got.body.collect().await.unwrap().into_bytes();
    assert_eq!(
        (bytes.len(), bytes[0], &bytes[LEAST..]),
        (LEAST + 3, b'a', &b"ccc"[..])
    );
    assert_eq!(code!(complete(&parts)), Some("NoSuchUpload"));

    let url = cloud.output("Data.BulkQueueUrl").unwrap();
    let told = sqs(&cloud).receive_message().queue_url(url);
    let told = told.max_number_of_messages(10).send().await.unwrap();
    let told = told.messages();
    assert_eq!(told.len(), 1);
    let told: Value = serde_json::from_str(told[0].body().unwrap()).unwrap();
    let told = &told["Records"][0];
    assert_eq!(told["eventName"], "ObjectCreated:CompleteMultipartUpload");
    assert_eq!(told["s3"]["object"]["key"], key);
    assert_eq!(told["s3"]["object"]["size"], LEAST + 3);
}

#[tokio::test]
async fn a_part_is_large_enough_and_of_an_upload_that_is_not_over() {
    let (_cloud, s3, bucket) = telling_cloud().await;
    let id = begin(&s3, &bucket, "a").await;
    let mut parts = BTreeSet::new();
    for number in [1, 2] {
        parts.insert((
            number,
            put_part(&s3, &bucket, "a", &id, number, body(b'a', LEAST - 1)).await,
        ));
    }
    let parts: Vec<(i32, &str)> = parts.iter().map(|(n, tag)| (*n, tag.as_str())).collect();
    let complete = s3
        .complete_multipart_upload()
        .bucket(&bucket)
        .key("a")
        .upload_id(&id)
        .multipart_upload(named(&parts));
    assert_eq!(code!(complete), Some("EntityTooSmall"));
    let part = |key: &str, number| {
        let part = s3.upload_part().bucket(&bucket).key(key).upload_id(&id);
        part.part_number(number).body(body(b'a', 1))
    };
    for number in [0, 10_001] {
        assert_eq!(code!(part("a", number)), Some("InvalidArgument"));
    }
    assert_eq!(code!(part("b", 1)), Some("NoSuchUpload"));
    let abort = || {
        let abort = s3.abort_multipart_upload();
        abort.bucket(&bucket).key("a").upload_id(&id)
    };
    abort().send().await.unwrap();
    assert_eq!(code!(abort()), Some("NoSuchUpload"));
    assert_eq!(code!(part("a", 1)), Some("NoSuchUpload"));
}

#[tokio::test]
async fn a_put_over_an_object_may_name_the_one_it_replaces() {
    let (_cloud, s3, bucket) = telling_cloud().await;
    let put = |body| s3.put_object().bucket(&bucket).key("a").body(body);
    assert_eq!(
        code!(put(body(b'a', 1)).if_match("\"x\"")),
        Some("NoSuchKey")
    );
    let first = put(body(b'a', 1)).send().await.unwrap();
    let first = first.e_tag().unwrap();
    let over = put(body(b'b', 1)).if_match(first).send().await.unwrap();
    assert_ne!(over.e_tag(), Some(first));
    let late = put(body(b'c', 1)).if_match(first);
    assert_eq!(code!(late), Some("PreconditionFailed"));
    let got = s3.get_object().bucket(&bucket).key("a").send();
    assert_eq!(got.await.unwrap().e_tag(), over.e_tag());
}
