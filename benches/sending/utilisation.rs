//! How much of a number's limit is used, and by how much it is ever exceeded, as Meta saw it arrive.

use std::time::{Duration, Instant};

use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;
use local_cloud::Meter;
use serde_json::{Value, json};

use crate::process::{SenderProcess, connect};
use crate::world::{PORTFOLIO, World};

/// What the simulator's own log says of a span of time.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) limit: u32,
    /// Messages it took.
    pub(crate) accepted: usize,
    pub(crate) seconds: f64,
    /// The most that arrived in any second, from the first arrival of the run to the end of the span.
    pub(crate) worst: u32,
    /// Arrivals it refused for throughput.
    pub(crate) refused: usize,
}

impl Window {
    pub(crate) fn between(world: &World, from: Instant, to: Instant) -> Self {
        let arrivals = world.simulator.arrivals();
        let inside = arrivals.iter().filter(|a| (from..to).contains(&a.at));
        let (mut accepted, mut refused) = (0, 0);
        for arrival in inside {
            accepted += usize::from(arrival.accepted);
            refused += usize::from(arrival.code == Some(130_429));
        }
        Self {
            limit: world.per_second,
            accepted,
            refused,
            seconds: to.duration_since(from).as_secs_f64(),
            worst: world.simulator.worst_window().most(),
        }
    }

    /// The part of the limit that was used.
    pub(crate) fn utilisation(&self) -> f64 {
        self.accepted as f64 / (f64::from(self.limit) * self.seconds)
    }
}

/// A run of the shipped sender.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) window: Window,
    pub(crate) meter: Meter,
    pub(crate) cpu_us_per_send: f64,
    pub(crate) peak_kib: u64,
    /// The terms that were begun in the span: what the lease costs is in the figures.
    pub(crate) terms: u64,
    /// How often the messages of a lane's queue were handed out, each.
    pub(crate) receives: f64,
}

/// What the limiter writes in the pacing table: the letters of the keys, and what they are for.
pub(crate) const LIMITER: [(&str, &str); 6] = [
    ("L", "lease"),
    ("C", "claims"),
    ("K", "cursors"),
    ("D", "due list"),
    ("P", "pair debts"),
    ("B", "24-hour budget"),
];
/// What policy remembers there about people, for its caps.
pub(crate) const REMEMBERED: &str = "R";

impl Sent {
    /// Write units of a kind of item of the pacing table, a message.
    pub(crate) fn units(&self, kind: &str) -> f64 {
        self.meter.table("pacing", Some(kind)).write / self.window.accepted as f64
    }

    /// Write units of the limiter, a message.
    pub(crate) fn limiter(&self) -> f64 {
        LIMITER.iter().map(|(kind, _)| self.units(kind)).sum()
    }
}

/// The sender and the simulator under a full backlog: what is waiting is in the outbox.
pub(crate) async fn sender(world: &World, seconds: u64) -> Sent {
    let people = (world.per_second as usize) * (usize::try_from(seconds).unwrap() + 30);
    let people = world.people(people).await;
    let process = connect(world).await;
    settle_in(world).await;
    world
        .backlog(Purpose::Marketing, people.len(), &people)
        .await;
    wake(world).await;
    let sent = observe(world, seconds, &process).await;
    process.stop().await;
    sent
}

/// Lets the first holder ever find nothing and give the lease up: it assumes the worst of everybody's pair debt for a
/// minute, as after a crash, and no later one does.
pub(crate) async fn settle_in(world: &World) {
    wake(world).await;
    while epoch(world).await == 0 || !is_free(world).await {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Wakes the pacer, as intake does.
pub(crate) async fn wake(world: &World) {
    let url = world.stage.environment("IntakeFunction")["HEADGATE_QUEUE_WAKE_URL"].clone();
    let wake = json!({ "portfolio": PORTFOLIO }).to_string();
    let queue = headgate_aws::queue::Queue::new(&world.stage.aws(), &url);
    queue.send(&wake, &[]).await.unwrap();
}

/// Waits for the first arrival and a warm-up, and looks at the next so many seconds.
pub(crate) async fn observe(world: &World, seconds: u64, process: &SenderProcess) -> Sent {
    let patience = Instant::now() + Duration::from_mins(1);
    while came(world) == 0 {
        assert!(Instant::now() < patience, "nothing is sent");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (from, before, usage, epoch) = (
        Instant::now(),
        world.cloud().meter(),
        process.used(),
        epoch(world).await,
    );
    watch(world, seconds, process).await;
    let (to, meter) = (Instant::now(), world.cloud().meter().since(&before));
    let (later, last) = (process.used(), self::epoch(world).await);
    let window = Window::between(world, from, to);
    let cpu = later.cpu.saturating_sub(usage.cpu).as_secs_f64();
    let queues = world.cloud().counters().queues;
    let lane = queues.iter().find(|(name, _)| name.ends_with("utility"));
    let (received, again) = lane.map_or((0, 0), |(_, q)| (q.received, q.redelivered));
    Sent {
        receives: received as f64 / (received - again).max(1) as f64,
        cpu_us_per_send: cpu * 1e6 / window.accepted as f64,
        peak_kib: later.peak_kib,
        terms: last.saturating_sub(epoch) + 1,
        window,
        meter,
    }
}

/// Waits so many seconds, and says every few of them how it goes.
async fn watch(world: &World, seconds: u64, process: &SenderProcess) {
    let mut before = came(world);
    for second in 1..=seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if second % 5 == 0 {
            let (now, usage) = (came(world), process.used());
            eprintln!(
                "  {second:3} s: {} in 5 s, {} MiB, {:.1} s of CPU",
                now - before,
                usage.kib / 1024,
                usage.cpu.as_secs_f64()
            );
            before = now;
        }
    }
}

/// How many messages came so far, without a copy of all of them: that would hold the simulator up.
fn came(world: &World) -> u64 {
    world.simulator.counters().accepted
}

async fn lease(world: &World) -> Option<Value> {
    let table = world.stage.environment("SenderFunction")["HEADGATE_TABLE_PACING"].clone();
    let items = world.cloud().items(&table).await.unwrap();
    let key = format!("L#{PORTFOLIO}");
    let mut found = items
        .into_iter()
        .filter(|item| item["pk"]["S"] == key && item["sk"]["S"] == "L");
    found.next()
}

async fn epoch(world: &World) -> u64 {
    let lease = lease(world).await;
    let epoch = lease.and_then(|item| item["epoch"]["N"].as_str()?.parse().ok());
    epoch.unwrap_or_default()
}

async fn is_free(world: &World) -> bool {
    lease(world)
        .await
        .is_some_and(|item| item["phase"]["S"] == "FREE")
}

/// A share of the values is at most this.
pub(crate) fn percentile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * share).ceil() as usize;
    values
        .get(place.saturating_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

/// The calendar, for who makes messages.
pub(crate) fn now(world: &World) -> Timestamp {
    (world.clock)()
}
