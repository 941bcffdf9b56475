//! The webhook's binary under Lambda's Runtime API: it answers, or refuses to start (I5).
#![allow(clippy::indexing_slicing, reason = "tests may fail loudly")]

use headgate_testkit::events::{Body, api_gateway, signature};
use headgate_testkit::{APP_SECRET, Running, VERIFY_TOKEN, refusals, stage};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_webhook");
const JSON: (&str, &str) = ("Content-Type", "application/json");

fn post(signature: Option<&str>, body: Body<'_>) -> Value {
    let signature = signature.map(|value| ("X-Hub-Signature-256", value));
    let headers: Vec<(&str, &str)> = [JSON].into_iter().chain(signature).collect();
    api_gateway("POST", "/webhook", &[], &headers, body)
}

#[tokio::test]
async fn the_handshake_is_echoed_and_only_signed_notifications_are_queued() {
    let stage = stage().await;
    let webhook = Running::start(BINARY, &stage.environment("WebhookFunction")).await;
    let query = [
        ("hub.mode", "subscribe"),
        ("hub.verify_token", VERIFY_TOKEN),
        ("hub.challenge", "1158201444"),
    ];
    let answer = webhook
        .invoke(api_gateway("GET", "/webhook", &query, &[], Body::None))
        .await;
    assert_eq!(
        (&answer["statusCode"], &answer["body"]),
        (&json!(200), &json!("1158201444"))
    );

    // Each body is in one place only if it was queued, and byte for byte if its signature held.
    for (word, encoded) in [("as-text", false), ("as-base64 \u{1F341}", true)] {
        let text =
            format!(r#"{{"object":"whatsapp_business_account","entry":[{{"id":"{word}"}}]}}"#);
        let body = if encoded {
            Body::Base64(text.as_bytes())
        } else {
            Body::Text(&text)
        };
        let forged = signature("another secret", text.as_bytes());
        for unsigned in [None, Some("sha256=00"), Some(forged.as_str())] {
            let answer = webhook.invoke(post(unsigned, body)).await;
            assert_eq!(
                (&answer["statusCode"], &answer["body"]),
                (&json!(401), &json!(""))
            );
        }
        assert_eq!(stage.places_with(word).await, Vec::<String>::new());
        let signed = signature(APP_SECRET, text.as_bytes());
        let answer = webhook.invoke(post(Some(&signed), body)).await;
        assert_eq!(answer["statusCode"], 200, "{}", webhook.output());
        assert_eq!(stage.places_with(&text).await.len(), 1);
    }
}

#[tokio::test]
async fn what_fits_no_queue_message_is_in_the_bucket_before_it_is_answered() {
    let stage = stage().await;
    let webhook = Running::start(BINARY, &stage.environment("WebhookFunction")).await;
    let mut state = 7_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    })
    .take(3 * 1024 * 1024)
    .collect();
    let signed = signature(APP_SECRET, &noise);
    let answer = webhook
        .invoke(post(Some(&signed), Body::Base64(&noise)))
        .await;
    assert_eq!(answer["statusCode"], 200, "{}", webhook.output());

    let dump = stage.cloud().dump().await.unwrap_or_default();
    let one = |begin: &str, end: &str| {
        let mut found = dump
            .iter()
            .filter(|(place, _)| place.starts_with(begin) && place.contains(end));
        let only = found.next().map(|(_, text)| text.clone());
        assert!(found.next().is_none(), "{begin}{end}");
        only.unwrap_or_default()
    };
    let queued = one("queue ", "-notifications message");
    let name = one("bucket ", " name");
    let pointer = serde_json::Deserializer::from_str(&queued)
        .into_iter::<Value>()
        .next();
    let pointer = pointer.and_then(Result::ok).unwrap_or_default();
    assert_eq!(pointer["key"], json!(name), "{queued}");
    assert!(queued.contains("overflow"), "{queued}");
}

#[tokio::test]
async fn without_a_setting_it_does_not_start() {
    refusals::without_a_setting(BINARY, "webhook").await;
}

#[tokio::test]
async fn without_its_secret_it_does_not_start() {
    refusals::without_a_usable_secret(
        BINARY,
        "webhook",
        "WebhookSecret",
        "HEADGATE_SECRET_WEBHOOK",
    )
    .await;
}
