//! A file of many rows: within bounded memory, and over as many invocations as it takes.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use headgate_domain::import::{MAX_ROWS, Stage};
use headgate_testkit::{End, environment};
use local_cloud::Crash;

use crate::world::{self, ENOUGH, HEADER, World, created, function, row, somebody};

/// What the function may hold of a file of any size: a piece, a block, and what is on its way to the tables.
const MOST_HELD: u64 = 24 << 20;
/// What it may hold more of a larger file: of more blocks one is at more requests at a time. The rows of the
/// larger one, or its report, would be twice as much.
const MORE_OF_MORE: u64 = 4 << 20;
const FEW: u64 = 5_000;

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

/// With `HEADGATE_PROOF` as many as a file may have.
fn rows() -> u64 {
    if std::env::var_os("HEADGATE_PROOF").is_some() {
        return MAX_ROWS;
    }
    20_000
}

/// Imports a file with a function of its own in a thread of its own; the most it held at a time, in bytes.
async fn most_held(world: &World, file: &str, rows: u64) -> u64 {
    let hash = world.put_in_parts(file.as_bytes()).await;
    let (settings, clock) = (world.environment.clone(), world.clock.clone());
    let event = created(&hash);
    let began = Instant::now();
    let import = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let import = runtime.block_on(function(settings, clock));
        allocation_counter::measure(|| {
            // On a busy machine a request may run out of time: the queue gives the file again.
            let done = (0..5).any(|_| {
                let answer = runtime.block_on(import.handle(event.clone(), 100 * ENOUGH));
                answer.batch_item_failures.is_empty()
            });
            assert!(done, "it ends with an error again and again");
        })
    };
    let held = tokio::task::spawn_blocking(|| std::thread::spawn(import).join());
    let held = held.await.unwrap().unwrap().bytes_max;
    let took = began.elapsed().as_secs_f64();
    println!(
        "{rows} rows in {took:.0} s, {:.0} a second; {} KiB held at most",
        rows as f64 / took,
        held >> 10
    );
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_are_asked_within_memory_that_does_not_grow_with_them() {
    let few = most_held(&World::start().await, &file(FEW), FEW).await;
    let world = World::start().await;
    let rows = rows();
    let file = file(rows);
    let many = most_held(&world, &file, rows).await;
    let progress = world.progress(&world::hash(file.as_bytes())).await.unwrap();
    assert_eq!((progress.stage, progress.rows), (Stage::Done, rows));
    let in_hundreds = rows / 100;
    assert_eq!(progress.counts.of("phone_national"), in_hundreds);
    assert_eq!(progress.counts.of("already_requested"), in_hundreds - 1);
    assert_eq!(progress.counts.of("requested"), rows - 2 * in_hundreds + 1);
    assert!(few < MOST_HELD, "{few} bytes of {FEW} rows");
    assert!(
        many < few + MORE_OF_MORE,
        "{many} bytes of {rows} rows, {few} bytes of {FEW}"
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

/// Dies here and there in blocks of which several lanes are at work.
#[tokio::test(flavor = "multi_thread")]
async fn wherever_it_dies_between_its_lanes_each_row_is_asked_once() {
    let world = World::start().await;
    let mut deaths = 0_u64;
    for crash in [Crash::Before, Crash::Unanswered] {
        for n in (1..).step_by(17) {
            let rows: String = (0..300)
                .map(|number| row(&somebody(300 * deaths + number), "marketing"))
                .collect();
            let facts = world.facts().await;
            let hash = world.put(format!("{HEADER}{rows}").as_bytes()).await;
            let (settings, clock) = (world.environment.clone(), world.clock.clone());
            let (event, gate) = (created(&hash), world.stage.cloud().gate());
            let end = environment(
                &gate,
                Some((n, crash)),
                || function(settings, clock),
                |import| async move { import.handle(event, ENOUGH).await },
            );
            deaths += 1;
            let died = matches!(end.await, End::Died(_));
            assert!(
                world
                    .handle(&hash, ENOUGH)
                    .await
                    .batch_item_failures
                    .is_empty()
            );
            let report = world.report(&hash).await;
            assert_eq!(report.len(), 300, "at {n}");
            for (number, line) in (1..).zip(&report) {
                let expected = format!("{number},{},requested,,marketing,", number + 1);
                assert!(line.starts_with(&expected), "at {n}: {line}");
            }
            let proven = world.facts().await - facts;
            assert!((300..=600).contains(&proven), "at {n}: {proven}");
            if !died {
                assert_eq!(proven, 300);
                break;
            }
        }
    }
    assert!(deaths > 6, "{deaths}");
}

/// The queue may give a message twice, and the same file may be put twice.
#[tokio::test(flavor = "multi_thread")]
async fn two_invocations_on_one_file_end_with_one_report() {
    let world = World::start().await;
    let file = file(1_200);
    let hash = world.put(file.as_bytes()).await;
    let other = function(world.environment.clone(), world.clock.clone()).await;
    let (one, two) = tokio::join!(
        world.handle(&hash, ENOUGH),
        other.handle(created(&hash), ENOUGH)
    );
    // One of them may have given up for the other, and is given the file again later.
    let given_up = one.batch_item_failures.len() + two.batch_item_failures.len();
    assert!(given_up < 2, "both gave up");
    assert!(
        world
            .handle(&hash, ENOUGH)
            .await
            .batch_item_failures
            .is_empty()
    );
    let progress = world.progress(&hash).await.unwrap();
    assert_eq!(
        (progress.stage, progress.next.rows, progress.parts),
        (Stage::Done, 1_200, 3)
    );
    assert_eq!(world.report(&hash).await.len(), 1_200);
    let counted: u64 = progress.counts.iter().map(|(_, count)| count).sum();
    assert_eq!(counted, 1_200);
    assert!(!world.has_file(&hash).await);
}
