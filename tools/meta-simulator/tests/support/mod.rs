//! A webhook that keeps what it is sent byte for byte, and a caller of the simulated API.
#![allow(dead_code, reason = "each test binary uses its part")]

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use meta_simulator::{Latency, Options, Person, Simulator};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const NUMBER: &str = "100000000000001";

#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) signature: Option<String>,
    pub(crate) body: Bytes,
}

#[derive(Clone, Default)]
pub(crate) struct Webhook {
    pub(crate) posts: Arc<Mutex<Vec<Post>>>,
    pub(crate) url: String,
    /// Answers before 200 is the rule.
    pub(crate) answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Webhook {
    pub(crate) async fn start(simulator: &Simulator) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/meta", listener.local_addr().unwrap());
        simulator.set_webhook(&url);
        let webhook = Self {
            url,
            ..Self::default()
        };
        let router = Router::new()
            .route("/meta", post(keep).get(challenge))
            .with_state(webhook.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        webhook
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }

    /// Every `value` of every change, in the order of arrival.
    pub(crate) fn values(&self) -> Vec<Value> {
        let mut values = Vec::new();
        for post in self.posts() {
            let body: Value = serde_json::from_slice(&post.body).unwrap();
            for entry in body["entry"].as_array().unwrap() {
                values.extend(
                    entry["changes"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|change| change["value"].clone()),
                );
            }
        }
        values
    }

    pub(crate) fn statuses(&self) -> Vec<Value> {
        let of = |value: &Value| value["statuses"].as_array().cloned().unwrap_or_default();
        self.values().iter().flat_map(of).collect()
    }
}

async fn challenge(query: axum::extract::RawQuery) -> (StatusCode, &'static str) {
    if query
        .0
        .unwrap_or_default()
        .ends_with("hub.verify_token=right")
    {
        (StatusCode::OK, "1158201444")
    } else {
        (StatusCode::FORBIDDEN, "")
    }
}

async fn keep(State(webhook): State<Webhook>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers
        .get("x-hub-signature-256")
        .map(|value| value.to_str().unwrap().to_owned());
    webhook.posts.lock().unwrap().push(Post { signature, body });
    let answer = webhook.answers.lock().unwrap().pop_front().unwrap_or(200);
    StatusCode::from_u16(answer).unwrap()
}

pub(crate) fn options() -> Options {
    Options {
        latency: Latency::NONE,
        status_batch_ms: 50,
        ..Options::default()
    }
}

pub(crate) fn client() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .build()
        .unwrap()
}

pub(crate) struct Caller {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
}

impl Caller {
    pub(crate) fn of(simulator: &Simulator) -> Self {
        Self {
            http: client(),
            url: format!("{}/v25.0/{NUMBER}/messages", simulator.url()),
        }
    }

    pub(crate) async fn send(&self, body: &Value) -> (u16, Value) {
        let request = self
            .http
            .post(&self.url)
            .bearer_auth("simulated-access-token")
            .json(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The code it is refused with; 0 when it is not.
    pub(crate) async fn code(&self, body: &Value) -> u64 {
        self.send(body).await.1["error"]["code"]
            .as_u64()
            .unwrap_or(0)
    }
}

pub(crate) fn phone(last: u32) -> String {
    format!("+1613555{last:04}")
}

pub(crate) fn text(to: &str) -> Value {
    json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": to, "type": "text",
        "text": {"body": "Your parcel is here."}})
}

pub(crate) fn reminder(to: &str, opaque: &str) -> Value {
    json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": to, "type": "template",
        "template": {"name": "appointment_reminder", "language": {"code": "en"}, "components": [
            {"type": "body", "parameters": [{"type": "text", "text": "Sam"}, {"type": "text", "text": "9:30"}]}]},
        "biz_opaque_callback_data": opaque})
}

pub(crate) fn person(last: u32) -> Person {
    Person::Phone {
        e164: phone(last),
        name: "Zoë @ home".to_owned(),
        bsuid: String::new(),
    }
}

/// Statuses run on the real clock, so a test can only wait for what it expects, within a bound.
pub(crate) async fn until(mut reached: impl AsyncFnMut() -> bool) {
    for _ in 0..18_000 {
        if reached().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to pass within three minutes");
}
