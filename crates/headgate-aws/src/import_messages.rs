//! The one message to the people of an approved file: who gets it, and that nobody gets a second.
//!
//! Owns the order: first the mark that this person is written to on the word of a file, which outlives the
//! person's own row; then the proof, with who approved; then the question on the person's row, which binds
//! the buttons. Doing the same rows again leads to the same messages. Sends nothing itself.

use std::collections::HashMap;
use std::sync::Arc;

use headgate_domain::config::{Config, ImportMessage, ImportText};
use headgate_domain::consent::{
    Action, Asking, IMPORTED, Question, State, Subject, Topic, Validity,
};
use headgate_domain::identity::{Identifier, Pepper, SubjectId};
use headgate_domain::import::{FileHash, Left, METHOD};
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::Recipient;
use headgate_domain::system::{Kind, Locale, SystemMessage, Wanted};
use headgate_domain::time::Timestamp;

use crate::consents::{Consents, Notice, Statement};
use crate::keyring::{KeyringError, Salt};
use crate::subjects::asking::Requested;
use crate::suppression::Once;

/// How the proof says the question came about.
const BY_MESSAGE: &str = "import_message";

/// An approval that counts.
#[derive(Clone, Copy)]
pub struct Approval<'a> {
    /// Of which file.
    pub file: &'a FileHash,
    /// The configuration in force.
    pub config: &'a Config,
    /// The setting in it.
    pub message: &'a ImportMessage,
    /// Who approved.
    pub approver: &'a str,
}

/// A row of the file.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// Its number.
    pub number: u64,
    /// The hash of its code.
    pub code_hash: &'a str,
}

/// What comes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// This message is to be put on the system queue.
    To(SystemMessage),
    /// Nobody is written to.
    Left(Left),
    /// As many were written to today as may be: this row waits.
    Full,
}

/// Decides about the people of approved files, and marks whom a message goes to.
#[derive(Clone)]
pub struct ImportMessages {
    consents: Consents,
    /// What binds the buttons.
    pepper: Arc<Pepper>,
}

impl ImportMessages {
    /// Writes with these.
    pub const fn new(consents: Consents, pepper: Arc<Pepper>) -> Self {
        Self { consents, pepper }
    }

    /// Decides about rows in their order, and ends with the first that has to wait. Rows that asked nobody
    /// come to nothing and are absent; an answer stands beside its place.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available; doing the same rows again is safe.
    pub async fn write(
        &self,
        approval: Approval<'_>,
        rows: &[Row<'_>],
        now: Timestamp,
    ) -> Result<Vec<(usize, Written)>, KeyringError> {
        let hashes: Vec<&str> = rows.iter().map(|row| row.code_hash).collect();
        let subjects = self.consents.subjects();
        let requested = subjects.requested(&hashes).await?;
        let ids: Vec<SubjectId> = requested.values().map(|r| r.subject.clone()).collect();
        let people = Box::pin(subjects.load_all(&ids)).await?;
        let mut written = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            let Some(request) = requested.get(row.code_hash) else {
                continue;
            };
            let one = Box::pin(self.one(approval, *row, request, &people, now)).await?;
            let is_full = one == Written::Full;
            written.push((index, one));
            if is_full {
                break;
            }
        }
        Ok(written)
    }

    async fn one(
        &self,
        approval: Approval<'_>,
        row: Row<'_>,
        request: &Requested,
        people: &HashMap<SubjectId, (Subject, Salt)>,
        now: Timestamp,
    ) -> Result<Written, KeyringError> {
        if !request.is_attested {
            return Ok(Written::Left(Left::NotAttested));
        }
        if request.is_used {
            return Ok(Written::Left(Left::Answered));
        }
        let person = people.get(&request.subject).map(|(person, _salt)| person);
        let Some(person) = person.filter(|_person| request.expires_at > now) else {
            return Ok(Written::Left(Left::RunOut));
        };
        let country = person.country();
        let text = approval.message.text_for(country);
        let locale = text.and_then(|text| Locale::from_tag(&text.locale));
        // A configuration has a text in English, so there is one.
        let (Some(text), Some(locale)) = (text, locale) else {
            return Ok(Written::Left(Left::NotAttested));
        };
        let question = self.question(approval, row, request, (person, text), now);
        let known: Vec<Identifier> = person.identifiers().collect();
        let keys = self.consents.all_suppression_keys(&known);
        let written = known.iter();
        let written = written.flat_map(|one| self.consents.new_suppression_keys(one));
        let written: Vec<String> = written.map(|key| key.as_str().to_owned()).collect();
        if let Some(left) = self
            .left_out(approval, person, &question, &keys, now)
            .await?
        {
            return Ok(Written::Left(left));
        }
        let suppression = self.consents.suppression();
        let per_day = approval.message.per_day;
        match suppression
            .write_once(&keys, &written, row.code_hash, per_day, now)
            .await?
        {
            Once::Mine => {}
            Once::Other => return Ok(Written::Left(Left::AskedBefore)),
            Once::Full => return Ok(Written::Full),
        }
        let is_again = person
            .asked
            .as_ref()
            .is_some_and(|asked| asked.message == question.message);
        if !is_again {
            self.prove(approval, row, &question, (person, text), now)
                .await?;
            let subjects = self.consents.subjects();
            if !subjects.note_question(&person.id, &question).await? {
                return Ok(Written::Left(Left::AskedLately));
            }
        }
        Ok(Written::To(SystemMessage {
            kind: Kind::ImportConfirmation,
            cause: question.cause(),
            to: Recipient::Subject(person.id.clone()),
            from: approval.message.from.clone(),
            locale,
            token: None,
            said_at: None,
            question: Some(Wanted {
                entry: question.entry,
                notice: question.notice,
                token: question.token,
            }),
        }))
    }

    fn question(
        &self,
        approval: Approval<'_>,
        row: Row<'_>,
        request: &Requested,
        (person, text): (&Subject, &ImportText),
        now: Timestamp,
    ) -> Question {
        let notice = text.notice_id(&approval.config.controller.name);
        let marketing = request
            .asks
            .iter()
            .filter(|(of, _)| *of == Purpose::Marketing);
        let topics: Vec<Topic> = marketing.filter_map(|(_, topic)| topic.clone()).collect();
        let about = [row.code_hash, IMPORTED, notice.as_str()];
        let deployment = self.consents.subjects().keyring().deployment();
        let origin = serde_json::json!({
            "file": approval.file.as_str(), "row": row.number, "approved_by": approval.approver,
        });
        Question {
            // Meta tells the time of an answer in whole seconds.
            at: Timestamp::from_seconds(now.seconds()),
            entry: IMPORTED.to_owned(),
            method: METHOD.to_owned(),
            message: row.code_hash.to_owned(),
            token: Question::token(&self.pepper, deployment, person.id.as_str(), about),
            purpose: Purpose::Marketing,
            topics,
            notice,
            locale: text.locale.clone(),
            origin: origin.to_string(),
        }
    }

    /// Why somebody is not written to; `None` when they are.
    async fn left_out(
        &self,
        approval: Approval<'_>,
        person: &Subject,
        question: &Question,
        keys: &[String],
        now: Timestamp,
    ) -> Result<Option<Left>, KeyringError> {
        let covered = self.consents.suppression().covering(keys).await?;
        let suppressed: Vec<Purpose> = covered.into_iter().flat_map(|(_, p)| p).collect();
        let asking = Asking {
            purpose: question.purpose,
            topics: &question.topics,
            validity: Validity::of(approval.config.profile_of(person.country())),
            renew: &approval.config.consents.renew_notices,
        };
        let stands = |topic| Some(person.deciding(question.purpose, topic)?.state);
        let states: Vec<State> = question.each().filter_map(stands).collect();
        if states.contains(&State::Withdrawn) {
            return Ok(Some(Left::Suppressed));
        }
        if !states.contains(&State::Requested) {
            return Ok(Some(Left::Answered));
        }
        if !person.may_be_asked(&asking, &suppressed, now) {
            return Ok(Some(Left::Suppressed));
        }
        let other = person.asked.as_ref();
        let other = other.filter(|asked| asked.message != question.message);
        Ok(other
            .is_some_and(|asked| asked.is_open(now))
            .then_some(Left::AskedLately))
    }

    /// Proves that the person is asked by a message, and who approved: an event that changes no state.
    async fn prove(
        &self,
        approval: Approval<'_>,
        row: Row<'_>,
        question: &Question,
        (person, text): (&Subject, &ImportText),
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        let evidence = serde_json::json!({
            "file": approval.file.as_str(),
            "row": row.number,
            "approved_by": approval.approver,
            "template": approval.message.template,
            "message": question.message,
        });
        for topic in question.each() {
            let statement = Statement {
                subject: person.id.clone(),
                purpose: question.purpose,
                topic: topic.cloned(),
                action: Action::Requested,
                at: now,
                asked_at: None,
                method: BY_MESSAGE.to_owned(),
                notice: Some(Notice {
                    id: question.notice.clone(),
                    text: Some(text.notice.clone()),
                }),
                locale: Some(text.locale.clone()),
                evidence: Some(evidence.to_string().into_bytes()),
                actor: Some(approval.approver.to_owned()),
            };
            Box::pin(self.consents.record(&statement, now)).await?;
        }
        Ok(())
    }
}
