//! Starts a local cloud from the fixtures and makes the SDK clients that talk to it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by test binaries that each use a part; tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::TokioSleep;
use local_cloud::{Calendar, LocalCloud, Options, Service};

pub fn options(data_dir: Option<PathBuf>) -> Options {
    Options {
        template: include_str!("../fixtures/template.yaml").to_owned(),
        nested: [(
            "infra/data.yaml".to_owned(),
            include_str!("../fixtures/data.yaml").to_owned(),
        )]
        .into(),
        parameters: BTreeMap::new(),
        data_dir,
        first_port: None,
        calendar: Calendar::at_fixed_morning(),
    }
}

pub async fn cloud() -> LocalCloud {
    LocalCloud::start(options(None)).await.unwrap()
}

macro_rules! client {
    ($name:ident, $sdk:ident, $service:expr) => {
        pub fn $name(cloud: &LocalCloud) -> $sdk::Client {
            let config = $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .credentials_provider(Credentials::new("local", "local", None, None, "test"))
                .region(aws_types::region::Region::new("eu-west-1"))
                .endpoint_url(cloud.endpoint($service))
                .http_client(aws_smithy_http_client::Builder::new().build_http())
                .sleep_impl(TokioSleep::new())
                .build();
            $sdk::Client::from_conf(config)
        }
    };
}

client!(dynamodb, aws_sdk_dynamodb, Service::Dynamodb);
client!(sqs, aws_sdk_sqs, Service::Sqs);
client!(kms, aws_sdk_kms, Service::Kms);
client!(secrets, aws_sdk_secretsmanager, Service::SecretsManager);
client!(eventbridge, aws_sdk_eventbridge, Service::EventBridge);

/// With checksums as headers where an operation demands them, and no streamed bodies.
pub fn s3(cloud: &LocalCloud) -> aws_sdk_s3::Client {
    s3_as(cloud, "local")
}

/// The same, signing with another secret.
pub fn s3_as(cloud: &LocalCloud, secret: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .credentials_provider(Credentials::new("local", secret, None, None, "test"))
        .region(aws_types::region::Region::new("eu-west-1"))
        .endpoint_url(cloud.endpoint(Service::S3))
        .request_checksum_calculation(aws_sdk_s3::config::RequestChecksumCalculation::WhenRequired)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .sleep_impl(TokioSleep::new())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}
