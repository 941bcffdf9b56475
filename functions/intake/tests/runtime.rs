//! Intake's binary under Lambda's Runtime API: it answers, or refuses to start (I5).
#![allow(clippy::indexing_slicing, reason = "tests may fail loudly")]

use headgate_lambda::clock::system_clock;
use headgate_testkit::{Running, events, refusals, stage};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_intake");

#[tokio::test]
async fn a_good_message_is_placed_a_malformed_one_is_refused_and_neither_comes_again() {
    let stage = stage().await;
    let environment = stage.environment("IntakeFunction");
    let intake = Running::start(BINARY, &environment).await;
    let good = json!({
        "schema": "headgate.outbound/1",
        "id": "login-1",
        "from": "main",
        "to": { "phone": "+16135550142" },
        "purpose": "authentication",
        "basis": { "kind": "user_action", "at": system_clock()().to_string() },
        "message": { "type": "template", "template": {
            "name": "login_code",
            "language": { "code": "en_US" },
            "components": [
                { "type": "body", "parameters": [{ "type": "text", "text": "123456" }] },
                { "type": "button", "sub_type": "url", "index": "0", "parameters": [{ "type": "text", "text": "123456" }] },
            ],
        } },
    });
    let bodies = [good.to_string(), "not JSON".to_owned()];
    let queue = &environment["HEADGATE_QUEUE_AUTHENTICATION_ARN"];
    let answer = intake
        .invoke(events::sqs(queue, &bodies.each_ref().map(String::as_str)))
        .await;
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [] }),
        "{}",
        intake.output()
    );
    let placed = stage.places_with("O#106540352242922#a#").await;
    assert!(!placed.is_empty(), "{}", intake.output());
    assert_eq!(
        stage.places_with("malformed").await.len(),
        1,
        "{}",
        intake.output()
    );
    assert_eq!(stage.places_with("16135550142").await, Vec::<String>::new());
}

#[tokio::test]
async fn without_a_setting_it_does_not_start() {
    refusals::without_a_setting(BINARY, "intake").await;
}
