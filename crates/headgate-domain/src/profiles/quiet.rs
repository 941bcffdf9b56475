//! Quiet hours: whether it is night where a person is, and when it will be day.
//!
//! A country with several time zones, or with summer time, is quiet as long as it is quiet by any of
//! its clocks, all year: the widest reading. So no time-zone database is needed, and none goes stale
//! in a way that wakes anybody.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::{DAY, MINUTE, Timestamp};

/// Minutes in a day.
const DAY_MINUTES: i32 = 24 * 60;
/// No clock on Earth is further ahead of UTC, in minutes.
const FURTHEST: i16 = 14 * 60;

/// A minute of the day, written `21:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minute(u16);

/// The text is not a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time of day is written 21:00, from 00:00 to 23:59")]
pub struct InvalidMinute;

impl Minute {
    /// Parses `hh:mm`.
    ///
    /// # Errors
    /// [`InvalidMinute`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidMinute> {
        let two = |t: &str| {
            (t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit()))
                .then(|| t.parse::<u16>().ok())
                .flatten()
        };
        let (hour, minute) = text.split_once(':').ok_or(InvalidMinute)?;
        match (two(hour), two(minute)) {
            (Some(hour @ 0..=23), Some(minute @ 0..=59)) => {
                Ok(Self(hour.saturating_mul(60).saturating_add(minute)))
            }
            _ => Err(InvalidMinute),
        }
    }
}

impl std::fmt::Display for Minute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:02}:{:02}",
            self.0.div_euclid(60),
            self.0.rem_euclid(60)
        )
    }
}

impl Serialize for Minute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Minute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// How far the clocks of a country are ahead of UTC: the least and the greatest, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    least: i16,
    greatest: i16,
}

impl Offsets {
    /// All clocks there are.
    pub const EVERYWHERE: Self = Self {
        least: -12 * 60,
        greatest: FURTHEST,
    };

    /// The offsets from `least` to `greatest`; `None` when no country can have them.
    pub fn between(least: i16, greatest: i16) -> Option<Self> {
        (least <= greatest && least >= Self::EVERYWHERE.least && greatest <= FURTHEST)
            .then_some(Self { least, greatest })
    }
}

/// From one minute of the day until another, the next day if that is earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    start: Minute,
    end: Minute,
}

impl std::fmt::Display for Hours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.start, self.end)
    }
}

impl Hours {
    /// The hours from `start` until `end`.
    pub const fn new(start: Minute, end: Minute) -> Self {
        Self { start, end }
    }

    /// When they end that hold at `t` by any clock of `offsets`; `None` when they do not hold.
    fn ends(self, t: Timestamp, offsets: Offsets) -> Option<Timestamp> {
        let (start, end) = (i32::from(self.start.0), i32::from(self.end.0));
        let local = end.saturating_sub(start).rem_euclid(DAY_MINUTES);
        let spread = i32::from(offsets.greatest).saturating_sub(i32::from(offsets.least));
        // The clock that is furthest ahead starts the night, the one furthest behind ends it.
        let length = local.saturating_add(spread);
        let from = start.saturating_sub(i32::from(offsets.greatest));
        let since = t
            .millis()
            .saturating_sub(i64::from(from).saturating_mul(MINUTE))
            .rem_euclid(DAY);
        let left = i64::from(length)
            .saturating_mul(MINUTE)
            .saturating_sub(since);
        (left > 0).then(|| t.plus_millis(left))
    }
}

/// The first moment from `t` on that is in none of the hours; `None` when there is no such moment on any day.
pub fn free_from(t: Timestamp, hours: &[(Hours, Offsets)]) -> Option<Timestamp> {
    let mut free = t;
    while let Some(end) = hours.iter().find_map(|(h, offsets)| h.ends(free, *offsets)) {
        free = end;
        // The day repeats itself: what is not free within one is never free.
        if free.millis_since(t) >= DAY {
            return None;
        }
    }
    Some(free)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        reason = "tests may fail loudly"
    )]
    use super::*;
    use crate::time::HOUR;

    fn hours(start: &str, end: &str) -> Hours {
        Hours::new(Minute::parse(start).unwrap(), Minute::parse(end).unwrap())
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn zone(least: i16, greatest: i16) -> Offsets {
        Offsets::between(least, greatest).unwrap()
    }

    #[test]
    fn a_night_starts_and_ends_by_the_clock_on_the_wall() {
        let night = [(hours("21:00", "09:00"), zone(330, 330))];
        let free = |t: &str| free_from(at(t), &night).unwrap().to_string();
        assert_eq!(free("2026-11-22T15:29:59Z"), "2026-11-22T15:29:59.000Z");
        assert_eq!(free("2026-11-22T15:30:00Z"), "2026-11-23T03:30:00.000Z");
        assert_eq!(free("2026-11-23T03:29:59Z"), "2026-11-23T03:30:00.000Z");
        assert_eq!(free("2026-11-23T03:30:00Z"), "2026-11-23T03:30:00.000Z");
    }

    #[test]
    fn a_country_with_several_clocks_is_quiet_while_any_of_them_is() {
        let night = [(hours("21:00", "08:00"), zone(-600, -240))];
        let free = |t: &str| free_from(at(t), &night).unwrap().to_string();
        // 21:00 in the east is 01:00 UTC; 08:00 in the west is 18:00 UTC.
        assert_eq!(free("2026-11-22T00:59:00Z"), "2026-11-22T00:59:00.000Z");
        assert_eq!(free("2026-11-22T01:00:00Z"), "2026-11-22T18:00:00.000Z");
        assert_eq!(free("2026-11-22T17:59:00Z"), "2026-11-22T18:00:00.000Z");
    }

    #[test]
    fn hours_that_touch_are_one_night_and_hours_without_an_end_never_end() {
        let both = [
            (hours("20:00", "23:00"), zone(0, 0)),
            (hours("22:00", "06:00"), zone(0, 0)),
        ];
        assert_eq!(
            free_from(at("2026-11-22T21:00:00Z"), &both),
            Some(at("2026-11-23T06:00:00Z"))
        );
        let always = [(hours("21:00", "08:00"), Offsets::EVERYWHERE)];
        let whole = [
            (hours("00:00", "12:00"), zone(0, 0)),
            (hours("12:00", "00:00"), zone(0, 0)),
        ];
        for hour in 0..24 {
            let t = at("2026-11-22T00:00:00Z").plus_millis(hour * HOUR);
            assert_eq!(free_from(t, &always), None);
            assert_eq!(free_from(t, &whole), None);
            assert_eq!(free_from(t, &[]), Some(t));
        }
    }

    #[test]
    fn what_is_free_is_quiet_by_no_clock_of_the_country() {
        for (least, greatest) in [(-600, -240), (120, 720), (0, 60), (330, 330), (-60, 0)] {
            let night = [(hours("21:00", "08:00"), zone(least, greatest))];
            for minute in (0..1440).step_by(7) {
                let t = at("2026-07-01T00:00:00Z").plus_millis(minute * MINUTE);
                let free = free_from(t, &night).unwrap();
                for offset in least..=greatest {
                    let wall = free
                        .plus_millis(i64::from(offset) * MINUTE)
                        .millis()
                        .rem_euclid(DAY)
                        / MINUTE;
                    assert!((480..1260).contains(&wall), "{minute} {offset} {wall}");
                }
            }
        }
    }

    #[test]
    fn a_time_of_day_is_four_digits_and_a_colon() {
        assert_eq!(Minute::parse("00:00").unwrap().to_string(), "00:00");
        assert_eq!(Minute::parse("23:59").unwrap().to_string(), "23:59");
        for bad in ["", "9:00", "24:00", "12:60", "12", "+1:00", "12:00:00"] {
            assert_eq!(Minute::parse(bad), Err(InvalidMinute), "{bad}");
        }
    }
}
