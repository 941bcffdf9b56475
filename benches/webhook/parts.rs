//! The parts of an invocation: our own code with a port that does nothing, and the call to SQS alone.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use headgate_aws::queue::Queue;
use headgate_lambda::clock::system_clock;
use headgate_redact::Secret;
use headgate_testkit::events::signature;
use headgate_testkit::{APP_SECRET, Stage, VERIFY_TOKEN};
use headgate_webhook::overflow::ObjectKey;
use headgate_webhook::queue_body::Encoded;
use http::{Method, Request};
use webhook::{Callers, PortFuture, Ports, Webhook};

use crate::fixtures;
use crate::proc::thread_cpu;

const TIMES: u32 = 20_000;
const CALLS: u32 = 3_000;

/// What each needs.
pub(crate) struct Parts {
    /// From the request to the port, before anything is sent.
    pub(crate) allocations: u64,
    /// Our own code, from request to answer.
    pub(crate) own: Duration,
    /// `SendMessage`: the SDK and the socket.
    pub(crate) call: Duration,
}

/// A port that answers at once, or never.
struct Null {
    answers: bool,
}

impl Ports for Null {
    fn enqueue(&self, body: Encoded) -> PortFuture<'_, ()> {
        Box::pin(async move {
            if !self.answers {
                std::future::pending::<()>().await;
            }
            drop(body);
            Ok(())
        })
    }

    fn store(&self, _key: ObjectKey, _bytes: Vec<u8>) -> PortFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn read_secret(&self) -> PortFuture<'_, Secret<String>> {
        let secret =
            format!(r#"{{"app_secrets":["{APP_SECRET}"],"verify_tokens":["{VERIFY_TOKEN}"]}}"#);
        Box::pin(std::future::ready(Ok(Secret::new(secret))))
    }
}

async fn webhook(answers: bool) -> Webhook {
    let webhook = Webhook::new(Null { answers }, Callers::Anybody, system_clock()).await;
    webhook.unwrap()
}

fn request(body: &Bytes, signature: &str) -> Request<Bytes> {
    let request = Request::builder().method(Method::POST).uri("/webhook");
    let request = request.header("X-Hub-Signature-256", signature);
    request.body(body.clone()).unwrap()
}

/// Runs on a thread of its own, so that nothing else is counted.
pub(crate) fn measure(stage: &Stage) -> Parts {
    // A line each would be most of what is printed; it is made all the same.
    headgate_lambda::log::capture(Arc::new(|line| {
        std::hint::black_box(line);
    }));
    let aws = stage.aws();
    let url = stage.environment("WebhookFunction")["HEADGATE_QUEUE_NOTIFICATIONS_URL"].clone();
    std::thread::scope(|scope| {
        let work = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let body = fixtures::one(0);
            Parts {
                allocations: runtime.block_on(allocations(&body)),
                own: runtime.block_on(own(&body)),
                call: runtime.block_on(call(&Queue::new(&aws, &url), &body)),
            }
        };
        scope.spawn(work).join().unwrap()
    })
}

/// Counted up to the port, which never answers.
async fn allocations(body: &str) -> u64 {
    let webhook = webhook(false).await;
    let signature = signature(APP_SECRET, body.as_bytes());
    let body = Bytes::from(body.to_owned());
    let mut counted = Vec::new();
    for _ in 0..3 {
        let request = request(&body, &signature);
        let info = allocation_counter::measure(|| {
            let mut handled = pin!(webhook.handle(request));
            let mut context = Context::from_waker(Waker::noop());
            assert!(matches!(handled.as_mut().poll(&mut context), Poll::Pending));
        });
        counted.push(info.count_total);
    }
    // What is only allocated once does not count against every webhook.
    *counted.last().unwrap()
}

async fn own(body: &str) -> Duration {
    let webhook = webhook(true).await;
    let signature = signature(APP_SECRET, body.as_bytes());
    let body = Bytes::from(body.to_owned());
    let began = thread_cpu();
    for _ in 0..TIMES {
        let answer = webhook.handle(request(&body, &signature)).await;
        assert_eq!(answer.status(), 200);
    }
    (thread_cpu() - began) / TIMES
}

async fn call(queue: &Queue, body: &str) -> Duration {
    let began = thread_cpu();
    for _ in 0..CALLS {
        queue.send(body, &[]).await.unwrap();
    }
    (thread_cpu() - began) / CALLS
}
