//! The calendar as the process sees it.
//!
//! Owns the one call to the system clock. Rules take `now` as a parameter; whoever calls a rule
//! holds a [`Clock`]. Pacing needs a monotonic clock and takes its own.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use headgate_domain::time::Timestamp;

/// A source of calendar time; a demo turns it forward, a test sets it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The clock of the machine.
pub fn system_clock() -> Clock {
    Arc::new(system_now)
}

/// The time of the machine now.
#[expect(
    clippy::disallowed_methods,
    reason = "the one home of the system clock"
)]
pub(crate) fn system_now() -> Timestamp {
    // A clock before 1970 is a broken machine; the epoch makes everything expired, which is the
    // side to err on.
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_has_passed_the_year_this_was_written() {
        let written = Timestamp::from_seconds(1_767_225_600);
        assert!(system_clock()() > written);
    }
}
