//! Poison: a record that can never succeed and is no refusal is set aside, sealed, with its reason;
//! and what an operator puts back is judged afresh (docs/operations.md).
//!
//! Owns what counts as poison here. Our own failures do not, until the queue is about to give up
//! on the message by itself: then it is better sealed than moved as it is. A letter that comes back
//! proves its producer by its seal, so redriving gives nobody anybody else's permissions.

use std::borrow::Cow;

use headgate_aws::keyring::KeyringError;
use headgate_aws::poison::{Letter, Poison, SCHEMA, Sender, set_aside};
use headgate_aws::queue::Queue;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsRecord;
use headgate_lambda::log::{Field, Level, log};
use headgate_redact::Personal;

use crate::Intake;
use crate::config::{Origin, Source};
use crate::error::IntakeError;
use crate::outbound::producer;

/// A panic may come of what was going on beside it; a third one comes of the record.
const PANICS: u32 = 3;
/// The queues give up after 100 receives and move the message as it is: we are a little faster.
const EXHAUSTED: u32 = 90;

/// Why a failure is poison, as a word and a sentence; `None` when the record comes again.
const fn verdict(error: &IntakeError, receives: u32) -> Option<(&'static str, &'static str)> {
    match error {
        IntakeError::NotSystem => Some((
            "not_system",
            "The system queue holds something that is not a system message.",
        )),
        IntakeError::Letter => Some((
            "unreadable",
            "A letter that was put back does not open, or belongs to another queue.",
        )),
        IntakeError::Damaged => Some((
            "damaged",
            "What is stored about this message's id cannot be read.",
        )),
        IntakeError::Keys(KeyringError::NotOpened) => Some((
            "damaged",
            "A sealed value that this message needs does not open.",
        )),
        IntakeError::Panicked if receives >= PANICS => {
            Some(("panicked", "Handling the message panicked every time."))
        }
        // Which queue it should go to is what nobody knows.
        IntakeError::UnknownQueue => None,
        IntakeError::Panicked
        | IntakeError::Keys(
            KeyringError::PastRetention | KeyringError::NoKey | KeyringError::Aws(_),
        )
        | IntakeError::Aws(_)
        | IntakeError::Slow
        | IntakeError::RecordInMotion
        | IntakeError::SubjectInMotion => {
            if receives >= EXHAUSTED {
                Some((
                    "exhausted",
                    "The message was tried until its queue would have given up.",
                ))
            } else {
                None
            }
        }
    }
}

impl Intake {
    /// Sets a record aside if its failure is poison; then it is done, and otherwise it comes again.
    pub(crate) async fn quarantine(
        &self,
        record: &SqsRecord,
        error: IntakeError,
    ) -> Result<(), IntakeError> {
        let receives = record.receive_count();
        let Some((reason, why)) = verdict(&error, receives) else {
            return Err(error);
        };
        let Some(source) = self.queues.of(&record.event_source_arn) else {
            return Err(error);
        };
        let now = (self.clock)();
        let poison = Poison {
            source: source.origin.word(),
            reason,
            why,
            message_id: Some(record.message_id.clone()),
            record: None,
            sender: Some(Sender {
                producer: producer(record).to_owned(),
                sent_at: record.sent_at().unwrap_or(now),
            }),
            receives: Some(receives),
            index: None,
            encoding: None,
            content: Personal::new(record.body.clone()),
        };
        let queue = Queue::new(&self.aws, &source.dead_letters);
        set_aside(&queue, self.keyring(), &poison, now).await?;
        log(
            Level::Error,
            "record_quarantined",
            &[
                ("reason", Field::code(reason)),
                ("queue", Field::code(source.origin.word())),
                ("receives", Field::number(i64::from(receives))),
            ],
        );
        Ok(())
    }

    /// The record as it was first sent, if it is a letter that was put back; `None` when the letter
    /// can no longer be read by anybody.
    pub(crate) async fn unsealed<'a>(
        &self,
        record: &'a SqsRecord,
        source: &Source,
        now: Timestamp,
    ) -> Result<Option<Cow<'a, SqsRecord>>, IntakeError> {
        if !record.body.contains(SCHEMA) {
            return Ok(Some(Cow::Borrowed(record)));
        }
        let Some(letter) = Letter::parse(&record.body) else {
            return Ok(Some(Cow::Borrowed(record)));
        };
        let Some(sender) = &letter.sender else {
            return Err(IntakeError::Letter);
        };
        if letter.source != source.origin.word() || letter.parts > 1 {
            return Err(IntakeError::Letter);
        }
        let opened = match letter.open(self.keyring(), now).await {
            Ok(opened) => opened,
            Err(KeyringError::PastRetention) => {
                let queue = Field::code(source.origin.word());
                log(Level::Warn, "letter_past_retention", &[("queue", queue)]);
                return Ok(None);
            }
            Err(KeyringError::NotOpened | KeyringError::NoKey) => return Err(IntakeError::Letter),
            Err(error @ KeyringError::Aws(_)) => return Err(error.into()),
        };
        let body =
            String::from_utf8(opened.into_revealed()).map_err(|_bytes| IntakeError::Letter)?;
        let mut first = record.clone();
        first.body = body;
        first.attributes.sender_id = Some(sender.producer.clone());
        first.attributes.sent_timestamp = Some(sender.sent_at.millis().to_string());
        Ok(Some(Cow::Owned(first)))
    }

    /// What the queue of a record carries.
    pub(crate) fn source(&self, record: &SqsRecord) -> Option<&Source> {
        self.queues.of(&record.event_source_arn)
    }

    /// Whether a record is an app's message.
    pub(crate) fn is_of_a_lane(&self, record: &SqsRecord) -> bool {
        self.source(record)
            .is_some_and(|source| matches!(source.origin, Origin::Lane(_)))
    }
}

#[cfg(test)]
mod tests {
    use headgate_aws::AwsError;

    use super::*;

    #[test]
    fn our_own_failure_is_poison_only_before_the_queue_gives_up() {
        let outage = IntakeError::Aws(AwsError::new("PutItem", "unreachable"));
        assert_eq!(verdict(&outage, 89), None);
        assert_eq!(
            verdict(&outage, 90).map(|(reason, _)| reason),
            Some("exhausted")
        );
        assert_eq!(verdict(&IntakeError::UnknownQueue, 99), None);
    }

    #[test]
    fn a_panic_is_poison_the_third_time_and_damage_at_once() {
        assert_eq!(verdict(&IntakeError::Panicked, 2), None);
        assert_eq!(
            verdict(&IntakeError::Panicked, 3).map(|(reason, _)| reason),
            Some("panicked")
        );
        for damage in [
            IntakeError::Damaged,
            IntakeError::Keys(KeyringError::NotOpened),
        ] {
            assert_eq!(
                verdict(&damage, 1).map(|(reason, _)| reason),
                Some("damaged")
            );
        }
    }
}
