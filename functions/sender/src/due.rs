//! What is due: retries, ambiguity timers that ran out, messages whose time has come.
//!
//! Cursors never cover these entries, so they survive any holder. An entry is removed only when a
//! claim or a final state has taken its place.

use headgate_aws::AwsError;
use headgate_aws::messages::{Record, Settlement};
use headgate_aws::pacing::{Due, DueKind};
use headgate_domain::record::{State, ambiguity_timer_ms, may_resend};

use crate::Parts;
use crate::settle;

/// What a due entry comes to.
pub(crate) enum Ripe {
    /// The record waits for a claim; the entry stays until there is one.
    Send(Box<Record>),
    /// There is nothing left to do; the entry is gone.
    Done,
}

/// Decides what a due entry comes to, by the record as it stands now.
pub(crate) async fn ripen(parts: &Parts, portfolio: &str, due: &Due) -> Result<Ripe, AwsError> {
    let record = parts
        .messages
        .load(std::slice::from_ref(&due.reference))
        .await?
        .pop();
    let Some(record) = record else {
        parts.pacing.drop_due(portfolio, due).await?;
        return Ok(Ripe::Done);
    };
    let waits = matches!(record.state, State::Queued | State::Scheduled);
    match due.kind {
        DueKind::Retry | DueKind::Scheduled if waits => return Ok(Ripe::Send(Box::new(record))),
        // An entry of an earlier attempt says nothing about this one: it has a timer of its own.
        DueKind::Ambiguous
            if record.attempt == due.attempt && (waits || record.state == State::Ambiguous) =>
        {
            let in_time = record.expires_at > parts.now();
            if may_resend(due.reference.lane) && in_time {
                if let Some(record) = parts
                    .messages
                    .requeue(&due.reference, State::Ambiguous, due.attempt)
                    .await?
                {
                    return Ok(Ripe::Send(Box::new(record)));
                }
            } else {
                settle::record(parts, &due.reference, State::Unknown, &unknown()).await?;
            }
        }
        // Whoever wrote it down may not have lived to say so.
        DueKind::Ambiguous if record.state == State::Unknown => {
            settle::tell(parts, &record, &unknown()).await?;
        }
        DueKind::Retry | DueKind::Scheduled | DueKind::Ambiguous => {}
    }
    parts.pacing.drop_due(portfolio, due).await?;
    Ok(Ripe::Done)
}

fn unknown() -> Settlement {
    Settlement {
        reason: Some("outcome_unknown"),
        ..Settlement::default()
    }
}

/// Turns what an earlier holder claimed and did not settle into *ambiguous*, never into *queued*, and
/// tells about what it settled without living to say so.
pub(crate) async fn recover(
    parts: &Parts,
    portfolio: &str,
    number: &str,
    epoch: u64,
) -> Result<(), AwsError> {
    for claim in parts.pacing.claims(number).await? {
        if claim.epoch >= epoch {
            continue;
        }
        let at = parts.now();
        for (reference, attempt) in claim.references {
            let stands = parts
                .messages
                .load(std::slice::from_ref(&reference))
                .await?
                .pop();
            let Some(record) = stands else { continue };
            match record.state {
                State::Queued | State::Scheduled if record.attempt < attempt => {
                    let at = at.plus_millis(ambiguity_timer_ms(reference.lane));
                    settle::ambiguous(parts, portfolio, &reference, attempt, "holder_lost", at)
                        .await?;
                }
                State::Failed | State::Held | State::Unknown | State::Cancelled => {
                    settle::tell(parts, &record, &Settlement::default()).await?;
                }
                State::Queued
                | State::Scheduled
                | State::Ambiguous
                | State::Accepted
                | State::Sent
                | State::Delivered
                | State::Read
                | State::Played => {}
            }
        }
        parts
            .pacing
            .drop_claim(number, claim.epoch, claim.block)
            .await?;
    }
    Ok(())
}
