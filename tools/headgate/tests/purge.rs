//! The purge through the binary: what is due, its evidence exported from a running gateway and verified without it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::fs;
use std::process::Command;

use serde_json::Value;

mod dev;

use dev::{BINARY, Dev};

/// Runs a command that needs no gateway: whether it succeeded, and what it said.
fn offline(args: &[&str]) -> (bool, Value) {
    let output = Command::new(BINARY)
        .args(args)
        .env_clear()
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (
        output.status.success(),
        serde_json::from_str(&said).unwrap(),
    )
}

#[test]
fn a_dry_run_tells_what_the_run_then_does_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let nothing = dev.json(&["purge", "run", "--dry-run"]);
    assert_eq!(nothing["destroy"], serde_json::json!([]), "{nothing}");
    assert_eq!(
        nothing["rows"],
        serde_json::json!({ "outbox": 0, "inbound": 0, "idempotency": 0 })
    );
    let keys = dev.json(&["purge", "plan"])["keys"].clone();
    for _ in 0..2 {
        let again = dev.json(&["purge", "run", "--dry-run"]);
        assert_eq!(again["rows_before"], nothing["rows_before"]);
    }
    assert_eq!(dev.json(&["purge", "plan"])["keys"], keys);
    let run = dev.json(&["purge", "run"]);
    let text = run["manifest"].as_str().unwrap();
    assert!(text.starts_with("headgate/purge/"), "{text}");
    assert!(text.ends_with("tried 0 opened 0\n"), "{text}");
}

#[test]
fn what_was_destroyed_is_exported_and_verified_from_files_and_one_altered_manifest_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let plan = dev.json(&["purge", "plan"]);
    assert_eq!(plan["keys"], 8, "{plan}");
    assert_eq!(plan["overdue"], serde_json::json!([]), "{plan}");
    let first = plan["next"]["day"].as_str().unwrap().to_owned();

    dev.run(&["clock", "advance", "92d"]);
    let plan = dev.json(&["purge", "plan"]);
    assert_eq!(plan["overdue"], serde_json::json!([]), "{plan}");
    assert!(
        plan["next"]["day"].as_str().unwrap() > first.as_str(),
        "{plan}"
    );

    let export = folder.path().join("evidence");
    let at = export.to_str().unwrap();
    let told = dev.json(&["purge", "evidence", at]);
    let manifests = told["manifests"].as_u64().unwrap();
    assert!(manifests >= 92, "{told}");
    assert!(
        dev.refuses(&["purge", "evidence", at])
            .contains("another folder")
    );
    drop(dev);

    let verify = ["purge", "verify", at, "--json"];
    let (holds, report) = offline(&verify);
    assert!(holds && report["holds"] == true, "{report}");
    assert_eq!(
        (&report["late"], &report["gaps"]),
        (&Value::Array(vec![]), &Value::Array(vec![]))
    );
    assert!(report["destroyed"].as_u64().unwrap() >= 3, "{report}");

    let one = export.join("manifests/000000000091.note");
    let genuine = fs::read_to_string(&one).unwrap();
    assert!(genuine.contains("\ndestroyed "), "{genuine}");
    fs::write(&one, genuine.replace("\ndestroyed 2", "\nminted 2")).unwrap();
    let (holds, report) = offline(&verify);
    let finding = report["finding"].as_str().unwrap();
    assert!(!holds && finding.starts_with("manifest 91:"), "{report}");
    fs::remove_file(&one).unwrap();
    let (holds, report) = offline(&verify);
    let finding = report["finding"].as_str().unwrap();
    assert!(
        !holds && finding.contains("manifest 91 is missing"),
        "{report}"
    );
    fs::write(&one, genuine).unwrap();
    assert!(offline(&verify).0);
    assert!(!offline(&[&verify[..], &["--deployment", "other"]].concat()).0);
}
