//! What a holder is told when a table does not answer.

use headgate_domain::holder::{Effect, Event, Unavailable};

/// What a holder is told when an effect's call did not succeed.
pub(crate) fn unavailable(effect: &Effect) -> Event {
    const NO: Unavailable = Unavailable;
    match effect {
        Effect::ReadLease => Event::LeaseRead(Err(NO)),
        Effect::TakeLease { .. } => Event::LeaseTaken(Err(NO)),
        Effect::Renew { .. } => Event::Renewed(Err(NO)),
        Effect::ReadNextDue => Event::NextDueRead(Err(NO)),
        Effect::ReadControls => Event::ControlsRead(Err(NO)),
        Effect::ReadBudget => Event::BudgetRead(Err(NO)),
        Effect::Open { number, .. } => Event::Opened {
            number: *number,
            opened: Err(NO),
        },
        Effect::ReadPage {
            number,
            lane,
            shard,
            ..
        } => Event::Page {
            number: *number,
            lane: *lane,
            shard: *shard,
            page: Err(NO),
        },
        Effect::ReadDue { lane, .. } => Event::DueRead {
            lane: *lane,
            entries: Err(NO),
        },
        Effect::LoadDue { lane, .. } => Event::DueLoaded {
            lane: *lane,
            loaded: Err(NO),
        },
        Effect::Claim { number, block, .. } => Event::Claimed {
            number: *number,
            block: *block,
            written: Err(NO),
        },
        Effect::Judge { number, block, .. } => Event::Judged {
            number: *number,
            block: *block,
            judgements: Err(NO),
        },
        Effect::Flush { number, block, .. } => Event::Flushed {
            number: *number,
            block: *block,
            written: Err(NO),
        },
        Effect::NotePair {
            number,
            block,
            reference,
            ..
        } => Event::PairNoted {
            number: *number,
            block: *block,
            reference: reference.clone(),
            written: Err(NO),
        },
        Effect::Settle {
            number,
            block,
            ticket,
            ..
        } => Event::Settled {
            number: *number,
            block: *block,
            reference: ticket.reference.clone(),
            written: Err(NO),
        },
        Effect::Requeue { due, .. } => Event::Requeued {
            due: due.clone(),
            seen: Err(NO),
        },
        Effect::Send { .. } => unreachable!("Meta answers, not a table"),
        Effect::Wake { .. }
        | Effect::DropBuckets { .. }
        | Effect::Tell { .. }
        | Effect::DropDue { .. }
        | Effect::KeepClaim { .. }
        | Effect::Note { .. }
        | Effect::PutCursors { .. } => Event::Tidied,
    }
}
