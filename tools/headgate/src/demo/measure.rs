//! What was measured: the arrivals at Meta's side, and what became of opt-outs and forgeries.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use headgate_domain::lane::Purpose;
use headgate_domain::record::RecordRef;
use meta_simulator::Arrival;

use super::report::Evidence;

/// An opt-out is promised to be in force within this time of the webhook's 200.
const IN_FORCE: Duration = Duration::from_secs(5);
/// A judgement may be two seconds old when the message leaves, and the way to Meta takes a moment.
const JUDGED_BEFORE: Duration = Duration::from_millis(2_500);

/// What the arrivals say.
pub(super) struct Wire {
    /// Accepted arrivals of each record.
    pub(super) sent: HashMap<String, usize>,
    /// When they arrived, since the first.
    pub(super) times: Vec<Duration>,
    /// Accepted arrivals / (limit × seconds from the first to the last).
    pub(super) utilisation: f64,
    /// Arrivals answered with 130429.
    pub(super) throttled: usize,
    /// The most sends that arrived within any second, refused ones included.
    pub(super) worst_window: u32,
}

impl Wire {
    /// Reads them.
    pub(super) fn of(arrivals: &[Arrival], limit: u32) -> Self {
        let mut sent: HashMap<String, usize> = HashMap::new();
        let mut times = Vec::new();
        let first = arrivals.first().map_or_else(Instant::now, |a| a.at);
        for arrival in arrivals.iter().filter(|a| a.accepted) {
            if let Some((reference, _attempt)) =
                arrival.opaque.as_deref().and_then(RecordRef::from_opaque)
            {
                *sent.entry(reference.message_id()).or_default() += 1;
            }
            times.push(arrival.at.saturating_duration_since(first));
        }
        let span = times
            .iter()
            .max()
            .zip(times.iter().min())
            .map_or(0.0, |(last, first)| {
                last.saturating_sub(*first).as_secs_f64()
            });
        let count = f64::from(u32::try_from(times.len()).unwrap_or(u32::MAX));
        let utilisation = if span > 0.0 {
            count / (f64::from(limit) * span)
        } else {
            0.0
        };
        let throttled = arrivals.iter().filter(|a| a.code == Some(130_429)).count();
        let instants: Vec<Instant> = arrivals
            .iter()
            .filter(|a| a.counted)
            .map(|a| a.at)
            .collect();
        Self {
            worst_window: densest_second(&instants),
            sent,
            times,
            utilisation,
            throttled,
        }
    }
}

/// The most instants within any second that is open at its end; they come in order.
fn densest_second(instants: &[Instant]) -> u32 {
    let mut oldest = 0;
    let mut most = 0;
    for (newest, at) in instants.iter().enumerate() {
        while at.saturating_duration_since(instants[oldest]) >= Duration::from_secs(1) {
            oldest += 1;
        }
        most = most.max(newest + 1 - oldest);
    }
    u32::try_from(most).unwrap_or(u32::MAX)
}

/// Messages cancelled by an opt-out, those sent after one, and how long the slowest took to be in force.
pub(super) fn opt_outs(e: &Evidence<'_>) -> (usize, usize, Option<f64>) {
    let cancelled = e
        .told
        .cancelled
        .values()
        .filter(|why| ["suppressed", "meta_stopped"].contains(&why.as_str()))
        .count();
    let marketing = |a: &Arrival| {
        a.opaque
            .as_deref()
            .and_then(RecordRef::from_opaque)
            .is_some_and(|(r, _)| r.lane == Purpose::Marketing)
    };
    let late_ids: HashSet<String> = e
        .input
        .late
        .iter()
        .filter_map(|m| headgate_domain::outbound::readable_id(&m.body))
        .collect();
    let mut after = 0;
    let mut slowest: Option<f64> = None;
    for (i, stop) in e.stops.iter().enumerate() {
        let of_this = |id: &str| {
            late_ids.contains(id)
                && id
                    .rsplit('-')
                    .next()
                    .and_then(|n| n.parse::<usize>().ok())
                    .is_some_and(|n| n % e.input.stoppers.len() == i)
        };
        let subject = e
            .told
            .accepted
            .values()
            .find(|(id, _)| of_this(id))
            .map(|(_, subject)| subject.clone())
            .unwrap_or_default();
        let Some(told_at) = e
            .told
            .opted_out
            .get(&(subject, Purpose::Marketing.word().to_owned()))
            .copied()
        else {
            return (cancelled, after, None);
        };
        let seconds = told_at
            .saturating_duration_since(stop.answered)
            .as_secs_f64();
        slowest = Some(slowest.map_or(seconds, |s: f64| s.max(seconds)));
        after += e
            .arrivals
            .iter()
            .filter(|a| a.accepted && marketing(a) && stop.person.is(&a.recipient))
            .filter(|a| {
                a.at.saturating_duration_since(told_at) > JUDGED_BEFORE
                    || a.at.saturating_duration_since(stop.answered) > IN_FORCE
            })
            .count();
    }
    (
        cancelled,
        after,
        slowest.map(|s| (s * 1_000.0).round() / 1_000.0),
    )
}

/// Forgeries that were not turned away, or that opted anybody out.
pub(super) fn forged_accepted(e: &Evidence<'_>) -> usize {
    let not_turned_away = e
        .forged
        .answers
        .iter()
        .filter(|(_, status)| *status != 401)
        .count();
    let people: HashSet<&String> = e
        .told
        .opted_out
        .keys()
        .map(|(subject, _)| subject)
        .collect();
    not_turned_away + people.len().saturating_sub(e.stops.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(at: Instant, opaque: &str, accepted: bool) -> Arrival {
        Arrival {
            at,
            at_ms: 0,
            number_id: "1".to_owned(),
            recipient: "CA.1".to_owned(),
            message_type: "template".to_owned(),
            template: None,
            opaque: Some(opaque.to_owned()),
            accepted,
            code: (!accepted).then_some(130_429),
            counted: true,
        }
    }

    #[test]
    fn a_second_attempt_that_arrives_is_a_duplicate_and_one_that_was_refused_is_not() {
        let now = Instant::now();
        let later = |ms: u64| now.checked_add(Duration::from_millis(ms)).unwrap_or(now);
        let reference = "hg1.1.m.0.01ARZ3NDEKTSV4RRFFQ69G5FAV";
        let wire = Wire::of(
            &[
                arrival(now, &format!("{reference}.1"), false),
                arrival(later(500), &format!("{reference}.2"), true),
                arrival(later(1_000), &format!("{reference}.3"), true),
            ],
            80,
        );
        assert_eq!(wire.sent.values().copied().collect::<Vec<_>>(), [2]);
        assert_eq!(wire.throttled, 1);
        assert!((wire.utilisation - 2.0 / (80.0 * 0.5)).abs() < 1e-9);
    }
}
