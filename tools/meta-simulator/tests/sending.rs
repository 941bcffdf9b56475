//! Sends over a real socket: answers, limits, faults and the record.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "tests may fail loudly"
)]

mod support;

use base64::Engine as _;
use meta_simulator::{Latency, Number, Options, Simulator};
use serde_json::json;
use std::time::{Duration, Instant};
use support::{Caller, NUMBER, client, options, person, phone, reminder, text, until};

fn decoded(wamid: &str) -> Vec<u8> {
    let body = wamid.strip_prefix("wamid.").unwrap();
    base64::engine::general_purpose::STANDARD
        .decode(body)
        .unwrap()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_template_is_accepted_and_its_wamid_contains_the_number() {
    let simulator = Simulator::start(options()).await.unwrap();
    let (status, reply) = Caller::of(&simulator)
        .send(&reminder(&phone(101), "op-1"))
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        reply["contacts"],
        json!([{"input": "+16135550101", "wa_id": "16135550101"}])
    );
    assert_eq!(reply["messages"][0]["message_status"], "accepted");
    assert!(contains(
        &decoded(reply["messages"][0]["id"].as_str().unwrap()),
        b"16135550101"
    ));
    let arrival = &simulator.arrivals()[0];
    assert!(arrival.accepted && arrival.counted && arrival.code.is_none());
    assert_eq!(arrival.template.as_deref(), Some("appointment_reminder"));
    assert_eq!(arrival.opaque.as_deref(), Some("op-1"));
    simulator.stop().await.unwrap();
}

#[tokio::test]
async fn a_user_id_is_answered_without_a_number_anywhere() {
    let simulator = Simulator::start(options()).await.unwrap();
    let caller = Caller::of(&simulator);
    let mut body = reminder("", "op");
    body.as_object_mut().unwrap().remove("to");
    body["recipient"] = json!("CA.1001");
    let (_, reply) = caller.send(&body).await;
    assert_eq!(
        reply["contacts"],
        json!([{"input": "CA.1001", "user_id": "CA.1001"}])
    );
    // Neither the field that holds a number, nor the business's own; fewer digits may be chance.
    let wamid = decoded(reply["messages"][0]["id"].as_str().unwrap());
    assert_eq!(wamid[..2], [0x1c, 0x15]);
    assert!(!contains(&wamid, b"16135550"));
    // `to` wins when both are there.
    body["to"] = json!(phone(101));
    assert_eq!(
        caller.send(&body).await.1["contacts"][0]["wa_id"],
        "16135550101"
    );
    // A login code cannot go to a user id.
    let mut code = body.clone();
    code.as_object_mut().unwrap().remove("to");
    code["template"] = json!({"name": "login_code", "language": {"code": "en"},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "123456"}]}]});
    assert_eq!(caller.code(&code).await, 131_062);
}

#[tokio::test]
async fn a_wrong_token_is_401_with_code_190_and_does_not_count() {
    let simulator = Simulator::start(options()).await.unwrap();
    let url = Caller::of(&simulator).url;
    for request in [
        client().post(&url),
        client().post(&url).bearer_auth("another"),
    ] {
        let response = request
            .json(&reminder(&phone(101), "op"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), 401);
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(
            (
                body["error"]["code"].as_u64(),
                body["error"]["type"].as_str()
            ),
            (Some(190), Some("OAuthException"))
        );
    }
    assert!(
        simulator
            .arrivals()
            .iter()
            .all(|arrival| !arrival.counted && arrival.code == Some(190))
    );
    assert_eq!(simulator.worst_window().most(), 0);
}

#[tokio::test]
async fn the_app_secret_proof_is_required_once_it_is_set() {
    let proof = "00ff".repeat(16);
    let simulator = Simulator::start(Options {
        appsecret_proof: Some(proof.clone()),
        ..options()
    })
    .await
    .unwrap();
    let mut caller = Caller::of(&simulator);
    assert_eq!(caller.code(&reminder(&phone(101), "op")).await, 100);
    let mut in_body = reminder(&phone(101), "op");
    in_body["appsecret_proof"] = json!(proof);
    assert_eq!(caller.code(&in_body).await, 0);
    let url = caller.url.clone();
    caller.url = format!("{url}?appsecret_proof={proof}");
    assert_eq!(caller.code(&reminder(&phone(101), "op")).await, 0);
    caller.url = format!("{url}?appsecret_proof=11");
    assert_eq!(caller.code(&reminder(&phone(101), "op")).await, 100);
}

#[tokio::test]
async fn unknown_numbers_versions_and_paths_are_refused_as_graph_does() {
    let simulator = Simulator::start(options()).await.unwrap();
    let mut caller = Caller::of(&simulator);
    for (path, code) in [
        ("v26.0/100000000000001/messages", 0),
        ("v25.0/999/messages", 100),
        ("25/100000000000001/messages", 2500),
        ("v25.0/100000000000001/massages", 2500),
    ] {
        caller.url = format!("{}/{path}", simulator.url());
        assert_eq!(
            caller.code(&reminder(&phone(101), "op")).await,
            code,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_message_beyond_what_a_second_holds_is_130429() {
    let numbers = vec![Number {
        id: NUMBER.to_owned(),
        display_phone: "+16135550100".to_owned(),
        per_second: 20,
    }];
    let simulator = Simulator::start(Options {
        numbers,
        ..options()
    })
    .await
    .unwrap();
    let caller = Caller::of(&simulator);
    let begun = Instant::now();
    let mut refused = 0;
    for index in 0..25_u32 {
        let (status, reply) = caller.send(&reminder(&phone(101 + index), "op")).await;
        if status != 200 {
            assert_eq!(
                (status, reply["error"]["code"].as_u64()),
                (400, Some(130_429))
            );
            refused += 1;
        }
    }
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "too slow to say anything"
    );
    assert_eq!(refused, 5);
    // The report counts what was refused too: it is what came over the wire.
    let report = simulator.worst_window();
    assert_eq!((report.most(), report.within_limits()), (25, false));
    assert_eq!(report.numbers[0].per_second.iter().sum::<u32>(), 25);
    until(async || begun.elapsed() > Duration::from_millis(2_100)).await;
    assert_eq!(caller.code(&reminder(&phone(140), "op")).await, 0);
    assert_eq!(simulator.counters().refused[&130_429], 5);
}

#[tokio::test]
async fn messages_from_people_take_places_in_the_same_second() {
    let numbers = vec![Number {
        id: NUMBER.to_owned(),
        display_phone: "+16135550100".to_owned(),
        per_second: 3,
    }];
    let simulator = Simulator::start(Options {
        numbers,
        ..options()
    })
    .await
    .unwrap();
    let _webhook = support::Webhook::start(&simulator).await;
    let caller = Caller::of(&simulator);
    simulator
        .inbound_text(NUMBER, &person(101), "hello")
        .await
        .unwrap();
    simulator
        .inbound_text(NUMBER, &person(102), "hello")
        .await
        .unwrap();
    assert_eq!(caller.code(&text(&phone(101))).await, 0);
    assert_eq!(caller.code(&text(&phone(102))).await, 130_429);
    let report = simulator.worst_window();
    assert_eq!(
        (
            report.numbers[0].inbound,
            report.numbers[0].outbound,
            report.most()
        ),
        (2, 2, 4)
    );
}

#[tokio::test]
async fn the_forty_sixth_message_to_one_person_is_131056() {
    let simulator = Simulator::start(options()).await.unwrap();
    let caller = Caller::of(&simulator);
    for _ in 0..45 {
        assert_eq!(caller.code(&reminder(&phone(101), "op")).await, 0);
    }
    let (status, reply) = caller.send(&reminder(&phone(101), "op")).await;
    assert_eq!(
        (status, reply["error"]["code"].as_u64()),
        (400, Some(131_056))
    );
    assert_eq!(caller.code(&reminder(&phone(102), "op")).await, 0);
}

#[tokio::test]
async fn answers_take_their_time_within_bounds() {
    let latency = Latency {
        min_ms: 40,
        max_ms: 80,
    };
    let simulator = Simulator::start(Options {
        latency,
        ..options()
    })
    .await
    .unwrap();
    let caller = Caller::of(&simulator);
    let begun = Instant::now();
    assert_eq!(caller.code(&reminder(&phone(101), "op")).await, 0);
    assert!(begun.elapsed() >= Duration::from_millis(40));
}

#[tokio::test]
async fn the_admin_routes_do_what_the_methods_do() {
    let simulator = Simulator::start(options()).await.unwrap();
    let webhook = support::Webhook::start(&simulator).await;
    let (http, url) = (client(), simulator.url());
    let asked = json!({"from": phone(101), "text": "STOP"});
    let reply: serde_json::Value = http
        .post(format!("{url}/_sim/inbound"))
        .json(&asked)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(reply["id"].as_str().unwrap().starts_with("wamid."));
    assert_eq!(webhook.values()[0]["messages"][0]["text"]["body"], "STOP");
    let faults = json!({"fault": {"kind": "code", "code": 131_042}, "next": 1});
    assert_eq!(
        http.post(format!("{url}/_sim/faults"))
            .json(&faults)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        204
    );
    assert_eq!(
        Caller::of(&simulator)
            .code(&reminder(&phone(101), "op"))
            .await,
        131_042
    );
    let arrivals: serde_json::Value = http
        .get(format!("{url}/_sim/arrivals"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (
            arrivals[0]["code"].as_u64(),
            arrivals[0]["counted"].as_bool()
        ),
        (Some(131_042), Some(true))
    );
    let windows: serde_json::Value = http
        .get(format!("{url}/_sim/windows"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(windows[0]["inbound"], 1);
}
