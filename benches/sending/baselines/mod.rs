//! The designs this one was chosen over, small and honest, against the same tables and the same simulated Meta.
//!
//! Both keep one item for the number, with the time until which its slots are given away (GCRA), and move that time by
//! conditional writes. (a) gives away one slot a write, (b) a block of them. Each environment has a clock of its own,
//! as much as 50 ms off, since nothing bounds what a thawed one has. They take messages from one list, send each at
//! its slot, and put what Meta throttles back: no table of messages, no claims, no retries that could repeat a message.

mod bucket;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use headgate_domain::config::Config;
use headgate_domain::consent::Subject;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::live::Live;
use headgate_domain::outbound::{Basis, Kind};
use headgate_domain::policy::{Facts, Moment, Request, SendPermit, authorize};
use headgate_domain::profiles::ProcessingRegion;
use headgate_domain::recent::Recent;
use headgate_domain::time::{DAY, Timestamp};
use headgate_graph::{GraphClient, Outcome};
use headgate_redact::Secret;
use headgate_testkit::{GRAPH_TOKEN, graph_proof};
use serde_json::json;

use crate::utilisation::{Window, percentile};
use crate::world::{NUMBER, World, bsuid};
use bucket::{Bucket, SKEW};

/// A design.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Design {
    pub(crate) name: &'static str,
    /// How many environments.
    pub(crate) environments: u32,
    /// How many slots a write gives away.
    pub(crate) block: u32,
}

/// What a design did.
#[derive(Clone, Debug)]
pub(crate) struct Outcomes {
    pub(crate) window: Window,
    pub(crate) write_units: f64,
    pub(crate) throttled: f64,
    pub(crate) code_p99_ms: f64,
}

struct Run {
    client: GraphClient,
    config: Config,
    bucket: Bucket,
    /// People who are still to be written to, by number.
    waiting: Mutex<VecDeque<usize>>,
    next: AtomicU64,
    throttled: AtomicU64,
    attempts: AtomicU64,
    over: AtomicBool,
    codes_ms: Mutex<Vec<f64>>,
}

/// Runs a design under saturating demand, with a login code now and then, for so many seconds.
pub(crate) async fn measure(world: &World, design: Design, seconds: u64) -> Outcomes {
    let token = Secret::new(GRAPH_TOKEN.to_owned());
    let certificate = world.simulator.certificate_der().unwrap();
    let client = GraphClient::trusting(
        &world.simulator.url(),
        &token,
        Secret::new(graph_proof()),
        certificate,
    )
    .unwrap()
    .with_connections(4)
    .unwrap();
    client.warm().await;
    let run = Arc::new(Run {
        client,
        config: Config::from_toml(include_str!("../../../config/headgate.toml")).unwrap(),
        bucket: Bucket::new(world, design.block),
        waiting: Mutex::default(),
        next: AtomicU64::new(0),
        throttled: AtomicU64::new(0),
        attempts: AtomicU64::new(0),
        over: AtomicBool::new(false),
        codes_ms: Mutex::default(),
    });
    let mut tasks = Vec::new();
    for n in 0..design.environments {
        // From -50 to +50 ms, evenly: what 2e means is then the same in every run.
        let share = f64::from(n) / f64::from(design.environments.max(2) - 1);
        let skew = SKEW.mul_f64(2.0 * share);
        tasks.push(tokio::spawn(environment(Arc::clone(&run), skew)));
    }
    tasks.push(tokio::spawn(codes(Arc::clone(&run), world.per_second)));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (began, before) = (Instant::now(), world.cloud().meter());
    let throttled = run.throttled.load(Ordering::Relaxed);
    let attempts = run.attempts.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (ended, used) = (Instant::now(), world.cloud().meter().since(&before));
    let throttled = run.throttled.load(Ordering::Relaxed) - throttled;
    let attempts = run.attempts.load(Ordering::Relaxed) - attempts;
    run.over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let window = Window::between(world, began, ended);
    let codes = run.codes_ms.lock().unwrap().clone();
    Outcomes {
        write_units: used.table("pacing", Some("B")).write / window.accepted as f64,
        throttled: throttled as f64 / attempts as f64,
        code_p99_ms: percentile(codes, 0.99),
        window,
    }
}

/// One environment: takes slots as long as there is demand, and sends at each.
async fn environment(run: Arc<Run>, skew: Duration) {
    let mut sending = tokio::task::JoinSet::new();
    while !run.over.load(Ordering::Relaxed) {
        for slot in run.bucket.take(skew, run.bucket.block()).await {
            tokio::time::sleep_until(slot.into()).await;
            let person = run.take();
            let run = Arc::clone(&run);
            sending.spawn(async move {
                if !run.send(person).await {
                    run.waiting.lock().unwrap().push_front(person);
                }
            });
        }
        // An environment has ten messages at a time, as a batch of SQS.
        while sending.len() >= 10 * run.bucket.block() as usize {
            sending.join_next().await;
        }
    }
    while sending.join_next().await.is_some() {}
}

/// A code for somebody, forty times rarer than messages may be sent, each by a slot of its own.
async fn codes(run: Arc<Run>, per_second: u32) {
    let every = Duration::from_secs(40) / per_second;
    let mut sending = tokio::task::JoinSet::new();
    let mut n = 0;
    while !run.over.load(Ordering::Relaxed) {
        tokio::time::sleep(every).await;
        n += 1;
        // Whichever environment takes it, with whatever clock.
        let skew = SKEW.mul_f64(2.0 * f64::from(n % 11) / 10.0);
        let (run, arrived) = (Arc::clone(&run), Instant::now());
        sending.spawn(async move {
            let slots = run.bucket.take(skew, 1).await;
            if let Some(slot) = slots.first() {
                tokio::time::sleep_until((*slot).into()).await;
            }
            let waited = arrived.elapsed();
            run.codes_ms
                .lock()
                .unwrap()
                .push(waited.as_secs_f64() * 1e3);
            let person = run.take();
            run.send(person).await;
        });
    }
    while sending.join_next().await.is_some() {}
}

impl Run {
    fn take(&self) -> usize {
        let back = self.waiting.lock().unwrap().pop_front();
        back.unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed) as usize)
    }

    /// Whether Meta took it.
    async fn send(&self, person: usize) -> bool {
        let body = json!({
            "messaging_product": "whatsapp", "recipient_type": "individual", "recipient": bsuid(person), "type": "template",
            "template": { "name": "autumn_sale", "language": { "code": "en_US" }, "components": [] },
        });
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let outcome = self.client.send(permit(&self.config), NUMBER, &body).await;
        let accepted = matches!(outcome, Outcome::Accepted { .. });
        self.throttled
            .fetch_add(u64::from(!accepted), Ordering::Relaxed);
        accepted
    }
}

/// The client sends nothing that policy did not permit, for a baseline neither.
fn permit(config: &Config) -> SendPermit {
    let now = Timestamp::from_seconds(1_795_000_000);
    let mut subject = Subject::unknown(SubjectId::from_random([7; 16]));
    subject.last_inbound_at = Some(now);
    let request = Request {
        at: Moment::Claim,
        number: &config.numbers[0],
        to: None,
        purpose: Purpose::Service,
        topic: None,
        basis: &Basis::Consent,
        kind: &Kind::FreeForm,
        expires_at: now.plus_millis(DAY),
        accepted_at: now,
        not_before: None,
    };
    let facts = Facts {
        config,
        live: &Live::default(),
        subject: &subject,
        suppressed: &[],
        region: &ProcessingRegion::parse("ca-central-1").unwrap(),
        checks: &[],
        recent: &Recent::default(),
        producer: "AROAEXAMPLEID",
    };
    authorize(&request, &facts, now).unwrap()
}
