//! A person wants their data kept and not used (GDPR 18): nothing is sent to them until that ends.
//!
//! The request stays open as long as it is in force. It ends by the person's own message or by an operator, and never
//! before the person has been told. Each step repeats safely.

use headgate_aws::privacy_requests::{Chosen, Request};
use headgate_aws::subjects::Person;
use headgate_domain::consent::Subject;
use headgate_domain::event::Event;
use headgate_domain::identity::SubjectId;
use headgate_domain::policy::is_window_open;
use headgate_domain::privacy::{Ask, RequestId, State, Task};
use headgate_domain::profiles::Right;
use headgate_domain::system::Kind;
use headgate_domain::time::Timestamp;
use headgate_lambda::log::{Field, Level, log};

use crate::receive::{named, number_of};
use crate::{PrivacyWorker, WorkerError};

impl PrivacyWorker {
    /// Puts a restriction in force, and tells of it.
    pub(crate) async fn restrict(
        &self,
        request: &Request,
        subject: &SubjectId,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let Some(person) = self.known(subject).await? else {
            // Erased in between.
            return self.close(request, State::Denied, now).await;
        };
        let at = request.received_at.min(now);
        let subjects = &self.eraser.subjects;
        subjects.restrict(&person.id, at, now).await?;
        if !self.requests.advance(request, State::Running).await? {
            // It has ended in between, and this was the same message once more.
            return Ok(subjects.lift_restriction(&person.id, at).await?);
        }
        let told = about("subject.restricted", at, &request.id, &person);
        self.bus.publish(&[told]).await?;
        self.tell(Kind::PrivacyRestriction, request, Some(at))
            .await?;
        let run = Task::Run(request.id.clone());
        Ok(self.requests.done(&run, request.run_at).await?)
    }

    /// Ends the restriction of whoever has sent the code for that. What was restricted after they wrote stays so.
    pub(crate) async fn lift_by_person(
        &self,
        ask: &Ask,
        chosen: Option<Chosen>,
    ) -> Result<(), WorkerError> {
        let now = (self.clock)();
        let person = Box::pin(self.eraser.subjects.person(&ask.subject)).await?;
        let Some(known) = &person.subject else {
            return Ok(());
        };
        let open = self.restriction_of(&person).await?;
        let asked_at = open.as_ref().map(|request| request.received_at);
        let Some(since) = known.restricted_at.max(asked_at) else {
            return Ok(());
        };
        if since >= ask.at {
            return Ok(());
        }
        let request = match open {
            Some(request) => request,
            // The row of a person outlives the table of requests, which has no recovery.
            None => self.opened_anew(ask, chosen, (known, since)).await?,
        };
        self.end_restriction(&request, known, now).await
    }

    /// Ends a restriction because an operator says so: the person is told first, or has been by another way.
    pub(crate) async fn lift(
        &self,
        id: &RequestId,
        was_told: bool,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let found = self.requests.find(id).await?;
        let found = found.filter(|one| one.right == Right::Restriction && !one.state.is_closed());
        let Some((request, subject)) = found.and_then(|one| Some((one.clone(), one.subject?)))
        else {
            return Ok(());
        };
        let Some(known) = self.known(&subject).await? else {
            return self.close(&request, State::Denied, now).await;
        };
        if !was_told && !is_window_open(&known, now) {
            log(
                Level::Warn,
                "restriction_not_lifted",
                &[("request", Field::safe(id))],
            );
            return Ok(());
        }
        self.end_restriction(&request, &known, now).await
    }

    async fn end_restriction(
        &self,
        request: &Request,
        person: &Subject,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        self.tell_if_open(Kind::PrivacyRestrictionEnd, request, now)
            .await?;
        let since = person.restricted_at.unwrap_or(request.received_at);
        let subjects = &self.eraser.subjects;
        subjects.lift_restriction(&person.id, since).await?;
        let told = about("subject.unrestricted", now, &request.id, person);
        self.bus.publish(&[told]).await?;
        self.close(request, State::Fulfilled, now).await?;
        // Whoever handles the message that restricted once more finds it closed, or is undone here.
        Ok(subjects.lift_restriction(&person.id, since).await?)
    }

    /// The restriction a person has open, under any of their ids.
    async fn restriction_of(&self, person: &Person) -> Result<Option<Request>, WorkerError> {
        for subject in &person.group.subjects {
            let open = self.requests.find_open(subject, Right::Restriction).await?;
            if open.is_some() {
                return Ok(open);
            }
        }
        Ok(None)
    }

    async fn opened_anew(
        &self,
        ask: &Ask,
        chosen: Option<Chosen>,
        (person, since): (&Subject, Timestamp),
    ) -> Result<Request, WorkerError> {
        let (id, locale) = named(ask, chosen)?;
        let config = self.controls.config().await?;
        let request = Request {
            id,
            right: Right::Restriction,
            state: State::Running,
            subject: Some(person.id.clone()),
            received_at: since,
            due_at: since,
            run_at: since,
            number: number_of(ask, &config),
            locale,
            closed_at: None,
            receipt: None,
            extension: None,
            denial: None,
        };
        self.requests.open(&person.id, &request).await?;
        Ok(request)
    }
}

fn about(kind: &'static str, at: Timestamp, request: &RequestId, person: &Subject) -> Event {
    Event::new(kind, at, &[request.as_str()])
        .with_subject(Some(&person.id))
        .with_reference(person.reference.clone())
        .with("request", request.as_str())
}
