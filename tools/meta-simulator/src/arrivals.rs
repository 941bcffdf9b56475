//! The record of what came over the wire, and the densest second in it.
//!
//! The report counts every arrival that counts for throughput, those refused for throughput too:
//! a limiter that measured only what it let through would always find itself obeyed.

use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One request to a messages endpoint. Has no `Debug`: it is personal data.
#[derive(Clone)]
pub struct Arrival {
    /// When its head had been read.
    pub at: Instant,
    /// The same, in milliseconds since the simulator started, on the monotonic clock.
    pub at_ms: u64,
    /// Phone number id of the path.
    pub number_id: String,
    /// `to` or `recipient` as written; empty when there was none.
    pub recipient: String,
    /// Type of the message; `read` for a mark as read, empty when unreadable.
    pub message_type: String,
    /// Name of the template.
    pub template: Option<String>,
    /// `biz_opaque_callback_data`.
    pub opaque: Option<String>,
    /// Whether the simulator took the message on, whatever it answered.
    pub accepted: bool,
    /// Code of the refusal or of the fault answered with.
    pub code: Option<u32>,
    /// Whether it counts for throughput.
    pub counted: bool,
}

/// What is kept of an arrival: shared where values repeat, since a long run keeps all of them.
pub(crate) struct Kept {
    pub(crate) at: Instant,
    pub(crate) number_id: Arc<str>,
    pub(crate) recipient: Box<str>,
    pub(crate) message_type: Arc<str>,
    pub(crate) template: Option<Arc<str>>,
    pub(crate) opaque: Option<Box<str>>,
    pub(crate) accepted: bool,
    pub(crate) code: Option<u32>,
    pub(crate) counted: bool,
}

impl Kept {
    pub(crate) fn reveal(&self, started: Instant) -> Arrival {
        Arrival {
            at: self.at,
            at_ms: millis(self.at.saturating_duration_since(started)),
            number_id: self.number_id.to_string(),
            recipient: self.recipient.to_string(),
            message_type: self.message_type.to_string(),
            template: self.template.as_deref().map(str::to_owned),
            opaque: self.opaque.as_deref().map(str::to_owned),
            accepted: self.accepted,
            code: self.code,
            counted: self.counted,
        }
    }
}

/// The densest second of each number.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WindowReport {
    /// One entry for each number the simulator was started with, in that order.
    pub numbers: Vec<NumberWindow>,
}

impl WindowReport {
    /// The most that any number saw in any sliding second.
    pub fn most(&self) -> u32 {
        self.numbers
            .iter()
            .map(|number| number.most)
            .max()
            .unwrap_or(0)
    }

    /// Whether no number ever saw more in a second than it may.
    pub fn within_limits(&self) -> bool {
        self.numbers
            .iter()
            .all(|number| number.most <= number.limit)
    }
}

/// The densest second of one number, messages in both directions together.
#[derive(Clone, Debug, Serialize)]
pub struct NumberWindow {
    /// Phone number id.
    pub number_id: String,
    /// What the number may do in a second.
    pub limit: u32,
    /// The most in any window of one second, open at its end.
    pub most: u32,
    /// Where that window begins, in milliseconds since the start.
    pub from_ms: u64,
    /// Requests that counted.
    pub outbound: u64,
    /// Of those, how many were refused with 130429.
    pub refused: u64,
    /// Messages from people.
    pub inbound: u64,
    /// What was let through, in both directions, as a part of what the number may do: over the time
    /// that was asked for, or else from the first to the last of them.
    pub utilisation: f64,
    /// What came in each whole second since the start.
    pub per_second: Vec<u32>,
}

/// Width of the window Meta states its limit in.
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What counted for one number.
pub(crate) struct Times {
    /// Since the start, in any order.
    pub(crate) at: Vec<Duration>,
    /// How many of them were people's messages.
    pub(crate) inbound: u64,
    /// How many of them were refused for throughput.
    pub(crate) refused: u64,
}

/// Exact: two pointers over every time, no buckets.
pub(crate) fn densest(
    number_id: &str,
    limit: u32,
    times: Times,
    whole: Option<Duration>,
) -> NumberWindow {
    let Times {
        at: mut times,
        inbound,
        refused,
    } = times;
    times.sort_unstable();
    let (mut most, mut from, mut left) = (0, Duration::ZERO, 0);
    let mut per_second: Vec<u32> = Vec::new();
    for (right, time) in times.iter().enumerate() {
        while time.saturating_sub(times[left]) >= SECOND {
            left += 1;
        }
        let inside = right - left + 1;
        if inside > most {
            (most, from) = (inside, times[left]);
        }
        let second = usize::try_from(time.as_secs()).unwrap_or(usize::MAX);
        if per_second.len() <= second {
            per_second.resize(second + 1, 0);
        }
        per_second[second] += 1;
    }
    let count = u64::try_from(times.len()).unwrap_or(u64::MAX);
    NumberWindow {
        number_id: number_id.to_owned(),
        limit,
        utilisation: utilisation(&times, count.saturating_sub(refused), limit, whole),
        most: u32::try_from(most).unwrap_or(u32::MAX),
        from_ms: millis(from),
        outbound: count.saturating_sub(inbound),
        refused,
        inbound,
        per_second,
    }
}

/// `times` are in order. From the first to the last of n there are n - 1 intervals.
fn utilisation(times: &[Duration], let_through: u64, limit: u32, whole: Option<Duration>) -> f64 {
    let between = || match times {
        [first, .., last] => last.saturating_sub(*first),
        _ => Duration::ZERO,
    };
    let (intervals, span) = match whole {
        Some(whole) => (let_through, whole),
        None => (let_through.saturating_sub(1), between()),
    };
    let possible = f64::from(limit) * span.as_secs_f64();
    if possible <= 0.0 {
        return 0.0;
    }
    f64::from(u32::try_from(intervals).unwrap_or(u32::MAX)) / possible
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(millis: &[u64], refused: u64, whole: Option<Duration>) -> NumberWindow {
        let times = Times {
            at: millis.iter().copied().map(Duration::from_millis).collect(),
            inbound: 0,
            refused,
        };
        densest("1", 80, times, whole)
    }

    fn most(millis: &[u64]) -> u32 {
        report(millis, 0, None).most
    }

    #[test]
    fn a_window_is_sliding_and_open_at_its_end() {
        assert_eq!(most(&[]), 0);
        assert_eq!(most(&[0, 1000]), 1);
        assert_eq!(most(&[0, 999]), 2);
        assert_eq!(most(&[900, 950, 1100, 1800, 1899, 1900]), 5);
    }

    #[test]
    fn utilisation_counts_what_was_let_through_against_what_could_have_been() {
        let used = |millis: &[u64], refused, whole| {
            format!("{:.6}", report(millis, refused, whole).utilisation)
        };
        // Eighty intervals in a second is everything there is.
        let full: Vec<u64> = (0..=80).map(|slot| slot * 25 / 2).collect();
        assert_eq!(used(&full, 0, None), "1.000000");
        assert_eq!(used(&full, 40, None), "0.500000");
        assert_eq!(used(&full[..40], 0, Some(SECOND)), "0.500000");
        assert_eq!(used(&[], 0, None), "0.000000");
        assert_eq!(used(&[7], 0, None), "0.000000");
    }
}
