//! The contract: every AWS call Headgate makes, with the real SDK over a real socket, success and the error that matters.
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

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, KeysAndAttributes, Put, PutRequest, ReturnValue,
    ReturnValuesOnConditionCheckFailure, TransactWriteItem, WriteRequest,
};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, MacAlgorithmSpec};
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName, SendMessageBatchRequestEntry,
};
use local_cloud::{LocalCloud, Service};
use support::{cloud, dynamodb, eventbridge, kms, secrets, sqs};

fn s(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn n(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn key(pk: &str, sk: &str) -> HashMap<String, AttributeValue> {
    [("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))].into()
}

fn item(pk: &str, sk: &str, owner: &str) -> HashMap<String, AttributeValue> {
    let mut item = key(pk, sk);
    item.insert("owner".to_owned(), s(owner));
    item.insert("seq".to_owned(), n(1));
    item
}

fn table(cloud: &LocalCloud) -> String {
    cloud.output("Data.ItemsTable").unwrap()
}

#[tokio::test]
async fn dynamodb_writes_one_item_only_if_its_condition_holds_and_shows_the_one_that_was_there() {
    let cloud = cloud().await;
    let (db, table) = (dynamodb(&cloud), table(&cloud));
    let put = || {
        db.put_item()
            .table_name(&table)
            .set_item(Some(item("a", "1", "o")))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
    };
    put().await.unwrap();
    let refused = put().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(e) =
        refused
    else {
        panic!("{refused}")
    };
    assert_eq!(e.item().unwrap()["owner"], s("o"));

    let update = |expected: i64, returned: ReturnValue| {
        db.update_item()
            .table_name(&table)
            .set_key(Some(key("a", "1")))
            .update_expression("SET seq = seq + :one, lease = :l")
            .condition_expression("seq = :expected")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":l", s("me"))
            .expression_attribute_values(":expected", n(expected))
            .return_values(returned)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
    };
    let new = update(1, ReturnValue::AllNew).await.unwrap();
    assert_eq!(new.attributes().unwrap()["seq"], n(2));
    let old = update(2, ReturnValue::AllOld).await.unwrap();
    assert_eq!(old.attributes().unwrap()["seq"], n(2));
    let refused = update(1, ReturnValue::AllNew)
        .await
        .unwrap_err()
        .into_service_error();
    assert!(refused.is_conditional_check_failed_exception());

    let got = db
        .get_item()
        .table_name(&table)
        .set_key(Some(key("a", "1")))
        .consistent_read(true)
        .send();
    assert_eq!(got.await.unwrap().item().unwrap()["seq"], n(3));
    let absent = db
        .get_item()
        .table_name(&table)
        .set_key(Some(key("a", "2")))
        .send()
        .await
        .unwrap();
    assert!(absent.item().is_none());

    let deleted = db
        .delete_item()
        .table_name(&table)
        .set_key(Some(key("a", "1")))
        .return_values(ReturnValue::AllOld)
        .send();
    assert_eq!(
        deleted.await.unwrap().attributes().unwrap()["lease"],
        s("me")
    );
    let unknown = db
        .get_item()
        .table_name("nowhere")
        .set_key(Some(key("a", "1")))
        .send()
        .await;
    assert!(
        unknown
            .unwrap_err()
            .into_service_error()
            .is_resource_not_found_exception()
    );
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn dynamodb_pages_through_a_query_and_an_index_that_holds_keys_only() {
    let cloud = cloud().await;
    let (db, table) = (dynamodb(&cloud), table(&cloud));
    for chunk in 0..2 {
        let writes = (0..25).map(|i| {
            let item = item("q", &format!("{:03}", chunk * 25 + i), "someone");
            WriteRequest::builder()
                .put_request(PutRequest::builder().set_item(Some(item)).build().unwrap())
                .build()
        });
        let done = db
            .batch_write_item()
            .request_items(&table, writes.collect())
            .send()
            .await
            .unwrap();
        assert!(done.unprocessed_items().is_none_or(HashMap::is_empty));
    }
    let too_many = (0..26).map(|i| {
        WriteRequest::builder()
            .put_request(
                PutRequest::builder()
                    .set_item(Some(item("t", &i.to_string(), "o")))
                    .build()
                    .unwrap(),
            )
            .build()
    });
    let refused = db
        .batch_write_item()
        .request_items(&table, too_many.collect())
        .send()
        .await;
    assert_eq!(
        refused.unwrap_err().into_service_error().code(),
        Some("ValidationException")
    );

    let mut seen = Vec::new();
    let mut start = None;
    loop {
        let page = db
            .query()
            .table_name(&table)
            .key_condition_expression("pk = :pk AND sk >= :from")
            .expression_attribute_values(":pk", s("q"))
            .expression_attribute_values(":from", s("010"))
            .scan_index_forward(true)
            .consistent_read(true)
            .limit(7)
            .set_exclusive_start_key(start)
            .send()
            .await
            .unwrap();
        seen.extend(page.items().iter().map(|i| i["sk"].as_s().unwrap().clone()));
        start = page.last_evaluated_key().cloned();
        if start.is_none() {
            break;
        }
    }
    assert_eq!(
        seen,
        (10..50).map(|i| format!("{i:03}")).collect::<Vec<_>>()
    );

    let mut count = 0;
    let mut start = None;
    loop {
        let page = db
            .query()
            .table_name(&table)
            .index_name("by_owner")
            .key_condition_expression("#o = :o")
            .expression_attribute_names("#o", "owner")
            .expression_attribute_values(":o", s("someone"))
            .limit(20)
            .set_exclusive_start_key(start)
            .send()
            .await
            .unwrap();
        count += page.items().len();
        assert!(
            page.items()
                .iter()
                .all(|i| i.len() == 3 && !i.contains_key("seq"))
        );
        start = page.last_evaluated_key().cloned();
        if start.is_none() {
            break;
        }
    }
    assert_eq!(count, 50);

    let keys = |count: usize| {
        (0..count).fold(
            KeysAndAttributes::builder().consistent_read(true),
            |k, i| k.keys(key("q", &format!("{i:03}"))),
        )
    };
    let got = db
        .batch_get_item()
        .request_items(&table, keys(100).build().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(got.responses().unwrap()[&table].len(), 50);
    let refused = db
        .batch_get_item()
        .request_items(&table, keys(101).build().unwrap())
        .send()
        .await;
    assert_eq!(
        refused.unwrap_err().into_service_error().code(),
        Some("ValidationException")
    );
    assert_eq!(
        cloud.counters().calls_of(Service::Dynamodb, "BatchGetItem"),
        2
    );
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn dynamodb_transactions_happen_as_a_whole_and_say_why_not() {
    let cloud = cloud().await;
    let (db, table) = (dynamodb(&cloud), table(&cloud));
    let put = |pk: &str| {
        let put = Put::builder()
            .table_name(&table)
            .set_item(Some(item(pk, "1", "o")))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .unwrap();
        TransactWriteItem::builder().put(put).build()
    };
    db.transact_write_items()
        .transact_items(put("x"))
        .transact_items(put("y"))
        .send()
        .await
        .unwrap();
    let refused = db
        .transact_write_items()
        .transact_items(put("z"))
        .transact_items(put("y"))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(e) =
        refused
    else {
        panic!("{refused}")
    };
    let reasons: Vec<_> = e
        .cancellation_reasons()
        .iter()
        .map(|r| r.code().unwrap_or("None"))
        .collect();
    assert_eq!(reasons, ["None", "ConditionalCheckFailed"]);
    assert_eq!(e.cancellation_reasons()[1].item().unwrap()["pk"], s("y"));
    let z = db
        .get_item()
        .table_name(&table)
        .set_key(Some(key("z", "1")))
        .send()
        .await
        .unwrap();
    assert!(z.item().is_none());
    let delete = Delete::builder()
        .table_name(&table)
        .set_key(Some(key("x", "1")))
        .build()
        .unwrap();
    let once = || {
        db.transact_write_items()
            .client_request_token("token-1")
            .transact_items(TransactWriteItem::builder().delete(delete.clone()).build())
            .send()
    };
    once().await.unwrap();
    once().await.unwrap();
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn kms_keys_wrap_data_keys_in_their_context_and_make_stable_macs() {
    let cloud = cloud().await;
    let kms = kms(&cloud);
    let data_key = cloud.output("Data.DataKeyArn").unwrap();
    let mac_key = cloud.output("Data.MacKeyArn").unwrap();
    let wrapped = kms
        .generate_data_key_without_plaintext()
        .key_id(&data_key)
        .key_spec(DataKeySpec::Aes256)
        .encryption_context("day", "2026-11-22")
        .send()
        .await
        .unwrap();
    let open = |blob: Blob, day: &str| {
        kms.decrypt()
            .key_id(&data_key)
            .ciphertext_blob(blob)
            .encryption_context("day", day)
            .send()
    };
    let blob = wrapped.ciphertext_blob().unwrap().clone();
    let plain = open(blob.clone(), "2026-11-22").await.unwrap();
    assert_eq!(plain.plaintext().unwrap().as_ref().len(), 32);
    let other = open(blob.clone(), "2026-11-23")
        .await
        .unwrap_err()
        .into_service_error();
    assert!(other.is_invalid_ciphertext_exception(), "{other}");
    let mut bent = blob.into_inner();
    *bent.last_mut().unwrap() ^= 1;
    let bent = open(Blob::new(bent), "2026-11-22")
        .await
        .unwrap_err()
        .into_service_error();
    assert!(bent.is_invalid_ciphertext_exception(), "{bent}");

    let both = kms
        .generate_data_key()
        .key_id("alias/local-data")
        .number_of_bytes(32)
        .send()
        .await
        .unwrap();
    let again = kms
        .decrypt()
        .ciphertext_blob(both.ciphertext_blob().unwrap().clone())
        .send()
        .await
        .unwrap();
    assert_eq!(again.plaintext(), both.plaintext());
    assert_eq!(again.key_id(), Some(data_key.as_str()));

    let mac = |message: &'static str| {
        kms.generate_mac()
            .key_id(&mac_key)
            .mac_algorithm(MacAlgorithmSpec::HmacSha256)
            .message(Blob::new(message))
            .send()
    };
    let (one, two, three) = (
        mac("a").await.unwrap(),
        mac("a").await.unwrap(),
        mac("b").await.unwrap(),
    );
    assert_eq!(one.mac().unwrap().as_ref().len(), 32);
    assert_eq!(one.mac(), two.mac());
    assert_ne!(one.mac(), three.mac());
    let wrong = kms
        .generate_mac()
        .key_id(&data_key)
        .mac_algorithm(MacAlgorithmSpec::HmacSha256)
        .message(Blob::new("a"))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(wrong.is_invalid_key_usage_exception(), "{wrong}");
    let absent = kms
        .generate_data_key()
        .key_id("alias/none")
        .number_of_bytes(32)
        .send()
        .await;
    assert!(
        absent
            .unwrap_err()
            .into_service_error()
            .is_not_found_exception()
    );
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn secrets_have_a_current_and_a_previous_version() {
    let cloud = cloud().await;
    let secrets = secrets(&cloud);
    let arn = cloud.output("Data.Secret").unwrap();
    let read = |id: &str| secrets.get_secret_value().secret_id(id).send();
    assert_eq!(
        read("local/webhook").await.unwrap().secret_string(),
        Some(r#"{"app_secrets":[]}"#)
    );
    secrets
        .put_secret_value()
        .secret_id(&arn)
        .secret_string("two")
        .send()
        .await
        .unwrap();
    assert_eq!(read(&arn).await.unwrap().secret_string(), Some("two"));
    let previous = secrets
        .get_secret_value()
        .secret_id(&arn)
        .version_stage("AWSPREVIOUS")
        .send();
    assert_eq!(
        previous.await.unwrap().secret_string(),
        Some(r#"{"app_secrets":[]}"#)
    );
    cloud.put_secret("Secret", "three").await.unwrap();
    assert_eq!(read(&arn).await.unwrap().secret_string(), Some("three"));
    let absent = read("nothing").await.unwrap_err().into_service_error();
    assert!(absent.is_resource_not_found_exception(), "{absent}");
    assert!(cloud.put_secret("nothing", "x").await.is_err());
    cloud.stop().await.unwrap();
}

fn entry(id: usize, body: String) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder()
        .id(id.to_string())
        .message_body(body)
        .build()
        .unwrap()
}

#[tokio::test]
async fn sqs_enforces_ten_entries_and_one_mebibyte() {
    let cloud = cloud().await;
    let sqs = sqs(&cloud);
    let url = cloud.output("Data.PlainQueueUrl").unwrap();
    let batch = |count: usize, size: usize| {
        let entries = (0..count).map(|i| entry(i, "x".repeat(size))).collect();
        sqs.send_message_batch()
            .queue_url(&url)
            .set_entries(Some(entries))
            .send()
    };
    let refused = batch(11, 1).await.unwrap_err().into_service_error();
    assert!(refused.is_too_many_entries_in_batch_request(), "{refused}");
    let refused = batch(2, 600_000).await.unwrap_err().into_service_error();
    assert!(refused.is_batch_request_too_long(), "{refused}");
    let refused = batch(0, 1).await.unwrap_err().into_service_error();
    assert!(refused.is_empty_batch_request(), "{refused}");
    let refused = sqs
        .send_message_batch()
        .queue_url(&url)
        .entries(entry(1, "a".into()))
        .entries(entry(1, "b".into()))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(refused.is_batch_entry_ids_not_distinct(), "{refused}");
    let send = |size: usize| {
        sqs.send_message()
            .queue_url(&url)
            .message_body("x".repeat(size))
            .send()
    };
    let refused = send(1_048_577).await.unwrap_err().into_service_error();
    assert_eq!(refused.code(), Some("InvalidParameterValue"), "{refused}");
    send(1_048_576).await.unwrap();
    assert_eq!(batch(10, 100).await.unwrap().successful().len(), 10);
    let control = sqs
        .send_message()
        .queue_url(&url)
        .message_body("a\u{1}b")
        .send()
        .await;
    assert!(
        control
            .unwrap_err()
            .into_service_error()
            .is_invalid_message_contents()
    );
    let receive = sqs
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(11)
        .send()
        .await;
    assert_eq!(
        receive.unwrap_err().into_service_error().code(),
        Some("InvalidParameterValue")
    );
    let nowhere = format!("{}/123456789012/none", cloud.endpoint(Service::Sqs));
    let refused = sqs
        .send_message()
        .queue_url(nowhere)
        .message_body("x")
        .send()
        .await;
    assert_eq!(
        refused.unwrap_err().into_service_error().code(),
        Some("AWS.SimpleQueueService.NonExistentQueue")
    );
    let read = sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::All)
        .send();
    let read = read.await.unwrap();
    let attributes = read.attributes().unwrap();
    assert_eq!(
        attributes[&QueueAttributeName::ApproximateNumberOfMessages],
        "11"
    );
    assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], "1");
    assert!(attributes[&QueueAttributeName::RedrivePolicy].contains("\"maxReceiveCount\":2"));
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn sqs_hands_out_what_was_sent_wakes_long_polls_and_forgets_what_was_deleted() {
    let cloud = cloud().await;
    let sqs = sqs(&cloud);
    let url = cloud.output("Data.PlainQueueUrl").unwrap();
    let receive = |wait: i32| {
        sqs.receive_message()
            .queue_url(&url)
            .max_number_of_messages(10)
            .wait_time_seconds(wait)
            .visibility_timeout(60)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
    };
    let waiting = tokio::spawn(receive(10));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = std::time::Instant::now();
    let text = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("v")
        .build()
        .unwrap();
    let bytes = MessageAttributeValue::builder()
        .data_type("Binary")
        .binary_value(aws_smithy_types::Blob::new([0, 255]))
        .build()
        .unwrap();
    let body = "{\"a\": \"ü 😀\"}\r\n ";
    let sent = sqs
        .send_message()
        .queue_url(&url)
        .message_body(body)
        .message_attributes("text", text)
        .message_attributes("bytes", bytes)
        .send()
        .await
        .unwrap();
    let got = waiting.await.unwrap().unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    let message = &got.messages()[0];
    assert_eq!(message.body(), Some(body));
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.md5_of_body(), sent.md5_of_message_body());
    assert_eq!(
        message.md5_of_message_attributes(),
        sent.md5_of_message_attributes()
    );
    let attributes = message.message_attributes().unwrap();
    assert_eq!(
        attributes["bytes"].binary_value().unwrap().as_ref(),
        [0, 255]
    );
    let system = message.attributes().unwrap();
    assert_eq!(
        system[&MessageSystemAttributeName::ApproximateReceiveCount],
        "1"
    );
    assert_eq!(system[&MessageSystemAttributeName::SentTimestamp].len(), 13);

    let first_handle = message.receipt_handle().unwrap().to_owned();
    assert!(receive(0).await.unwrap().messages().is_empty());
    let visible_now = |handle: &str| {
        sqs.change_message_visibility()
            .queue_url(&url)
            .receipt_handle(handle)
            .visibility_timeout(0)
            .send()
    };
    visible_now(&first_handle).await.unwrap();
    let again = receive(0).await.unwrap();
    let second = again.messages()[0].receipt_handle().unwrap();
    let system = again.messages()[0].attributes().unwrap();
    assert_eq!(
        system[&MessageSystemAttributeName::ApproximateReceiveCount],
        "2"
    );

    let delete = |handle: &str| {
        sqs.delete_message()
            .queue_url(&url)
            .receipt_handle(handle)
            .send()
    };
    delete(&first_handle).await.unwrap();
    visible_now(second)
        .await
        .expect("a stale handle deletes nothing");
    // The third receive moves it to the dead-letter queue instead.
    assert!(receive(0).await.unwrap().messages().is_empty());
    let dlq = cloud.output("Data.PlainDlqUrl").unwrap();
    let dead = sqs
        .receive_message()
        .queue_url(&dlq)
        .wait_time_seconds(5)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await
        .unwrap();
    let dead = &dead.messages()[0];
    assert_eq!(dead.body(), Some(body));
    assert!(
        dead.attributes().unwrap()[&MessageSystemAttributeName::DeadLetterQueueSourceArn]
            .ends_with("PlainQueue")
    );
    let entry = DeleteMessageBatchRequestEntry::builder()
        .id("a")
        .receipt_handle(dead.receipt_handle().unwrap())
        .build()
        .unwrap();
    let bad = DeleteMessageBatchRequestEntry::builder()
        .id("b")
        .receipt_handle("nonsense")
        .build()
        .unwrap();
    let done = sqs
        .delete_message_batch()
        .queue_url(&dlq)
        .entries(entry)
        .entries(bad)
        .send()
        .await
        .unwrap();
    assert_eq!(done.successful()[0].id(), "a");
    assert_eq!(
        (done.failed()[0].id(), done.failed()[0].code()),
        ("b", "ReceiptHandleIsInvalid")
    );
    let refused = sqs
        .delete_message()
        .queue_url(&url)
        .receipt_handle("nonsense")
        .send()
        .await;
    assert!(
        refused
            .unwrap_err()
            .into_service_error()
            .is_receipt_handle_is_invalid()
    );
    assert_eq!(
        cloud.counters().queues["headgate-local-Data-PlainQueue"].highest_receive_count,
        2
    );
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn sqs_makes_a_message_visible_again_after_its_timeout_and_holds_delayed_ones_back() {
    let cloud = cloud().await;
    let sqs = sqs(&cloud);
    let url = cloud.output("Data.PlainQueueUrl").unwrap();
    let sent = std::time::Instant::now();
    sqs.send_message()
        .queue_url(&url)
        .message_body("later")
        .delay_seconds(1)
        .send()
        .await
        .unwrap();
    let receive = |wait: i32| {
        sqs.receive_message()
            .queue_url(&url)
            .wait_time_seconds(wait)
            .send()
    };
    let early = receive(0).await.unwrap().messages().len();
    assert!(early == 0 || sent.elapsed() >= Duration::from_secs(1));
    for _ in early..2 {
        assert_eq!(receive(5).await.unwrap().messages().len(), 1);
    }
    assert!(sent.elapsed() >= Duration::from_millis(1_950));
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn eventbridge_forwards_the_detail_of_matching_events_to_the_queue() {
    let cloud = cloud().await;
    let (events, sqs) = (eventbridge(&cloud), sqs(&cloud));
    let url = cloud.output("Data.EventsQueueUrl").unwrap();
    let entry = |kind: &str, detail: &str| {
        PutEventsRequestEntry::builder()
            .event_bus_name("headgate")
            .source("headgate")
            .detail_type(kind)
            .detail(detail)
            .build()
    };
    let put = events
        .put_events()
        .entries(entry("message.sent", r#"{"id":"msg_1"}"#))
        .entries(entry("consent.recorded", r#"{"id":"other"}"#))
        .entries(entry("message.sent", "not json"))
        .send()
        .await
        .unwrap();
    assert_eq!(put.failed_entry_count(), 1);
    assert_eq!(put.entries()[2].error_code(), Some("MalformedDetail"));
    let got = sqs
        .receive_message()
        .queue_url(&url)
        .max_number_of_messages(10)
        .send()
        .await
        .unwrap();
    let bodies: Vec<_> = got.messages().iter().filter_map(|m| m.body()).collect();
    assert_eq!(bodies, [r#"{"id":"msg_1"}"#]);
    let many = (0..11).map(|_| entry("message.sent", "{}")).collect();
    let refused = events
        .put_events()
        .set_entries(Some(many))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(refused.code(), Some("ValidationException"));
    let large = entry(
        "message.sent",
        &format!("{{\"x\":\"{}\"}}", "x".repeat(1_048_576)),
    );
    let refused = events
        .put_events()
        .entries(large)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(refused.code(), Some("ValidationException"));
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn sqs_moves_a_dead_letter_queue_back_and_drops_what_outlived_its_retention() {
    let cloud = cloud().await;
    let sqs = sqs(&cloud);
    let url = cloud.output("Data.PlainQueueUrl").unwrap();
    let dlq = cloud.output("Data.PlainDlqUrl").unwrap();
    sqs.send_message()
        .queue_url(&url)
        .message_body("back")
        .send()
        .await
        .unwrap();
    let receive = |url: &str| {
        sqs.receive_message()
            .queue_url(url)
            .visibility_timeout(0)
            .send()
    };
    for _ in 0..3 {
        receive(&url).await.unwrap();
    }
    assert_eq!(receive(&dlq).await.unwrap().messages().len(), 1);
    let arn = "arn:aws:sqs:eu-west-1:123456789012:headgate-local-Data-PlainDlq";
    let sources = sqs
        .list_dead_letter_source_queues()
        .queue_url(&dlq)
        .send()
        .await
        .unwrap();
    assert_eq!(sources.queue_urls(), std::slice::from_ref(&url));
    sqs.start_message_move_task()
        .source_arn(arn)
        .send()
        .await
        .unwrap();
    assert!(receive(&dlq).await.unwrap().messages().is_empty());
    assert_eq!(
        receive(&url).await.unwrap().messages()[0].body(),
        Some("back")
    );
    let retention = QueueAttributeName::MessageRetentionPeriod;
    sqs.set_queue_attributes()
        .queue_url(&url)
        .attributes(retention, "0")
        .send()
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(receive(&url).await.unwrap().messages().is_empty());
    cloud.stop().await.unwrap();
}
