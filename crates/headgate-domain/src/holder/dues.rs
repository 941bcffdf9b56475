//! What is due: retries, ambiguity timers that ran out, messages whose time has come.
//!
//! Cursors never cover these entries, so they survive any holder. An entry is removed only when a
//! claim's outcome or a final state has taken its place.

use super::io::{DueEntry, DueKind, Effect, Now, Outcome, Seen, Verdict};
use super::number::Number;
use super::{Holder, Stage};
use crate::lane::Purpose;
use crate::record::{State, may_resend};

/// The due list of one lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Dues {
    lane: Purpose,
    busy: bool,
    behind: Option<DueEntry>,
    next_look: u64,
    /// This reading is the last look of a term.
    pub(super) looks: bool,
    pub(super) look_wanted: bool,
}

impl Dues {
    pub(super) const fn new(lane: Purpose) -> Self {
        Self {
            lane,
            busy: false,
            behind: None,
            next_look: 0,
            looks: false,
            look_wanted: false,
        }
    }

    pub(super) const fn wake_at(&self) -> u64 {
        if self.busy { u64::MAX } else { self.next_look }
    }
}

impl Holder {
    pub(super) fn read_dues(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.numbers.iter().all(|n| n.open) {
            return;
        }
        for dues in &mut self.dues {
            if dues.busy || (now.mono < dues.next_look && !dues.look_wanted) {
                continue;
            }
            dues.next_look = now.mono.saturating_add(self.tuning.due_every);
            let waiting = self.numbers.iter().flat_map(|n| &n.lanes);
            let full = waiting
                .filter(|l| l.purpose == dues.lane)
                .any(|l| l.waiting.len() >= self.tuning.read_ahead.saturating_mul(2));
            if full && !dues.look_wanted {
                continue;
            }
            dues.busy = true;
            if std::mem::take(&mut dues.look_wanted) {
                dues.looks = true;
                dues.behind = None;
            }
            out.push(Effect::ReadDue {
                lane: dues.lane,
                behind: dues.behind.clone(),
            });
        }
    }

    /// Takes in a page of the list; what is in hand already, or of a number that is gone, is passed over.
    pub(super) fn due_read(
        &mut self,
        now: Now,
        lane: Purpose,
        entries: Outcome<Vec<DueEntry>>,
        out: &mut Vec<Effect>,
    ) {
        let numbers = &self.numbers;
        let Some(dues) = self.dues.iter_mut().find(|d| d.lane == lane) else {
            return;
        };
        dues.busy = false;
        let looked = std::mem::take(&mut dues.looks);
        let Ok(entries) = entries else {
            dues.next_look = now.mono.saturating_add(self.tuning.after_error);
            dues.behind = None;
            self.found |= looked;
            return;
        };
        let more = entries.len() >= self.tuning.page;
        dues.behind = if more { entries.last().cloned() } else { None };
        if more {
            // Entries that are passed over must not hide the ones behind them.
            dues.next_look = now.mono;
            dues.looks = looked;
        }
        let entries: Vec<DueEntry> = entries
            .into_iter()
            .filter(|e| {
                let number = numbers.iter().find(|n| n.id == e.reference.number);
                number.is_some_and(|n| !n.live.contains_key(&e.reference))
            })
            .collect();
        if entries.is_empty() {
            return;
        }
        dues.busy = true;
        dues.looks = false;
        self.found |= looked;
        out.push(Effect::LoadDue { lane, entries });
    }

    /// Decides what each entry comes to, by the record as it stands now.
    pub(super) fn due_loaded(
        &mut self,
        now: Now,
        lane: Purpose,
        loaded: Outcome<Vec<(DueEntry, Option<Seen>)>>,
        out: &mut Vec<Effect>,
    ) {
        if let Some(dues) = self.dues.iter_mut().find(|d| d.lane == lane) {
            dues.busy = false;
            if loaded.is_err() {
                dues.next_look = now.mono.saturating_add(self.tuning.after_error);
                dues.behind = None;
            }
        }
        let goes_on = matches!(self.stage, Stage::Running | Stage::Looking);
        for (due, seen) in loaded.into_iter().flatten() {
            let number = self
                .numbers
                .iter_mut()
                .find(|n| n.id == due.reference.number);
            let Some(number) = number.filter(|n| goes_on && !n.live.contains_key(&due.reference))
            else {
                continue;
            };
            number.last_activity = now.mono;
            number.ripen(now, due, seen, out);
        }
    }

    /// Takes in whether an ambiguous record was put back.
    pub(super) fn requeued(
        &mut self,
        now: Now,
        due: DueEntry,
        seen: Outcome<Option<Seen>>,
        out: &mut Vec<Effect>,
    ) {
        let number = self
            .numbers
            .iter_mut()
            .find(|n| n.id == due.reference.number);
        let Some(number) = number else { return };
        number.settling = number.settling.saturating_sub(1);
        number.last_activity = now.mono;
        match seen {
            Ok(Some(seen)) => number.take_due(due, seen),
            Ok(None) => {
                number.live.remove(&due.reference);
                out.push(Effect::DropDue { due });
            }
            Err(_) => {
                number.live.remove(&due.reference);
            }
        }
    }
}

impl Number {
    fn ripen(&mut self, now: Now, due: DueEntry, seen: Option<Seen>, out: &mut Vec<Effect>) {
        let Some(mut seen) = seen else {
            out.push(Effect::DropDue { due });
            return;
        };
        let waits = matches!(seen.state, State::Queued | State::Scheduled);
        match due.kind {
            DueKind::Retry | DueKind::Scheduled if waits => self.take_due(due, seen),
            // An entry of an earlier attempt says nothing about this one: it has a timer of its own.
            DueKind::Ambiguous
                if seen.ticket.attempt == due.attempt
                    && (waits || seen.state == State::Ambiguous) =>
            {
                let in_time = seen.ticket.expires_at > now.wall;
                self.live.insert(due.reference.clone(), true);
                if may_resend(due.reference.lane) && in_time {
                    self.settling = self.settling.saturating_add(1);
                    out.push(Effect::Requeue { seen, due });
                } else {
                    seen.ticket.due = Some(due);
                    self.settle(None, seen.ticket, Verdict::Unknown, out);
                }
            }
            // Whoever wrote it down may not have lived to say so.
            DueKind::Ambiguous if seen.state == State::Unknown => out.push(Effect::Tell {
                ticket: seen.ticket,
                due: Some(due),
            }),
            DueKind::Retry | DueKind::Scheduled | DueKind::Ambiguous => {
                out.push(Effect::DropDue { due });
            }
        }
    }

    /// A record that a due entry brought back goes to the head of its lane; the entry stays for now.
    fn take_due(&mut self, due: DueEntry, seen: Seen) {
        let mut ticket = seen.ticket;
        self.live.insert(ticket.reference.clone(), true);
        // What has been tried goes first; what was planned takes its turn.
        let planned = due.kind == DueKind::Scheduled;
        ticket.due = Some(due);
        match self.lane_mut(ticket.reference.lane) {
            Some(lane) if planned => lane.push_back(ticket),
            Some(lane) => lane.push_front(ticket),
            None => {}
        }
    }
}
