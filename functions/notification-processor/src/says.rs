//! What a person said about being written to: recorded, then told.
//!
//! Owns the one call that turns an act of a person into a ledger event and, when it took effect,
//! into an app event. Whether it takes effect is the domain's rule, by the time of the act.

use headgate_aws::consents::Statement;
use headgate_domain::consent::{Action, Consent, State};
use headgate_domain::event::Event;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;
use serde_json::Value;

use crate::config::Ports;
use crate::outcome::Failure;
use crate::people::blame;

/// An act of a person.
pub(crate) struct Said<'a> {
    /// Whose.
    pub(crate) subject: &'a SubjectId,
    /// The app's key of the person, to be told along.
    pub(crate) reference: Option<&'a str>,
    /// Yes or no.
    pub(crate) action: Action,
    /// When, by Meta's clock.
    pub(crate) at: Timestamp,
    /// How.
    pub(crate) method: &'a str,
    /// The wording that was shown.
    pub(crate) notice: Option<&'a str>,
    /// Its language.
    pub(crate) locale: Option<&'a str>,
    /// What proves it: pseudonyms and words of ours, never the person's own.
    pub(crate) evidence: Value,
    /// What it came by; with the purpose it makes the event's id.
    pub(crate) source: &'a str,
}

/// Records the act for a purpose; the event, when the person now stands where they said.
pub(crate) async fn say(
    ports: &Ports,
    said: &Said<'_>,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<Event>, Failure> {
    let statement = Statement {
        subject: said.subject.clone(),
        purpose,
        action: said.action,
        at: said.at,
        method: said.method.to_owned(),
        notice: said.notice.map(str::to_owned),
        locale: said.locale.map(str::to_owned),
        evidence: Some(said.evidence.to_string().into_bytes()),
        actor: None,
    };
    let recorded = match ports.consents.record(&statement, now).await {
        Ok(recorded) => recorded,
        Err(error) => return Err(blame(ports, said.subject, error).await),
    };
    let kind = match said.action {
        Action::Given => "subject.opted_in",
        Action::Withdrawn => "subject.opted_out",
        // Nothing is proven by asking, so nobody is told.
        Action::Requested => return Ok(None),
    };
    if let Some(turned) = recorded.turned {
        return Ok(Some(told(said, purpose, &turned)));
    }
    Ok(recorded.in_force.then(|| {
        Event::new(kind, said.at, &[said.source, purpose.word()])
            .with_subject(Some(said.subject))
            .with_reference(said.reference.map(str::to_owned))
            .with("purpose", purpose.word())
            .with("method", said.method)
            .with("ledger_event", recorded.event)
    }))
}

/// Where the person stands by something they said before, now that what it answers is known.
fn told(said: &Said<'_>, purpose: Purpose, turned: &Consent) -> Event {
    let kind = if turned.state == State::Given {
        "subject.opted_in"
    } else {
        "subject.opted_out"
    };
    Event::new(kind, turned.at, &[&turned.event, purpose.word()])
        .with_subject(Some(said.subject))
        .with_reference(said.reference.map(str::to_owned))
        .with("purpose", purpose.word())
        .with("method", turned.method.as_str())
        .with("ledger_event", turned.event.as_str())
}
