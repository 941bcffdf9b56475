//! The local cloud: the AWS services Headgate uses, in this process, on loopback ports, made from `template.yaml`.
//!
//! ```text
//!  template.yaml + infra/*.yaml ──► plan ──► tables, queues, keys, secrets, bus, rules
//!                                    │
//!  functions (handlers you connect) ◄┴─ event source mappings, schedules, API routes
//! ```
//!
//! | Service | Kept by | Survives `kill -9` in the data directory |
//! |---|---|---|
//! | DynamoDB | dynoxide (SQLite) | `dynamodb.sqlite` |
//! | SQS | `sqs`, our own | `sqs.journal`: a line per change, before it is acknowledged |
//! | KMS, Secrets Manager | `kms`, `secrets`, our own, each on a `vault` | `kms.json`, `secrets.json`: replaced at each change |
//! | S3 | `s3`, our own | `s3/`: a file for each object; uploads in parts only once they are complete |
//! | EventBridge | `events`, our own | nothing to keep |
//! | Lambda, API Gateway | `mapping`, `schedule`, `api` | nothing to keep |
//!
//! How to use it:
//!
//! 1. [`LocalCloud::start`] creates what the template declares; names, key ids and ARNs follow from the template.
//! 2. [`LocalCloud::function_environment`] is what Lambda would give a function, endpoints included.
//! 3. [`LocalCloud::connect`] and [`LocalCloud::connect_http`] give a function its handler and start its triggers.
//!
//! Promises: nothing listens beyond 127.0.0.1, nothing is printed, limits and errors are those of AWS where Headgate
//! could notice (`tests/contract.rs`), resource types it does not know are ignored.
//! Deliberately missing: IAM, FIFO queues, streams, asymmetric keys, throttling, function timeouts.
//!
//! KMS and Secrets Manager are our own since the emulators tried before them (`winterbaume-kms` 0.2.1 and its
//! siblings) brought `aws-config`, with it `rustls` on `aws-lc-rs` beside ring and 69 MB of C and assembly, into every
//! workspace build: 435 packages in `Cargo.lock` with them, 383 without. Their `Sign` answered 32 bytes that verify
//! under no algorithm; what is not supported here says so (`UnknownOperationException`). See `docs/adr/0008`.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "a tool of the developer's machine: counts and times of a local run do not overflow"
)]
#![allow(
    clippy::doc_markdown,
    reason = "the names of AWS services are words here"
)]

mod amz_json;
mod api;
mod calendar;
mod counters;
mod cron;
mod environment;
mod events;
mod files;
mod functions;
mod gate;
mod host;
mod ids;
mod kms;
mod mapping;
mod measure;
mod meter;
mod metered;
mod options;
mod own_answers;
mod plan;
mod s3;
mod schedule;
mod secrets;
mod sqs;
mod stack;
mod start;
mod tables;
mod template;
mod upstream;
mod vault;

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use api::MatchedRoute;
pub use calendar::Calendar;
pub use counters::{Counters, QueueCounters};
pub use functions::{Handler, HttpHandler};
pub use gate::{Call, Crash, Gate};
pub use meter::{Kind, Meter, QueueUse, Units};
pub use options::{Options, Service};

use functions::Functions;
use kms::Keys;
use mapping::Mapping;
use metered::Watch;
use plan::Plan;
use s3::Buckets;
use schedule::Schedules;
use secrets::Secrets;
use sqs::Sqs;
use stack::Stack;
use tables::Tables;

struct Switch {
    mapping: Arc<Mapping>,
    enabled: watch::Sender<bool>,
    connected: bool,
}

/// A running local cloud.
pub struct LocalCloud {
    root: Arc<Stack>,
    plan: Plan,
    endpoints: BTreeMap<Service, String>,
    apis: BTreeMap<String, String>,
    tables: Tables,
    sqs: Arc<Sqs>,
    keys: Arc<Keys>,
    secrets: Arc<Secrets>,
    buckets: Arc<Buckets>,
    functions: Functions,
    schedules: Schedules,
    calendar: Calendar,
    watch: Watch,
    poller: aws_sdk_sqs::Client,
    switches: Mutex<Vec<Switch>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    stopping: watch::Sender<bool>,
    /// Keeps the data directory for this process.
    _lock: Option<File>,
}

impl std::fmt::Debug for LocalCloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalCloud")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

impl LocalCloud {
    /// Starts every service and creates what the templates declare.
    ///
    /// # Errors
    /// If a template cannot be evaluated, a port or the data directory is taken, or stored state is damaged.
    pub async fn start(options: Options) -> Result<Self> {
        start::start(options).await
    }

    /// The base URL of a service.
    pub fn endpoint(&self, service: Service) -> String {
        self.endpoints.get(&service).cloned().unwrap_or_default()
    }

    /// The calendar that schedules go by.
    pub fn calendar(&self) -> Calendar {
        self.calendar.clone()
    }

    /// Makes `json` the current version of a secret, named by logical id, name or ARN.
    ///
    /// # Errors
    /// If there is no such secret or it cannot be stored.
    #[allow(
        clippy::unused_async,
        reason = "callers may not rely on it being immediate"
    )]
    pub async fn put_secret(&self, logical_id_or_name: &str, json: &str) -> Result<()> {
        let name = self.plan.secret_names.get(logical_id_or_name);
        self.secrets
            .put(name.map_or(logical_id_or_name, String::as_str), json)
    }

    /// Gives a function its handler; starts its event source mappings and registers its schedules.
    ///
    /// Connecting again replaces the handler.
    ///
    /// # Errors
    /// If the template has no such function.
    pub fn connect(&self, function_logical_id: &str, handler: Handler) -> Result<()> {
        self.known(function_logical_id)?;
        if self.functions.connect(function_logical_id, handler) {
            return Ok(());
        }
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for switch in self
            .switches()
            .iter_mut()
            .filter(|s| s.mapping.function == function_logical_id)
        {
            switch.connected = true;
            tasks.push(tokio::spawn(mapping::run(
                Arc::clone(&switch.mapping),
                self.poller.clone(),
                self.functions.clone(),
                switch.enabled.subscribe(),
                self.stopping.subscribe(),
            )));
        }
        for (schedule, enabled) in &self.plan.schedules {
            if schedule.function == function_logical_id {
                self.schedules.register(schedule.clone(), *enabled);
            }
        }
        Ok(())
    }

    /// Gives a function behind an API its handler.
    ///
    /// # Errors
    /// If the template has no such function.
    pub fn connect_http(&self, function_logical_id: &str, handler: HttpHandler) -> Result<()> {
        self.known(function_logical_id)?;
        self.functions.connect_http(function_logical_id, handler);
        Ok(())
    }

    fn known(&self, function: &str) -> Result<()> {
        if self.plan.functions.contains(function) {
            return Ok(());
        }
        bail!("the template has no function {function}")
    }

    fn switches(&self) -> std::sync::MutexGuard<'_, Vec<Switch>> {
        self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The base URL of an API of the template; its routes follow without a stage.
    pub fn api_url(&self, rest_api_logical_id: &str) -> Option<String> {
        self.apis.get(rest_api_logical_id).cloned()
    }

    /// The routes of the template: API, method, path, function.
    pub fn routes(&self) -> Vec<(String, String, String, String)> {
        let routes = self.plan.routes.iter().cloned();
        routes
            .map(|r| (r.api, r.method, r.path, r.function))
            .collect()
    }

    /// Enables or disables the mapping between a function and a queue, named by logical id or name.
    pub fn set_mapping_enabled(
        &self,
        function_logical_id: &str,
        queue_logical_id: &str,
        enabled: bool,
    ) {
        for switch in self.switches().iter() {
            let mapping = &switch.mapping;
            let is_queue = mapping.queue == queue_logical_id
                || mapping.queue_logical_id.as_deref() == Some(queue_logical_id);
            if mapping.function == function_logical_id && is_queue {
                switch.enabled.send_replace(enabled);
            }
        }
    }

    /// Enables or disables every schedule of a connected function.
    pub fn set_schedules_enabled(&self, function_logical_id: &str, enabled: bool) {
        self.schedules.set_enabled(function_logical_id, enabled);
    }

    /// Calls a connected function.
    ///
    /// # Errors
    /// If the function is not connected, fails or panics.
    pub async fn invoke(&self, function_logical_id: &str, event: Value) -> Result<Value> {
        self.functions.invoke(function_logical_id, event).await
    }

    /// Turns the calendar: runs every occurrence of hourly and rarer schedules in order, each at its time, then those
    /// of minutes once. `progress` hears how many of how many runs are done.
    ///
    /// # Errors
    /// The first run that failed three times; the turn is completed all the same.
    pub async fn turn_calendar(&self, by: Duration, progress: impl FnMut(u64, u64)) -> Result<()> {
        self.schedules.turn(by, progress).await
    }

    /// Whether no queue with a connected event source mapping holds a visible or an in-flight message.
    #[allow(
        clippy::unused_async,
        reason = "callers may not rely on it being immediate"
    )]
    pub async fn idle(&self) -> bool {
        let queues: Vec<String> = self
            .switches()
            .iter()
            .filter(|s| s.connected)
            .map(|s| s.mapping.queue.clone())
            .collect();
        let mut engine = self.sqs.engine();
        queues
            .iter()
            .all(|queue| engine.is_quiet(queue).unwrap_or(false))
    }

    /// What was called and what happened on the queues since the start.
    pub fn counters(&self) -> Counters {
        Counters {
            calls: self.watch.tally.snapshot(),
            queues: self.sqs.engine().counters(),
            failed_schedule_runs: self.schedules.failed_runs(),
        }
    }

    /// Every item of every table, every message of every queue and every object of every bucket, as text; secrets
    /// excluded. The name of an object is a text of its own.
    ///
    /// # Errors
    /// If a table cannot be read, or what has expired cannot be deleted.
    pub async fn dump(&self) -> Result<Vec<(String, String)>> {
        let tables = self.tables.clone();
        let mut out = tokio::task::spawn_blocking(move || tables.dump())
            .await
            .context("the dump of the tables did not end")??;
        for (queue, message) in self.sqs.engine().messages() {
            let attributes = json!(message.attributes);
            out.push((
                format!("queue {queue} message {}", message.id),
                format!(
                    "{} {attributes} {}",
                    message.body,
                    message.group.as_deref().unwrap_or_default()
                ),
            ));
        }
        out.extend(self.buckets.dump()?);
        Ok(out)
    }

    /// Deletes table items and objects that have expired by the calendar now, instead of later.
    ///
    /// # Errors
    /// If a table cannot be read.
    pub async fn sweep_expired(&self) -> Result<usize> {
        let objects = self.buckets.sweep()?;
        let (tables, calendar) = (self.tables.clone(), self.calendar.clone());
        let items = tokio::task::spawn_blocking(move || tables.sweep(&calendar))
            .await
            .context("the sweep of the tables did not end")??;
        Ok(items + objects)
    }

    /// Stops polling, gives running batches a second to end, and closes every port.
    ///
    /// # Errors
    /// If the state cannot be written.
    pub async fn stop(self) -> Result<()> {
        self.stopping.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for mut task in tasks {
            if tokio::time::timeout(Duration::from_secs(3), &mut task)
                .await
                .is_err()
            {
                task.abort();
            }
        }
        self.keys.save()?;
        self.secrets.save()?;
        Ok(())
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
    }
}
