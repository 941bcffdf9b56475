//! The function's binary under Lambda's Runtime API: it answers, or refuses to start (I5).

use headgate_testkit::{Running, events, refusals, stage};

const BINARY: &str = env!("CARGO_BIN_EXE_ledger-checkpoint");

#[tokio::test]
async fn a_scheduled_run_leaves_a_checkpoint() {
    let stage = stage().await;
    let function = Running::start(BINARY, &stage.environment("LedgerCheckpointFunction")).await;
    function.invoke(events::scheduled()).await;
    assert!(
        !stage
            .places_with("headgate/ledger/maple-stage")
            .await
            .is_empty(),
        "{}",
        function.output()
    );
}

#[tokio::test]
async fn without_a_setting_it_does_not_start() {
    refusals::without_a_setting(BINARY, "ledger-checkpoint").await;
}
