//! Settling: writing down what became of a send, and telling the app what it needs to know.

use headgate_aws::AwsError;
use headgate_aws::keyring::KeyringError;
use headgate_aws::messages::{Record, Settled, Settlement, body_place_key};
use headgate_aws::pacing::{Due, DueKind};
use headgate_aws::subjects::message_pseudonym;
use headgate_domain::event::{Event, message_event};
use headgate_domain::identity::Wamid;
use headgate_domain::outbound::Payload;
use headgate_domain::record::{RecordRef, State};
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;

use crate::Parts;
use crate::lane::Waiting;

/// What became of a send, as it is to be written down.
pub(crate) enum Verdict {
    /// Meta has the message.
    Accepted { wamid: Wamid, held: bool },
    /// Meta did what was asked, and there is no message.
    Done,
    /// Meta said no.
    Failed { code: u32 },
    /// Nobody knows.
    Ambiguous { why: &'static str, at: Timestamp },
    /// Known not to be accepted, and to be tried again at a time.
    Park { at: Timestamp },
}

/// Writes a verdict down, and then removes the entry that brought the record back; doing so twice is harmless.
pub(crate) async fn write(
    parts: &Parts,
    portfolio: &str,
    sent: &Waiting,
    verdict: &Verdict,
) -> Result<(), AwsError> {
    let Waiting { record: sent, due } = sent;
    let attempt = Some(sent.attempt);
    match verdict {
        Verdict::Accepted { wamid, held } => accepted(parts, sent, wamid, *held).await,
        Verdict::Done => {
            let settlement = Settlement {
                attempt,
                ..Settlement::default()
            };
            record(parts, &sent.reference, State::Accepted, &settlement).await
        }
        Verdict::Failed { code } => {
            let settlement = Settlement {
                code: Some(*code),
                reason: Some("refused_by_meta"),
                attempt,
                ..Settlement::default()
            };
            record(parts, &sent.reference, State::Failed, &settlement).await
        }
        Verdict::Ambiguous { why, at } => {
            ambiguous(parts, portfolio, &sent.reference, sent.attempt, why, *at).await
        }
        Verdict::Park { at } => {
            let kind = DueKind::Retry;
            let again = Due {
                at: *at,
                reference: sent.reference.clone(),
                kind,
                attempt: sent.attempt,
            };
            parts.pacing.put_due(portfolio, &again).await?;
            parts.messages.park(&sent.reference, sent.attempt).await
        }
    }?;
    match due {
        Some(due) => parts.pacing.drop_due(portfolio, due).await,
        None => Ok(()),
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
    if let Some(reason) = settlement.reason {
        event = event.with("reason", reason);
    }
    parts.bus.publish(&[event]).await
}

/// Records that Meta has the message.
async fn accepted(
    parts: &Parts,
    record_: &Record,
    wamid: &Wamid,
    held: bool,
) -> Result<(), AwsError> {
    let key = body_place_key(&record_.reference);
    let place = Place {
        table: "messages",
        key: &key,
        field: "wamid",
    };
    let sealed = match parts.keyring.salt(&record_.subject).await {
        Ok(salt) => {
            parts
                .keyring
                .seal_content(record_.day, &salt, &place, wamid.reveal().as_bytes())
                .await
        }
        Err(error) => Err(error),
    };
    let sealed = match sealed {
        Ok(bytes) => Some(bytes),
        Err(KeyringError::Aws(error)) => return Err(error),
        // Erased meanwhile: then the wamid is not kept either.
        Err(KeyringError::PastRetention | KeyringError::NoKey | KeyringError::NotOpened) => None,
    };
    let settlement = Settlement {
        wamid_pseudonym: Some(
            message_pseudonym(&parts.message_ref, &parts.deployment, wamid)
                .as_str()
                .to_owned(),
        ),
        wamid: sealed,
        attempt: Some(record_.attempt),
        ..Settlement::default()
    };
    record(
        parts,
        &record_.reference,
        if held { State::Held } else { State::Accepted },
        &settlement,
    )
    .await
}

/// Records that nobody knows what became of a send; its timer runs out at a time (I6).
pub(crate) async fn ambiguous(
    parts: &Parts,
    portfolio: &str,
    reference: &RecordRef,
    attempt: u32,
    reason: &'static str,
    at: Timestamp,
) -> Result<(), AwsError> {
    // The timer first: a record that is ambiguous without one would stay so.
    parts
        .pacing
        .put_due(
            portfolio,
            &Due {
                at,
                reference: reference.clone(),
                kind: DueKind::Ambiguous,
                attempt,
            },
        )
        .await?;
    let settlement = Settlement {
        attempt: Some(attempt),
        reason: Some(reason),
        ..Settlement::default()
    };
    record(parts, reference, State::Ambiguous, &settlement).await
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
