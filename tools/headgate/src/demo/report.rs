//! The judgement: every promise, held or not, from what arrived at Meta's side and what the app was told.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use meta_simulator::Arrival;
use serde::Serialize;

use super::flow::Stop;
use super::forgery::Forged;
use super::measure::{Wire, forged_accepted, opt_outs};
use super::plot;
use super::promises::{self, Promise, codes};
use super::purge::Purged;
use super::scenario::Scenario;
use super::watch::Told;
use crate::canary::Finding;
use crate::cli::DemoArgs;

/// Everything the judgement rests on.
pub(super) struct Evidence<'a> {
    pub(super) args: DemoArgs,
    pub(super) input: &'a Scenario,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) worst_with_inbound: u32,
    pub(super) told: Told,
    pub(super) stops: Vec<Stop>,
    pub(super) forged: Forged,
    pub(super) handshake: bool,
    pub(super) found: Vec<Finding>,
    pub(super) purged: Purged,
    pub(super) redriven: u64,
    pub(super) seconds: f64,
}

/// The outcome, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    messages: u32,
    pub(super) accepted: usize,
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) sent: usize,
    pub(super) delivered: usize,
    pub(super) cancelled_by_opt_out: usize,
    pub(super) sent_after_opt_out: usize,
    pub(super) opt_out_seconds: Option<f64>,
    pub(super) duplicates_sent: usize,
    pub(super) lost: usize,
    pub(super) limit_per_second: u32,
    pub(super) worst_window: u32,
    pub(super) worst_window_with_inbound: u32,
    pub(super) utilisation: f64,
    pub(super) throttled: usize,
    pub(super) unreadable_after_purge: bool,
    pub(super) forged_accepted: usize,
    personal_data_found: usize,
    personal_data_places: Vec<String>,
    pub(super) redriven: u64,
    seconds: f64,
    promises: Vec<Promise>,
    failed: Vec<&'static str>,
    /// Whether every promise held.
    pub(crate) held: bool,
    #[serde(skip)]
    plot: String,
}

impl Report {
    /// Judges the run.
    pub(super) fn judge(e: &Evidence<'_>) -> Self {
        let limit = e.args.rate;
        let wire = Wire::of(&e.arrivals, limit);
        let (cancelled, after, opt_out_seconds) = opt_outs(e);
        let ended = e
            .told
            .accepted
            .keys()
            .filter(|id| e.told.has_ended(id))
            .count();
        let places = e.found.iter().take(20);
        let mut report = Self {
            messages: e.args.messages,
            accepted: e.told.of_apps(),
            refused: e.told.refused.clone(),
            sent: wire.sent.len(),
            delivered: e.told.delivered(),
            cancelled_by_opt_out: cancelled,
            sent_after_opt_out: after,
            opt_out_seconds,
            duplicates_sent: wire.sent.values().map(|n| n - 1).sum(),
            lost: e.told.accepted.len() - ended,
            limit_per_second: limit,
            worst_window: wire.worst_window,
            worst_window_with_inbound: e.worst_with_inbound,
            utilisation: (wire.utilisation * 10_000.0).round() / 10_000.0,
            throttled: wire.throttled,
            unreadable_after_purge: e.purged.is_complete(),
            forged_accepted: forged_accepted(e),
            personal_data_found: e.found.len(),
            personal_data_places: places
                .map(|f| format!("{} in {}", f.kind, f.place))
                .collect(),
            redriven: e.redriven,
            seconds: (e.seconds * 10.0).round() / 10.0,
            promises: Vec::new(),
            failed: Vec::new(),
            held: false,
            plot: plot::draw(&wire.times, limit),
        };
        report.promises = promises::judge(&report, e);
        report.failed = report
            .promises
            .iter()
            .filter(|p| !p.held)
            .map(|p| p.text)
            .collect();
        report.held = report.failed.is_empty();
        report
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
            writeln!(out, "  {mark} {:<58} {}", promise.text, promise.seen).ok();
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
