//! Delivery statuses: moving our record up, and telling the app.
//!
//! A status names our record by `biz_opaque_callback_data`, or it is not ours. Order and
//! repetition do not matter: a record only moves up, and only a move is told. When SQS hands a
//! notification over again, a crash may have come between the move and the telling, so then what
//! has already moved is told again; the event's id is the same.

use headgate_aws::keyring::{KeyringError, Salt};
use headgate_aws::messages::{Record, Settled, Settlement, body_place_key};
use headgate_domain::config::Config;
use headgate_domain::consent::Action;
use headgate_domain::event::{Event, message_event};
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::Payload;
use headgate_domain::record::{RecordRef, State};
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;
use headgate_webhook::notification::Status;
use serde_json::json;

use crate::config::Ports;
use crate::controls::stopped_by;
use crate::failed::sentence;
use crate::outcome::{Effects, Failure};
use crate::says::{Said, say};
use crate::{health, identity, scores};

/// Meta's code for "the person stopped marketing messages of this business".
const MARKETING_STOPPED: u32 = 131_050;

/// Meta's code for "the account behind the address has another key".
const IDENTITY_MISMATCH: u32 = 137_000;

/// A record that reached a state.
pub(crate) struct Move {
    pub(crate) record: Record,
    state: State,
    at: Timestamp,
    code: Option<u32>,
}

impl Move {
    /// What makes two moves the same.
    pub(crate) fn key(&self) -> (RecordRef, State) {
        (self.record.reference.clone(), self.state)
    }
}

/// The record a status is about, when it is ours.
pub(crate) fn reference(status: &Status) -> Option<RecordRef> {
    let (reference, _attempt) = RecordRef::from_opaque(status.opaque.as_deref()?)?;
    Some(reference)
}

/// The attempt a status is about.
fn attempt(status: &Status) -> Option<u32> {
    let (_reference, attempt) = RecordRef::from_opaque(status.opaque.as_deref()?)?;
    Some(attempt)
}

/// Moves the record of a status.
pub(crate) async fn settle(
    ports: &Ports,
    config: &Config,
    status: &Status,
    again: bool,
    now: Timestamp,
) -> Result<Effects, Failure> {
    let mut effects = Effects::default();
    let state = status.status.state();
    let Some(reference) = reference(status) else {
        effects.ignored = 1;
        return Ok(effects);
    };
    let code = status.errors.first().copied();
    let settlement = Settlement {
        code,
        // A failure is that of an attempt, and moves no record that has gone on to another.
        attempt: (state == State::Failed).then(|| attempt(status)).flatten(),
        wamid_pseudonym: (status.wamid.as_ref())
            .map(|wamid| ports.pseudonym(wamid).as_str().to_owned()),
        ..Settlement::default()
    };
    if state == State::Failed
        && let Some(record) = sent_again(ports, status, now).await?
    {
        // That attempt has an outcome of its own; what the person said with their switch stands.
        let stop = stop_behind(ports, &record, status, now).await?;
        effects.events.extend(stop);
        health::failed(ports, &record.subject, code, status.at).await?;
        effects.ignored = 1;
        return Ok(effects);
    }
    let (record, first, moved) = match ports
        .messages
        .settle_or_see(&reference, state, &settlement, now)
        .await?
    {
        Settled::Moved(record) => (record, true, true),
        Settled::Stood(record) => (record, false, again),
        Settled::Absent => {
            effects.ignored = 1;
            return Ok(effects);
        }
    };
    // Also of a record that stood: another failure may have come before.
    effects
        .events
        .extend(stop_behind(ports, &record, status, now).await?);
    if !moved {
        effects.ignored = 1;
        return Ok(effects);
    }
    if first {
        effects.count(&record.reference.number, &scores::counted(state, code));
    }
    match state {
        State::Failed => {
            health::failed(ports, &record.subject, code, status.at).await?;
            if code == Some(IDENTITY_MISMATCH) {
                let changed = identity::mismatched(ports, &record.subject, status.at);
                effects.events.push(changed.await?);
            }
            let stopped = code.and_then(|code| stopped_by(code, &record.reference.number));
            effects
                .stopped
                .extend(stopped.map(|stopped| (stopped, status.at)));
        }
        State::Delivered | State::Read | State::Played => {
            let reached = (record.subject.clone(), record.purpose, status.at);
            effects.reached.push(reached);
        }
        State::Queued
        | State::Scheduled
        | State::Accepted
        | State::Held
        | State::Ambiguous
        | State::Sent
        | State::Unknown
        | State::Cancelled => {}
    }
    if is_told(config, record.purpose, state) {
        effects.moves.push(Move {
            record,
            state,
            at: status.at,
            code,
        });
    }
    Ok(effects)
}

/// The record of a status whose attempt was followed by another.
async fn sent_again(
    ports: &Ports,
    status: &Status,
    now: Timestamp,
) -> Result<Option<Record>, Failure> {
    let Some((reference, attempt)) = status.opaque.as_deref().and_then(RecordRef::from_opaque)
    else {
        return Ok(None);
    };
    let stored = ports
        .messages
        .load(std::slice::from_ref(&reference), now)
        .await?;
    Ok(stored.into_iter().find(|record| attempt < record.attempt))
}

/// The opt-out behind a status, if there is one.
async fn stop_behind(
    ports: &Ports,
    record: &Record,
    status: &Status,
    now: Timestamp,
) -> Result<Option<Event>, Failure> {
    if record.purpose != Purpose::Marketing || !status.errors.contains(&MARKETING_STOPPED) {
        return Ok(None);
    }
    match marketing_stopped(ports, record, status, now).await {
        // Nothing can be proven about this person any more; the switch is noted, and it is enough.
        Err(Failure::Person) => Ok(None),
        told => told,
    }
}

/// Meta refused a marketing message because the person used the switch: the notification about the
/// switch may be late or lost, and the person has said no all the same.
async fn marketing_stopped(
    ports: &Ports,
    record: &Record,
    status: &Status,
    now: Timestamp,
) -> Result<Option<Event>, Failure> {
    let subject = &record.subject;
    if !ports
        .keyring
        .salts(std::slice::from_ref(subject))
        .await?
        .contains_key(subject)
    {
        // Erased meanwhile: there is nobody left to record anything about.
        return Ok(None);
    }
    ports
        .subjects
        .note_meta_stop(subject, true, status.at)
        .await?;
    let message = record.reference.message_id();
    let said = Said {
        subject,
        reference: None,
        topic: None,
        action: Action::Withdrawn,
        asked_at: None,
        at: status.at,
        method: "meta_switch",
        notice: None,
        locale: None,
        evidence: json!({ "message": message, "code": MARKETING_STOPPED }),
        source: &message,
    };
    say(ports, &said, Purpose::Marketing, now).await
}

/// Whether an app hears of a state; statuses above `failed` can be switched off per purpose.
fn is_told(config: &Config, purpose: Purpose, state: State) -> bool {
    match state {
        State::Failed | State::Held => true,
        State::Sent | State::Delivered | State::Read | State::Played => {
            config.events.statuses.contains(&purpose)
        }
        State::Queued
        | State::Scheduled
        | State::Accepted
        | State::Ambiguous
        | State::Unknown
        | State::Cancelled => false,
    }
}

/// The event of a move; without the app's own ids when their ciphertext can no longer be opened.
pub(crate) async fn event(
    ports: &Ports,
    moved: &Move,
    salt: Option<&Salt>,
    now: Timestamp,
) -> Result<Option<Event>, Failure> {
    let Some(kind) = message_event(moved.state) else {
        return Ok(None);
    };
    let payload = match salt {
        Some(salt) => opened(ports, &moved.record, salt, now).await?,
        None => None,
    };
    Ok(Some(told(kind, moved, payload)))
}

async fn opened(
    ports: &Ports,
    record: &Record,
    salt: &Salt,
    now: Timestamp,
) -> Result<Option<Payload>, Failure> {
    let key = body_place_key(&record.reference);
    let place = Place {
        table: "messages",
        key: &key,
        field: "body",
    };
    match ports
        .keyring
        .open_content(record.day, now, salt, &place, &record.body)
        .await
    {
        Ok(plain) => Ok(Payload::from_bytes(plain.reveal())),
        Err(KeyringError::PastRetention | KeyringError::NoKey | KeyringError::NotOpened) => {
            Ok(None)
        }
        Err(error @ KeyringError::Aws(_)) => Err(error.into()),
    }
}

fn told(kind: &'static str, moved: &Move, payload: Option<Payload>) -> Event {
    let record = &moved.record;
    let (id, reference) = payload
        .map(|payload| (payload.id, payload.reference))
        .unzip();
    let mut event = Event::of_message(kind, moved.at, &record.reference)
        .with_id(id)
        .with_subject(Some(&record.subject))
        .with_reference(reference.flatten())
        .with("purpose", record.purpose.word())
        .with("status_at", moved.at.to_string());
    for (name, value) in [
        ("campaign", &record.campaign),
        ("template", &record.template),
    ] {
        if let Some(value) = value {
            event = event.with(name, value.as_str());
        }
    }
    if moved.state == State::Failed {
        if let Some(code) = moved.code {
            event = event.with("code", code);
        }
        event = event.with("message", sentence(moved.code.unwrap_or_default()));
    }
    event
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use headgate_domain::identity::SubjectId;
    use headgate_domain::record::ulid;

    use super::*;

    fn moved(state: State, code: Option<u32>) -> Move {
        let at = Timestamp::from_seconds(1_795_341_600);
        let reference = RecordRef {
            number: "106540352242922".into(),
            lane: Purpose::Marketing,
            shard: 0,
            ulid: ulid(at, [1; 10]),
        };
        let record = Record {
            reference,
            state,
            attempt: 1,
            subject: SubjectId::from_random([7; 16]),
            purpose: Purpose::Marketing,
            campaign: Some("autumn".into()),
            template: None,
            consent_event: None,
            producer: String::new(),
            accepted_at: at,
            not_before: None,
            expires_at: at,
            day: at.day(),
            body: Vec::new(),
            reason: None,
        };
        Move {
            record,
            state,
            at,
            code,
        }
    }

    #[test]
    fn a_failure_is_told_with_its_code_and_a_sentence() {
        let payload = Payload {
            phone: None,
            bsuid: None,
            identity_key: None,
            suppression: Vec::new(),
            message: serde_json::Map::new(),
            id: "order-1".into(),
            reference: None,
            basis: json!({}),
            topic: None,
        };
        let event = told(
            "message.failed",
            &moved(State::Failed, Some(131_049)),
            Some(payload),
        );
        assert_eq!(event.data.get("code"), Some(&131_049.into()));
        assert!(
            event
                .data
                .get("message")
                .unwrap()
                .as_str()
                .unwrap()
                .contains("marketing")
        );
        assert_eq!(event.data.get("campaign"), Some(&"autumn".into()));
        assert_eq!(
            (event.id.as_deref(), event.reference),
            (Some("order-1"), None)
        );
    }

    #[test]
    fn statuses_can_be_switched_off_and_failures_cannot() {
        let mut config: Config = serde_json::from_value(json!({
            "controller": { "name": "Maple", "privacy_contact": "privacy@maple.example" },
            "numbers": [{ "id": "1", "alias": "main", "display": "+16135550100", "portfolio": "p" }],
            "events": {},
        }))
        .unwrap();
        assert!(is_told(&config, Purpose::Marketing, State::Read));
        config.events.statuses = vec![Purpose::Utility];
        assert!(!is_told(&config, Purpose::Marketing, State::Read));
        assert!(is_told(&config, Purpose::Marketing, State::Failed));
        assert!(is_told(&config, Purpose::Utility, State::Sent));
    }
}
