//! A control message on a lane: the app takes a message back.
//!
//! Owns the order: look whether the message is being sent, move it, look again. The sender writes its claim
//! before it reads the record for the last time, so one of the two looks meets the claim of a message
//! that leaves, or the sender meets the cancellation. Promises: the app is told what became of
//! it, once for each cancellation however often it is delivered; nobody learns of a message that is
//! not their own. Remembers nothing of an id it does not know.

use headgate_aws::cancel::{Cancelled, Found};
use headgate_aws::messages::Record;
use headgate_aws::pacing::{Due, DueKind};
use headgate_domain::control_message::{Control, NotCancelled, parse};
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::readable_id;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsRecord;
use headgate_lambda::log::{Field, Level, log};

use crate::answer::{About, cancelled, control_refused, not_cancelled};
use crate::error::IntakeError;
use crate::outbound::producer;
use crate::{Answer, Intake};

/// The word in the record and in the event.
const REASON: &str = "cancelled_by_app";
/// A claim of an id without a record is one that is being written, or one whose writing was cut off.
const PATIENCE: u32 = 3;

/// What a cancellation comes to.
enum Outcome {
    Cancelled(Record, Option<String>),
    Not(Option<Record>, NotCancelled),
}

impl Intake {
    /// Handles one control message of a lane.
    pub(crate) async fn control(
        &self,
        lane: Purpose,
        record: &SqsRecord,
        now: Timestamp,
    ) -> Result<Answer, IntakeError> {
        let source = record.message_id.as_str();
        let Control::Cancel { id } = match parse(&record.body) {
            Ok(control) => control,
            Err(refusal) => {
                let about = About {
                    id: readable_id(&record.body),
                    ..About::default()
                };
                return Ok(Answer::event(control_refused(now, about, &refusal, source)));
            }
        };
        let outcome = self.cancel(lane, &id, record, now).await?;
        let of = match &outcome {
            Outcome::Cancelled(stored, _) | Outcome::Not(Some(stored), _) => Some(stored),
            Outcome::Not(None, _) => None,
        };
        let about = About {
            id: Some(id),
            subject: of.map(|stored| stored.subject.clone()),
            reference: match of {
                Some(stored) => self.reference_of(stored).await?,
                None => None,
            },
        };
        let event = match &outcome {
            Outcome::Cancelled(stored, reason) => cancelled(now, about, stored, reason.as_deref()),
            Outcome::Not(stored, why) => {
                log(
                    Level::Info,
                    "message_not_cancelled",
                    &[
                        ("code", Field::code(why.word())),
                        ("lane", Field::code(lane.word())),
                    ],
                );
                not_cancelled(now, about, stored.as_ref(), *why, source)
            }
        };
        Ok(Answer::event(event))
    }

    async fn cancel(
        &self,
        lane: Purpose,
        id: &str,
        record: &SqsRecord,
        now: Timestamp,
    ) -> Result<Outcome, IntakeError> {
        let unknown = Outcome::Not(None, NotCancelled::UnknownId);
        let name = self.idempotency(&format!("{lane}\0{id}"));
        let reference = match self.cancellations.find(&name, now).await? {
            Found::Record(reference) => reference,
            Found::Nothing => return Ok(unknown),
            Found::Damaged => return Err(IntakeError::Damaged),
        };
        let Some(stored) = self.stored(&reference, now).await? else {
            return if record.receive_count() < PATIENCE {
                Err(IntakeError::RecordInMotion)
            } else {
                Ok(unknown)
            };
        };
        if stored.producer != producer(record) {
            return Ok(unknown);
        }
        if let Some(why) = NotCancelled::of(stored.state) {
            return Ok(Outcome::Not(Some(stored), why));
        }
        if self.pacing.is_claimed(&reference, stored.attempt).await? {
            return Ok(Outcome::Not(Some(stored), NotCancelled::OnItsWay));
        }
        match self.cancellations.cancel(&reference, REASON, now).await? {
            Cancelled::For(reason) => {
                self.drop_due(&stored).await?;
                if reason.as_deref() == Some(REASON)
                    && self.pacing.is_claimed(&reference, stored.attempt).await?
                {
                    return Ok(Outcome::Not(Some(stored), NotCancelled::OnItsWay));
                }
                Ok(Outcome::Cancelled(stored, reason))
            }
            Cancelled::Stood(state) => match NotCancelled::of(state) {
                Some(why) => Ok(Outcome::Not(Some(stored), why)),
                None => Err(IntakeError::RecordInMotion),
            },
            Cancelled::Absent => Ok(unknown),
        }
    }

    /// Removes what would bring a scheduled record back; it would find it cancelled.
    async fn drop_due(&self, stored: &Record) -> Result<(), IntakeError> {
        let Some(at) = stored.not_before else {
            return Ok(());
        };
        let config = self.controls.config().await?;
        let Some(number) = config.number(&stored.reference.number) else {
            return Ok(());
        };
        let due = Due {
            at,
            reference: stored.reference.clone(),
            kind: DueKind::Scheduled,
            attempt: 0,
        };
        Ok(self.pacing.drop_due(&number.portfolio, &due).await?)
    }

    /// The app's key of the person, unless they were erased meanwhile.
    async fn reference_of(&self, stored: &Record) -> Result<Option<String>, IntakeError> {
        use headgate_aws::keyring::KeyringError;
        match self.subjects().load_with_salt(&stored.subject).await {
            Ok(found) => Ok(found.and_then(|(subject, _salt)| subject.reference)),
            Err(KeyringError::NoKey | KeyringError::PastRetention | KeyringError::NotOpened) => {
                Ok(None)
            }
            Err(error @ KeyringError::Aws(_)) => Err(error.into()),
        }
    }
}
