//! What a local cloud is started with, and the services it has.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::Calendar;

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The text of the root template.
    pub template: String,
    /// Location as the root template has it (`infra/data.yaml`) → text of the nested template.
    pub nested: BTreeMap<String, String>,
    /// Values for parameters of the root template.
    pub parameters: BTreeMap<String, String>,
    /// Where state is kept; in memory if absent.
    pub data_dir: Option<PathBuf>,
    /// The first of the ports, counted up in a fixed order; any free ones if absent.
    pub first_port: Option<u16>,
    /// The time that schedules and events go by.
    pub calendar: Calendar,
}

/// A service with an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// DynamoDB.
    Dynamodb,
    /// SQS.
    Sqs,
    /// KMS.
    Kms,
    /// Secrets Manager.
    SecretsManager,
    /// EventBridge.
    EventBridge,
    /// S3.
    S3,
}

impl Service {
    /// All services, in the order of their ports.
    pub const ALL: [Self; 6] = [
        Self::Dynamodb,
        Self::Sqs,
        Self::Kms,
        Self::SecretsManager,
        Self::EventBridge,
        Self::S3,
    ];

    /// The name in `AWS_ENDPOINT_URL_<name>`.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Dynamodb => "DYNAMODB",
            Self::Sqs => "SQS",
            Self::Kms => "KMS",
            Self::SecretsManager => "SECRETS_MANAGER",
            Self::EventBridge => "EVENTBRIDGE",
            Self::S3 => "S3",
        }
    }
}
