//! Whom nobody was in touch with is forgotten with everything their row would leave behind.

use headgate_domain::consent::Action;
use headgate_domain::lane::Purpose;
use headgate_domain::privacy::{Choice, RequestId, Task};
use headgate_domain::profiles::Right;
use headgate_domain::retention::plan;
use headgate_domain::time::DAY;

use serde_json::json;

use crate::rights::{RESTRICT, asks};
use crate::world::World;

/// Day after day, as the clock would have it.
async fn days(world: &World, days: u32) {
    for _ in 0..days {
        world.wait(DAY);
        world.work_off().await;
    }
}

#[tokio::test]
async fn who_never_answers_is_forgotten_after_ninety_days_and_leaves_nothing() {
    let world = World::start().await;
    let ada = world.stranger(1).await;
    let before = world.left_of(&ada).await;
    assert!(
        before.len() >= 5,
        "row, pointer, calendar, two salts: {before:?}"
    );
    days(&world, 89).await;
    assert!(world.left_of(&ada).await.len() >= 5);
    days(&world, 3).await;
    assert_eq!(world.left_of(&ada).await, Vec::<String>::new());
    // Whoever comes now is somebody new.
    assert_ne!(world.stranger(1).await, ada);
}

#[tokio::test]
async fn who_was_in_touch_stays_readable_and_goes_ninety_days_after_that() {
    let world = World::start().await;
    let (ada, ben) = (world.stranger(1).await, world.stranger(2).await);
    days(&world, 80).await;
    world.mint_today().await;
    assert_eq!(world.talked(1, "hello").await, ada);
    days(&world, 15).await;
    assert_eq!(world.left_of(&ben).await, Vec::<String>::new());
    assert!(
        world.left_of(&ada).await.len() >= 6,
        "the message of day 80 is there and opens"
    );
    assert!(world.keyring().salt(&ada).await.is_ok());
    days(&world, 74).await;
    assert!(!world.left_of(&ada).await.is_empty(), "day 169");
    days(&world, 3).await;
    assert_eq!(world.left_of(&ada).await, Vec::<String>::new());
}

/// From one look of the calendar to the next: the days between have nobody in them.
async fn quarters(world: &World, quarters: i64) {
    for _ in 0..quarters {
        world.wait(88 * DAY);
        let lately = world.now().day().plus(-3);
        world.requests().put_worked_off(lately).await.unwrap();
        world.work_off().await;
    }
}

/// Every day of them is looked at, when they are over.
async fn days_at_once(world: &World, days: i64) {
    world.wait(days * DAY);
    // One round has two minutes.
    for _ in 0..4 {
        world.work_off().await;
    }
}

#[tokio::test]
async fn who_said_something_is_forgotten_after_years_without_a_word_and_the_no_stays() {
    let world = World::start().await;
    let eve = world.stranger(3).await;
    let kim = world.agreed(4, &[Purpose::Utility]).await;
    world
        .says(&eve, Purpose::Marketing, Action::Withdrawn)
        .await;
    let refers = world.subjects().put_reference(&eve, "customer 3");
    refers.await.unwrap();
    assert!(world.is_blocked(3).await);
    let years = plan().people.days() / 88;
    quarters(&world, 3).await;
    // Written to, or written: what the calendar has seen it remembers when the message is long gone.
    world.mint_today().await;
    world.talked(4, "still here").await;
    quarters(&world, years - 3).await;
    assert!(!world.left_of(&eve).await.is_empty(), "not yet");
    days_at_once(&world, 180).await;
    assert_eq!(world.left_of(&eve).await, Vec::<String>::new());
    assert!(!world.left_of(&kim).await.is_empty(), "wrote in between");
    assert!(world.is_blocked(3).await, "the no is kept");
    let events = world.on_queue("app-events").await;
    let told = events
        .iter()
        .filter(|one| one["type"] == "subject.forgotten");
    let told: Vec<_> = told.map(|one| (&one["subject"], &one["ref"])).collect();
    assert_eq!(told, [(&json!(eve.as_str()), &json!("customer 3"))]);
    assert_ne!(world.stranger(3).await, eve);
    days_at_once(&world, 280).await;
    assert_eq!(world.left_of(&kim).await, Vec::<String>::new());
}

/// Nothing in their own row says it: an app wrote, and nobody answered.
#[tokio::test]
async fn who_was_written_to_was_in_touch() {
    let world = World::start().await;
    let (ada, ben) = (world.stranger(1).await, world.stranger(2).await);
    days_at_once(&world, 60).await;
    world.writes_to(&ada).await;
    days_at_once(&world, 28).await;
    days_at_once(&world, 10).await;
    assert!(!world.left_of(&ada).await.is_empty(), "day 98");
    assert_eq!(world.left_of(&ben).await, Vec::<String>::new());
    days_at_once(&world, 54).await;
    assert_eq!(world.left_of(&ada).await, Vec::<String>::new(), "day 152");
}

/// Whoever says yes after they were looked at is not forgotten by what was seen before.
#[tokio::test]
async fn who_speaks_while_they_are_looked_at_is_not_forgotten() {
    let world = World::start().await;
    let ada = world.stranger(1).await;
    let day = world.now().plus_millis(87 * DAY).day();
    let subjects = world.subjects();
    let [seen] = &subjects.noted_on(day).await.unwrap()[..] else {
        unreachable!("one is noted")
    };
    world
        .says(&ada, Purpose::Marketing, Action::Withdrawn)
        .await;
    assert!(!subjects.mark_forgotten(seen, world.now()).await.unwrap());
    let [seen] = &subjects.noted_on(day).await.unwrap()[..] else {
        unreachable!("one is noted")
    };
    assert!(seen.contact.has_spoken && !seen.is_marked);
    assert!(subjects.mark_forgotten(seen, world.now()).await.unwrap());
}

/// A run that ended after the mark: the next goes on, and the apps are told.
#[tokio::test]
async fn who_is_marked_is_forgotten_by_whoever_comes_to_it() {
    let world = World::start().await;
    let ada = world.agreed(1, &[Purpose::Utility]).await;
    let day = world.now().plus_millis(87 * DAY).day();
    let subjects = world.subjects();
    let noted = subjects.noted_on(day).await.unwrap();
    assert!(
        subjects
            .mark_forgotten(&noted[0], world.now())
            .await
            .unwrap()
    );
    days_at_once(&world, 88).await;
    assert_eq!(world.left_of(&ada).await, Vec::<String>::new());
    let events = world.on_queue("app-events").await;
    let told = events
        .iter()
        .filter(|one| one["type"] == "subject.forgotten");
    assert_eq!(told.count(), 1);
}

/// Somebody whose row names a key that cannot be: looked at tomorrow, for ever, and nobody waits for them.
#[tokio::test]
async fn who_cannot_be_looked_at_holds_up_nobody() {
    let world = World::start().await;
    let (ada, ben) = (world.stranger(1).await, world.stranger(2).await);
    world.damage(&ada).await;
    world.wait(DAY);
    let kim = world.stranger(3).await;
    world.wait(95 * DAY);
    // It is said that somebody could not be looked at.
    world.worker().await.handle(json!({})).await.unwrap_err();
    for _ in 0..3 {
        world.wait(DAY);
        world.worker().await.handle(json!({})).await.ok();
    }
    for gone in [&ben, &kim] {
        assert_eq!(world.left_of(gone).await, Vec::<String>::new());
    }
    assert!(!world.left_of(&ada).await.is_empty());
}

/// As if the table came from a backup: the rows of somebody who was forgotten since.
#[tokio::test]
async fn who_was_forgotten_is_forgotten_again_after_a_restore() {
    let world = World::start().await;
    let ada = world.stranger(1).await;
    let backup = world.backup().await;
    days(&world, 95).await;
    assert_eq!(world.left_of(&ada).await, Vec::<String>::new());
    world.restore(&backup).await;
    assert!(!world.left_of(&ada).await.is_empty());
    days(&world, 1).await;
    assert!(
        !world.left_of(&ada).await.is_empty(),
        "nobody looks there again"
    );
    let run = Task::Replay(RequestId::from_random([7; 12]));
    world.requests().plan(&run, world.now()).await.unwrap();
    world.work_off().await;
    assert_eq!(world.left_of(&ada).await, Vec::<String>::new());
}

/// A request that is taken back, or a restriction that ends, leaves nobody behind for ever.
#[tokio::test]
async fn a_stranger_whose_request_came_to_nothing_is_forgotten_like_any_other() {
    let world = World::start().await;
    let (ada, ben) = (world.stranger(1).await, world.stranger(2).await);
    world.ask(&ada).await;
    let open = world.requests().find_open(&ada, Right::Erasure).await;
    let taken_back = Task::Withdraw(open.unwrap().unwrap().id);
    world
        .requests()
        .plan(&taken_back, world.now())
        .await
        .unwrap();
    asks(&world, &ben, RESTRICT, 1).await;
    days(&world, 120).await;
    assert!(!world.left_of(&ben).await.is_empty(), "asked to be kept");
    asks(&world, &ben, Choice::Lift, 2).await;
    days(&world, 64).await;
    assert_eq!(world.left_of(&ada).await, Vec::<String>::new());
    assert_eq!(world.left_of(&ben).await, Vec::<String>::new());
}
