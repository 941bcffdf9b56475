//! `cargo bench -p headgate-benches --bench retention`: a day of a million messages is purged, from a local cloud on
//! disk, by a process that is killed again and again. docs/benchmarks-retention.md has the figures.
//!
//! The purge runs in a process of its own, this program again under another environment; the local cloud stays in
//! this one, and counts. Behind `--`: `--records 1000000`, `--kills 12`, `--json`. Takes a few minutes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::large_futures,
    clippy::too_many_lines,
    missing_docs,
    reason = "a bench may fail loudly, and says what it measured"
)]

mod purge;
mod report;

use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::TokioSleep;
use headgate_aws::evidence::Evidence;
use headgate_aws::signing::SigningKey;
use headgate_domain::retention::{CONTENT_DAYS, PurgeReport, verify};
use headgate_domain::time::Day;
use headgate_lambda::clock::system_clock;
use headgate_testkit::{Kept, Rows, Stage};
use indicatif::{ProgressBar, ProgressStyle};
use local_cloud::Service;

use purge::Child;
use report::Report;

/// Rows of a day that is not due.
const YOUNG: Rows = Rows {
    outbox: 8_000,
    inbound: 1_000,
    ids: 1_000,
};
/// How many sealed values are tried.
const SAMPLE: usize = 1_000;

/// What was asked for.
struct Asked {
    records: usize,
    kills: usize,
    json: bool,
}

impl Asked {
    fn read() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let number = |name: &str, default| {
            let place = words.iter().position(|word| word == name);
            place.map_or(default, |place| {
                let given = words.get(place + 1).and_then(|word| word.parse().ok());
                given.unwrap_or_else(|| panic!("{name} needs a number behind it"))
            })
        };
        Self {
            records: number("--records", 1_000_000).max(1_000),
            kills: number("--kills", 12),
            json: words.iter().any(|word| word == "--json"),
        }
    }
}

fn main() {
    if purge::is_child() {
        purge::run();
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let asked = Asked::read();
    let report = runtime.block_on(bench(&asked));
    if asked.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.words());
    }
}

fn bar(what: &str, length: usize) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!(
        "{what:<24} {{bar:30}} {{pos}}/{{len}} {{elapsed}}"
    ));
    ProgressBar::new(length as u64).with_style(style.unwrap())
}

/// A client of the local cloud's own, as somebody else's program would have it.
fn client(endpoint: &str) -> aws_sdk_dynamodb::Client {
    use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region};
    let credentials = Credentials::new("local", "local", None, None, "bench");
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(credentials)
        .region(Region::new("eu-west-1"))
        .endpoint_url(endpoint)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .sleep_impl(TokioSleep::new());
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// The messages table, looked at by another way than the purge's.
struct Table {
    client: aws_sdk_dynamodb::Client,
    name: String,
}

impl Table {
    /// How many rows there are of days before this one, and of this one and later: by reading all of them.
    async fn rows(&self, before: Day) -> (u64, u64) {
        let (mut old, mut others) = (0, 0);
        let before = before.to_string();
        let mut from = None;
        loop {
            let page = self
                .client
                .scan()
                .table_name(&self.name)
                .projection_expression("#day")
                .expression_attribute_names("#day", "day")
                // Without one the local cloud reads the whole table for each page.
                .limit(2_000)
                .set_exclusive_start_key(from)
                .send()
                .await
                .unwrap();
            for item in page.items() {
                let is_old = item["day"].as_s().unwrap() < &before;
                *(if is_old { &mut old } else { &mut others }) += 1;
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return (old, others);
            }
        }
    }
}

/// How many of the copies open by a reader that is told that their day is not over, and of how many the key exists.
async fn opens(stage: &Stage, copies: &[Kept]) -> (usize, usize) {
    let keyring = stage.keyring();
    let (mut opened, mut could) = (0, 0);
    for copy in copies {
        opened += usize::from(copy.opens(&keyring).await.unwrap());
        could += usize::from(keyring.could_open(copy.envelope()).await.unwrap());
    }
    (opened, could)
}

async fn evidence(stage: &Stage) -> PurgeReport {
    let environment = stage.environment("RetentionPurgeFunction");
    let evidence = Evidence::new(&stage.aws(), &environment["HEADGATE_TABLE_EVIDENCE"]);
    let mut notes = Vec::new();
    while let Some(note) = evidence.purge(notes.len() as u64).await.unwrap() {
        notes.push(note);
    }
    let key = SigningKey::new(&stage.aws(), &environment["HEADGATE_KMS_KEY_EVIDENCE"]);
    let key = key.public_key().await.unwrap();
    let deployment = &environment["HEADGATE_DEPLOYMENT"];
    verify(notes.iter().map(String::as_str), &key, deployment).expect("the evidence holds")
}

async fn bench(asked: &Asked) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::on_disk(folder.path()).await;
    let environment = stage.environment("RetentionPurgeFunction");
    let table = Table {
        client: client(&stage.cloud().endpoint(Service::Dynamodb)),
        name: environment["HEADGATE_TABLE_MESSAGES"].clone(),
    };
    let due = system_clock()().day().plus(-CONTENT_DAYS);
    // Two days, so that a midnight in between changes nothing.
    let young = due.plus(2);
    let rows = Rows {
        outbox: asked.records,
        inbound: asked.records / 10,
        ids: asked.records / 10,
    };
    let total = rows.outbox + rows.inbound + rows.ids;

    let began = Instant::now();
    let progress = bar("loading", total);
    let young_kept = stage.load_day(young, YOUNG, 100, |_rows| {}).await;
    let kept = stage
        .load_day(due, rows, SAMPLE, |n| progress.set_position(n as u64))
        .await;
    progress.finish();
    let loading = began.elapsed();
    let disk = std::fs::metadata(folder.path().join("dynamodb.sqlite")).unwrap();
    assert_eq!(opens(&stage, &kept).await, (kept.len(), kept.len()));
    let (old, others) = table.rows(young).await;
    assert_eq!(old, total as u64);

    // One step, and the process dies right behind it.
    let deletions = || {
        let counters = stage.cloud().counters();
        counters.calls_of(Service::Dynamodb, "DeleteItem")
    };
    let before = stage.cloud().meter();
    let destroyed_at = deletions();
    let began = Instant::now();
    let child = Child::spawn(&environment);
    while deletions() == destroyed_at {
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    let until_destroyed = began.elapsed();
    let mut used = child.kill();
    let (opened, could) = opens(&stage, &kept).await;
    let (bytes_left, _) = table.rows(young).await;
    let mut killed = 1;

    // Wherever chance has it.
    let progress = bar("sweeping, and killed", total);
    let mut left = bytes_left;
    let requests = total as u64 / 25 + (rows.inbound + rows.ids) as u64;
    let mut swept = Duration::ZERO;
    while killed < asked.kills {
        let began = Instant::now();
        let child = Child::spawn(&environment);
        let so_far: u64 = stage.cloud().counters().calls.values().sum();
        let [a, b] = headgate_aws::random::<2>().unwrap();
        let chance = u64::from(u16::from_be_bytes([a, b]));
        let until = so_far + 1 + requests / asked.kills as u64 * chance / 65_536;
        while stage.cloud().counters().calls.values().sum::<u64>() < until && child.is_running() {
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        used.add(child.kill());
        swept += began.elapsed();
        killed += 1;
        progress.set_message(format!("killed {killed} times"));
    }
    let (old, same) = table.rows(young).await;
    assert!(old <= left && same == others, "{old} and {same}");
    left = old;
    let left_by_the_killed = left;
    // The runs of the hours after it.
    let mut runs = 0;
    while left > 0 {
        let began = Instant::now();
        let child = Child::spawn(&environment);
        while child.is_running() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        used.add(child.ended());
        swept += began.elapsed();
        runs += 1;
        let (old, same) = table.rows(young).await;
        assert!(old <= left && same == others, "{old} and {same}");
        left = old;
        progress.set_position(total as u64 - left);
    }
    progress.finish();
    let mut meter = stage.cloud().meter().since(&before);
    // What this program counted by itself.
    meter
        .tables
        .retain(|(_, operation, _), _| operation != "Scan");
    assert_eq!(
        opens(&stage, &young_kept).await,
        (young_kept.len(), young_kept.len())
    );
    let evidence = evidence(&stage).await;
    assert_eq!(evidence.destroyed, 1);
    Report {
        rows,
        loading,
        on_disk: disk.len(),
        until_destroyed,
        sample: kept.len(),
        opened,
        could,
        bytes_left,
        killed,
        left_by_the_killed,
        runs,
        swept,
        used,
        young: others,
        evidence,
        meter,
    }
    .checked()
}
