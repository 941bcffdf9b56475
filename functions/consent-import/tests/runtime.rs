//! The import's binary under Lambda's Runtime API: it answers, or refuses to start (I5).
#![allow(clippy::indexing_slicing, reason = "tests may fail loudly")]

use headgate_testkit::{Running, events, refusals, stage};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_consent-import");

#[tokio::test]
async fn a_file_that_is_gone_was_done_before_and_nonsense_comes_again() {
    let stage = stage().await;
    let import = Running::start(BINARY, &stage.environment("ConsentImportFunction")).await;
    let gone = json!({ "Records": [{ "s3": { "object": { "key": "files/gone.csv" } } }] });
    let answer = import
        .invoke(events::sqs(
            "arn:aws:sqs:x:1:imports",
            &[&gone.to_string(), "{"],
        ))
        .await;
    let failed = json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] });
    assert_eq!(answer, failed, "{}", import.output());
}

#[tokio::test]
async fn without_a_setting_it_does_not_start() {
    refusals::without_a_setting(BINARY, "consent-import").await;
}
