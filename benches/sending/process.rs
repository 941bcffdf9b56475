//! The sender in a process of its own: one thread, as shipped, and nothing else in it.
//!
//! This program starts itself again with [`CHILD`] set. Invocations go in and answers come out as lines of JSON, so
//! that its CPU time and its memory are the sender's alone, as the system counts them.

use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_graph::GraphClient;
use headgate_lambda::clock::{Clock, system_clock};
use headgate_lambda::settings::Settings;
use headgate_redact::Secret;
use sender::Sender;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, Stdin};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;

use crate::apart::keep_apart;
use crate::world::World;

/// Set for a child.
pub(crate) const CHILD: &str = "HEADGATE_BENCH_SENDER";
/// What a term is given: sixty seconds, and the time to drain.
const TIME: Duration = Duration::from_secs(75);
/// A clock tick of `/proc`, in milliseconds: a hundred a second on Linux.
const TICK_MS: u64 = 10;

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Option<String>>>>>;

/// A running sender.
pub(crate) struct SenderProcess {
    id: u32,
    child: tokio::sync::Mutex<Child>,
    stdin: tokio::sync::Mutex<(ChildStdin, u64)>,
    waiting: Waiting,
}

/// What a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(crate) cpu: Duration,
    /// The most memory it ever had, in KiB.
    pub(crate) peak_kib: u64,
    /// What it has now.
    pub(crate) kib: u64,
}

impl SenderProcess {
    /// Starts one for this world.
    pub(crate) async fn start(world: &World) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env_clear()
            .env(CHILD, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let first = json!({
            "environment": world.sender_environment(),
            "certificate": world.simulator.certificate_der().map(|der| STANDARD.encode(der)),
            "offset_ms": world.cloud().calendar().offset_ms(),
        });
        stdin
            .write_all(format!("{first}\n").as_bytes())
            .await
            .unwrap();
        let waiting: Waiting = Arc::default();
        let answers = Arc::clone(&waiting);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Its first line says that its cold start is over.
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(answer) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                // Log lines have no id; what is not information is worth a look.
                if answer["level"]
                    .as_str()
                    .is_some_and(|level| level != "INFO")
                {
                    eprintln!("the sender: {line}");
                }
                let id = answer["invocation"].as_u64();
                let caller = id.and_then(|id| answers.lock().unwrap().remove(&id));
                if let Some(caller) = caller {
                    caller
                        .send(answer["error"].as_str().map(str::to_owned))
                        .ok();
                }
            }
        });
        let id = child.id().unwrap();
        keep_apart(id);
        Self {
            id,
            child: tokio::sync::Mutex::new(child),
            stdin: tokio::sync::Mutex::new((stdin, 0)),
            waiting,
        }
    }

    /// Invokes it, as Lambda would.
    pub(crate) async fn invoke(&self, event: Value) -> Result<Value, String> {
        let (caller, answer) = oneshot::channel();
        {
            let mut stdin = self.stdin.lock().await;
            stdin.1 += 1;
            self.waiting.lock().unwrap().insert(stdin.1, caller);
            let line = json!({ "invocation": stdin.1, "event": event });
            stdin
                .0
                .write_all(format!("{line}\n").as_bytes())
                .await
                .unwrap();
        }
        match answer.await {
            Ok(None) => Ok(Value::Null),
            Ok(Some(error)) => Err(error),
            Err(_gone) => Err("the process is gone".to_owned()),
        }
    }

    /// Ends it, before what it works with goes away.
    pub(crate) async fn stop(&self) {
        self.child.lock().await.kill().await.unwrap();
    }

    /// What it has used so far.
    pub(crate) fn used(&self) -> Used {
        let id = self.id;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        // After the name, which is in brackets: utime and stime are the 12th and 13th.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        let ticks: u64 = [11, 12]
            .map(|f| fields[f].parse::<u64>().unwrap())
            .iter()
            .sum();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let kib = |name: &str| -> u64 {
            let value = status.lines().find_map(|line| line.strip_prefix(name));
            value
                .unwrap()
                .trim()
                .trim_end_matches(" kB")
                .trim()
                .parse()
                .unwrap()
        };
        Used {
            cpu: Duration::from_millis(ticks * TICK_MS),
            peak_kib: kib("VmHWM:"),
            kib: kib("VmRSS:"),
        }
    }
}

/// Starts a sender for a world, and lets the wake queue invoke it.
pub(crate) async fn connect(world: &World) -> Arc<SenderProcess> {
    let process = Arc::new(SenderProcess::start(world).await);
    let invoked = Arc::clone(&process);
    let handler: local_cloud::Handler = Arc::new(move |event| {
        let process = Arc::clone(&invoked);
        Box::pin(async move { process.invoke(event).await })
    });
    world.cloud().connect("SenderFunction", handler).unwrap();
    process
}

/// The child's side.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn serve() {
    let mut lines: Lines<BufReader<Stdin>> = BufReader::new(tokio::io::stdin()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    let environment: BTreeMap<String, String> =
        serde_json::from_value(first["environment"].clone()).unwrap();
    let certificate = STANDARD
        .decode(first["certificate"].as_str().unwrap())
        .unwrap();
    let (offset, system) = (first["offset_ms"].as_i64().unwrap(), system_clock());
    let clock: Clock = Arc::new(move || system().plus_millis(offset));
    let sender = sender(environment, clock, &certificate).await;
    println!("ready");
    while let Ok(Some(line)) = lines.next_line().await {
        let asked: Value = serde_json::from_str(&line).unwrap();
        let sender = sender.clone();
        tokio::spawn(async move {
            let outcome = Box::pin(sender.handle(asked["event"].clone(), TIME)).await;
            let error = outcome.err().map(|error| error.to_string());
            println!(
                "{}",
                json!({ "invocation": asked["invocation"], "error": error })
            );
        });
    }
}

/// The shipped sender, except that it trusts the simulator's certificate.
async fn sender(environment: BTreeMap<String, String>, clock: Clock, certificate: &[u8]) -> Sender {
    let url = environment["HEADGATE_GRAPH_URL"].clone();
    let token = Secret::new(headgate_testkit::GRAPH_TOKEN.to_owned());
    let proof = Secret::new(headgate_testkit::graph_proof());
    let graph = GraphClient::trusting(&url, &token, proof, certificate)
        .and_then(|client| client.with_connections(sender::CONNECTIONS))
        .unwrap();
    Sender::with_graph(&Settings::from_map(environment), clock, graph)
        .await
        .unwrap()
}
