//! One term of the lease: take it, renew it, fence oneself, give it up without losing anything.
//!
//! No clock is shared: the lease is taken over only when it stood still for three seconds on *our*
//! clock, and the holder stops by itself two seconds after the start of its last successful
//! renewal. Two is less than three, so two holders never send at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use headgate_aws::pacing::{Lease, Phase};
use headgate_domain::config::Number;
use headgate_lambda::log::{Field, Level, log};
use tokio::sync::Mutex;

use crate::number::NumberPacer;
use crate::{Parts, SenderError};

const RENEW_EVERY: Duration = Duration::from_secs(1);
const FENCE: Duration = Duration::from_secs(2);
const TAKE_OVER_AFTER: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A successor stands by for this very moment.
const LOOK_FOR_RELEASE_EVERY: Duration = Duration::from_millis(50);
/// How long a successor waits for its predecessor to let go.
const STAND_BY: Duration = Duration::from_secs(12);
const WAKE_SUCCESSOR_BEFORE: Duration = Duration::from_secs(5);
/// SQS delays at most this long; the minute schedule covers the rest.
const LONGEST_DELAY_S: i64 = 900;
/// Connections to the Graph API that are open before the first slot (sending.md: 1 to 4).
const CONNECTIONS: usize = 4;
/// A term's clock does not start at zero: the pace needs a last second to count as used.
const CLOCK_STARTS_AT: Duration = Duration::from_secs(10);

/// What the loops of one term share.
pub(crate) struct Term {
    pub(crate) portfolio: String,
    pub(crate) epoch: u64,
    pub(crate) ends: Instant,
    base: Instant,
    fence_ns: AtomicU64,
    block: AtomicU64,
    quiet: Vec<AtomicBool>,
    /// Set when no number has anything to do: every loop returns, so that the term can look once more.
    all_quiet: AtomicBool,
    /// The phase the next renewal writes. Held across the write: a renewal must not undo IDLE.
    phase: Mutex<Phase>,
    stop: AtomicBool,
}

impl Term {
    /// Whether this holder may still claim and send.
    pub(crate) fn holds(&self, at: Instant) -> bool {
        self.ns(at) < self.fence_ns.load(Ordering::Acquire)
    }

    /// Nanoseconds on this holder's clock.
    pub(crate) fn ns(&self, at: Instant) -> u64 {
        let since = at
            .saturating_duration_since(self.base)
            .saturating_add(CLOCK_STARTS_AT);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The instant of a pacing time.
    pub(crate) fn instant(&self, ns: u64) -> Instant {
        let since = Duration::from_nanos(ns).saturating_sub(CLOCK_STARTS_AT);
        self.base.checked_add(since).unwrap_or(self.ends)
    }

    /// The number of the next claim.
    pub(crate) fn next_block(&self) -> u64 {
        self.block.fetch_add(1, Ordering::Relaxed)
    }

    /// Says whether a number has nothing to do; returns whether the loops are to pause because none has.
    pub(crate) fn note_quiet(&self, index: usize, quiet: bool) -> bool {
        if let Some(flag) = self.quiet.get(index) {
            flag.store(quiet, Ordering::Release);
        }
        if quiet && self.quiet.iter().all(|f| f.load(Ordering::Acquire)) {
            self.all_quiet.store(true, Ordering::Release);
        }
        self.all_quiet.load(Ordering::Acquire)
    }

    /// Writes the lease in a phase, from now on the phase of every renewal; `false` when it is no longer ours.
    async fn enter(&self, parts: &Parts, phase: Phase) -> Result<bool, SenderError> {
        let mut current = self.phase.lock().await;
        *current = phase;
        let started = Instant::now();
        let ours = parts
            .pacing
            .renew(&self.portfolio, self.epoch, phase, parts.now())
            .await?;
        if ours && phase != Phase::Free {
            self.renewed(started);
        }
        Ok(ours)
    }

    /// Renews the lease in its present phase.
    async fn beat(&self, parts: &Parts) -> Result<bool, SenderError> {
        let current = self.phase.lock().await;
        if *current == Phase::Free {
            return Ok(true);
        }
        let started = Instant::now();
        let ours = parts
            .pacing
            .renew(&self.portfolio, self.epoch, *current, parts.now())
            .await?;
        if ours {
            self.renewed(started);
        }
        Ok(ours)
    }

    fn renewed(&self, started: Instant) {
        let fence = started.checked_add(FENCE).unwrap_or(started);
        self.fence_ns.store(self.ns(fence), Ordering::Release);
    }

    fn lost(&self) {
        self.fence_ns.store(0, Ordering::Release);
    }
}

/// Serves a portfolio until nothing waits, the term ends, or somebody else holds the lease.
pub(crate) async fn serve(
    parts: &Arc<Parts>,
    portfolio: &str,
    numbers: Vec<Number>,
    successor: bool,
    length: Duration,
) -> Result<(), SenderError> {
    let Some((epoch, started)) = acquire(parts, portfolio, successor).await? else {
        return Ok(());
    };
    let term = Term {
        portfolio: portfolio.to_owned(),
        epoch,
        ends: started.checked_add(length).unwrap_or(started),
        base: started,
        fence_ns: AtomicU64::new(0),
        block: AtomicU64::new(0),
        quiet: numbers.iter().map(|_| AtomicBool::new(false)).collect(),
        all_quiet: AtomicBool::new(false),
        phase: Mutex::new(Phase::Run),
        stop: AtomicBool::new(false),
    };
    term.renewed(started);
    log(
        Level::Info,
        "term_started",
        &[(
            "epoch",
            Field::number(i64::try_from(epoch).unwrap_or(i64::MAX)),
        )],
    );
    let work = async {
        let result = send(parts, &term, numbers).await;
        term.stop.store(true, Ordering::Release);
        result
    };
    let ((), result) = join(renew(parts, &term), work).await;
    result
}

async fn acquire(
    parts: &Parts,
    portfolio: &str,
    successor: bool,
) -> Result<Option<(u64, Instant)>, SenderError> {
    let holder = holder_name()?;
    let arrived = Instant::now();
    let mut seen: Option<(Lease, Instant)> = None;
    loop {
        let lease = parts.pacing.lease(portfolio).await?;
        let now = Instant::now();
        let takeable = match &lease {
            None => true,
            Some(l) if l.phase == Phase::Free => true,
            Some(l) => match &seen {
                Some((s, since)) if s == l => {
                    now.saturating_duration_since(*since) >= TAKE_OVER_AFTER
                }
                Some(_) if l.phase == Phase::Run && !successor => return Ok(None),
                Some(_) | None => {
                    seen = Some((l.clone(), now));
                    false
                }
            },
        };
        if takeable {
            let started = Instant::now();
            if let Some(epoch) = parts
                .pacing
                .take(portfolio, lease.as_ref(), &holder, parts.now())
                .await?
            {
                return Ok(Some((epoch, started)));
            }
            seen = None;
        }
        if now.saturating_duration_since(arrived) > STAND_BY {
            return Ok(None);
        }
        tokio::time::sleep(if successor {
            LOOK_FOR_RELEASE_EVERY
        } else {
            LOOK_EVERY
        })
        .await;
    }
}

fn holder_name() -> Result<String, SenderError> {
    let bytes = headgate_aws::random::<16>()?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

async fn renew(parts: &Parts, term: &Term) {
    let mut next = Instant::now();
    let mut successor_woken = false;
    while !term.stop.load(Ordering::Acquire) {
        let now = Instant::now();
        if now >= next {
            next = now.checked_add(RENEW_EVERY).unwrap_or(now);
            match term.beat(parts).await {
                Ok(true) => {}
                Ok(false) if term.stop.load(Ordering::Acquire) => {}
                Ok(false) => {
                    term.lost();
                    log(Level::Warn, "lease_lost", &[]);
                    return;
                }
                // The fence decides: without a renewal it falls by itself.
                Err(error) => log(
                    Level::Warn,
                    "lease_not_renewed",
                    &[("error", Field::safe(&error))],
                ),
            }
        }
        if !successor_woken && term.ends.saturating_duration_since(now) < WAKE_SUCCESSOR_BEFORE {
            successor_woken = true;
            let body =
                serde_json::json!({"portfolio": term.portfolio, "successor": true}).to_string();
            if let Err(error) = parts.wake.send(&body, &[]).await {
                log(
                    Level::Warn,
                    "successor_not_woken",
                    &[("error", Field::safe(&error))],
                );
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn send(parts: &Arc<Parts>, term: &Term, numbers: Vec<Number>) -> Result<(), SenderError> {
    parts.graph.warm(CONNECTIONS).await;
    let mut pacers = Vec::with_capacity(numbers.len());
    for (index, number) in numbers.into_iter().enumerate() {
        pacers.push(NumberPacer::new(parts, term, index, number).await?);
    }
    loop {
        join_all(pacers.iter_mut().map(NumberPacer::run)).await;
        if !term.holds(Instant::now()) {
            // Somebody else may hold the lease: what is claimed is theirs to resolve. Record answers only.
            join_all(pacers.iter_mut().map(NumberPacer::drain)).await;
            return Ok(());
        }
        if Instant::now() >= term.ends {
            return release(parts, term, &mut pacers).await;
        }
        // Say that we are about to stop, then look once more: intake writes first and reads the lease after,
        // so either it sees IDLE and wakes somebody, or we see its message now.
        if !term.enter(parts, Phase::Idle).await? {
            return Ok(());
        }
        let mut found = false;
        for pacer in &mut pacers {
            found |= pacer.look_once_more().await?;
        }
        if !found {
            return release(parts, term, &mut pacers).await;
        }
        term.all_quiet.store(false, Ordering::Release);
        term.enter(parts, Phase::Run).await?;
    }
}

/// Stop slots → hand back what was not sent → FREE → drain answers → record → return.
async fn release(
    parts: &Parts,
    term: &Term,
    pacers: &mut [NumberPacer<'_>],
) -> Result<(), SenderError> {
    let mut waiting = false;
    for pacer in pacers.iter_mut() {
        waiting |= pacer.hand_back().await?;
    }
    term.stop.store(true, Ordering::Release);
    term.enter(parts, Phase::Free).await?;
    join_all(pacers.iter_mut().map(NumberPacer::drain)).await;
    if waiting {
        parts
            .wake
            .send(
                &serde_json::json!({"portfolio": term.portfolio}).to_string(),
                &[],
            )
            .await?;
    } else if let Some(at) = parts.pacing.next_due(&term.portfolio).await? {
        let seconds = at
            .millis_since(parts.now())
            .max(0)
            .div_euclid(1_000)
            .saturating_add(1);
        if seconds <= LONGEST_DELAY_S {
            let body = serde_json::json!({"portfolio": term.portfolio}).to_string();
            parts
                .wake
                .send_after(&body, i32::try_from(seconds).unwrap_or(900))
                .await?;
        }
    }
    log(
        Level::Info,
        "term_ended",
        &[(
            "epoch",
            Field::number(i64::try_from(term.epoch).unwrap_or(i64::MAX)),
        )],
    );
    Ok(())
}
