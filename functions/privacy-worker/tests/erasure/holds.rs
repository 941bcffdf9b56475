//! Legal holds: an erasure waits for one that was there before it, what is held outlives its day, and goes with the
//! hold.

use headgate_domain::identity::SubjectId;
use headgate_domain::privacy::{Hold, HoldId, Scope, State, Task};
use headgate_domain::time::{DAY, HOUR, MINUTE};
use headgate_testkit::environment;
use local_cloud::Crash;
use privacy_worker::PrivacyWorker;
use serde_json::json;

use crate::world::World;

fn hold(world: &World, n: u8, scope: Scope, days: i64) -> Hold {
    let hold = Hold {
        id: HoldId::from_random([n; 12]),
        scope,
        reason: "claim C-17".to_owned(),
        approver: "general counsel".to_owned(),
        placed_at: world.now(),
        expires_at: world.now().plus_millis(days * DAY),
        lifted_at: None,
    };
    hold.check().unwrap();
    hold
}

/// Where the erasure of a person stands.
async fn state(world: &World) -> State {
    let planned = world
        .requests()
        .due(world.now().plus_millis(400 * DAY))
        .await
        .unwrap();
    let run = planned.iter().find_map(|(_, task)| task.request()).unwrap();
    world.requests().find(run).await.unwrap().unwrap().state
}

#[tokio::test]
async fn an_erasure_waits_for_a_hold_and_is_done_when_it_is_lifted() {
    let world = World::start().await;
    let (ada, ben) = (world.acquainted(1).await, world.acquainted(2).await);
    let of_ada = hold(&world, 1, Scope::Subject(ada.clone()), 90);
    world.requests().place_hold(&of_ada).await.unwrap();
    world.ask(&ada).await;
    world.ask(&ben).await;
    world.wait(6 * MINUTE);
    world.work_off().await;
    assert_eq!(
        world.left_of(&ben).await,
        Vec::<String>::new(),
        "nobody else waits"
    );
    assert_eq!(state(&world).await, State::Held);
    assert!(world.is_blocked(1).await, "nothing is sent meanwhile");
    world.wait(3 * HOUR);
    world.work_off().await;
    assert_eq!(state(&world).await, State::Held);

    assert!(
        world
            .requests()
            .lift_hold(&of_ada.id, world.now())
            .await
            .unwrap()
    );
    assert!(
        !world
            .requests()
            .lift_hold(&of_ada.id, world.now())
            .await
            .unwrap()
    );
    world.wait(2 * HOUR);
    world.work_off().await;
    let left = world.left_of(&ada).await;
    assert!(
        left.iter().all(|place| place.contains("/holds/")),
        "{left:?}"
    );
    assert_eq!(world.receipts(&ada).await, 1);
}

#[tokio::test]
async fn what_is_held_outlives_its_day_and_is_unreadable_with_the_hold() {
    let world = World::start().await;
    let (ada, ben) = (
        world.talked(1, "the goods were broken").await,
        world.talked(2, "thanks").await,
    );
    let of_ada = hold(&world, 1, Scope::Subject(ada.clone()), 300);
    world.requests().place_hold(&of_ada).await.unwrap();
    world.work_off().await;
    world.work_off().await;
    // The day goes as if there were no hold.
    let day = world.now().day();
    world.wait(91 * DAY);
    assert!(world.keyring().destroy(day.into()).await.unwrap());
    world
        .keyring()
        .mint_day(world.now().day(), world.now())
        .await
        .unwrap();
    let copy = world.disclosed(&of_ada.id).await;
    assert_eq!(copy["messages"].as_array().unwrap().len(), 1, "{copy}");
    assert_eq!(
        copy["messages"][0]["content"]["message"]["text"]["body"],
        "the goods were broken"
    );
    assert_eq!(copy["messages"][0]["subject"], ada.as_str());
    assert!(!copy.to_string().contains(ben.as_str()));

    let kept = world.backup_of("EVIDENCE").await;
    assert!(
        world
            .requests()
            .lift_hold(&of_ada.id, world.now())
            .await
            .unwrap()
    );
    world.wait(MINUTE);
    world.work_off().await;
    let rows = world.rows().await;
    let is_of_it = |place: &str| place.contains("-evidence/hold_") || place.contains("-keys/hold_");
    assert!(rows.iter().all(|(place, _)| !is_of_it(place)));
    // A backup of the table opens no more: the key of the hold is gone.
    world.restore(&kept).await;
    let again = hold(&world, 2, Scope::Subject(ada), 10);
    world.requests().place_hold(&again).await.unwrap();
    world.work_off().await;
    assert!(world.opens_nothing_of(&of_ada.id).await);
}

#[tokio::test]
async fn a_range_holds_whoever_was_written_to_then_and_nobody_else() {
    let world = World::start().await;
    let ada = world.acquainted(1).await;
    world.wait(3 * DAY);
    let ben = world.acquainted(2).await;
    let (from, until) = (
        world.now().plus_millis(-4 * DAY),
        world.now().plus_millis(-2 * DAY),
    );
    let range = hold(&world, 1, Scope::Range { from, until }, 30);
    world.requests().place_hold(&range).await.unwrap();
    world.ask(&ada).await;
    world.ask(&ben).await;
    world.wait(6 * MINUTE);
    world.work_off().await;
    assert_eq!(world.left_of(&ben).await, Vec::<String>::new());
    assert_eq!(state(&world).await, State::Held);
    assert!(!world.left_of(&ada).await.is_empty());
    // It ends by itself.
    world.wait(31 * DAY);
    world.work_off().await;
    world.wait(2 * HOUR);
    world.work_off().await;
    assert_eq!(world.left_of(&ada).await, Vec::<String>::new());
}

/// Nobody wrote to them; what they wrote is kept all the same.
#[tokio::test]
async fn a_range_keeps_what_people_wrote_then() {
    let world = World::start().await;
    world.mint_today().await;
    let ada = world.talked(1, "it never came").await;
    world.wait(3 * DAY);
    world.mint_today().await;
    let ben = world.talked(2, "thanks").await;
    let (from, until) = (
        world.now().plus_millis(-4 * DAY),
        world.now().plus_millis(-2 * DAY),
    );
    let range = hold(&world, 1, Scope::Range { from, until }, 30);
    world.requests().place_hold(&range).await.unwrap();
    world.work_off().await;
    let copy = world.disclosed(&range.id).await;
    assert_eq!(copy["messages"].as_array().unwrap().len(), 1, "{copy}");
    assert_eq!(
        copy["messages"][0]["content"]["message"]["text"]["body"],
        "it never came"
    );
    assert_eq!(copy["messages"][0]["subject"], ada.as_str());
    assert!(!copy.to_string().contains(ben.as_str()));
}

#[tokio::test]
async fn a_hold_placed_during_an_erasure_comes_too_late_and_stops_nothing_half_way() {
    let world = World::start().await;
    for (n, at) in (1..).zip([40_u64, 60, 80]) {
        let ada: SubjectId = world.acquainted(n).await;
        world.ask(&ada).await;
        world.wait(6 * MINUTE);
        let (settings, clock, gate) = (world.settings(), world.clock(), world.gate());
        environment(
            &gate,
            Some((at, Crash::Before)),
            || async move { PrivacyWorker::new(&settings, clock).await.unwrap() },
            |worker| async move { worker.handle(json!({})).await.map(|_done| ()) },
        )
        .await;
        let (_tombstones, entries) = world.requests().journal().await.unwrap();
        assert!(
            entries.iter().any(|entry| entry.group.has(&ada)),
            "it was begun"
        );
        let late = hold(
            &world,
            u8::try_from(n).unwrap(),
            Scope::Subject(ada.clone()),
            90,
        );
        world.requests().place_hold(&late).await.unwrap();
        world.wait(11 * MINUTE);
        world.work_off().await;
        world.wait(11 * MINUTE);
        world.work_off().await;
        let left = world.left_of(&ada).await;
        assert!(
            left.iter().all(|place| place.contains("/holds/")),
            "at {at}: {left:?}"
        );
        assert_eq!(world.receipts(&ada).await, 1);
    }
    let planned = world
        .requests()
        .due(world.now().plus_millis(400 * DAY))
        .await
        .unwrap();
    let runs = planned
        .iter()
        .filter(|(_, task)| matches!(task, Task::Run(_)));
    assert_eq!(runs.count(), 0);
}
