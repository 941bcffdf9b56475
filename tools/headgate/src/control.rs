//! The control address of `headgate dev`: status and calendar, on loopback, for the other commands.
//!
//! Small on purpose, both ends: a few JSON routes, and a client that speaks just enough HTTP to call
//! them. It offers nothing an app needs; whoever may connect to this machine's loopback may use it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use headgate_domain::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};

use crate::stage::Stage;

/// A running control address.
pub struct Control {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

/// A wish to turn the calendar, for whoever owns the stage.
pub struct Turn {
    /// How far.
    pub by: Duration,
    /// Where the outcome goes.
    pub done: oneshot::Sender<Result<()>>,
}

#[derive(Clone)]
struct Shared {
    stage: Arc<Stage>,
    turns: mpsc::Sender<Turn>,
    progress: Progress,
}

/// How far a turn of the calendar has come.
#[derive(Clone, Default)]
pub struct Progress(Arc<(AtomicU64, AtomicU64)>);

impl Progress {
    /// Notes how many of how many runs are done.
    pub fn note(&self, done: u64, runs: u64) {
        self.0.0.store(done, Ordering::Relaxed);
        self.0.1.store(runs, Ordering::Relaxed);
    }
}

impl Control {
    /// Listens on loopback until `stop`.
    ///
    /// # Errors
    /// When the port is taken.
    pub async fn start(
        port: Option<u16>,
        stage: Arc<Stage>,
        turns: mpsc::Sender<Turn>,
        progress: Progress,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0)))
            .await
            .context("the control address cannot listen on its port")?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new()
            .route("/status", get(status))
            .route("/clock", get(clock))
            .route("/clock/advance", post(advance))
            .route("/purge", post(purge))
            .with_state(Shared {
                stage,
                turns,
                progress,
            });
        let server = axum::serve(listener, router).with_graceful_shutdown(async move {
            stop.wait_for(|s| *s).await.ok();
        });
        Ok(Self {
            url,
            task: tokio::spawn(async move { server.await }),
        })
    }

    /// Waits until the last request is answered.
    pub async fn stopped(self) {
        let mut task = self.task;
        if tokio::time::timeout(Duration::from_secs(2), &mut task)
            .await
            .is_err()
        {
            task.abort();
        }
    }
}

async fn status(State(shared): State<Shared>) -> Json<Value> {
    let counters = shared.stage.cloud.counters();
    let queues: serde_json::Map<String, Value> = counters
        .queues
        .iter()
        .map(|(name, q)| (name.clone(), json!({"sent": q.sent, "received": q.received, "deleted": q.deleted, "redelivered": q.redelivered})))
        .collect();
    let dead: u64 = counters
        .queues
        .iter()
        .filter(|(name, _)| name.ends_with("-dlq"))
        .map(|(_, q)| q.sent + q.moved_to_dead_letter)
        .sum();
    Json(json!({
        "calendar": shared.stage.now().to_string(),
        "idle": shared.stage.cloud.idle().await,
        "dead_letters": dead,
        "failed_schedule_runs": counters.failed_schedule_runs,
        "simulator": shared.stage.simulator.as_ref().map(|s| json!(s.counters())),
        "queues": queues,
    }))
}

async fn clock(State(shared): State<Shared>) -> Json<Value> {
    let now = shared.stage.now();
    let (done, runs) = (
        shared.progress.0.0.load(Ordering::Relaxed),
        shared.progress.0.1.load(Ordering::Relaxed),
    );
    Json(json!({"now": now.to_string(), "now_ms": now.millis(), "runs_done": done, "runs": runs}))
}

/// Runs the purge as its schedule does, and answers with what it left: the text of its manifest.
async fn purge(State(shared): State<Shared>) -> (StatusCode, Json<Value>) {
    let run = shared
        .stage
        .cloud
        .invoke("RetentionPurgeFunction", json!({}));
    match run.await {
        Ok(manifest) => (StatusCode::OK, Json(json!({ "manifest": manifest }))),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Json(json!({ "error": error.to_string() })),
        ),
    }
}

#[derive(Deserialize)]
struct Advance {
    by_ms: u64,
}

async fn advance(
    State(shared): State<Shared>,
    Json(asked): Json<Advance>,
) -> (StatusCode, Json<Value>) {
    let (done, outcome) = oneshot::channel();
    let turn = Turn {
        by: Duration::from_millis(asked.by_ms),
        done,
    };
    let outcome = match shared.turns.send(turn).await {
        Ok(()) => outcome
            .await
            .unwrap_or_else(|_gone| Err(anyhow::anyhow!("the run is stopping"))),
        Err(_) => Err(anyhow::anyhow!("the run is stopping")),
    };
    let now: Timestamp = shared.stage.now();
    match outcome {
        Ok(()) => (
            StatusCode::OK,
            Json(json!({"now": now.to_string(), "now_ms": now.millis()})),
        ),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Json(json!({"error": format!("{error:#}")})),
        ),
    }
}

/// Calls a control address.
///
/// # Errors
/// When nobody answers there, or the answer is an error, in its own words.
pub async fn call(url: &str, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let address = url
        .strip_prefix("http://")
        .context("the control address is not an http:// address")?
        .trim_end_matches('/');
    let gone = || format!("`headgate dev` does not answer at {url}: is it still running?");
    let mut stream = TcpStream::connect(address).await.with_context(gone)?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.with_context(gone)?;
    stream.write_all(body.as_bytes()).await.with_context(gone)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.with_context(gone)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the control address gave no answer")?;
    let value: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    if head.split(' ').nth(1) != Some("200") {
        bail!(
            "{}",
            value
                .get("error")
                .and_then(Value::as_str)
                .unwrap_or("the control address refused the request")
        );
    }
    Ok(value)
}
