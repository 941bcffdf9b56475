//! The templates of this repository start here as they are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::too_many_lines,
    missing_docs,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use local_cloud::{Calendar, LocalCloud, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

async fn start() -> LocalCloud {
    let read = |path: &str| std::fs::read_to_string(repository().join(path)).unwrap();
    let nested: BTreeMap<String, String> = std::fs::read_dir(repository().join("infra"))
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_template = Path::new(&name).extension().is_some_and(|e| e == "yaml");
            is_template.then(|| (format!("infra/{name}"), read(&format!("infra/{name}"))))
        })
        .collect();
    LocalCloud::start(Options {
        template: read("template.yaml"),
        nested,
        parameters: BTreeMap::new(),
        data_dir: None,
        first_port: None,
        calendar: Calendar::at_fixed_morning(),
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn the_templates_start_and_every_function_has_its_environment() {
    let cloud = start().await;
    for function in [
        "Webhook",
        "NotificationProcessor",
        "Intake",
        "Sender",
        "PrivacyWeb",
        "RetentionPurge",
        "LedgerCheckpoint",
        "ConsentImport",
        "PrivacyWorker",
    ] {
        let environment = cloud
            .function_environment(&format!("{function}Function"))
            .unwrap();
        let ours = environment
            .iter()
            .filter(|(name, _)| name.starts_with("HEADGATE_"));
        for (name, value) in ours.clone() {
            assert!(!value.is_empty(), "{function}: {name} is empty");
            assert!(
                !value.contains("amazonaws.com"),
                "{function}: {name} leaves this machine"
            );
        }
        assert!(ours.count() >= 2, "{function}");
    }
    cloud.stop().await.unwrap();
}

#[tokio::test]
async fn the_public_routes_lead_to_the_functions_of_the_template() {
    let cloud = start().await;
    let routes = cloud.routes();
    let leads = |method: &str, path: &str, function: &str| {
        routes
            .iter()
            .any(|(_, m, p, f)| m == method && p == path && f == function)
    };
    assert!(leads("GET", "/webhook", "WebhookFunction"));
    assert!(leads("POST", "/webhook", "WebhookFunction"));
    for (api, _, path, _) in &routes {
        assert!(cloud.api_url(api).is_some(), "{path} has no address");
    }
    cloud.stop().await.unwrap();
}

/// What leads nowhere is answered by API Gateway; that answer is one of ours too.
#[tokio::test]
async fn an_answer_without_a_function_carries_the_headers_and_no_words() {
    let cloud = start().await;
    for (api, status, method, path, size) in [
        (
            "HooksApi",
            403,
            "GET",
            "/nowhere?hub.verify_token=canary",
            0,
        ),
        ("HooksApi", 403, "DELETE", "/webhook", 0),
        ("HooksApi", 502, "POST", "/webhook", 2),
        ("HooksApi", 413, "POST", "/webhook", 11 << 20),
        ("PrivacyApi", 403, "GET", "/u/canary/more", 0),
        ("PrivacyApi", 502, "GET", "/privacy", 0),
    ] {
        let url = cloud.api_url(api).unwrap();
        let address = url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {size}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // One that is announced as too large is answered before it is sent.
        if size < 1 << 20 {
            stream.write_all(&vec![b'x'; size]).await.unwrap();
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let answer = answer.to_lowercase();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
        assert_eq!(body, "{}", "{api} {method} {path}");
        assert!(!answer.contains("canary"));
        for header in [
            "strict-transport-security: max-age=63072000; includesubdomains",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
        ] {
            assert!(head.contains(header), "{api} {path} lacks {header}: {head}");
        }
        let page = head.contains("referrer-policy: no-referrer");
        assert_eq!(page, api == "PrivacyApi");
    }
    cloud.stop().await.unwrap();
}
