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
        "webhook",
        "notification-processor",
        "intake",
        "sender",
        "privacy-web",
        "retention-purge",
    ] {
        let logical: String = function
            .split('-')
            .map(|word| word[..1].to_uppercase() + &word[1..])
            .collect();
        let found = [logical.clone(), format!("{logical}Function")]
            .into_iter()
            .find_map(|id| cloud.function_environment(&id).ok())
            .unwrap_or_else(|| {
                panic!(
                    "{:#}",
                    cloud
                        .function_environment(&format!("{logical}Function"))
                        .unwrap_err()
                )
            });
        for (name, value) in &found {
            assert!(
                !value.is_empty() || !name.starts_with("HEADGATE_"),
                "{function}: {name} is empty"
            );
        }
        println!("{function}: {found:#?}");
    }
    println!("{:#?}", cloud.routes());
    cloud.stop().await.unwrap();
}
