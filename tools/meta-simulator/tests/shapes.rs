//! Every message type in a shape Meta takes, and the nearest shapes it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "tests may fail loudly"
)]

mod support;

use meta_simulator::{Number, Options, Simulator};
use serde_json::{Value, json};
use support::{Caller, NUMBER, options, phone, reminder, text};

async fn start() -> (Simulator, Caller) {
    // Far from any limit: these tests are about shapes.
    let numbers = vec![Number {
        id: NUMBER.to_owned(),
        display_phone: "+16135550100".to_owned(),
        per_second: 9_999,
    }];
    let simulator = Simulator::start(Options {
        numbers,
        ..options()
    })
    .await
    .unwrap();
    let caller = Caller::of(&simulator);
    (simulator, caller)
}

/// Each person is written to once, so that the pair limit stays out of it.
async fn check_all(kind: &str, cases: Vec<(Value, u64)>) {
    let (_simulator, caller) = start().await;
    for (index, (content, code)) in cases.into_iter().enumerate() {
        let to = phone(101 + u32::try_from(index).unwrap());
        let body = json!({"messaging_product": "whatsapp", "to": to, "type": kind, kind: content});
        let (_, reply) = caller.send(&body).await;
        assert_eq!(
            reply["error"]["code"].as_u64().unwrap_or(0),
            code,
            "case {index} of {kind}: {reply}"
        );
    }
}

#[tokio::test]
async fn an_error_has_the_shape_of_metas() {
    let (_simulator, caller) = start().await;
    let mut body = text(&phone(101));
    body["text"] = json!({"body": "x".repeat(4_097)});
    let (status, reply) = caller.send(&body).await;
    assert_eq!(status, 400);
    let error = &reply["error"];
    assert_eq!(error["message"], "(#100) Invalid parameter");
    assert_eq!(error["type"], "OAuthException");
    assert_eq!(error["error_data"]["messaging_product"], "whatsapp");
    assert_eq!(
        error["error_data"]["details"],
        "Param text['body'] must be at most 4096 characters long."
    );
    assert!(!error["fbtrace_id"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn what_every_message_needs_is_asked_for() {
    let (_simulator, caller) = start().await;
    let cases: [(&str, Value, u64); 15] = [
        ("messaging_product", Value::Null, 100),
        ("messaging_product", json!("sms"), 131_009),
        ("recipient_type", json!("crowd"), 131_009),
        ("to", Value::Null, 100),
        ("to", json!("call me"), 131_009),
        ("to", json!("+123"), 131_009),
        ("to", json!("+1 (613) 555-0100"), 131_021),
        ("to", json!(["+16135550101"]), 100),
        ("type", json!("telegram"), 131_051),
        ("type", json!("image"), 100),
        ("biz_opaque_callback_data", json!("x".repeat(513)), 100),
        ("biz_opaque_callback_data", json!("x".repeat(512)), 0),
        ("context", json!({"message_id": "wamid.x"}), 0),
        ("context", json!({}), 131_008),
        ("idempotency_key", json!("there is none"), 100),
    ];
    for (key, value, code) in cases {
        let mut body = text(&phone(101));
        body[key] = value;
        assert_eq!(caller.code(&body).await, code, "{key}");
    }
    let mut body = text("");
    body.as_object_mut().unwrap().remove("to");
    body["recipient"] = json!("16135550101");
    assert_eq!(caller.code(&body).await, 131_009);
}

#[tokio::test]
async fn a_number_without_a_plus_gets_the_country_code_of_the_business() {
    let (_simulator, caller) = start().await;
    assert_eq!(
        caller.send(&text("6135550101")).await.1["contacts"][0]["wa_id"],
        "16135550101"
    );
    assert_eq!(
        caller.send(&text("447700900123")).await.1["contacts"][0]["wa_id"],
        "1447700900123"
    );
}

#[tokio::test]
async fn templates_are_checked_against_what_is_approved() {
    let (_simulator, caller) = start().await;
    let parameter = json!({"type": "text", "text": "x"});
    let cases = [
        ("name", json!("no_such"), 132_001),
        ("language", json!({"code": "fr"}), 132_001),
        ("language", json!("en"), 100),
        ("components", json!([]), 132_000),
        (
            "components",
            json!([{"type": "body", "parameters": [parameter]}]),
            132_000,
        ),
        (
            "components",
            json!([{"type": "body", "parameters": [parameter, {"type": "text", "text": "a\nb"}]}]),
            132_018,
        ),
        (
            "components",
            json!([{"type": "body", "parameters": [parameter, {"type": "text"}]}]),
            131_008,
        ),
        ("components", json!([{"type": "body", "params": []}]), 100),
        ("components", json!([{"type": "torso"}]), 100),
        (
            "components",
            json!([{"type": "body", "parameters": [parameter, parameter]},
                {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{"type": "payload", "payload": "no"}]}]),
            0,
        ),
        (
            "components",
            json!([{"type": "body", "parameters": [parameter, parameter]},
                {"type": "button", "sub_type": "url", "index": 12, "parameters": [parameter]}]),
            131_009,
        ),
    ];
    for (index, (key, value, code)) in cases.into_iter().enumerate() {
        let mut body = reminder(&phone(101), "op");
        body["template"][key] = value;
        let (status, reply) = caller.send(&body).await;
        assert_eq!(
            reply["error"]["code"].as_u64().unwrap_or(0),
            code,
            "case {index}: {reply}"
        );
        assert_eq!(status == 404, code == 132_001);
    }
}

#[tokio::test]
async fn the_marketing_endpoint_takes_marketing_only() {
    let (_simulator, mut caller) = start().await;
    caller.url = caller.url.replace("/messages", "/marketing_messages");
    assert_eq!(caller.code(&reminder(&phone(101), "op")).await, 134_100);
    assert_eq!(caller.code(&text(&phone(101))).await, 134_100);
}

#[tokio::test]
async fn media_is_an_id_or_a_link() {
    for kind in ["image", "video", "audio", "document", "sticker"] {
        let caption = |length| json!({"id": "1376223850470843", "caption": "x".repeat(length)});
        let captions = if matches!(kind, "audio" | "sticker") {
            [100, 100]
        } else {
            [0, 100]
        };
        check_all(
            kind,
            vec![
                (json!({"id": "1376223850470843"}), 0),
                (json!({"link": "https://example.com/a"}), 0),
                (json!({"link": "ftp://example.com/a"}), 131_009),
                (json!({"id": "1", "link": "https://example.com/a"}), 131_009),
                (json!({"id": "../1"}), 131_009),
                (json!({}), 131_008),
                (json!("1376223850470843"), 100),
                (caption(1_024), captions[0]),
                (caption(1_025), captions[1]),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn text_location_contacts_and_reaction_have_their_fields() {
    check_all(
        "text",
        vec![
            (json!({"body": "x".repeat(4_096), "preview_url": false}), 0),
            (json!({"body": ""}), 131_008),
            (json!({"body": 5}), 100),
            (json!({"body": "x", "preview_url": "no"}), 100),
            (json!({"text": "x"}), 100),
        ],
    )
    .await;
    check_all(
        "location",
        vec![
            (json!({"latitude": "45.42", "longitude": -75.69, "name": "Here", "address": "There"}), 0),
            (json!({"latitude": 95, "longitude": 0}), 131_009),
            (json!({"latitude": 45}), 131_008),
        ],
    )
    .await;
    check_all(
        "contacts",
        vec![
            (json!([{"name": {"formatted_name": "Sam", "first_name": "Sam"}, "phones": [{"phone": "+16135550102"}]}]), 0),
            (json!([{"name": {"formatted_name": "Sam"}}]), 131_009),
            (json!([{"phones": []}]), 131_008),
            (json!([]), 131_009),
            (json!({}), 100),
        ],
    )
    .await;
    check_all(
        "reaction",
        vec![
            (json!({"message_id": "wamid.x", "emoji": "👍"}), 0),
            (json!({"message_id": "wamid.x", "emoji": ""}), 0),
            (json!({"message_id": "wamid.x"}), 131_008),
            (json!({"emoji": "👍"}), 131_008),
        ],
    )
    .await;
}

#[tokio::test]
async fn interactive_messages_have_an_action_of_their_kind() {
    let with = |kind: &str, action: Value| json!({"type": kind, "body": {"text": "Which?"}, "action": action});
    let button =
        |id: &str, title: &str| json!({"type": "reply", "reply": {"id": id, "title": title}});
    let row = |id: &str| json!({"id": id, "title": id});
    let rows = |count: usize| -> Vec<Value> {
        (0..count).map(|index| row(&format!("r{index}"))).collect()
    };
    let flow = |id: &str| json!({"flow_message_version": "3", id: "1", "flow_cta": "Open"});
    let mut long = with("button", json!({"buttons": [button("a", "A")]}));
    long["body"]["text"] = json!("x".repeat(1_025));
    let mut footed = with("button", json!({"buttons": [button("a", "A")]}));
    footed["footer"] = json!({"text": "x".repeat(61)});
    let mut headed = with("button", json!({"buttons": [button("a", "A")]}));
    headed["header"] = json!({"type": "image", "image": {"link": "https://example.com/a.png"}});
    check_all(
        "interactive",
        vec![
            (with("button", json!({"buttons": [button("a", "A"), button("b", "B")]})), 0),
            (with("button", json!({"buttons": [button("a", "A"), button("a", "B")]})), 131_009),
            (with("button", json!({"buttons": []})), 131_009),
            (with("button", json!({"buttons": [button("a", &"A".repeat(21))]})), 100),
            (long, 100),
            (footed, 100),
            (headed, 0),
            (with("list", json!({"button": "Pick", "sections": [{"rows": rows(10)}]})), 0),
            (with("list", json!({"button": "Pick", "sections": [{"rows": rows(11)}]})), 131_009),
            (with("list", json!({"button": "Pick", "sections": [{"rows": rows(1)}, {"rows": rows(1)}]})), 131_008),
            (with("cta_url", json!({"name": "cta_url", "parameters": {"display_text": "Go", "url": "https://example.com"}})), 0),
            (with("cta_url", json!({"name": "cta_url", "parameters": {"display_text": "Go", "url": "example"}})), 131_009),
            (with("flow", json!({"name": "flow", "parameters": flow("flow_id")})), 0),
            (with("flow", json!({"name": "flow", "parameters": flow("flow_token")})), 131_009),
            (with("product", json!({"catalog_id": "1", "product_retailer_id": "2"})), 0),
            (with("product_list", json!({"catalog_id": "1", "sections": []})), 131_008),
            (with("catalog_message", json!({"name": "catalog_message"})), 0),
            (with("location_request_message", json!({"name": "send_location"})), 0),
            (with("location_request_message", json!({"name": "locate"})), 100),
            (with("address_message", json!({"name": "address_message", "parameters": {"country": "IN"}})), 0),
            (with("call_permission_request", json!({"name": "call_permission_request"})), 0),
            (with("request_contact_info", json!({"name": "request_contact_info"})), 0),
            (with("quiz", json!({})), 100),
            (json!({"type": "button", "action": {"buttons": [button("a", "A")]}}), 131_008),
            (json!({"type": "button", "body": {"text": "x"}}), 131_008),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_mark_as_read_succeeds_and_does_not_count() {
    let (simulator, caller) = start().await;
    let read = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x",
        "typing_indicator": {"type": "text"}});
    assert_eq!(caller.send(&read).await, (200, json!({"success": true})));
    let mut wrong = read.clone();
    wrong["status"] = json!("delivered");
    assert_eq!(caller.code(&wrong).await, 100);
    wrong = read.clone();
    wrong["message_id"] = json!("1");
    assert_eq!(caller.code(&wrong).await, 131_009);
    assert!(
        simulator
            .arrivals()
            .iter()
            .all(|arrival| arrival.message_type == "read" && !arrival.counted)
    );
}

#[tokio::test]
async fn what_is_no_json_is_read_as_no_parameters() {
    let (simulator, caller) = start().await;
    for (kind, body) in [
        ("application/json", "{\"to\":"),
        ("application/json", "[]"),
        ("text/plain", "{}"),
    ] {
        let request = caller
            .http
            .post(&caller.url)
            .bearer_auth("simulated-access-token");
        let response = request
            .header("content-type", kind)
            .body(body)
            .send()
            .await
            .unwrap();
        let reply: Value = response.json().await.unwrap();
        assert_eq!(
            reply["error"]["message"],
            "(#100) The parameter messaging_product is required."
        );
    }
    assert_eq!(simulator.arrivals().len(), 3);
}
