//! Composes the HTTP API for consents from its environment and serves it.

use consent_api::ConsentApi;
use headgate_lambda::clock::system_clock;
use headgate_lambda::http::serve;
use headgate_lambda::runtime::{refuse_to_start, start};
use headgate_lambda::settings::Settings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start();
    let api = ConsentApi::new(&Settings::from_environment(), system_clock())
        .await
        .map_err(|error| refuse_to_start(&error))?;
    Box::pin(serve(|request| api.handle(request))).await
}
