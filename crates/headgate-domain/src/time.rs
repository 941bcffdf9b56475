//! Moments on the calendar: milliseconds since the Unix epoch, RFC 3339 in JSON.
//!
//! Owns the one representation of a calendar time. Does not read a clock: whoever calls a rule
//! says what time it is. Pacing uses the holder's monotonic clock instead (`pacing`).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

/// One second in milliseconds.
pub const SECOND: i64 = 1_000;
/// One minute in milliseconds.
pub const MINUTE: i64 = 60 * SECOND;
/// One hour in milliseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// One day in milliseconds.
pub const DAY: i64 = 24 * HOUR;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 time with an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time such as 2026-11-22T10:00:00Z")]
pub struct InvalidTime;

impl Timestamp {
    /// The moment `ms` milliseconds after the epoch.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// The moment `seconds` after the epoch, as Meta's notifications give it.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, for TTL attributes.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// This moment moved by `ms` milliseconds, saturating.
    #[must_use]
    pub const fn plus_millis(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment; negative when `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Time until `later`, zero when it has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.millis_since(self)).unwrap_or(0))
    }

    /// Parses RFC 3339 with an offset.
    ///
    /// # Errors
    /// [`InvalidTime`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidTime> {
        // The parser below takes any character between date and time; the schemas promise a T.
        if !matches!(text.as_bytes().get(10), Some(b'T' | b't')) {
            return Err(InvalidTime);
        }
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_parse| InvalidTime)?;
        let ms = parsed.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(ms).map(Self).map_err(|_range| InvalidTime)
    }

    /// The UTC day this moment falls on.
    pub fn day(self) -> Day {
        Day(self.0.div_euclid(DAY))
    }

    fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0).saturating_mul(1_000_000))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .to_offset(UtcOffset::UTC)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        f.write_str(&self.date_time().format(&form).map_err(|_form| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl Timestamp {
    /// The same time so many months later, on the same day or the last of a month that is shorter.
    #[must_use]
    pub fn plus_months(self, months: u16) -> Self {
        let from = self.date_time();
        let count =
            i32::from(u8::from(from.month()).saturating_sub(1)).saturating_add(months.into());
        let year = from.year().saturating_add(count.div_euclid(12));
        let month = u8::try_from(count.rem_euclid(12).saturating_add(1)).unwrap_or(12);
        let month = time::Month::try_from(month).unwrap_or(time::Month::December);
        let day = from.day().min(month.length(year));
        let date = Date::from_calendar_date(year, month, day);
        date.map_or(self, |date| {
            let midnight = Self::from_seconds(date.midnight().assume_utc().unix_timestamp());
            midnight.plus_millis(self.0.rem_euclid(DAY))
        })
    }
}

/// A UTC calendar day, the unit in which content becomes unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    /// The first moment of the day.
    pub const fn start(self) -> Timestamp {
        Timestamp(self.0.saturating_mul(DAY))
    }

    /// The day `days` later, or earlier when negative.
    #[must_use]
    pub const fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Whether it is one from Monday to Friday.
    pub const fn is_business_day(self) -> bool {
        // The first day of all was a Thursday.
        self.0.saturating_add(3).rem_euclid(7) < 5
    }

    /// Parses `yyyy-mm-dd`.
    ///
    /// # Errors
    /// [`InvalidTime`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidTime> {
        let date = Date::parse(text, format_description!("[year]-[month]-[day]"))
            .map_err(|_parse| InvalidTime)?;
        Ok(Timestamp::from_seconds(date.midnight().assume_utc().unix_timestamp()).day())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = format_description!("[year]-[month]-[day]");
        f.write_str(
            &self
                .start()
                .date_time()
                .format(&form)
                .map_err(|_form| fmt::Error)?,
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn times_survive_json_and_keep_milliseconds() {
        let t = Timestamp::parse("2026-11-22T18:00:00.250+08:00").unwrap();
        assert_eq!(t.to_string(), "2026-11-22T10:00:00.250Z");
        assert_eq!(Timestamp::parse(&t.to_string()), Ok(t));
    }

    #[test]
    fn a_day_starts_at_midnight_utc_and_knows_its_neighbours() {
        let day = Timestamp::parse("2026-03-01T23:59:59.999Z").unwrap().day();
        assert_eq!(day.to_string(), "2026-03-01");
        assert_eq!(day.plus(-1).to_string(), "2026-02-28");
        assert_eq!(Day::parse("2026-03-01"), Ok(day));
        assert_eq!(day.start().to_string(), "2026-03-01T00:00:00.000Z");
    }

    #[test]
    fn words_are_not_times() {
        for bad in [
            "",
            "now",
            "2026-11-22",
            "2026-11-22T10:00:00",
            "2026-11-22 10:00:00Z",
            "9999999999",
        ] {
            assert_eq!(Timestamp::parse(bad), Err(InvalidTime), "{bad}");
        }
    }
}
