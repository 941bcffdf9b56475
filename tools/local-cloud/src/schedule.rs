//! Runs schedules by the calendar, and turns the calendar.
//!
//! Promises that a turn runs every occurrence of an hourly or rarer schedule in order, each at its own time, and that
//! nothing runs on the side meanwhile. A failed run is retried twice, as asynchronous invocations are.
//! Deliberately runs one schedule at a time: an occurrence that is late does not run again for each one it missed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::calendar::{Calendar, rfc3339};
use crate::cron::Expression;
use crate::functions::Functions;
use crate::ids::random_id;
use crate::stack::{ACCOUNT, REGION};

const ATTEMPTS: u32 = 3;

/// One schedule of one function.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) function: String,
    pub(crate) name: String,
    pub(crate) expression: Expression,
    pub(crate) input: Option<Value>,
    /// `ScheduleV2`: EventBridge Scheduler names itself differently from a rule.
    pub(crate) scheduler: bool,
}

impl Schedule {
    fn event(&self, at_ms: i64) -> Result<Value> {
        let time = rfc3339(at_ms)?;
        if let Some(input) = &self.input {
            let text = input
                .to_string()
                .replace("<aws.scheduler.scheduled-time>", &time);
            return serde_json::from_str(&text).context("the input of a schedule is not JSON");
        }
        let name = &self.name;
        Ok(if self.scheduler {
            json!({
                "version": "0", "id": random_id(), "detail-type": "Scheduled Event",
                "source": "aws.scheduler", "account": ACCOUNT, "time": time, "region": REGION,
                "resources": [format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{name}")],
                "detail": "{}",
            })
        } else {
            json!({
                "version": "0", "id": random_id(), "detail-type": "Scheduled Event",
                "source": "aws.events", "account": ACCOUNT, "time": time, "region": REGION,
                "resources": [format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}")],
                "detail": {},
            })
        })
    }
}

#[derive(Clone)]
struct Active {
    schedule: Schedule,
    enabled: bool,
    next_ms: Option<i64>,
}

/// All registered schedules.
#[derive(Clone)]
pub(crate) struct Schedules {
    active: Arc<Mutex<BTreeMap<(String, String), Active>>>,
    /// Held while a schedule runs, and by a turn for its whole length.
    running: Arc<tokio::sync::Mutex<()>>,
    failed: Arc<AtomicU64>,
    calendar: Calendar,
    functions: Functions,
}

impl Schedules {
    pub(crate) fn new(calendar: Calendar, functions: Functions) -> Self {
        Self {
            active: Arc::default(),
            running: Arc::default(),
            failed: Arc::default(),
            calendar,
            functions,
        }
    }

    pub(crate) fn register(&self, schedule: Schedule, enabled: bool) {
        let next_ms = schedule.expression.next_after(self.calendar.now_ms());
        let key = (schedule.function.clone(), schedule.name.clone());
        self.lock().entry(key).or_insert(Active {
            schedule,
            enabled,
            next_ms,
        });
    }

    pub(crate) fn set_enabled(&self, function: &str, enabled: bool) {
        let now = self.calendar.now_ms();
        for active in self
            .lock()
            .values_mut()
            .filter(|a| a.schedule.function == function)
        {
            active.enabled = enabled;
            active.next_ms = active.schedule.expression.next_after(now);
        }
    }

    pub(crate) fn failed_runs(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is due: each schedule once, the earliest occurrence first.
    fn due(&self) -> Vec<(i64, Schedule)> {
        let now = self.calendar.now_ms();
        let mut due = Vec::new();
        for active in self.lock().values_mut().filter(|a| a.enabled) {
            if let Some(at) = active.next_ms.filter(|at| *at <= now) {
                due.push((at, active.schedule.clone()));
                active.next_ms = active.schedule.expression.next_after(now);
            }
        }
        due.sort_by_key(|(at, _)| *at);
        due
    }

    /// Runs schedules as they become due, until `stop`.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                // Schedules are of minutes: a quarter of a second late is on time.
                () = tokio::time::sleep(Duration::from_millis(250)) => {}
                _ = stop.wait_for(|s| *s) => return,
            }
            // While a turn is going on it runs what is due.
            let Ok(_running) = self.running.try_lock() else {
                continue;
            };
            for (at, schedule) in self.due() {
                tokio::select! {
                    result = self.attempt(&schedule, at) => result.ok(),
                    _ = stop.wait_for(|s| *s) => return,
                };
            }
        }
    }

    async fn attempt(&self, schedule: &Schedule, at_ms: i64) -> Result<()> {
        let event = schedule.event(at_ms)?;
        let mut attempt = 1;
        loop {
            match self
                .functions
                .invoke(&schedule.function, event.clone())
                .await
            {
                Ok(_) => return Ok(()),
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    return Err(error.context(format!(
                        "schedule {} at {}",
                        schedule.name,
                        rfc3339(at_ms)?
                    )));
                }
            }
        }
    }

    /// Moves the calendar forward through every occurrence on the way.
    pub(crate) async fn turn(
        &self,
        by: Duration,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<()> {
        let _running = self.running.lock().await;
        let by = i64::try_from(by.as_millis()).context("the calendar cannot be turned that far")?;
        let from = self.calendar.now_ms();
        let target = from
            .checked_add(by)
            .context("the calendar cannot be turned that far")?;
        let enabled: Vec<Schedule> = self
            .lock()
            .values()
            .filter(|a| a.enabled)
            .map(|a| a.schedule.clone())
            .collect();
        let (rare, frequent): (Vec<_>, Vec<_>) = enabled
            .into_iter()
            .partition(|s| s.expression.is_hourly_or_rarer());
        let mut occurrences = Vec::new();
        for schedule in &rare {
            let mut at = from;
            while let Some(next) = schedule
                .expression
                .next_after(at)
                .filter(|next| *next <= target)
            {
                occurrences.push((next, schedule));
                at = next;
            }
        }
        occurrences.sort_by_key(|(at, _)| *at);
        let total =
            u64::try_from(occurrences.len().saturating_add(frequent.len())).unwrap_or(u64::MAX);
        let mut done = 0;
        let mut first_error = None;
        progress(done, total);
        for (at, schedule) in occurrences {
            self.calendar.move_to(at);
            if let Err(error) = self.attempt(schedule, at).await {
                first_error.get_or_insert(error);
            }
            done += 1;
            progress(done, total);
        }
        self.calendar.move_to(target);
        for schedule in &frequent {
            if let Err(error) = self.attempt(schedule, target).await {
                first_error.get_or_insert(error);
            }
            done += 1;
            progress(done, total);
        }
        // What the turn ran must not run again.
        let now = self.calendar.now_ms();
        for active in self.lock().values_mut() {
            active.next_ms = active.schedule.expression.next_after(now);
        }
        first_error.map_or(Ok(()), Err)
    }
}
