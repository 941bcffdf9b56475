//! Settling: writing down what became of a send, and telling the app what it needs to know.

use headgate_aws::AwsError;
use headgate_aws::keyring::{KeyringError, Salt};
use headgate_aws::messages::{Record, Settled, Settlement, body_place_key};
use headgate_aws::subjects::message_pseudonym;
use headgate_domain::event::{Event, message_event};
use headgate_domain::holder::{DueEntry, DueKind, Ticket, Verdict};
use headgate_domain::identity::Wamid;
use headgate_domain::outbound::Payload;
use headgate_domain::record::{RecordRef, State};
use headgate_domain::sealing::Place;
use headgate_domain::time::{Day, Timestamp};

use crate::Parts;
use crate::shell::Shell;
use crate::stopped;

/// What Meta named a message, and what seals that name.
struct Sent {
    wamid: Wamid,
    salt: Salt,
    day: Day,
    /// What it was sent on.
    consent_event: Option<String>,
}

/// Writes a verdict down, and then removes the entry that brought the record back; doing so twice is harmless.
pub(crate) async fn write(
    shell: &Shell<'_>,
    ticket: &Ticket,
    verdict: Verdict,
) -> Result<(), AwsError> {
    let (parts, portfolio) = (shell.parts, shell.portfolio.as_str());
    let reference = &ticket.reference;
    let attempt = Some(ticket.attempt);
    let because = |reason| Settlement {
        reason: Some(reason),
        ..Settlement::default()
    };
    let (sent, code, subject) = shell
        .kept()
        .get(reference)
        .map_or((None, None, None), |kept| {
            let sent = kept.wamid.clone().map(|wamid| Sent {
                wamid,
                salt: kept.salt.clone(),
                day: kept.record.day,
                consent_event: kept.record.consent_event.clone(),
            });
            (sent, kept.code, Some(kept.record.subject.clone()))
        });
    match verdict {
        Verdict::Accepted { held } => {
            if let Some(sent) = sent {
                accepted(parts, reference, &sent, held, attempt).await
            } else {
                let settlement = Settlement {
                    attempt,
                    ..Settlement::default()
                };
                record(parts, reference, State::Accepted, &settlement).await
            }
        }
        Verdict::Done => {
            let settlement = Settlement {
                attempt,
                ..Settlement::default()
            };
            record(parts, reference, State::Accepted, &settlement).await
        }
        Verdict::Failed => {
            // First the no, then that the message has failed: a death in between tells it once more.
            if let Some(subject) = subject.filter(|_| stopped::says_no(reference, code)) {
                stopped::tell(parts, reference, &subject).await?;
            }
            let settlement = Settlement {
                code,
                attempt,
                ..because("refused_by_meta")
            };
            record(parts, reference, State::Failed, &settlement).await
        }
        Verdict::Ambiguous { why, at } => ambiguous(parts, portfolio, ticket, why, at).await,
        Verdict::Lost { at } => lost(parts, portfolio, ticket, at).await,
        Verdict::Park { at } => {
            let again = DueEntry {
                at,
                reference: reference.clone(),
                kind: DueKind::Retry,
                attempt: ticket.attempt,
            };
            parts.pacing.put_due(portfolio, &again).await?;
            parts.messages.park(reference, ticket.attempt).await
        }
        Verdict::Cancelled { reason } => {
            record(parts, reference, State::Cancelled, &because(reason)).await
        }
        Verdict::Unknown => {
            let settlement = because("outcome_unknown");
            record(parts, reference, State::Unknown, &settlement).await
        }
    }?;
    match (&ticket.due, verdict) {
        // It has just been written anew.
        (Some(due), Verdict::Park { at }) if due.at == at => Ok(()),
        (Some(due), _) => parts.pacing.drop_due(portfolio, due).await,
        (None, _) => Ok(()),
    }
}

/// An earlier holder claimed the record: unless somebody knows what became of it, nobody does.
async fn lost(
    parts: &Parts,
    portfolio: &str,
    ticket: &Ticket,
    at: Timestamp,
) -> Result<(), AwsError> {
    let reference = std::slice::from_ref(&ticket.reference);
    let Some(stands) = parts.messages.load(reference, parts.now()).await?.pop() else {
        return Ok(());
    };
    match stands.state {
        State::Queued | State::Scheduled if stands.attempt < ticket.attempt => {
            ambiguous(parts, portfolio, ticket, "holder_lost", at).await
        }
        // Whoever wrote it down may not have lived to say so.
        State::Failed | State::Held | State::Unknown | State::Cancelled => {
            tell(parts, &stands, &Settlement::default()).await
        }
        State::Queued
        | State::Scheduled
        | State::Ambiguous
        | State::Accepted
        | State::Sent
        | State::Delivered
        | State::Read
        | State::Played => Ok(()),
    }
}

/// Moves a record and tells the app. A record that stands there already is told about again: whoever
/// moved it may not have lived to say so, and the event's id is the same.
pub(crate) async fn record(
    parts: &Parts,
    reference: &RecordRef,
    state: State,
    settlement: &Settlement,
) -> Result<(), AwsError> {
    let settled = parts
        .messages
        .settle_or_see(reference, state, settlement, parts.now())
        .await?;
    match settled {
        Settled::Moved(record) => tell(parts, &record, settlement).await,
        Settled::Stood(record) if record.state == state => tell(parts, &record, settlement).await,
        // A notification was faster; the wamid is still worth keeping.
        Settled::Stood(_) => parts.messages.put_wamid(reference, settlement).await,
        Settled::Absent => Ok(()),
    }
}

/// Publishes the event that belongs to a record's state, if apps see that state.
pub(crate) async fn tell(
    parts: &Parts,
    record: &Record,
    settlement: &Settlement,
) -> Result<(), AwsError> {
    let Some(kind) = message_event(record.state) else {
        return Ok(());
    };
    let mut event = Event::of_message(kind, parts.now(), &record.reference)
        .with_subject(Some(&record.subject))
        .with("purpose", record.purpose.word());
    if let Some(payload) = payload_of(parts, record).await {
        event = event
            .with_id(Some(payload.id))
            .with_reference(payload.reference);
    }
    if let Some(campaign) = &record.campaign {
        event = event.with("campaign", campaign.as_str());
    }
    if let Some(code) = settlement.code {
        event = event.with("code", code);
    }
    if let Some(reason) = settlement.reason.or(record.reason.as_deref()) {
        event = event.with("reason", reason);
    }
    parts.bus.publish(&[event]).await
}

/// Records that Meta has the message.
async fn accepted(
    parts: &Parts,
    reference: &RecordRef,
    sent: &Sent,
    held: bool,
    attempt: Option<u32>,
) -> Result<(), AwsError> {
    let key = body_place_key(reference);
    let place = Place {
        table: "messages",
        key: &key,
        field: "wamid",
    };
    let wamid = sent.wamid.reveal().as_bytes();
    let sealing = parts
        .keyring
        .seal_content(sent.day, &sent.salt, &place, wamid);
    let sealed = match sealing.await {
        Ok(bytes) => Some(bytes),
        Err(KeyringError::Aws(error)) => return Err(error),
        // The day is gone: then the wamid is not kept either. A person who was erased meanwhile took the
        // salt along, and what is sealed under it opens no more.
        Err(KeyringError::PastRetention | KeyringError::NoKey | KeyringError::NotOpened) => None,
    };
    let settlement = Settlement {
        wamid_pseudonym: Some(
            message_pseudonym(&parts.message_ref, &parts.deployment, &sent.wamid)
                .as_str()
                .to_owned(),
        ),
        wamid: sealed,
        attempt,
        consent_event: sent.consent_event.clone(),
        ..Settlement::default()
    };
    record(
        parts,
        reference,
        if held { State::Held } else { State::Accepted },
        &settlement,
    )
    .await
}

/// Records that nobody knows what became of a send; its timer runs out at a time (I6).
async fn ambiguous(
    parts: &Parts,
    portfolio: &str,
    ticket: &Ticket,
    reason: &'static str,
    at: Timestamp,
) -> Result<(), AwsError> {
    // The timer first: a record that is ambiguous without one would stay so.
    let timer = DueEntry {
        at,
        reference: ticket.reference.clone(),
        kind: DueKind::Ambiguous,
        attempt: ticket.attempt,
    };
    parts.pacing.put_due(portfolio, &timer).await?;
    let settlement = Settlement {
        attempt: Some(ticket.attempt),
        reason: Some(reason),
        ..Settlement::default()
    };
    record(parts, &ticket.reference, State::Ambiguous, &settlement).await
}

async fn payload_of(parts: &Parts, record: &Record) -> Option<Payload> {
    let salt = parts.keyring.salt(&record.subject).await.ok()?;
    let key = body_place_key(&record.reference);
    let place = Place {
        table: "messages",
        key: &key,
        field: "body",
    };
    let plain = parts
        .keyring
        .open_content(record.day, parts.now(), &salt, &place, &record.body)
        .await
        .ok()?;
    Payload::from_bytes(plain.reveal())
}
