//! Reports: what became of the messages of a day, by template, with every small number held back.
//!
//! Owns what may be told. A row is the messages of one day and one template; its cells are what became of them and add
//! up to it. A row of fewer than ten messages tells that it is there and nothing else. In any other, cells from one to
//! nine are held back, and with them the smallest of the others, all of that size: what is missing to the total is then
//! never one cell alone. A cell that is held back does not say which of the two it is: with both known, 11 missing
//! messages would be 1 and 10. No row or day is added to another, so that no sum tells what a row does not. The tests
//! prove on every small table that each cell held back could be another.
//!
//! It holds for what is told once: whoever saw a day before and after one more status came would see that one. So a day
//! is counted once, when it has settled, and what was told of it then is what is told of it ever after (docs/reports.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::outbound::has_digit_run;
use crate::record::State;
use crate::retention::due;
use crate::time::{Day, Timestamp};

#[cfg(test)]
mod tests;

/// Fewer messages than this are not told.
pub const LEAST: u64 = 10;
/// For how many whole days after it a day is left alone: most statuses come within them.
pub const SETTLING_DAYS: i64 = 2;
/// For how many days after it what was told of a day is kept.
pub const KEEP_DAYS: i64 = 731;
/// What stands for names that are not told.
pub const UNNAMED: &str = "?";
/// A name of Meta's has no more characters.
const LONGEST_NAME: usize = 512;
/// So many digits in a row may be a number of somebody's.
const DIGITS_OF_A_PERSON: usize = 7;

/// What became of a message: its state, as far as a report tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It waits, or nobody knows yet whether it left.
    Waiting,
    /// Meta took it and has said nothing more, or holds it back for a check.
    Accepted,
    /// Meta sent it.
    Sent,
    /// It reached a device.
    Delivered,
    /// It was opened, or played.
    Read,
    /// Meta said no, now or later.
    Failed,
    /// It was stopped before it left.
    Cancelled,
    /// Whether it left was never known.
    Unknown,
}

/// Every outcome, in the order of a row.
pub const OUTCOMES: [Outcome; 8] = [
    Outcome::Waiting,
    Outcome::Accepted,
    Outcome::Sent,
    Outcome::Delivered,
    Outcome::Read,
    Outcome::Failed,
    Outcome::Cancelled,
    Outcome::Unknown,
];

// Ten cells could be one each in a row of ten, and nothing else.
const _: () = assert!((OUTCOMES.len() as u64) < LEAST);

impl Outcome {
    /// What a state counts as.
    pub const fn of(state: State) -> Self {
        match state {
            State::Queued | State::Scheduled | State::Ambiguous => Self::Waiting,
            State::Accepted | State::Held => Self::Accepted,
            State::Sent => Self::Sent,
            State::Delivered => Self::Delivered,
            State::Read | State::Played => Self::Read,
            State::Failed => Self::Failed,
            State::Cancelled => Self::Cancelled,
            State::Unknown => Self::Unknown,
        }
    }

    /// The word programs match on.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    fn place(self) -> usize {
        let place = OUTCOMES.iter().position(|outcome| *outcome == self);
        place.unwrap_or_default()
    }
}

/// What is counted of one day, before anything is held back.
///
/// # Privacy
/// Is told to nobody: it has no `Serialize`, and what may be told is [`Tally::publish`]'s.
#[derive(Clone, Default)]
pub struct Tally {
    rows: BTreeMap<Option<String>, [u64; OUTCOMES.len()]>,
}

impl Tally {
    /// Counts a message of a template, or of none.
    pub fn add(&mut self, template: Option<&str>, state: State) {
        let row = self.rows.entry(template.map(told_name)).or_default();
        if let Some(count) = row.get_mut(Outcome::of(state).place()) {
            *count = count.saturating_add(1);
        }
    }

    /// What may be told of the day, for ever.
    pub fn publish(&self, counted_at: Timestamp) -> DayReport {
        let rows = self.rows.iter().map(|(template, counts)| {
            let (messages, outcomes) = hold_back(counts);
            Row {
                template: template.clone(),
                messages,
                outcomes,
            }
        });
        DayReport {
            counted_at,
            rows: rows.collect(),
        }
    }
}

/// What is told of one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayReport {
    /// When it was counted.
    pub counted_at: Timestamp,
    /// A row for each template of which there was a message.
    pub rows: Vec<Row>,
}

/// What is told of a day and a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name; [`UNNAMED`] for those that are not told, none for messages without a template.
    pub template: Option<String>,
    /// How many messages; absent when fewer than [`LEAST`].
    pub messages: Option<u64>,
    /// What became of them, in the order of [`OUTCOMES`]; absent where it is held back.
    pub outcomes: [Option<u64>; OUTCOMES.len()],
}

/// When a day has settled and is counted.
pub const fn settled_at(day: Day) -> Timestamp {
    day.plus(SETTLING_DAYS.saturating_add(1)).start()
}

/// The last day that has settled.
pub fn last_settled(now: Timestamp) -> Day {
    now.day().plus((-1_i64).saturating_sub(SETTLING_DAYS))
}

/// Whether the messages of a day are still all there to be counted: their rows go when its key does.
pub fn is_countable(day: Day, now: Timestamp) -> bool {
    settled_at(day) <= now && now < due(day)
}

/// Until when what was told of a day is kept.
pub const fn kept_until(day: Day) -> Timestamp {
    day.plus(KEEP_DAYS).start()
}

/// The total of a row and its cells, as far as they are told.
fn hold_back<const N: usize>(counts: &[u64; N]) -> (Option<u64>, [Option<u64>; N]) {
    let total = counts
        .iter()
        .fold(0_u64, |all, count| all.saturating_add(*count));
    if total < LEAST {
        return (None, [None; N]);
    }
    let is_small = |count: &u64| (1..LEAST).contains(count);
    let held = if counts.iter().any(is_small) {
        // Without one that is larger, the small ones are what the whole row is made of.
        let others = counts.iter().copied().filter(|count| *count >= LEAST);
        others.min().unwrap_or(LEAST)
    } else {
        0
    };
    let told = counts.map(|count| Some(count).filter(|count| *count == 0 || *count > held));
    (Some(total), told)
}

/// The name of a template as it is told: names of Meta's are made of these characters, and one may still be a number.
fn told_name(name: &str) -> String {
    let is_of_meta = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let name = if is_of_meta && !has_digit_run(name, DIGITS_OF_A_PERSON) {
        name
    } else {
        UNNAMED
    };
    name.to_owned()
}
