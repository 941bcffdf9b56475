//! Misbehaviour on request: what the caller sees, and what became of the message.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "tests may fail loudly"
)]

mod support;

use meta_simulator::{Fault, Faults, Simulator};
use std::time::Duration;
use support::{Caller, options, phone, reminder, until};

#[tokio::test]
async fn faults_are_served_in_order_and_counted() {
    let simulator = Simulator::start(options()).await.unwrap();
    let caller = Caller::of(&simulator);
    let order = |fault| simulator.faults(Faults { fault, next: 1 });
    order(Fault::ServerError { accepted: false });
    order(Fault::Throughput);
    order(Fault::Pair);
    order(Fault::Code {
        code: 131_048,
        http: Some(418),
    });
    order(Fault::NoMessageId);
    order(Fault::HeldForQuality);
    let send = async || caller.send(&reminder(&phone(101), "op")).await;
    let code = |reply: &serde_json::Value| reply["error"]["code"].as_u64().unwrap();
    let (status, reply) = send().await;
    assert_eq!((status, code(&reply)), (500, 131_000));
    assert_eq!(code(&send().await.1), 130_429);
    assert_eq!(code(&send().await.1), 131_056);
    let (status, reply) = send().await;
    assert_eq!((status, code(&reply)), (418, 131_048));
    let (status, reply) = send().await;
    assert_eq!(
        (status, reply["messages"].as_array().unwrap().len()),
        (200, 0)
    );
    assert_eq!(
        send().await.1["messages"][0]["message_status"],
        "held_for_quality_assessment"
    );
    assert_eq!(send().await.1["messages"][0]["message_status"], "accepted");
    let counters = simulator.counters();
    assert_eq!((counters.faults.len(), counters.accepted), (6, 3));
}

#[tokio::test]
async fn a_reset_a_hang_and_a_page_of_html_may_hide_an_accepted_message() {
    let simulator = Simulator::start(options()).await.unwrap();
    let webhook = support::Webhook::start(&simulator).await;
    let caller = Caller::of(&simulator);
    let send = || {
        caller
            .http
            .post(&caller.url)
            .bearer_auth("simulated-access-token")
            .json(&reminder(&phone(101), "op-hidden"))
    };
    simulator.faults(Faults {
        fault: Fault::Reset { accepted: true },
        next: 1,
    });
    assert!(send().send().await.is_err());
    simulator.faults(Faults {
        fault: Fault::Hang {
            accepted: true,
            ms: 60_000,
        },
        next: 1,
    });
    assert!(
        send()
            .timeout(Duration::from_secs(3))
            .send()
            .await
            .unwrap_err()
            .is_timeout()
    );
    simulator.faults(Faults {
        fault: Fault::Html { accepted: true },
        next: 1,
    });
    let page = send().send().await.unwrap();
    assert_eq!(page.status().as_u16(), 502);
    assert!(page.text().await.unwrap().starts_with("<!DOCTYPE"));
    simulator.faults(Faults {
        fault: Fault::Reset { accepted: false },
        next: 1,
    });
    assert!(send().send().await.is_err());
    let known = || {
        webhook
            .statuses()
            .iter()
            .filter(|status| status["status"] == "sent")
            .count()
    };
    until(async || simulator.settled().await && known() == 3).await;
    assert!(
        webhook
            .statuses()
            .iter()
            .all(|status| status["biz_opaque_callback_data"] == "op-hidden")
    );
    assert_eq!(
        simulator
            .arrivals()
            .iter()
            .filter(|arrival| arrival.accepted)
            .count(),
        3
    );
}
