//! Lambda's side of the Runtime API, version 2018-06-01, on a loopback port.
//!
//! Shapes: docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, read 2026-11. One host serves
//! one process, as in Lambda. Not there: response streaming, extensions, `SnapStart`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{Response, StatusCode};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Lambda takes answers of 6 MB.
const LARGEST_ANSWER: usize = 6 * 1024 * 1024;

struct Invocation {
    id: String,
    deadline_ms: u128,
    event: Value,
}

type Answer = Result<Value, Value>;

struct Shared {
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    open: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    ready: watch::Sender<bool>,
    init_error: Mutex<Option<Value>>,
}

/// The Runtime API of one function process.
pub struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    queue: mpsc::UnboundedSender<Invocation>,
    server: JoinHandle<()>,
}

impl RuntimeApi {
    /// Listens on a free loopback port.
    pub async fn start() -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            waiting: tokio::sync::Mutex::new(waiting),
            open: Mutex::default(),
            ready: watch::Sender::new(false),
            init_error: Mutex::default(),
        });
        let runtime = Router::new()
            .route("/invocation/next", get(next))
            .route("/invocation/{id}/response", post(response))
            .route("/invocation/{id}/error", post(error))
            .route("/init/error", post(init_error))
            .layer(DefaultBodyLimit::max(LARGEST_ANSWER))
            .with_state(Arc::clone(&shared));
        let router = Router::new().nest("/2018-06-01/runtime", runtime);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Self {
            address,
            shared,
            queue,
            server,
        }
    }

    /// What `AWS_LAMBDA_RUNTIME_API` says: host and port.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Hands an event over and waits for what comes of it; `Err` is the error the function reported,
    /// or one of type `NoAnswer` when there was none in time.
    ///
    /// # Errors
    /// The function's own error object.
    pub async fn invoke(&self, event: Value, deadline: Duration) -> Answer {
        let (sender, answer) = oneshot::channel();
        let due = SystemTime::now().checked_add(deadline).unwrap();
        let deadline_ms = due.duration_since(UNIX_EPOCH).unwrap().as_millis();
        let id = {
            let mut open = lock(&self.shared.open);
            // A UUID in form; unique among the invocations of this process is enough.
            let id = format!("00000000-0000-4000-8000-{:012x}", open.len());
            open.insert(id.clone(), sender);
            id
        };
        let invocation = Invocation {
            id,
            deadline_ms,
            event,
        };
        self.queue.send(invocation).ok();
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(json!({ "errorType": "NoAnswer" })),
        }
    }

    /// Waits until the function asked for its first event: its cold start succeeded.
    pub async fn wait_until_ready(&self, timeout: Duration) -> bool {
        let mut ready = self.shared.ready.subscribe();
        let seen = tokio::time::timeout(timeout, ready.wait_for(|ready| *ready)).await;
        matches!(seen, Ok(Ok(_)))
    }

    /// Whether the function ever asked for an event.
    pub fn was_ready(&self) -> bool {
        *self.shared.ready.borrow()
    }

    /// What the function reported as the reason it could not start, if it did.
    pub fn init_error(&self) -> Option<Value> {
        lock(&self.shared.init_error).clone()
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn json_or_text(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_text| Value::from(body))
}

async fn next(State(shared): State<Arc<Shared>>) -> Response<Body> {
    shared.ready.send_replace(true);
    let Some(invocation) = shared.waiting.lock().await.recv().await else {
        return Response::builder()
            .status(StatusCode::INTERNAL_SERVER_ERROR)
            .body(Body::empty())
            .unwrap();
    };
    let deadline = invocation.deadline_ms.to_string();
    let arn = "arn:aws:lambda:ca-central-1:123456789012:function:under-test";
    Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", invocation.id)
        .header("Lambda-Runtime-Deadline-Ms", deadline)
        .header("Lambda-Runtime-Invoked-Function-Arn", arn)
        .header(
            "Lambda-Runtime-Trace-Id",
            "Root=1-00000000-000000000000000000000000;Sampled=0",
        )
        .body(Body::from(invocation.event.to_string()))
        .unwrap()
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: String,
) -> StatusCode {
    shared.settle(&id, Ok(json_or_text(&body)))
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: String,
) -> StatusCode {
    shared.settle(&id, Err(json_or_text(&body)))
}

async fn init_error(State(shared): State<Arc<Shared>>, body: String) -> StatusCode {
    *lock(&shared.init_error) = Some(json_or_text(&body));
    StatusCode::ACCEPTED
}

impl Shared {
    fn settle(&self, id: &str, answer: Answer) -> StatusCode {
        let taken = lock(&self.open).remove(id);
        match taken {
            // The caller may have given up at the deadline; the function was in time all the same.
            Some(caller) => {
                caller.send(answer).ok();
                StatusCode::ACCEPTED
            }
            None => StatusCode::NOT_FOUND,
        }
    }
}
