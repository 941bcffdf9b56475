//! The three that do the same work: the shipped binary and its peers, each under a Runtime API of its own.
//!
//! A peer's packages are fetched into the target folder when first wanted. What cannot be had is said and left out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use headgate_testkit::{APP_SECRET, RuntimeApi, Stage};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::process::Child;

/// Python with boto3 takes some hundred milliseconds, and other work may run beside it.
const COLD_START: Duration = Duration::from_secs(30);
const DEADLINE: Duration = Duration::from_secs(30);

/// A program that answers webhooks.
#[derive(Clone)]
pub(crate) struct Handler {
    pub(crate) name: String,
    program: PathBuf,
    arguments: Vec<String>,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
}

/// One environment of a handler, killed when dropped.
pub(crate) struct Running {
    api: RuntimeApi,
    child: Child,
    pub(crate) id: u32,
    /// From the start of the process to its first question for an event.
    pub(crate) start: Duration,
}

/// What Lambda would tell the webhook, and what the peers are told instead of a secret's name.
fn environment(stage: &Stage) -> BTreeMap<String, String> {
    let mut environment = stage.environment("WebhookFunction");
    let region = environment["AWS_REGION"].clone();
    let queue = environment["HEADGATE_QUEUE_NOTIFICATIONS_URL"].clone();
    environment.extend(
        [
            ("AWS_DEFAULT_REGION", region.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "under-test"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "under-test"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "under-test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("APP_SECRET", APP_SECRET),
            ("QUEUE_URL", &queue),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    environment
}

/// The shipped binary.
pub(crate) fn headgate(stage: &Stage, binary: &Path) -> Handler {
    Handler {
        name: "Headgate".to_owned(),
        program: binary.to_owned(),
        arguments: Vec::new(),
        folder: binary.parent().unwrap().to_owned(),
        environment: environment(stage),
    }
}

/// The peers that can be had here, and why one cannot.
pub(crate) fn peers(stage: &Stage, target: &Path) -> Vec<Result<Handler, String>> {
    [python(stage, target), node(stage, target)].into()
}

fn python(stage: &Stage, target: &Path) -> Result<Handler, String> {
    let folder = copied("python", &["handler.py", "requirements.txt"], target);
    let program = folder.join("venv/bin/python");
    install(&folder, "requirements.txt", || {
        run("python3", &["-m", "venv", "--clear", "venv"], &folder)?;
        let fetch = ["-m", "pip", "install", "--quiet", "-r", "requirements.txt"];
        run(program.to_str().unwrap(), &fetch, &folder)
    })?;
    let version = said(program.to_str().unwrap(), &["--version"])?;
    Ok(Handler {
        name: format!("{version}, boto3"),
        program,
        arguments: ["-m", "awslambdaric", "handler.handler"]
            .map(str::to_owned)
            .into(),
        folder,
        environment: environment(stage),
    })
}

fn node(stage: &Stage, target: &Path) -> Result<Handler, String> {
    let files = [
        "handler.mjs",
        "bootstrap.mjs",
        "package.json",
        "package-lock.json",
    ];
    let folder = copied("node", &files, target);
    install(&folder, "package-lock.json", || {
        run(
            "npm",
            &["ci", "--silent", "--no-audit", "--no-fund"],
            &folder,
        )
    })?;
    let version = said("node", &["--version"])?;
    Ok(Handler {
        name: format!("Node {}, AWS SDK v3", version.trim_start_matches('v')),
        program: "node".into(),
        arguments: vec!["bootstrap.mjs".to_owned()],
        folder,
        environment: environment(stage),
    })
}

/// Copies a peer to where its packages may lie beside it.
fn copied(name: &str, files: &[&str], target: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("peers")
        .join(name);
    let to = target.join("peers").join(name);
    std::fs::create_dir_all(&to).unwrap();
    for file in files {
        std::fs::copy(from.join(file), to.join(file)).unwrap();
    }
    to
}

/// Fetches packages unless those of this very list are there.
fn install(
    folder: &Path,
    list: &str,
    fetch: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let (wanted, mark) = (
        std::fs::read(folder.join(list)).unwrap(),
        folder.join("installed"),
    );
    if std::fs::read(&mark).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    fetch()?;
    std::fs::write(mark, wanted).unwrap();
    Ok(())
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<(), String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program} {}`: {status}", arguments.join(" "))),
        Err(error) => Err(format!("`{program}`: {error}")),
    }
}

fn said(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("`{program}`: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl Handler {
    /// Starts an environment and waits until it asks for its first event.
    pub(crate) async fn start(&self) -> Running {
        let api = RuntimeApi::start().await;
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env_clear()
            .envs(&self.environment)
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let began = Instant::now();
        let mut child = command.spawn().unwrap();
        let ready = api.wait_until_ready(COLD_START).await;
        let start = began.elapsed();
        assert!(
            ready,
            "{} does not start: {:?}",
            self.name,
            api.init_error()
        );
        // Read, as Lambda reads it, and thrown away.
        let mut output = child.stdout.take().unwrap();
        tokio::spawn(async move {
            let mut part = [0; 4096];
            while let Ok(1..) = output.read(&mut part).await {}
        });
        let id = child.id().unwrap();
        Running {
            api,
            child,
            id,
            start,
        }
    }
}

impl Running {
    /// Whether the answer to an event was 200.
    pub(crate) async fn takes(&self, event: Value) -> bool {
        match self.api.invoke(event, DEADLINE).await {
            Ok(answer) => answer["statusCode"] == 200,
            Err(error) => panic!("it failed: {error}"),
        }
    }

    /// Ends it and waits until it is gone.
    pub(crate) async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}
