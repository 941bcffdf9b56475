//! A lane's record: authorized, sealed and put into the outbox, or refused in words to act on.
//!
//! Owns the order, which is what makes a repetition harmless: judge, then claim the app's id, then
//! write. A refused id is not consumed. What it writes is readable for 90 days and only with the
//! person's salt.

use std::sync::Arc;
use std::time::Duration;

use headgate_aws::messages::{Idempotency, Record, body_place_key};
use headgate_aws::pacing::{Due, DueKind};
use headgate_domain::config::{Config, Number};
use headgate_domain::identity::{Identifier, Kind as NameKind, Pseudonym, pseudonym};
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::{
    Kind, OutboundMessage, Payload, basis_json, insert_wamid, readable_id,
};
use headgate_domain::policy::{Facts, Request, SendPermit, authorize};
use headgate_domain::record::{RecordRef, State, ulid};
use headgate_domain::refusal::{Code, Refusal};
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsRecord;
use headgate_lambda::log::{Field, Level, log};

use crate::answer::{About, accepted, refused};
use crate::canonical::canonical;
use crate::error::{IntakeError, Stop};
use crate::foresight::Foreseen;
use crate::person::Person;
use crate::{Answer, Intake};

/// The version of the message-ref pepper in force.
const PEPPER: u32 = 1;
/// There is one outbox shard per lane until a number sends 1,000 per second.
const SHARD: u8 = 0;
/// Cursors never pass now − 10 s, so a record written within this time of its ULID is seen.
const WRITE: Duration = Duration::from_secs(6);

/// A record of a lane, and what is known beforehand.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// The lane, which its queue says.
    pub(crate) lane: Purpose,
    /// The record.
    pub(crate) record: &'a SqsRecord,
    /// What was read for the whole batch.
    pub(crate) foreseen: &'a Foreseen,
    /// The time at which it is judged.
    pub(crate) now: Timestamp,
}

/// A message that may go into the outbox.
struct Permitted<'a> {
    message: &'a OutboundMessage,
    person: &'a Person,
    permit: &'a SendPermit,
    number: &'a Number,
    record: &'a SqsRecord,
    now: Timestamp,
}

/// A message that is in the outbox.
struct Placed {
    reference: RecordRef,
    expires_at: Timestamp,
    portfolio: String,
}

impl Intake {
    /// Handles one record of a lane.
    pub(crate) async fn outbound(&self, arrival: Arrival<'_>) -> Result<Answer, IntakeError> {
        let Arrival {
            lane, record, now, ..
        } = arrival;
        let mut message = match OutboundMessage::parse(&record.body, now) {
            Ok(message) => message,
            Err(refusal) => {
                let about = About {
                    id: readable_id(&record.body),
                    ..About::default()
                };
                return Ok(refuse(now, about, &refusal, lane, record));
            }
        };
        let mut about = About {
            id: Some(message.id.clone()),
            subject: None,
            reference: message.reference.clone(),
        };
        match self.accept(arrival, &mut message, &mut about).await {
            Ok(placed) => Ok(Answer {
                events: vec![accepted(
                    now,
                    about,
                    &placed.reference,
                    &message,
                    placed.expires_at,
                )],
                portfolio: Some(placed.portfolio),
            }),
            Err(Stop::Refused(refusal)) => Ok(refuse(now, about, &refusal, lane, record)),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    async fn accept(
        &self,
        arrival: Arrival<'_>,
        message: &mut OutboundMessage,
        about: &mut About,
    ) -> Result<Placed, Stop> {
        let Arrival {
            lane,
            record,
            foreseen,
            now,
        } = arrival;
        if message.purpose != lane {
            return Err(Code::LaneMismatch.into());
        }
        let config: Arc<Config> = self.controls.config().await?;
        let number = granted(&config, message, record)?;
        let person = self.person(&message.to, foreseen, now).await?;
        about.subject = Some(person.subject.id.clone());
        if about.reference.is_none() {
            about.reference.clone_from(&person.subject.reference);
        }
        if let Some(reference) = &message.message_ref {
            let wamid = self.wamid(reference, &person, now).await?;
            insert_wamid(&mut message.message, wamid.reveal());
        }
        let request = Request {
            purpose: lane,
            basis: &message.basis,
            kind: &message.kind,
            expires_at: message.expiry(now),
            accepted_at: now,
        };
        let facts = Facts {
            config: &config,
            subject: &person.subject,
            suppressed: &person.suppressed,
        };
        let permit = authorize(&request, &facts, now)?;
        let permitted = Permitted {
            message,
            person: &person,
            permit: &permit,
            number,
            record,
            now,
        };
        let placing = tokio::time::timeout(WRITE, self.place(&permitted));
        let (placed, noted) = tokio::join!(
            placing,
            self.note_reference(&person.subject, message.reference.as_deref())
        );
        noted?;
        placed.map_err(|_elapsed| Stop::from(IntakeError::Slow))?
    }

    /// Claims the app's id and writes the record; on a repetition finds the record of the first time.
    async fn place(&self, permitted: &Permitted<'_>) -> Result<Placed, Stop> {
        let Permitted {
            message,
            number,
            record,
            now,
            ..
        } = *permitted;
        let fresh = RecordRef {
            number: number.id.clone(),
            lane: message.purpose,
            shard: SHARD,
            ulid: ulid((self.clock)(), headgate_aws::random::<10>()?),
        };
        let id = self.idempotency(&format!("{}\0{}", message.purpose, message.id));
        let content = self.idempotency(&canonical(&record.body));
        let placed = |reference, expires_at| Placed {
            reference,
            expires_at,
            portfolio: number.portfolio.clone(),
        };
        match self
            .messages
            .claim_id(&id, &fresh, content.as_str(), now)
            .await?
        {
            Idempotency::Fresh => {
                let expires_at = self.write(permitted, &fresh, message.not_before).await?;
                Ok(placed(fresh, expires_at))
            }
            Idempotency::Same(first) => {
                let first = RecordRef::parse(&first).ok_or(IntakeError::Damaged)?;
                let expires_at = self.write_again(permitted, &first).await?;
                Ok(placed(first, expires_at))
            }
            Idempotency::Other => Err(Code::DuplicateId.into()),
        }
    }

    /// The record of an id that was claimed before. An attempt that ended between claim and write
    /// left none, and cursors may have passed its ULID by now: then the due list brings it.
    async fn write_again(
        &self,
        permitted: &Permitted<'_>,
        reference: &RecordRef,
    ) -> Result<Timestamp, Stop> {
        let stored = self
            .messages
            .load(std::slice::from_ref(reference))
            .await?
            .pop();
        let Some(stored) = stored else {
            let not_before = permitted.message.not_before.unwrap_or(permitted.now);
            return Ok(self.write(permitted, reference, Some(not_before)).await?);
        };
        if stored.state == State::Scheduled {
            self.schedule(
                permitted.number,
                reference,
                stored.not_before.unwrap_or(permitted.now),
            )
            .await?;
        }
        Ok(stored.expires_at)
    }

    async fn write(
        &self,
        permitted: &Permitted<'_>,
        reference: &RecordRef,
        not_before: Option<Timestamp>,
    ) -> Result<Timestamp, IntakeError> {
        let Permitted {
            message,
            person,
            permit,
            number,
            record,
            now,
        } = *permitted;
        let expires_at = message.expiry(now);
        let key = body_place_key(reference);
        let place = Place {
            table: "messages",
            key: &key,
            field: "body",
        };
        let body = self
            .keyring()
            .seal_content(
                now.day(),
                &person.salt,
                &place,
                &payload(message, person).to_bytes(),
            )
            .await?;
        let stored = Record {
            reference: reference.clone(),
            state: if not_before.is_some() {
                State::Scheduled
            } else {
                State::Queued
            },
            attempt: 0,
            subject: person.subject.id.clone(),
            purpose: message.purpose,
            campaign: message.campaign.clone(),
            template: template(&message.kind),
            consent_event: permit.consent_event().map(str::to_owned),
            producer: producer(record).to_owned(),
            accepted_at: now,
            not_before,
            expires_at,
            day: now.day(),
            body,
        };
        self.messages.put(&stored).await?;
        if let Some(at) = not_before {
            self.schedule(number, reference, at).await?;
        }
        Ok(expires_at)
    }

    async fn schedule(
        &self,
        number: &Number,
        reference: &RecordRef,
        at: Timestamp,
    ) -> Result<(), IntakeError> {
        let due = Due {
            at,
            reference: reference.clone(),
            kind: DueKind::Scheduled,
            attempt: 0,
        };
        Ok(self.pacing.put_due(&number.portfolio, &due).await?)
    }

    /// The name of something an app said, which nobody can compute who has not the pepper.
    fn idempotency(&self, value: &str) -> Pseudonym {
        pseudonym(
            &self.message_ref,
            NameKind::Idempotency,
            PEPPER,
            &self.deployment,
            value,
        )
    }
}

/// The number a message names, if its producer may send from it.
fn granted<'a>(
    config: &'a Config,
    message: &OutboundMessage,
    record: &SqsRecord,
) -> Result<&'a Number, Refusal> {
    config
        .number(&message.from)
        .filter(|number| {
            number.producers.is_empty()
                || number
                    .producers
                    .iter()
                    .any(|granted| granted == producer(record))
        })
        .ok_or(Code::UnknownSender.into())
}

fn producer(record: &SqsRecord) -> &str {
    record.sender_id().unwrap_or_default()
}

fn payload(message: &OutboundMessage, person: &Person) -> Payload {
    let (phone, bsuid) = match &person.addressed {
        Identifier::Phone(phone) => (Some(phone.reveal().to_owned()), None),
        Identifier::Bsuid(bsuid) => (None, Some(bsuid.reveal().to_owned())),
    };
    Payload {
        phone,
        bsuid,
        suppression: person.suppression.clone(),
        message: message.message.clone(),
        id: message.id.clone(),
        reference: message
            .reference
            .clone()
            .or_else(|| person.subject.reference.clone()),
        basis: basis_json(&message.basis),
    }
}

fn template(kind: &Kind) -> Option<String> {
    match kind {
        Kind::Template { name, .. } => Some(name.clone()),
        Kind::FreeForm | Kind::MarkAsRead => None,
    }
}

fn refuse(
    now: Timestamp,
    about: About,
    refusal: &Refusal,
    lane: Purpose,
    record: &SqsRecord,
) -> Answer {
    log(
        Level::Info,
        "message_refused",
        &[
            ("code", Field::code(refusal.code.word())),
            ("lane", Field::code(lane.word())),
        ],
    );
    Answer::event(refused(now, about, refusal, lane, &record.message_id))
}
