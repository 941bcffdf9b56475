//! What can go wrong at AWS, in words that are safe to log.
//!
//! SDK errors quote requests; this keeps only which call failed and AWS's own name for why.

use aws_smithy_runtime_api::client::result::SdkError;

/// A call to AWS failed; nothing of the request is in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed: {kind}")]
pub struct AwsError {
    operation: &'static str,
    kind: String,
}

/// The call's name and AWS's word for what went wrong.
impl headgate_redact::LogSafe for AwsError {}

impl AwsError {
    /// An error of an operation, with AWS's name for it or our own.
    pub fn new(operation: &'static str, kind: &str) -> Self {
        // AWS's error codes are short words; anything else could be a quote of what was sent.
        let is_word = kind.len() <= 64
            && kind
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.- ".contains(&b));
        Self {
            operation,
            kind: if is_word {
                kind.to_owned()
            } else {
                "unnamed".to_owned()
            },
        }
    }

    /// Whether AWS gave this name.
    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind
    }

    /// The call that failed.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// The error of an SDK call.
    pub(crate) fn of<E, R>(operation: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: aws_smithy_types::error::metadata::ProvideErrorMetadata,
    {
        let kind = match error {
            SdkError::ServiceError(e) => e.err().code().unwrap_or("service error"),
            SdkError::TimeoutError(_) => "timeout",
            SdkError::DispatchFailure(_) => "unreachable",
            SdkError::ResponseError(_) => "unreadable response",
            SdkError::ConstructionFailure(_) | _ => "request not built",
        };
        Self::new(operation, kind)
    }
}
