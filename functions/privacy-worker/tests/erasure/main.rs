//! The worker against the local cloud: wherever it dies it ends in the same state, and what it is not to do it does
//! not do (R-306).
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests may fail loudly"
)]

mod forgotten;
mod holds;
mod joins;
mod rights;
mod world;

use headgate_domain::identity::SubjectId;
use headgate_domain::privacy::{RequestId, State, Task};
use headgate_domain::time::{DAY, HOUR, MINUTE};
use headgate_testkit::{End, environment};
use local_cloud::Crash;
use privacy_worker::PrivacyWorker;
use serde_json::json;
use world::World;

#[tokio::test]
async fn wherever_it_dies_the_next_run_ends_with_nothing_left() {
    let world = World::start().await;
    let (mut deaths, mut n) = (0_u32, 0_u32);
    for crash in [Crash::Before, Crash::Unanswered] {
        for at in 1.. {
            n += 1;
            let ada = world.acquainted(n).await;
            world.ask(&ada).await;
            world.wait(6 * MINUTE);
            let (settings, clock) = (world.settings(), world.clock());
            let gate = world.gate();
            let end = environment(
                &gate,
                Some((at, crash)),
                || async move { PrivacyWorker::new(&settings, clock).await.unwrap() },
                |worker| async move { worker.handle(json!({})).await.map(|_done| ()) },
            );
            let died = matches!(end.await, End::Died(_));
            deaths += u32::from(died);
            world.wait(11 * MINUTE);
            world.work_off().await;
            assert_eq!(
                world.left_of(&ada).await,
                Vec::<String>::new(),
                "died at {at}"
            );
            assert_eq!(world.receipts(&ada).await, 1, "died at {at}");
            assert!(world.is_blocked(n).await, "died at {at}");
            if !died {
                break;
            }
        }
    }
    println!("{deaths} deaths");
    assert!(deaths > 80, "{deaths}");
}

#[tokio::test]
async fn what_a_restored_backup_brings_back_is_erased_again_and_nobody_is_written_to() {
    let world = World::start().await;
    let people = [
        world.acquainted(1).await,
        world.acquainted(2).await,
        world.acquainted(3).await,
    ];
    let backup = world.backup().await;
    for gone in &people[..2] {
        world.ask(gone).await;
    }
    world.wait(6 * MINUTE);
    world.work_off().await;

    world.restore(&backup).await;
    assert!(
        !world.left_of(&people[0]).await.is_empty(),
        "the rows are back"
    );
    assert!(!world.is_blocked(1).await, "and the list forgot");
    let run = RequestId::from_random([7; 12]);
    world
        .requests()
        .plan(&Task::Replay(run.clone()), world.now())
        .await
        .unwrap();
    world.work_off().await;
    for (n, gone) in (1..).zip(&people[..2]) {
        assert_eq!(world.left_of(gone).await, Vec::<String>::new());
        assert!(world.is_blocked(n).await);
    }
    assert!(
        !world.left_of(&people[2]).await.is_empty(),
        "who did not ask stays"
    );
    let replay = world.requests().replay(&run).await.unwrap().unwrap();
    assert!(
        replay.is_done && replay.entries == 2 && replay.rows > 5,
        "{replay:?}"
    );
}

#[tokio::test]
async fn several_ids_of_one_person_go_together() {
    let world = World::start().await;
    let (one, other) = (world.acquainted(1).await, world.acquainted(2).await);
    world.subjects().join(&one, &other).await.unwrap();
    world.ask(&other).await;
    world.wait(6 * MINUTE);
    world.work_off().await;
    for id in [&one, &other] {
        assert_eq!(world.left_of(id).await, Vec::<String>::new());
    }
    assert!(world.is_blocked(1).await, "by what they are known by");
}

#[tokio::test]
async fn where_somebody_else_may_have_the_number_its_owner_has_three_days() {
    let world = World::start().await;
    let ada = world.acquainted(1).await;
    world.changes_hands(&ada).await;
    three_days(&world, &ada, 1).await;
}

/// Nobody tells that a number was given to somebody else; a year without a word is all there is to go by.
#[tokio::test]
async fn whoever_writes_again_after_a_year_may_be_somebody_else() {
    let world = World::start().await;
    let ada = world.acquainted(1).await;
    let noted = world.subjects().note_return(&ada, world.now());
    noted.await.unwrap();
    three_days(&world, &ada, 1).await;
}

async fn three_days(world: &World, ada: &SubjectId, n: u32) {
    world.ask(ada).await;
    assert!(world.is_blocked(n).await, "nothing is sent meanwhile");
    world.wait(71 * HOUR);
    assert_eq!(world.work_off().await, 0);
    world.wait(2 * HOUR);
    assert_eq!(world.work_off().await, 1);
    assert_eq!(world.left_of(ada).await, Vec::<String>::new());
}

#[tokio::test]
async fn who_is_not_known_and_what_is_no_request_causes_nothing() {
    let world = World::start().await;
    world.acquainted(1).await;
    let before = world.rows().await;
    let stranger = SubjectId::from_random([8; 16]);
    world.ask(&stranger).await;
    assert_eq!(world.rows().await, before);
    let failed = world
        .hand_over(&["", "{}", "\u{0}", r#"{"schema":"headgate.privacy/1"}"#])
        .await;
    assert_eq!(failed, 4, "one poison record takes nobody along");
    assert_eq!(world.rows().await, before);
}

#[tokio::test]
async fn a_second_erasure_during_the_first_and_two_runs_at_once_are_one() {
    let world = World::start().await;
    let ada = world.acquainted(1).await;
    world.ask(&ada).await;
    world.wait(6 * MINUTE);
    let (one, other) = (world.worker().await, world.worker().await);
    let (first, second, third) = tokio::join!(
        one.handle(json!({})),
        other.handle(json!({})),
        world.ask(&ada)
    );
    assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
    let () = third;
    world.wait(11 * MINUTE);
    world.work_off().await;
    assert_eq!(world.left_of(&ada).await, Vec::<String>::new());
    assert_eq!(world.receipts(&ada).await, 1);
    world.wait(9 * DAY);
    world.work_off().await;
    assert!(
        world
            .requests()
            .due(world.now().plus_millis(400 * DAY))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn one_request_that_fails_does_not_hold_up_the_rest() {
    let world = World::start().await;
    let (ada, ben) = (world.acquainted(1).await, world.acquainted(2).await);
    world.ask(&ada).await;
    world.ask(&ben).await;
    world.wait(6 * MINUTE);
    world.damage(&ada).await;
    assert!(
        world.worker().await.handle(json!({})).await.is_err(),
        "an alarm"
    );
    assert_eq!(world.left_of(&ben).await, Vec::<String>::new());
    let open = world
        .requests()
        .due(world.now().plus_millis(DAY))
        .await
        .unwrap();
    let runs = open.iter().filter(|(_, task)| matches!(task, Task::Run(_)));
    let runs: Vec<_> = runs.collect();
    assert_eq!(runs.len(), 1, "it is put off and stays");
    assert!(runs[0].0 > world.now());
    let request = world
        .requests()
        .find(runs[0].1.request().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(request.state, State::Running);
}
