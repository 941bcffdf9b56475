//! Composes the webhook from its environment and serves it.

use std::convert::Infallible;

use bytes::Bytes;
use headgate_aws::{Aws, AwsSettings};
use headgate_lambda::clock::system_clock;
use headgate_lambda::runtime::{refuse_to_start, start};
use headgate_lambda::settings::Settings;
use lambda_http::{Body, Error, Request, service_fn};
use webhook::config::Config;
use webhook::{AwsPorts, Webhook};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start();
    let settings = Settings::from_environment();
    let config = Config::from_settings(&settings).map_err(|missing| refuse_to_start(&missing))?;
    let aws = Aws::new(&AwsSettings::new(settings.lookup())?)?;
    let webhook = Webhook::new(AwsPorts::new(&aws, &config), system_clock())
        .await
        .map_err(|error| refuse_to_start(&error))?;
    let webhook = &webhook;
    lambda_http::run(service_fn(async move |request: Request| {
        // The bytes as they were on the wire: `lambda_http` has undone the base64.
        let request = request.map(|body| Bytes::copy_from_slice(&body));
        let response = webhook.handle(request).await;
        // Every body of ours is ASCII; as text it needs no base64 on its way out.
        Ok::<_, Infallible>(
            response.map(|body| Body::from(String::from_utf8_lossy(&body).into_owned())),
        )
    }))
    .await
}
