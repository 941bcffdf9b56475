//! A thousand webhooks a second, and as many as go: is every 200 on the queue?
//!
//! As Lambda does it: an environment has one event at a time, and several are there because one may not be enough.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headgate_testkit::Stage;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::fixtures;
use crate::handlers::{Handler, Running};
use crate::proc;

/// Environments of the function.
const ENVIRONMENTS: usize = 4;
pub(crate) const PER_SECOND: usize = 1_000;
const SECONDS: usize = 10;

/// What came of it.
pub(crate) struct Load {
    pub(crate) sent: usize,
    pub(crate) answered: usize,
    pub(crate) lost: usize,
    pub(crate) per_second: f64,
    /// How long it went on: without a rate, until the time or the prepared events are over.
    pub(crate) seconds: f64,
    /// From when a webhook was due to its answer.
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// CPU of the environments per webhook: in the program, in the kernel.
    pub(crate) program: Duration,
    pub(crate) kernel: Duration,
    /// CPU per webhook of this process: the Runtime APIs and the local cloud.
    pub(crate) beside: Duration,
    pub(crate) environments: usize,
}

/// At a rate, or without one: the next as soon as an environment is free.
pub(crate) async fn measure(stage: &Stage, handler: &Handler, rate: Option<usize>) -> Load {
    let mut environments = Vec::new();
    for _ in 0..ENVIRONMENTS {
        environments.push(Arc::new(handler.start().await));
    }
    let first = if rate.is_some() { 1_000_000 } else { 2_000_000 };
    let most = rate.map_or(60_000, |rate| rate * SECONDS);
    let bodies: Vec<(String, Value)> = (first..first + most)
        .map(|n| (wamid(n), fixtures::event(&fixtures::one(n))))
        .collect();
    let (free, mut idle) = mpsc::unbounded_channel();
    for environment in &environments {
        free.send(Arc::clone(environment)).ok();
    }
    let (answers, mut came) = mpsc::unbounded_channel();
    let before = used(&environments);
    let own_before = proc::cpu(std::process::id());
    let began = Instant::now();
    let mut sent = 0;
    for (name, event) in bodies {
        if rate.is_none() && began.elapsed() > Duration::from_secs(SECONDS as u64) {
            break;
        }
        let due = match rate {
            Some(rate) => began + Duration::from_secs_f64(sent as f64 / rate as f64),
            None => Instant::now(),
        };
        if rate.is_some() {
            // The timer's steps are a millisecond, so this is for those that are not due yet.
            tokio::time::sleep_until(due.into()).await;
        }
        let environment: Arc<Running> = idle.recv().await.unwrap();
        let (free, answers) = (free.clone(), answers.clone());
        sent += 1;
        tokio::spawn(async move {
            let taken = environment.takes(event).await;
            free.send(environment).ok();
            answers.send((name, taken, due.elapsed())).ok();
        });
    }
    drop(answers);
    let (mut times, mut taken) = (Vec::new(), Vec::new());
    while let Some((name, is_taken, time)) = came.recv().await {
        times.push(time);
        if is_taken {
            taken.push(name);
        }
    }
    let took = began.elapsed();
    let own = proc::cpu(std::process::id()) - own_before;
    let after = used(&environments);
    let each = |duration: Duration| duration / u32::try_from(sent).unwrap();
    let queued = queued(stage).await;
    times.sort_unstable();
    let load = Load {
        sent,
        answered: taken.len(),
        lost: taken.iter().filter(|name| !queued.contains(*name)).count(),
        per_second: taken.len() as f64 / took.as_secs_f64(),
        seconds: took.as_secs_f64(),
        p50: times[times.len() / 2],
        p99: times[times.len() * 99 / 100],
        program: each(Duration::from_millis(10 * (after.0 - before.0))),
        kernel: each(Duration::from_millis(10 * (after.1 - before.1))),
        beside: each(own),
        environments: ENVIRONMENTS,
    };
    drop((idle, free));
    for environment in environments {
        let environment = Arc::into_inner(environment);
        environment.expect("nobody else has it").stop().await;
    }
    load
}

fn used(environments: &[Arc<Running>]) -> (u64, u64) {
    let each = environments.iter().map(|running| proc::ticks(running.id));
    each.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

/// What tells one body from another.
fn wamid(n: usize) -> String {
    wamid_of(&fixtures::one(n))
}

fn wamid_of(body: &str) -> String {
    let body = serde_json::Deserializer::from_str(body).into_iter::<Value>();
    let body = body.into_iter().next().unwrap().unwrap();
    let id = &body["entry"][0]["changes"][0]["value"]["statuses"][0]["id"];
    id.as_str().unwrap_or_default().to_owned()
}

/// The bodies on the queue; one that is compressed has no name.
async fn queued(stage: &Stage) -> HashSet<String> {
    let dump = stage.cloud().dump().await.unwrap();
    let messages = dump.iter().filter(|(place, text)| {
        place.starts_with("queue ") && place.contains("notifications") && text.starts_with('{')
    });
    messages.map(|(_place, text)| wamid_of(text)).collect()
}
