//! A person objects to the use of their data (GDPR 21): whatever they do not ask for themselves is closed, as by any
//! other no.
//!
//! It is in force before it is told, and told before the request is closed. Each step repeats safely.

use headgate_aws::consents::Statement;
use headgate_aws::privacy_requests::Request;
use headgate_domain::consent::{Action, Subject};
use headgate_domain::event::Event;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::privacy::{OBJECTED, State};
use headgate_domain::system::Kind;
use headgate_domain::time::Timestamp;
use serde_json::json;

use crate::{PrivacyWorker, WorkerError};

/// How it was said: by a message of the person's own. A word like START does not take it back.
const METHOD: &str = "message_in";

impl PrivacyWorker {
    /// Puts an objection in force, tells of it, and closes the request.
    pub(crate) async fn object(
        &self,
        request: &Request,
        subject: &SubjectId,
        now: Timestamp,
    ) -> Result<(), WorkerError> {
        let Some(person) = self.known(subject).await? else {
            // Erased in between.
            return self.close(request, State::Denied, now).await;
        };
        let mut events = Vec::new();
        for purpose in OBJECTED {
            events.extend(self.say_no(request, &person, purpose, now).await?);
        }
        self.bus.publish(&events).await?;
        let said_at = Some(request.received_at.min(now));
        self.tell(Kind::PrivacyObjection, request, said_at).await?;
        self.close(request, State::Fulfilled, now).await
    }

    /// Records the no for a purpose; the event, when it is in force.
    async fn say_no(
        &self,
        request: &Request,
        person: &Subject,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<Option<Event>, WorkerError> {
        let (id, at) = (request.id.as_str(), request.received_at.min(now));
        let statement = Statement {
            subject: person.id.clone(),
            purpose,
            topic: None,
            action: Action::Withdrawn,
            at,
            asked_at: None,
            method: METHOD.to_owned(),
            notice: None,
            locale: None,
            evidence: Some(json!({ "request": id }).to_string().into_bytes()),
            actor: None,
        };
        let recorded = self.eraser.consents.record(&statement, now).await?;
        let told = || {
            Event::new("subject.opted_out", at, &[id, purpose.word()])
                .with_subject(Some(&person.id))
                .with_reference(person.reference.clone())
                .with("purpose", purpose.word())
                .with("method", METHOD)
                .with("ledger_event", recorded.event)
        };
        Ok(recorded.in_force.then(told))
    }
}
