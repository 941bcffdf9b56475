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
