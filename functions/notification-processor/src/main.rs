//! The function as Lambda runs it: settings from the environment, the machine's clock, batches.

use headgate_lambda::clock::system_clock;
use headgate_lambda::runtime::{refuse_to_start, serve, start};
use headgate_lambda::settings::Settings;
use notification_processor::NotificationProcessor;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    start();
    let settings = Settings::from_environment();
    let processor = match NotificationProcessor::new(&settings, system_clock()).await {
        Ok(processor) => processor,
        Err(why) => return Err(refuse_to_start(&why)),
    };
    serve(async |event, _deadline| Ok::<_, &'static str>(Box::pin(processor.handle(event)).await))
        .await
}
