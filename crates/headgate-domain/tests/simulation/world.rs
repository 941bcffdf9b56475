//! The world around the shipped holder: clocks, network, queue, Meta, and the loop that drives it.
//!
//! Drives [`Holder`] as the sender's loop does, in virtual time. Decides nothing of the protocol.

use std::collections::HashMap;

use headgate_domain::holder::{
    Answer, Controls, Effect, Event, Holdback, Holder, InForce, Judgement, Now, NumberSettings,
    PageRead, Settings, Taken, Ticket, Tuning, Verdict,
};
use headgate_domain::holder::{DueEntry, DueKind};
use headgate_domain::lane::Purpose;
use headgate_domain::record::{State, shard};
use headgate_domain::time::Timestamp;

use crate::chance::{Agenda, Chance, MS, Ns, SECOND, Spread, mixed};
use crate::meta::Meta;
use crate::outbox::{NUMBER, Outbox, random_ulid};
use crate::tables::Tables;

const BEGIN: Timestamp = Timestamp::from_seconds(1_795_000_000);
/// Calendar clocks are off by up to this much, in milliseconds.
const SKEW_MS: i64 = 50;
/// Monotonic clocks run too fast or too slow by up to this many billionths.
const DRIFT_PPB: i64 = 50_000;
const TIMER_LATE: Ns = 1_200_000;
const NETWORK: Ns = 15 * MS;
const LOOK_BACK_PAGES: u64 = 50;
/// A message as it is stored, about.
const RECORD_BYTES: usize = 1_024;

/// What is simulated.
#[derive(Clone)]
pub(crate) struct Case {
    /// How the table calls it.
    pub(crate) what: &'static str,
    pub(crate) per_second: u32,
    /// Codes per second.
    pub(crate) codes: f64,
    /// Not measured.
    pub(crate) warm_up: Ns,
    pub(crate) measured: Ns,
    pub(crate) seed: u64,
    pub(crate) tuning: Tuning,
    /// How much of the limit is used, in thousandths; the default of the limit without.
    pub(crate) guard_permille: Option<u16>,
    /// Meta counts what it refused against the limit.
    pub(crate) counts_refused: bool,
    /// Connections stand before the lease is taken.
    pub(crate) stands_by_connected: bool,
    /// How the records of inherited claims are looked for.
    pub(crate) finds: Finds,
}

/// How many records are looked for at once.
#[derive(Clone, Copy)]
pub(crate) enum Finds {
    /// Of all claims.
    Together(usize),
    /// Of one claim after the other.
    ByClaim(usize),
}

/// What codes waited, to the first byte of each.
#[derive(Default)]
pub(crate) struct Codes {
    /// From the moment the write into the outbox was begun.
    pub(crate) outbox: Vec<Ns>,
    /// From the moment its queue handed it to intake.
    pub(crate) queue: Vec<Ns>,
    /// From the call of the app: with what SQS and Lambda take to hand it over.
    pub(crate) app: Vec<Ns>,
}

/// A code on its way, and when it got how far.
#[derive(Clone, Copy)]
struct OnItsWay {
    called: Ns,
    handed: Ns,
    begun: Ns,
}

/// What was seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) sends: Vec<Ns>,
    pub(crate) arrivals: Vec<Ns>,
    /// Measured: taken and refused by Meta.
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// What codes waited for their first byte.
    pub(crate) codes: Codes,
    pub(crate) terms: u64,
    pub(crate) twice: u64,
    pub(crate) blocks_judged: Vec<usize>,
    /// The longest pauses between two sends at hand-overs.
    pub(crate) gaps: Vec<Ns>,
    pub(crate) lost: u64,
    pub(crate) steps: u64,
}

enum What {
    Wake {
        successor: bool,
    },
    Tick {
        who: usize,
        turn: u64,
    },
    Do {
        who: usize,
        effect: Effect,
        ends: Ns,
    },
    Done {
        who: usize,
        event: Event,
    },
    Arrive {
        who: usize,
        number: usize,
        block: u64,
        ticket: Ticket,
    },
    Code,
    CodeWritten(OnItsWay),
    CodeLooks,
    Count,
}

struct Process {
    holder: Holder,
    clock_at_zero: u64,
    ppb: i64,
    skew_ms: i64,
    tick: (Ns, u64),
}

impl Process {
    fn now(&self, at: Ns) -> Now {
        let drift = i128::from(at) * i128::from(self.ppb) / 1_000_000_000;
        Now {
            mono: u64::try_from(i128::from(self.clock_at_zero) + i128::from(at) + drift).unwrap(),
            wall: wall(at).plus_millis(self.skew_ms),
        }
    }

    /// How long something takes that takes `ns` on this clock.
    fn takes(&self, ns: u64) -> Ns {
        let drift = i128::from(ns) * i128::from(self.ppb) / 1_000_000_000;
        u64::try_from(i128::from(ns) - drift).unwrap_or(Ns::MAX / 4)
    }
}

pub(crate) struct World {
    case: Case,
    chance: Chance,
    agenda: Agenda<What>,
    processes: Vec<Process>,
    outbox: Outbox,
    tables: Tables,
    meta: Meta,
    waits: HashMap<String, OnItsWay>,
    taken: HashMap<String, u64>,
    codes: u64,
    seen: Seen,
}

/// Runs a case; returns what was seen, and the tables with the bill of the measured span.
pub(crate) fn run(case: &Case) -> (Seen, Tables) {
    let mut world = World {
        chance: Chance::new(case.seed),
        agenda: Agenda::new(),
        processes: Vec::new(),
        outbox: Outbox::new(BEGIN),
        tables: Tables::default(),
        meta: Meta::new(case.per_second, case.counts_refused),
        waits: HashMap::new(),
        taken: HashMap::new(),
        codes: 0,
        seen: Seen::default(),
        case: case.clone(),
    };
    world.agenda.at(0, What::Wake { successor: false });
    world.agenda.at(case.warm_up, What::Count);
    let first = world.chance.gap(case.codes);
    world.agenda.at(first, What::Code);
    let end = case.warm_up + case.measured;
    while let Some((now, what)) = world.agenda.next() {
        if now >= end {
            break;
        }
        world.happens(now, what);
    }
    world.seen.twice = world.taken.values().filter(|n| **n > 1).count() as u64;
    (world.seen, world.tables)
}

fn wall(at: Ns) -> Timestamp {
    BEGIN.plus_millis(i64::try_from(at / MS).unwrap())
}

impl World {
    fn happens(&mut self, now: Ns, what: What) {
        match what {
            What::Wake { successor } => self.wake(now, successor),
            What::Tick { who, turn } => {
                if self.processes[who].tick.1 == turn {
                    self.processes[who].tick.0 = 0;
                    self.step(now, who, Event::Tick);
                }
            }
            What::Do { who, effect, ends } => {
                if let Some((event, later)) = self.perform(now, who, effect) {
                    self.agenda.at(ends + later, What::Done { who, event });
                }
            }
            What::Done { who, event } => self.step(now, who, event),
            What::Arrive {
                who,
                number,
                block,
                ticket,
            } => self.arrive(now, who, number, block, ticket),
            What::Code => {
                let next = self.chance.gap(self.case.codes);
                self.agenda.at(now + next, What::Code);
                let handed = now + self.chance.draw(Spread::ms(16, 105));
                // Identifier, person, suppression; then the idempotency item and the ceiling. The outbox
                // item comes last.
                let rounds: Ns = (0..5).map(|_| self.dynamodb()).sum();
                let begun = handed + rounds;
                let done = begun + self.dynamodb();
                let way = OnItsWay {
                    called: now,
                    handed,
                    begun,
                };
                self.agenda.at(done, What::CodeWritten(way));
            }
            What::CodeWritten(way) => {
                self.codes += 1;
                let written = wall(way.begun).plus_millis(self.chance.around(SKEW_MS));
                let ulid = random_ulid(written, mixed(self.codes) ^ self.case.seed);
                let random = self.chance.next().to_le_bytes()[0];
                let lane = Purpose::Authentication;
                let shard = shard(lane, self.case.per_second, None, random);
                self.waits.insert(ulid.clone(), way);
                self.outbox.put_code(shard, ulid);
                let looks = now + self.dynamodb() / 2;
                self.agenda.at(looks, What::CodeLooks);
            }
            What::CodeLooks => {
                let clock = wall(now).plus_millis(self.chance.around(SKEW_MS));
                if self.tables.needs_wake(clock) {
                    let arrives = now + self.wake_takes();
                    self.agenda.at(arrives, What::Wake { successor: false });
                }
            }
            What::Count => self.tables.bill = crate::tables::Bill::default(),
        }
    }

    fn dynamodb(&mut self) -> Ns {
        self.chance.draw(Spread::ms(4, 15))
    }

    /// Queue, then a warm function.
    fn wake_takes(&mut self) -> Ns {
        self.chance.draw(Spread::ms(8, 30)) + self.chance.draw(Spread::ms(16, 105))
    }

    fn one_way(&mut self) -> Ns {
        NETWORK + self.chance.draw(Spread::ms(1, 10))
    }

    fn wake(&mut self, now: Ns, successor: bool) {
        let settings = Settings {
            numbers: vec![NumberSettings {
                id: NUMBER.to_owned(),
                per_second: self.case.per_second,
                guard_permille: self.case.guard_permille,
            }],
            successor,
            tuning: self.case.tuning.clone(),
        };
        let clock_at_zero = 10 * SECOND + self.chance.up_to(100_000 * SECOND);
        let (ppb, skew_ms) = (self.chance.around(DRIFT_PPB), self.chance.around(SKEW_MS));
        let mut process = Process {
            holder: Holder::new(
                settings.clone(),
                Now {
                    mono: 0,
                    wall: BEGIN,
                },
            ),
            clock_at_zero,
            ppb,
            skew_ms,
            tick: (0, 0),
        };
        process.holder = Holder::new(settings, process.now(now));
        self.processes.push(process);
        self.step(now, self.processes.len() - 1, Event::Tick);
    }

    /// One turn of the sender's loop.
    fn step(&mut self, now: Ns, who: usize, event: Event) {
        self.seen.steps += 1;
        let clock = self.processes[who].now(now);
        let had = self.processes[who].holder.epoch();
        for effect in self.processes[who].holder.step(clock, event) {
            self.begin(now, who, effect);
        }
        let process = &mut self.processes[who];
        if had.is_none() && process.holder.epoch().is_some() {
            self.seen.terms += 1;
        }
        if process.holder.is_over() {
            process.tick.1 += 1;
            return;
        }
        let rest = process
            .holder
            .wake_at(clock.mono)
            .saturating_sub(clock.mono);
        let at = now.saturating_add(process.takes(rest));
        // The same instant needs no other timer; a rounding is no other instant.
        if process.tick.0 == 0 || process.tick.0.abs_diff(at) > 1_000 {
            process.tick = (at, process.tick.1 + 1);
            let turn = process.tick.1;
            let late = self.chance.up_to(TIMER_LATE);
            self.agenda
                .at(at.saturating_add(late), What::Tick { who, turn });
        }
    }

    /// An effect begins: says when the far end sees it, and when its answer is back.
    fn begin(&mut self, now: Ns, who: usize, effect: Effect) {
        if let Effect::Send {
            number,
            block,
            ticket,
        } = effect
        {
            self.note_send(now, &ticket);
            let arrives = now + self.one_way();
            self.agenda.at(
                arrives,
                What::Arrive {
                    who,
                    number,
                    block,
                    ticket,
                },
            );
            return;
        }
        let (one, two) = (self.dynamodb(), self.dynamodb());
        let (there, back) = match &effect {
            // What is left, then the lease.
            Effect::Renew { left: Some(_), .. } => (one + two / 2, one + two),
            Effect::Wake { .. } => {
                let queue = self.chance.draw(Spread::ms(8, 30));
                (queue, queue)
            }
            // Claims, cursors and debts at once, beside the connection: three round trips.
            Effect::Open { .. } => {
                let tables = one.max(two).max(self.dynamodb());
                let mut connect = 0;
                if !self.case.stands_by_connected {
                    connect = (0..6).map(|_| self.one_way()).sum();
                }
                (one / 2, tables.max(connect))
            }
            // Records, people and keys at once; then suppressions.
            Effect::Judge { .. } => {
                let all = one.max(two).max(self.dynamodb());
                (all / 2, all + self.dynamodb())
            }
            // The lease, and what was left.
            Effect::TakeLease { .. } => (one / 2, one.max(two)),
            // The record, then the event for the app.
            Effect::Settle { .. } => (one / 2, one + two),
            Effect::ReadLease
            | Effect::Renew { left: None, .. }
            | Effect::ReadNextDue
            | Effect::ReadControls
            | Effect::ReadBudget
            | Effect::DropBuckets { .. }
            | Effect::ReadPage { .. }
            | Effect::ReadDue { .. }
            | Effect::LoadDue { .. }
            | Effect::Claim { .. }
            | Effect::Flush { .. }
            | Effect::NotePair { .. }
            | Effect::Send { .. }
            | Effect::Requeue { .. }
            | Effect::Tell { .. }
            | Effect::DropDue { .. }
            | Effect::KeepClaim { .. }
            | Effect::Note { .. }
            | Effect::PutCursors { .. } => (one / 2, one),
        };
        let ends = now + back;
        self.agenda.at(now + there, What::Do { who, effect, ends });
    }

    fn note_send(&mut self, now: Ns, ticket: &Ticket) {
        let ulid = &ticket.reference.ulid;
        let measured = now >= self.case.warm_up;
        if let Some(way) = self.waits.remove(ulid)
            && way.called >= self.case.warm_up
        {
            let codes = &mut self.seen.codes;
            codes.outbox.push(now - way.begun);
            codes.queue.push(now - way.handed);
            codes.app.push(now - way.called);
        }
        if let Some(last) = self.seen.sends.last()
            && measured
            && now - last > 50 * MS
        {
            self.seen.gaps.push(now - last);
        }
        self.seen.sends.push(now);
    }

    fn arrive(&mut self, now: Ns, who: usize, number: usize, block: u64, ticket: Ticket) {
        self.seen.arrivals.push(now);
        let measured = now >= self.case.warm_up;
        let taken = self.meta.takes(now);
        let (answer, delay) = if taken {
            let ulid = ticket.reference.ulid.clone();
            *self.taken.entry(ulid).or_default() += 1;
            self.seen.accepted += u64::from(measured);
            (
                Answer::Accepted { held: false },
                self.chance.draw(Spread::ms(120, 800)),
            )
        } else {
            self.seen.refused += u64::from(measured);
            (
                Answer::NotAccepted(Holdback::Throttled),
                self.chance.draw(Spread::ms(40, 150)),
            )
        };
        let event = Event::Answered {
            number,
            block,
            ticket,
            answer,
        };
        self.agenda.at(now + delay, What::Done { who, event });
    }

    /// What the far end does, and how much longer than foreseen it takes.
    #[expect(clippy::too_many_lines, reason = "a line or two per effect")]
    fn perform(&mut self, now: Ns, who: usize, effect: Effect) -> Option<(Event, Ns)> {
        let clock = self.processes[who].now(now).wall;
        let tables = &mut self.tables;
        let event = match effect {
            Effect::ReadLease => {
                tables.bill.read(0);
                Event::LeaseRead(Ok(tables.lease.clone()))
            }
            Effect::TakeLease { seen } => {
                let epoch = tables.take(seen.as_ref(), clock);
                tables.bill.read(4_096);
                Event::LeaseTaken(Ok(epoch.map(|epoch| Taken {
                    epoch,
                    legacy: tables.legacy.clone(),
                })))
            }
            Effect::Renew { epoch, phase, left } => {
                if let Some(left) = left {
                    tables.leave(left);
                }
                Event::Renewed(Ok(tables.renew(epoch, phase, clock)))
            }
            Effect::Wake { after_s, successor } => {
                let at = now + u64::from(after_s) * SECOND + self.wake_takes();
                self.agenda.at(at, What::Wake { successor });
                Event::Tidied
            }
            Effect::ReadNextDue => {
                tables.bill.read(0);
                let next = tables.dues.values().map(|d| d.at).min();
                Event::NextDueRead(Ok(next))
            }
            Effect::ReadControls => {
                tables.bill.read(RECORD_BYTES);
                Event::ControlsRead(Ok(Controls {
                    numbers: vec![InForce {
                        number: NUMBER.to_owned(),
                        per_second: self.case.per_second,
                        guard_permille: self.case.guard_permille,
                        share_permille: 1_000,
                        inbound_total: 0,
                    }],
                    daily_limit: None,
                }))
            }
            Effect::ReadBudget => Event::BudgetRead(Ok(Vec::new())),
            Effect::DropBuckets { .. } | Effect::Note { .. } => Event::Tidied,
            Effect::Open {
                number,
                after,
                open,
            } => {
                let (opened, looked) = tables.open(after, &open, &self.outbox);
                // So many records at once: the slowest of them says how long.
                let finds = self.case.finds;
                let looked = match finds {
                    Finds::Together(_) => vec![looked.iter().sum()],
                    Finds::ByClaim(_) => looked,
                };
                let (Finds::Together(at_once) | Finds::ByClaim(at_once)) = finds;
                let mut later = 0;
                for mut records in looked {
                    while records > 0 {
                        let some = records.min(at_once);
                        later += (0..some).map(|_| self.dynamodb()).max().unwrap_or(0);
                        records -= some;
                    }
                }
                let opened = Ok(opened);
                return Some((Event::Opened { number, opened }, later));
            }
            Effect::ReadPage {
                number,
                lane,
                shard,
                mut from,
                front,
            } => {
                let (mut records, mut later) = (Vec::new(), 0);
                let mut reached = Some(front.clone());
                for round in 0..LOOK_BACK_PAGES {
                    if round > 0 {
                        later += self.dynamodb();
                    }
                    let (page, next) = self.outbox.page(lane, shard, &from);
                    self.tables.bill.read(page.len() * RECORD_BYTES);
                    records.extend(page);
                    match next {
                        Some(next) if next < front => from = next,
                        other => {
                            reached = other;
                            break;
                        }
                    }
                }
                let page = Ok(PageRead { records, reached });
                let event = Event::Page {
                    number,
                    lane,
                    shard,
                    page,
                };
                return Some((event, later));
            }
            Effect::ReadDue { lane, behind } => Event::DueRead {
                lane,
                entries: Ok(tables.due(lane, clock, behind.as_ref())),
            },
            Effect::LoadDue { lane, entries } => {
                let load = |due: DueEntry| {
                    let seen = self.outbox.load(&due.reference);
                    (due, seen)
                };
                Event::DueLoaded {
                    lane,
                    loaded: Ok(entries.into_iter().map(load).collect()),
                }
            }
            Effect::Claim {
                number,
                block,
                claim,
            } => {
                assert!(
                    claim.references.len() <= self.case.tuning.large_block,
                    "a claim has a bound"
                );
                let written = tables.claim(&claim);
                assert!(written, "a claim never meets a newer one");
                Event::Claimed {
                    number,
                    block,
                    written: Ok(()),
                }
            }
            Effect::Judge {
                number,
                block,
                tickets,
            } => {
                self.seen.blocks_judged.push(tickets.len());
                let judge = |ticket: &Ticket| match self.outbox.load(&ticket.reference) {
                    Some(seen) if seen.state == State::Queued => Judgement::Permitted {
                        counts: false,
                        counted_in: None,
                    },
                    Some(_) | None => Judgement::Moved,
                };
                Event::Judged {
                    number,
                    block,
                    judgements: Ok(tickets.iter().map(judge).collect()),
                }
            }
            Effect::Flush { number, block, .. } => Event::Flushed {
                number,
                block,
                written: Ok(()),
            },
            Effect::NotePair {
                number,
                block,
                reference,
                ..
            } => {
                tables.bill.pairs += 1;
                Event::PairNoted {
                    number,
                    block,
                    reference,
                    written: Ok(()),
                }
            }
            Effect::Send { .. } => return None,
            Effect::Settle {
                number,
                block,
                ticket,
                verdict,
            } => {
                self.settle(&ticket, verdict);
                Event::Settled {
                    number,
                    block,
                    reference: ticket.reference,
                    written: Ok(()),
                }
            }
            Effect::Requeue { seen, due } => {
                let reference = &seen.ticket.reference;
                self.outbox.note(reference, State::Queued, due.attempt);
                let seen = Ok(self.outbox.load(reference));
                Event::Requeued { due, seen }
            }
            Effect::Tell { due, .. } => {
                if let Some(due) = due {
                    tables.drop_due(&due);
                }
                Event::Tidied
            }
            Effect::DropDue { due } => {
                tables.drop_due(&due);
                Event::Tidied
            }
            Effect::KeepClaim { claim, .. } => {
                tables.claim(&claim);
                Event::Tidied
            }
            Effect::PutCursors { epoch, cursors, .. } => {
                tables.put_cursors(epoch, cursors);
                Event::Tidied
            }
        };
        Some((event, 0))
    }

    fn settle(&mut self, ticket: &Ticket, verdict: Verdict) {
        let (reference, attempt) = (&ticket.reference, ticket.attempt);
        let due = |at, kind| DueEntry {
            at,
            reference: reference.clone(),
            kind,
            attempt,
        };
        let state = match verdict {
            Verdict::Accepted { .. } | Verdict::Done => State::Accepted,
            Verdict::Failed => State::Failed,
            Verdict::Cancelled { .. } => State::Cancelled,
            Verdict::Unknown => State::Unknown,
            Verdict::Park { at } => {
                self.tables.put_due(due(at, DueKind::Retry));
                State::Queued
            }
            Verdict::Ambiguous { at, .. } => {
                self.tables.put_due(due(at, DueKind::Ambiguous));
                State::Ambiguous
            }
            Verdict::Lost { at } => {
                let stands = self.outbox.load(reference);
                let lost =
                    stands.is_some_and(|s| s.state == State::Queued && s.ticket.attempt < attempt);
                if !lost {
                    return;
                }
                self.seen.lost += 1;
                self.tables.put_due(due(at, DueKind::Ambiguous));
                State::Ambiguous
            }
        };
        self.outbox.note(reference, state, attempt);
        if let Some(due) = &ticket.due {
            self.tables.drop_due(due);
        }
    }
}
