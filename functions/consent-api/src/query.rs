//! Where a person stands, for a system that may ask.
//!
//! Owns the answer, which has the same members of somebody who is on record and of somebody who is not. The
//! question is in the body, so that a number is in no address and no access log; no number is opened, and
//! none is answered.

use headgate_domain::api_token::Presented;
use headgate_domain::consent::{Stand, Subject, overview};
use headgate_domain::identity::{Identifier, SubjectId};
use headgate_domain::outbound::Recipient;
use headgate_domain::region::Country;
use headgate_domain::time::Timestamp;
use headgate_lambda::log::{Field, Level, log};
use serde_json::{Map, Value, json};

use crate::problem::Problem;
use crate::{ConsentApi, unavailable};

impl ConsentApi {
    /// Answers where somebody stands.
    pub(crate) async fn stands(
        &self,
        token: &Presented,
        about: Recipient,
        now: Timestamp,
    ) -> Result<Value, Problem> {
        let config = self.controls.config().await.map_err(|e| unavailable(&e))?;
        let identifier = match about {
            Recipient::Phone(phone) => Ok(Identifier::Phone(phone)),
            Recipient::Bsuid(bsuid) => Ok(Identifier::Bsuid(bsuid)),
            Recipient::Subject(subject) => Err(subject),
        };
        let person = self.person(&identifier).await?;
        // Messages are judged by the country of what they are addressed to.
        let told = identifier.ok().and_then(|known| Country::of(&known));
        let country = told.or_else(|| person.as_ref().and_then(Subject::country));
        let stands = overview(person.as_ref(), country, &config, now);
        log(
            Level::Info,
            "consents_read",
            &[("token", Field::safe(&token.id))],
        );
        Ok(answer(person.as_ref(), &stands))
    }

    async fn person(
        &self,
        about: &Result<Identifier, SubjectId>,
    ) -> Result<Option<Subject>, Problem> {
        let subject = match about {
            Ok(identifier) => {
                let ready = self.pointers.refresh((self.clock)()).await;
                ready.map_err(|e| unavailable(&e))?;
                self.pointers.find(identifier).await
            }
            Err(subject) => Ok(Some(subject.clone())),
        };
        let Some(subject) = subject.map_err(|e| unavailable(&e))? else {
            return Ok(None);
        };
        let found = self.subjects.load(std::slice::from_ref(&subject)).await;
        Ok(found.map_err(|e| unavailable(&e))?.into_iter().next())
    }
}

/// The answer; `null` stands where nothing is known.
fn answer(person: Option<&Subject>, stands: &[Stand]) -> Value {
    // Of a subject that another one stands for, that other one: it is the id that events have.
    let id = person.map(|person| person.same_as.as_ref().unwrap_or(&person.id).as_str());
    let choice = person.and_then(|person| person.do_not_sell.as_ref());
    let choice = choice.map(|choice| {
        json!({
            "at": choice.at.to_string(),
            "method": choice.way.word(),
            "ledger_event": choice.event,
        })
    });
    json!({
        "subject": id,
        "stopped_in_whatsapp": person.is_some_and(|person| person.meta_stop),
        "do_not_sell": choice,
        "restricted_since": person.and_then(|person| person.restricted_at).map(|at| at.to_string()),
        "consents": stands.iter().map(told).collect::<Vec<_>>(),
    })
}

fn told(stand: &Stand) -> Value {
    let mut told = Map::new();
    told.insert("purpose".to_owned(), json!(stand.purpose.word()));
    if let Some(topic) = &stand.topic {
        told.insert("topic".to_owned(), json!(topic.as_str()));
    }
    told.insert("standing".to_owned(), json!(stand.standing.word()));
    if let Some(said) = &stand.said {
        told.insert("since".to_owned(), json!(said.at.to_string()));
        told.insert("method".to_owned(), json!(said.method));
        if !said.event.is_empty() {
            told.insert("ledger_event".to_owned(), json!(said.event));
        }
    }
    if let Some(notice) = stand.notice() {
        told.insert("notice".to_owned(), json!(notice.to_string()));
    }
    if let Some(ends) = stand.ends {
        told.insert("valid_until".to_owned(), json!(ends.to_string()));
    }
    Value::Object(told)
}
