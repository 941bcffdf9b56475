//! The notification processor's binary under Lambda's Runtime API: it answers, or refuses to start (I5).

use headgate_lambda::clock::system_clock;
use headgate_testkit::{Running, events, refusals, stage};
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
async fn without_a_setting_it_does_not_start() {
    refusals::without_a_setting(BINARY, "notification-processor").await;
}
