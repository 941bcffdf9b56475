//! What the data directory keeps: through a stop, and through a `kill -9` of the process that runs the cloud.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::too_many_lines,
    missing_docs,
    reason = "tests may fail loudly"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::MacAlgorithmSpec;
use aws_sdk_sqs::types::MessageSystemAttributeName;
use local_cloud::LocalCloud;
use support::{dynamodb, kms, options, secrets, sqs};

/// What is left in a queue: body → receive count once received.
async fn drain(cloud: &LocalCloud, output: &str) -> BTreeMap<String, String> {
    let sqs = sqs(cloud);
    let url = cloud.output(output).unwrap();
    let mut bodies = BTreeMap::new();
    loop {
        let got = sqs
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .visibility_timeout(60)
            .send()
            .await
            .unwrap();
        if got.messages().is_empty() {
            return bodies;
        }
        for message in got.messages() {
            let count = &message.attributes().unwrap()
                [&MessageSystemAttributeName::ApproximateReceiveCount];
            bodies.insert(message.body().unwrap().to_owned(), count.clone());
        }
    }
}

#[tokio::test]
async fn an_index_that_is_new_in_the_template_is_added_to_a_table_of_before_and_shows_what_is_in_it()
 {
    let directory = tempfile::tempdir().unwrap();
    let now = options(Some(directory.path().to_owned()));
    let mut before = now.clone();
    let data = before.nested.get_mut("infra/data.yaml").unwrap();
    let index = "        - IndexName: by_owner\n          KeySchema: [{AttributeName: owner, KeyType: HASH}]\n          Projection: {ProjectionType: KEYS_ONLY}\n";
    assert!(data.contains(index));
    *data = data.replace(&format!("      GlobalSecondaryIndexes:\n{index}"), "");
    *data = data.replace("        - {AttributeName: owner, AttributeType: S}\n", "");

    let cloud = LocalCloud::start(before).await.unwrap();
    let table = cloud.output("Data.ItemsTable").unwrap();
    let item =
        serde_json::json!({ "pk": { "S": "a" }, "sk": { "S": "b" }, "owner": { "S": "me" } });
    cloud.load(&table, vec![item]).await.unwrap();
    cloud.stop().await.unwrap();
    for _ in 0..2 {
        let cloud = LocalCloud::start(now.clone()).await.unwrap();
        let found = dynamodb(&cloud)
            .query()
            .table_name(&table)
            .index_name("by_owner")
            .key_condition_expression("#owner = :me")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":me", AttributeValue::S("me".to_owned()))
            .send()
            .await
            .unwrap();
        assert_eq!(found.count(), 1);
        cloud.stop().await.unwrap();
    }
}

#[tokio::test]
async fn keys_secrets_items_and_messages_are_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let start = async || {
        LocalCloud::start(options(Some(directory.path().to_owned())))
            .await
            .unwrap()
    };
    let cloud = start().await;
    let (kms_client, key, mac) = (
        kms(&cloud),
        cloud.output("Data.DataKeyArn").unwrap(),
        cloud.output("Data.MacKeyArn").unwrap(),
    );
    let wrapped = kms_client
        .generate_data_key()
        .key_id(&key)
        .number_of_bytes(32)
        .send()
        .await
        .unwrap();
    let make_mac = async |cloud: &LocalCloud| {
        kms(cloud)
            .generate_mac()
            .key_id(&mac)
            .mac_algorithm(MacAlgorithmSpec::HmacSha256)
            .message(Blob::new("m"))
            .send()
            .await
            .unwrap()
            .mac()
            .unwrap()
            .clone()
    };
    let first_mac = make_mac(&cloud).await;
    secrets(&cloud)
        .put_secret_value()
        .secret_id("local/webhook")
        .secret_string("kept")
        .send()
        .await
        .unwrap();
    dynamodb(&cloud)
        .put_item()
        .table_name(cloud.output("Data.ItemsTable").unwrap())
        .item("pk", AttributeValue::S("a".into()))
        .item("sk", AttributeValue::S("1".into()))
        .send()
        .await
        .unwrap();
    let url = cloud.output("Data.BulkQueueUrl").unwrap();
    for body in ["one", "two", "three"] {
        sqs(&cloud)
            .send_message()
            .queue_url(&url)
            .message_body(body)
            .send()
            .await
            .unwrap();
    }
    let got = sqs(&cloud)
        .receive_message()
        .queue_url(&url)
        .send()
        .await
        .unwrap();
    let handle = got.messages()[0].receipt_handle().unwrap();
    sqs(&cloud)
        .delete_message()
        .queue_url(&url)
        .receipt_handle(handle)
        .send()
        .await
        .unwrap();
    let again = LocalCloud::start(options(Some(directory.path().to_owned()))).await;
    assert!(again.unwrap_err().to_string().contains("in use"));
    cloud.stop().await.unwrap();

    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        let about = file.metadata().unwrap();
        let mode = about.permissions().mode() & 0o777;
        let private = if about.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, private, "{}", file.path().display());
    }
    let cloud = start().await;
    let opened = kms(&cloud)
        .decrypt()
        .ciphertext_blob(wrapped.ciphertext_blob().unwrap().clone())
        .send()
        .await;
    assert_eq!(opened.unwrap().plaintext(), wrapped.plaintext());
    assert_eq!(make_mac(&cloud).await, first_mac);
    let secret = secrets(&cloud)
        .get_secret_value()
        .secret_id("local/webhook")
        .send()
        .await
        .unwrap();
    assert_eq!(secret.secret_string(), Some("kept"));
    assert!(
        cloud
            .dump()
            .await
            .unwrap()
            .iter()
            .any(|(place, _)| place.ends_with("a/1"))
    );
    let left: Vec<String> = drain(&cloud, "Data.BulkQueueUrl")
        .await
        .into_keys()
        .collect();
    assert_eq!(left, ["three", "two"]);
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn a_message_tells_when_it_was_sent_by_the_calendar_of_then_and_keeps_it_through_a_restart() {
    const TURNED: i64 = -3 * 3_600_000;
    let directory = tempfile::tempdir().unwrap();
    let start = async |offset| {
        let options = options(Some(directory.path().to_owned()));
        options.calendar.set_offset_ms(offset);
        LocalCloud::start(options).await.unwrap()
    };
    let cloud = start(TURNED).await;
    let before = cloud.calendar().now_ms();
    let url = cloud.output("Data.BulkQueueUrl").unwrap();
    let sent = sqs(&cloud).send_message().queue_url(url).message_body("m");
    sent.send().await.unwrap();
    let after = cloud.calendar().now_ms();
    cloud.stop().await.unwrap();

    let cloud = start(0).await;
    let url = cloud.output("Data.BulkQueueUrl").unwrap();
    let got = sqs(&cloud)
        .receive_message()
        .queue_url(url)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap();
    let told = got.messages()[0].attributes().unwrap();
    let time = |name| told[&name].parse::<i64>().unwrap();
    let sent = time(MessageSystemAttributeName::SentTimestamp);
    assert!((before..=after).contains(&sent), "{before} {sent} {after}");
    assert!(time(MessageSystemAttributeName::ApproximateFirstReceiveTimestamp) >= sent);
    cloud.stop().await.unwrap();
}

/// Not a test of its own: the process that `a_killed_process_…` kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn runs_the_cloud_that_is_killed() {
    let Ok(directory) = std::env::var("LOCAL_CLOUD_TEST_DIRECTORY") else {
        return;
    };
    let directory = Path::new(&directory);
    let cloud = LocalCloud::start(options(Some(directory.join("data"))))
        .await
        .unwrap();
    let url = cloud.output("Data.BulkQueueUrl").unwrap();
    std::fs::write(directory.join("url.draft"), url).unwrap();
    std::fs::rename(directory.join("url.draft"), directory.join("url")).unwrap();
    tokio::time::sleep(Duration::from_mins(2)).await;
}

fn spawn(directory: &Path) -> Child {
    std::fs::remove_file(directory.join("url")).ok();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "runs_the_cloud_that_is_killed"])
        .env("LOCAL_CLOUD_TEST_DIRECTORY", directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn url_of(directory: &Path) -> String {
    for _ in 0..18_000 {
        if let Ok(url) = std::fs::read_to_string(directory.join("url")) {
            return url;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the other process did not start");
}

#[tokio::test]
async fn a_killed_process_loses_no_acknowledged_message_and_revives_no_deleted_one() {
    let directory = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut deleted) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..2 {
        let mut process = spawn(directory.path());
        let url = url_of(directory.path()).await;
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .credentials_provider(aws_credential_types::Credentials::new(
                "local", "local", None, None, "test",
            ))
            .region(aws_types::region::Region::new("eu-west-1"))
            .endpoint_url(url.split("/123456789012").next().unwrap())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .retry_config(aws_smithy_types::retry::RetryConfig::disabled())
            .build();
        let client = aws_sdk_sqs::Client::from_conf(config);
        for i in 0..60 {
            let body = format!("{round}-{i}");
            client
                .send_message()
                .queue_url(&url)
                .message_body(&body)
                .send()
                .await
                .unwrap();
            acknowledged.insert(body);
            if i % 3 == 0 {
                let got = client
                    .receive_message()
                    .queue_url(&url)
                    .send()
                    .await
                    .unwrap();
                let message = &got.messages()[0];
                client
                    .delete_message()
                    .queue_url(&url)
                    .receipt_handle(message.receipt_handle().unwrap())
                    .send()
                    .await
                    .unwrap();
                deleted.insert(message.body().unwrap().to_owned());
            }
        }
        // One stays in flight: it may come back, with its count.
        client
            .receive_message()
            .queue_url(&url)
            .send()
            .await
            .unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let journal = directory.path().join("data/sqs.journal");
    // A torn last line is a change that was never acknowledged.
    let mut content = std::fs::read(&journal).unwrap();
    content.extend_from_slice(b"{\"change\":\"gone\",\"id\":\"");
    std::fs::write(&journal, content).unwrap();
    let cloud = LocalCloud::start(options(Some(directory.path().join("data"))))
        .await
        .unwrap();
    let left = drain(&cloud, "Data.BulkQueueUrl").await;
    let expected: BTreeSet<String> = acknowledged.difference(&deleted).cloned().collect();
    assert_eq!(left.keys().cloned().collect::<BTreeSet<_>>(), expected);
    // Received once before a kill, once or twice in flight, and once now.
    assert!(left.values().any(|count| count == "2"));
    cloud.stop().await.unwrap();
}
