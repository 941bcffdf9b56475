//! A record of the consents queue: into the ledger, and into force if the rules say so.
//!
//! A yes counts from a producer that may attest one; a no counts from anybody, because wrongly
//! writing to nobody harms nobody. It does not decide what a statement changes: that is
//! `headgate_domain::consent`'s.

use headgate_aws::consents::Statement;
use headgate_domain::consent::{Action, ConsentRecord, MAX_AHEAD_MS, Subject};
use headgate_domain::lane::Purpose;
use headgate_domain::link;
use headgate_domain::outbound::readable_id;
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsRecord;
use headgate_lambda::log::{Field, Level, log};

use crate::answer::{About, consent_refused, in_force, not_attested, superseded};
use crate::error::{IntakeError, Stop};
use crate::outbound::producer;
use crate::{Answer, Intake};

impl Intake {
    /// Handles one record of the consents queue.
    pub(crate) async fn consent(
        &self,
        record: &SqsRecord,
        now: Timestamp,
    ) -> Result<Answer, IntakeError> {
        let source = record.message_id.as_str();
        let said = match ConsentRecord::parse(&record.body, now) {
            Ok(said) => not_after_it_was_sent(said, record, now),
            Err(refusal) => {
                log(
                    Level::Info,
                    "consent_refused",
                    &[("code", Field::code(refusal.code.word()))],
                );
                let about = About {
                    id: readable_id(&record.body),
                    ..About::default()
                };
                return Ok(Answer::event(consent_refused(now, about, &refusal, source)));
            }
        };
        let about = About {
            id: Some(said.id.clone()),
            subject: None,
            reference: said.reference.clone(),
        };
        let producer = producer(record);
        if said.action == Action::Given
            && !self.controls.config().await?.consents.may_attest(producer)
        {
            log(
                Level::Warn,
                "consent_refused",
                &[("code", Field::code("not_attested"))],
            );
            return Ok(Answer::event(not_attested(now, about, source)));
        }
        let subject = match self.subject(&said.to, now).await {
            Ok(subject) => subject,
            Err(Stop::Refused(refusal)) => {
                return Ok(Answer::event(consent_refused(now, about, &refusal, source)));
            }
            Err(Stop::Failed(error)) => return Err(error),
        };
        self.note_reference(&subject, said.reference.as_deref())
            .await?;
        let mut purposes = said.purposes.clone();
        purposes.sort_unstable();
        purposes.dedup();
        let mut answer = Answer::default();
        // One after the other: all statements of a person go into one shard of the ledger.
        for purpose in purposes {
            let about = About {
                subject: Some(subject.id.clone()),
                reference: said.reference.clone().or_else(|| subject.reference.clone()),
                ..about.clone()
            };
            answer.events.push(
                self.record_one(&said, &subject, purpose, about, record, now)
                    .await?,
            );
        }
        Ok(answer)
    }

    async fn record_one(
        &self,
        said: &ConsentRecord,
        subject: &Subject,
        purpose: Purpose,
        about: About,
        record: &SqsRecord,
        now: Timestamp,
    ) -> Result<headgate_domain::event::Event, IntakeError> {
        let source = record.message_id.as_str();
        let statement = Statement {
            subject: subject.id.clone(),
            purpose,
            action: said.action,
            at: said.occurred_at,
            method: said.method.clone(),
            notice: said.notice.clone(),
            locale: said.locale.clone(),
            evidence: said.evidence.clone().map(String::into_bytes),
            actor: Some(format!("producer:{}", producer(record))),
        };
        let recorded = self.consents.record(&statement, now).await?;
        if !recorded.in_force {
            return Ok(superseded(now, about, purpose, &recorded.event, source));
        }
        let unsubscribe_url = format!(
            "{}/u/{}",
            self.privacy_url,
            link::token(&self.links, &self.deployment, &subject.id)
        );
        Ok(in_force(
            now,
            about,
            said,
            purpose,
            &recorded.event,
            &unsubscribe_url,
            source,
        ))
    }
}

/// Nothing can have happened after it was told. SQS's time of sending is the same at every delivery, so a
/// statement that comes again is no newer than it was the first time. A greater distance than a fast clock
/// explains means that the queue keeps another calendar than we do (docs/adr/0003-two-calendars.md).
fn not_after_it_was_sent(
    mut said: ConsentRecord,
    record: &SqsRecord,
    now: Timestamp,
) -> ConsentRecord {
    let sent = record
        .sent_at()
        .filter(|sent| said.occurred_at.millis_since(*sent) <= MAX_AHEAD_MS)
        .unwrap_or(now);
    said.occurred_at = said.occurred_at.min(sent).min(now);
    said
}
