//! A store that does nothing: it answers what the local cloud answered before, at once.
//!
//! Speaks the same HTTP as the services it stands for, so that the shipped adapters and the SDK are measured with the
//! rest. What was not asked before is forwarded and remembered; how often that happened is counted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The store, and where it listens.
pub(crate) struct NullStore {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    /// Host and port of the local cloud's DynamoDB.
    behind: String,
    answers: Mutex<HashMap<String, String>>,
    calls: Mutex<HashMap<String, u64>>,
    forwarded: AtomicU64,
}

impl NullStore {
    /// Stands before a DynamoDB.
    pub(crate) async fn start(dynamodb: &str) -> Self {
        let behind = dynamodb.trim_start_matches("http://").trim_end_matches('/');
        let shared = Arc::new(Shared {
            behind: behind.to_owned(),
            answers: Mutex::default(),
            calls: Mutex::default(),
            forwarded: AtomicU64::new(0),
        });
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// The calls since the last time it was asked, and how many of them were forwarded.
    pub(crate) fn calls(&self) -> (HashMap<String, u64>, u64) {
        let calls = std::mem::take(&mut *self.shared.calls.lock().unwrap());
        (calls, self.shared.forwarded.swap(0, Ordering::Relaxed))
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let operation = target.rsplit('.').next().unwrap();
    *shared
        .calls
        .lock()
        .unwrap()
        .entry(operation.to_owned())
        .or_default() += 1;
    let request: Value = serde_json::from_slice(&body).unwrap();
    let text = match operation {
        "PutEvents" => {
            let count = request["Entries"].as_array().unwrap().len();
            let entries = vec![json!({ "EventId": "00000000-0000-4000-8000-000000000000" }); count];
            json!({ "FailedEntryCount": 0, "Entries": entries }).to_string()
        }
        "BatchGetItem" => shared.batch(&request).await,
        _ => {
            let key = format!(
                "{operation} {} {}",
                request["TableName"],
                key(operation, &request)
            );
            shared.remembered(key, target, &body).await
        }
    };
    let headers = [("Content-Type", "application/x-amz-json-1.0")];
    (StatusCode::OK, headers, text).into_response()
}

/// What makes two calls the same: never the time.
fn key(operation: &str, request: &Value) -> String {
    match operation {
        "UpdateItem" => format!("{} {}", request["Key"], request["UpdateExpression"]),
        "PutItem" => format!("{} {}", request["Item"]["pk"], request["Item"]["sk"]),
        _ => request.to_string(),
    }
}

impl Shared {
    /// Items one by one, since who is asked for together changes.
    async fn batch(&self, request: &Value) -> String {
        let mut responses = json!({});
        for (table, wanted) in request["RequestItems"].as_object().unwrap() {
            let mut items = Vec::new();
            for item in wanted["Keys"].as_array().unwrap() {
                let mut alone = wanted.clone();
                alone["Keys"] = json!([item]);
                let ask = json!({ "RequestItems": { table: alone } }).to_string();
                let name = format!("BatchGetItem {table} {item}");
                let target = "DynamoDB_20120810.BatchGetItem";
                let found = self.remembered(name, target, ask.as_bytes()).await;
                let mut found: Value = serde_json::from_str(&found).unwrap();
                if let Value::Array(some) = found["Responses"][table].take() {
                    items.extend(some);
                }
            }
            responses[table] = items.into();
        }
        json!({ "Responses": responses, "UnprocessedKeys": {} }).to_string()
    }

    async fn remembered(&self, key: String, target: &str, body: &[u8]) -> String {
        let known = self.answers.lock().unwrap().get(&key).cloned();
        if let Some(known) = known {
            return known;
        }
        self.forwarded.fetch_add(1, Ordering::Relaxed);
        let text = self.forward(target, body).await;
        self.answers.lock().unwrap().insert(key, text.clone());
        text
    }

    /// The local DynamoDB looks at a signature's form only.
    async fn forward(&self, target: &str, body: &[u8]) -> String {
        let host = &self.behind;
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nX-Amz-Target: {target}\r\nX-Amz-Date: 20261118T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=local/20261118/local/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=0\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(host).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(!head.to_lowercase().contains("chunked"), "{head}");
        body.to_owned()
    }
}
