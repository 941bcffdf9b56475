//! What comes of a piece of work: effects still to be carried out, or a failure.
//!
//! Owns the two ways in which an update does not succeed. A [`Failure`] is ours: the record goes
//! back to the queue, and all that was done so far may be done again. [`Poison`] will never
//! succeed: it is set aside, and the rest of the notification goes on.

use std::collections::BTreeMap;

use headgate_aws::AwsError;
use headgate_aws::keyring::KeyringError;
use headgate_domain::event::Event;
use headgate_domain::identity::{Pseudonym, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::privacy::Ask;
use headgate_domain::risk::Counts;
use headgate_domain::system::SystemMessage;
use headgate_domain::time::Timestamp;
use headgate_lambda::runtime::Panicked;
use headgate_redact::{LogSafe, Personal};
use headgate_webhook::overflow::ObjectKey;

use crate::controls::Stopped;
use crate::statuses::Move;
use crate::updates::Step;

/// We could not; the notification is handed over again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// A call to AWS failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A key or a sealed value was not available.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// What is kept about one person does not open, and will not another time either.
    #[error("what is kept about a person does not open")]
    Person,
    /// It is from before the person was erased, and must not bring them back.
    #[error("from before the person was erased")]
    Erased,
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
    /// What people are answered.
    pub(crate) answers: Vec<SystemMessage>,
    /// What people ask about their own data.
    pub(crate) asks: Vec<Ask>,
    /// Records that moved and whose payload must be opened before they can be published.
    pub(crate) moves: Vec<Move>,
    /// Inbound messages that are done once the events are out.
    pub(crate) done: Vec<Pseudonym>,
    /// What was set aside.
    pub(crate) poison: Vec<Poison>,
    /// Messages that came in, by number.
    pub(crate) inbound: BTreeMap<String, u64>,
    /// What became of messages, by number.
    pub(crate) counts: BTreeMap<String, Counts>,
    /// What codes of failed messages stop, and when the last of them was.
    pub(crate) stopped: BTreeMap<(Stopped, &'static str), Timestamp>,
    /// Who was reached, with what, when.
    pub(crate) reached: Vec<(SubjectId, Purpose, Timestamp)>,
    /// Where the notification itself is stored, to be deleted last.
    pub(crate) stored: Option<ObjectKey>,
    /// What was recognised as known already, or as not ours.
    pub(crate) ignored: usize,
}

impl Effects {
    pub(crate) fn append(&mut self, other: Self) {
        self.events.extend(other.events);
        self.answers.extend(other.answers);
        self.asks.extend(other.asks);
        self.moves.extend(other.moves);
        self.done.extend(other.done);
        self.poison.extend(other.poison);
        for (number, messages) in other.inbound {
            let sum = self.inbound.entry(number).or_default();
            *sum = sum.saturating_add(messages);
        }
        for (number, counts) in other.counts {
            self.count(&number, &counts);
        }
        for (stopped, at) in other.stopped {
            let last = self.stopped.entry(stopped).or_insert(at);
            *last = at.max(*last);
        }
        self.reached.extend(other.reached);
        self.stored = self.stored.take().or(other.stored);
        self.ignored = self.ignored.saturating_add(other.ignored);
    }

    /// Adds to the counters of a number.
    pub(crate) fn count(&mut self, number: &str, more: &Counts) {
        let counts = self.counts.entry(number.to_owned()).or_default();
        *counts = counts.plus(more);
    }
}

/// What is set aside, and the rest goes on, when another time would be no better.
pub(crate) fn hopeless(step: &Step, failure: &Failure, again: bool) -> Option<Poison> {
    let why = match failure {
        Failure::Person => "what is kept about the person does not open",
        // Once may be chance; a second time it is the update.
        Failure::Panicked(_) if again => "it could not be dealt with twice",
        Failure::Panicked(_) | Failure::Aws(_) | Failure::Keyring(_) | Failure::Erased => {
            return None;
        }
    };
    let (content, index) = match step {
        Step::Inbound(message, index) => (&message.raw, Some(*index)),
        Step::Status(status) => (&status.raw, None),
        Step::Preference(preference) => (&preference.raw, None),
        Step::Notice(notice) => (&notice.value, None),
    };
    Some(Poison {
        reason: "not_handled",
        why,
        index,
        encoding: None,
        content: content.clone(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;
    use crate::hearing::tests::inbound;

    #[test]
    fn only_what_another_time_will_not_mend_is_set_aside() {
        let step = Step::Inbound(inbound("text", "hello", None, "+16135550100"), 4);
        let aside = |failure: Failure, again| hopeless(&step, &failure, again);
        let poison = aside(Failure::Person, false).unwrap();
        assert_eq!((poison.reason, poison.index), ("not_handled", Some(4)));
        assert!(aside(Failure::Panicked(Panicked), true).is_some());
        assert!(aside(Failure::Panicked(Panicked), false).is_none());
        for ours in [
            Failure::Keyring(KeyringError::NoKey),
            Failure::Aws(AwsError::new("GetItem", "InternalServerError")),
        ] {
            assert!(aside(ours, true).is_none());
        }
    }
}
