//! A lane's record: granted, authorized and placed, or refused in words to act on.
//!
//! Owns the order, which is what makes a repetition harmless: judge, then place (`placing`). A
//! refused id is not consumed. It decides nothing itself: who may use a lane is `grants`, whether a
//! message may go to a person is `headgate_domain::policy`.

use std::sync::Arc;
use std::time::Duration;

use headgate_aws::messages::Record;
use headgate_domain::ceilings::{Limits, destination};
use headgate_domain::config::{Config, Number, principal};
use headgate_domain::control_message::is_control;
use headgate_domain::do_not_call::RegisterCheck;
use headgate_domain::identity::{Kind as NameKind, Pseudonym, pseudonym};
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::{OutboundMessage, insert_wamid, readable_id};
use headgate_domain::policy::{
    Facts, Moment, No, Request, authorize, longest_cap_hours, needs_checks, rests_on,
};
use headgate_domain::recent::Recent;
use headgate_domain::record::RecordRef;
use headgate_domain::refusal::{Code, Refusal};
use headgate_domain::region::Country;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsRecord;
use headgate_lambda::log::{Field, Level, log};

use crate::answer::{About, accepted, refused};
use crate::canonical::canonical;
use crate::error::{IntakeError, Stop};
use crate::foresight::Foreseen;
use crate::grants::{granted, known};
use crate::person::Person;
use crate::placing::{Permitted, Placed, placed};
use crate::{Answer, Intake};

/// The version of the message-ref pepper in force.
const PEPPER: u32 = 1;
/// Cursors never pass now − 10 s, so a record written within this time of its ULID is seen.
const WRITE: Duration = Duration::from_secs(6);

/// How a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// By a lane, from an app.
    Lane(Purpose),
    /// By the system queue, from a function of ours, for this lane.
    System(Purpose),
}

impl Via {
    /// The lane it travels on.
    pub(crate) const fn lane(self) -> Purpose {
        match self {
            Self::Lane(lane) | Self::System(lane) => lane,
        }
    }

    /// Within what an id is unique: no app can take an id of the system queue.
    pub(crate) const fn scope(self) -> &'static str {
        match self {
            Self::Lane(lane) => lane.word(),
            Self::System(_) => headgate_domain::system::SCOPE,
        }
    }
}

/// A record of a lane, and what is known beforehand.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// How it came, which its queue says.
    pub(crate) via: Via,
    /// The record.
    pub(crate) record: &'a SqsRecord,
    /// What was read for the whole batch.
    pub(crate) foreseen: &'a Foreseen,
    /// The time at which it is judged.
    pub(crate) now: Timestamp,
}

impl Intake {
    /// Handles one record of a lane.
    pub(crate) async fn outbound(&self, arrival: Arrival<'_>) -> Result<Answer, IntakeError> {
        let Arrival {
            via, record, now, ..
        } = arrival;
        if is_control(&record.body) {
            return self.control(via.lane(), record, now).await;
        }
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
    pub(crate) async fn refuse(
        &self,
        arrival: Arrival<'_>,
        mut about: About,
        refusal: &Refusal,
    ) -> Result<Answer, IntakeError> {
        let Arrival {
            via, record, now, ..
        } = arrival;
        let lane = via.lane();
        let first = match &about.id {
            Some(id) => self.accepted_before(via, id, record, now).await?,
            None => None,
        };
        if let Some(first) = first {
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
        via: Via,
        id: &str,
        record: &SqsRecord,
        now: Timestamp,
    ) -> Result<Option<Record>, IntakeError> {
        let id = self.idempotency(&format!("{}\0{id}", via.scope()));
        let content = self.idempotency(&canonical(&record.body));
        let claimed = self.messages.claimed(&id, content.as_str(), now).await?;
        let Some(reference) = claimed else {
            return Ok(None);
        };
        let reference = RecordRef::parse(&reference).ok_or(IntakeError::Damaged)?;
        let stored = self.stored(&reference, now).await?;
        Ok(stored.filter(|first| first.producer == producer(record)))
    }

    pub(crate) async fn accept(
        &self,
        arrival: Arrival<'_>,
        message: &mut OutboundMessage,
        about: &mut About,
    ) -> Result<Placed, Stop> {
        let Arrival {
            via,
            record,
            foreseen,
            now,
        } = arrival;
        let lane = via.lane();
        if message.purpose != lane {
            return Err(Code::LaneMismatch.into());
        }
        let config: Arc<Config> = self.controls.config().await?;
        let number = match via {
            Via::Lane(lane) => granted(&config, &message.from, producer(record), lane)?,
            Via::System(_) => known(&config, &message.from)?,
        };
        let person = self.person(&message.to, foreseen, now).await?;
        about.subject = Some(person.subject.id.clone());
        if about.reference.is_none() {
            about.reference.clone_from(&person.subject.reference);
        }
        if let Some(reference) = &message.message_ref {
            let wamid = self.wamid(reference, &person, now).await?;
            insert_wamid(&mut message.message, wamid.reveal());
        }
        let to = Country::of(&person.addressed);
        destination(&config.abuse, to)?;
        let live = self.controls.live().await?;
        let recent = self.recent(&config, number, &person, lane).await?;
        let checks = self.checks(&config, &person, lane, to).await?;
        let request = Request {
            at: Moment::Intake,
            number,
            to,
            purpose: lane,
            topic: message.topic.as_ref(),
            basis: &message.basis,
            kind: &message.kind,
            expires_at: message.expiry(now),
            accepted_at: now,
            not_before: message.not_before,
        };
        let facts = Facts {
            config: &config,
            live: &live,
            subject: &person.subject,
            suppressed: &person.suppressed,
            region: &self.region,
            checks: &checks,
            recent: &recent,
            producer: producer(record),
        };
        let (consent_event, not_before) = match authorize(&request, &facts, now) {
            Ok(permit) => (
                permit.consent_event().map(str::to_owned),
                message.not_before,
            ),
            Err(No::Refused(refusal)) => return Err(refusal.into()),
            // It may go later: it waits in the outbox like one that was planned for then.
            Err(No::NotYet { until, .. }) if until < request.expires_at => {
                (rests_on(&request, &facts, now), Some(until))
            }
            Err(No::NotYet { code, .. }) => return Err(code.into()),
        };
        let permitted = Permitted {
            message,
            person: &person,
            consent_event,
            not_before,
            number,
            live: &live,
            limits: Limits::from(&config.abuse),
            via,
            record,
            now,
        };
        let placing = tokio::time::timeout(WRITE, Box::pin(self.place(&permitted)));
        let (placed, noted) = tokio::join!(
            placing,
            self.note_reference(&person.subject, message.reference.as_deref())
        );
        noted?;
        placed.map_err(|_elapsed| Stop::from(IntakeError::Slow))?
    }

    /// What the person was sent lately, where a cap asks for it.
    async fn recent(
        &self,
        config: &Config,
        number: &Number,
        person: &Person,
        lane: Purpose,
    ) -> Result<Recent, IntakeError> {
        if longest_cap_hours(config, lane).is_none() {
            return Ok(Recent::default());
        }
        let id = &person.subject.id;
        let known = self
            .pacing
            .recipients(&number.portfolio, std::slice::from_ref(id))
            .await?;
        Ok(known.get(id).map(|r| r.recent.clone()).unwrap_or_default())
    }

    /// What registers said of the person, where a profile names one.
    async fn checks(
        &self,
        config: &Config,
        person: &Person,
        lane: Purpose,
        to: Option<Country>,
    ) -> Result<Vec<RegisterCheck>, IntakeError> {
        if !needs_checks(config, lane, to) {
            return Ok(Vec::new());
        }
        let entries = self.consents.suppression();
        let found = entries.checks(&person.suppression).await?;
        Ok(found.into_values().flatten().collect())
    }

    /// The name of something an app said, which nobody can compute who has not the pepper.
    pub(crate) fn idempotency(&self, value: &str) -> Pseudonym {
        pseudonym(
            &self.message_ref,
            NameKind::Idempotency,
            PEPPER,
            &self.deployment,
            value,
        )
    }
}

/// The role or user that put the record on the queue.
pub(crate) fn producer(record: &SqsRecord) -> &str {
    principal(record.sender_id().unwrap_or_default())
}

pub(crate) fn accept_as(now: Timestamp, about: About, placed: Placed) -> Answer {
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
