//! Placing: the app's id is claimed, the message counted, the record sealed and written.
//!
//! Owns what happens once a message may go into the outbox, in an order in which every step may be
//! done again: an attempt that is cut off anywhere leaves one record, counted once. A message over a
//! ceiling gives its id back, because a refused id is not consumed. It does not judge.

use headgate_aws::ceilings::Counted;
use headgate_aws::messages::{Idempotency, Record, body_place_key};
use headgate_aws::pacing::{Due, DueKind};
use headgate_domain::ceilings::{Limits, Touched, counters, exceeded};
use headgate_domain::config::Number;
use headgate_domain::identity::{Identifier, Pseudonym};
use headgate_domain::lane::Purpose;
use headgate_domain::live::Live;
use headgate_domain::outbound::{Kind, OutboundMessage, Payload, basis_json};
use headgate_domain::record::{RecordRef, State, shard, ulid};
use headgate_domain::refusal::Code;
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsRecord;

use crate::Intake;
use crate::canonical::canonical;
use crate::error::{IntakeError, Stop};
use crate::outbound::{Via, producer};
use crate::person::Person;

/// A message that may go into the outbox.
pub(crate) struct Permitted<'a> {
    pub(crate) message: &'a OutboundMessage,
    pub(crate) person: &'a Person,
    pub(crate) consent_event: Option<String>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) number: &'a Number,
    pub(crate) live: &'a Live,
    pub(crate) limits: Limits,
    pub(crate) via: Via,
    pub(crate) record: &'a SqsRecord,
    pub(crate) now: Timestamp,
}

/// A message that is in the outbox.
pub(crate) struct Placed {
    pub(crate) reference: RecordRef,
    pub(crate) purpose: Purpose,
    pub(crate) campaign: Option<String>,
    pub(crate) expires_at: Timestamp,
    pub(crate) portfolio: String,
}

impl Intake {
    /// Claims the app's id and writes the record; on a repetition finds the record of the first time.
    pub(crate) async fn place(&self, permitted: &Permitted<'_>) -> Result<Placed, Stop> {
        let Permitted {
            message,
            number,
            live,
            via,
            record,
            now,
            ..
        } = *permitted;
        let [any] = headgate_aws::random::<1>()?;
        let fresh = RecordRef {
            number: number.id.clone(),
            lane: message.purpose,
            shard: shard(
                message.purpose,
                live.per_second(number),
                message.campaign.as_deref(),
                any,
            ),
            ulid: ulid((self.clock)(), headgate_aws::random::<10>()?),
        };
        let id = self.idempotency(&format!("{}\0{}", via.scope(), message.id));
        let content = self.idempotency(&canonical(&record.body));
        match self
            .messages
            .claim_id(
                &id,
                (&fresh, &permitted.person.subject.id),
                content.as_str(),
                now,
            )
            .await?
        {
            Idempotency::Fresh => {
                self.count(permitted, &id, &fresh).await?;
                let stored = self.write(permitted, &fresh, permitted.not_before).await?;
                Ok(placed(&stored, number))
            }
            Idempotency::Same(first) => {
                let first = RecordRef::parse(&first).ok_or(IntakeError::Damaged)?;
                let stored = self.write_again(permitted, &id, &first).await?;
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
        id: &Pseudonym,
        reference: &RecordRef,
    ) -> Result<Record, Stop> {
        let Some(stored) = self.stored(reference, permitted.now).await? else {
            let not_before = permitted.not_before.unwrap_or(permitted.now);
            self.count(permitted, id, reference).await?;
            return Ok(self.write(permitted, reference, Some(not_before)).await?);
        };
        self.plan(permitted.number, &stored, permitted.now).await?;
        Ok(stored)
    }

    /// Counts a message against the ceilings it falls under, once for its id.
    async fn count(
        &self,
        permitted: &Permitted<'_>,
        id: &Pseudonym,
        reference: &RecordRef,
    ) -> Result<(), Stop> {
        let touched = Touched {
            purpose: permitted.message.purpose,
            is_system: matches!(permitted.via, Via::System(_)),
            subject: &permitted.person.subject.id,
            addressed: &permitted.person.addressed,
            producer: producer(permitted.record),
        };
        let counters = counters(permitted.limits, &touched, permitted.now);
        if counters.is_empty() {
            return Ok(());
        }
        let counted = self
            .ceilings
            .count(id, reference, &counters, permitted.now)
            .await?;
        match counted {
            Counted::Within => Ok(()),
            Counted::Full if self.ceilings.release(id, reference).await? => Err(exceeded().into()),
            // Another delivery counted it or took the id in the meantime.
            Counted::Full | Counted::Unclaimed => Err(IntakeError::RecordInMotion.into()),
        }
    }

    /// The record of a reference.
    pub(crate) async fn stored(
        &self,
        reference: &RecordRef,
        now: Timestamp,
    ) -> Result<Option<Record>, IntakeError> {
        let wanted = std::slice::from_ref(reference);
        let found = self.messages.load(wanted, now).await?;
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
            ref consent_event,
            number,
            record,
            now,
            ..
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
            consent_event: consent_event.clone(),
            producer: producer(record).to_owned(),
            accepted_at: now,
            not_before,
            expires_at,
            day: now.day(),
            body,
            reason: None,
        };
        let stored = if self.messages.put(&fresh).await? {
            fresh
        } else {
            self.stored(reference, now)
                .await?
                .ok_or(IntakeError::Damaged)?
        };
        self.plan(number, &stored, now).await?;
        Ok(stored)
    }

    /// Puts a record that is stored as scheduled on the due list, which is harmless when it is there.
    pub(crate) async fn plan(
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
}

pub(crate) fn placed(stored: &Record, number: &Number) -> Placed {
    Placed {
        reference: stored.reference.clone(),
        purpose: stored.purpose,
        campaign: stored.campaign.clone(),
        expires_at: stored.expires_at,
        portfolio: number.portfolio.clone(),
    }
}

fn payload(message: &OutboundMessage, person: &Person) -> Payload {
    let (phone, bsuid) = match &person.addressed {
        Identifier::Phone(phone) => (Some(phone.reveal().to_owned()), None),
        Identifier::Bsuid(bsuid) => (None, Some(bsuid.reveal().to_owned())),
    };
    let key = person.subject.identity_key.as_ref();
    Payload {
        phone,
        bsuid,
        identity_key: key
            .filter(|_key| message.purpose == Purpose::Authentication)
            .map(|key| key.reveal().clone()),
        suppression: person.suppression.clone(),
        message: message.message.clone(),
        id: message.id.clone(),
        reference: message
            .reference
            .clone()
            .or_else(|| person.subject.reference.clone()),
        basis: basis_json(&message.basis),
        topic: message.topic.clone(),
    }
}

fn template(kind: &Kind) -> Option<String> {
    match kind {
        Kind::Template { name, .. } => Some(name.clone()),
        Kind::FreeForm | Kind::MarkAsRead => None,
    }
}
