//! What the webhook answers to Meta, and to everybody else (R-112, R-121, R-122, I10).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use headgate_aws::AwsError;
use headgate_domain::time::Timestamp;
use headgate_lambda::http::ClientSubject;
use headgate_redact::Secret;
use headgate_webhook::overflow::{ObjectKey, Pointer};
use headgate_webhook::queue_body::{self, Encoded};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Method, Request, Response};
use sha2::Sha256;
use webhook::{Callers, KeysError, PortFuture, Ports, Webhook};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A queue, a bucket and a secret store with state, and switches for their failures.
#[derive(Default)]
struct World {
    queue: Mutex<Vec<Encoded>>,
    bucket: Mutex<Vec<(ObjectKey, Vec<u8>)>>,
    queue_down: AtomicBool,
    bucket_down: AtomicBool,
    queue_panics: AtomicBool,
    secret: Mutex<String>,
    secret_reads: AtomicUsize,
    now: AtomicI64,
}

struct Fake(Arc<World>);

impl Ports for Fake {
    fn enqueue(&self, body: Encoded) -> PortFuture<'_, ()> {
        Box::pin(async move {
            assert!(!self.0.queue_panics.load(Ordering::SeqCst), "canary");
            if self.0.queue_down.load(Ordering::SeqCst) {
                return Err(AwsError::new("SendMessage", "timeout"));
            }
            self.0.queue.lock().unwrap().push(body);
            Ok(())
        })
    }

    fn store(&self, key: ObjectKey, bytes: Vec<u8>) -> PortFuture<'_, ()> {
        Box::pin(async move {
            if self.0.bucket_down.load(Ordering::SeqCst) {
                return Err(AwsError::new("PutObject", "timeout"));
            }
            self.0.bucket.lock().unwrap().push((key, bytes));
            Ok(())
        })
    }

    fn read_secret(&self) -> PortFuture<'_, Secret<String>> {
        self.0.secret_reads.fetch_add(1, Ordering::SeqCst);
        let secret = self.0.secret.lock().unwrap().clone();
        Box::pin(async move {
            if secret.is_empty() {
                return Err(AwsError::new("GetSecretValue", "ResourceNotFoundException"));
            }
            Ok(Secret::new(secret))
        })
    }
}

fn stored(app_secret: &str, verify_token: &str) -> String {
    format!(r#"{{"app_secrets":["{app_secret}"],"verify_tokens":["{verify_token}"]}}"#)
}

async fn start(secret: String) -> (Arc<World>, Result<Webhook, KeysError>) {
    start_for(Callers::Anybody, secret).await
}

async fn start_for(callers: Callers, secret: String) -> (Arc<World>, Result<Webhook, KeysError>) {
    let world = Arc::new(World {
        secret: Mutex::new(secret),
        ..World::default()
    });
    let clock = Arc::clone(&world);
    let clock = Arc::new(move || Timestamp::from_millis(clock.now.load(Ordering::SeqCst)));
    let webhook = Webhook::new(Fake(Arc::clone(&world)), callers, clock).await;
    (world, webhook)
}

async fn running() -> (Arc<World>, Webhook) {
    let (world, webhook) = start(stored(SECRET, "token")).await;
    (world, webhook.unwrap())
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let mut text = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn post(signature: Option<&str>, body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri("https://hooks.example/meta");
    if let Some(signature) = signature {
        request = request.header("X-Hub-Signature-256", signature);
    }
    request.body(body.into()).unwrap()
}

fn signed(body: &[u8]) -> Request<Bytes> {
    post(Some(&sign(SECRET, body)), body.to_vec())
}

/// Checks what every answer owes, and gives back its status.
fn status(response: &Response<Bytes>) -> u16 {
    let headers = response.headers();
    assert_eq!(
        headers["strict-transport-security"],
        "max-age=63072000; includeSubDomains"
    );
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cache-control"], "no-store");
    response.status().as_u16()
}

/// The status of an answer that must have an empty body.
async fn refused(webhook: &Webhook, request: Request<Bytes>) -> u16 {
    let response = webhook.handle(request).await;
    assert!(response.body().is_empty());
    status(&response)
}

#[tokio::test]
async fn a_signed_notification_is_durable_before_it_is_answered() {
    let (world, webhook) = running().await;
    let body = r#"{"entry":[{"x":"caf\u00e9"}]}"#.as_bytes();
    assert_eq!(refused(&webhook, signed(body)).await, 200);
    let queue = world.queue.lock().unwrap();
    assert_eq!(queue[0].text.as_bytes(), body);
    assert_eq!(queue[0].encoding, None);
}

#[tokio::test]
async fn what_was_not_made_durable_is_not_answered_with_200() {
    let (world, webhook) = running().await;
    world.queue_down.store(true, Ordering::SeqCst);
    assert_eq!(refused(&webhook, signed(b"{}")).await, 503);
    world.queue_panics.store(true, Ordering::SeqCst);
    assert_eq!(refused(&webhook, signed(b"{}")).await, 503);
}

#[tokio::test]
async fn unsigned_and_wrongly_signed_requests_are_all_answered_alike() {
    let (world, webhook) = running().await;
    let other = sign("another secret", b"{}");
    let hostile = [
        post(None, "{}"),
        post(Some(""), "{}"),
        post(Some("sha256="), "{}"),
        post(Some("sha1=a087b913550da21a5aa03f487a043b245acac739"), "{}"),
        post(Some(&other), "{}"),
        post(Some(&sign(SECRET, b"{}")), "{ }"),
        post(Some(&sign("", b"{}")), "{}"),
        post(None, vec![b'x'; 5 * 1024 * 1024]),
    ];
    for request in hostile {
        assert_eq!(refused(&webhook, request).await, 401);
    }
    assert!(world.queue.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_large_notification_is_compressed_and_an_impossible_one_is_refused() {
    let (world, webhook) = running().await;
    let three_megabytes = vec![b'x'; 3 * 1024 * 1024];
    assert_eq!(refused(&webhook, signed(&three_megabytes)).await, 200);
    {
        let queue = world.queue.lock().unwrap();
        let body = queue_body::decode(&queue[0].text, queue[0].encoding).unwrap();
        assert!(body.bytes() == three_megabytes);
    }
    let too_large = vec![b'x'; 4 * 1024 * 1024 + 1];
    assert_eq!(refused(&webhook, signed(&too_large)).await, 413);
    assert!(world.bucket.lock().unwrap().is_empty());
}

/// Bytes without a pattern: no compression makes them fit a queue message.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[tokio::test]
async fn what_does_not_compress_is_stored_and_a_pointer_to_it_queued() {
    let (world, webhook) = running().await;
    world.now.store(1_795_910_400_000, Ordering::SeqCst);
    let body = noise(3 * 1024 * 1024);
    for _ in 0..2 {
        assert_eq!(refused(&webhook, signed(&body)).await, 200);
    }
    let (queue, bucket) = (world.queue.lock().unwrap(), world.bucket.lock().unwrap());
    for (queued, (key, stored)) in queue.iter().zip(bucket.iter()) {
        assert_eq!(queued.encoding, Some("overflow"));
        let pointer = Pointer::parse(&queued.text).unwrap();
        assert_eq!(pointer.key(), key);
        assert!(key.as_str().starts_with("2026-11-29/"), "{}", key.as_str());
        assert!(pointer.open(stored).unwrap().bytes() == body);
    }
    assert_eq!((queue.len(), bucket.len()), (2, 2));
    assert_ne!(bucket[0].0, bucket[1].0);
}

#[tokio::test]
async fn what_was_not_stored_is_not_queued_and_what_was_not_queued_is_not_answered_with_200() {
    let (world, webhook) = running().await;
    let body = noise(1024 * 1024);
    world.bucket_down.store(true, Ordering::SeqCst);
    assert_eq!(refused(&webhook, signed(&body)).await, 503);
    assert!(world.queue.lock().unwrap().is_empty());

    world.bucket_down.store(false, Ordering::SeqCst);
    world.queue_down.store(true, Ordering::SeqCst);
    assert_eq!(refused(&webhook, signed(&body)).await, 503);
    assert_eq!(world.bucket.lock().unwrap().len(), 1);

    // Meta sends it again; the object of the first time is nobody's.
    world.queue_down.store(false, Ordering::SeqCst);
    assert_eq!(refused(&webhook, signed(&body)).await, 200);
    let (queue, bucket) = (world.queue.lock().unwrap(), world.bucket.lock().unwrap());
    let pointer = Pointer::parse(&queue[0].text).unwrap();
    assert_eq!((queue.len(), bucket.len()), (1, 2));
    assert_eq!(pointer.key(), &bucket[1].0);
}

#[tokio::test]
async fn the_handshake_echoes_the_challenge_as_plain_text() {
    let (_world, webhook) = running().await;
    let ask = |query: &str| {
        let uri = format!("https://hooks.example/meta?{query}");
        Request::builder().uri(uri).body(Bytes::new()).unwrap()
    };
    let good = ask("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=token");
    let response = webhook.handle(good).await;
    assert_eq!(status(&response), 200);
    assert_eq!(response.body(), "1158201444");
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; charset=utf-8"
    );
    for query in [
        "",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=tokem",
        "hub.challenge=1&hub.verify_token=token",
    ] {
        assert_eq!(refused(&webhook, ask(query)).await, 403);
    }
}

#[tokio::test]
async fn other_methods_are_not_answered() {
    let (_world, webhook) = running().await;
    for method in [
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
    ] {
        let mut request = signed(b"{}");
        *request.method_mut() = method;
        let response = webhook.handle(request).await;
        assert_eq!(status(&response), 405);
        assert_eq!(response.headers()["allow"], "GET, POST");
    }
}

#[tokio::test]
async fn a_rotated_secret_is_picked_up_and_forgers_cannot_make_us_look_more_than_once_a_minute() {
    let (world, webhook) = running().await;
    let by_new = || post(Some(&sign("the new secret", b"{}")), "{}");
    *world.secret.lock().unwrap() = stored("the new secret", "token");

    for _ in 0..5 {
        assert_eq!(refused(&webhook, by_new()).await, 401);
    }
    assert_eq!(world.secret_reads.load(Ordering::SeqCst), 1);

    world.now.store(60_000, Ordering::SeqCst);
    assert_eq!(refused(&webhook, by_new()).await, 200);
    assert_eq!(refused(&webhook, signed(b"{}")).await, 401);
    assert_eq!(world.secret_reads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_secret_that_breaks_later_leaves_the_last_good_one_in_force() {
    let (world, webhook) = running().await;
    world.now.store(60_000, Ordering::SeqCst);
    for broken in ["", "{}", r#"{"app_secrets":[""],"verify_tokens":["t"]}"#] {
        *world.secret.lock().unwrap() = broken.to_owned();
        assert_eq!(
            refused(&webhook, post(Some(&sign("forged", b"{}")), "{}")).await,
            401
        );
        assert_eq!(
            refused(&webhook, post(Some(&sign("", b"{}")), "{}")).await,
            401
        );
        assert_eq!(refused(&webhook, signed(b"{}")).await, 200);
        world.now.fetch_add(60_000, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn without_usable_keys_the_function_does_not_start() {
    for (secret, expected) in [
        (String::new(), KeysError::Unreadable),
        ("[]".to_owned(), KeysError::Malformed),
        (stored("", "token"), KeysError::Blank),
        (stored(SECRET, " "), KeysError::Blank),
    ] {
        let (_world, started) = start(secret).await;
        assert_eq!(started.err(), Some(expected));
    }
}

/// With mutual TLS, who has a certificate of the right authority and another name is turned away
/// (R-123), whatever the rest of the request is like, and learns nothing from it.
#[tokio::test]
async fn with_mutual_tls_only_the_named_caller_gets_as_far_as_the_signature() {
    const NAME: &str = "client.webhooks.fbclientcerts.com";
    let callers = Callers::Named(NAME.to_owned());
    let (world, webhook) = start_for(callers, stored(SECRET, "token")).await;
    let webhook = webhook.unwrap();
    let from = |subject: &str, mut request: Request<Bytes>| {
        let subject = ClientSubject(subject.to_owned());
        request.extensions_mut().insert(subject);
        request
    };
    let handshake = || {
        let query = "hub.mode=subscribe&hub.challenge=1&hub.verify_token=token";
        let uri = format!("https://hooks.example/webhook?{query}");
        Request::builder().uri(uri).body(Bytes::new()).unwrap()
    };
    let deletion = || {
        let mut request = signed(b"{}");
        *request.method_mut() = Method::DELETE;
        request
    };

    let strangers = [
        "CN=client.webhooks.fbclientcerts.com.evil.example,O=Example",
        "CN=evil.client.webhooks.fbclientcerts.com",
        "CN=client.webhooks.fbclientcerts.co",
        "CN=*.webhooks.fbclientcerts.com",
        "CN=CLIENT.WEBHOOKS.FBCLIENTCERTS.COM",
        "CN=evil.example,OU=client.webhooks.fbclientcerts.com",
        "CN=evil.example,OU=CN=client.webhooks.fbclientcerts.com",
        r"CN=evil.example\,CN=client.webhooks.fbclientcerts.com",
        r"O=Example\,CN=client.webhooks.fbclientcerts.com",
        r#"O="Example,CN=client.webhooks.fbclientcerts.com""#,
        "CN=evil.example,CN=client.webhooks.fbclientcerts.com",
        "O=client.webhooks.fbclientcerts.com",
        "client.webhooks.fbclientcerts.com",
        "CN=",
        "",
    ];
    for request in [signed(b"{}"), handshake(), deletion()] {
        assert_eq!(refused(&webhook, request).await, 401);
    }
    // Only API Gateway says whose certificate it is; a header is anybody's.
    let mut claimed = signed(b"{}");
    for header in ["x-amzn-mtls-clientcert-subject", "clientcert"] {
        let subject = format!("CN={NAME}").parse().unwrap();
        claimed.headers_mut().insert(header, subject);
    }
    assert_eq!(refused(&webhook, claimed).await, 401);
    for subject in strangers {
        for request in [signed(b"{}"), handshake(), deletion()] {
            let request = from(subject, request);
            assert_eq!(refused(&webhook, request).await, 401, "{subject}");
        }
    }
    assert!(world.queue.lock().unwrap().is_empty());

    for subject in [
        format!("CN={NAME}"),
        format!(r"CN={NAME},O=Meta Platforms\, Inc.,L=Menlo Park,ST=California,C=US"),
        format!(r#"C=US, ST=California, O="Meta Platforms, Inc.", CN={NAME}"#),
    ] {
        assert_eq!(refused(&webhook, from(&subject, signed(b"{}"))).await, 200);
        let answer = webhook.handle(from(&subject, handshake())).await;
        assert_eq!((status(&answer), answer.body().as_ref()), (200, &b"1"[..]));
        // A certificate is no signature.
        let unsigned = from(&subject, post(None, "{}"));
        assert_eq!(refused(&webhook, unsigned).await, 401);
    }
    assert_eq!(world.queue.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn without_mutual_tls_a_certificate_changes_nothing() {
    let (_world, webhook) = running().await;
    let mut request = signed(b"{}");
    let subject = ClientSubject("CN=anybody.example".to_owned());
    request.extensions_mut().insert(subject);
    assert_eq!(refused(&webhook, request).await, 200);
}
