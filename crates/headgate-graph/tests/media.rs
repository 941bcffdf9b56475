//! Downloads, against the simulator and against peers that do what no good peer does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests may fail loudly, and a server of their own is a task nobody awaits"
)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use headgate_graph::{MediaClient, MediaError};
use headgate_redact::Secret;
use meta_simulator::{Medium, Options, Simulator};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const ID: &str = "400000000000007";
const TOKEN: &str = "simulated-access-token";
const LIMIT: u64 = 1_000_000;
/// printf whole | sha256sum
const WHOLE: &str = "5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099";

fn client(base: &str) -> MediaClient {
    let token = Secret::new(TOKEN.to_owned());
    MediaClient::new(base, &token, Secret::new("ab".repeat(32))).unwrap()
}

async fn fetched(client: &MediaClient) -> Result<Vec<u8>, MediaError> {
    let media = client.locate(ID).await?;
    let mut whole = Vec::new();
    let take = |bytes: &[u8]| {
        whole.extend_from_slice(bytes);
        Ok(())
    };
    let length = client.fetch(&media, LIMIT, take).await?;
    assert_eq!(usize::try_from(length).unwrap(), whole.len());
    Ok(whole)
}

/// A peer that describes one medium, its address put in for `BASE`, and answers the download.
async fn peer(described: Value, download: fn() -> Response) -> (MediaClient, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let (told, counter) = (base.clone(), Arc::clone(&asked));
    let describe = move |headers: HeaderMap| async move {
        assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
        described.to_string().replace("BASE", &told)
    };
    let router = Router::new().route("/v25.0/{id}", get(describe)).fallback(
        move |_headers: HeaderMap| async move {
            counter.fetch_add(1, Ordering::SeqCst);
            download()
        },
    );
    tokio::spawn(async move { axum::serve(listener, router).await });
    (client(&base), asked)
}

fn described(url: &str) -> Value {
    json!({ "messaging_product": "whatsapp", "url": url, "mime_type": "image/jpeg", "sha256": WHOLE, "file_size": 5, "id": ID })
}

fn whole() -> Response {
    "whole".into_response()
}

#[tokio::test]
async fn what_a_person_sent_arrives_whole_and_only_while_its_address_is_good() {
    let now = Arc::new(AtomicI64::new(1_795_341_600));
    let clock = Arc::clone(&now);
    let bytes: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let simulator = Simulator::start(Options {
        appsecret_proof: Some("ab".repeat(32)),
        media: vec![Medium {
            id: ID.to_owned(),
            mime_type: "image/jpeg".to_owned(),
            bytes: bytes.clone(),
        }],
        clock: Arc::new(move || clock.load(Ordering::SeqCst)),
        ..Options::default()
    })
    .await
    .unwrap();
    let client = client(&simulator.url());
    assert_eq!(fetched(&client).await.unwrap(), bytes);

    let media = client.locate(ID).await.unwrap();
    assert_eq!(media.size, Some(200_000));
    now.fetch_add(301, Ordering::SeqCst);
    let late = client.fetch(&media, LIMIT, |_bytes| Ok(())).await;
    assert_eq!(late, Err(MediaError::Expired));
    let large = client.fetch(&media, 1_000, |_bytes| Ok(())).await;
    assert_eq!(large, Err(MediaError::TooLarge { limit: 1_000 }));
    let absent = client.locate("400000000000008").await.err();
    assert_eq!(absent, Some(MediaError::Absent));

    let stranger = Secret::new("another-token".to_owned());
    let stranger =
        MediaClient::new(&simulator.url(), &stranger, Secret::new("ab".repeat(32))).unwrap();
    assert!(stranger.locate(ID).await.is_err());
}

#[tokio::test]
async fn a_download_with_the_right_hash_is_whole() {
    let (client, asked) = peer(described("BASE/x"), whole).await;
    assert_eq!(fetched(&client).await.unwrap(), b"whole");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_address_elsewhere_is_not_asked() {
    for url in [
        "http://127.0.0.1:9/x",
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/x",
        "https://lookaside.fbsbx.com/x",
        "BASE@evil.example/x",
        "file:///etc/passwd",
        "",
    ] {
        let (client, asked) = peer(described(url), whole).await;
        assert_eq!(fetched(&client).await, Err(MediaError::Address), "{url}");
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{url}");
    }
}

#[tokio::test]
async fn a_download_that_leads_elsewhere_is_not_followed() {
    let elsewhere =
        || Redirect::temporary("http://169.254.169.254/latest/meta-data/").into_response();
    let (client, asked) = peer(described("BASE/x"), elsewhere).await;
    assert_eq!(fetched(&client).await, Err(MediaError::Redirected));
    let back = || Redirect::temporary("/y").into_response();
    let (client, again) = peer(described("BASE/x"), back).await;
    assert_eq!(fetched(&client).await, Err(MediaError::Redirected));
    let asked = (asked.load(Ordering::SeqCst), again.load(Ordering::SeqCst));
    assert_eq!(asked, (1, 1), "each once, its own host neither");
}

#[tokio::test]
async fn what_is_cut_off_changed_or_endless_is_an_error() {
    let (client, _asked) = peer(described("BASE/x"), || "whol".into_response()).await;
    assert_eq!(fetched(&client).await, Err(MediaError::CutOff));
    let (client, _asked) = peer(described("BASE/x"), || "whale".into_response()).await;
    assert_eq!(fetched(&client).await, Err(MediaError::Hash));
    // Meta says five bytes, and the peer never ends.
    let endless = || {
        let chunk = || Ok::<_, io::Error>(vec![0_u8; 65_536]);
        Body::from_stream(futures_util::stream::repeat_with(chunk)).into_response()
    };
    let (client, _asked) = peer(described("BASE/x"), endless).await;
    assert_eq!(
        fetched(&client).await,
        Err(MediaError::TooLarge { limit: LIMIT })
    );
    let gone = || StatusCode::NOT_FOUND.into_response();
    let (client, _asked) = peer(described("BASE/x"), gone).await;
    assert_eq!(fetched(&client).await, Err(MediaError::Expired));
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_no_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let description = described(&format!("{base}/x")).to_string();
    tokio::spawn(async move {
        loop {
            let (mut stream, _peer) = listener.accept().await.unwrap();
            let mut request = [0; 4_096];
            let read = stream.read(&mut request).await.unwrap();
            let is_description = request[..read].starts_with(b"GET /v25.0/");
            let (length, body) = if is_description {
                (description.len(), description.as_str())
            } else {
                (5, "wh")
            };
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
        }
    });
    assert_eq!(fetched(&client(&base)).await, Err(MediaError::CutOff));
}

#[tokio::test]
async fn what_cannot_be_written_and_what_cannot_be_read_are_told_apart() {
    let (client, _asked) = peer(described("BASE/x"), whole).await;
    let media = client.locate(ID).await.unwrap();
    let full = |_bytes: &[u8]| Err(io::Error::from(io::ErrorKind::StorageFull));
    let written = client.fetch(&media, LIMIT, full).await;
    assert_eq!(written, Err(MediaError::Sink(io::ErrorKind::StorageFull)));
    for odd in [
        json!({}),
        json!([]),
        json!({ "url": "BASE/x" }),
        json!({ "url": "BASE/x", "sha256": "short" }),
        json!({ "url": 7, "sha256": WHOLE }),
        json!({ "url": "x".repeat(70_000), "sha256": WHOLE }),
    ] {
        let (client, _asked) = peer(odd, whole).await;
        assert_eq!(fetched(&client).await, Err(MediaError::Answer));
    }
    assert_eq!(client.locate("7/../8").await.err(), Some(MediaError::Id));
}

#[test]
fn nothing_shows_the_token_or_the_address() {
    let shown = format!("{:?}", client("http://127.0.0.1:9"));
    assert_eq!(shown, "MediaClient(…)");
}
