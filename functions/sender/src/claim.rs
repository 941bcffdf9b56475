//! A claim: open a block, judge it again, write the claim. Only then may a first byte leave.
//!
//! Judging again is what makes an opt-out take effect on everything not yet on the wire (I8).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use headgate_aws::AwsError;
use headgate_aws::keyring::KeyringError;
use headgate_aws::messages::{Settlement, body_place_key};
use headgate_aws::pacing::{Claim, Due, DueKind};
use headgate_domain::config::Config;
use headgate_domain::consent::Subject;
use headgate_domain::identity::{Bsuid, Phone, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::live::Live;
use headgate_domain::outbound::{Payload, basis_from_json, kind_of};
use headgate_domain::policy::{Facts, Moment, No as Policy, Request, SendPermit, authorize};
use headgate_domain::recent::Recent;
use headgate_domain::record::State;
use headgate_domain::refusal::{Code, Refusal};
use headgate_domain::region::Country;
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;

use crate::Parts;
use crate::lane::{Claimed, Waiting};
use crate::settle;

/// A claimed block may reach the wire only this long after its claim.
const SEND_BY: Duration = Duration::from_secs(2);

/// Why a record did not get a permit.
enum No {
    Refused(Refusal),
    /// Not before this time: it waits on, by the due list.
    NotYet(Timestamp),
    /// Erased, or past its retention period: there is nothing left to send.
    Unreadable,
}

/// Judges a block and claims what may be sent; the rest is cancelled with its reason.
///
/// # Errors
/// [`AwsError`] when nothing was claimed; the whole block waits on.
pub(crate) async fn claim(
    parts: &Parts,
    number: &str,
    epoch: u64,
    block: u64,
    waiting: &[Waiting],
) -> Result<Vec<Claimed>, AwsError> {
    let now = parts.now();
    let config = parts.controls.config().await?;
    let live = parts.controls.live().await?;
    let waiting = still_waiting(parts, waiting).await?;
    let waiting = waiting.as_slice();
    let opened = open(parts, waiting, now).await?;
    let subjects: Vec<SubjectId> = waiting.iter().map(|w| w.record.subject.clone()).collect();
    let keys: Vec<String> = opened
        .iter()
        .flatten()
        .flat_map(|p| p.suppression.iter().cloned())
        .collect();
    // Read after the claim's moment has been fixed, consistently: a no that is stored now is seen now.
    let (states, suppressed) = tokio::try_join!(
        parts.subjects.load(&subjects),
        parts.suppression.covering(&keys)
    )?;
    let states: HashMap<&SubjectId, &Subject> = states.iter().map(|s| (&s.id, s)).collect();
    let suppressed: HashMap<&str, &[Purpose]> = suppressed
        .iter()
        .map(|(k, p)| (k.as_str(), p.as_slice()))
        .collect();

    let mut permitted = Vec::with_capacity(waiting.len());
    let mut refused = Vec::new();
    for (waiting, payload) in waiting.iter().zip(opened) {
        match judge((&config, &live), waiting, payload, &states, &suppressed, now) {
            Ok((payload, permit)) => {
                let mut record = waiting.record.clone();
                record.attempt = record.attempt.saturating_add(1);
                permitted.push((record, waiting.due.clone(), payload, permit));
            }
            Err(no) => refused.push((waiting, no)),
        }
    }
    for (waiting, no) in refused {
        let settlement = match &no {
            No::NotYet(until) => {
                wait_until(parts, &config, waiting, *until).await?;
                continue;
            }
            No::Refused(refusal) => Settlement {
                reason: Some(refusal.code.word()),
                ..Settlement::default()
            },
            No::Unreadable => Settlement {
                reason: Some("erased"),
                ..Settlement::default()
            },
        };
        settle::record(
            parts,
            &waiting.record.reference,
            State::Cancelled,
            &settlement,
        )
        .await?;
    }
    if permitted.is_empty() {
        return Ok(Vec::new());
    }
    let references = permitted
        .iter()
        .map(|(record, ..)| (record.reference.clone(), record.attempt))
        .collect();
    let send_by = Instant::now()
        .checked_add(SEND_BY)
        .unwrap_or_else(Instant::now);
    parts
        .pacing
        .put_claim(
            number,
            &Claim {
                epoch,
                block,
                references,
            },
            now,
        )
        .await?;
    let until = |expires_at: Timestamp| {
        let left = Instant::now().checked_add(now.until(expires_at));
        left.map_or(send_by, |end| end.min(send_by))
    };
    Ok(permitted
        .into_iter()
        .map(|(record, due, payload, permit)| Claimed {
            send_by: until(record.expires_at),
            record,
            payload,
            permit,
            due,
            block,
        })
        .collect())
}

/// Leaves out what a notification or another holder has moved since it was read: what came back by a
/// due entry was read some time ago.
async fn still_waiting(parts: &Parts, waiting: &[Waiting]) -> Result<Vec<Waiting>, AwsError> {
    let came_back = |w: &&Waiting| w.due.is_some() || w.record.attempt > 0;
    let references: Vec<_> = waiting
        .iter()
        .filter(came_back)
        .map(|w| w.record.reference.clone())
        .collect();
    let stands: HashMap<_, _> = parts
        .messages
        .load(&references)
        .await?
        .into_iter()
        .map(|r| (r.reference.clone(), r.state))
        .collect();
    let waits = |w: &&Waiting| {
        !came_back(w)
            || matches!(
                stands.get(&w.record.reference),
                Some(State::Queued | State::Scheduled)
            )
    };
    Ok(waiting.iter().filter(waits).cloned().collect())
}

/// Leaves a message where it is and has it looked at again at a later time.
async fn wait_until(
    parts: &Parts,
    config: &Config,
    waiting: &Waiting,
    until: Timestamp,
) -> Result<(), AwsError> {
    let Some(number) = config.number(&waiting.record.reference.number) else {
        return Ok(());
    };
    let later = Due {
        at: until,
        reference: waiting.record.reference.clone(),
        kind: DueKind::Scheduled,
        attempt: waiting.record.attempt,
    };
    parts.pacing.put_due(&number.portfolio, &later).await?;
    match &waiting.due {
        Some(due) if due.at != until => parts.pacing.drop_due(&number.portfolio, due).await,
        Some(_) | None => Ok(()),
    }
}

/// Where the address of a message says that the person is.
fn country(payload: &Payload) -> Option<Country> {
    let phone = payload.phone.as_deref().and_then(|p| Phone::parse(p).ok());
    let bsuid = payload.bsuid.as_deref().and_then(|b| Bsuid::parse(b).ok());
    match (phone, bsuid) {
        (Some(phone), _) => Country::of_phone(&phone),
        (None, Some(bsuid)) => Country::of_bsuid(&bsuid),
        (None, None) => None,
    }
}

fn judge(
    (config, live): (&Config, &Live),
    waiting: &Waiting,
    payload: Option<Payload>,
    states: &HashMap<&SubjectId, &Subject>,
    suppressed: &HashMap<&str, &[Purpose]>,
    now: Timestamp,
) -> Result<(Payload, SendPermit), No> {
    let record = &waiting.record;
    let payload = payload.ok_or(No::Unreadable)?;
    let subject = states.get(&record.subject).ok_or(No::Unreadable)?;
    let covered: Vec<Purpose> = payload
        .suppression
        .iter()
        .filter_map(|k| suppressed.get(k.as_str()))
        .flat_map(|p| p.iter().copied())
        .collect();
    let basis = basis_from_json(&payload.basis);
    let kind = kind_of(&payload.message);
    let number = config
        .number(&record.reference.number)
        .ok_or_else(|| No::Refused(Code::UnknownSender.into()))?;
    let request = Request {
        at: Moment::Claim,
        number,
        to: country(&payload),
        purpose: record.purpose,
        basis: &basis,
        kind: &kind,
        expires_at: record.expires_at,
        accepted_at: record.accepted_at,
        not_before: record.not_before,
    };
    let facts = Facts {
        config,
        live,
        subject,
        suppressed: &covered,
        recent: &Recent::default(),
        producer: &record.producer,
    };
    match authorize(&request, &facts, now) {
        Ok(permit) => Ok((payload, permit)),
        Err(Policy::Refused(refusal)) => Err(No::Refused(refusal)),
        Err(Policy::NotYet { until, .. }) => Err(No::NotYet(until)),
    }
}

/// Opens the payloads of a block; `None` for one that no longer can be.
async fn open(
    parts: &Parts,
    waiting: &[Waiting],
    now: Timestamp,
) -> Result<Vec<Option<Payload>>, AwsError> {
    let subjects: Vec<SubjectId> = waiting.iter().map(|w| w.record.subject.clone()).collect();
    let salts = match parts.keyring.salts(&subjects).await {
        Ok(salts) => salts,
        Err(KeyringError::Aws(error)) => return Err(error),
        Err(KeyringError::PastRetention | KeyringError::NoKey | KeyringError::NotOpened) => {
            HashMap::new()
        }
    };
    let mut opened = Vec::with_capacity(waiting.len());
    for Waiting { record, .. } in waiting {
        let Some(salt) = salts.get(&record.subject) else {
            opened.push(None);
            continue;
        };
        let key = body_place_key(&record.reference);
        let place = Place {
            table: "messages",
            key: &key,
            field: "body",
        };
        match parts
            .keyring
            .open_content(record.day, now, salt, &place, &record.body)
            .await
        {
            Ok(plain) => opened.push(Payload::from_bytes(plain.reveal())),
            Err(KeyringError::Aws(error)) => return Err(error),
            Err(KeyringError::PastRetention | KeyringError::NoKey | KeyringError::NotOpened) => {
                opened.push(None);
            }
        }
    }
    Ok(opened)
}
