//! Writes docs/benchmarks.md: counts and ratios first, then times, with the machine named.

use std::fmt::Write as _;
use std::path::Path;

use headgate_benches::machine;

use crate::apart;
use crate::baselines::{Design, Outcomes};
use crate::codes::Codes;
use crate::engine::Engine;
use crate::utilisation::{LIMITER, REMEMBERED, Sent, Window};

/// What was measured.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) engine: Option<Engine>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) journey: Option<Sent>,
    pub(crate) codes: Vec<Codes>,
    pub(crate) baselines: Vec<(Design, Outcomes)>,
}

const HEAD: &str = "# Benchmarks

One reader, one question: how much of a limit does the pacer use, and what does it cost?

This page is written by `just bench` (`cargo bench -p headgate-benches --bench sending`); edit `benches/`, not this. Nothing is simulated
but Meta and AWS: the shipped intake, sender and notification processor run against the local cloud over real sockets and
in real time, the sender in a process of its own with one thread, and Meta's side is `meta-simulator` over HTTP/2 and TLS
on loopback. When a message arrived is what the simulator's own log says. What a notification costs stands in
[benchmarks-webhook.md](benchmarks-webhook.md).
";

/// Where the part of the page begins that is not measured here.
const SIMULATED: &str = "## The shipped machine in virtual time";

impl Report {
    /// The page.
    pub(crate) fn text(&self) -> String {
        let mut out = HEAD.to_owned();
        writeln!(
            out,
            "\nMachine: {}. {}. Build: profile `bench` of Cargo.toml.\n",
            machine::name(),
            apart::described()
        )
        .unwrap();
        self.counts(&mut out);
        self.designs(&mut out);
        self.times(&mut out);
        out
    }

    /// Puts the page where it belongs; what a simulation found stands behind it and stays.
    pub(crate) fn write(&self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md");
        let before = std::fs::read_to_string(&path).unwrap();
        let (_, simulated) = before.split_once(SIMULATED).unwrap();
        let page = format!("{}\n{SIMULATED}{simulated}", self.text());
        std::fs::write(path, page).unwrap();
    }

    fn counts(&self, out: &mut String) {
        writeln!(
            out,
            "## Counts and ratios\n\n| What | Wanted | Measured | |\n|---|---|---|---|"
        )
        .unwrap();
        let mut row = |what: &str, wanted: &str, measured: String, kept: bool| {
            let mark = if kept { "kept" } else { "**missed**" };
            writeln!(out, "| {what} | {wanted} | {measured} | {mark} |").unwrap();
        };
        for sent in &self.sent {
            let window = &sent.window;
            let (used, units) = if window.limit >= 1_000 {
                (0.993, 0.012)
            } else {
                (0.984, 0.06)
            };
            utilisation(&mut row, "sender and Meta", window, used);
            let limiter = sent.limiter();
            row(
                &format!("limiter write units per message at {}/s", window.limit),
                &format!("≤ {units}"),
                format!("{limiter:.4} over {} terms", sent.terms),
                limiter <= units,
            );
        }
        if let Some(journey) = &self.journey {
            utilisation(&mut row, "whole journey", &journey.window, 0.984);
            row(
                "SQS receives per message of a lane",
                "1.00",
                format!("{:.2}", journey.receives),
                journey.receives < 1.005,
            );
        }
        if let [empty, full] = self.codes.as_slice() {
            for (name, ratio) in [
                ("median", full.p50_ms / empty.p50_ms),
                ("p99", full.p99_ms / empty.p99_ms),
            ] {
                row(
                    &format!(
                        "{name} of a login code, {} messages waiting / none waiting",
                        full.backlog
                    ),
                    "≤ 1.5",
                    format!("{ratio:.2}"),
                    ratio <= 1.5,
                );
            }
        }
        writeln!(out).unwrap();
        for sent in &self.sent {
            let parts: Vec<String> = LIMITER
                .iter()
                .map(|(kind, name)| (name, sent.units(kind)))
                .filter(|(_, units)| *units > 0.0)
                .map(|(name, units)| format!("{name} {units:.4}"))
                .collect();
            writeln!(
                out,
                "At {}/s, write units per message of the limiter: {}. Beside it, for the frequency caps of marketing, {:.2} to remember who was written to; in the message's own record, {:.2}. Counted by the local cloud as DynamoDB bills them: indexes, conditions that fail, transactions twice.\n",
                sent.window.limit,
                parts.join(", "),
                sent.units(REMEMBERED),
                sent.meter.table("messages", None).write / sent.window.accepted as f64,
            )
            .unwrap();
        }
    }

    fn designs(&self, out: &mut String) {
        if self.baselines.is_empty() {
            return;
        }
        writeln!(out, "## Beside the designs it was chosen over\n\nThe same tables, the same Meta, saturating demand, a login code forty times rarer than messages may be sent. The baselines (`benches/sending/baselines`) have clocks up to 50 ms off and give slots away at most 50 ms ahead; they keep no record of a message, so their figures leave out what this design also does.\n").unwrap();
        writeln!(out, "| Design | Limit | Used | Worst second | Throttled by Meta | Limiter write units per message | p99 wait of a code for its slot, ms |\n|---|---|---|---|---|---|---|").unwrap();
        for (design, outcomes) in &self.baselines {
            let window = &outcomes.window;
            writeln!(
                out,
                "| {}, {} environments | {} | {:.1} % | {} | {:.2} % | {:.3} | {:.0} |",
                design.name,
                design.environments,
                window.limit,
                100.0 * window.utilisation(),
                over(window),
                100.0 * outcomes.throttled,
                outcomes.write_units,
                outcomes.code_p99_ms
            )
            .unwrap();
        }
        for sent in &self.sent {
            let window = &sent.window;
            let throttled =
                window.refused as f64 / (window.accepted + window.refused).max(1) as f64;
            writeln!(
                out,
                "| **the leased pacer** | {} | **{:.1} %** | **{}** | {:.2} % | **{:.4}** | see below |",
                window.limit,
                100.0 * window.utilisation(),
                over(window),
                100.0 * throttled,
                sent.limiter()
            )
            .unwrap();
        }
        writeln!(out).unwrap();
    }

    fn times(&self, out: &mut String) {
        writeln!(out, "## Times and memory on this machine\n\n| What | Wanted | Measured | |\n|---|---|---|---|").unwrap();
        let mut row = |what: &str, wanted: &str, measured: String, kept: Option<bool>| {
            let mark = match kept {
                Some(true) => "kept",
                Some(false) => "**missed**",
                None => "",
            };
            writeln!(out, "| {what} | {wanted} | {measured} | {mark} |").unwrap();
        };
        if let Some(engine) = self.engine {
            let (rate, cpu) = (engine.per_second, engine.cpu_us_per_send);
            row(
                "engine: sends a second on one thread",
                "≥ 5,000",
                format!("{rate:.0} ({} sends)", engine.sends),
                Some(rate >= 5_000.0),
            );
            row(
                "engine: CPU per send",
                "≤ 60 µs",
                format!("{cpu:.0} µs"),
                Some(cpu <= 60.0),
            );
        }
        for codes in &self.codes {
            let waiting = codes.backlog;
            let peak = codes.peak_kib as f64 / 1024.0;
            if waiting > 0 {
                row(
                    &format!("memory of the sender, {waiting} messages waiting"),
                    "≤ 64 MB",
                    format!("{peak:.1} MiB at most"),
                    Some(peak * 1.048_576 <= 64.0),
                );
            }
            row(
                &format!(
                    "a login code from its queue to its first byte, {waiting} messages waiting"
                ),
                "",
                format!(
                    "median {:.0} ms, p99 {:.0} ms of {} codes",
                    codes.p50_ms, codes.p99_ms, codes.count
                ),
                None,
            );
        }
        for sent in self.sent.iter().chain(&self.journey) {
            row(
                &format!(
                    "the whole sender, calls to AWS included, at {}/s",
                    sent.window.limit
                ),
                "",
                format!(
                    "{:.0} µs CPU a message, {:.1} MiB at most",
                    sent.cpu_us_per_send,
                    sent.peak_kib as f64 / 1024.0
                ),
                None,
            );
        }
        writeln!(out, "\nTimes are those of one shared machine on which the local cloud and the simulator run too; compare them with each other, not with another machine's.").unwrap();
    }
}

/// How far the fullest second was from the limit.
fn over(window: &Window) -> String {
    format!("{:+}", i64::from(window.worst) - i64::from(window.limit))
}

fn utilisation(
    row: &mut impl FnMut(&str, &str, String, bool),
    what: &str,
    window: &Window,
    wanted: f64,
) {
    let used = window.utilisation();
    row(
        &format!("part of {}/s that is used, {what}", window.limit),
        &format!("≥ {:.1} %", wanted * 100.0),
        format!("{:.2} % over {:.0} s", used * 100.0, window.seconds),
        used >= wanted,
    );
    row(
        &format!("fullest second at {}/s, {what}", window.limit),
        &format!("≤ {}", window.limit),
        format!("{} ({} refused by Meta)", window.worst, window.refused),
        window.worst <= window.limit,
    );
}
