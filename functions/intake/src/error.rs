//! Why a record cannot go on: policy said no, or we could not.

use headgate_aws::AwsError;
use headgate_aws::keyring::KeyringError;
use headgate_domain::refusal::{Code, Refusal};
use headgate_redact::LogSafe;

/// We could not; the record comes again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IntakeError {
    /// The queue is none that intake was told about, so nobody knows what its records mean.
    #[error("the record comes from a queue that is neither a lane nor the consents queue")]
    UnknownQueue,
    /// A key or a sealed value.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// A table, queue or bus.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The outbox write took so long that cursors may have passed its place.
    #[error("the outbox write took too long")]
    Slow,
    /// The idempotency item holds something else than a record reference.
    #[error("the idempotency item is damaged")]
    Damaged,
    /// The person's row is being written or erased at this moment.
    #[error("the subject is being changed")]
    SubjectInMotion,
}

/// Consists of texts of ours and of AWS's error names.
impl LogSafe for IntakeError {}

/// What ends the handling of a record early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Policy said no: a value, answered by an event.
    Refused(Refusal),
    /// We could not.
    Failed(IntakeError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Code> for Stop {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

impl From<IntakeError> for Stop {
    fn from(error: IntakeError) -> Self {
        Self::Failed(error)
    }
}

impl From<KeyringError> for Stop {
    fn from(error: KeyringError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<AwsError> for Stop {
    fn from(error: AwsError) -> Self {
        Self::Failed(error.into())
    }
}
