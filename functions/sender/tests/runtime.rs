//! The sender's binary under Lambda's Runtime API: it answers, or refuses to start (I5).

use headgate_testkit::{Running, events, refusals, stage};

const BINARY: &str = env!("CARGO_BIN_EXE_sender");

#[tokio::test]
async fn a_wake_with_nothing_to_do_leaves_the_lease_free() {
    let stage = stage().await;
    let sender = Running::start(BINARY, &stage.environment("SenderFunction")).await;
    let queue = stage
        .cloud()
        .output("Data.WakeQueueArn")
        .unwrap_or_default();
    sender
        .invoke(events::sqs(&queue, &[r#"{"portfolio":"portfolio-1"}"#]))
        .await;
    let items = stage.cloud().dump().await.unwrap_or_default();
    let lease: Vec<_> = items
        .iter()
        .filter(|(place, _)| place.contains("L#portfolio-1"))
        .collect();
    assert!(
        lease
            .iter()
            .any(|(_, item)| item.contains("FREE") || item.contains("IDLE")),
        "{lease:?} {}",
        sender.output()
    );
}

#[tokio::test]
async fn without_a_setting_it_does_not_start() {
    refusals::without_a_setting(BINARY, "sender").await;
}

#[tokio::test]
async fn without_its_secret_it_does_not_start() {
    refusals::without_a_usable_secret(
        BINARY,
        "sender",
        "GraphSendSecret",
        "HEADGATE_SECRET_GRAPH_SEND",
    )
    .await;
}
