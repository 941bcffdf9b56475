//! Composes intake from its environment and serves it.

use headgate_lambda::batch::{BatchResponse, SqsEvent};
use headgate_lambda::clock::system_clock;
use headgate_lambda::runtime::{refuse_to_start, serve, start};
use headgate_lambda::settings::Settings;
use intake::Intake;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start();
    let settings = Settings::from_environment();
    let intake = Intake::new(&settings, system_clock())
        .await
        .map_err(|error| refuse_to_start(&error))?;
    let intake = &intake;
    // Boxed: the future of a batch is 36 kB.
    Box::pin(serve(async move |event: SqsEvent, _deadline| {
        Ok::<BatchResponse, &'static str>(intake.handle(event).await)
    }))
    .await
}
