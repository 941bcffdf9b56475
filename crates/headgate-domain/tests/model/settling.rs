//! How a verdict is written down: one call after the other, each under its condition.

use headgate_domain::holder::{DueEntry, DueKind, Ticket, Verdict};
use headgate_domain::record::{RecordRef, State};
use headgate_domain::time::Timestamp;

use crate::tables::{Bug, Caller, Tables};

impl Tables {
    /// Moves a record up; whether it stands at that state now.
    pub(crate) fn move_up(&mut self, r: &RecordRef, state: State, attempt: Option<u32>) -> bool {
        let Some(record) = self.records.get_mut(r) else {
            return false;
        };
        let may = record.state.rank() < state.rank() && attempt.is_none_or(|a| record.attempt <= a);
        if may {
            record.state = state;
            record.attempt = attempt.unwrap_or(record.attempt);
        }
        record.state == state
    }

    pub(crate) fn tell(&mut self, reference: &RecordRef) {
        if let Some(record) = self.records.get_mut(reference) {
            record.told |= record.state == State::Unknown;
        }
    }

    fn put_due(&mut self, at: Timestamp, ticket: &Ticket, kind: DueKind) {
        let reference = ticket.reference.clone();
        let due = DueEntry {
            at,
            reference: reference.clone(),
            kind,
            attempt: ticket.attempt,
        };
        self.dues.insert((at, reference), due);
    }

    pub(crate) fn drop_due(&mut self, due: Option<&DueEntry>) {
        if let Some(due) = due {
            self.dues.remove(&(due.at, due.reference.clone()));
        }
    }

    /// One call of a settlement; whether there are more.
    pub(crate) fn settle(
        &mut self,
        ticket: &Ticket,
        verdict: Verdict,
        stage: u8,
        by: &Caller<'_>,
    ) -> bool {
        let r = &ticket.reference;
        let calls = calls(ticket, verdict, by);
        match calls[usize::from(stage)] {
            Call::Move(to, attempt) => {
                self.move_up(r, to, attempt);
            }
            Call::Tell => self.tell(r),
            Call::Due(at, kind) => self.put_due(at, ticket, kind),
            Call::Park => self.park(r, ticket.attempt),
            Call::Drop => self.drop_due(ticket.due.as_ref()),
            Call::Look => {
                let is_unknown = self.records.get(r).is_some_and(|record| {
                    matches!(record.state, State::Queued | State::Scheduled)
                        && record.attempt < ticket.attempt
                });
                if !is_unknown {
                    self.tell(r);
                    return false;
                }
            }
        }
        usize::from(stage) + 1 < calls.len()
    }

    fn park(&mut self, reference: &RecordRef, attempt: u32) {
        let record = self.records.get_mut(reference).filter(|r| {
            matches!(r.state, State::Queued | State::Scheduled)
                || (r.state == State::Ambiguous && r.attempt == attempt)
        });
        if let Some(record) = record {
            record.state = State::Queued;
            record.attempt = attempt;
        }
    }
}

/// A call of a settlement.
#[derive(Clone, Copy)]
enum Call {
    Move(State, Option<u32>),
    Tell,
    Due(Timestamp, DueKind),
    Park,
    Drop,
    /// How the record stands; nothing follows when somebody knows what became of it.
    Look,
}

fn calls(ticket: &Ticket, verdict: Verdict, by: &Caller<'_>) -> Vec<Call> {
    let attempt = Some(ticket.attempt);
    let mut calls = match verdict {
        Verdict::Accepted { held: true } => vec![Call::Move(State::Held, attempt)],
        Verdict::Accepted { held: false } | Verdict::Done => {
            vec![Call::Move(State::Accepted, attempt)]
        }
        Verdict::Failed => vec![Call::Move(State::Failed, attempt)],
        Verdict::Cancelled { .. } => vec![Call::Move(State::Cancelled, None)],
        Verdict::Unknown => vec![Call::Move(State::Unknown, None), Call::Tell],
        Verdict::Ambiguous { at, .. } => vec![
            Call::Due(at, DueKind::Ambiguous),
            Call::Move(State::Ambiguous, attempt),
        ],
        Verdict::Lost { .. } if by.bug == Bug::LostIsQueued => {
            vec![Call::Look, Call::Due(by.now, DueKind::Retry), Call::Park]
        }
        Verdict::Lost { at } => vec![
            Call::Look,
            Call::Due(at, DueKind::Ambiguous),
            Call::Move(State::Ambiguous, attempt),
        ],
        Verdict::Park { at } => vec![Call::Due(at, DueKind::Retry), Call::Park],
    };
    let is_anew =
        matches!(verdict, Verdict::Park { at } if ticket.due.as_ref().is_some_and(|d| d.at == at));
    if ticket.due.is_some() && !is_anew {
        calls.push(Call::Drop);
    }
    calls
}
