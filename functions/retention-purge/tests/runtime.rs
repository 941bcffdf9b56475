//! The purge's binary under Lambda's Runtime API: it answers, or refuses to start (I5).

use headgate_lambda::clock::system_clock;
use headgate_testkit::{Running, events, refusals, stage};

const BINARY: &str = env!("CARGO_BIN_EXE_retention-purge");

#[tokio::test]
async fn a_scheduled_run_mints_the_keys_of_the_days_ahead_and_leaves_evidence() {
    let stage = stage().await;
    let purge = Running::start(BINARY, &stage.environment("RetentionPurgeFunction")).await;
    let today = system_clock()().day();
    purge.invoke(events::scheduled()).await;
    let tomorrow = format!("day#{}", today.plus(1));
    assert!(
        !stage.places_with(&tomorrow).await.is_empty(),
        "{}",
        purge.output()
    );
    assert!(
        !stage.places_with("headgate/purge/").await.is_empty(),
        "{}",
        purge.output()
    );
}

#[tokio::test]
async fn without_a_setting_it_does_not_start() {
    refusals::without_a_setting(BINARY, "retention-purge").await;
}
