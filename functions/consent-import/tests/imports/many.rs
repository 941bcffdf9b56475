//! A file of many rows: within bounded memory, and over as many invocations as it takes.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use headgate_domain::import::Stage;

use crate::world::{ENOUGH, HEADER, World, created, function, row, somebody};

/// What the function may hold of a file of any size: a piece, a block, and what is on its way to the tables.
const MOST_HELD: u64 = 48 << 20;

/// A file of so many people; one in a hundred is there twice, one in a hundred has no country code.
fn file(rows: u64) -> String {
    let mut file = HEADER.to_owned();
    for number in 0..rows {
        let phone = match number % 100 {
            0 if number > 0 => somebody(number - 1),
            50 => "613 555 0123".to_owned(),
            _ => somebody(number),
        };
        write!(file, "{}", row(&phone, "marketing")).unwrap();
    }
    file
}

/// How many rows: each is an append to the ledger, and a build for development does some hundred a second.
/// With `HEADGATE_PROOF` as many as the local S3 takes in one request.
fn rows() -> u64 {
    if std::env::var_os("HEADGATE_PROOF").is_some() {
        return 100_000;
    }
    5_000
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_are_asked_within_bounded_memory() {
    let world = World::start().await;
    let rows = rows();
    let hash = world.put(file(rows).as_bytes()).await;
    let (settings, clock) = (world.environment.clone(), world.clock.clone());
    let event = created(&hash);
    let began = Instant::now();
    let held = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let import = runtime.block_on(function(settings, clock));
        allocation_counter::measure(|| {
            let answer = runtime.block_on(import.handle(event, 100 * ENOUGH));
            assert!(answer.batch_item_failures.is_empty());
        })
    })
    .join()
    .unwrap();
    let took = began.elapsed();
    let progress = world.progress(&hash).await.unwrap();
    assert_eq!((progress.stage, progress.rows), (Stage::Done, rows));
    let in_hundreds = rows / 100;
    assert_eq!(progress.counts.of("phone_national"), in_hundreds);
    assert_eq!(progress.counts.of("already_requested"), in_hundreds - 1);
    assert_eq!(progress.counts.of("requested"), rows - 2 * in_hundreds + 1);
    assert!(held.bytes_max < MOST_HELD, "{} bytes", held.bytes_max);
    println!(
        "{rows} rows in {took:.1?}, {} KiB at most",
        held.bytes_max >> 10
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_without_time_does_one_block_and_the_next_goes_on() {
    let world = World::start().await;
    let hash = world.put(file(1_200).as_bytes()).await;
    let mut stood = Vec::new();
    for _ in 0..10 {
        let answer = world.handle(&hash, Duration::ZERO).await;
        stood.push(world.progress(&hash).await.unwrap().next.rows);
        if answer.batch_item_failures.is_empty() {
            break;
        }
        assert!(world.has_file(&hash).await);
    }
    assert_eq!(stood, [500, 1_000, 1_200]);
    let report = world.report(&hash).await;
    let numbers: Vec<u64> = report
        .iter()
        .map(|line| line.split(',').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(numbers, (1..=1_200).collect::<Vec<_>>());
}
