//! Why a record cannot go on: policy said no, or we could not.

use headgate_aws::AwsError;
use headgate_aws::keyring::KeyringError;
use headgate_aws::poison::PoisonError;
use headgate_domain::refusal::{Code, Refusal};
use headgate_redact::LogSafe;

/// We could not; the record comes again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IntakeError {
    /// The queue is none that intake was told about, so nobody knows what its records mean.
    #[error("the record comes from a queue that intake does not read")]
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
    /// Another delivery has the record of this id in hand.
    #[error("the record is being written")]
    RecordInMotion,
    /// The handling of the record panicked.
    #[error("handling the record panicked")]
    Panicked,
    /// The queue that only our own functions write to holds something else.
    #[error("the record is not a system message")]
    NotSystem,
    /// A letter that was put back from a dead-letter queue does not prove where it comes from.
    #[error("the letter was not opened")]
    Letter,
    /// The person's row is being written or erased at this moment.
    #[error("the subject is being changed")]
    SubjectInMotion,
}

/// Consists of texts of ours and of AWS's error names.
impl LogSafe for IntakeError {}

impl From<PoisonError> for IntakeError {
    fn from(error: PoisonError) -> Self {
        match error {
            PoisonError::Keys(error) => Self::Keys(error),
            PoisonError::Aws(error) => Self::Aws(error),
        }
    }
}

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
