//! Composes the webhook from its environment and serves it.

use headgate_aws::{Aws, AwsSettings};
use headgate_lambda::clock::system_clock;
use headgate_lambda::http::serve;
use headgate_lambda::runtime::{refuse_to_start, start};
use headgate_lambda::settings::Settings;
use webhook::config::Config;
use webhook::{AwsPorts, Webhook};

/// A ninth fewer instructions per webhook than with the system's allocator, counted by callgrind.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start();
    let settings = Settings::from_environment();
    let config = Config::from_settings(&settings).map_err(|missing| refuse_to_start(&missing))?;
    let aws = AwsSettings::new(settings.lookup())
        .and_then(|found| Aws::new(&found))
        .map_err(|error| refuse_to_start(&error))?;
    let ports = AwsPorts::new(&aws, &config);
    let webhook = Webhook::new(ports, config.callers, system_clock())
        .await
        .map_err(|error| refuse_to_start(&error))?;
    serve(|request| webhook.handle(request)).await
}
