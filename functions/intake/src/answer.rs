//! What apps are told: the events of accepted and refused messages and of consent records.
//!
//! Every event names the SQS message or the record it answers, so a redelivery repeats it under
//! the same id. Holds no decision.

use headgate_aws::consents::Statement;
use headgate_aws::messages::Record;
use headgate_domain::consent::{Action, Topic};
use headgate_domain::control_message::NotCancelled;
use headgate_domain::event::{Event, refusal_data};
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::record::RecordRef;
use headgate_domain::refusal::{Code, Refusal};
use headgate_domain::time::Timestamp;

/// Whom an event is about, as far as it was found out.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    /// The app's id of the message or record.
    pub(crate) id: Option<String>,
    /// The person.
    pub(crate) subject: Option<SubjectId>,
    /// The app's key of the person.
    pub(crate) reference: Option<String>,
}

impl About {
    fn on(self, event: Event) -> Event {
        event
            .with_id(self.id)
            .with_subject(self.subject.as_ref())
            .with_reference(self.reference)
    }
}

/// A message is in the outbox.
pub(crate) fn accepted(
    at: Timestamp,
    about: About,
    record: &RecordRef,
    purpose: Purpose,
    campaign: Option<&str>,
    expires_at: Timestamp,
) -> Event {
    let event = Event::of_message("message.accepted", at, record)
        .with("purpose", purpose.word())
        .with("expires_at", expires_at.to_string());
    about.on(match campaign {
        Some(campaign) => event.with("campaign", campaign),
        None => event,
    })
}

/// A message was refused. Where only an opt-in is missing, the event says how to record one.
pub(crate) fn refused(
    at: Timestamp,
    about: About,
    refusal: &Refusal,
    lane: Purpose,
    source: &str,
) -> Event {
    let mut event = Event::refused(at, refusal, source);
    if let (Code::NoConsent | Code::ConsentUnconfirmed, Some(subject)) =
        (refusal.code, &about.subject)
    {
        let command = format!(
            "headgate opt-in --subject {subject} --purpose {lane} --source agent --env-file .headgate/dev.env"
        );
        event = event.with("command", command);
    }
    about.on(event)
}

/// A message the app took back will not be sent; `reason` is why it was cancelled, by whoever came first.
pub(crate) fn cancelled(
    at: Timestamp,
    about: About,
    stored: &Record,
    reason: Option<&str>,
) -> Event {
    let mut event = Event::of_message("message.cancelled", at, &stored.reference)
        .with("purpose", stored.purpose.word());
    if let Some(campaign) = &stored.campaign {
        event = event.with("campaign", campaign.as_str());
    }
    if let Some(reason) = reason {
        event = event.with("reason", reason);
    }
    about.on(event)
}

/// A message could not be taken back.
pub(crate) fn not_cancelled(
    at: Timestamp,
    about: About,
    stored: Option<&Record>,
    why: NotCancelled,
    source: &str,
) -> Event {
    let mut event = Event::new("message.not_cancelled", at, &[source, why.word()])
        .with("code", why.word())
        .with("message", why.sentence())
        .with("remedy", why.remedy());
    event.message_id = stored.map(|record| record.reference.message_id());
    about.on(event)
}

/// A control message cannot be read.
pub(crate) fn control_refused(
    at: Timestamp,
    about: About,
    refusal: &Refusal,
    source: &str,
) -> Event {
    let mut event = Event::new("message.not_cancelled", at, &[source, refusal.code.word()]);
    event.data = refusal_data(refusal);
    about.on(event
        .with(
            "message",
            "The control message does not follow headgate.control/1.",
        )
        .with(
            "remedy",
            "Correct the named field; schemas/control.v1.json describes every field.",
        ))
}

/// What a consent is for.
#[derive(Clone, Copy)]
pub(crate) struct What<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) topic: Option<&'a Topic>,
}

impl<'a> What<'a> {
    /// What a statement is about.
    pub(crate) const fn of(statement: &'a Statement) -> Self {
        Self {
            purpose: statement.purpose,
            topic: statement.topic.as_ref(),
        }
    }

    /// Purpose and topic, as part of an event's id.
    fn word(self) -> String {
        match self.topic {
            None => self.purpose.word().to_owned(),
            Some(topic) => format!("{}#{topic}", self.purpose),
        }
    }

    fn on(self, event: Event) -> Event {
        let event = event.with("purpose", self.purpose.word());
        match self.topic {
            None => event,
            Some(topic) => event.with("topic", topic.as_str()),
        }
    }
}

/// A consent is in force, or a withdrawal is, or it has been found to be none.
pub(crate) fn in_force(
    at: Timestamp,
    about: About,
    statement: &Statement,
    ledger_event: &str,
    unsubscribe_url: &str,
    source: &str,
) -> Event {
    let what = What::of(statement);
    let kind = match statement.action {
        Action::Given => "subject.opted_in",
        Action::Withdrawn | Action::Requested | Action::Invalidated | Action::Refused => {
            "subject.opted_out"
        }
    };
    let event = what
        .on(Event::new(kind, at, &[source, &what.word()]))
        .with("method", statement.method.as_str())
        .with("occurred_at", statement.at.to_string())
        .with("ledger_event", ledger_event);
    about.on(match statement.action {
        Action::Given => event.with("unsubscribe_url", unsubscribe_url),
        Action::Invalidated => event.with("invalidated", true),
        Action::Withdrawn | Action::Requested | Action::Refused => event,
    })
}

/// A consent record was refused by the rules messages are refused by.
pub(crate) fn consent_refused(
    at: Timestamp,
    about: About,
    refusal: &Refusal,
    source: &str,
) -> Event {
    let mut event = Event::new("consent.refused", at, &[source, refusal.code.word()]);
    event.data = refusal_data(refusal);
    if refusal.code == Code::Malformed {
        event = event
            .with("message", "The record does not follow headgate.consent/1.")
            .with(
                "remedy",
                "Correct the named field; schemas/consent-record.v1.json describes every field.",
            );
    }
    about.on(event)
}

/// The producer may not say that somebody said yes.
pub(crate) fn not_attested(at: Timestamp, about: About, source: &str) -> Event {
    about.on(Event::new("consent.refused", at, &[source, "not_attested"])
        .with("code", "not_attested")
        .with("message", "This producer may not attest that a person said yes.")
        .with("remedy", "Add the producer's SenderId to attesters under [consents] in config/headgate.toml, or let the person opt in by a message of their own."))
}

/// The record is proven in the ledger, and something newer holds.
pub(crate) fn superseded(
    at: Timestamp,
    about: About,
    what: What<'_>,
    ledger_event: &str,
    source: &str,
) -> Event {
    let event = Event::new("consent.refused", at, &[source, "superseded", &what.word()]);
    about.on(what.on(event)
        .with("code", "superseded")
        .with("message", "The record is kept in the ledger and changes nothing: it is a yes older than seven days, or older than what already holds.")
        .with("remedy", "Nothing is to be done; if the person has said something else since, send that with its own occurred_at.")
        .with("ledger_event", ledger_event))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests may fail loudly")]
    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_seconds(1_795_000_000)
    }

    #[test]
    fn only_a_missing_opt_in_comes_with_the_command_that_records_one() {
        let subject = SubjectId::from_random([7; 16]);
        let about = About {
            subject: Some(subject.clone()),
            ..About::default()
        };
        for code in Code::ALL {
            let event = refused(
                at(),
                about.clone(),
                &(*code).into(),
                Purpose::Marketing,
                "m-1",
            );
            let command = event.data.get("command").and_then(|c| c.as_str());
            let is_missing = matches!(code.word(), "no_consent" | "consent_unconfirmed");
            let expected = format!(
                "headgate opt-in --subject {subject} --purpose marketing --source agent --env-file .headgate/dev.env"
            );
            assert_eq!(command, is_missing.then_some(expected.as_str()), "{code}");
        }
    }

    #[test]
    fn a_redelivery_repeats_the_event_under_the_same_id() {
        let refusal = Refusal::at(Code::Malformed, "method", "is missing");
        let one = consent_refused(at(), About::default(), &refusal, "m-1");
        let again = consent_refused(at().plus_millis(9), About::default(), &refusal, "m-1");
        assert_eq!(one.event_id, again.event_id);
        assert_ne!(
            one.event_id,
            consent_refused(at(), About::default(), &refusal, "m-2").event_id
        );
        assert_eq!(one.data["field"], "method");
        assert_eq!(
            one.data["message"],
            "The record does not follow headgate.consent/1."
        );
    }

    #[test]
    fn purposes_and_topics_of_one_record_are_answered_one_by_one() {
        let offers = Topic::parse("offers").ok();
        let one = |purpose, topic| {
            superseded(
                at(),
                About::default(),
                What { purpose, topic },
                "L0.1",
                "m-1",
            )
            .event_id
        };
        let ids = [
            one(Purpose::Marketing, None),
            one(Purpose::Utility, None),
            one(Purpose::Marketing, offers.as_ref()),
        ];
        assert_eq!(std::collections::BTreeSet::from(ids).len(), 3);
    }
}
