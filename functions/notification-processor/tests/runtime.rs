//! The notification processor's binary under Lambda's Runtime API: it answers, or refuses to start (I5).
#![allow(clippy::indexing_slicing, reason = "tests may fail loudly")]

use headgate_lambda::clock::system_clock;
use headgate_testkit::{Running, events, overflow, refusals, stage};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_notification-processor");

#[tokio::test]
async fn a_status_and_a_body_that_nobody_can_read_do_not_come_again() {
    let stage = stage().await;
    let processor =
        Running::start(BINARY, &stage.environment("NotificationProcessorFunction")).await;
    let status = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "300000000000001", "changes": [{
        "field": "messages",
        "value": {
            "messaging_product": "whatsapp",
            "metadata": { "display_phone_number": "16135550100", "phone_number_id": "106540352242922" },
            "statuses": [{
                "id": "wamid.HBgLMTYxMzU1NTAxNDIVAgARGBI",
                "status": "delivered",
                "timestamp": system_clock()().seconds().to_string(),
                "recipient_id": "16135550142",
            }],
        },
    }] }] });
    let queue = stage
        .cloud()
        .output("Data.NotificationsQueueArn")
        .unwrap_or_default();
    let bodies = [status.to_string(), "not a notification".to_owned()];
    let answer = processor
        .invoke(events::sqs(&queue, &bodies.each_ref().map(String::as_str)))
        .await;
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [] }),
        "{}",
        processor.output()
    );
    // What cannot be read is set aside, sealed, and not dropped.
    assert_eq!(
        stage.places_with("\"sealed\"").await.len(),
        1,
        "{}",
        processor.output()
    );
    for personal in ["not a notification", "16135550142", "wamid."] {
        assert_eq!(stage.places_with(personal).await, Vec::<String>::new());
        assert!(!processor.output().contains(personal));
    }
}

#[tokio::test]
async fn a_stored_notification_is_fetched_handled_and_deleted() {
    let stage = stage().await;
    let environment = stage.environment("NotificationProcessorFunction");
    let processor = Running::start(BINARY, &environment).await;
    let now = system_clock()();
    let notice = json!({ "entry": [{ "id": "300000000000001", "time": now.seconds(), "changes": [{
        "field": "message_template_status_update",
        "value": { "event": "PAUSED", "message_template_name": "autumn_sale", "message_template_language": "en_US" },
    }] }] });
    let bucket = environment.get("HEADGATE_BUCKET_OVERFLOW");
    let bucket = bucket.map(String::as_str).unwrap_or_default();
    let body = notice.to_string();
    let pointer = overflow::store(&stage.aws(), bucket, body.as_bytes(), now).await;
    let key = pointer["key"].as_str().unwrap_or_default();
    assert_eq!(stage.places_with(key).await.len(), 2, "its name and itself");

    let mut batch = events::sqs("arn:notifications", &[&pointer.to_string()]);
    batch["Records"][0]["messageAttributes"]["encoding"] =
        json!({ "stringValue": "overflow", "dataType": "String" });
    let answer = processor.invoke(batch).await;
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [] }),
        "{}",
        processor.output()
    );
    assert_eq!(stage.places_with("template.notification").await.len(), 1);
    assert_eq!(stage.places_with(key).await, Vec::<String>::new());
}

#[tokio::test]
async fn without_a_setting_it_does_not_start() {
    refusals::without_a_setting(BINARY, "notification-processor").await;
}
