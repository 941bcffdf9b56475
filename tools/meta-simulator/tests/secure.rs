//! The same API over HTTP/2 and TLS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]

mod support;

use meta_simulator::{Fault, Faults, Options, Simulator};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;
use support::{Caller, NUMBER, options, phone, reminder};

async fn start() -> (Simulator, Caller) {
    let simulator = Simulator::start(Options {
        tls: true,
        threads: 1,
        ..options()
    })
    .await
    .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    let certificate = simulator.certificate_der().unwrap();
    roots.add(CertificateDer::from(certificate)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .build()
        .unwrap();
    let url = format!("{}/v25.0/{NUMBER}/messages", simulator.url());
    (simulator, Caller { http, url })
}

#[tokio::test]
async fn sends_and_everything_else_are_answered_over_http_2_and_tls() {
    let (simulator, caller) = start().await;
    assert!(simulator.url().starts_with("https://127.0.0.1:"));
    let from = Instant::now();
    let (status, reply) = caller.send(&reminder(&phone(101), "op-1")).await;
    assert_eq!(status, 200);
    assert_eq!(reply["contacts"][0]["wa_id"], "16135550101");
    let arrival = &simulator.arrivals()[0];
    assert!(arrival.accepted && arrival.counted && arrival.at >= from);
    assert_eq!(arrival.opaque.as_deref(), Some("op-1"));
    let report = simulator.window_between(from, Instant::now());
    assert_eq!((report.most(), report.numbers[0].refused), (1, 0));
    assert_eq!(simulator.window_between(from, from).most(), 0);

    let node = format!("{}/v25.0/{NUMBER}", simulator.url());
    let request = caller.http.get(node).bearer_auth("simulated-access-token");
    let response = request.send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["throughput"]["level"], "STANDARD");

    let order = caller.http.post(format!("{}/_sim/faults", simulator.url()));
    let order = order.json(&json!({"fault": {"kind": "redirect"}, "next": 1}));
    assert_eq!(order.send().await.unwrap().status().as_u16(), 204);
    let send = caller.http.post(&caller.url).json(&json!({}));
    let send = send.bearer_auth("simulated-access-token");
    assert_eq!(send.send().await.unwrap().status().as_u16(), 302);
}

#[tokio::test]
async fn what_is_not_sent_is_not_taken_on_and_what_is_cut_off_may_be() {
    let (simulator, caller) = start().await;
    for (fault, taken) in [
        (Fault::RefusedStream, 0),
        (Fault::GoAway, 0),
        (Fault::Reset { accepted: true }, 1),
        (Fault::StreamReset { accepted: true }, 2),
        (Fault::Truncated { accepted: false }, 2),
    ] {
        let name = format!("{fault:?}");
        simulator.faults(Faults { fault, next: 1 });
        let request = caller.http.post(&caller.url);
        let request = request
            .bearer_auth("simulated-access-token")
            .json(&reminder(&phone(101), "op"));
        let answered = match request.send().await {
            Ok(response) => response.bytes().await.is_ok(),
            Err(_) => false,
        };
        assert!(!answered, "{name}");
        assert_eq!(simulator.counters().accepted, taken, "{name}");
    }
    assert_eq!(caller.code(&reminder(&phone(101), "op")).await, 0);
}
