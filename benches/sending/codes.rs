//! How long a login code takes from its queue to its first byte at Meta, with a backlog and without one.

use std::time::{Duration, Instant};

use headgate_aws::queue::Queue;
use headgate_domain::lane::Purpose;
use serde_json::json;

use crate::journey::connect_intake;
use crate::process::connect;
use crate::utilisation::{now, percentile, settle_in, wake};
use crate::world::World;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codes {
    pub(crate) count: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// The most memory the sender had.
    pub(crate) peak_kib: u64,
    /// Messages that were waiting at the beginning.
    pub(crate) backlog: usize,
}

/// People of the backlog who can be reached while codes are sent.
const PEOPLE: usize = 20_000;

/// Sends so many codes, four a second on average, with so many marketing messages waiting.
pub(crate) async fn measure(world: &World, backlog: usize, codes: usize) -> Codes {
    let process = connect(world).await;
    settle_in(world).await;
    if backlog > 0 {
        let people = world.people(PEOPLE.min(backlog)).await;
        world.backlog(Purpose::Marketing, backlog, &people).await;
    }
    connect_intake(world).await;
    wake(world).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let url = world.cloud().output("Data.AuthenticationQueueUrl").unwrap();
    let queue = Queue::new(&world.stage.aws(), &url);
    let mut sent = Vec::new();
    for n in 0..codes {
        // Exponential gaps from a fixed sequence: the same codes at the same times in every run.
        let share = ((n * 7_919) % codes) as f64 / codes as f64;
        let gap = -(1.0 - share).ln() * 0.25;
        tokio::time::sleep(Duration::from_secs_f64(gap)).await;
        let body = code(world, n);
        sent.push((recipient(n), Instant::now()));
        queue.send(&body, &[]).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let arrivals = world.simulator.arrivals();
    let waited: Vec<f64> = sent
        .iter()
        .map(|(to, at)| {
            let arrived = arrivals.iter().find(|a| {
                a.accepted
                    && a.template.as_deref() == Some("login_code")
                    && to.ends_with(a.recipient.trim_start_matches('+'))
            });
            let arrived = arrived.unwrap_or_else(|| panic!("a code did not arrive"));
            arrived.at.duration_since(*at).as_secs_f64() * 1e3
        })
        .collect();
    let peak_kib = process.used().peak_kib;
    process.stop().await;
    Codes {
        count: waited.len(),
        p50_ms: percentile(waited.clone(), 0.5),
        p99_ms: percentile(waited, 0.99),
        peak_kib,
        backlog,
    }
}

/// A number for drama.
fn recipient(n: usize) -> String {
    format!("+447700900{n:03}")
}

fn code(world: &World, n: usize) -> String {
    let parameter = json!([{ "type": "text", "text": "493817" }]);
    let components = json!([
        { "type": "body", "parameters": parameter },
        { "type": "button", "sub_type": "url", "index": "0", "parameters": parameter },
    ]);
    json!({
        "schema": "headgate.outbound/1", "id": format!("code-{n}"), "from": "main", "to": { "phone": recipient(n) },
        "purpose": "authentication", "basis": { "kind": "user_action", "at": now(world) },
        "message": { "type": "template", "template": { "name": "login_code", "language": { "code": "en_US" }, "components": components } },
    })
    .to_string()
}
