//! People of whom nothing was known are forgotten with everything their row would leave behind.

use headgate_domain::consent::Action;
use headgate_domain::lane::Purpose;
use headgate_domain::time::{DAY, HOUR};

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
async fn who_was_in_touch_stays_readable_and_who_said_something_stays() {
    let world = World::start().await;
    let (ada, ben) = (world.stranger(1).await, world.stranger(2).await);
    let eve = world.stranger(3).await;
    world
        .says(&eve, Purpose::Marketing, Action::Withdrawn)
        .await;
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
    let left = world.left_of(&eve).await;
    assert!(left.iter().all(|place| !place.contains("/F#")), "{left:?}");
    days(&world, 260).await;
    assert!(!world.left_of(&eve).await.is_empty(), "a no is kept");
    world.wait(HOUR);
}
