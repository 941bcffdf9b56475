//! The webhook's binary under Lambda's Runtime API: it answers, or refuses to start (I5).
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use headgate_testkit::events::{Body, api_gateway, http_api, signature, with_client_certificate};
use headgate_testkit::{APP_SECRET, Running, VERIFY_TOKEN, refusals, stage};
use headgate_webhook::queue_body::{COMPRESSED, decode};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_webhook");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const SIGNATURE: &str = "X-Hub-Signature-256";
/// The largest event Lambda takes: 6 MiB and 100 bytes (AWS quotas).
const LARGEST_EVENT: usize = 6_291_556;
/// The largest body Meta documents, in the larger reading of 3 MB.
const LARGEST_NOTIFICATION: usize = 3 * 1024 * 1024;

fn post(signature: Option<&str>, body: Body<'_>) -> Value {
    let signature = signature.map(|value| (SIGNATURE, value));
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
    let mut seed = 7_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_be_bytes()[0]
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

/// One notification of the given size whose text is made of these pieces.
fn notification(size: usize, pieces: impl Iterator<Item = String>) -> String {
    let mut body =
        r#"{"object":"whatsapp_business_account","entry":[{"id":"large","text":""#.to_owned();
    for piece in pieces {
        if body.len() + piece.len() + 4 > size {
            break;
        }
        body.push_str(&piece);
    }
    while body.len() + 4 < size {
        body.push('.');
    }
    body.push_str(r#""}]}"#);
    assert_eq!(body.len(), size);
    assert!(serde_json::from_str::<Value>(&body).is_ok());
    body
}

/// Characters as Meta writes them, six bytes each, and not one like the other.
fn escapes() -> impl Iterator<Item = String> {
    (0_u32..).map(|at| format!("\\u{:04x}", 0x4e00 + at.wrapping_mul(2_654_435_761) % 61))
}

fn size(event: &Value) -> usize {
    serde_json::to_vec(event).unwrap().len()
}

/// 3 MB in base64 are 4 MB whatever is in them. As text in the event every quote and every backslash
/// is escaped once more, so there the sender's words decide: full of `\uXXXX` it is 7/6 of the body,
/// full of quotes twice the body. Of 3,000,000 bytes Lambda still takes that; of 3 MiB it does not.
#[tokio::test]
async fn the_largest_notification_fits_and_is_queued_byte_for_byte() {
    let as_text = |body: &str| size(&post(Some(&signature(APP_SECRET, b"")), Body::Text(body)));
    let quotes = |size| notification(size, std::iter::repeat(r#"\""#.to_owned()));
    let body = notification(LARGEST_NOTIFICATION, escapes());
    let signed = signature(APP_SECRET, body.as_bytes());
    let event = post(Some(&signed), Body::Base64(body.as_bytes()));
    let as_base64 = size(&event);
    assert!((4 << 20..(4 << 20) + 2_000).contains(&as_base64));
    assert!(as_base64 < LARGEST_EVENT);
    let other = quotes(LARGEST_NOTIFICATION);
    let other = post(Some(&signed), Body::Base64(other.as_bytes()));
    assert_eq!(size(&other), as_base64);

    let seven_sixths = LARGEST_NOTIFICATION / 6 * 7;
    assert!((seven_sixths..seven_sixths + 2_000).contains(&as_text(&body)));
    assert!((6_000_000..LARGEST_EVENT).contains(&(as_text(&quotes(3_000_000)))));
    assert!(as_text(&quotes(LARGEST_NOTIFICATION)) > LARGEST_EVENT);

    let stage = stage().await;
    let webhook = Running::start(BINARY, &stage.environment("WebhookFunction")).await;
    let answer = webhook.invoke(event).await;
    assert_eq!(
        (&answer["statusCode"], &answer["body"]),
        (&json!(200), &json!("")),
        "{}",
        webhook.output()
    );
    let queued: Vec<String> = stage
        .cloud()
        .dump()
        .await
        .unwrap()
        .into_iter()
        .filter(|(place, _)| place.starts_with("queue ") && place.contains("notifications"))
        .map(|(_, message)| message)
        .collect();
    assert_eq!(queued.len(), 1);
    assert!(queued[0].contains(COMPRESSED));
    let text = queued[0].split(' ').next().unwrap();
    assert!(decode(text, Some(COMPRESSED)).unwrap().bytes() == body.as_bytes());
}

/// An HTTP API (EdgeType=http) sends the events of a REST API, and JSON in them as text.
#[tokio::test]
async fn an_http_api_gets_the_same_answers() {
    let stage = stage().await;
    let webhook = Running::start(BINARY, &stage.environment("WebhookFunction")).await;
    let query = [
        ("hub.mode", "subscribe"),
        ("hub.verify_token", VERIFY_TOKEN),
        ("hub.challenge", "1158201444"),
    ];
    let text = r#"{"object":"whatsapp_business_account","entry":[{"id":"caf\u00e9 \"http\" 🍁"}]}"#;
    let forged = signature("another secret", text.as_bytes());
    let signed = signature(APP_SECRET, text.as_bytes());
    let requests = [
        ("GET", query.as_slice(), None, Body::None, 200, "1158201444"),
        ("GET", &[], None, Body::None, 403, ""),
        ("POST", &[], None, Body::Text(text), 401, ""),
        ("POST", &[], Some(&forged), Body::Text(text), 401, ""),
        ("POST", &[], Some(&signed), Body::Text(text), 200, ""),
        (
            "POST",
            &[],
            Some(&signed),
            Body::Base64(text.as_bytes()),
            200,
            "",
        ),
    ];
    for (method, query, signature, body, status, expected) in requests {
        let signature = signature.map(|value| (SIGNATURE, value.as_str()));
        let headers: Vec<(&str, &str)> = [JSON].into_iter().chain(signature).collect();
        let event = http_api(method, "/webhook", query, &headers, body);
        let by_http = webhook.invoke(event).await;
        assert_eq!(by_http["statusCode"], status, "{}", webhook.output());
        assert_eq!(by_http["body"], expected);
        let event = api_gateway(method, "/webhook", query, &headers, body);
        assert_eq!(webhook.invoke(event).await, by_http);
    }
    // Twice by each kind of API: as text and in base64.
    assert_eq!(stage.places_with(text).await.len(), 4);
}

/// The name is read from what API Gateway says of the connection, in both kinds of API.
#[tokio::test]
async fn with_mutual_tls_the_binary_answers_metas_certificate_and_no_other() {
    const NAME: &str = "client.webhooks.fbclientcerts.com";
    let stage = stage().await;
    let mut environment = stage.environment("WebhookFunction");
    environment.insert("HEADGATE_CLIENT_CERTIFICATE_CN".to_owned(), NAME.to_owned());
    let webhook = Running::start(BINARY, &environment).await;
    let text = r#"{"entry":[{"id":"mutual"}]}"#;
    let signed = signature(APP_SECRET, text.as_bytes());
    let headers = [JSON, (SIGNATURE, signed.as_str())];
    for event in [api_gateway, http_api] {
        let event = event(
            "POST",
            "/webhook",
            &[],
            &headers,
            Body::Base64(text.as_bytes()),
        );
        let cases = [
            (event.clone(), 401),
            (with_client_certificate(event.clone(), ""), 401),
            (
                with_client_certificate(event.clone(), &format!("CN={NAME}.evil.example")),
                401,
            ),
            (
                with_client_certificate(event.clone(), &format!(r"CN=x,O=Example\,CN={NAME}")),
                401,
            ),
            (
                with_client_certificate(event, &format!(r"CN={NAME},O=Meta Platforms\, Inc.,C=US")),
                200,
            ),
        ];
        for (event, status) in cases {
            let answer = webhook.invoke(event).await;
            assert_eq!(answer["statusCode"], status, "{}", webhook.output());
            assert_eq!(answer["body"], "");
        }
    }
    assert_eq!(stage.places_with("mutual").await.len(), 2);
    let output = webhook.output();
    assert!(output.contains("client_certificate_refused"));
    assert!(!output.contains("fbclientcerts") && !output.contains("evil"));
}

#[tokio::test]
async fn a_blank_name_of_the_caller_is_no_name_and_it_does_not_start() {
    refusals::with_a_blank(BINARY, "webhook", "HEADGATE_CLIENT_CERTIFICATE_CN").await;
}
