//! A running `headgate dev` and the commands that talk to it, all through the binary.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly, and no suite needs all of this"
)]

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_headgate");

/// `headgate dev`; killed when dropped.
pub(crate) struct Dev {
    pub(crate) child: Child,
    pub(crate) env_file: PathBuf,
    left: RefCell<Vec<Value>>,
}

impl Dev {
    /// On a data directory, which outlives it.
    pub(crate) fn on_disk(folder: &Path, name: &str) -> Self {
        let data = folder.join("data");
        Self::start(folder, name, &["--data-dir", data.to_str().unwrap()])
    }

    /// In memory.
    pub(crate) fn in_memory(folder: &Path) -> Self {
        Self::start(folder, "dev.env", &[])
    }

    fn start(folder: &Path, name: &str, flags: &[&str]) -> Self {
        let env_file = folder.join(name);
        let child = Command::new(BINARY)
            .args(["dev", "--env-file"])
            .arg(&env_file)
            .args(flags)
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
        Self {
            child,
            env_file,
            left: RefCell::default(),
        }
    }

    /// Runs a command and gives everything it said.
    pub(crate) fn output(&self, args: &[&str]) -> Output {
        Command::new(BINARY)
            .args(args)
            .arg("--env-file")
            .arg(&self.env_file)
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed.
    pub(crate) fn run(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(
            output.status.success(),
            "{args:?}: {}{}",
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command that must succeed and answers in JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let mut args = args.to_vec();
        args.push("--json");
        serde_json::from_str(&self.run(&args)).unwrap()
    }

    /// Runs a command that must not succeed; what it says.
    pub(crate) fn refuses(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(!output.status.success(), "{args:?} succeeded");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Reads events until one has the type; what came after it is there for the next call.
    pub(crate) fn until(&self, kind: &str) -> Value {
        let mut left = self.left.borrow_mut();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_mins(3) {
            while !left.is_empty() {
                let event = left.remove(0);
                if event["type"] == kind {
                    return event;
                }
            }
            for line in self.run(&["events", "--json"]).lines() {
                left.push(serde_json::from_str(line).unwrap());
            }
        }
        panic!("no {kind} came");
    }

    pub(crate) fn send(&self) {
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
