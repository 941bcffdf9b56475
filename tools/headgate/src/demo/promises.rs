//! The promises, one by one: what is claimed, whether it held, and what was seen.

use std::collections::BTreeMap;

use serde::Serialize;

use super::purge::Purged;
use super::report::{Evidence, Report};
use crate::canary::Finding;

/// Below this a run is too short for its ends not to count.
const MEASURABLE_SECONDS: f64 = 5.0;
const UTILISATION: f64 = 0.95;

/// One promise.
#[derive(Debug, Serialize)]
pub(crate) struct Promise {
    /// What is promised.
    #[serde(rename = "promise")]
    pub(super) text: &'static str,
    /// Whether it held.
    pub(super) held: bool,
    /// What was seen.
    pub(super) seen: String,
}

/// Judges a run by its numbers.
pub(super) fn judge(r: &Report, e: &Evidence<'_>) -> Vec<Promise> {
    let messages = usize::try_from(e.args.messages).unwrap_or(usize::MAX);
    let measurable =
        f64::from(e.args.messages) / f64::from(r.limit_per_second) >= MEASURABLE_SECONDS;
    let mut about_input = about_input(r, e, messages);
    about_input.extend([
        promise(
            "never above Meta's limit, in any second",
            r.worst_window <= r.limit_per_second,
            format!(
                "worst second {} sends of {} ({} with what people wrote, {} asked to come again)",
                r.worst_window, r.limit_per_second, r.worst_window_with_inbound, r.throttled
            ),
        ),
        promise(
            "and close to it while messages wait",
            !measurable || r.utilisation >= UTILISATION,
            format!("{:.1} % used", r.utilisation * 100.0),
        ),
        promise(
            "a STOP stops what is queued",
            r.sent_after_opt_out == 0
                && (!measurable || r.cancelled_by_opt_out > 0)
                && r.opt_out_seconds.is_some(),
            format!(
                "{} cancelled, {} sent after, in force in {:.1} s",
                r.cancelled_by_opt_out,
                r.sent_after_opt_out,
                r.opt_out_seconds.unwrap_or(f64::NAN)
            ),
        ),
        promise(
            "a forged notification changes nothing",
            r.forged_accepted == 0 && e.handshake && e.forged.poison == 200,
            e.forged
                .answers
                .iter()
                .map(|(kind, status)| format!("{kind} {status}"))
                .collect::<Vec<_>>()
                .join(", "),
        ),
        promise(
            "throttling and poison stay out of native redrive",
            r.redriven == 0,
            format!("{} moved", r.redriven),
        ),
        promise(
            "no personal data in any table, queue, bucket or log",
            e.found.is_empty(),
            places(&e.found),
        ),
        promise(
            "after 91 days no message can be read",
            r.unreadable_after_purge,
            purged(&e.purged),
        ),
    ]);
    about_input
}

/// What becomes of what was put in.
fn about_input(r: &Report, e: &Evidence<'_>, messages: usize) -> Vec<Promise> {
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for (_, code) in &e.input.bad {
        *expected.entry((*code).to_owned()).or_default() += 1;
    }
    vec![
        promise(
            "every good message is accepted, bad ones beside it or not",
            r.accepted == messages,
            format!("{} of {messages}", r.accepted),
        ),
        promise(
            "a bad message is refused with its reason",
            r.refused == expected,
            codes(&r.refused),
        ),
        promise(
            "nothing is lost",
            r.lost == 0,
            format!("{} without an outcome", r.lost),
        ),
        promise(
            "nothing is sent twice",
            r.duplicates_sent == 0,
            format!("{} sent again", r.duplicates_sent),
        ),
        promise(
            "what was sent is delivered",
            r.delivered == r.sent,
            format!("{} of {}", r.delivered, r.sent),
        ),
    ]
}

fn promise(text: &'static str, held: bool, seen: String) -> Promise {
    Promise { text, held, seen }
}

/// Refusals in a few words.
pub(super) fn codes(refused: &BTreeMap<String, u64>) -> String {
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
