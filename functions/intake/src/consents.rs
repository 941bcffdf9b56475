//! A record of the consents queue: into the ledger, and into force if the rules say so.
//!
//! A yes counts from a producer that may attest one; a no counts from anybody, because wrongly
//! writing to nobody harms nobody. It does not decide what a statement changes: that is
//! `headgate_domain::consent`'s.

use headgate_aws::consents::{Notice, Statement};
use headgate_aws::keyring::KeyringError;
use headgate_domain::config::Consents;
use headgate_domain::confirm_link;
use headgate_domain::consent::{Action, ConsentRecord, MAX_AHEAD_MS, NoticeId, Topic};
use headgate_domain::do_not_sell::{self, DoNotSell, Way};
use headgate_domain::event::Event;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::link;
use headgate_domain::outbound::readable_id;
use headgate_domain::refusal::{Code, Refusal};
use headgate_domain::time::Timestamp;
use headgate_lambda::batch::SqsRecord;
use headgate_lambda::log::{Field, Level, log};
use serde_json::{Value, json};

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
        if let Some(row) = confirm_link::pressed_row(&record.body) {
            return self.pressed(&row, source, now).await;
        }
        if let Some((subject, way)) = do_not_sell::in_record(&record.body) {
            return self.not_to_be_sold(&subject, way, record, now).await;
        }
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
        if said.action == Action::Given && self.is_from_before(&said.to, said.occurred_at).await? {
            let refusal = Code::UnknownSubject.into();
            return Ok(Answer::event(consent_refused(now, about, &refusal, source)));
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
        // Meta's own switch, as the sender or an app learnt of it: what a stop closes, Meta's resume alone opens.
        if said.action == Action::Withdrawn && said.method == "meta_switch" {
            self.subjects()
                .note_meta_stop(&subject.id, true, said.occurred_at)
                .await?;
        }
        let about = About {
            subject: Some(subject.id.clone()),
            reference: said.reference.clone().or_else(|| subject.reference.clone()),
            ..about
        };
        let statements = statements(&said, &subject.id, notice.as_ref(), &speaker.actor);
        if let Some(row) = &speaker.link {
            let asked = self.ask(row, &subject, statements, about, source, now);
            return Box::pin(asked).await;
        }
        let mut answer = Answer::default();
        // One after the other: all statements of a person go into one shard of the ledger.
        for statement in statements {
            let told = self.record_one(&statement, about.clone(), source, now);
            answer.events.push(Box::pin(told).await?);
        }
        Ok(answer)
    }

    /// A choice by the pages that somebody's data be neither sold nor shared. Who is not on record, or was
    /// erased, has nothing that could be.
    async fn not_to_be_sold(
        &self,
        subject: &SubjectId,
        way: Way,
        record: &SqsRecord,
        now: Timestamp,
    ) -> Result<Answer, IntakeError> {
        let person = match self.subjects().load(subject).await {
            Ok(Some(person)) => person,
            Ok(None) | Err(KeyringError::NoKey) => return Ok(Answer::default()),
            Err(error) => return Err(error.into()),
        };
        let choice = DoNotSell {
            at: record.sent_at().map_or(now, |sent| sent.min(now)),
            way,
            source: record.message_id.clone(),
            event: None,
        };
        let evidence = match way {
            Way::Gpc => json!({ "external_signal": { "gpc": true } }),
            Way::Link | Way::Keyword | Way::QuickReply => Value::Null,
        };
        let reference = person.reference.as_deref();
        let recorded = self
            .consents
            .do_not_sell(&person.id, reference, &choice, &evidence, now);
        let told = Box::pin(recorded).await?;
        Ok(told.map_or_else(Answer::default, Answer::event))
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

    /// Records a statement, and what the app is told of it.
    pub(crate) async fn record_one(
        &self,
        statement: &Statement,
        about: About,
        source: &str,
        now: Timestamp,
    ) -> Result<Event, IntakeError> {
        let recorded = self.consents.record(statement, now).await?;
        if !recorded.in_force {
            let what = What::of(statement);
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
            statement,
            &recorded.event,
            &unsubscribe_url,
            source,
        ))
    }
}

/// What a record says, purpose by purpose and topic by topic; once of a purpose when it is about all of it.
fn statements(
    said: &ConsentRecord,
    subject: &SubjectId,
    notice: Option<&Notice>,
    actor: &str,
) -> Vec<Statement> {
    let mut purposes = said.purposes.clone();
    purposes.sort_unstable();
    purposes.dedup();
    let topics: Vec<Option<&Topic>> = match said.topics.as_slice() {
        [] => vec![None],
        some => some.iter().map(Some).collect(),
    };
    let of = |purpose: Purpose, topic: Option<&Topic>| Statement {
        subject: subject.clone(),
        purpose,
        topic: topic.cloned(),
        action: said.action,
        at: said.occurred_at,
        asked_at: None,
        method: said.method.clone(),
        notice: notice.cloned(),
        locale: said.locale.clone(),
        evidence: said.evidence.clone().map(String::into_bytes),
        actor: Some(actor.to_owned()),
    };
    let mut statements = Vec::with_capacity(purposes.len().saturating_mul(topics.len()));
    for purpose in purposes {
        statements.extend(topics.iter().map(|topic| of(purpose, *topic)));
    }
    statements
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
