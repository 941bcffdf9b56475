//! What the parts of a running simulator share, and the beat that sends due statuses.

use crate::courier::Courier;
use crate::ledger::{Counters, Ledger, locked};
use crate::options::Options;
use crate::statuses::{Outbox, Update, payload};
use axum::body::Bytes;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Meta's own maximum of updates in one POST.
const UPDATES_A_POST: usize = 1_000;
/// Meta's own maximum of a payload.
const PAYLOAD_BYTES: usize = 3 * 1024 * 1024;

pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) started: Instant,
    /// Differs between runs, so that a restarted simulator never repeats a message id.
    pub(crate) boot: u64,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) outbox: Mutex<Outbox>,
    pub(crate) counters: Arc<Mutex<Counters>>,
    pub(crate) courier: Arc<Courier>,
}

impl World {
    pub(crate) fn new(options: Options) -> anyhow::Result<Self> {
        let counters = Arc::new(Mutex::new(Counters::default()));
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() & u128::from(u64::MAX);
        Ok(Self {
            started: Instant::now(),
            boot: crate::text::mix(u64::try_from(nanos)?),
            ledger: Mutex::new(Ledger::new(options.numbers.len())),
            outbox: Mutex::new(Outbox::default()),
            courier: Arc::new(Courier::new(&options, Arc::clone(&counters))?),
            counters,
            options,
        })
    }

    pub(crate) fn number(&self, id: &str) -> Option<usize> {
        self.options
            .numbers
            .iter()
            .position(|number| number.id == id)
    }

    /// Sends what fell due, for ever.
    pub(crate) async fn beat(self: Arc<Self>) {
        let mut beat =
            tokio::time::interval(Duration::from_millis(self.options.status_batch_ms.max(1)));
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            let due = locked(&self.outbox).due(Instant::now());
            if due.is_empty() {
                continue;
            }
            if self.courier.webhook().is_none() {
                let count = u64::try_from(due.len()).unwrap_or(u64::MAX);
                locked(&self.counters).without_webhook += count;
                self.courier.settle(count);
                continue;
            }
            for updates in due.chunks(UPDATES_A_POST) {
                self.post(updates);
            }
        }
    }

    /// Halves a batch until it fits.
    fn post(self: &Arc<Self>, updates: &[Update]) {
        let count = u64::try_from(updates.len()).unwrap_or(u64::MAX);
        match payload(self, updates) {
            Ok(body) if body.len() > PAYLOAD_BYTES && updates.len() > 1 => {
                let (first, second) = updates.split_at(updates.len() / 2);
                self.post(first);
                self.post(second);
            }
            Ok(body) => {
                locked(&self.counters).statuses += count;
                let courier = Arc::clone(&self.courier);
                tokio::spawn(async move { courier.deliver(Bytes::from(body), count).await });
            }
            Err(_) => {
                locked(&self.counters).lost += 1;
                self.courier.settle(count);
            }
        }
    }
}
