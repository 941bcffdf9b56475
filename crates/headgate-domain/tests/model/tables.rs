//! What is stored, with the conditions under which each write is taken.
//!
//! The rules are those of `headgate-aws` (`messages.rs`, `pacing.rs`) and the order of calls that of the
//! sender's shell. An effect that makes several calls is performed one call at a time, so that a crash
//! or another process may come between any two of them.

use std::collections::BTreeMap;

use headgate_domain::holder::{
    Claim, Controls, Cursors, DueEntry, Effect, Event, InForce, Judgement, LeaseView, Legacy,
    Opened, PageRead, Phase, Seen, Taken, Ticket, Unavailable,
};
use headgate_domain::record::{RecordRef, State};
use headgate_domain::time::Timestamp;

/// What the checker must be able to find: each takes one rule of the protocol away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Nothing is taken away.
    None,
    /// A claim is said to be written, and is not.
    ClaimNotStored,
    /// What an earlier holder claimed goes back to the queue, not to *ambiguous*.
    LostIsQueued,
    /// Intake reads the lease, then writes the message.
    ReadBeforeWrite,
    /// The look after IDLE shows the tables as they were before IDLE was written.
    LookBeforeIdle,
}

/// The lease item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LeaseItem {
    pub(crate) view: LeaseView,
    holder: u64,
    at: Timestamp,
}

/// A message record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) state: State,
    pub(crate) attempt: u32,
    pub(crate) expires_at: Timestamp,
    pub(crate) recipient: String,
    /// The app was told that the outcome stayed unknown.
    pub(crate) told: bool,
}

/// Everything that outlives a holder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tables {
    pub(crate) lease: Option<LeaseItem>,
    legacy: Option<Legacy>,
    cursors: BTreeMap<String, (u64, Cursors)>,
    claims: BTreeMap<(String, u16), Claim>,
    pub(crate) records: BTreeMap<RecordRef, Record>,
    pub(crate) dues: BTreeMap<(Timestamp, RecordRef), DueEntry>,
    /// When each may be delivered, and whether it is for a successor.
    pub(crate) wakes: Vec<(Timestamp, bool)>,
}

/// An effect that was asked for, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub(crate) effect: Effect,
    stage: u8,
    /// What was read of a predecessor, when that came before the lease was taken.
    legacy: Option<Legacy>,
    /// What came of it, once the last call is made.
    pub(crate) done: Option<Event>,
}

impl Job {
    pub(crate) fn new(effect: Effect) -> Self {
        Self {
            effect,
            stage: 0,
            legacy: None,
            done: None,
        }
    }
}

/// Who makes a call, and when.
pub(crate) struct Caller<'a> {
    pub(crate) holder: u64,
    pub(crate) now: Timestamp,
    /// The ids of the portfolio's numbers.
    pub(crate) numbers: &'a [&'a str],
    pub(crate) per_second: u32,
    pub(crate) bug: Bug,
    /// Whether what a predecessor left is read before the lease is taken: the two are asked for at once.
    pub(crate) legacy_first: bool,
    /// What there was before IDLE was written, for [`Bug::LookBeforeIdle`].
    pub(crate) before_idle: Option<&'a Tables>,
}

/// A settlement that is more than one call goes on.
const MORE: Option<Event> = None;

impl Tables {
    pub(crate) fn wake(&mut self, at: Timestamp, successor: bool) {
        self.wakes.push((at, successor));
        self.wakes.sort_unstable();
    }

    /// Makes the next call of an effect; the last one says what came of it.
    pub(crate) fn call(&mut self, job: &mut Job, by: &Caller<'_>) {
        let stage = job.stage;
        job.stage += 1;
        if by.legacy_first && matches!(job.effect, Effect::TakeLease { .. }) {
            job.done = self.take_after_reading(job, stage, by);
        } else {
            job.done = self.make(&job.effect, stage, by);
        }
    }

    /// The two calls of taking the lease, the other way round.
    fn take_after_reading(&mut self, job: &mut Job, stage: u8, by: &Caller<'_>) -> Option<Event> {
        if stage == 0 {
            job.legacy.clone_from(&self.legacy);
            return MORE;
        }
        let legacy = job.legacy.take();
        let Effect::TakeLease { seen } = &job.effect else {
            unreachable!("only taking the lease reads what was left");
        };
        let epoch = seen.as_ref().map_or(1, |s| s.epoch + 1);
        let taken = self.take(seen.as_ref(), by);
        Some(Event::LeaseTaken(Ok(
            taken.then_some(Taken { epoch, legacy })
        )))
    }

    #[expect(clippy::too_many_lines, reason = "a line or two per effect")]
    fn make(&mut self, effect: &Effect, stage: u8, by: &Caller<'_>) -> Option<Event> {
        let id = |number: usize| by.numbers[number].to_owned();
        Some(match effect {
            Effect::ReadLease => Event::LeaseRead(Ok(self.lease.as_ref().map(|l| l.view.clone()))),
            Effect::TakeLease { seen } => {
                if stage == 0 {
                    if self.take(seen.as_ref(), by) {
                        return MORE;
                    }
                    return Some(Event::LeaseTaken(Ok(None)));
                }
                Event::LeaseTaken(Ok(Some(Taken {
                    epoch: seen.as_ref().map_or(1, |s| s.epoch + 1),
                    legacy: self.legacy.clone(),
                })))
            }
            Effect::Renew { epoch, phase, left } => {
                if let (Some(left), 0) = (left, stage) {
                    if self.legacy.as_ref().is_none_or(|l| l.epoch <= *epoch) {
                        self.legacy = Some(left.clone());
                    }
                    return MORE;
                }
                Event::Renewed(Ok(self.renew(*epoch, *phase, by.now)))
            }
            Effect::Wake { after_s, successor } => {
                let at = by.now.plus_millis(i64::from(*after_s) * 1_000);
                self.wake(at, *successor);
                Event::Tidied
            }
            Effect::ReadNextDue => Event::NextDueRead(Ok(self.dues.keys().map(|k| k.0).next())),
            Effect::ReadControls => Event::ControlsRead(Ok(Controls {
                numbers: by
                    .numbers
                    .iter()
                    .map(|n| in_force(n, by.per_second))
                    .collect(),
                daily_limit: None,
            })),
            Effect::ReadBudget => Event::BudgetRead(Ok(Vec::new())),
            Effect::DropBuckets { .. } | Effect::Note { .. } => Event::Tidied,
            Effect::Open {
                number,
                after,
                open,
            } => Event::Opened {
                number: *number,
                opened: Ok(self.open(&id(*number), *after, open)),
            },
            Effect::ReadPage {
                number,
                lane,
                shard,
                from,
                ..
            } => {
                let shown = by.before_idle.unwrap_or(self);
                let records = shown.records.iter().filter(|(r, _)| {
                    r.number == by.numbers[*number]
                        && r.lane == *lane
                        && r.shard == *shard
                        && r.ulid > *from
                });
                Event::Page {
                    number: *number,
                    lane: *lane,
                    shard: *shard,
                    page: Ok(PageRead {
                        records: records.map(|(r, record)| seen_of(r, record)).collect(),
                        reached: None,
                    }),
                }
            }
            Effect::ReadDue { lane, behind } => {
                let shown = by.before_idle.unwrap_or(self);
                let behind = behind.as_ref().map(|b| (b.at, b.reference.clone()));
                let entries = shown.dues.iter().filter(|(key, due)| {
                    due.reference.lane == *lane
                        && key.0 <= by.now
                        && behind.as_ref().is_none_or(|b| *key > b)
                });
                Event::DueRead {
                    lane: *lane,
                    entries: Ok(entries.map(|(_, due)| due.clone()).collect()),
                }
            }
            Effect::LoadDue { lane, entries } => {
                let load = |due: &DueEntry| {
                    let record = self.records.get(&due.reference);
                    (due.clone(), record.map(|r| seen_of(&due.reference, r)))
                };
                Event::DueLoaded {
                    lane: *lane,
                    loaded: Ok(entries.iter().map(load).collect()),
                }
            }
            Effect::Claim {
                number,
                block,
                claim,
            } => Event::Claimed {
                number: *number,
                block: *block,
                written: if by.bug == Bug::ClaimNotStored || self.put_claim(&id(*number), claim) {
                    Ok(())
                } else {
                    Err(Unavailable)
                },
            },
            Effect::Judge {
                number,
                block,
                tickets,
            } => Event::Judged {
                number: *number,
                block: *block,
                judgements: Ok(tickets.iter().map(|t| self.judge(t)).collect()),
            },
            Effect::Flush { number, block, .. } => Event::Flushed {
                number: *number,
                block: *block,
                written: Ok(()),
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
                written: Ok(()),
            },
            Effect::Send { .. } => unreachable!("Meta answers, not a table"),
            Effect::Settle {
                number,
                block,
                ticket,
                verdict,
            } => {
                if self.settle(ticket, *verdict, stage, by) {
                    return MORE;
                }
                Event::Settled {
                    number: *number,
                    block: *block,
                    reference: ticket.reference.clone(),
                    written: Ok(()),
                }
            }
            Effect::Requeue { seen, due } => {
                let reference = &seen.ticket.reference;
                let record = self.records.get_mut(reference).filter(|r| {
                    r.state == State::Ambiguous
                        || (r.state == State::Queued && r.attempt == due.attempt)
                });
                let seen = record.map(|record| {
                    record.state = State::Queued;
                    record.attempt = due.attempt;
                    seen_of(reference, record)
                });
                Event::Requeued {
                    due: due.clone(),
                    seen: Ok(seen),
                }
            }
            Effect::Tell { ticket, due } => {
                if stage == 0 {
                    self.tell(&ticket.reference);
                    if due.is_some() {
                        return MORE;
                    }
                }
                self.drop_due(due.as_ref());
                Event::Tidied
            }
            Effect::DropDue { due } => {
                self.drop_due(Some(due));
                Event::Tidied
            }
            Effect::KeepClaim { number, claim } => {
                self.put_claim(&id(*number), claim);
                Event::Tidied
            }
            Effect::PutCursors {
                number,
                epoch,
                cursors,
            } => {
                let stored = self.cursors.get(by.numbers[*number]);
                if stored.is_none_or(|(e, _)| e <= epoch) {
                    self.cursors.insert(id(*number), (*epoch, cursors.clone()));
                }
                Event::Tidied
            }
        })
    }

    fn take(&mut self, seen: Option<&LeaseView>, by: &Caller<'_>) -> bool {
        let may = match (&self.lease, seen) {
            (None, None) => true,
            (Some(item), Some(seen)) => {
                item.view.epoch == seen.epoch
                    && (item.view.heartbeat == seen.heartbeat || item.view.phase == Phase::Free)
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        let epoch = seen.map_or(1, |s| s.epoch + 1);
        if may {
            self.lease = Some(LeaseItem {
                view: LeaseView {
                    epoch,
                    heartbeat: 0,
                    phase: Phase::Run,
                },
                holder: by.holder,
                at: by.now,
            });
        }
        // A repeated call recognises its own write.
        self.lease
            .as_ref()
            .is_some_and(|l| l.holder == by.holder && l.view.epoch == epoch)
    }

    fn renew(&mut self, epoch: u64, phase: Phase, now: Timestamp) -> bool {
        let Some(lease) = &mut self.lease else {
            return false;
        };
        if lease.view.epoch != epoch || lease.view.phase == Phase::Free {
            return false;
        }
        lease.view.phase = phase;
        lease.view.heartbeat += 1;
        lease.at = now;
        true
    }

    /// Whether intake wakes somebody.
    pub(crate) fn needs_wake(&self, now: Timestamp) -> bool {
        self.lease.as_ref().is_none_or(|l| match l.view.phase {
            Phase::Free | Phase::Idle => true,
            Phase::Run => now.millis_since(l.at) >= 3_000,
        })
    }

    fn open(&self, number: &str, after: u64, open: &[u16]) -> Opened {
        let claims = self.claims.iter().filter(|((n, slot), claim)| {
            n == number && (claim.epoch > after || open.contains(slot))
        });
        let cursors = self.cursors.get(number).map(|(_, c)| c.clone());
        Opened {
            claims: claims.map(|(_, claim)| claim.clone()).collect(),
            cursors: cursors.unwrap_or_default(),
            pairs: Vec::new(),
        }
    }

    fn put_claim(&mut self, number: &str, claim: &Claim) -> bool {
        let key = (number.to_owned(), claim.slot);
        let may = self.claims.get(&key).is_none_or(|stored| {
            stored.epoch < claim.epoch
                || (stored.epoch == claim.epoch && stored.block <= claim.block)
        });
        if may {
            self.claims.insert(key, claim.clone());
        }
        may
    }

    fn judge(&self, ticket: &Ticket) -> Judgement {
        match self.records.get(&ticket.reference).map(|r| r.state) {
            None => Judgement::Refused { reason: "erased" },
            Some(State::Queued | State::Scheduled) => Judgement::Permitted {
                counts: false,
                counted_in: None,
            },
            Some(_) => Judgement::Moved,
        }
    }
}

fn in_force(number: &str, per_second: u32) -> InForce {
    InForce {
        number: number.to_owned(),
        per_second,
        guard_permille: None,
        share_permille: 1_000,
        inbound_total: 0,
    }
}

fn seen_of(reference: &RecordRef, record: &Record) -> Seen {
    Seen {
        ticket: Ticket {
            reference: reference.clone(),
            attempt: record.attempt,
            campaign: None,
            recipient: record.recipient.clone(),
            expires_at: record.expires_at,
            due: None,
        },
        state: record.state,
    }
}
