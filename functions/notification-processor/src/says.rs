//! What a person said about being written to: recorded, then told.
//!
//! Owns the one call that turns an act of a person into a ledger event and, when it took effect,
//! into an app event. Whether it takes effect is the domain's rule, by the time of the act.

use headgate_aws::consents::{Notice, Statement};
use headgate_domain::consent::{Action, Consent, State, Subject, Topic};
use headgate_domain::do_not_sell::DoNotSell;
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
    /// Which topic alone is meant.
    pub(crate) topic: Option<&'a Topic>,
    /// Yes or no.
    pub(crate) action: Action,
    /// When, by Meta's clock.
    pub(crate) at: Timestamp,
    /// When the question was put that it answers.
    pub(crate) asked_at: Option<Timestamp>,
    /// How.
    pub(crate) method: &'a str,
    /// The wording that was shown.
    pub(crate) notice: Option<Notice>,
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
        topic: said.topic.cloned(),
        action: said.action,
        at: said.at,
        asked_at: said.asked_at,
        method: said.method.to_owned(),
        notice: said.notice.clone(),
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
        // Nothing is proven by asking, and nobody finds a yes invalid here, so nobody is told.
        // A no to a question takes back only what was agreed to in between.
        Action::Refused if recorded.was_given => "subject.opted_out",
        Action::Requested | Action::Invalidated | Action::Refused => return Ok(None),
    };
    if let Some(turned) = recorded.turned {
        return Ok(Some(told(said, purpose, &turned)));
    }
    Ok(recorded.in_force.then(|| {
        about(
            said,
            purpose,
            Event::new(kind, said.at, &[said.source, &about_what(said, purpose)]),
        )
        .with("method", said.method)
        .with("ledger_event", recorded.event)
    }))
}

/// Records that the person's data be neither sold nor shared; the event, when that is new.
pub(crate) async fn not_to_be_sold(
    ports: &Ports,
    person: &Subject,
    choice: &DoNotSell,
    evidence: Value,
    now: Timestamp,
) -> Result<Option<Event>, Failure> {
    let reference = person.reference.as_deref();
    let recorded = ports
        .consents
        .do_not_sell(&person.id, reference, choice, &evidence, now);
    match Box::pin(recorded).await {
        Ok(told) => Ok(told),
        Err(error) => Err(blame(ports, &person.id, error).await),
    }
}

/// Where the person stands by something they said before, now that what it answers is known.
fn told(said: &Said<'_>, purpose: Purpose, turned: &Consent) -> Event {
    let kind = if turned.state == State::Given {
        "subject.opted_in"
    } else {
        "subject.opted_out"
    };
    about(
        said,
        purpose,
        Event::new(
            kind,
            turned.at,
            &[&turned.event, &about_what(said, purpose)],
        ),
    )
    .with("method", turned.method.as_str())
    .with("ledger_event", turned.event.as_str())
}

/// Purpose and topic, as part of an event's id.
fn about_what(said: &Said<'_>, purpose: Purpose) -> String {
    match said.topic {
        None => purpose.word().to_owned(),
        Some(topic) => format!("{purpose}#{topic}"),
    }
}

fn about(said: &Said<'_>, purpose: Purpose, event: Event) -> Event {
    let event = event
        .with_subject(Some(said.subject))
        .with_reference(said.reference.map(str::to_owned))
        .with("purpose", purpose.word());
    match said.topic {
        None => event,
        Some(topic) => event.with("topic", topic.as_str()),
    }
}
