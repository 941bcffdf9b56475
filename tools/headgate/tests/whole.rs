//! The whole gateway, through its own binary: the demo's promises, and a deployment that is killed and goes on.
//!
//! What depends on how busy the machine is (rate, utilisation) is judged by `headgate demo`, not here.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]

use std::process::Command;

use serde_json::Value;

mod dev;

use dev::{BINARY, Dev};

#[test]
fn the_demo_keeps_every_promise_that_no_clock_decides() {
    let run = Command::new(BINARY)
        .args(["demo", "--messages", "400", "--json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["accepted"], 400);
    for nothing in [
        "lost",
        "duplicates_sent",
        "sent_after_opt_out",
        "forged_accepted",
        "personal_data_found",
        "redriven",
    ] {
        assert_eq!(report[nothing], 0, "{nothing}: {report}");
    }
    assert_eq!(report["unreadable_after_purge"], true);
    assert_eq!(report["delivered"], report["sent"]);
    for code in ["duplicate_id", "lane_mismatch", "malformed", "no_consent"] {
        assert!(report["refused"][code].as_u64().unwrap() > 0, "{code}");
    }
}

#[test]
fn what_was_agreed_to_survives_a_kill_and_the_refusal_before_it_names_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let first = Dev::on_disk(folder.path(), "first.env");
    first.send();
    let refused = first.until("message.refused");
    assert_eq!(refused["data"]["code"], "no_consent");
    let command = refused["data"]["command"].as_str().unwrap();
    let words: Vec<&str> = command
        .split(' ')
        .skip(1)
        .take_while(|word| *word != "--env-file")
        .collect();
    first.run(&words);
    first.until("subject.opted_in");
    first.send();
    first.until("message.delivered");
    // Not a signal it could answer: kill -9.
    drop(first);

    let mut second = Dev::on_disk(folder.path(), "second.env");
    second.send();
    second.until("message.delivered");
    let pid = second.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(
        second.child.wait().unwrap().success(),
        "it stops cleanly when asked to"
    );
}
