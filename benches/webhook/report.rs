//! Writes docs/benchmarks-webhook.md: counts and ratios first, then times, with the machine named.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use headgate_benches::machine;

use crate::load::{Load, PER_SECOND};
use crate::parser::Parsed;
use crate::parts::Parts;
use crate::processor::Processed;
use crate::rounds::Cost;
use crate::size::Size;
use crate::starts::Starts;

/// What was measured.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) size: Option<Size>,
    pub(crate) parts: Option<Parts>,
    pub(crate) one: Vec<Cost>,
    pub(crate) thousand: Vec<Cost>,
    pub(crate) starts: Vec<Starts>,
    pub(crate) parsed: Vec<Parsed>,
    pub(crate) processed: Vec<Processed>,
    pub(crate) load: Option<Load>,
    pub(crate) most: Option<Load>,
    /// Why a peer was not measured.
    pub(crate) without: Vec<String>,
}

const HEAD: &str = "# Benchmarks of the webhook edge

One reader, one question: what does taking a notification cost, beside the same work in Python and Node?

This page is written by `cargo bench -p headgate-benches --bench webhook` (part of `just bench`); edit `benches/webhook`,
not this. The command of a row is the same with the row's word behind `--`. Measured is the binary that ships, as a
process of its own under a Runtime API on loopback, against the local cloud over plain sockets: no TLS, no Firecracker, no
way to a real SQS. The peers ([benches/peers](../benches/peers)) do the same work under the same host, in turns
(A B C A B C …), and every answer must be 200.
";

const BESIDE: &str = "CPU per webhook is that of all threads of the process, program and kernel, from the event's arrival to the next
question for one; the median of the rounds, and of the ratios round by round with least and most. Python runs under
`awslambdaric`, as on Lambda, Node under a loop that does less than `aws-lambda-ric`; both get the secret from the
environment, while the shipped binary reads it from Secrets Manager before its first question. A body above 900 KiB is
compressed by all three: zstd here, the fastest gzip there. Starts are from the start of the process to its first question.
";

/// A table of promises.
struct Rows<'a>(&'a mut String);

impl Rows<'_> {
    fn head(&mut self, title: &str) {
        writeln!(
            self.0,
            "## {title}\n\n| What | Wanted | Measured | | `--` |\n|---|---|---|---|---|"
        )
        .unwrap();
    }

    fn row(&mut self, what: &str, wanted: &str, measured: &str, kept: bool, word: &str) {
        let mark = if kept { "kept" } else { "**missed**" };
        writeln!(
            self.0,
            "| {what} | {wanted} | {measured} | {mark} | {word} |"
        )
        .unwrap();
    }

    fn told(&mut self, what: &str, measured: &str, word: &str) {
        writeln!(self.0, "| {what} | | {measured} | | {word} |").unwrap();
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn per_second(time: Duration) -> f64 {
    1.0 / time.as_secs_f64()
}

impl Report {
    /// The page.
    pub(crate) fn text(&self) -> String {
        let mut out = format!(
            "{HEAD}\nMachine: {}. Build: profile `release` of Cargo.toml for the binary, `bench` for what is measured inside the bench.\n\n",
            machine::name()
        );
        self.counts(&mut out);
        self.times(&mut out);
        self.beside(&mut out);
        self.parts_of_one(&mut out);
        self.processor(&mut out);
        out
    }

    /// Puts the page where it belongs.
    pub(crate) fn write(&self) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks-webhook.md");
        std::fs::write(path, self.text().trim_end().to_owned() + "\n").unwrap();
    }

    fn counts(&self, out: &mut String) {
        let mut rows = Rows(out);
        rows.head("Counts and ratios");
        if let Some(load) = &self.load {
            rows.row(
                &format!("lost of {PER_SECOND} signed webhooks a second, for 10 s"),
                "0",
                &format!(
                    "{} of {} answered with 200, {} sent",
                    load.lost, load.answered, load.sent
                ),
                load.lost == 0 && load.answered == load.sent,
                "load",
            );
        }
        if let Some(parts) = &self.parts {
            let count = parts.allocations;
            rows.row(
                "allocations of our own code before the call to SQS",
                "≤ 25",
                &count.to_string(),
                count <= 25,
                "parts",
            );
        }
        if let Some(Size { binary, archive }) = &self.size {
            let binary = megabytes(*binary);
            match archive {
                Some(archive) => rows.row(
                    "`zip -9` of the binary",
                    "≤ 3 MB",
                    &format!("{:.2} MB ({binary:.2} MB unpacked)", megabytes(*archive)),
                    *archive <= 3_000_000,
                    "size",
                ),
                None => rows.told(
                    "the binary; there is no `zip` here",
                    &format!("{binary:.2} MB"),
                    "size",
                ),
            }
        }
        if let Some((headgate, peers)) = self.one.split_first() {
            for peer in peers {
                let (median, least, most) = headgate.ratio(peer);
                rows.row(
                    &format!("CPU of {} / of Headgate, one status", peer.name),
                    "≥ 5",
                    &format!("{median:.1} ({least:.1} to {most:.1})"),
                    median >= 5.0,
                    "peers",
                );
            }
        }
        if let Some((headgate, peers)) = self.thousand.split_first() {
            for peer in peers {
                let (median, least, most) = headgate.ratio(peer);
                rows.told(
                    &format!("CPU of {} / of Headgate, 1,000 updates in 3 MB", peer.name),
                    &format!("{median:.1} ({least:.1} to {most:.1})"),
                    "peers",
                );
            }
        }
        writeln!(out).unwrap();
    }

    fn times(&self, out: &mut String) {
        let mut rows = Rows(out);
        rows.head("CPU, memory and times on this machine");
        if let Some(headgate) = self.one.first() {
            let cpu = micros(headgate.median());
            rows.row(
                "CPU per webhook with one status",
                "≤ 200 µs",
                &format!("{cpu:.0} µs"),
                cpu <= 200.0,
                "peers",
            );
            if let Some(kib) = headgate.resident_kib {
                let resident = kib as f64 * 1_024.0 / 1e6;
                rows.row(
                    "resident after 1,000 invocations",
                    "≤ 10 MB",
                    &format!("{resident:.1} MB"),
                    resident <= 10.0,
                    "peers",
                );
            }
        }
        if let Some(starts) = self.starts.first() {
            let wall = millis(starts.wall);
            rows.row(
                "from its start to its first question for an event",
                "≤ 4 ms",
                &format!(
                    "{wall:.2} ms, median of {}; least {:.2}; CPU {:.2}",
                    starts.count,
                    millis(starts.least),
                    millis(starts.cpu)
                ),
                wall <= 4.0,
                "starts",
            );
        }
        for parsed in &self.parsed {
            let rate = parsed.megabytes_per_second;
            rows.row(
                &format!(
                    "the parser alone: {} ({:.1} kB)",
                    parsed.what,
                    parsed.bytes as f64 / 1e3
                ),
                "≥ 200 MB/s",
                &format!(
                    "{rate:.0} MB/s, {:.1} M updates/s",
                    rate / parsed.bytes as f64 * parsed.updates as f64
                ),
                rate >= 200.0,
                "parser",
            );
        }
        for processed in &self.processed {
            let rate = per_second(processed.null);
            rows.row(
                &format!(
                    "notification-processor on one core, null store: {}",
                    processed.what
                ),
                "≥ 5,000/s",
                &format!("{rate:.0} updates/s, {:.0} µs each", micros(processed.null)),
                rate >= 5_000.0,
                "processor",
            );
            rows.told(
                &format!("the same against the local cloud: {}", processed.what),
                &format!(
                    "{:.0} updates per second of its CPU, {:.0}/s by the clock",
                    per_second(processed.cloud),
                    processed.cloud_per_second
                ),
                "processor",
            );
        }
        if let Some(load) = &self.load {
            rows.told(
                &format!("{PER_SECOND} webhooks a second: from when one was due to its answer"),
                &format!(
                    "median {:.1} ms, p99 {:.1} ms",
                    millis(load.p50),
                    millis(load.p99)
                ),
                "load",
            );
        }
        if let Some(most) = &self.most {
            rows.told(
                &format!("the highest rate, {} environments, this host and the local cloud on the same cores", most.environments),
                &format!("{:.0}/s for {:.1} s, {} of {} lost", most.per_second, most.seconds, most.lost, most.answered),
                "load",
            );
        }
        writeln!(out).unwrap();
    }

    fn beside(&self, out: &mut String) {
        writeln!(out, "## Beside Python and Node\n\n{BESIDE}").unwrap();
        for why in &self.without {
            writeln!(
                out,
                "Not measured, because it could not be installed here: {why}.\n"
            )
            .unwrap();
        }
        writeln!(out, "| | CPU per webhook, one status | 1,000 updates in 3 MB | Resident after 1,000 | Start, median | CPU of a start |\n|---|---|---|---|---|---|").unwrap();
        for (n, one) in self.one.iter().enumerate() {
            let thousand = self
                .thousand
                .get(n)
                .map_or(0.0, |cost| millis(cost.median()));
            let starts = self.starts.get(n);
            let of = |time: fn(&Starts) -> Duration| {
                starts.map_or_else(String::new, |starts| {
                    format!("{:.1} ms", millis(time(starts)))
                })
            };
            writeln!(
                out,
                "| {} | {:.0} µs | {thousand:.1} ms | {:.1} MB | {} | {} |",
                one.name,
                micros(one.median()),
                one.resident_kib.unwrap_or_default() as f64 * 1_024.0 / 1e6,
                of(|starts| starts.wall),
                of(|starts| starts.cpu),
            )
            .unwrap();
        }
        writeln!(out).unwrap();
    }

    fn parts_of_one(&self, out: &mut String) {
        let (Some(parts), Some(one)) = (&self.parts, self.one.first()) else {
            return;
        };
        let (own, call, whole) = (micros(parts.own), micros(parts.call), micros(one.median()));
        writeln!(
            out,
            "## Where the CPU of a webhook goes\n\n| Part | CPU | Measured by |\n|---|---|---|"
        )
        .unwrap();
        writeln!(out, "| our own code, signature and log line included | {own:.1} µs | `Webhook::handle` with a port that answers at once |").unwrap();
        writeln!(out, "| `SendMessage`: SDK, signing, socket | {call:.0} µs | `Queue::send` alone against the local cloud, in the bench |").unwrap();
        writeln!(out, "| Lambda runtime: two requests, the event's JSON | {:.0} µs | what is left of the whole |", whole - own - call).unwrap();
        writeln!(out, "| the whole | {whole:.0} µs | the process |\n").unwrap();
        for (what, load) in [
            (format!("{PER_SECOND}/s"), &self.load),
            ("the highest rate".to_owned(), &self.most),
        ] {
            let Some(load) = load else { continue };
            writeln!(
                out,
                "At {what}, per webhook: {:.0} µs in the program and {:.0} in the kernel, beside {:.0} µs of the host and the local cloud.\n",
                micros(load.program),
                micros(load.kernel),
                micros(load.beside)
            )
            .unwrap();
        }
    }

    fn processor(&self, out: &mut String) {
        if self.processed.is_empty() {
            return;
        }
        writeln!(out, "## What the null store is\n\nThe shipped function, adapters and SDK included, handles its batches on one thread, whose CPU time is counted. What answers runs on other threads: a server in the same program that speaks DynamoDB and EventBridge and gives back what the local cloud answered to the same call before. So the figure holds every call's signing, HTTP and parsing on this side, and no work of a store. Each status is of a message of ours and moves it, people are looked up, sealed bodies are opened and events are published.\n").unwrap();
        for processed in &self.processed {
            let calls: Vec<String> = processed
                .calls
                .iter()
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            writeln!(
                out,
                "{} ({} updates): calls per 1,000 updates {}.\n",
                processed.what,
                processed.updates,
                calls.join(", ")
            )
            .unwrap();
        }
    }
}
