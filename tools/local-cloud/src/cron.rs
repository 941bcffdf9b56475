//! Schedule expressions: `rate(…)` and `cron(…)` of EventBridge, in UTC.
//!
//! Promises that occurrences follow from the expression alone: a rate counts from midnight of 1970, so that a restart
//! or a test sees the same times. Deliberately has no `L`, `W` and `#`.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use time::{Date, Duration, Month};

use crate::calendar::utc;

const MINUTE_MS: i64 = 60_000;

/// A parsed schedule expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    Rate { period_ms: i64 },
    Cron(Box<Cron>),
}

/// The fields of a cron expression, as sets of allowed values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cron {
    minutes: BTreeSet<u16>,
    hours: BTreeSet<u16>,
    days: BTreeSet<u16>,
    months: BTreeSet<u16>,
    weekdays: BTreeSet<u16>,
    years: BTreeSet<u16>,
}

impl Expression {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let inner = |name: &str| {
            text.trim()
                .strip_prefix(name)
                .and_then(|t| t.strip_prefix('('))
                .and_then(|t| t.strip_suffix(')'))
        };
        if let Some(rate) = inner("rate") {
            let (value, unit) = rate
                .trim()
                .split_once(' ')
                .context("a rate is a number and a unit")?;
            let value: i64 = value.parse().context("a rate is a number and a unit")?;
            let unit = match unit.trim().trim_end_matches('s') {
                "minute" => MINUTE_MS,
                "hour" => 60 * MINUTE_MS,
                "day" => 24 * 60 * MINUTE_MS,
                other => bail!("a rate cannot be in {other}"),
            };
            if value < 1 {
                bail!("a rate is at least 1");
            }
            return Ok(Self::Rate {
                period_ms: value.saturating_mul(unit),
            });
        }
        let cron = inner("cron")
            .with_context(|| format!("{text} is neither a rate nor a cron expression"))?;
        let fields: Vec<&str> = cron.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays, years] = fields.as_slice() else {
            bail!("{text} does not have six fields")
        };
        Ok(Self::Cron(Box::new(Cron {
            minutes: field(minutes, 0, 59, &[])?,
            hours: field(hours, 0, 23, &[])?,
            days: field(days, 1, 31, &[])?,
            months: field(
                months,
                1,
                12,
                &[
                    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV",
                    "DEC",
                ],
            )?,
            weekdays: field(
                weekdays,
                1,
                7,
                &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
            )?,
            years: field(years, 1970, 2199, &[])?,
        })))
    }

    /// The first occurrence after a time; `None` if there is none within ten years.
    pub(crate) fn next_after(&self, at_ms: i64) -> Option<i64> {
        match self {
            Self::Rate { period_ms } => at_ms
                .div_euclid(*period_ms)
                .checked_add(1)?
                .checked_mul(*period_ms),
            Self::Cron(cron) => cron.next_after(at_ms),
        }
    }

    /// Whether occurrences are at least an hour apart.
    pub(crate) fn is_hourly_or_rarer(&self) -> bool {
        // Any moment will do: the sets of a cron expression repeat.
        let Some(first) = self.next_after(0) else {
            return true;
        };
        self.next_after(first)
            .is_none_or(|second| second - first >= 60 * MINUTE_MS)
    }
}

impl Cron {
    fn next_after(&self, at_ms: i64) -> Option<i64> {
        let start = utc(at_ms
            .div_euclid(MINUTE_MS)
            .checked_add(1)?
            .checked_mul(MINUTE_MS)?)
        .ok()?;
        let mut date = start.date();
        let mut earliest = (u16::from(start.hour()), u16::from(start.minute()));
        for _ in 0..3_660 {
            if self.allows(date) {
                for hour in self.hours.range(earliest.0..) {
                    let from = if *hour == earliest.0 { earliest.1 } else { 0 };
                    if let Some(minute) = self.minutes.range(from..).next() {
                        let at = date.midnight().assume_utc()
                            + Duration::hours(i64::from(*hour))
                            + Duration::minutes(i64::from(*minute));
                        return at.unix_timestamp().checked_mul(1000);
                    }
                }
            }
            date = date.next_day()?;
            earliest = (0, 0);
        }
        None
    }

    fn allows(&self, date: Date) -> bool {
        let weekday = u16::from(date.weekday().number_days_from_sunday()).saturating_add(1);
        let year = u16::try_from(date.year()).unwrap_or_default();
        self.days.contains(&u16::from(date.day()))
            && self
                .months
                .contains(&u16::from(u8::from(date.month() as Month)))
            && self.weekdays.contains(&weekday)
            && self.years.contains(&year)
    }
}

fn field(text: &str, min: u16, max: u16, names: &[&str]) -> Result<BTreeSet<u16>> {
    let mut out = BTreeSet::new();
    let number = |part: &str| -> Result<u16> {
        if let Some(at) = names.iter().position(|n| n.eq_ignore_ascii_case(part)) {
            return Ok(u16::try_from(at).unwrap_or_default().saturating_add(min));
        }
        let value = part
            .parse()
            .with_context(|| format!("{part} is not supported in a cron expression"))?;
        if !(min..=max).contains(&value) {
            bail!("{value} is out of range in a cron expression");
        }
        Ok(value)
    };
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (
                range,
                Some(step.parse::<u16>().context("a step is a number")?),
            ),
            None => (part, None),
        };
        let (from, to) = match range {
            "*" | "?" => (min, max),
            range => match range.split_once('-') {
                Some((from, to)) => (number(from)?, number(to)?),
                None if step.is_some() => (number(range)?, max),
                None => (number(range)?, number(range)?),
            },
        };
        out.extend((from..=to).step_by(usize::from(step.unwrap_or(1).max(1))));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::Expression;
    use crate::calendar::rfc3339;

    #[test]
    fn occurrences_follow_from_the_expression() {
        // 2026-11-22T09:30:00Z, a Sunday
        let at = 1_795_339_800_000;
        assert_eq!(rfc3339(at).unwrap(), "2026-11-22T09:30:00Z");
        let check = |text: &str, expected: &str, rare: bool| {
            let expression = Expression::parse(text).unwrap();
            assert_eq!(
                rfc3339(expression.next_after(at).unwrap()).unwrap(),
                expected,
                "{text}"
            );
            assert_eq!(expression.is_hourly_or_rarer(), rare, "{text}");
        };
        check("rate(1 minute)", "2026-11-22T09:31:00Z", false);
        check("rate(1 hour)", "2026-11-22T10:00:00Z", true);
        check("rate(1 day)", "2026-11-23T00:00:00Z", true);
        check("cron(0/5 * * * ? *)", "2026-11-22T09:35:00Z", false);
        check("cron(5 * * * ? *)", "2026-11-22T10:05:00Z", true);
        check("cron(30 9 * * ? *)", "2026-11-23T09:30:00Z", true);
        check("cron(15 3 ? * MON-FRI *)", "2026-11-23T03:15:00Z", true);
        check("cron(0 0 1 1,4,7,10 ? *)", "2027-01-01T00:00:00Z", true);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "rate(0 minutes)",
            "rate(5)",
            "cron(0 0 L * ? *)",
            "cron(* * * *)",
            "at(2026-01-01)",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }
}
