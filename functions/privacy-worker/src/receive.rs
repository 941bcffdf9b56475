//! A request comes: it is opened, what it asks for at once is in force, and the person is told.
//!
//! Each step repeats safely, and the message stays on its queue until all are done. Who asks again while a request is
//! open, or is not known any more, causes nothing new.

use headgate_aws::AwsError;
use headgate_aws::privacy_requests::{Chosen, Opened, Request};
use headgate_domain::config::Config;
use headgate_domain::consent::Subject;
use headgate_domain::identity::SubjectId;
use headgate_domain::outbound::Recipient;
use headgate_domain::privacy::{Ask, Choice, RequestId, State, Wish, erase_at};
use headgate_domain::profiles::Right;
use headgate_domain::system::{Kind, Locale, SystemMessage, to_json};
use headgate_domain::time::{DAY, Timestamp};
use headgate_lambda::log::{Field, Level, log};

use crate::{PrivacyWorker, SOON_MS, WorkerError};

/// A row that would run out by itself lives for at least this long on, when something is asked for: long enough for the
/// calendar, which looks three days before a row ends, to see what waits for the person.
const ROW_MS: i64 = 30 * DAY;

impl PrivacyWorker {
    /// Opens what a message of the queue asks for.
    pub(crate) async fn receive(&self, body: &str) -> Result<(), WorkerError> {
        let ask = Ask::parse(body).map_err(|_refusal| WorkerError::Message)?;
        let (choice, chosen) = match &ask.wish {
            Wish::Right(right) => (Choice::Right(*right), None),
            Wish::Code(hash) => {
                let chosen = self.requests.use_code(hash, ask.at, &ask.source).await?;
                let Some(chosen) = chosen else {
                    // Unknown, used, or too old: whoever sent it sees on the page that nothing came of it.
                    log(Level::Info, "code_refused", &[]);
                    return Ok(());
                };
                (chosen.choice, Some(chosen))
            }
        };
        let right = match choice {
            Choice::Right(right) => right,
            Choice::Lift => return Box::pin(self.lift_by_person(&ask, chosen)).await,
        };
        match right {
            Right::Erasure => Box::pin(self.open_erasure(&ask, chosen)).await,
            Right::Access | Right::Portability => Box::pin(self.open_access(&ask, chosen)).await,
            Right::Objection | Right::Restriction => {
                Box::pin(self.open_at_once(&ask, chosen, right)).await
            }
            Right::Rectification => Box::pin(self.open_rectification(&ask, chosen)).await,
            Right::DoNotSell => Err(WorkerError::Right),
        }
    }

    async fn open_erasure(&self, ask: &Ask, chosen: Option<Chosen>) -> Result<(), WorkerError> {
        let now = (self.clock)();
        let person = self.eraser.subjects.person(&ask.subject).await?;
        // Erased since they asked, by this request or another.
        let Some(subject) = &person.subject else {
            return Ok(());
        };
        let run_at = erase_at(now, subject.certain_since().is_none());
        let opened = self.open(ask, chosen, (Right::Erasure, Some(run_at)), subject);
        let Some(request) = opened.await? else {
            return Ok(());
        };
        // Their row must not run out before: it says what is to be deleted.
        let until = request.due_at.plus_millis(ROW_MS);
        self.eraser.subjects.keep(&subject.id, until).await?;
        self.eraser.block(&person, now).await?;
        let said_at = Some(request.received_at.min(now));
        self.tell(Kind::PrivacyReceipt, &request, said_at).await
    }

    async fn open_access(&self, ask: &Ask, chosen: Option<Chosen>) -> Result<(), WorkerError> {
        let now = (self.clock)();
        let Some(subject) = self.known(&ask.subject).await? else {
            return Ok(());
        };
        // A flood of requests makes one copy a day; the link to it is in the chat already.
        if !self.requests.may_export(&subject.id, now).await? {
            return Ok(());
        }
        self.open(ask, chosen, (Right::Access, Some(now)), &subject)
            .await?;
        Ok(())
    }

    /// What takes effect at once waits for no agenda; the agenda has it in case this ends here.
    async fn open_at_once(
        &self,
        ask: &Ask,
        chosen: Option<Chosen>,
        right: Right,
    ) -> Result<(), WorkerError> {
        let now = (self.clock)();
        let Some(subject) = self.known(&ask.subject).await? else {
            return Ok(());
        };
        let opened = self.open(ask, chosen, (right, Some(now)), &subject).await?;
        let Some(request) = opened else {
            return Ok(());
        };
        if right == Right::Restriction {
            Box::pin(self.restrict(&request, &subject.id, now)).await
        } else {
            Box::pin(self.object(&request, &subject.id, now)).await
        }
    }

    /// The person behind a subject id, as long as there is one.
    pub(crate) async fn known(&self, subject: &SubjectId) -> Result<Option<Subject>, WorkerError> {
        let person = Box::pin(self.eraser.subjects.person(subject)).await?;
        Ok(person.subject)
    }

    /// What is wrong, the business alone can say; so it is told, and looked at again on the day it is due.
    async fn open_rectification(
        &self,
        ask: &Ask,
        chosen: Option<Chosen>,
    ) -> Result<(), WorkerError> {
        let now = (self.clock)();
        let Some(subject) = self.known(&ask.subject).await? else {
            return Ok(());
        };
        // Looked at before it is due: it is the business that has to do something.
        let opened = self.open(ask, chosen, (Right::Rectification, None), &subject);
        match opened.await? {
            Some(request) => self.pass_on(&request, &subject, now).await,
            None => Ok(()),
        }
    }

    /// Opens a request, or finds the one that is open already; `None` when the message comes again after all was done.
    /// Without a time to be carried out at, it is looked at a week before it is due.
    async fn open(
        &self,
        ask: &Ask,
        chosen: Option<Chosen>,
        (right, run_at): (Right, Option<Timestamp>),
        subject: &Subject,
    ) -> Result<Option<Request>, WorkerError> {
        let (id, locale) = named(ask, chosen)?;
        // The same message once more, or one that asked for what stood open by then.
        if let Some(known) = self.requests.find(&id).await? {
            return Ok((!known.state.is_closed()).then_some(known));
        }
        let config = self.controls.config().await?;
        let law = config.profile_of(subject.country());
        let due_at = law.due(right, ask.at).by;
        let request = Request {
            id,
            right,
            state: State::Verified,
            subject: Some(subject.id.clone()),
            received_at: ask.at,
            due_at,
            run_at: run_at.unwrap_or_else(|| due_at.plus_millis(-SOON_MS).max(ask.at)),
            number: number_of(ask, &config),
            locale,
            closed_at: None,
            receipt: None,
            extension: None,
            denial: None,
        };
        match self.requests.open(&subject.id, &request).await? {
            Opened::New => {}
            Opened::Standing(standing) => {
                if let Wish::Code(hash) = &ask.wish {
                    self.requests.join_code(hash, &standing.id).await?;
                }
                return Ok(Some(*standing));
            }
        }
        log(
            Level::Info,
            "request_opened",
            &[
                ("request", Field::safe(&request.id)),
                ("right", Field::code(request.right.word())),
            ],
        );
        Ok(Some(request))
    }

    /// Tells the person of a request, while there is somebody to tell. The same is told of it once, and not later than
    /// its time after what it answers, if it answers something.
    pub(crate) async fn tell(
        &self,
        kind: Kind,
        request: &Request,
        said_at: Option<Timestamp>,
    ) -> Result<(), WorkerError> {
        let (Some(subject), Some(number)) = (&request.subject, &request.number) else {
            return Ok(());
        };
        let message = SystemMessage {
            kind,
            cause: request.id.as_str().to_owned(),
            to: Recipient::Subject(subject.clone()),
            from: number.clone(),
            locale: request.locale,
            token: Some(request.id.as_str().to_owned()),
            said_at,
            question: None,
        };
        Ok(Box::pin(self.system.send(&to_json(&message), &[])).await?)
    }
}

/// The reference of what is asked for, and the language to answer in: those of the page, or new ones.
pub(crate) fn named(ask: &Ask, chosen: Option<Chosen>) -> Result<(RequestId, Locale), AwsError> {
    match chosen {
        Some(chosen) => Ok((chosen.request, chosen.locale)),
        None => Ok((RequestId::from_random(headgate_aws::random()?), ask.locale)),
    }
}

/// The number to answer from: the one that was written to, or the first of the configuration.
pub(crate) fn number_of(ask: &Ask, config: &Config) -> Option<String> {
    let first = || config.numbers.first().map(|number| number.id.clone());
    ask.number.clone().or_else(first)
}
