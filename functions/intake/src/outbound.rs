//! A lane's record: authorized, sealed and put into the outbox, or refused in words to act on.
//!
//! Owns the order, which is what makes a repetition harmless: judge, then claim the app's id, then
//! write. A refused id is not consumed. What it writes is readable for 90 days and only with the
//! person's salt.

use std::sync::Arc;
use std::time::Duration;

use headgate_aws::messages::{Idempotency, Record, body_place_key};
use headgate_aws::pacing::{Due, DueKind};
use headgate_domain::config::{Config, Number, principal};
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
    purpose: Purpose,
    campaign: Option<String>,
    expires_at: Timestamp,
    portfolio: String,
}

impl Intake {
    /// Handles one record of a lane.
    pub(crate) async fn outbound(&self, arrival: Arrival<'_>) -> Result<Answer, IntakeError> {
        let Arrival { record, now, .. } = arrival;
        let mut message = match OutboundMessage::parse(&record.body, now) {
            Ok(message) => message,
            Err(refusal) => {
                let about = About {
                    id: readable_id(&record.body),
                    ..About::default()
                };
                return self.refuse(arrival, about, &refusal).await;
            }
        };
        let mut about = About {
            id: Some(message.id.clone()),
            subject: None,
            reference: message.reference.clone(),
        };
        match self.accept(arrival, &mut message, &mut about).await {
            Ok(placed) => Ok(accept_as(now, about, placed)),
            Err(Stop::Refused(refusal)) => self.refuse(arrival, about, &refusal).await,
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Answers a refusal, unless the message is a repetition of one that was accepted: then it is told again
    /// what it was told then. What changed since is judged when the message is claimed for sending.
    async fn refuse(
        &self,
        arrival: Arrival<'_>,
        mut about: About,
        refusal: &Refusal,
    ) -> Result<Answer, IntakeError> {
        let Arrival {
            lane, record, now, ..
        } = arrival;
        if let Some(first) = self.accepted_before(lane, record, now).await? {
            let config = self.controls.config().await?;
            // A number that was taken out of the configuration has no pacer to wake.
            if let Some(number) = config.number(&first.reference.number) {
                about.subject = Some(first.subject.clone());
                self.plan(number, &first, now).await?;
                return Ok(accept_as(now, about, placed(&first, number)));
            }
        }
        log(
            Level::Info,
            "message_refused",
            &[
                ("code", Field::code(refusal.code.word())),
                ("lane", Field::code(lane.word())),
            ],
        );
        let event = refused(now, about, refusal, lane, &record.message_id);
        Ok(Answer::event(event))
    }

    /// The record that this body of this producer was accepted under.
    async fn accepted_before(
        &self,
        lane: Purpose,
        record: &SqsRecord,
        now: Timestamp,
    ) -> Result<Option<Record>, IntakeError> {
        let Some(id) = readable_id(&record.body) else {
            return Ok(None);
        };
        let id = self.idempotency(&format!("{lane}\0{id}"));
        let content = self.idempotency(&canonical(&record.body));
        let claimed = self.messages.claimed(&id, content.as_str(), now).await?;
        let Some(reference) = claimed else {
            return Ok(None);
        };
        let reference = RecordRef::parse(&reference).ok_or(IntakeError::Damaged)?;
        let stored = self.stored(&reference).await?;
        Ok(stored.filter(|first| first.producer == producer(record)))
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
            not_before: message.not_before,
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
        match self
            .messages
            .claim_id(&id, &fresh, content.as_str(), now)
            .await?
        {
            Idempotency::Fresh => {
                let stored = self.write(permitted, &fresh, message.not_before).await?;
                Ok(placed(&stored, number))
            }
            Idempotency::Same(first) => {
                let first = RecordRef::parse(&first).ok_or(IntakeError::Damaged)?;
                let stored = self.write_again(permitted, &first).await?;
                Ok(placed(&stored, number))
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
    ) -> Result<Record, IntakeError> {
        let Some(stored) = self.stored(reference).await? else {
            let not_before = permitted.message.not_before.unwrap_or(permitted.now);
            return self.write(permitted, reference, Some(not_before)).await;
        };
        self.plan(permitted.number, &stored, permitted.now).await?;
        Ok(stored)
    }

    async fn stored(&self, reference: &RecordRef) -> Result<Option<Record>, IntakeError> {
        let found = self.messages.load(std::slice::from_ref(reference)).await?;
        Ok(found.into_iter().next())
    }

    /// Writes the record and answers what is stored: another attempt may have written it in the meantime, in
    /// another state. Only what is stored decides whether it goes to the due list, or it would be sent from there
    /// and from the outbox.
    async fn write(
        &self,
        permitted: &Permitted<'_>,
        reference: &RecordRef,
        not_before: Option<Timestamp>,
    ) -> Result<Record, IntakeError> {
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
        let fresh = Record {
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
        let stored = if self.messages.put(&fresh).await? {
            fresh
        } else {
            self.stored(reference).await?.ok_or(IntakeError::Damaged)?
        };
        self.plan(number, &stored, now).await?;
        Ok(stored)
    }

    /// Puts a record that is stored as scheduled on the due list, which is harmless when it is there.
    async fn plan(
        &self,
        number: &Number,
        stored: &Record,
        now: Timestamp,
    ) -> Result<(), IntakeError> {
        if stored.state != State::Scheduled {
            return Ok(());
        }
        let due = Due {
            at: stored.not_before.unwrap_or(now),
            reference: stored.reference.clone(),
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
        .filter(|number| number.may_send(producer(record)))
        .ok_or(Code::UnknownSender.into())
}

/// The role or user that put the record on the queue.
pub(crate) fn producer(record: &SqsRecord) -> &str {
    principal(record.sender_id().unwrap_or_default())
}

fn placed(stored: &Record, number: &Number) -> Placed {
    Placed {
        reference: stored.reference.clone(),
        purpose: stored.purpose,
        campaign: stored.campaign.clone(),
        expires_at: stored.expires_at,
        portfolio: number.portfolio.clone(),
    }
}

fn accept_as(now: Timestamp, about: About, placed: Placed) -> Answer {
    let event = accepted(
        now,
        about,
        &placed.reference,
        placed.purpose,
        placed.campaign.as_deref(),
        placed.expires_at,
    );
    Answer {
        events: vec![event],
        portfolio: Some(placed.portfolio),
    }
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
