//! What Meta sends: notifications with fictional people, as it writes them, and the events in which they arrive.

use std::fmt::Write as _;

use headgate_testkit::APP_SECRET;
use headgate_testkit::events::{Body, api_gateway, signature};
use serde_json::{Value, json};

pub(crate) const NUMBER: &str = "106540352242922";
/// What a message says is made of these, in a script that Meta escapes.
const WORDS: [&str; 16] = [
    "你好", "请问", "订单", "今天", "到货", "谢谢", "时间", "地址", "付款", "尺码", "颜色", "换货",
    "什么", "可以", "店里", "明天",
];
/// Some 1,400 characters.
const WORDS_PER_MESSAGE: usize = 700;
/// Of a thousand updates so many are messages; the others are statuses.
const MESSAGES: usize = 300;

/// As good as random, and the same in every run (splitmix64).
pub(crate) fn scattered(n: u64) -> u64 {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A number of a fictional person (+1 613 555 0100 to 0199).
pub(crate) fn person(n: usize) -> String {
    format!("161355501{:02}", n % 100)
}

/// A delivery status.
pub(crate) fn status(n: usize, opaque: &str, word: &str) -> Value {
    let random = scattered(n as u64);
    json!({
        "id": format!("wamid.HBgLMTYxMzU1NTAx{random:016x}FQIAERgS{n:08}AA=="),
        "status": word,
        "timestamp": "1795341600",
        "recipient_id": person(n),
        "recipient_user_id": format!("CA.{}", 100_000_000 + n),
        "biz_opaque_callback_data": opaque,
        "conversation": { "id": format!("{random:032x}"), "expiration_timestamp": "1795428000", "origin": { "type": "utility" } },
        "pricing": { "billable": true, "pricing_model": "PMP", "category": "utility", "type": "regular" },
    })
}

fn message(n: usize) -> Value {
    let mut text = String::new();
    for word in 0..WORDS_PER_MESSAGE {
        text.push_str(WORDS[(scattered((n * WORDS_PER_MESSAGE + word) as u64) % 16) as usize]);
    }
    json!({
        "from": person(n),
        "from_user_id": format!("CA.{}", 100_000_000 + n),
        "id": format!("wamid.HBgLMTYxMzU1NTAx{:016x}FQIAEhgU{n:08}AA==", scattered(n as u64)),
        "timestamp": "1795341600",
        "type": "text",
        "text": { "body": text },
    })
}

/// A notification with these updates.
pub(crate) fn notification(statuses: &[Value], messages: &[Value]) -> String {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": { "display_phone_number": "16135550199", "phone_number_id": NUMBER },
    });
    let contact = |number: &Value, id: &Value| json!({ "profile": { "name": "Robin" }, "wa_id": number, "user_id": id });
    let recipients = statuses
        .iter()
        .map(|status| contact(&status["recipient_id"], &status["recipient_user_id"]));
    let senders = messages
        .iter()
        .map(|message| contact(&message["from"], &message["from_user_id"]));
    let contacts: Vec<Value> = recipients.chain(senders).collect();
    for (member, updates) in [
        ("contacts", contacts.as_slice()),
        ("messages", messages),
        ("statuses", statuses),
    ] {
        if !updates.is_empty() {
            value[member] = updates.into();
        }
    }
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{ "id": "102290129340398", "changes": [{ "field": "messages", "value": value }] }],
    });
    escaped(&body.to_string())
}

/// Meta escapes what is not ASCII; outside of strings there is nothing else in JSON.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut units = [0_u16; 2];
    for letter in json.chars() {
        if letter.is_ascii() {
            out.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut units) {
            write!(out, "\\u{unit:04x}").unwrap();
        }
    }
    out
}

/// A notification with one status, about a kilobyte.
pub(crate) fn one(n: usize) -> String {
    let opaque = format!("hg1.{NUMBER}.u.0.01JD0000000000000{n:09}.1");
    notification(&[status(n, &opaque, "delivered")], &[])
}

/// A notification with a thousand updates, about 3 MB.
pub(crate) fn thousand(seed: usize) -> String {
    let first = seed * 1_000;
    let messages: Vec<Value> = (first..first + MESSAGES).map(message).collect();
    let statuses: Vec<Value> = (first + MESSAGES..first + 1_000)
        .map(|n| {
            let opaque = format!("hg1.{NUMBER}.u.0.01JD0000000000000{n:09}.1");
            status(n, &opaque, ["sent", "delivered", "read"][n % 3])
        })
        .collect();
    notification(&statuses, &messages)
}

/// The event in which API Gateway hands a signed notification over.
pub(crate) fn event(body: &str) -> Value {
    let signature = signature(APP_SECRET, body.as_bytes());
    let length = body.len().to_string();
    let headers = [
        ("Accept", "*/*"),
        ("Accept-Encoding", "deflate, gzip"),
        ("Content-Type", "application/json"),
        ("Content-Length", &length),
        ("User-Agent", "facebookexternalua"),
        (
            "X-Amzn-Trace-Id",
            "Root=1-00000000-000000000000000000000000",
        ),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Port", "443"),
        (
            "X-Hub-Signature",
            "sha1=0000000000000000000000000000000000000000",
        ),
        ("X-Hub-Signature-256", &signature),
    ];
    api_gateway(
        "POST",
        "/webhook",
        &[],
        &headers,
        Body::Base64(body.as_bytes()),
    )
}
