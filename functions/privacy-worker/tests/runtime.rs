//! The worker's binary under Lambda's Runtime API: it answers, or refuses to start (I5).

use headgate_testkit::{Running, events, refusals, stage};

const BINARY: &str = env!("CARGO_BIN_EXE_privacy-worker");

#[tokio::test]
async fn it_works_the_agenda_off_and_takes_batches() {
    let stage = stage().await;
    let worker = Running::start(BINARY, &stage.environment("PrivacyWorkerFunction")).await;
    worker.invoke(events::scheduled()).await;
    let answer = worker
        .invoke(events::sqs("privacy-requests", &["no request"]))
        .await;
    assert_eq!(
        answer["batchItemFailures"].as_array().map(Vec::len),
        Some(1),
        "{}",
        worker.output()
    );
}

#[tokio::test]
async fn without_a_setting_it_does_not_start() {
    refusals::without_a_setting(BINARY, "privacy-worker").await;
}
