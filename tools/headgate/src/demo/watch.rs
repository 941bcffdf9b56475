//! The app's side of the demo: reads `app-events` as it comes and remembers when.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result};
use headgate_aws::queue::Reader;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Pollers beside each other: one would wait for its own deletes.
const POLLERS: usize = 3;

/// What the app was told so far.
#[derive(Default)]
pub(super) struct Told {
    seen: HashSet<String>,
    /// Public id → the app's id and the person's subject, of accepted messages.
    pub(super) accepted: HashMap<String, (String, String)>,
    /// Refusal code → how many.
    pub(super) refused: BTreeMap<String, u64>,
    /// Public id → detail types of its events.
    pub(super) types: HashMap<String, BTreeSet<String>>,
    /// Public id → why it was cancelled.
    pub(super) cancelled: HashMap<String, String>,
    /// Subject and purpose → when the app was told that they opted out.
    pub(super) opted_out: HashMap<(String, String), Instant>,
    /// Opt-ins that took effect.
    pub(super) opted_in: u64,
    /// References of what people wrote.
    pub(super) inbound: Vec<String>,
    /// Events of types the demo does not expect.
    pub(super) unexpected: BTreeMap<String, u64>,
    /// Events, repetitions left out.
    pub(super) events: u64,
}

impl Told {
    /// How many messages of apps were accepted; Headgate's own answers are accepted, too.
    pub(super) fn of_apps(&self) -> usize {
        let own = |id: &str| id.starts_with(headgate_domain::system::SCOPE);
        self.accepted.values().filter(|(id, _)| !own(id)).count()
    }

    /// Whether a message has come to an end the app can rely on.
    pub(super) fn has_ended(&self, message_id: &str) -> bool {
        const ENDS: [&str; 6] = [
            "delivered",
            "read",
            "played",
            "failed",
            "cancelled",
            "unknown",
        ];
        self.types
            .get(message_id)
            .is_some_and(|types| types.iter().any(|t| ENDS.contains(&t.as_str())))
    }

    /// How many messages reached their person.
    pub(super) fn delivered(&self) -> usize {
        self.types
            .values()
            .filter(|types| {
                ["delivered", "read", "played"]
                    .iter()
                    .any(|t| types.contains(*t))
            })
            .count()
    }

    fn take(&mut self, event: &Value, at: Instant) {
        let text = |pointer: &str| {
            event
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        if !self.seen.insert(text("/event_id")) {
            return;
        }
        self.events += 1;
        let kind = text("/type");
        let message_id = text("/message_id");
        if let Some(status) = kind
            .strip_prefix("message.")
            .filter(|_| !message_id.is_empty())
        {
            self.types
                .entry(message_id.clone())
                .or_default()
                .insert(status.to_owned());
        }
        match kind.as_str() {
            "message.accepted" => {
                self.accepted
                    .insert(message_id, (text("/id"), text("/subject")));
            }
            "message.refused" => *self.refused.entry(text("/data/code")).or_default() += 1,
            "message.cancelled" => {
                let why = event
                    .pointer("/data/reason")
                    .or_else(|| event.pointer("/data/code"))
                    .and_then(Value::as_str);
                self.cancelled
                    .insert(message_id, why.unwrap_or_default().to_owned());
            }
            "subject.opted_in" => self.opted_in += 1,
            "subject.opted_out" => {
                self.opted_out
                    .entry((text("/subject"), text("/data/purpose")))
                    .or_insert(at);
            }
            "inbound.message" => self.inbound.push(text("/data/message_ref")),
            "message.sent" | "message.delivered" | "message.read" | "message.played"
            | "subject.changed" => {}
            _ => *self.unexpected.entry(kind).or_default() += 1,
        }
    }
}

/// A running reader of `app-events`.
pub(super) struct Watcher {
    told: Arc<Mutex<Told>>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<Result<()>>>,
}

impl Watcher {
    /// Starts to read.
    pub(super) fn start(reader: &Reader) -> Self {
        let told = Arc::new(Mutex::new(Told::default()));
        let (stop, stopped) = watch::channel(false);
        let tasks = (0..POLLERS)
            .map(|_| tokio::spawn(poll(reader.clone(), Arc::clone(&told), stopped.clone())))
            .collect();
        Self { told, stop, tasks }
    }

    /// What was told so far.
    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is left and ends.
    ///
    /// # Errors
    /// When the queue could not be read.
    pub(super) async fn stop(self) -> Result<Told> {
        self.stop.send_replace(true);
        for task in self.tasks {
            task.await.context("reading app-events broke off")??;
        }
        let told = Arc::into_inner(self.told).context("app-events is still being read")?;
        Ok(told.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn poll(reader: Reader, told: Arc<Mutex<Told>>, stop: watch::Receiver<bool>) -> Result<()> {
    loop {
        let stopping = *stop.borrow();
        let received = reader
            .receive(i32::from(!stopping))
            .await
            .context("app-events cannot be read")?;
        let at = Instant::now();
        if received.is_empty() {
            if stopping {
                return Ok(());
            }
            continue;
        }
        {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            for message in &received {
                let event: Value =
                    serde_json::from_str(&message.body).context("an app event is not JSON")?;
                told.take(&event, at);
            }
        }
        reader
            .delete(&received)
            .await
            .context("app events cannot be deleted")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_repeated_event_counts_once_and_an_end_is_an_end() {
        let mut told = Told::default();
        let refused =
            json!({"event_id": "1", "type": "message.refused", "data": {"code": "no_consent"}});
        told.take(&refused, Instant::now());
        told.take(&refused, Instant::now());
        assert_eq!(told.refused.get("no_consent"), Some(&1));
        told.take(
            &json!({"event_id": "2", "type": "message.sent", "message_id": "m"}),
            Instant::now(),
        );
        assert!(!told.has_ended("m"));
        told.take(
            &json!({"event_id": "3", "type": "message.read", "message_id": "m"}),
            Instant::now(),
        );
        assert!(
            told.has_ended("m"),
            "read without delivered: Meta promises no order"
        );
        assert_eq!(told.delivered(), 1);
    }
}
