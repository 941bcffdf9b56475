//! What comes of a piece of work: effects still to be carried out, or a failure.
//!
//! Owns the two ways in which an update does not succeed. A [`Failure`] is ours: the record goes
//! back to the queue, and all that was done so far may be done again. [`Poison`] will never
//! succeed: it is set aside, and the rest of the notification goes on.

use headgate_aws::AwsError;
use headgate_aws::keyring::KeyringError;
use headgate_domain::event::Event;
use headgate_domain::identity::Pseudonym;
use headgate_lambda::runtime::Panicked;
use headgate_redact::{LogSafe, Personal};

use crate::statuses::Move;

/// We could not; the notification is handed over again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// A call to AWS failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A key or a sealed value was not available.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Something panicked; where is in the log.
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// Consists of errors whose texts are safe.
impl LogSafe for Failure {}

/// Something nobody can act on.
pub(crate) struct Poison {
    /// A word of a closed list.
    pub(crate) reason: &'static str,
    /// What is wrong, in words of ours.
    pub(crate) why: &'static str,
    /// Its position among the updates; absent when the whole notification is meant.
    pub(crate) index: Option<usize>,
    /// How the content is encoded, when it is not plain.
    pub(crate) encoding: Option<&'static str>,
    /// What is to be kept.
    pub(crate) content: Personal<String>,
}

/// What an update leaves to be done once all updates have been looked at.
#[derive(Default)]
pub(crate) struct Effects {
    /// Events that are ready.
    pub(crate) events: Vec<Event>,
    /// Records that moved and whose payload must be opened before they can be published.
    pub(crate) moves: Vec<Move>,
    /// Inbound messages that are done once the events are out.
    pub(crate) done: Vec<Pseudonym>,
    /// What was set aside.
    pub(crate) poison: Vec<Poison>,
    /// What was recognised as known already, or as not ours.
    pub(crate) ignored: usize,
}

impl Effects {
    pub(crate) fn append(&mut self, other: Self) {
        self.events.extend(other.events);
        self.moves.extend(other.moves);
        self.done.extend(other.done);
        self.poison.extend(other.poison);
        self.ignored = self.ignored.saturating_add(other.ignored);
    }
}
