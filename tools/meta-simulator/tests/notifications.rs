//! Notifications as a webhook receives them: bytes, signatures, statuses, repetition.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "tests may fail loudly"
)]

mod support;

use hmac::{Hmac, KeyInit as _, Mac as _};
use meta_simulator::{Fault, Faults, Number, Options, Person, Simulator};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use support::{Caller, NUMBER, Webhook, options, person, phone, reminder, text, until};

fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"simulated-app-secret").unwrap();
    mac.update(body);
    mac.finalize()
        .into_bytes()
        .iter()
        .fold("sha256=".to_owned(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
}

#[tokio::test]
async fn the_signature_is_over_the_raw_bytes_and_breaks_when_they_are_serialised_again() {
    let simulator = Simulator::start(options()).await.unwrap();
    let webhook = Webhook::start(&simulator).await;
    let id = simulator
        .inbound_text(NUMBER, &person(101), "naïve / a@b 😀")
        .await
        .unwrap();
    let post = &webhook.posts()[0];
    assert_eq!(
        post.signature.as_deref(),
        Some(signature(&post.body).as_str())
    );
    assert!(post.body.is_ascii());
    let raw = std::str::from_utf8(&post.body).unwrap();
    assert!(raw.contains(r"na\u00efve \/ a\u0040b \ud83d\ude00"));
    let parsed: Value = serde_json::from_slice(&post.body).unwrap();
    assert_ne!(
        signature(&serde_json::to_vec(&parsed).unwrap()),
        signature(&post.body)
    );
    let value = &parsed["entry"][0]["changes"][0]["value"];
    assert_eq!(value["metadata"]["phone_number_id"], NUMBER);
    assert_eq!(value["contacts"][0]["wa_id"], "16135550101");
    assert_eq!(value["messages"][0]["id"], json!(id));
    assert_eq!(value["messages"][0]["from"], "16135550101");
    assert_eq!(
        value["messages"][0]["from_user_id"],
        value["contacts"][0]["user_id"]
    );
    assert_eq!(value["messages"][0]["text"]["body"], "naïve / a@b 😀");
}

#[tokio::test]
async fn statuses_carry_the_shape_of_2026() {
    let simulator = Simulator::start(Options {
        read_share: 1.0,
        ..options()
    })
    .await
    .unwrap();
    let webhook = Webhook::start(&simulator).await;
    let caller = Caller::of(&simulator);
    let id = caller.send(&reminder(&phone(101), "op-1")).await.1["messages"][0]["id"].clone();
    let mut to_user = reminder("", "op-2");
    to_user.as_object_mut().unwrap().remove("to");
    to_user["recipient"] = json!("CA.1001");
    caller.send(&to_user).await;
    until(async || simulator.settled().await).await;
    let statuses = webhook.statuses();
    let of = |opaque: &str| -> Vec<Value> {
        statuses
            .iter()
            .filter(|status| status["biz_opaque_callback_data"] == opaque)
            .cloned()
            .collect()
    };
    let by_phone = of("op-1");
    let names: Vec<&str> = by_phone
        .iter()
        .map(|status| status["status"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["sent", "delivered", "read"]);
    for status in &by_phone {
        assert_eq!(status["id"], id);
        assert_eq!(status["recipient_id"], "16135550101");
        assert!(
            status["recipient_user_id"]
                .as_str()
                .unwrap()
                .starts_with("CA.")
        );
        assert!(status["timestamp"].is_string() && status.get("conversation").is_none());
    }
    assert_eq!(
        by_phone[0]["pricing"],
        json!({"billable": true, "pricing_model": "PMP", "category": "utility", "type": "regular"})
    );
    assert!(by_phone[2].get("pricing").is_none());
    let by_user = of("op-2");
    assert_eq!(by_user.len(), 3);
    assert!(
        by_user
            .iter()
            .all(|s| s.get("recipient_id").is_none() && s["recipient_user_id"] == "CA.1001")
    );
    assert!(
        webhook
            .values()
            .iter()
            .all(|value| !value["contacts"].as_array().unwrap().is_empty())
    );
}

#[tokio::test]
async fn free_form_outside_the_window_is_accepted_and_then_fails_131047() {
    let now = Arc::new(AtomicI64::new(1_790_000_000));
    let clock = {
        let now = Arc::clone(&now);
        Arc::new(move || now.load(Ordering::SeqCst))
    };
    let simulator = Simulator::start(Options { clock, ..options() })
        .await
        .unwrap();
    let webhook = Webhook::start(&simulator).await;
    let caller = Caller::of(&simulator);
    assert_eq!(caller.send(&text(&phone(101))).await.0, 200);
    until(async || simulator.settled().await).await;
    let value = &webhook.values()[0];
    assert_eq!(value["statuses"][0]["errors"][0]["code"], 131_047);
    assert_eq!(value["statuses"][0]["timestamp"], "1790000000");
    assert!(
        value.get("contacts").is_none() && value["statuses"][0].get("recipient_user_id").is_none()
    );
    simulator
        .inbound_text(NUMBER, &person(101), "hi")
        .await
        .unwrap();
    now.fetch_add(24 * 3600 - 1, Ordering::SeqCst);
    caller.send(&text(&phone(101))).await;
    now.fetch_add(1, Ordering::SeqCst);
    caller.send(&text(&phone(101))).await;
    until(async || simulator.settled().await).await;
    let count = |name: &str| {
        webhook
            .statuses()
            .iter()
            .filter(|status| status["status"] == name)
            .count()
    };
    assert_eq!((count("failed"), count("delivered")), (2, 1));
}

#[tokio::test]
async fn a_stop_of_marketing_fails_marketing_only() {
    let simulator = Simulator::start(options()).await.unwrap();
    let webhook = Webhook::start(&simulator).await;
    let caller = Caller::of(&simulator);
    simulator
        .marketing_preference(NUMBER, &person(101), true)
        .await
        .unwrap();
    assert_eq!(webhook.values()[0]["user_preferences"][0]["value"], "stop");
    let mut offer = reminder(&phone(101), "op-offer");
    offer["template"] = json!({"name": "spring_offer", "language": {"code": "en"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "10%"}]}]});
    assert_eq!(caller.send(&offer).await.0, 200);
    assert_eq!(
        caller.send(&reminder(&phone(101), "op-utility")).await.0,
        200
    );
    simulator.faults(Faults {
        fault: Fault::FailLater { code: 131_049 },
        next: 1,
    });
    assert_eq!(
        caller.send(&reminder(&phone(102), "op-capped")).await.0,
        200
    );
    until(async || simulator.settled().await).await;
    let failed: HashMap<String, u64> = webhook
        .statuses()
        .iter()
        .filter(|status| status["status"] == "failed")
        .map(|s| {
            (
                s["biz_opaque_callback_data"].as_str().unwrap().to_owned(),
                s["errors"][0]["code"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        failed,
        HashMap::from([
            ("op-offer".to_owned(), 131_050),
            ("op-capped".to_owned(), 131_049)
        ])
    );
}

#[tokio::test]
async fn statuses_come_in_batches_and_none_is_missing() {
    let numbers = vec![Number {
        id: NUMBER.to_owned(),
        display_phone: "+16135550100".to_owned(),
        per_second: 1_000,
    }];
    let simulator = Simulator::start(Options {
        numbers,
        read_share: 1.0,
        reorder: true,
        status_batch_ms: 200,
        ..options()
    })
    .await
    .unwrap();
    let webhook = Webhook::start(&simulator).await;
    let caller = Caller::of(&simulator);
    for index in 0..100_u32 {
        assert_eq!(
            caller
                .code(&reminder(&phone(101 + index % 50), &format!("op-{index}")))
                .await,
            0
        );
    }
    until(async || simulator.settled().await).await;
    let posts = webhook.posts().len();
    assert!(posts < 30, "{posts} posts for 300 updates");
    let statuses = webhook.statuses();
    assert_eq!(statuses.len(), 300);
    let mut first: HashMap<&str, &str> = HashMap::new();
    for status in &statuses {
        first
            .entry(status["id"].as_str().unwrap())
            .or_insert(status["status"].as_str().unwrap());
    }
    let swapped = first.values().filter(|name| **name == "delivered").count();
    assert!(
        (1..50).contains(&swapped),
        "{swapped} of 100 came in another order"
    );
    assert!(
        webhook
            .values()
            .iter()
            .all(|value| value["statuses"].as_array().unwrap().len() <= 4)
    );
}

#[tokio::test]
async fn duplicates_are_the_same_bytes_again() {
    let simulator = Simulator::start(Options {
        duplicate_share: 1.0,
        ..options()
    })
    .await
    .unwrap();
    let webhook = Webhook::start(&simulator).await;
    simulator
        .inbound_text(NUMBER, &person(101), "STOP")
        .await
        .unwrap();
    until(async || webhook.posts().len() == 2 && simulator.settled().await).await;
    let posts = webhook.posts();
    assert_eq!(
        (posts[0].body.as_ref(), &posts[0].signature),
        (posts[1].body.as_ref(), &posts[1].signature)
    );
    assert_eq!(simulator.counters().duplicates, 1);
}

#[tokio::test]
async fn anything_but_200_is_delivered_again() {
    let simulator = Simulator::start(options()).await.unwrap();
    let webhook = Webhook::start(&simulator).await;
    webhook.answers.lock().unwrap().extend([500, 204]);
    simulator
        .inbound_text(NUMBER, &person(101), "hello")
        .await
        .unwrap();
    assert!(!simulator.settled().await);
    until(async || simulator.settled().await).await;
    let posts = webhook.posts();
    assert_eq!(posts.len(), 3);
    assert!(posts.iter().all(|post| post.body == posts[0].body));
    assert_eq!(
        (simulator.counters().redelivered, simulator.counters().lost),
        (2, 0)
    );
}

#[tokio::test]
async fn a_button_names_the_message_it_belongs_to_and_a_username_hides_the_number() {
    let simulator = Simulator::start(options()).await.unwrap();
    let webhook = Webhook::start(&simulator).await;
    let id = Caller::of(&simulator)
        .send(&reminder(&phone(101), "op"))
        .await
        .1["messages"][0]["id"]
        .clone();
    simulator
        .inbound_button(NUMBER, &person(101), "Unsubscribe", "Unsubscribe")
        .await
        .unwrap();
    let hidden = Person::BsuidOnly {
        bsuid: "CA.1001".to_owned(),
        username: Some("sam".to_owned()),
    };
    simulator
        .inbound_text(NUMBER, &hidden, "STOP")
        .await
        .unwrap();
    let values: Vec<Value> = webhook
        .values()
        .into_iter()
        .filter(|value| value.get("messages").is_some())
        .collect();
    assert_eq!(values[0]["messages"][0]["button"]["payload"], "Unsubscribe");
    assert_eq!(
        values[0]["messages"][0]["context"],
        json!({"from": "16135550100", "id": id})
    );
    assert!(
        values[1]["messages"][0].get("from").is_none()
            && values[1]["contacts"][0].get("wa_id").is_none()
    );
    assert_eq!(values[1]["messages"][0]["from_user_id"], "CA.1001");
    assert_eq!(values[1]["contacts"][0]["profile"]["username"], "sam");
}

#[tokio::test]
async fn forged_bytes_go_out_as_they_are_and_a_callback_is_verified_by_its_challenge() {
    let simulator = Simulator::start(options()).await.unwrap();
    assert!(simulator.notify_raw(b"{}".to_vec(), None).await.is_err());
    let webhook = Webhook::start(&simulator).await;
    webhook.answers.lock().unwrap().push_back(401);
    assert_eq!(
        simulator
            .notify_raw(b"{\"a\": 1}".to_vec(), Some("sha256=00".to_owned()))
            .await
            .unwrap(),
        401
    );
    assert_eq!(
        simulator.notify_raw(b"x".to_vec(), None).await.unwrap(),
        200
    );
    let posts = webhook.posts();
    assert_eq!(
        (posts[0].body.as_ref(), posts[0].signature.as_deref()),
        (&b"{\"a\": 1}"[..], Some("sha256=00"))
    );
    assert_eq!(posts[1].signature, None);
    assert!(
        simulator
            .verify_webhook(&webhook.url, "right")
            .await
            .unwrap()
    );
    assert!(
        !simulator
            .verify_webhook(&webhook.url, "wrong")
            .await
            .unwrap()
    );
}
