//! Counting what happens to a number's messages, and judging the number by it.
//!
//! Owns the additions, one a number and batch, and the announcement of each step. The judgement is
//! `headgate_domain::risk`'s. Counting is not worth handing a notification over again: what cannot
//! be counted is logged and lost, and the next batch is judged with the rest.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use headgate_aws::AwsError;
use headgate_domain::config::Config;
use headgate_domain::event::Event;
use headgate_domain::record::State;
use headgate_domain::risk::{Counts, RiskLevel, Standing, hour};
use headgate_domain::time::Timestamp;
use headgate_lambda::log::{Field, Level, log};

use crate::config::Ports;
use crate::controls::NumberId;

/// How old the hours before this one may be; others count them too.
const HOURS_CACHE: Duration = Duration::from_mins(1);

/// The hours of a number.
type Hours = BTreeMap<i64, Counts>;

/// The hours of each number, and since when they are known.
#[derive(Default)]
pub(crate) struct Scores(Mutex<HashMap<String, (Instant, Hours)>>);

/// What a status adds to the counters of its number.
pub(crate) const fn counted(state: State, code: Option<u32>) -> Counts {
    let mut counts = Counts::from_values([0; 8]);
    match state {
        State::Sent => counts.sent = 1,
        State::Delivered => counts.delivered = 1,
        State::Read | State::Played => counts.read = 1,
        State::Failed => counts.note_failure(code),
        State::Queued
        | State::Scheduled
        | State::Accepted
        | State::Held
        | State::Ambiguous
        | State::Unknown
        | State::Cancelled => {}
    }
    counts
}

/// Counts what came in.
pub(crate) async fn count_inbound(ports: &Ports, inbound: &BTreeMap<String, u64>) {
    for (number, messages) in inbound {
        if let Err(error) = ports.controls.count_inbound(number, *messages).await {
            log(
                Level::Warn,
                "not_counted",
                &[("error", Field::safe(&error))],
            );
        }
    }
}

/// Counts for a number and judges it; the event of a step, when there is one.
pub(crate) async fn judge(
    ports: &Ports,
    config: &Config,
    number: &str,
    more: &Counts,
    now: Timestamp,
) -> Option<Event> {
    // The configuration decides which numbers there are.
    if more.is_empty() || !config.numbers.iter().any(|known| known.id == number) {
        return None;
    }
    match step(ports, number, more, now).await {
        Ok(event) => event,
        Err(error) => {
            log(
                Level::Warn,
                "not_counted",
                &[("error", Field::safe(&error))],
            );
            None
        }
    }
}

async fn step(
    ports: &Ports,
    number: &str,
    more: &Counts,
    now: Timestamp,
) -> Result<Option<Event>, AwsError> {
    let current = ports.controls.count(number, more, now).await?;
    let hours = hours(ports, number, current, now).await?;
    let known = ports.controls.known().await?;
    let number_known = known.numbers.get(number).cloned().unwrap_or_default();
    let was = number_known.risk;
    let is = was.judged(&hours, number_known.quality_at(now), now);
    if is == was || !ports.controls.set_risk(number, &was, &is).await? {
        return Ok(None);
    }
    if is.level == was.level {
        return Ok(None);
    }
    let fields = [
        ("number", Field::safe(&NumberId(number))),
        ("risk", Field::code(is.level.word())),
        ("was", Field::code(was.level.word())),
    ];
    let level = if is.level > was.level {
        Level::Error
    } else {
        Level::Info
    };
    log(level, "number_risk_changed", &fields);
    Ok(Some(told(number, &was, &is)))
}

/// All hours, the current one as the table has just given it.
async fn hours(
    ports: &Ports,
    number: &str,
    current: Counts,
    now: Timestamp,
) -> Result<Hours, AwsError> {
    let cached = ports.scores.0.lock().ok().and_then(|cache| {
        cache
            .get(number)
            .filter(|(since, _hours)| since.elapsed() < HOURS_CACHE)
            .map(|(_since, hours)| hours.clone())
    });
    let mut hours = if let Some(hours) = cached {
        hours
    } else {
        let read = ports.controls.hours(number, now).await?;
        if let Ok(mut cache) = ports.scores.0.lock() {
            cache.insert(number.to_owned(), (Instant::now(), read.clone()));
        }
        read
    };
    hours.insert(hour(now), current);
    Ok(hours)
}

/// The event of a step.
fn told(number: &str, was: &Standing, is: &Standing) -> Event {
    let at = is.since;
    let mut event = Event::new(
        is.level.event(),
        at,
        &[number, &at.to_string(), is.level.word()],
    )
    .with("number", number)
    .with("reason", "risk")
    .with("level", is.level.word())
    .with("was", was.level.word());
    if let Some(share) = is.level.share_permille() {
        event = event.with("share_permille", share);
    }
    if is.level != RiskLevel::Normal
        && let Some(until) = is.better_than(is.level)
    {
        event = event.with("until", until.to_string());
    }
    event
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn a_status_counts_once_where_it_belongs() {
        assert_eq!(counted(State::Delivered, None).delivered, 1);
        assert_eq!(counted(State::Played, None).read, 1);
        assert_eq!(counted(State::Failed, Some(131_026)).failed, 1);
        assert_eq!(counted(State::Failed, Some(132_000)).ours, 1);
        assert!(counted(State::Accepted, None).is_empty());
    }

    #[test]
    fn a_step_is_told_with_its_end_and_the_way_back_without() {
        let since = Timestamp::from_seconds(1_795_341_600);
        let standing = |level| Standing {
            level,
            since,
            base: Counts::default(),
        };
        let paused = told(
            "1001",
            &standing(RiskLevel::Normal),
            &standing(RiskLevel::NumberPaused),
        );
        assert_eq!(paused.kind, "number.paused");
        assert_eq!(
            paused.data.get("until").unwrap(),
            "2026-11-22T14:00:00.000Z"
        );
        let resumed = told(
            "1001",
            &standing(RiskLevel::Half),
            &standing(RiskLevel::Normal),
        );
        assert_eq!(resumed.kind, "number.resumed");
        assert_eq!(resumed.data.get("until"), None);
    }
}
