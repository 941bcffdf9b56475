//! The calendar: system time plus an offset that tests and the demo can move forward.
//!
//! Promises that it never goes backwards by itself and that all clones see the same offset.
//! Deliberately does not stop or stretch time: work that paces itself runs in real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const DAY_MS: i64 = 86_400_000;
const MORNING_MS: i64 = 9 * 3_600_000;

/// System time plus a shared offset in milliseconds.
#[derive(Clone, Debug)]
pub struct Calendar {
    offset_ms: Arc<AtomicI64>,
}

impl Calendar {
    /// The calendar that agrees with the system clock.
    pub fn system() -> Self {
        Self {
            offset_ms: Arc::new(AtomicI64::new(0)),
        }
    }

    /// A calendar that reads today's 09:00:00 UTC now, whatever the time of day is.
    pub fn at_fixed_morning() -> Self {
        let now = system_ms();
        let morning = now - now.rem_euclid(DAY_MS) + MORNING_MS;
        Self {
            offset_ms: Arc::new(AtomicI64::new(morning - now)),
        }
    }

    /// The time of the calendar, in epoch milliseconds.
    pub fn now_ms(&self) -> i64 {
        system_ms().saturating_add(self.offset_ms())
    }

    /// How far the calendar is from the system clock, in milliseconds.
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::SeqCst)
    }

    /// Sets the distance from the system clock: a calendar that was saved continues where it stood.
    pub fn set_offset_ms(&self, offset: i64) {
        self.offset_ms.store(offset, Ordering::SeqCst);
    }

    /// Moves the calendar forward so that it reads at least `at_ms`; never backwards.
    pub(crate) fn move_to(&self, at_ms: i64) {
        let missing = at_ms.saturating_sub(self.now_ms());
        if missing > 0 {
            self.offset_ms.fetch_add(missing, Ordering::SeqCst);
        }
    }
}

/// Epoch milliseconds of the system clock.
pub(crate) fn system_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_millis()).ok())
        .unwrap_or_default()
}

/// Splits epoch milliseconds into a date and time in UTC.
pub(crate) fn utc(at_ms: i64) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at_ms.div_euclid(1000))
        .context("the time is outside of the calendar")
}

/// `2026-11-22T09:00:00Z`, the form of EventBridge times.
pub(crate) fn rfc3339(at_ms: i64) -> Result<String> {
    utc(at_ms)?
        .format(&Rfc3339)
        .context("the time cannot be written")
}

#[cfg(test)]
mod tests {
    use super::Calendar;

    #[test]
    fn a_fixed_morning_starts_at_nine() {
        let now = Calendar::at_fixed_morning().now_ms();
        assert!(now.rem_euclid(86_400_000) - 9 * 3_600_000 < 5_000);
    }

    #[test]
    fn clones_share_the_offset_and_never_go_back() {
        let a = Calendar::system();
        let b = a.clone();
        let later = a.now_ms() + 3_600_000;
        a.move_to(later);
        assert!(b.now_ms() >= later);
        b.move_to(0);
        assert!(a.now_ms() >= later);
    }
}
