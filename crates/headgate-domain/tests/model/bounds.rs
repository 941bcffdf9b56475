//! How large a world is, what may go wrong in it, and what time its holders keep.

use headgate_domain::holder::{NumberSettings, Tuning};
use headgate_domain::lane::Purpose;
use headgate_domain::record::{RecordRef, shard, ulid};
use headgate_domain::time::Timestamp;

use crate::tables::Bug;

pub(crate) const MS_NS: u64 = 1_000_000;
pub(crate) const SECOND_NS: u64 = 1_000 * MS_NS;
pub(crate) const BEGIN: Timestamp = Timestamp::from_seconds(1_795_000_000);
pub(crate) const NUMBERS: [&str; 2] = ["106540352242922", "106540352242923"];

/// What may go wrong, how often, and what is taken away.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// The messages there will be.
    pub(crate) messages: Vec<RecordRef>,
    /// Milliseconds in a step of time.
    pub(crate) step_ms: u32,
    /// Messages a second of each number.
    pub(crate) per_second: u32,
    /// Whether to count what leaves in each second.
    pub(crate) counts: bool,
    /// When the last message comes at the latest, in steps.
    pub(crate) intake_until: u32,
    pub(crate) crashes: u16,
    pub(crate) pauses: u16,
    /// The longest a pause lasts, in steps.
    pub(crate) longest_pause: u32,
    /// Answers of Meta that are not a plain yes.
    pub(crate) troubles: u16,
    /// Calls of tables that do not succeed.
    pub(crate) errors: u16,
    /// Wakes that nobody needed: the schedule's, or a second delivery.
    pub(crate) wakes: u16,
    /// How often a notification arrives.
    pub(crate) arrivals: u8,
    /// Whether every notification first arrives inside the ambiguity timer.
    pub(crate) in_time: bool,
    pub(crate) bug: Bug,
    /// The order in which the two calls of taking a lease are made.
    pub(crate) legacy_first: bool,
    /// Goes on past everything else that must never be.
    pub(crate) only: Option<&'static str>,
    pub(crate) tuning: Tuning,
}

impl Bounds {
    /// The numbers there are messages for.
    pub(crate) fn numbers(&self) -> &'static [&'static str] {
        let both = self.messages.iter().any(|m| m.number == NUMBERS[1]);
        &NUMBERS[..if both { 2 } else { 1 }]
    }
}

pub(crate) fn settings(id: &str, bounds: &Bounds) -> NumberSettings {
    NumberSettings {
        id: id.to_owned(),
        per_second: bounds.per_second,
        guard_permille: None,
    }
}

/// Times of the shipped holder in steps of a second; what only costs calls is as rare as it may be.
pub(crate) fn tuning(lane: Purpose) -> Tuning {
    const NEVER: u64 = 100_000 * SECOND_NS;
    let is_code = lane == Purpose::Authentication;
    Tuning {
        look_every: SECOND_NS,
        look_for_release_every: SECOND_NS,
        stand_by: 5 * SECOND_NS,
        poll_authentication: if is_code { SECOND_NS } else { NEVER },
        poll: if is_code { NEVER } else { SECOND_NS },
        poll_unused: NEVER,
        look_back_authentication: SECOND_NS,
        look_back: SECOND_NS,
        due_every: SECOND_NS,
        controls_every: NEVER,
        checkpoint_every: 60 * SECOND_NS,
        quiet: SECOND_NS,
        after_error: SECOND_NS,
        slots: 2,
        block: 1,
        ..Tuning::default()
    }
}

/// A message in a lane of a number.
pub(crate) fn message(index: u8, number: usize, lane: Purpose, per_second: u32) -> RecordRef {
    RecordRef {
        number: NUMBERS[number].to_owned(),
        lane,
        shard: shard(lane, per_second, None, 0),
        ulid: ulid(BEGIN, [index + 1; 10]),
    }
}
