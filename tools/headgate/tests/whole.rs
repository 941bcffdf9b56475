//! The whole gateway, through its own binary: the demo's promises, and a deployment that is killed and goes on.
//!
//! What depends on how busy the machine is (rate, utilisation) is judged by `headgate demo`, not here.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_headgate");

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

/// `headgate dev` on a data directory; killed when dropped.
struct Dev {
    child: Child,
    env_file: PathBuf,
}

impl Dev {
    fn start(folder: &Path, name: &str) -> Self {
        let env_file = folder.join(name);
        let child = Command::new(BINARY)
            .args(["dev", "--env-file"])
            .arg(&env_file)
            .arg("--data-dir")
            .arg(folder.join("data"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !env_file.exists() {
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "it did not come up"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, env_file }
    }

    fn run(&self, args: &[&str]) -> String {
        let output = Command::new(BINARY)
            .args(args)
            .arg("--env-file")
            .arg(&self.env_file)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Reads events until one has the type.
    fn until(&self, kind: &str) -> Value {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(30) {
            for line in self.run(&["events", "--json"]).lines() {
                let event: Value = serde_json::from_str(line).unwrap();
                if event["type"] == kind {
                    return event;
                }
            }
        }
        panic!("no {kind} came");
    }

    fn send(&self) {
        self.run(&[
            "send",
            "--to-phone",
            "+16135550123",
            "--purpose",
            "utility",
            "--template",
            "order_shipped",
        ]);
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn what_was_agreed_to_survives_a_kill_and_the_refusal_before_it_names_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let first = Dev::start(folder.path(), "first.env");
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

    let mut second = Dev::start(folder.path(), "second.env");
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
