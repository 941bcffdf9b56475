//! The `sender` function: composes the pacer and serves wakes.

use std::time::Duration;

use headgate_domain::time::Timestamp;
use headgate_lambda::clock::system_clock;
use headgate_lambda::runtime::{refuse_to_start, serve, start};
use headgate_lambda::settings::Settings;
use sender::Sender;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start();
    let clock = system_clock();
    let sender = Sender::new(&Settings::from_environment(), clock.clone())
        .await
        .map_err(|why| refuse_to_start(&why))?;
    serve(|event, deadline: Timestamp| {
        let (sender, time_left): (Sender, Duration) = (sender.clone(), clock().until(deadline));
        async move { Box::pin(sender.handle(event, time_left)).await }
    })
    .await
}
