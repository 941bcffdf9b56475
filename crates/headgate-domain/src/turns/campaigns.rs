//! The messages of one lane that wait in memory, campaign by campaign.
//!
//! Owns their order: campaigns take turns (deficit round-robin; every message costs one, so a turn is
//! one message), and inside a campaign the order of arrival is kept. What comes back goes to the head.

use std::collections::{BTreeMap, VecDeque};

/// A campaign's name; messages without one take turns as one more campaign.
type Name = Option<String>;

/// A lane's waiting messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Campaigns<T> {
    /// Never an empty queue.
    queues: BTreeMap<Name, VecDeque<T>>,
    /// Every key of `queues` once, the next one first.
    turns: VecDeque<Name>,
    len: usize,
}

impl<T> Default for Campaigns<T> {
    fn default() -> Self {
        Self {
            queues: BTreeMap::new(),
            turns: VecDeque::new(),
            len: 0,
        }
    }
}

impl<T> Campaigns<T> {
    /// Nothing waits.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A new message, behind those of its campaign; a new campaign takes its turn last.
    pub fn push_back(&mut self, campaign: Option<String>, item: T) {
        if let Some(queue) = self.queues.get_mut(&campaign) {
            queue.push_back(item);
        } else {
            self.turns.push_back(campaign.clone());
            self.queues.insert(campaign, VecDeque::from([item]));
        }
        self.len = self.len.saturating_add(1);
    }

    /// A message that comes back: first of its campaign, and its campaign has the next turn.
    /// Several go back last one first.
    pub fn push_front(&mut self, campaign: Option<String>, item: T) {
        if let Some(queue) = self.queues.get_mut(&campaign) {
            queue.push_front(item);
            self.turns.retain(|turn| *turn != campaign);
            self.turns.push_front(campaign);
        } else {
            self.turns.push_front(campaign.clone());
            self.queues.insert(campaign, VecDeque::from([item]));
        }
        self.len = self.len.saturating_add(1);
    }

    /// The message whose turn it is.
    pub fn front(&self) -> Option<&T> {
        self.queues.get(self.turns.front()?)?.front()
    }

    /// Takes the message whose turn it is.
    pub fn pop_front(&mut self) -> Option<T> {
        let campaign = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&campaign)?;
        let item = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&campaign);
        } else {
            self.turns.push_back(campaign);
        }
        self.len = self.len.saturating_sub(1);
        item
    }

    /// The waiting messages, campaign by campaign, each in its order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.queues.values().flatten()
    }

    /// Drops the messages for which `keep` says no; the turns of the others do not change.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.queues.retain(|_, queue| {
            queue.retain(&mut keep);
            !queue.is_empty()
        });
        self.turns.retain(|turn| self.queues.contains_key(turn));
        self.len = self.queues.values().map(VecDeque::len).sum();
    }
}
