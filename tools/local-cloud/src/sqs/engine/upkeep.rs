//! Looking at queues and clearing them: sizes, purges, moves out of a dead-letter queue.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Change, Engine, Message};
use crate::calendar::system_ms;
use crate::counters::QueueCounters;

impl Engine {
    /// Removes every message of a queue.
    pub(crate) fn purge(&mut self, queue: &str) -> Result<()> {
        let seqs: Vec<u64> = self
            .queues
            .get(queue)
            .into_iter()
            .flat_map(|q| q.held.keys().copied())
            .collect();
        for seq in seqs {
            if let Some(message) = self.take(queue, seq) {
                self.record(&[Change::Gone { id: message.id }])?;
            }
        }
        Ok(())
    }

    /// Moves every visible message of a dead-letter queue back where it came from, or to `target`.
    pub(crate) fn move_all(&mut self, queue: &str, target: Option<&str>) -> Result<u64> {
        let now = system_ms();
        self.expire(queue, now)?;
        let seqs: Vec<u64> = self
            .queues
            .get(queue)
            .into_iter()
            .flat_map(|q| q.visible.iter().copied())
            .collect();
        let mut moved = 0;
        for seq in seqs {
            let home = self
                .queues
                .get(queue)
                .and_then(|q| q.held.get(&seq))
                .and_then(|h| h.message.moved_from.as_deref())
                .and_then(|arn| arn.rsplit(':').next())
                .map(str::to_owned);
            let Some(to) = target.map(str::to_owned).or(home) else {
                continue;
            };
            if !self.queues.contains_key(&to) {
                continue;
            }
            let Some(mut message) = self.take(queue, seq) else {
                continue;
            };
            message.received = 0;
            message.first_received_at = None;
            message.moved_from = None;
            self.record(&[Change::Held {
                queue: to.clone(),
                message: Box::new(message.clone()),
            }])?;
            self.hold(&to, message);
            moved += 1;
        }
        Ok(moved)
    }

    /// Visible, in flight and delayed messages of a queue.
    pub(crate) fn sizes(&mut self, queue: &str) -> Result<(usize, usize, usize)> {
        self.expire(queue, system_ms())?;
        let Some(q) = self.queues.get(queue) else {
            return Ok((0, 0, 0));
        };
        let in_flight = q.held.values().filter(|h| h.in_flight).count();
        Ok((q.visible.len(), in_flight, q.hidden.len() - in_flight))
    }

    /// Whether a queue holds nothing visible and nothing in flight.
    pub(crate) fn is_quiet(&mut self, queue: &str) -> Result<bool> {
        self.expire(queue, system_ms())?;
        Ok(self
            .queues
            .get(queue)
            .is_none_or(|q| q.visible.is_empty() && !q.held.values().any(|h| h.in_flight)))
    }

    /// Every message of every queue.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (&str, &Message)> {
        self.queues
            .iter()
            .flat_map(|(name, q)| q.held.values().map(move |h| (name.as_str(), &h.message)))
    }

    pub(crate) fn counters(&self) -> BTreeMap<String, QueueCounters> {
        self.queues
            .iter()
            .map(|(name, q)| (name.clone(), q.counters.clone()))
            .collect()
    }
}
