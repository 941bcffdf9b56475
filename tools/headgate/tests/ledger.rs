//! The ledger through the binary: exported from a running gateway, verified from files, tampered with.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

mod dev;

use dev::{BINARY, Dev};

/// Runs a command that needs no gateway: whether it succeeded, and what it said.
fn offline(args: &[&str]) -> (bool, String) {
    let output = Command::new(BINARY)
        .args(args)
        .env_clear()
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (
        output.status.success(),
        said + &String::from_utf8_lossy(&output.stderr),
    )
}

fn verified(folder: &str, more: &[&str]) -> (bool, Value) {
    let (holds, said) = offline(&[&["ledger", "verify", folder, "--json"], more].concat());
    (holds, serde_json::from_str(&said).unwrap())
}

/// The shard file with the most lines.
fn fullest(folder: &Path) -> String {
    let lines = |name: &String| {
        fs::read_to_string(folder.join(name))
            .unwrap()
            .lines()
            .count()
    };
    let names = (0..16).map(|shard| format!("shard-{shard:x}.jsonl"));
    names.max_by_key(lines).unwrap()
}

#[test]
#[allow(clippy::too_many_lines, reason = "one journey")]
fn what_a_gateway_recorded_is_exported_verified_and_proven_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    for person in ["+16135550123", "+16135550124", "+16135550125"] {
        dev.run(&[
            "opt-in",
            "--phone",
            person,
            "--purpose",
            "marketing",
            "--purpose",
            "utility",
            "--source",
            "web_checkbox",
            "--evidence",
            r#"{"form":"checkout-7","page":"maple.example/checkout"}"#,
        ]);
        dev.until("subject.opted_in");
    }
    dev.run(&["clock", "advance", "25h"]);
    dev.run(&[
        "opt-out",
        "--phone",
        "+16135550123",
        "--purpose",
        "marketing",
    ]);
    dev.until("subject.opted_out");
    let export = folder.path().join("export");
    let at = export.to_str().unwrap();
    let told = dev.json(&["ledger", "export", at]);
    let events = told["events"].as_u64().unwrap();
    assert!(events >= 7, "{told}");
    assert!(told["checkpoints"].as_u64().unwrap() >= 1, "{told}");
    assert!(
        dev.refuses(&["ledger", "export", at])
            .contains("there is an export here already")
    );
    drop(dev);

    // Files alone from here on.
    let (holds, report) = verified(at, &[]);
    assert!(holds && report["holds"] == true, "{report}");
    assert_eq!(report["events"], events);
    assert!(report["covered"].as_u64().unwrap() >= 6, "{report}");
    let key = export.join("key.pem");
    let key = key.to_str().unwrap();
    let kept = export.join("checkpoints/000000000000.note");
    let given = [
        "--key",
        key,
        "--kept",
        kept.to_str().unwrap(),
        "--deployment",
        "headgate",
    ];
    assert!(verified(at, &given).0);

    let shard = fullest(&export);
    let digit = shard
        .strip_prefix("shard-")
        .unwrap()
        .split('.')
        .next()
        .unwrap();
    let id = format!("L{digit}.0");
    let (made, proof) = offline(&["ledger", "prove", at, &id]);
    assert!(made, "{proof}");
    let file = folder.path().join("proof.json");
    fs::write(&file, &proof).unwrap();
    let check = ["ledger", "check", file.to_str().unwrap(), "--key", key];
    let (holds, said) = offline(&check);
    assert!(
        holds && said.starts_with("holds, under checkpoint"),
        "{said}"
    );
    let (made, receipt) = offline(&["ledger", "receipt", at, &id]);
    assert!(made, "{receipt}");
    let receipt: Value = serde_json::from_str(&receipt).unwrap();
    assert_eq!(receipt["receipt_id"], id.as_str());
    assert_eq!(receipt["schema_version"], 2);
    assert_eq!(receipt["event"]["event_state"], "consent.given");
    assert_eq!(receipt["proof"]["proof"], "inclusion");
    let digits = "5550123";
    assert!(!receipt.to_string().contains(digits), "it names a number");
    fs::write(&file, proof.replace("consent.given", "consent.withdrawn")).unwrap();
    let (holds, said) = offline(&check);
    assert!(
        !holds && said.contains("does not lead to the root"),
        "{said}"
    );

    // An edit is found with its place, and the exit code says so.
    let path = export.join(&shard);
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        whole.replacen("consent.given", "consent.withdrawn", 1),
    )
    .unwrap();
    let (holds, finding) = verified(at, &[]);
    assert!(!holds);
    assert_eq!(finding["place"], id);
    let (holds, said) = offline(&["ledger", "verify", at]);
    let expected =
        format!("does not hold: the ledger is broken at {id}: the event does not match its hash");
    assert!(!holds && said.contains(&expected), "{said}");
    // So is a dropped end, by the heads.
    let lines: Vec<&str> = whole.lines().collect();
    let (_last, rest) = lines.split_last().unwrap();
    fs::write(&path, rest.join("\n")).unwrap();
    let place = format!("L{digit}.{}", rest.len());
    assert_eq!(verified(at, &[]).1["place"], place);
}
