//! A function's binary as a process: the given environment and nothing of ours, output captured.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::RuntimeApi;

/// How long a cold start may take here, with other tests beside it.
const COLD_START: Duration = Duration::from_mins(1);
/// What an invocation is given: the sender keeps fifteen seconds of it for its answers.
const DEADLINE: Duration = Duration::from_mins(2);

/// A running function; killed when dropped.
pub struct Function {
    child: Child,
    output: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Function {
    /// Starts a binary that takes its events from `api`.
    pub fn spawn(
        binary: impl AsRef<Path>,
        environment: &BTreeMap<String, String>,
        api: &RuntimeApi,
    ) -> Self {
        let mut child = Command::new(binary.as_ref())
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", api.address())
            .env("AWS_LAMBDA_FUNCTION_NAME", "under-test")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let output = Arc::default();
        let readers = vec![
            collect(child.stdout.take().expect("is piped"), &output),
            collect(child.stderr.take().expect("is piped"), &output),
        ];
        Self {
            child,
            output,
            readers,
        }
    }

    /// Waits for the process to end by itself: how, and everything it wrote. `None` when it does not.
    pub async fn exit(mut self, timeout: Duration) -> Option<(ExitStatus, String)> {
        let status = tokio::time::timeout(timeout, self.child.wait())
            .await
            .ok()?;
        for reader in self.readers.drain(..) {
            reader.await.expect("reading does not panic");
        }
        Some((
            status.expect("the process can be waited for"),
            self.output(),
        ))
    }

    /// What it has written so far.
    pub fn output(&self) -> String {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&output).into_owned()
    }
}

fn collect(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    into: &Arc<Mutex<Vec<u8>>>,
) -> JoinHandle<()> {
    let into = Arc::clone(into);
    tokio::spawn(async move {
        let mut part = vec![0; 4096];
        while let Ok(length @ 1..) = from.read(&mut part).await {
            let mut output = into.lock().unwrap_or_else(PoisonError::into_inner);
            output.extend_from_slice(part.get(..length).unwrap_or_default());
        }
    })
}

/// A function that waits for events, and where it gets them.
pub struct Running {
    api: RuntimeApi,
    function: Function,
}

impl Running {
    /// Starts a binary and waits for its cold start to succeed.
    pub async fn start(binary: &str, environment: &BTreeMap<String, String>) -> Self {
        let api = RuntimeApi::start().await;
        let function = Function::spawn(binary, environment, &api);
        assert!(
            api.wait_until_ready(COLD_START).await,
            "it does not start: {} {}",
            api.init_error().unwrap_or_default(),
            function.output()
        );
        Self { api, function }
    }

    /// What the function answers to any event.
    ///
    /// # Errors
    /// The error object that it reported instead.
    pub async fn try_invoke(&self, event: Value) -> Result<Value, Value> {
        self.api.invoke(event, DEADLINE).await
    }

    /// What the function answers to an event that it is able to answer.
    pub async fn invoke(&self, event: Value) -> Value {
        match self.try_invoke(event).await {
            Ok(answer) => answer,
            Err(error) => panic!("it failed: {error} {}", self.function.output()),
        }
    }

    /// What the function has written so far.
    pub fn output(&self) -> String {
        self.function.output()
    }

    /// Kills the process, as `kill -9` does, and waits until it is gone.
    pub async fn kill(mut self) {
        self.function.child.kill().await.expect("it can be killed");
    }
}
