//! The judgement: every promise, held or not, from what arrived at Meta's side and what the app was told.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use headgate_domain::lane::Purpose;
use headgate_domain::record::RecordRef;
use meta_simulator::Arrival;
use serde::Serialize;

use super::flow::Stop;
use super::forgery::Forged;
use super::plot;
use super::purge::Purged;
use super::scenario::Scenario;
use super::watch::Told;
use crate::canary::Finding;
use crate::cli::DemoArgs;

/// An opt-out is promised to be in force within this time of the webhook's 200.
const IN_FORCE: Duration = Duration::from_secs(5);
/// Below this a run is too short for its ends not to count.
const MEASURABLE_SECONDS: f64 = 5.0;
const UTILISATION: f64 = 0.95;

/// Everything the judgement rests on.
pub(super) struct Evidence<'a> {
    pub(super) args: DemoArgs,
    pub(super) input: &'a Scenario,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) worst_window: u32,
    pub(super) told: Told,
    pub(super) stops: Vec<Stop>,
    pub(super) forged: Forged,
    pub(super) handshake: bool,
    pub(super) found: Vec<Finding>,
    pub(super) purged: Purged,
    pub(super) redriven: u64,
    pub(super) seconds: f64,
}

/// One promise.
#[derive(Debug, Serialize)]
pub(crate) struct Promise {
    /// What is promised.
    promise: &'static str,
    /// Whether it held.
    held: bool,
    /// What was seen.
    seen: String,
}

/// The outcome, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    messages: u32,
    accepted: usize,
    refused: BTreeMap<String, u64>,
    sent: usize,
    delivered: usize,
    cancelled_by_opt_out: usize,
    sent_after_opt_out: usize,
    opt_out_seconds: Option<f64>,
    duplicates_sent: usize,
    lost: usize,
    limit_per_second: u32,
    worst_window: u32,
    utilisation: f64,
    throttled: usize,
    unreadable_after_purge: bool,
    forged_accepted: usize,
    personal_data_found: usize,
    personal_data_places: Vec<String>,
    redriven: u64,
    seconds: f64,
    promises: Vec<Promise>,
    failed: Vec<&'static str>,
    /// Whether every promise held.
    pub(crate) held: bool,
    #[serde(skip)]
    plot: String,
}

/// What the arrivals say.
struct Wire {
    sent: HashMap<String, usize>,
    times: Vec<Duration>,
    utilisation: f64,
    throttled: usize,
}

impl Wire {
    fn of(arrivals: &[Arrival], limit: u32) -> Self {
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
        Self {
            sent,
            times,
            utilisation,
            throttled,
        }
    }
}

impl Report {
    /// Judges the run.
    pub(super) fn judge(e: &Evidence<'_>) -> Self {
        let limit = e.args.rate;
        let wire = Wire::of(&e.arrivals, limit);
        let messages = usize::try_from(e.args.messages).unwrap_or(usize::MAX);
        let accepted = e.told.accepted.len();
        let (cancelled, after, opt_out_seconds) = opt_outs(e);
        let duplicates = wire.sent.values().map(|n| n - 1).sum();
        let lost = e
            .told
            .accepted
            .keys()
            .filter(|id| !e.told.has_ended(id))
            .count();
        let forged = forged_accepted(e);
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        for (_, code) in &e.input.bad {
            *expected.entry((*code).to_owned()).or_default() += 1;
        }
        let delivered = e.told.delivered();
        let measurable = f64::from(e.args.messages) / f64::from(limit) >= MEASURABLE_SECONDS;
        let promises = vec![
            promise(
                "every good message is accepted, bad ones beside it or not",
                accepted == messages,
                format!("{accepted} of {messages}"),
            ),
            promise(
                "a bad message is refused with its reason",
                e.told.refused == expected,
                codes(&e.told.refused),
            ),
            promise(
                "nothing is lost",
                lost == 0,
                format!("{lost} without an outcome"),
            ),
            promise(
                "nothing is sent twice",
                duplicates == 0,
                format!("{duplicates} sent again"),
            ),
            promise(
                "what was sent is delivered",
                delivered == wire.sent.len(),
                format!("{delivered} of {}", wire.sent.len()),
            ),
            promise(
                "never above Meta's limit, in any second",
                e.worst_window <= limit,
                format!("worst second {} of {limit}", e.worst_window),
            ),
            promise(
                "and close to it while messages wait",
                !measurable || wire.utilisation >= UTILISATION,
                format!("{:.1} % used", wire.utilisation * 100.0),
            ),
            promise(
                "a STOP stops what is queued",
                after == 0 && (!measurable || cancelled > 0) && opt_out_seconds.is_some(),
                format!(
                    "{cancelled} cancelled, {after} sent after, in force in {:.1} s",
                    opt_out_seconds.unwrap_or(f64::NAN)
                ),
            ),
            promise(
                "a forged notification changes nothing",
                forged == 0 && e.handshake && e.forged.poison == 200,
                e.forged
                    .answers
                    .iter()
                    .map(|(kind, status)| format!("{kind} {status}"))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            promise(
                "throttling and poison stay out of native redrive",
                e.redriven == 0,
                format!("{} moved", e.redriven),
            ),
            promise(
                "no personal data in any table, queue or log",
                e.found.is_empty(),
                places(&e.found),
            ),
            promise(
                "after 91 days no message can be read",
                e.purged.is_complete(),
                purged(&e.purged),
            ),
        ];
        let failed: Vec<&'static str> = promises
            .iter()
            .filter(|p| !p.held)
            .map(|p| p.promise)
            .collect();
        Self {
            messages: e.args.messages,
            accepted,
            refused: e.told.refused.clone(),
            sent: wire.sent.len(),
            delivered,
            cancelled_by_opt_out: cancelled,
            sent_after_opt_out: after,
            opt_out_seconds,
            duplicates_sent: duplicates,
            lost,
            limit_per_second: limit,
            worst_window: e.worst_window,
            utilisation: (wire.utilisation * 10_000.0).round() / 10_000.0,
            throttled: wire.throttled,
            unreadable_after_purge: e.purged.is_complete(),
            forged_accepted: forged,
            personal_data_found: e.found.len(),
            personal_data_places: e
                .found
                .iter()
                .take(20)
                .map(|f| format!("{} in {}", f.kind, f.place))
                .collect(),
            redriven: e.redriven,
            seconds: (e.seconds * 10.0).round() / 10.0,
            held: failed.is_empty(),
            failed,
            promises,
            plot: plot::draw(&wire.times, limit),
        }
    }

    /// The table and the plot.
    pub(crate) fn table(&self) -> String {
        let mut out = String::new();
        for (what, count) in [
            ("accepted", self.accepted.to_string()),
            (
                "refused",
                format!(
                    "{} ({})",
                    self.refused.values().sum::<u64>(),
                    codes(&self.refused)
                ),
            ),
            ("sent", self.sent.to_string()),
            ("delivered", self.delivered.to_string()),
            (
                "cancelled by opt-out",
                self.cancelled_by_opt_out.to_string(),
            ),
        ] {
            writeln!(out, "  {what:<22} {count}").ok();
        }
        writeln!(
            out,
            "\n  messages a second, as they arrived at Meta's side\n\n{}",
            self.plot
        )
        .ok();
        for promise in &self.promises {
            let mark = if promise.held { '✔' } else { '✘' };
            writeln!(out, "  {mark} {:<58} {}", promise.promise, promise.seen).ok();
        }
        for place in &self.personal_data_places {
            writeln!(out, "      {place}").ok();
        }
        if self.held {
            writeln!(out, "\n  Every promise held ({} s).", self.seconds).ok();
        } else {
            writeln!(out, "\n  Broken: {}.", self.failed.join("; ")).ok();
        }
        out
    }
}

/// Messages cancelled by an opt-out, those sent after one, and how long the slowest took to be in force.
fn opt_outs(e: &Evidence<'_>) -> (usize, usize, Option<f64>) {
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
            .filter(|a| a.at > told_at || a.at.saturating_duration_since(stop.answered) > IN_FORCE)
            .count();
    }
    (
        cancelled,
        after,
        slowest.map(|s| (s * 1_000.0).round() / 1_000.0),
    )
}

/// Forgeries that were not turned away, or that opted anybody out.
fn forged_accepted(e: &Evidence<'_>) -> usize {
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

fn promise(promise: &'static str, held: bool, seen: String) -> Promise {
    Promise {
        promise,
        held,
        seen,
    }
}

fn codes(refused: &BTreeMap<String, u64>) -> String {
    refused
        .iter()
        .map(|(code, count)| format!("{code} {count}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn places(found: &[Finding]) -> String {
    if found.is_empty() {
        "none found".to_owned()
    } else {
        format!("{} places", found.len())
    }
}

fn purged(p: &Purged) -> String {
    format!(
        "{} bodies: {} readable before, {} refused, {} without a key, {} keys left",
        p.copies, p.readable_before, p.refused, p.without_key, p.keys_left
    )
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
