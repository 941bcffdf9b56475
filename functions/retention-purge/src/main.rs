//! Composes the purge from its environment and serves it.

use headgate_lambda::clock::system_clock;
use headgate_lambda::runtime::{refuse_to_start, serve, start};
use headgate_lambda::settings::Settings;
use retention_purge::{PurgeError, RetentionPurge};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start();
    let purge = RetentionPurge::new(&Settings::from_environment(), system_clock())
        .await
        .map_err(|error| refuse_to_start(&error))?;
    let purge = &purge;
    // Boxed: the layout of everything a run may wait for is more than the compiler follows here.
    serve(async move |event, _deadline| {
        let manifest = Box::pin(purge.handle(event)).await?;
        Ok::<String, PurgeError>(manifest.text())
    })
    .await
}
