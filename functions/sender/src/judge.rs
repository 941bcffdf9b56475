//! Judging: open a claimed block as it stands now, and ask policy again.
//!
//! That this comes after the claim is what makes an opt-out or a cancellation take effect on everything
//! not yet on the wire (I8): what is stored before the reading is seen here.

use std::collections::HashMap;

use headgate_aws::AwsError;
use headgate_aws::keyring::{KeyringError, Salt};
use headgate_aws::messages::{Record, body_place_key};
use headgate_aws::pacing::Recipient;
use headgate_domain::config::Config;
use headgate_domain::consent::Subject;
use headgate_domain::do_not_call::RegisterCheck;
use headgate_domain::holder::{Judgement, Ticket};
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::live::Live;
use headgate_domain::outbound::{Kind, Payload, basis_from_json, kind_of};
use headgate_domain::policy::{
    Facts, Moment, No, Request, authorize, is_window_open, longest_cap_hours, needs_checks,
};
use headgate_domain::profiles::ProcessingRegion;
use headgate_domain::record::{RecordRef, State};
use headgate_domain::refusal::Code;
use headgate_domain::sealing::Place;
use headgate_domain::time::Timestamp;
use headgate_lambda::log::{Field, Level, log};

use crate::Parts;
use crate::country::country;
use crate::shell::{Kept, Shell};

/// So many records are opened without a pause: about a tenth of a millisecond.
const RECORDS_AT_ONCE: usize = 8;

/// What is known when a block is judged.
struct Known<'a> {
    config: &'a Config,
    live: &'a Live,
    states: HashMap<&'a SubjectId, &'a Subject>,
    suppressed: HashMap<&'a str, &'a [Purpose]>,
    region: &'a ProcessingRegion,
    checks: HashMap<String, Vec<RegisterCheck>>,
    now: Timestamp,
}

/// Judges a block: one judgement per ticket, in their order. What is permitted is kept for its slot.
///
/// # Errors
/// [`AwsError`] when something could not be read; then nothing of the block is sent.
pub(crate) async fn judge(
    shell: &Shell<'_>,
    tickets: &[Ticket],
) -> Result<Vec<Judgement>, AwsError> {
    let parts = shell.parts;
    let (config, live) = tokio::try_join!(parts.controls.config(), parts.controls.live())?;
    let references: Vec<RecordRef> = tickets.iter().map(|t| t.reference.clone()).collect();
    let subjects: Vec<SubjectId> = tickets
        .iter()
        .filter_map(|t| SubjectId::parse(&t.recipient).ok())
        .collect();
    let limited = live.limit(&config, &shell.portfolio).is_some();
    let purposes = tickets.first().map(|t| t.reference.lane);
    let remembered = limited || purposes.is_some_and(|p| longest_cap_hours(&config, p).is_some());
    let recipients = async {
        if remembered {
            parts.pacing.recipients(&shell.portfolio, &subjects).await
        } else {
            Ok(HashMap::new())
        }
    };
    let (records, states, recipients, salts) = tokio::try_join!(
        parts.messages.load(&references, parts.now()),
        parts.subjects.load(&subjects),
        recipients,
        salts(parts, &subjects),
    )?;
    let now = parts.now();
    let mut opened = HashMap::with_capacity(records.len());
    for (n, record) in records.into_iter().enumerate() {
        leave_room_for_slots(n).await;
        let payload = open(parts, &record, &salts, now).await?;
        let salt = salts.get(&record.subject).cloned();
        opened.insert(record.reference.clone(), (record, payload.zip(salt)));
    }
    let keys: Vec<String> = opened
        .values()
        .filter_map(|(_, payload)| payload.as_ref())
        .flat_map(|(p, _)| p.suppression.iter().cloned())
        .collect();
    let registered: Vec<String> = opened
        .values()
        .filter_map(|(record, payload)| Some((record, &payload.as_ref()?.0)))
        .filter(|(record, payload)| needs_checks(&config, record.purpose, country(payload)))
        .flat_map(|(_, payload)| payload.suppression.iter().cloned())
        .collect();
    let (suppressed, checks) = tokio::try_join!(
        parts.suppression.covering(&keys),
        parts.suppression.checks(&registered),
    )?;
    let recipients = shell.recipients(recipients, purposes, tickets);
    let known = Known {
        config: &config,
        live: &live,
        states: states.iter().map(|s| (&s.id, s)).collect(),
        suppressed: suppressed
            .iter()
            .map(|(k, p)| (k.as_str(), p.as_slice()))
            .collect(),
        region: &parts.region,
        checks,
        now,
    };
    let mut recipients = recipients;
    let mut judged = Vec::with_capacity(tickets.len());
    // Without a pause: what is known of a person must not change between here and `kept`.
    for ticket in tickets {
        let Some((record, payload)) = opened.remove(&ticket.reference) else {
            judged.push(Judgement::Refused { reason: "erased" });
            continue;
        };
        if !matches!(record.state, State::Queued | State::Scheduled) {
            shell.kept().remove(&ticket.reference);
            judged.push(Judgement::Moved);
            continue;
        }
        let Some(payload) = payload else {
            judged.push(Judgement::Refused { reason: "erased" });
            continue;
        };
        let recipient = recipients.entry(record.subject.clone()).or_default();
        let (judgement, kept) = one(&known, record, payload, recipient);
        if let Some(kept) = kept {
            // The next one of this block finds this one sent.
            recipient.recent.sends.push((kept.record.purpose, now));
            shell.kept().insert(ticket.reference.clone(), kept);
        }
        judged.push(judgement);
    }
    Ok(judged)
}

/// A block is opened on the thread that sends: every few records, what is due in the meantime goes first.
async fn leave_room_for_slots(done: usize) {
    if done % RECORDS_AT_ONCE == RECORDS_AT_ONCE.saturating_sub(1) {
        tokio::task::yield_now().await;
    }
}

fn one(
    known: &Known<'_>,
    record: Record,
    (payload, salt): (Payload, Salt),
    recent: &Recipient,
) -> (Judgement, Option<Kept>) {
    let erased = (Judgement::Refused { reason: "erased" }, None);
    let Some(subject) = known.states.get(&record.subject) else {
        return erased;
    };
    let Some(number) = known.config.number(&record.reference.number) else {
        let reason = Code::UnknownSender.word();
        return (Judgement::Refused { reason }, None);
    };
    let covered: Vec<Purpose> = payload
        .suppression
        .iter()
        .filter_map(|k| known.suppressed.get(k.as_str()))
        .flat_map(|p| p.iter().copied())
        .collect();
    let checks: Vec<RegisterCheck> = payload
        .suppression
        .iter()
        .filter_map(|k| known.checks.get(k))
        .flatten()
        .cloned()
        .collect();
    let (basis, kind) = (basis_from_json(&payload.basis), kind_of(&payload.message));
    let request = Request {
        at: Moment::Claim,
        number,
        to: country(&payload),
        purpose: record.purpose,
        topic: payload.topic.as_ref(),
        basis: &basis,
        kind: &kind,
        expires_at: record.expires_at,
        accepted_at: record.accepted_at,
        not_before: record.not_before,
    };
    let facts = Facts {
        config: known.config,
        live: known.live,
        subject,
        suppressed: &covered,
        region: known.region,
        checks: &checks,
        recent: &recent.recent,
        producer: &record.producer,
    };
    match authorize(&request, &facts, known.now) {
        Ok(permit) => {
            let in_window = is_window_open(subject, known.now);
            let judgement = Judgement::Permitted {
                // Only a template reaches somebody outside the window.
                counts: !in_window && matches!(kind, Kind::Template { .. }),
                counted_in: recent.bucket,
            };
            let mut record = record;
            record.consent_event = permit.consent_event().map(str::to_owned);
            let kept = Kept {
                record,
                payload,
                salt,
                permit: Some(permit),
                wamid: None,
                code: None,
            };
            (judgement, Some(kept))
        }
        Err(No::Refused(refusal)) => {
            let reason = refusal.code.word();
            (Judgement::Refused { reason }, None)
        }
        Err(No::NotYet { until, code }) => {
            log(
                Level::Info,
                "message_waits",
                &[
                    ("code", Field::code(code.word())),
                    ("lane", Field::code(request.purpose.word())),
                ],
            );
            let whole_lane = matches!(code, Code::AccountPaused | Code::NumberPaused);
            (Judgement::NotYet { until, whole_lane }, None)
        }
    }
}

async fn salts(
    parts: &Parts,
    subjects: &[SubjectId],
) -> Result<HashMap<SubjectId, Salt>, AwsError> {
    match parts.keyring.salts(subjects).await {
        Ok(salts) => Ok(salts),
        Err(KeyringError::Aws(error)) => Err(error),
        Err(KeyringError::PastRetention | KeyringError::NoKey | KeyringError::NotOpened) => {
            Ok(HashMap::new())
        }
    }
}

/// The payload of a record; `None` when it can no longer be read.
async fn open(
    parts: &Parts,
    record: &Record,
    salts: &HashMap<SubjectId, Salt>,
    now: Timestamp,
) -> Result<Option<Payload>, AwsError> {
    let Some(salt) = salts.get(&record.subject) else {
        return Ok(None);
    };
    let key = body_place_key(&record.reference);
    let place = Place {
        table: "messages",
        key: &key,
        field: "body",
    };
    let opened = parts
        .keyring
        .open_content(record.day, now, salt, &place, &record.body);
    match opened.await {
        Ok(plain) => Ok(Payload::from_bytes(plain.reveal())),
        Err(KeyringError::Aws(error)) => Err(error),
        Err(KeyringError::PastRetention | KeyringError::NoKey | KeyringError::NotOpened) => {
            Ok(None)
        }
    }
}
