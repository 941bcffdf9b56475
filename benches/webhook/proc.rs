//! What processes and threads have used, in the words of `/proc`.

use std::time::Duration;

/// The CPU time of all threads of a process: at most a tick behind for a thread that runs, exact for one that waits.
pub(crate) fn cpu(process: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let used = tasks.flatten().map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        first(&text)
    });
    used.sum()
}

/// The CPU time of this thread.
pub(crate) fn thread_cpu() -> Duration {
    first(&std::fs::read_to_string("/proc/thread-self/schedstat").unwrap())
}

/// The time on a core, in nanoseconds, is the first word.
fn first(schedstat: &str) -> Duration {
    let word = schedstat.split_whitespace().next();
    Duration::from_nanos(word.map_or(0, |word| word.parse().unwrap()))
}

/// CPU time in the program and in the kernel, in the ticks of `/proc/<pid>/stat`.
pub(crate) fn ticks(process: u32) -> (u64, u64) {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // After the name, which is in brackets: utime and stime are the 12th and 13th.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    (fields[11].parse().unwrap(), fields[12].parse().unwrap())
}

/// Memory that is resident, in KiB.
pub(crate) fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let value = line.unwrap().trim().trim_end_matches("kB").trim();
    value.parse().unwrap()
}
