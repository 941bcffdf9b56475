//! The purge's binary killed like any process, at points nobody chose: the next run goes on, and nothing is lost or
//! taken that should not be. The same with a million records: `cargo bench -p headgate-benches --bench retention`.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests may fail loudly"
)]

use std::time::Duration;

use headgate_aws::evidence::Evidence;
use headgate_aws::signing::SigningKey;
use headgate_domain::retention::{CONTENT_DAYS, verify};
use headgate_domain::time::Day;
use headgate_lambda::clock::system_clock;
use headgate_testkit::{Rows, Running, Stage, events};
use local_cloud::Service;

const BINARY: &str = env!("CARGO_BIN_EXE_retention-purge");
const OLD: Rows = Rows {
    outbox: 3_000,
    inbound: 1_000,
    ids: 1_000,
};
const YOUNG: Rows = Rows {
    outbox: 30,
    inbound: 10,
    ids: 10,
};
const KILLS: u64 = 5;
/// How many requests all of it takes, roughly: a deletion for each row of the index, 25 outbox rows a request.
const REQUESTS: u64 = 2_200;

fn requests(stage: &Stage) -> u64 {
    stage.cloud().counters().calls.values().sum()
}

/// How many rows there are of days before this one, and of this one and later.
async fn rows(stage: &Stage, before: Day) -> (usize, usize) {
    let environment = stage.environment("RetentionPurgeFunction");
    let table = &environment["HEADGATE_TABLE_MESSAGES"];
    let rows = stage.cloud().items(table).await.unwrap();
    let is_old =
        |row: &&serde_json::Value| Day::parse(row["day"]["S"].as_str().unwrap()).unwrap() < before;
    let old = rows.iter().filter(is_old).count();
    (old, rows.len() - old)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_is_killed_again_and_again_ends_exactly_and_takes_nothing_younger() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::on_disk(folder.path()).await;
    let today = system_clock()().day();
    let due = today.plus(-CONTENT_DAYS);
    // Two days, so that a midnight in between changes nothing.
    let young = due.plus(2);
    let young_kept = stage.load_day(young, YOUNG, 10, |_rows| {}).await;
    let kept = stage.load_day(due, OLD, 50, |_rows| {}).await;
    for copy in kept.iter().chain(&young_kept) {
        assert!(copy.opens(&stage.keyring()).await.unwrap(), "before");
    }
    assert_eq!(rows(&stage, young).await, (5_000, 50));

    let environment = stage.environment("RetentionPurgeFunction");
    let mut left = 5_000;
    let mut killed = 0;
    for kill in 0..KILLS {
        let purge = Running::start(BINARY, &environment).await;
        let deletions = || {
            let counters = stage.cloud().counters();
            counters.calls_of(Service::Dynamodb, "DeleteItem")
        };
        let (began, destroyed) = (requests(&stage), deletions());
        // First as soon as the key is gone; then wherever chance has it.
        let [chance] = headgate_aws::random::<1>().unwrap();
        let after = 1 + u64::from(chance) * (2 * REQUESTS / KILLS) / 256;
        let reached = async {
            loop {
                let is_there = if kill == 0 {
                    // A call is counted before it is answered: at the second the first, the key's, is done.
                    deletions() > destroyed + 1
                } else {
                    requests(&stage) >= began + after
                };
                if is_there {
                    return;
                }
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        };
        tokio::select! {
            answer = purge.try_invoke(events::scheduled()) => { answer.unwrap(); }
            () = reached => killed += 1,
        }
        purge.kill().await;
        let (old, others) = rows(&stage, young).await;
        assert!(old <= left && others == 50, "{old} and {others}");
        if kill == 0 {
            assert!(old > 0, "the bytes are still there");
            for copy in &kept {
                assert!(!copy.opens(&stage.keyring()).await.unwrap());
                let could = stage.keyring().could_open(copy.envelope()).await;
                assert!(!could.unwrap());
            }
        }
        left = old;
    }
    println!("{killed} killed, {left} rows left for the last run");

    let purge = Running::start(BINARY, &environment).await;
    let manifest = purge.invoke(events::scheduled()).await;
    purge.kill().await;
    assert_eq!(rows(&stage, young).await, (0, 50), "{manifest}");
    assert!(killed > 0);
    for copy in &young_kept {
        assert!(
            copy.opens(&stage.keyring()).await.unwrap(),
            "two days younger"
        );
    }
    let evidence = Evidence::new(&stage.aws(), &environment["HEADGATE_TABLE_EVIDENCE"]);
    let mut notes = Vec::new();
    while let Some(note) = evidence.purge(notes.len() as u64).await.unwrap() {
        notes.push(note);
    }
    let key = SigningKey::new(&stage.aws(), &environment["HEADGATE_KMS_KEY_EVIDENCE"]);
    let key = key.public_key().await.unwrap();
    let deployment = &environment["HEADGATE_DEPLOYMENT"];
    let report = verify(notes.iter().map(String::as_str), &key, deployment).unwrap();
    assert_eq!(report.destroyed, 1);
    assert!(report.deleted <= 5_000);
}
