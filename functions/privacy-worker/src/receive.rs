//! A request comes: it is opened, the person is blocked for what they may not want any more, and told.
//!
//! Each step repeats safely, and the message stays on its queue until all are done. Who asks again while a request is
//! open, or is not known any more, causes nothing new.

use headgate_aws::privacy_requests::{Chosen, Opened, Request};
use headgate_domain::config::Config;
use headgate_domain::outbound::Recipient;
use headgate_domain::privacy::{Ask, RequestId, State, Wish, erase_at};
use headgate_domain::profiles::Right;
use headgate_domain::system::{Kind, SystemMessage, to_json};
use headgate_domain::time::Timestamp;
use headgate_lambda::log::{Field, Level, log};

use crate::{PrivacyWorker, WorkerError};

impl PrivacyWorker {
    /// Opens what a message of the queue asks for.
    pub(crate) async fn receive(&self, body: &str) -> Result<(), WorkerError> {
        let ask = Ask::parse(body).map_err(|_refusal| WorkerError::Message)?;
        let (right, chosen) = match &ask.wish {
            Wish::Right(right) => (*right, None),
            Wish::Code(hash) => match self.requests.use_code(hash, ask.at, &ask.source).await? {
                Some(chosen) => (chosen.right, Some(chosen)),
                // Unknown, used, or too old: whoever sent it sees on the page that nothing came of it.
                None => return Ok(()),
            },
        };
        match right {
            Right::Erasure => Box::pin(self.open_erasure(&ask, chosen)).await,
            Right::Access | Right::Portability => Box::pin(self.open_access(&ask, chosen)).await,
            Right::Rectification | Right::Restriction | Right::Objection | Right::DoNotSell => {
                Err(WorkerError::Right)
            }
        }
    }

    async fn open_erasure(&self, ask: &Ask, chosen: Option<Chosen>) -> Result<(), WorkerError> {
        let now = (self.clock)();
        let person = self.eraser.subjects.person(&ask.subject).await?;
        // Erased since they asked, by this request or another.
        let Some(subject) = &person.subject else {
            return Ok(());
        };
        let config = self.controls.config().await?;
        let law = config.profile_of(subject.country());
        let right = Right::Erasure;
        let (id, locale) = match chosen {
            Some(chosen) => (chosen.request, chosen.locale),
            None => (RequestId::from_random(headgate_aws::random()?), ask.locale),
        };
        let request = Request {
            id,
            right,
            state: State::Verified,
            subject: Some(subject.id.clone()),
            received_at: ask.at,
            due_at: law.due(right, ask.at).by,
            run_at: erase_at(now, subject.identity_change.is_none()),
            number: number_of(ask, &config),
            locale,
            closed_at: None,
            receipt: None,
        };
        let (request, is_new) = match self.requests.open(&subject.id, &request).await? {
            Opened::New => (request, true),
            Opened::Standing(standing) => (*standing, false),
        };
        // Their row must not run out before: it says what is to be deleted.
        self.eraser.subjects.keep(&subject.id).await?;
        self.eraser.block(&person, now).await?;
        self.tell(&request, now).await?;
        if is_new {
            log(
                Level::Info,
                "request_opened",
                &[
                    ("request", Field::safe(&request.id)),
                    ("right", Field::code(request.right.word())),
                ],
            );
        }
        Ok(())
    }

    async fn open_access(&self, ask: &Ask, chosen: Option<Chosen>) -> Result<(), WorkerError> {
        let now = (self.clock)();
        let person = self.eraser.subjects.person(&ask.subject).await?;
        let Some(subject) = &person.subject else {
            return Ok(());
        };
        // A flood of requests makes one copy a day; the link to it is in the chat already.
        if !self.requests.may_export(&subject.id, now).await? {
            return Ok(());
        }
        let config = self.controls.config().await?;
        let (id, locale) = match chosen {
            Some(chosen) => (chosen.request, chosen.locale),
            None => (RequestId::from_random(headgate_aws::random()?), ask.locale),
        };
        let law = config.profile_of(subject.country());
        let request = Request {
            id,
            right: Right::Access,
            state: State::Verified,
            subject: Some(subject.id.clone()),
            received_at: ask.at,
            due_at: law.due(Right::Access, ask.at).by,
            run_at: now,
            number: number_of(ask, &config),
            locale,
            closed_at: None,
            receipt: None,
        };
        self.requests.open(&subject.id, &request).await?;
        Ok(())
    }

    /// Tells the person of the request, while there is somebody to tell. The same request is told once.
    async fn tell(&self, request: &Request, now: Timestamp) -> Result<(), WorkerError> {
        let (Some(subject), Some(number)) = (&request.subject, &request.number) else {
            return Ok(());
        };
        let message = SystemMessage {
            kind: Kind::PrivacyReceipt,
            cause: request.id.as_str().to_owned(),
            to: Recipient::Subject(subject.clone()),
            from: number.clone(),
            locale: request.locale,
            token: Some(request.id.as_str().to_owned()),
            said_at: Some(request.received_at.min(now)),
            question: None,
        };
        Ok(self.system.send(&to_json(&message), &[]).await?)
    }
}

/// The number to answer from: the one that was written to, or the first of the configuration.
fn number_of(ask: &Ask, config: &Config) -> Option<String> {
    let first = || config.numbers.first().map(|number| number.id.clone());
    ask.number.clone().or_else(first)
}
