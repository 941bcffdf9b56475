//! Composes the public pages from their environment and serves them.

use headgate_lambda::clock::system_clock;
use headgate_lambda::http::serve_visits;
use headgate_lambda::runtime::{refuse_to_start, start};
use headgate_lambda::settings::Settings;
use privacy_web::PrivacyWeb;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start();
    let pages = PrivacyWeb::new(&Settings::from_environment(), system_clock())
        .await
        .map_err(|error| refuse_to_start(&error))?;
    Box::pin(serve_visits(|request| pages.handle(request))).await
}
