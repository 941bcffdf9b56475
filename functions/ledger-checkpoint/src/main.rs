//! Composes the checkpoint function from its environment and serves it.

use headgate_lambda::clock::system_clock;
use headgate_lambda::runtime::{refuse_to_start, serve, start};
use headgate_lambda::settings::Settings;
use ledger_checkpoint::LedgerCheckpoint;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start();
    let checkpoint = LedgerCheckpoint::new(&Settings::from_environment(), system_clock())
        .await
        .map_err(|error| refuse_to_start(&error))?;
    let checkpoint = &checkpoint;
    serve(move |event, _deadline| Box::pin(checkpoint.handle(event))).await
}
