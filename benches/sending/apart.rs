//! Keeps sender, Meta and AWS out of each other's way, as machines of their own would.
//!
//! All three share a few cores here, and a thread that waits some milliseconds for a core looks like a sender
//! that bunches its messages. So the sender gets the first core, Meta the second, and the local cloud, like this
//! program itself, whatever these two leave of both. Done with `chrt` and `taskset` of util-linux, as root, since
//! a thread does not come back from idle without rights; otherwise all is left as it is and the report says so.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// The threads of the simulator go by this name.
const META: &str = "meta-simulator";

static APART: AtomicBool = AtomicBool::new(false);

/// Puts the threads that there are now where they belong; later ones inherit it from those that start them.
pub(crate) fn keep_apart(sender: u32) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 || !is_root() {
        return;
    }
    let mut done = true;
    for (id, name) in threads(std::process::id()) {
        done = done
            && if name == META {
                run("taskset", &["-c", "-p", "1", &id])
            } else {
                run("chrt", &["-i", "-p", "0", &id])
            };
    }
    for (id, _) in threads(sender) {
        done =
            done && run("chrt", &["-o", "-p", "0", &id]) && run("taskset", &["-c", "-p", "0", &id]);
    }
    APART.store(done, Ordering::Relaxed);
}

/// What the report says of it.
pub(crate) fn described() -> &'static str {
    if APART.load(Ordering::Relaxed) {
        "The sender has one core, Meta another, and the local cloud whatever these two leave"
    } else {
        "Sender, Meta and local cloud share the cores as it comes"
    }
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    lines.any(|line| {
        line.strip_prefix("Uid:")
            .is_some_and(|ids| ids.split_whitespace().all(|id| id == "0"))
    })
}

fn threads(process: u32) -> Vec<(String, String)> {
    let tasks = std::fs::read_dir(PathBuf::from(format!("/proc/{process}/task")));
    let tasks = tasks.into_iter().flatten().flatten();
    tasks
        .filter_map(|task| {
            let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
            let id = task.file_name().into_string().ok()?;
            Some((id, name.trim().to_owned()))
        })
        .collect()
}

fn run(command: &str, arguments: &[&str]) -> bool {
    let done = Command::new(command).args(arguments).output();
    done.is_ok_and(|output| output.status.success())
}
