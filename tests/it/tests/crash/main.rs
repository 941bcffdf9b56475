//! A process that dies at any request it makes, and comes back: nothing is lost and nothing happens twice.
//!
//! Each function is given a batch and dies at its first request, then at its second, and so on until it gets by without
//! reaching that many; each time once before the request is performed and once before its answer comes. Everything it
//! had in memory is gone, SQS hands the same batch to a new environment, and what stands in the end is checked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::print_stdout,
    clippy::large_futures,
    clippy::use_debug,
    clippy::wildcard_enum_match_arm,
    reason = "tests may fail loudly, and say how much they covered"
)]

mod intake;
mod notifications;
mod sender;
mod world;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use local_cloud::{Call, Crash};
use tokio::task::JoinSet;

/// A deployment in which a function can die.
trait Trial: Send + Sync + 'static {
    /// A deployment of its own.
    fn start() -> impl Future<Output = Self> + Send;

    /// A fresh batch, a death at the `n`-th request of it, redelivery, and the checks. `None` when the function got by
    /// with fewer requests.
    fn die(&self, n: u64, crash: Crash) -> impl Future<Output = Option<Call>> + Send;
}

/// What was covered: how often an operation was the last one.
type Covered = BTreeMap<Call, u32>;

/// So many points at the end are tried by every deployment, and by all of them together so many.
const LAST_POINTS: u64 = 4;
const LAST_TRIES: u64 = 40;

/// Whether every point is wanted, however long it takes.
fn in_full() -> bool {
    std::env::var_os("HEADGATE_PROOF").is_some()
}

/// Dies at every point, or at every `stride`-th, `beside` deployments beside each other. Requests that run beside each
/// other come in another order each time, so one that is wanted may not have been the last one: then once more, and a
/// request that the function does not make is missed each time.
async fn at_every_point<T: Trial>(
    what: &str,
    beside: u64,
    stride: u64,
    wanted: &[(&str, &str)],
) -> Covered {
    let mut covered = Covered::new();
    for _ in 0..5 {
        for (call, times) in once_through::<T>(what, beside, stride).await {
            *covered.entry(call).or_default() += times;
        }
        if wanted
            .iter()
            .all(|(operation, place)| is_among(&covered, operation, place))
        {
            break;
        }
    }
    covered
}

async fn once_through<T: Trial>(what: &str, beside: u64, stride: u64) -> Covered {
    let covered = Arc::new(Mutex::new(Covered::new()));
    let mut deployments = JoinSet::new();
    for first in 1..=beside {
        let covered = Arc::clone(&covered);
        deployments.spawn(async move {
            let trial = T::start().await;
            let die = async |n: u64| {
                let mut got_by = 0;
                for crash in [Crash::Before, Crash::Unanswered] {
                    match trial.die(n, crash).await {
                        Some(call) => *covered.lock().unwrap().entry(call).or_default() += 1,
                        None => got_by += 1,
                    }
                }
                got_by == 2
            };
            let mut n = (first - 1) * stride + 1;
            while !die(n).await {
                n += beside * stride;
            }
            // How many requests a batch takes differs a little, as what runs beside each other shares some: the
            // last one, at which the fewest batches die, is tried by every deployment, and often enough to be met.
            for before in 1..(LAST_TRIES / beside).max(LAST_POINTS) {
                die(n.saturating_sub(before * stride).max(1)).await;
            }
        });
    }
    while let Some(done) = deployments.join_next().await {
        done.unwrap();
    }
    let covered = covered.lock().unwrap().clone();
    let points: u32 = covered.values().sum();
    println!(
        "{what}: died at {points} points of {} kinds, lost 0, twice 0",
        covered.len()
    );
    for (call, times) in &covered {
        println!("  {times:4} {call}");
    }
    covered
}

fn is_among(covered: &Covered, operation: &str, place: &str) -> bool {
    let mut calls = covered.keys();
    calls.any(|call| call.operation == operation && call.place.ends_with(place))
}

/// Fails unless requests like these were among the points: otherwise the function no longer does what is tested here.
fn includes(covered: &Covered, wanted: &[(&str, &str)]) {
    for (operation, place) in wanted {
        let found = is_among(covered, operation, place);
        assert!(found, "no {operation} {place} among {covered:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn intake_dies_at_every_point_of_a_batch_of_messages() {
    let wanted = [
        ("PutItem", "messages"),
        ("SendMessage", "wake"),
        ("PutEvents", ""),
    ];
    let covered = at_every_point::<intake::Messages>("intake, messages", 4, 1, &wanted).await;
    includes(&covered, &wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn intake_dies_at_every_point_of_a_batch_of_consents() {
    let wanted = [("TransactWriteItems", ""), ("PutEvents", "")];
    let covered = at_every_point::<intake::Consents>("intake, consents", 4, 1, &wanted).await;
    includes(&covered, &wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_notification_processor_dies_at_every_point_of_a_batch() {
    let wanted = [
        ("TransactWriteItems", ""),
        ("PutEvents", ""),
        ("SendMessage", "notifications-dlq"),
        ("GetObject", ""),
        ("DeleteObject", ""),
    ];
    let name = "notification-processor";
    let covered = at_every_point::<notifications::Notifications>(name, 4, 1, &wanted).await;
    includes(&covered, &wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_dies_at_every_point_of_a_term() {
    // Most points are reads of a holder that finds nothing; a lease is taken over in real time after each.
    let stride = if in_full() { 1 } else { 2 };
    let wanted = [
        ("PutItem", "pacing"),
        ("UpdateItem", "messages"),
        ("POST", ""),
    ];
    let covered = at_every_point::<sender::Sending>("sender", 20, stride, &wanted).await;
    includes(&covered, &wanted);
}
