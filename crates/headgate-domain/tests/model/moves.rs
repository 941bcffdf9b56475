//! What may happen next in a world, and how time passes in it.

use headgate_domain::holder::{Effect, Phase};

use super::{Intake, Meta, World};
use crate::bounds::{BEGIN, Bounds};

/// What happened, for a trace.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    /// When.
    pub(crate) t: u32,
    /// To whom, or to which message.
    pub(crate) who: usize,
    pub(crate) what: &'static str,
    pub(crate) of: &'static str,
}

struct Moves<'a> {
    from: &'a World,
    bounds: &'a Bounds,
    names: Vec<Name>,
    worlds: Vec<World>,
    /// Which to make; all of them, if none is named.
    pick: Option<usize>,
    /// Something happens before any time passes.
    urgent: bool,
}

impl Moves<'_> {
    fn add(
        &mut self,
        what: &'static str,
        of: &'static str,
        who: usize,
        act: impl FnOnce(&mut World),
    ) {
        if self.pick.is_none_or(|pick| pick == self.names.len()) {
            let mut world = self.from.clone();
            act(&mut world);
            self.worlds.push(world);
        }
        let t = self.from.t;
        self.names.push(Name { t, who, what, of });
    }

    fn meta(&mut self, slot: usize, job: usize) {
        let all = [
            ("Meta accepts", Meta::Accepts),
            ("Meta accepts, answer lost", Meta::AnswerLost),
            ("request lost", Meta::RequestLost),
            ("Meta throttles", Meta::Throttles),
            ("Meta's pair limit", Meta::PairLimit),
        ];
        let may = if self.from.troubles > 0 { all.len() } else { 1 };
        for (what, meta) in all.into_iter().take(may) {
            let bounds = self.bounds;
            self.add(what, "", slot, |w| w.answer(slot, job, meta, bounds));
        }
    }

    fn of_process(&mut self, slot: usize) {
        let (from, bounds) = (self.from, self.bounds);
        let Some(process) = from.process(slot) else {
            return;
        };
        let is_paused = process.paused.is_some();
        let first_read = process.jobs.iter().position(|j| is_read(&j.effect));
        for (index, job) in process.jobs.iter().enumerate() {
            let of = name(&job.effect);
            // Reads of one holder are answered in their order; writes in any, and between any two reads.
            if is_read(&job.effect) && first_read != Some(index) {
                continue;
            }
            if is_paused && job.done.is_some() {
                continue;
            }
            self.urgent |= !is_paused;
            let what = if job.done.is_some() {
                "is answered"
            } else {
                "performs"
            };
            self.add(what, of, slot, |w| w.perform(slot, index, bounds));
            // Without an answer the wake of the schedule comes; that is not modelled.
            let is_wake = matches!(job.effect, Effect::Wake { .. } | Effect::ReadNextDue);
            if from.errors > 0 && !is_paused && job.done.is_none() && !is_wake {
                self.add("fails at", of, slot, |w| w.fail(slot, index, false, bounds));
                if writes(&job.effect) {
                    self.add("does not learn of", of, slot, |w| {
                        w.fail(slot, index, true, bounds);
                    });
                }
            }
        }
        if !is_paused && process.wake_at <= from.t {
            self.urgent = true;
            self.add("looks at the clock", "", slot, |w| {
                w.change(slot, bounds, |w, p| w.step(p, super::Event::Tick, bounds));
            });
        }
        if from.crashes > 0 {
            let open: u32 = process
                .jobs
                .iter()
                .enumerate()
                .filter(|(_, j)| j.done.is_none() && writes(&j.effect))
                .map(|(i, _)| 1 << i)
                .sum();
            // Every subset of what was asked for.
            let mut made = open;
            loop {
                self.add("crashes", "", slot, |w| w.crash(slot, made, bounds));
                if made == 0 {
                    break;
                }
                made = (made - 1) & open;
            }
        }
        match process.paused {
            Some(until) => {
                self.urgent |= from.t >= until;
                self.add("goes on", "", slot, |w| {
                    w.change(slot, bounds, |_, p| p.paused = None);
                });
            }
            None if from.pauses > 0 => self.add("pauses", "", slot, |w| {
                w.pauses -= 1;
                let until = w.t + bounds.longest_pause;
                w.change(slot, bounds, |_, p| p.paused = Some(until));
            }),
            None => {}
        }
    }

    fn of_others(&mut self) {
        let (from, bounds) = (self.from, self.bounds);
        let now = from.wall(bounds);
        if from.slots.iter().any(Option::is_none) {
            let mut before = None;
            for (index, wake) in from.tables.wakes.iter().enumerate() {
                if wake.0 > now || before == Some(wake.1) {
                    continue;
                }
                before = Some(wake.1);
                self.urgent = true;
                self.add("is started", "", index, |w| w.start(index, bounds));
            }
        }
        for (index, intake) in from.intakes.iter().enumerate() {
            if *intake != Intake::Over {
                self.urgent |= from.t >= bounds.intake_until;
                self.add("intake goes on", "", index, |w| w.intake(index, bounds));
            }
        }
        for (index, notification) in from.notifications.iter().enumerate() {
            self.urgent |= from.t + 1 >= notification.before;
            let message = notification.message;
            self.add("a notification arrives", "", message, |w| {
                w.notify(index, bounds);
            });
        }
        // Only while there is something that it could disturb.
        if from.wakes > 0
            && from.t <= bounds.intake_until + 4_000 / bounds.step_ms
            && !from.is_asleep()
        {
            self.add("a wake too many", "", 0, |w| {
                w.wakes -= 1;
                w.tables.wake(now, false);
            });
        }
    }

    /// Time passes until something is due: one second, or more when nothing can happen in between.
    fn later(&mut self) {
        let (from, step_ms) = (self.from, self.bounds.step_ms);
        let has_room = from.slots.iter().any(Option::is_none);
        let mut next: Vec<u32> = Vec::new();
        for process in (0..2).filter_map(|s| from.process(s)) {
            next.push(match process.paused {
                Some(_) => from.t + 1,
                None => process.wake_at,
            });
        }
        if has_room {
            let wakes = from.tables.wakes.iter();
            next.extend(wakes.map(|(at, _)| {
                let ms = u32::try_from(at.millis_since(BEGIN)).unwrap();
                ms.div_ceil(step_ms)
            }));
        }
        if from.intakes.iter().any(|i| *i != Intake::Over) {
            next.push(from.t + 1);
        }
        let first = from.notifications.iter().map(|n| n.before);
        next.extend(first.filter(|b| *b < u32::MAX).map(|b| b - 1));
        if let Some(t) = next.into_iter().min() {
            self.add("time passes", "", 0, |w| w.t = t.max(from.t + 1));
        }
    }
}

impl World {
    /// Every state that may follow, with what leads to it. None at the end of a run.
    pub(crate) fn next(&self, bounds: &Bounds) -> Vec<(Name, Self)> {
        let moves = self.moves(bounds, None);
        moves.names.into_iter().zip(moves.worlds).collect()
    }

    /// What may happen, without doing it.
    pub(crate) fn names(&self, bounds: &Bounds) -> Vec<Name> {
        self.moves(bounds, Some(usize::MAX)).names
    }

    /// Does one of the things that may happen.
    pub(crate) fn after(&self, bounds: &Bounds, pick: usize) -> Self {
        self.moves(bounds, Some(pick)).worlds.remove(0)
    }

    fn moves<'a>(&'a self, bounds: &'a Bounds, pick: Option<usize>) -> Moves<'a> {
        let mut moves = Moves {
            from: self,
            bounds,
            names: Vec::new(),
            worlds: Vec::new(),
            pick,
            urgent: false,
        };
        // The first byte leaves in the step that says so, and what Meta makes of it can be seen by
        // nobody before an answer or a notification is: it is decided at once.
        for slot in 0..2 {
            let undecided = self.process(slot).and_then(|p| {
                let is_open =
                    |j: &super::Job| j.done.is_none() && matches!(j.effect, Effect::Send { .. });
                p.jobs.iter().position(is_open)
            });
            if let Some(job) = undecided {
                moves.meta(slot, job);
                return moves;
            }
        }
        moves.of_process(0);
        moves.of_process(1);
        moves.of_others();
        if !moves.urgent {
            moves.later();
        }
        moves
    }
}

fn is_read(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::ReadLease
            | Effect::ReadNextDue
            | Effect::Open { .. }
            | Effect::ReadPage { .. }
            | Effect::ReadDue { .. }
            | Effect::LoadDue { .. }
            | Effect::Judge { .. }
    )
}

fn writes(effect: &Effect) -> bool {
    !is_read(effect) && !matches!(effect, Effect::Send { .. })
}

fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::ReadLease => "ReadLease",
        Effect::TakeLease { .. } => "TakeLease",
        Effect::Renew { phase, .. } => match phase {
            Phase::Run => "Renew as RUN",
            Phase::Idle => "Renew as IDLE",
            Phase::Free => "Renew as FREE",
        },
        Effect::Wake { .. } => "Wake",
        Effect::ReadNextDue => "ReadNextDue",
        Effect::Open { .. } => "Open",
        Effect::ReadPage { .. } => "ReadPage",
        Effect::ReadDue { .. } => "ReadDue",
        Effect::LoadDue { .. } => "LoadDue",
        Effect::Claim { .. } => "Claim",
        Effect::Judge { .. } => "Judge",
        Effect::Send { .. } => "Send",
        Effect::Settle { .. } => "Settle",
        Effect::Requeue { .. } => "Requeue",
        Effect::Tell { .. } => "Tell",
        Effect::DropDue { .. } => "DropDue",
        Effect::KeepClaim { .. } => "KeepClaim",
        Effect::PutCursors { .. } => "PutCursors",
        _ => "its own reading",
    }
}
