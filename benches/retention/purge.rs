//! The purge as a process of its own, and what it has used, in the words of `/proc`.

use std::collections::BTreeMap;
use std::process::{Child as Process, Command, Stdio};

use headgate_lambda::clock::system_clock;
use headgate_lambda::settings::Settings;
use retention_purge::RetentionPurge;

/// Set for the process that is the purge.
const CHILD: &str = "HEADGATE_BENCH_PURGE";
/// Of `/proc/<pid>/stat`.
const TICKS_A_SECOND: f64 = 100.0;

pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs once, as Lambda has the function run, and stays until it is looked at.
pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let settings = Settings::from_environment();
    runtime.block_on(async {
        let purge = RetentionPurge::new(&settings, system_clock())
            .await
            .unwrap();
        let run = Box::pin(purge.handle(serde_json::Value::Null));
        run.await.unwrap();
    });
    // Its end of the pipe closes with the process, which is still there to be asked.
    println!("done");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).ok();
}

/// What processes used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) cpu_s: f64,
    pub(crate) peak_kib: u64,
}

impl Used {
    /// The sum of the times, and the larger memory.
    pub(crate) fn add(&mut self, other: Self) {
        self.cpu_s += other.cpu_s;
        self.peak_kib = self.peak_kib.max(other.peak_kib);
    }
}

/// A running purge.
pub(crate) struct Child {
    process: Process,
    done: std::sync::mpsc::Receiver<()>,
    is_done: std::cell::Cell<bool>,
}

impl Child {
    pub(crate) fn spawn(environment: &BTreeMap<String, String>) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .env_clear()
            .envs(environment)
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, done) = std::sync::mpsc::channel();
        let stdout = process.stdout.take().unwrap();
        std::thread::spawn(move || {
            use std::io::BufRead as _;
            let lines = std::io::BufReader::new(stdout).lines();
            // Log lines come the same way.
            if lines.map_while(Result::ok).any(|line| line == "done") {
                tell.send(()).ok();
            }
        });
        Self {
            process,
            done,
            is_done: std::cell::Cell::new(false),
        }
    }

    /// Whether the run is under way.
    pub(crate) fn is_running(&self) -> bool {
        match self.done.try_recv() {
            Ok(()) => self.is_done.set(true),
            Err(std::sync::mpsc::TryRecvError::Empty) => {}
            Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                assert!(self.is_done.get(), "the purge failed");
            }
        }
        !self.is_done.get()
    }

    /// `kill -9`; what it had used.
    pub(crate) fn kill(mut self) -> Used {
        let used = self.used();
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        used
    }

    /// What a run that has ended used.
    pub(crate) fn ended(self) -> Used {
        assert!(!self.is_running(), "it has not ended");
        self.kill()
    }

    fn used(&self) -> Used {
        let about = format!("/proc/{}", self.process.id());
        let stat = std::fs::read_to_string(format!("{about}/stat")).unwrap();
        // After the name, which is in brackets: utime and stime are the 12th and 13th.
        let fields = stat.rsplit_once(')').unwrap().1;
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|word| word.parse::<u64>().unwrap()).sum();
        let status = std::fs::read_to_string(format!("{about}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|value| value.trim().strip_suffix(" kB"));
        Used {
            cpu_s: ticks as f64 / TICKS_A_SECOND,
            peak_kib: peak.map_or(0, |kib| kib.trim().parse().unwrap()),
        }
    }
}
