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
    /// Messages from people.
    pub inbound: u64,
    /// What came in each whole second since the start.
    pub per_second: Vec<u32>,
}

/// Width of the window Meta states its limit in.
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Exact: two pointers over every time, no buckets. `times` are since the start, in any order.
pub(crate) fn densest(
    number_id: &str,
    limit: u32,
    mut times: Vec<Duration>,
    inbound: u64,
) -> NumberWindow {
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
    NumberWindow {
        number_id: number_id.to_owned(),
        limit,
        most: u32::try_from(most).unwrap_or(u32::MAX),
        from_ms: millis(from),
        outbound: u64::try_from(times.len())
            .unwrap_or(u64::MAX)
            .saturating_sub(inbound),
        inbound,
        per_second,
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(millis: &[u64]) -> u32 {
        densest(
            "1",
            80,
            millis.iter().copied().map(Duration::from_millis).collect(),
            0,
        )
        .most
    }

    #[test]
    fn a_window_is_sliding_and_open_at_its_end() {
        assert_eq!(most(&[]), 0);
        assert_eq!(most(&[0, 1000]), 1);
        assert_eq!(most(&[0, 999]), 2);
        assert_eq!(most(&[900, 950, 1100, 1800, 1899, 1900]), 5);
    }
}
