//! A yes that was attested and is to be confirmed by a link: asking, and the press (R-314, ADR 0027).
//!
//! Owns that an attested yes with a link only asks, and that a link which was pressed is a yes to what it
//! asked and to nothing that the person has refused since. The word of whoever queues a press counts for
//! nothing: the row of the link says whether it was.

use headgate_aws::consents::{Notice, Statement};
use headgate_aws::keyring::KeyringError;
use headgate_aws::subjects::LinkRequest;
use headgate_domain::confirm_link::LinkRow;
use headgate_domain::consent::{Action, Subject};
use headgate_domain::refusal::Code;
use headgate_domain::time::{DAY, Timestamp};
use headgate_lambda::log::{Field, Level, log};
use serde_json::json;

use crate::answer::{About, consent_refused};
use crate::error::IntakeError;
use crate::{Answer, Intake};

/// How long it is known whom a link asks: its 72 hours, and as long as the longest queue may take.
const KEEP_MS: i64 = 30 * DAY;
/// How a yes by a link is expressed.
const METHOD: &str = "link";

impl Intake {
    /// Records what a link is to confirm, as asked for.
    pub(crate) async fn ask(
        &self,
        row: &LinkRow,
        subject: &Subject,
        attested: Vec<Statement>,
        about: About,
        source: &str,
        now: Timestamp,
    ) -> Result<Answer, IntakeError> {
        // A redelivery would prove the same a second time.
        if self.link_requests.find(row).await?.is_some() {
            return Ok(Answer::default());
        }
        let Some((notice, first)) = attested
            .first()
            .and_then(|first| Some((first.notice.as_ref()?.id.clone(), first)))
        else {
            return Ok(Answer::default());
        };
        let mut request = LinkRequest {
            subject: subject.id.clone(),
            asked: Vec::new(),
            notice,
            locale: first.locale.clone(),
            attested_at: first.at,
        };
        for statement in attested {
            if request.is_refused(subject, statement.purpose, statement.topic.as_ref()) {
                continue;
            }
            let statement = Statement {
                action: Action::Requested,
                ..statement
            };
            let recorded = Box::pin(self.consents.record(&statement, now)).await?;
            let asked = (statement.purpose, statement.topic, recorded.event);
            request.asked.push(asked);
        }
        // A link that asks nothing is written, too: whoever presses it is not told to come again.
        let forget_at = now.plus_millis(KEEP_MS);
        self.link_requests.put(row, &request, forget_at).await?;
        if request.asked.is_empty() {
            let refusal = Code::Suppressed.into();
            return Ok(Answer::event(consent_refused(now, about, &refusal, source)));
        }
        Ok(Answer::default())
    }

    /// Records the yes of a link that was pressed.
    pub(crate) async fn pressed(
        &self,
        row: &LinkRow,
        source: &str,
        now: Timestamp,
    ) -> Result<Answer, IntakeError> {
        let issued = self.confirm_links.find(row).await?;
        let request = self.link_requests.find(row).await?;
        let (Some(issued), Some(request)) = (issued, request) else {
            return Ok(ignored(row, "unknown"));
        };
        let Some(pressed_at) = issued.confirmed_at else {
            return Ok(ignored(row, "not_pressed"));
        };
        let subject = match self.subjects().load(&request.subject).await {
            Ok(Some(subject)) => subject,
            // Who was erased has said nothing.
            Ok(None) | Err(KeyringError::NoKey) => return Ok(ignored(row, "unknown_subject")),
            Err(error) => return Err(error.into()),
        };
        let mut answer = Answer::default();
        for (purpose, topic, requested) in request.open(&subject) {
            let evidence = json!({ "link": row.as_str(), "requested": requested }).to_string();
            let statement = Statement {
                subject: subject.id.clone(),
                purpose: *purpose,
                topic: topic.clone(),
                action: Action::Given,
                at: pressed_at,
                asked_at: Some(issued.issued_at),
                method: METHOD.to_owned(),
                notice: Some(Notice {
                    id: request.notice.clone(),
                    text: None,
                }),
                locale: request.locale.clone(),
                evidence: Some(evidence.into_bytes()),
                actor: None,
            };
            let about = About {
                id: None,
                subject: Some(subject.id.clone()),
                reference: subject.reference.clone(),
            };
            let told = self.record_one(&statement, about, source, now);
            answer.events.push(Box::pin(told).await?);
        }
        if answer.events.is_empty() {
            return Ok(ignored(row, "refused_since"));
        }
        Ok(answer)
    }
}

/// A press that changes nothing.
fn ignored(row: &LinkRow, why: &'static str) -> Answer {
    log(
        Level::Warn,
        "link_ignored",
        &[("link", Field::safe(row)), ("why", Field::code(why))],
    );
    Answer::default()
}
