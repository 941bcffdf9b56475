//! Composes the worker from its environment and serves it.

use headgate_lambda::clock::system_clock;
use headgate_lambda::runtime::{refuse_to_start, serve, start};
use headgate_lambda::settings::Settings;
use privacy_worker::PrivacyWorker;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start();
    let worker = PrivacyWorker::new(&Settings::from_environment(), system_clock())
        .await
        .map_err(|error| refuse_to_start(&error))?;
    let worker = &worker;
    serve(async move |event, _deadline| Box::pin(worker.handle(event)).await).await
}
