//! How a client for an AWS service is made: credentials from the function's environment, one HTTP
//! stack (hyper 1, rustls, ring), Amazon's own roots embedded, a timeout on everything.
//!
//! Made by hand rather than by `aws-config`: loading the system's root certificates is nine tenths
//! of an SDK's start, and no function needs profiles, SSO or instance metadata.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use headgate_domain::profiles::ProcessingRegion;

use crate::AwsError;

/// Amazon Root CA 1–4 and Starfield Services Root G2 (amazontrust.com/repository, read 2026-11).
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Where AWS is and who we are, by the environment variables every AWS SDK knows.
#[derive(Clone, Default)]
pub struct AwsSettings {
    region: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    endpoints: Vec<(&'static str, String)>,
}

const ENDPOINTS: [&str; 6] = [
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_EVENTBRIDGE",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_SQS",
];

impl AwsSettings {
    /// Reads the standard variables through `lookup`.
    ///
    /// # Errors
    /// [`AwsError`] that names the variable which is missing.
    pub fn new(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, AwsError> {
        let need = |name: &'static str| {
            lookup(name)
                .filter(|v| !v.trim().is_empty())
                .ok_or_else(|| AwsError::new("reading the AWS settings", name))
        };
        Ok(Self {
            region: need("AWS_REGION")?,
            access_key_id: need("AWS_ACCESS_KEY_ID")?,
            secret_access_key: need("AWS_SECRET_ACCESS_KEY")?,
            session_token: lookup("AWS_SESSION_TOKEN").filter(|t| !t.is_empty()),
            endpoints: ENDPOINTS
                .into_iter()
                .filter_map(|name| {
                    lookup(name)
                        .or_else(|| lookup("AWS_ENDPOINT_URL"))
                        .filter(|u| !u.is_empty())
                        .map(|u| (name, u))
                })
                .collect(),
        })
    }
}

impl AwsSettings {
    /// The region everything runs in, for the rules that ask where data is.
    ///
    /// # Errors
    /// [`AwsError`] when the variable is no region's name: whom it may serve cannot be told then.
    pub fn region(&self) -> Result<ProcessingRegion, AwsError> {
        ProcessingRegion::parse(&self.region)
            .map_err(|_no_region| AwsError::new("reading the AWS settings", "AWS_REGION"))
    }
}

/// The connection to AWS that every client of a process shares.
#[derive(Clone)]
pub struct Aws {
    config: SdkConfig,
    endpoints: Vec<(&'static str, String)>,
}

impl Aws {
    /// Connects lazily: nothing is sent before the first call.
    ///
    /// # Errors
    /// [`AwsError`] if the embedded roots cannot be read.
    pub fn new(settings: &AwsSettings) -> Result<Self, AwsError> {
        let tls = TlsContext::builder()
            .with_trust_store(TrustStore::empty().with_pem_certificate(AMAZON_ROOTS))
            .build()
            .map_err(|_roots| AwsError::new("reading the embedded roots", "unreadable"))?;
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(tls)
            .build_https();
        let credentials = Credentials::from_keys(
            settings.access_key_id.clone(),
            settings.secret_access_key.clone(),
            settings.session_token.clone(),
        );
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(5))
            .operation_timeout(Duration::from_secs(15))
            .build();
        let config = SdkConfig::builder()
            .behavior_version(
                aws_smithy_runtime_api::client::behavior_version::BehaviorVersion::latest(),
            )
            .region(Region::new(settings.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SharedTimeSource::new(SystemTimeSource::new()))
            .retry_config(RetryConfig::standard().with_max_attempts(4))
            .timeout_config(timeouts)
            // An attempt ends after five seconds whether its stream moves or not, and every call would pay.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(http)
            .build();
        Ok(Self {
            config,
            endpoints: settings.endpoints.clone(),
        })
    }

    /// The configuration for one service, with its endpoint if one is set.
    #[cfg_attr(
        not(feature = "sqs"),
        allow(dead_code, reason = "each feature uses it")
    )]
    pub(crate) fn for_service(&self, endpoint: &str) -> SdkConfig {
        let url = self
            .endpoints
            .iter()
            .find(|(name, _)| *name == endpoint)
            .map(|(_, url)| url.clone());
        url.map_or_else(
            || self.config.clone(),
            |url| self.config.clone().into_builder().endpoint_url(url).build(),
        )
    }

    /// The region everything is in.
    #[cfg(feature = "dynamodb")]
    pub(crate) fn region(&self) -> &str {
        self.config.region().map_or("", AsRef::as_ref)
    }

    /// A DynamoDB client.
    #[cfg(feature = "dynamodb")]
    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.for_service("AWS_ENDPOINT_URL_DYNAMODB"))
    }

    /// An EventBridge client.
    #[cfg(feature = "events")]
    pub(crate) fn eventbridge(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.for_service("AWS_ENDPOINT_URL_EVENTBRIDGE"))
    }

    /// A KMS client.
    #[cfg(feature = "kms")]
    pub(crate) fn kms(&self) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.for_service("AWS_ENDPOINT_URL_KMS"))
    }

    /// A Secrets Manager client.
    #[cfg(feature = "secrets")]
    pub(crate) fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.for_service("AWS_ENDPOINT_URL_SECRETS_MANAGER"))
    }

    /// An SQS client.
    #[cfg(feature = "sqs")]
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.for_service("AWS_ENDPOINT_URL_SQS"))
    }
}
