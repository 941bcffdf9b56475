//! A record of the consents queue: into the ledger, and into force if the rules say so.
//!
//! A yes counts from a producer that may attest one; a no counts from anybody, because wrongly
//! writing to nobody harms nobody. It does not decide what a statement changes: that is
//! `headgate_domain::consent`'s.

use headgate_aws::consents::{Notice, Statement};
use headgate_domain::config::Consents;
use headgate_domain::consent::{Action, ConsentRecord, MAX_AHEAD_MS, NoticeId, Topic};
use headgate_domain::event::Event;
use headgate_domain::link;
use headgate_domain::outbound::readable_id;
use headgate_domain::refusal::{Code, Refusal};
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsRecord;
use headgate_lambda::log::{Field, Level, log};

use crate::answer::{About, What, consent_refused, in_force, not_attested, superseded};
use crate::error::{IntakeError, Stop};
use crate::{Answer, Intake};

impl Intake {
    /// Handles one record of the consents queue.
    pub(crate) async fn consent(
        &self,
        record: &SqsRecord,
        now: Timestamp,
    ) -> Result<Answer, IntakeError> {
        let source = record.message_id.as_str();
        let speaker = self.speaker(record);
        let body = speaker.record.as_str();
        let said = match ConsentRecord::parse(body, now) {
            Ok(said) => not_after_it_was_sent(said, record, now),
            Err(refusal) => {
                log(
                    Level::Info,
                    "consent_refused",
                    &[("code", Field::code(refusal.code.word()))],
                );
                let about = About {
                    id: readable_id(body),
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
        // To find a yes to be none is as weighty as to say that there is one.
        if matches!(said.action, Action::Given | Action::Invalidated)
            && !self.may_attest(&speaker, record).await?
        {
            log(
                Level::Warn,
                "consent_refused",
                &[("code", Field::code("not_attested"))],
            );
            return Ok(Answer::event(not_attested(now, about, source)));
        }
        // Before anybody is looked up: what is refused leaves nobody on record.
        let notice = match self.notice(&said).await? {
            Ok(notice) => notice,
            Err(refusal) => {
                return Ok(Answer::event(consent_refused(now, about, &refusal, source)));
            }
        };
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
        // Meta's own switch, as the sender or an app learnt of it: what a stop closes, Meta's resume alone opens.
        if said.action == Action::Withdrawn && said.method == "meta_switch" {
            self.subjects()
                .note_meta_stop(&subject.id, true, said.occurred_at)
                .await?;
        }
        let mut answer = Answer::default();
        // One after the other: all statements of a person go into one shard of the ledger.
        for purpose in purposes {
            for topic in each_topic(&said) {
                let about = About {
                    subject: Some(subject.id.clone()),
                    reference: said.reference.clone().or_else(|| subject.reference.clone()),
                    ..about.clone()
                };
                let statement = Statement {
                    subject: subject.id.clone(),
                    purpose,
                    topic: topic.cloned(),
                    action: said.action,
                    at: said.occurred_at,
                    method: said.method.clone(),
                    notice: notice.clone(),
                    locale: said.locale.clone(),
                    evidence: said.evidence.clone().map(String::into_bytes),
                    actor: Some(speaker.actor.clone()),
                };
                let told = self.record_one(&said, &statement, about, source, now);
                answer.events.push(Box::pin(told).await?);
            }
        }
        Ok(answer)
    }

    /// The wording behind a record, by its text or by the id of a registered one, if each of its topics is
    /// declared. A plain no has neither, and waits for no configuration.
    async fn notice(
        &self,
        said: &ConsentRecord,
    ) -> Result<Result<Option<Notice>, Refusal>, IntakeError> {
        if said.topics.is_empty() && said.notice.is_none() {
            return Ok(Ok(None));
        }
        let config = self.controls.config().await?;
        if let Err(refusal) = topics_are_declared(&config.consents, said) {
            return Ok(Err(refusal));
        }
        let Some(text) = &said.notice else {
            return Ok(Ok(None));
        };
        let Ok(id) = NoticeId::parse(text) else {
            let locale = said.locale.as_deref().unwrap_or_default();
            return Ok(Ok(Some(Notice {
                id: NoticeId::of(text, locale, &config.controller.name),
                text: Some(text.clone()),
            })));
        };
        let is_known = self.controls.notice(&id).await?.is_some();
        Ok(is_known
            .then_some(Some(Notice { id, text: None }))
            .ok_or(Refusal::at(
                Code::Malformed,
                "notice",
                "is the id of no registered notice; register its text with headgate notice add, or give the text",
            )))
    }

    async fn record_one(
        &self,
        said: &ConsentRecord,
        statement: &Statement,
        about: About,
        source: &str,
        now: Timestamp,
    ) -> Result<Event, IntakeError> {
        let recorded = self.consents.record(statement, now).await?;
        let what = What {
            purpose: statement.purpose,
            topic: statement.topic.as_ref(),
        };
        if !recorded.in_force {
            return Ok(superseded(now, about, what, &recorded.event, source));
        }
        let unsubscribe_url = format!(
            "{}/u/{}",
            self.privacy_url,
            link::token(&self.links, &self.deployment, &statement.subject)
        );
        Ok(in_force(
            now,
            about,
            said,
            what,
            &recorded.event,
            &unsubscribe_url,
            source,
        ))
    }
}

/// The topics a record is about, one by one; once, without one, when it is about all of a purpose.
fn each_topic(said: &ConsentRecord) -> impl Iterator<Item = Option<&Topic>> {
    let whole = said.topics.is_empty().then_some(None);
    whole.into_iter().chain(said.topics.iter().map(Some))
}

/// What nobody declared cannot be agreed to; a no to it is a no to nothing, and is said to be.
fn topics_are_declared(config: &Consents, said: &ConsentRecord) -> Result<(), Refusal> {
    let is_declared = |topic: &Topic| {
        let mut purposes = said.purposes.iter();
        purposes.all(|purpose| config.has_topic(*purpose, topic))
    };
    if said.topics.iter().all(is_declared) {
        Ok(())
    } else {
        Err(Refusal::at(
            Code::Malformed,
            "topics",
            "names one that is not declared for each purpose under [[consents.topics]] in config/headgate.toml",
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
