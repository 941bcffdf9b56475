//! Drives the holder: performs what it asks for, and tells it what came of it and what time it is.
//!
//! Decides nothing. Everything slow runs beside the slots and never holds one up.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use headgate_aws::AwsError;
use headgate_domain::config::Number;
use headgate_domain::holder::{Effect, Event, Holder, Now, NumberSettings, Settings, Tuning};
use headgate_lambda::log::{Field, Level, log};

use crate::shell::Shell;
use crate::{Parts, SenderError};

/// A holder's clock does not start at zero: the pace needs a last second.
const CLOCK_STARTS_AT: Duration = Duration::from_secs(10);
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

type Work<'a> = Pin<Box<dyn Future<Output = Event> + Send + 'a>>;

/// Serves a portfolio until nothing waits, the term ends, or somebody else holds the lease.
pub(crate) async fn serve(
    parts: &Arc<Parts>,
    portfolio: &str,
    numbers: Vec<Number>,
    successor: bool,
    length: Duration,
) -> Result<(), SenderError> {
    let base = Instant::now();
    let now = || Now {
        mono: nanos(base.elapsed().saturating_add(CLOCK_STARTS_AT)),
        wall: parts.now(),
    };
    let settings = Settings {
        numbers: numbers
            .iter()
            .map(|number| NumberSettings {
                id: number.id.clone(),
                per_second: number
                    .per_second
                    .unwrap_or(headgate_domain::live::DEFAULT_PER_SECOND),
                guard_permille: number.pace_permille,
            })
            .collect(),
        successor,
        tuning: Tuning {
            term: nanos(length),
            ..Tuning::default()
        },
    };
    let shell = Shell::new(parts, portfolio, numbers)?;
    let mut holder = Holder::new(settings, now());
    let mut work: FuturesUnordered<Work<'_>> = FuturesUnordered::new();
    // Connections stand before the first slot, and best of all before the lease is ours.
    let warm = parts.graph.warm().boxed().shared();
    let warming = warm.clone();
    work.push(Box::pin(async move {
        warming.await;
        Event::Tick
    }));
    let mut happened = VecDeque::from([Event::Tick]);
    let mut term = None;
    loop {
        let mut sent = false;
        while let Some(event) = happened.pop_front() {
            for effect in holder.step(now(), event) {
                let at_once = matches!(effect, Effect::Send { .. });
                sent |= at_once;
                let opens = matches!(effect, Effect::Open { .. }).then(|| warm.clone());
                let mut doing: Work<'_> = Box::pin(async {
                    let event = Box::pin(shell.perform(effect)).await;
                    if let Some(warm) = opens {
                        warm.await;
                    }
                    event
                });
                // A message is handed to the connection in its very slot, before anything else gets the processor.
                let done = at_once.then(|| (&mut doing).now_or_never()).flatten();
                match done {
                    Some(event) => happened.push_back(event),
                    None => work.push(doing),
                }
            }
        }
        if term.is_none() && holder.epoch().is_some() {
            term = holder.epoch();
            note("term_started", term);
        }
        if holder.is_over() && work.is_empty() {
            break;
        }
        if sent {
            // The connections are tasks of this same thread: what was handed to them goes out now, before
            // anything else is worked on.
            tokio::task::yield_now().await;
        }
        let mono = now().mono;
        let sleep = Duration::from_nanos(holder.wake_at(mono).saturating_sub(mono));
        tokio::select! {
            biased;
            () = tokio::time::sleep(sleep.min(LONGEST_SLEEP)) => happened.push_back(Event::Tick),
            Some(event) = work.next(), if !work.is_empty() => happened.push_back(event),
        }
    }
    if term.is_some() {
        note("term_ended", term);
    }
    if holder.has_failed() {
        return Err(AwsError::new("taking the lease", "unavailable").into());
    }
    Ok(())
}

fn note(what: &'static str, epoch: Option<u64>) {
    let epoch = epoch
        .and_then(|e| i64::try_from(e).ok())
        .unwrap_or_default();
    log(Level::Info, what, &[("epoch", Field::number(epoch))]);
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
