//! Settling: writing down what became of a send, and telling the app what it needs to know.

use headgate_aws::AwsError;
use headgate_aws::keyring::KeyringError;
use headgate_aws::messages::{Record, Settlement, body_place_key};
use headgate_aws::pacing::{Due, DueKind};
use headgate_aws::subjects::message_pseudonym;
use headgate_domain::event::{Event, message_event};
use headgate_domain::identity::Wamid;
use headgate_domain::outbound::Payload;
use headgate_domain::record::{RecordRef, State, ambiguity_timer_ms};
use headgate_domain::sealing::Place;
use headgate_domain::time::SECOND;

use crate::Parts;

/// Meta asks for at least this between messages to one person (131056).
const PAIR_REST_MS: i64 = 6 * SECOND;

/// What became of a send, as it is to be written down.
pub(crate) enum Verdict {
    /// Meta has the message.
    Accepted { wamid: Wamid, held: bool },
    /// Meta did what was asked, and there is no message.
    Done,
    /// Meta said no.
    Failed { code: u32 },
    /// Nobody knows.
    Ambiguous { why: &'static str },
    /// Too soon for this person: the person waits, the lane does not.
    Park,
}

/// Writes a verdict down; doing so twice is harmless.
pub(crate) async fn write(
    parts: &Parts,
    portfolio: &str,
    sent: &Record,
    verdict: &Verdict,
) -> Result<(), AwsError> {
    let attempt = Some(sent.attempt);
    match verdict {
        Verdict::Accepted { wamid, held } => accepted(parts, sent, wamid, *held).await,
        Verdict::Done => {
            record(
                parts,
                &sent.reference,
                State::Accepted,
                &Settlement {
                    attempt,
                    ..Settlement::default()
                },
            )
            .await
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
        Verdict::Ambiguous { why } => {
            ambiguous(parts, portfolio, &sent.reference, sent.attempt, why).await
        }
        Verdict::Park => {
            let at = parts.now().plus_millis(PAIR_REST_MS);
            parts
                .pacing
                .put_due(
                    portfolio,
                    &Due {
                        at,
                        reference: sent.reference.clone(),
                        kind: DueKind::Retry,
                        attempt: sent.attempt,
                    },
                )
                .await?;
            leave_to_due(parts, &sent.reference, sent.attempt).await
        }
    }
}

/// Notes the attempt in the record, so that readers of the outbox leave it to its due entry.
pub(crate) async fn leave_to_due(
    parts: &Parts,
    reference: &RecordRef,
    attempt: u32,
) -> Result<(), AwsError> {
    parts
        .messages
        .requeue(reference, State::Queued, attempt)
        .await
        .map(|_record| ())
}

/// Moves a record and publishes the event that belongs to its new state; nothing when it stands higher already.
pub(crate) async fn record(
    parts: &Parts,
    reference: &RecordRef,
    state: State,
    settlement: &Settlement,
) -> Result<(), AwsError> {
    let now = parts.now();
    let Some(moved) = parts
        .messages
        .settle(reference, state, settlement, now)
        .await?
    else {
        return Ok(());
    };
    let Some(kind) = message_event(state) else {
        return Ok(());
    };
    let mut event = Event::of_message(kind, now, reference)
        .with_subject(Some(&moved.subject))
        .with("purpose", moved.purpose.word());
    if let Some(payload) = payload_of(parts, &moved).await {
        event = event
            .with_id(Some(payload.id))
            .with_reference(payload.reference);
    }
    if let Some(campaign) = &moved.campaign {
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

/// Records that nobody knows what became of a send; its timer starts now (I6).
pub(crate) async fn ambiguous(
    parts: &Parts,
    portfolio: &str,
    reference: &RecordRef,
    attempt: u32,
    reason: &'static str,
) -> Result<(), AwsError> {
    let at = parts.now().plus_millis(ambiguity_timer_ms(reference.lane));
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
