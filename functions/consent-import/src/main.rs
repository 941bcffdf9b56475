//! Composes the import from its environment and serves it.

use consent_import::ConsentImport;
use headgate_lambda::batch::{BatchResponse, SqsEvent};
use headgate_lambda::clock::system_clock;
use headgate_lambda::runtime::{refuse_to_start, serve, start};
use headgate_lambda::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start();
    let clock = system_clock();
    let import = ConsentImport::new(&Settings::from_environment(), clock.clone())
        .await
        .map_err(|error| refuse_to_start(&error))?;
    let (import, clock) = (&import, &clock);
    // Boxed: the future of a block is large.
    Box::pin(serve(async move |event: SqsEvent, deadline| {
        let time_left = clock().until(deadline);
        Ok::<BatchResponse, &'static str>(Box::pin(import.handle(event, time_left)).await)
    }))
    .await
}
