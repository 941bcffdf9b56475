//! One number, one or two messages in one lane, and every process that may touch them.
//!
//! A [`World`] is a state of the search, [`World::next`] every state that may follow it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use headgate_domain::holder::{Answer, Effect, Event, Holdback, Holder, Now, Phase, Settings};
use headgate_domain::record::{State, ambiguity_timer_ms, may_resend};
use headgate_domain::time::{HOUR, Timestamp};

#[path = "moves.rs"]
mod moves;

pub(crate) use moves::Name;

use crate::bounds::{BEGIN, Bounds, MS_NS, NUMBERS, SECOND_NS, settings};
use crate::search::Mix;
use crate::tables::{Bug, Caller, Job, Record, Tables};
use crate::unavailable::unavailable;

/// A claimed message reaches the wire within this.
const SEND_BY_MS: u64 = 2_000;
/// What is noted of one that does not.
pub(crate) const STALE: &str = "left on a judgement that is too old";
/// Of so many blocks it is kept when they were claimed: as many as there are slots for claims.
const MOST_BLOCKS: usize = 256;
/// No run of the bounded world is longer: more is a mistake in the model.
const LONGEST_S: u64 = 7_200;

/// A process with a holder in it.
#[derive(Clone, Hash)]
struct Process {
    holder: Holder,
    id: u64,
    jobs: Vec<Job>,
    /// Until when it is paused at the longest.
    paused: Option<u32>,
    /// When it wants to be called again.
    wake_at: u32,
    successor: bool,
    before_idle: Option<Tables>,
    /// Its latest blocks, and when their claims were begun.
    claims: Vec<(u64, u32)>,
}

/// A process, and the hash of it: most of a state does not change in a step.
#[derive(Clone)]
struct Slot(Arc<Process>, u128);

impl Slot {
    fn new(process: Process) -> Self {
        let mut mix = Mix::default();
        process.hash(&mut mix);
        Self(Arc::new(process), mix.both())
    }
}

impl Hash for Slot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.1.hash(state);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Intake {
    Begin,
    Read { wakes: bool },
    Written,
    Decided { wakes: bool },
    Over,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Notification {
    message: usize,
    /// The first arrival is before.
    before: u32,
    arrivals: u8,
}

/// A state.
#[derive(Clone, Hash)]
pub(crate) struct World {
    t: u32,
    tables: Tables,
    slots: [Option<Slot>; 2],
    intakes: Vec<Intake>,
    notifications: Vec<Notification>,
    accepted: Vec<u8>,
    /// Attempts that were sent and not refused, a bit each.
    on_wire: Vec<u32>,
    /// When something left, by number, if that is counted.
    sent: [Vec<u32>; 2],
    crashes: u16,
    pauses: u16,
    troubles: u16,
    errors: u16,
    wakes: u16,
    started: u64,
    wrong: Option<&'static str>,
}

/// What a process's own clock shows at the beginning of the run.
const fn clock_begins(id: u64) -> u64 {
    (10 + 3 * id) * SECOND_NS
}

/// How Meta may take a request.
#[derive(Clone, Copy)]
enum Meta {
    Accepts,
    AnswerLost,
    RequestLost,
    Throttles,
    PairLimit,
}

impl World {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let messages = bounds.messages.len();
        Self {
            t: 0,
            tables: Tables::default(),
            slots: [None, None],
            intakes: vec![Intake::Begin; messages],
            notifications: Vec::new(),
            accepted: vec![0; messages],
            on_wire: vec![0; messages],
            sent: [Vec::new(), Vec::new()],
            crashes: bounds.crashes,
            pauses: bounds.pauses,
            troubles: bounds.troubles,
            errors: bounds.errors,
            wakes: bounds.wakes,
            started: 0,
            wrong: None,
        }
    }

    pub(crate) fn fingerprint(&self) -> u128 {
        let mut mix = Mix::default();
        self.hash(&mut mix);
        mix.both()
    }

    fn wall(&self, bounds: &Bounds) -> Timestamp {
        BEGIN.plus_millis(i64::from(self.t) * i64::from(bounds.step_ms))
    }

    /// The clocks of processes start anywhere; only durations matter to them.
    fn now(&self, id: u64, bounds: &Bounds) -> Now {
        let step = u64::from(bounds.step_ms) * MS_NS;
        Now {
            mono: clock_begins(id) + u64::from(self.t) * step,
            wall: self.wall(bounds),
        }
    }

    fn process(&self, slot: usize) -> Option<&Process> {
        self.slots[slot].as_ref().map(|s| &*s.0)
    }

    fn change(
        &mut self,
        slot: usize,
        bounds: &Bounds,
        change: impl FnOnce(&mut Self, &mut Process),
    ) {
        let mut process = (*self.slots[slot].take().unwrap().0).clone();
        change(self, &mut process);
        if process.holder.is_over() && process.jobs.is_empty() && process.paused.is_none() {
            if process.holder.has_failed() {
                self.tables.wake(self.wall(bounds), process.successor);
            }
        } else {
            self.slots[slot] = Some(Slot::new(process));
        }
        self.look(bounds);
    }

    /// What must never be, and is.
    pub(crate) fn wrong(&self) -> Option<&'static str> {
        self.wrong
    }

    fn note(&mut self, what: &'static str, bounds: &Bounds) {
        if bounds.only.is_none_or(|only| only == what) {
            self.wrong = self.wrong.or(Some(what));
        }
    }

    /// Looks for what must never be.
    fn look(&mut self, bounds: &Bounds) {
        let sends = |slot: usize| {
            self.process(slot)
                .is_some_and(|p| p.holder.sends(self.now(p.id, bounds).mono))
        };
        if sends(0) && sends(1) {
            self.note("two holders may send", bounds);
        }
        let mut accepted = self.accepted.iter().zip(&bounds.messages);
        // What is sent again for want of a notification that comes too late is the policy's choice.
        let twice = accepted.any(|(n, m)| *n > 1 && (bounds.in_time || !may_resend(m.lane)));
        if twice {
            self.note("sent twice", bounds);
        }
        if self.is_asleep()
            && let Some(what) = self.what_is_lost(bounds)
        {
            self.note(what, bounds);
        }
        let ms = u64::from(self.t) * u64::from(bounds.step_ms);
        assert!(ms < LONGEST_S * 1_000, "the bounded world does not end");
    }

    /// Nobody is at work, and nobody will be woken.
    fn is_asleep(&self) -> bool {
        self.slots.iter().all(Option::is_none)
            && self.tables.wakes.is_empty()
            && self.intakes.iter().all(|i| *i == Intake::Over)
    }

    fn what_is_lost(&self, bounds: &Bounds) -> Option<&'static str> {
        let mut records = bounds.messages.iter().enumerate();
        records.find_map(|(message, reference)| {
            let Some(record) = self.tables.records.get(reference) else {
                return Some("a message that is not stored");
            };
            let is_told = !self.notifications.iter().any(|n| n.message == message);
            match record.state {
                State::Queued | State::Scheduled => Some("a message waits and nobody is woken"),
                State::Ambiguous => Some("a timer runs and nobody is woken"),
                State::Unknown if !record.told => Some("given up, and the app not told"),
                State::Unknown if self.accepted[message] > 0 && is_told => {
                    Some("accepted and notified, and given up")
                }
                State::Unknown => None,
                State::Accepted | State::Sent if self.accepted[message] > 0 => None,
                _ => Some("in a state it was never brought to"),
            }
        })
    }

    /// Steps a holder, and answers at once what nobody else can have a part in.
    fn step(&mut self, process: &mut Process, event: Event, bounds: &Bounds) {
        let now = self.now(process.id, bounds);
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for effect in process.holder.step(now, event) {
                if let Effect::Renew { phase, .. } = &effect {
                    let is_idle = bounds.bug == Bug::LookBeforeIdle && *phase == Phase::Idle;
                    if is_idle || *phase == Phase::Run {
                        process.before_idle = is_idle.then(|| self.tables.clone());
                    }
                }
                self.look_at_deadline(process, &effect, bounds);
                let mut job = Job::new(effect);
                if is_own(&job.effect, bounds) {
                    self.call(process.id, process.before_idle.as_ref(), &mut job, bounds);
                    events.extend(job.done);
                } else {
                    process.jobs.push(job);
                }
            }
        }
        let at = process.holder.wake_at(now.mono) - clock_begins(process.id);
        let step = u64::from(bounds.step_ms) * MS_NS;
        process.wake_at = u32::try_from(at.div_ceil(step)).unwrap_or(u32::MAX);
    }

    /// A message leaves on a judgement that is hardly older than its claim: an objection is heeded in time.
    fn look_at_deadline(&mut self, process: &mut Process, effect: &Effect, bounds: &Bounds) {
        match effect {
            Effect::Claim { block, .. } => {
                process.claims.push((*block, self.t));
                let old = process.claims.len().saturating_sub(MOST_BLOCKS);
                process.claims.drain(..old);
            }
            Effect::Send { block, .. } => {
                let begun = process.claims.iter().find(|(b, _)| b == block);
                let begun = begun.map(|(_, t)| *t);
                let steps = begun.map_or(u32::MAX, |begun| self.t - begun);
                if u64::from(steps) * u64::from(bounds.step_ms) > SEND_BY_MS {
                    self.note(STALE, bounds);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, id: u64, before_idle: Option<&Tables>, job: &mut Job, bounds: &Bounds) {
        let caller = Caller {
            holder: id,
            now: self.wall(bounds),
            numbers: bounds.numbers(),
            per_second: bounds.per_second,
            bug: bounds.bug,
            legacy_first: bounds.legacy_first,
            before_idle,
        };
        self.tables.call(job, &caller);
    }

    /// A holder dies. Each last call of what it asked for was made, or was not: `made` says which.
    fn crash(&mut self, slot: usize, made: u32, bounds: &Bounds) {
        let mut process = (*self.slots[slot].take().unwrap().0).clone();
        for (index, job) in process.jobs.iter_mut().enumerate() {
            if made & (1 << index) != 0 {
                self.call(process.id, process.before_idle.as_ref(), job, bounds);
            }
        }
        self.crashes -= 1;
        // The queue delivers its wake again.
        self.tables.wake(self.wall(bounds), process.successor);
        self.look(bounds);
    }

    /// Somebody is started by a wake.
    fn start(&mut self, wake: usize, bounds: &Bounds) {
        let (_, successor) = self.tables.wakes.remove(wake);
        let slot = self.slots.iter().position(Option::is_none).unwrap();
        let id = self.started;
        self.started += 1;
        let settings = Settings {
            numbers: bounds
                .numbers()
                .iter()
                .map(|id| settings(id, bounds))
                .collect(),
            successor,
            tuning: bounds.tuning.clone(),
        };
        let mut process = Process {
            holder: Holder::new(settings, self.now(id, bounds)),
            id,
            jobs: Vec::new(),
            paused: None,
            wake_at: 0,
            successor,
            before_idle: None,
            claims: Vec::new(),
        };
        self.step(&mut process, Event::Tick, bounds);
        self.slots[slot] = Some(Slot::new(process));
        self.look(bounds);
    }

    /// The next call of an effect is made; its outcome is delivered unless the process is paused.
    fn perform(&mut self, slot: usize, index: usize, bounds: &Bounds) {
        self.change(slot, bounds, |world, process| {
            let job = &mut process.jobs[index];
            if job.done.is_none() {
                world.call(process.id, process.before_idle.as_ref(), job, bounds);
            }
            if process.paused.is_none() && job.done.is_some() {
                let job = process.jobs.remove(index);
                world.step(process, job.done.unwrap(), bounds);
            }
        });
    }

    fn fail(&mut self, slot: usize, index: usize, made: bool, bounds: &Bounds) {
        self.errors -= 1;
        self.change(slot, bounds, |world, process| {
            let mut job = process.jobs.remove(index);
            if made {
                world.call(process.id, process.before_idle.as_ref(), &mut job, bounds);
            }
            world.step(process, unavailable(&job.effect), bounds);
        });
    }

    fn answer(&mut self, slot: usize, index: usize, meta: Meta, bounds: &Bounds) {
        let t = self.t;
        if !matches!(meta, Meta::Accepts) {
            self.troubles -= 1;
        }
        self.change(slot, bounds, |world, process| {
            let job = &mut process.jobs[index];
            let Effect::Send {
                number,
                block,
                ticket,
            } = &job.effect
            else {
                unreachable!("only sends reach Meta");
            };
            let message = (0..world.accepted.len())
                .find(|m| bounds.messages[*m] == ticket.reference)
                .unwrap();
            let bit = 1 << ticket.attempt;
            if world.on_wire[message] & bit != 0 {
                world.note("one attempt was sent twice", bounds);
            }
            if bounds.counts {
                world.count(*number, bounds);
            }
            if matches!(meta, Meta::Accepts | Meta::AnswerLost | Meta::RequestLost) {
                world.on_wire[message] |= bit;
            }
            if matches!(meta, Meta::Accepts | Meta::AnswerLost) {
                world.accepted[message] += 1;
                let timer = u32::try_from(ambiguity_timer_ms(ticket.reference.lane)).unwrap()
                    / bounds.step_ms;
                world.notifications.push(Notification {
                    message,
                    before: if bounds.in_time { t + timer } else { u32::MAX },
                    arrivals: bounds.arrivals,
                });
            }
            let answer = match meta {
                Meta::Accepts => Answer::Accepted { held: false },
                Meta::AnswerLost | Meta::RequestLost => Answer::Ambiguous {
                    why: "timeout",
                    rest_ms: 0,
                },
                Meta::Throttles => Answer::NotAccepted(Holdback::Throttled),
                Meta::PairLimit => Answer::NotAccepted(Holdback::Pair),
            };
            job.done = Some(Event::Answered {
                number: *number,
                block: *block,
                ticket: ticket.clone(),
                answer,
            });
        });
    }

    /// No window of a second holds more than the limit, whoever sends.
    fn count(&mut self, number: usize, bounds: &Bounds) {
        let (now, second) = (self.t, 1_000 / bounds.step_ms);
        let sent = &mut self.sent[number];
        sent.retain(|at| now - at < second);
        sent.push(now);
        if sent.len() > usize::try_from(bounds.per_second).unwrap() {
            self.note("a second holds too many", bounds);
        }
    }

    fn notify(&mut self, index: usize, bounds: &Bounds) {
        let notification = &mut self.notifications[index];
        // What arrives again may arrive at any time.
        notification.before = u32::MAX;
        notification.arrivals -= 1;
        let message = notification.message;
        if notification.arrivals == 0 {
            self.notifications.remove(index);
        }
        self.tables
            .move_up(&bounds.messages[message], State::Sent, None);
        self.look(bounds);
    }

    fn intake(&mut self, index: usize, bounds: &Bounds) {
        let now = self.wall(bounds);
        let reads_first = bounds.bug == Bug::ReadBeforeWrite;
        self.intakes[index] = match self.intakes[index] {
            Intake::Begin if reads_first => Intake::Read {
                wakes: self.tables.needs_wake(now),
            },
            before @ (Intake::Begin | Intake::Read { .. }) => {
                let record = Record {
                    state: State::Queued,
                    attempt: 0,
                    expires_at: BEGIN.plus_millis(HOUR),
                    recipient: format!("sub_{index}"),
                    told: false,
                };
                self.tables
                    .records
                    .insert(bounds.messages[index].clone(), record);
                match before {
                    Intake::Read { wakes } => Intake::Decided { wakes },
                    _ => Intake::Written,
                }
            }
            Intake::Written => Intake::Decided {
                wakes: self.tables.needs_wake(now),
            },
            Intake::Decided { wakes } => {
                if wakes {
                    self.tables.wake(now, false);
                }
                Intake::Over
            }
            Intake::Over => Intake::Over,
        };
        if self.intakes[index] == (Intake::Decided { wakes: false }) {
            self.intakes[index] = Intake::Over;
        }
        self.look(bounds);
    }
}

/// What nobody else has a part in is answered at once, in the step that asks for it: the controls never
/// change here, and a shard or a due list of a lane without messages is empty whenever it is read.
fn is_own(effect: &Effect, bounds: &Bounds) -> bool {
    match effect {
        Effect::ReadPage {
            number,
            lane,
            shard,
            ..
        } => !bounds
            .messages
            .iter()
            .any(|m| m.number == NUMBERS[*number] && m.lane == *lane && m.shard == *shard),
        Effect::ReadDue { lane, .. } => bounds.messages.iter().all(|m| m.lane != *lane),
        Effect::ReadControls
        | Effect::ReadBudget
        | Effect::DropBuckets { .. }
        | Effect::Flush { .. }
        | Effect::Note { .. }
        | Effect::NotePair { .. } => true,
        _ => false,
    }
}
