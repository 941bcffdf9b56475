//! The queues themselves: what is visible, what is in flight, what must move to a dead-letter queue.
//!
//! Promises that every operation is atomic and journaled before it returns. Knows nothing of HTTP.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use tokio::sync::Notify;

use super::journal::{Change, Journal};
use super::types::{Message, QueueSettings, Receipt};

mod upkeep;
use crate::calendar::system_ms;
use crate::counters::QueueCounters;

#[derive(Debug)]
struct Held {
    message: Message,
    visible_at: i64,
    /// Counts receipts: only the newest handle settles.
    receipt: u64,
    in_flight: bool,
}

#[derive(Debug)]
struct Queue {
    settings: QueueSettings,
    held: HashMap<u64, Held>,
    visible: BTreeSet<u64>,
    hidden: BTreeSet<(i64, u64)>,
    arrived: Arc<Notify>,
    counters: QueueCounters,
}

/// How a handle relates to a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Done,
    /// The handle is of an older receive, or the message is gone: nothing happens.
    Stale,
    Malformed,
}

/// All queues.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    queues: BTreeMap<String, Queue>,
    next: u64,
    journal: Option<Journal>,
}

impl Engine {
    pub(crate) fn create(&mut self, name: &str, settings: QueueSettings) {
        self.queues.insert(
            name.to_owned(),
            Queue {
                settings,
                held: HashMap::new(),
                visible: BTreeSet::new(),
                hidden: BTreeSet::new(),
                arrived: Arc::new(Notify::new()),
                counters: QueueCounters::default(),
            },
        );
    }

    /// Takes up the messages of a journal and continues it.
    pub(crate) fn restore(&mut self, path: &Path) -> Result<()> {
        let mut order: Vec<String> = Vec::new();
        let mut live: HashMap<String, (String, Message)> = HashMap::new();
        Journal::read(path, |change| match change {
            Change::Held { queue, message } => {
                order.push(message.id.clone());
                live.insert(message.id.clone(), (queue, *message));
            }
            Change::Received { ids } => {
                for id in ids {
                    if let Some((_, message)) = live.get_mut(&id) {
                        message.received = message.received.saturating_add(1);
                    }
                }
            }
            Change::Gone { id } => {
                live.remove(&id);
            }
        })?;
        for id in order {
            if let Some((queue, message)) = live.remove(&id) {
                self.hold(&queue, message);
            }
        }
        self.journal = Some(Journal::rewrite(path, self.changes())?);
        Ok(())
    }

    fn changes(&self) -> impl Iterator<Item = Change> {
        self.queues.iter().flat_map(|(name, queue)| {
            let order: BTreeSet<&u64> = queue.held.keys().collect();
            order
                .into_iter()
                .filter_map(|seq| queue.held.get(seq))
                .map(|held| Change::Held {
                    queue: name.clone(),
                    message: Box::new(held.message.clone()),
                })
        })
    }

    fn record(&mut self, changes: &[Change]) -> Result<()> {
        let live = self.queues.values().map(|q| q.held.len()).sum();
        let Some(journal) = self.journal.as_mut() else {
            return Ok(());
        };
        journal.append(changes)?;
        if journal.is_mostly_history(live) {
            let path = journal.path().to_owned();
            self.journal = Some(Journal::rewrite(&path, self.changes())?);
        }
        Ok(())
    }

    fn hold(&mut self, queue: &str, message: Message) {
        let Some(queue) = self.queues.get_mut(queue) else {
            return;
        };
        self.next += 1;
        let visible_at = message.not_before;
        if visible_at > system_ms() {
            queue.hidden.insert((visible_at, self.next));
        } else {
            queue.visible.insert(self.next);
        }
        queue.held.insert(
            self.next,
            Held {
                message,
                visible_at,
                receipt: 0,
                in_flight: false,
            },
        );
        queue.arrived.notify_waiters();
    }

    pub(crate) fn settings(&self, queue: &str) -> Option<&QueueSettings> {
        self.queues.get(queue).map(|q| &q.settings)
    }

    pub(crate) fn settings_mut(&mut self, queue: &str) -> Option<&mut QueueSettings> {
        self.queues.get_mut(queue).map(|q| &mut q.settings)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.queues.keys()
    }

    /// Wakes whoever waits for a message of this queue.
    pub(crate) fn arrival(&self, queue: &str) -> Option<Arc<Notify>> {
        self.queues.get(queue).map(|q| Arc::clone(&q.arrived))
    }

    /// Accepts messages into a queue: all of them or, when the journal fails, none.
    pub(crate) fn send(&mut self, queue: &str, messages: Vec<Message>) -> Result<()> {
        if self.journal.is_some() {
            let changes: Vec<Change> = messages
                .iter()
                .map(|m| Change::Held {
                    queue: queue.to_owned(),
                    message: Box::new(m.clone()),
                })
                .collect();
            self.record(&changes)?;
        }
        if let Some(q) = self.queues.get_mut(queue) {
            q.counters.sent += messages.len() as u64;
        }
        for message in messages {
            self.hold(queue, message);
        }
        Ok(())
    }

    /// Receives up to `max` messages; those that were received too often move to the dead-letter queue instead.
    pub(crate) fn receive(
        &mut self,
        queue: &str,
        max: usize,
        visibility_s: Option<i64>,
    ) -> Result<Vec<Receipt>> {
        let now = system_ms();
        self.expire(queue, now)?;
        let mut receipts = Vec::new();
        let mut poisoned = Vec::new();
        let Some(q) = self.queues.get_mut(queue) else {
            return Ok(receipts);
        };
        let hidden_until = now + visibility_s.unwrap_or(q.settings.visibility_s) * 1000;
        while receipts.len() < max {
            let Some(seq) = q.visible.pop_first() else {
                break;
            };
            let too_often = match (q.held.get(&seq), &q.settings.redrive) {
                (Some(held), Some(redrive)) => held.message.received >= redrive.max_receives,
                _ => false,
            };
            if too_often {
                poisoned.push(seq);
                continue;
            }
            let Some(held) = q.held.get_mut(&seq) else {
                continue;
            };
            held.receipt += 1;
            held.in_flight = true;
            held.visible_at = hidden_until;
            held.message.received = held.message.received.saturating_add(1);
            held.message.first_received_at.get_or_insert(now);
            q.hidden.insert((hidden_until, seq));
            q.counters.received += 1;
            if held.message.received > 1 {
                q.counters.redelivered += 1;
            }
            q.counters.highest_receive_count =
                q.counters.highest_receive_count.max(held.message.received);
            receipts.push(Receipt {
                message: held.message.clone(),
                handle: format!("{seq}.{}.{}", held.receipt, held.message.id),
            });
        }
        let target = q.settings.redrive.as_ref().map(|r| r.queue.clone());
        let arn = q.settings.arn.clone();
        for seq in poisoned {
            let Some(mut message) = self.take(queue, seq) else {
                continue;
            };
            message.received = 0;
            message.first_received_at = None;
            message.not_before = now;
            message.moved_from = Some(arn.clone());
            if let Some(q) = self.queues.get_mut(queue) {
                q.counters.moved_to_dead_letter += 1;
            }
            if let Some(target) = &target {
                self.record(&[Change::Held {
                    queue: target.clone(),
                    message: Box::new(message.clone()),
                }])?;
                self.hold(target, message);
            }
        }
        if !receipts.is_empty() && self.journal.is_some() {
            let ids = receipts.iter().map(|r| r.message.id.clone()).collect();
            self.record(&[Change::Received { ids }])?;
        }
        Ok(receipts)
    }

    /// Makes visible what is due and drops what is older than the retention period.
    fn expire(&mut self, queue: &str, now: i64) -> Result<()> {
        let Some(q) = self.queues.get_mut(queue) else {
            return Ok(());
        };
        while let Some(&(at, seq)) = q.hidden.first() {
            if at > now {
                break;
            }
            q.hidden.pop_first();
            q.visible.insert(seq);
            if let Some(held) = q.held.get_mut(&seq) {
                held.in_flight = false;
            }
        }
        let oldest = now - q.settings.retention_s * 1000;
        let expired: Vec<u64> = q
            .visible
            .iter()
            .copied()
            .take_while(|seq| q.held.get(seq).is_some_and(|h| h.message.sent_at < oldest))
            .collect();
        for seq in expired {
            if let Some(message) = self.take(queue, seq) {
                self.record(&[Change::Gone { id: message.id }])?;
            }
        }
        Ok(())
    }

    fn take(&mut self, queue: &str, seq: u64) -> Option<Message> {
        let q = self.queues.get_mut(queue)?;
        let held = q.held.remove(&seq)?;
        q.visible.remove(&seq);
        q.hidden.remove(&(held.visible_at, seq));
        Some(held.message)
    }

    /// When the next hidden message of a queue becomes visible.
    pub(crate) fn next_visible_at(&self, queue: &str) -> Option<i64> {
        self.queues
            .get(queue)
            .and_then(|q| q.hidden.first())
            .map(|(at, _)| *at)
    }

    fn seq_of(&self, queue: &str, handle: &str) -> Result<u64, Settled> {
        let mut parts = handle.splitn(3, '.');
        let mut number = || parts.next().and_then(|p| p.parse::<u64>().ok());
        let (Some(seq), Some(receipt)) = (number(), number()) else {
            return Err(Settled::Malformed);
        };
        let id = parts.next().ok_or(Settled::Malformed)?;
        match self.queues.get(queue).and_then(|q| q.held.get(&seq)) {
            // A handle of before a restart has the id of another message or none: nothing to settle.
            Some(held) if held.receipt == receipt && held.message.id == id => Ok(seq),
            _ => Err(Settled::Stale),
        }
    }

    /// Deletes the message of a receipt handle.
    pub(crate) fn delete(&mut self, queue: &str, handle: &str) -> Result<Settled> {
        let seq = match self.seq_of(queue, handle) {
            Ok(seq) => seq,
            Err(other) => return Ok(other),
        };
        if let Some(message) = self.take(queue, seq) {
            if let Some(q) = self.queues.get_mut(queue) {
                q.counters.deleted += 1;
            }
            if self.journal.is_some() {
                self.record(&[Change::Gone { id: message.id }])?;
            }
        }
        Ok(Settled::Done)
    }

    /// Changes when a received message becomes visible again.
    pub(crate) fn change_visibility(&mut self, queue: &str, handle: &str, seconds: i64) -> Settled {
        let seq = match self.seq_of(queue, handle) {
            Ok(seq) => seq,
            Err(other) => return other,
        };
        let now = system_ms();
        let Some(q) = self.queues.get_mut(queue) else {
            return Settled::Stale;
        };
        let Some(held) = q.held.get_mut(&seq) else {
            return Settled::Stale;
        };
        if !held.in_flight {
            return Settled::Stale;
        }
        q.hidden.remove(&(held.visible_at, seq));
        held.visible_at = now + seconds * 1000;
        if seconds == 0 {
            held.in_flight = false;
            q.visible.insert(seq);
        } else {
            q.hidden.insert((held.visible_at, seq));
        }
        // Also for a later time: whoever waits sleeps until the time it knew.
        q.arrived.notify_waiters();
        Settled::Done
    }
}
