//! The public pages' binary under Lambda's Runtime API: it answers, or refuses to start (I5).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeSet;

use headgate_testkit::events::{Body, api_gateway};
use headgate_testkit::{Running, Stage, refusals, stage};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_privacy-web");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

fn header<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer["multiValueHeaders"][name][0].as_str().unwrap()
}

/// How many consent requests wait for the person's own message.
async fn requests(stage: &Stage) -> usize {
    let items = stage.cloud().dump().await.unwrap();
    let places: BTreeSet<&str> = items
        .iter()
        .map(|(place, _)| place.as_str())
        .filter(|place| place.contains("R#"))
        .collect();
    places.len()
}

#[tokio::test]
async fn pages_are_shown_and_a_form_is_read_whether_or_not_it_comes_in_base64() {
    let stage = stage().await;
    let pages = Running::start(BINARY, &stage.environment("PrivacyWebFunction")).await;
    for path in ["/opt-in", "/privacy"] {
        let answer = pages
            .invoke(api_gateway("GET", path, &[], &[], Body::None))
            .await;
        assert_eq!(answer["statusCode"], 200, "{path}: {}", pages.output());
        assert_eq!(answer["isBase64Encoded"], false);
        assert!(header(&answer, "content-type").starts_with("text/html"));
        assert!(
            answer["body"]
                .as_str()
                .unwrap()
                .contains("Maple Outfitters")
        );
    }
    // The form says which wording it showed; one without it is not from our page.
    let page = pages
        .invoke(api_gateway(
            "GET",
            "/opt-in",
            &[("lang", "en")],
            &[],
            Body::None,
        ))
        .await;
    let page = page["body"].as_str().unwrap();
    let wording = page
        .split_once(r#"name="wording" value=""#)
        .unwrap()
        .1
        .split_once('"')
        .unwrap()
        .0;
    let form = format!("purpose=marketing&lang=en&wording={wording}");
    for (before, body) in [Body::Text(&form), Body::Base64(form.as_bytes())]
        .into_iter()
        .enumerate()
    {
        assert_eq!(requests(&stage).await, before);
        let answer = pages
            .invoke(api_gateway("POST", "/opt-in", &[], &[FORM], body))
            .await;
        assert_eq!(
            answer["statusCode"],
            200,
            "{} {}",
            answer["body"],
            pages.output()
        );
    }
    assert_eq!(requests(&stage).await, 2);
    let answer = pages
        .invoke(api_gateway("GET", "/u/not-a-token", &[], &[], Body::None))
        .await;
    assert_eq!(answer["statusCode"], 404);
}

#[tokio::test]
async fn without_a_setting_it_does_not_start() {
    refusals::without_a_setting(BINARY, "privacy-web").await;
}
