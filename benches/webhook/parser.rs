//! How fast a notification is taken apart.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use headgate_webhook::notification;
use headgate_webhook::signature::VerifiedBody;

use crate::fixtures;
use crate::proc::thread_cpu;

/// Bodies that are not in the repository, for who has some: a folder, read recursively.
const SAMPLES_VARIABLE: &str = "HEADGATE_BENCH_SAMPLES";
/// How long each is measured.
const CPU: Duration = Duration::from_secs(2);

/// One kind of body.
pub(crate) struct Parsed {
    pub(crate) what: String,
    pub(crate) bytes: usize,
    pub(crate) updates: usize,
    pub(crate) megabytes_per_second: f64,
}

/// The generated bodies.
pub(crate) fn measure() -> Vec<Parsed> {
    let one = [fixtures::one(0)].map(String::into_bytes);
    let thousand = [fixtures::thousand(0)].map(String::into_bytes);
    vec![
        parse("1 status", &one),
        parse("1,000 updates, 300 of them long messages", &thousand),
        parse("1,000 statuses", &[statuses(1_000).into_bytes()]),
    ]
}

fn statuses(count: usize) -> String {
    let opaque = |n| format!("hg1.{}.u.0.01JD0000000000000{n:09}.1", fixtures::NUMBER);
    let all: Vec<_> = (0..count)
        .map(|n| fixtures::status(n, &opaque(n), "delivered"))
        .collect();
    fixtures::notification(&all, &[])
}

/// The bodies of a folder, said and not written: whoever measures has others.
pub(crate) fn samples() -> Option<Parsed> {
    let folder = std::env::var_os(SAMPLES_VARIABLE)?;
    let mut bodies = Vec::new();
    collect(Path::new(&folder), &mut bodies);
    (!bodies.is_empty()).then(|| parse("samples", &bodies))
}

fn collect(folder: &Path, bodies: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, bodies);
        } else if path.extension().is_some_and(|ending| ending == "json") {
            bodies.push(std::fs::read(path).unwrap());
        }
    }
}

fn parse(what: &str, bodies: &[Vec<u8>]) -> Parsed {
    let bodies: Vec<VerifiedBody> = bodies
        .iter()
        .map(|bytes| VerifiedBody::from_own_queue(bytes.clone()))
        .collect();
    let bytes: usize = bodies.iter().map(|body| body.bytes().len()).sum();
    let all = || -> usize {
        let parsed = bodies.iter().map(|body| {
            let updates = black_box(notification::parse(black_box(body)));
            updates.map_or(0, |updates| updates.len())
        });
        parsed.sum()
    };
    let updates = all();
    let (began, mut rounds) = (thread_cpu(), 0_u32);
    while thread_cpu() - began < CPU {
        // Reading the clock is not what is measured.
        for _ in 0..=1_000_000 / bytes {
            assert_eq!(all(), updates);
            rounds += 1;
        }
    }
    let seconds = (thread_cpu() - began).as_secs_f64();
    Parsed {
        what: what.to_owned(),
        bytes,
        updates,
        megabytes_per_second: f64::from(rounds) * bytes as f64 / 1e6 / seconds,
    }
}
