//! A person wants something corrected (GDPR 16): the business is told, and what it answers is passed on.
//!
//! What Headgate itself keeps of a person comes from Meta or from their own word; what is wrong is the business's, and
//! what is right the person says in the chat. So nothing is changed here: the request is kept, with its day.

use headgate_aws::privacy_requests::Request;
use headgate_domain::consent::Subject;
use headgate_domain::event::Event;
use headgate_domain::policy::is_window_open;
use headgate_domain::privacy::{Denial, Extension, RequestId, State, Task};
use headgate_domain::profiles::Right;
use headgate_domain::system::Kind;
use headgate_domain::time::Timestamp;
use headgate_lambda::log::{Field, Level, log};

use crate::{PrivacyWorker, SOON_MS, WorkerError};

impl PrivacyWorker {
    /// Tells the apps of a request, and its person what to do now.
    pub(crate) async fn pass_on(
        &self,
        request: &Request,
        person: &Subject,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let at = request.received_at.min(now);
        let event = Event::new("subject.rectification", at, &[request.id.as_str()])
            .with_subject(Some(&person.id))
            .with_reference(person.reference.clone())
            .with("request", request.id.as_str())
            .with("due_at", request.due_at.to_string());
        self.bus.publish(&[event]).await?;
        self.tell(Kind::PrivacyRectification, request, Some(at))
            .await
    }

    /// Closes a request as the business has answered it; with a reason, it was denied.
    pub(crate) async fn answer(
        &self,
        id: &RequestId,
        denial: Option<Denial>,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let Some(request) = self.answerable(id).await? else {
            return Ok(());
        };
        let (kind, state) = match denial {
            None => (Kind::PrivacyDone, State::Fulfilled),
            Some(_) => (Kind::PrivacyDenied, State::Denied),
        };
        self.tell_if_open(kind, &request, now).await?;
        let request = Request { denial, ..request };
        self.close(&request, state, now).await
    }

    /// Gives the business the longest time that every law of the person allows, once.
    pub(crate) async fn extend(
        &self,
        id: &RequestId,
        why: Extension,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let Some(request) = self.answerable(id).await? else {
            return Ok(());
        };
        let Some(subject) = &request.subject else {
            return Ok(());
        };
        let country = self
            .known(subject)
            .await?
            .and_then(|person| person.country());
        let config = self.controls.config().await?;
        let law = config.profile_of(country);
        let until = law.due(request.right, request.received_at).at_the_latest;
        let is_repeat = request.extension == Some(why);
        // After the first term nothing can be extended.
        let may = !is_repeat && until > request.due_at && now <= request.due_at;
        let run_at = until.plus_millis(-SOON_MS).max(now);
        let is_new = may && self.requests.extend(id, why, (run_at, until)).await?;
        if !is_new && !is_repeat {
            log(
                Level::Warn,
                "request_not_extended",
                &[("request", Field::safe(id))],
            );
            return Ok(());
        }
        let run = Task::Run(id.clone());
        self.requests.plan(&run, run_at).await?;
        if request.run_at != run_at {
            self.requests.done(&run, request.run_at).await?;
        }
        self.tell_if_open(Kind::PrivacyExtended, &request, now)
            .await
    }

    /// A request that waits for what the business says.
    async fn answerable(&self, id: &RequestId) -> Result<Option<Request>, WorkerError> {
        let found = self.requests.find(id).await?;
        Ok(found.filter(|one| one.right == Right::Rectification && !one.state.is_closed()))
    }

    /// Tells the person in the chat, as long as one may write there; the page says it in any case.
    pub(crate) async fn tell_if_open(
        &self,
        kind: Kind,
        request: &Request,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let Some(subject) = &request.subject else {
            return Ok(());
        };
        match self.known(subject).await? {
            Some(person) if is_window_open(&person, now) => self.tell(kind, request, None).await,
            Some(_) | None => Ok(()),
        }
    }
}
