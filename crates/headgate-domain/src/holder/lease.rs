//! The lease: taken without synchronised clocks, renewed each second, fenced by oneself.
//!
//! It is taken over only when (epoch, heartbeat) stood still for three seconds on *our* clock, or its
//! holder gave it up. The holder stops by itself two seconds after the *start* of its last successful
//! renewal. Two is less than three, so two holders never send at once.

use super::io::{Effect, LeaseView, Legacy, Now, Outcome, Phase, Taken};
use super::tuning::Tuning;

/// Tries to give the lease up before it is left to run out.
const FREE_TRIES: u8 = 3;

/// Where this process stands with the lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lease {
    /// Somebody else may hold it.
    Standby(Standby),
    /// It is ours.
    Held(Held),
    /// It is not ours, and will not be.
    Over {
        /// The table did not answer: the wake must come again.
        failed: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Standby {
    successor: bool,
    arrived: u64,
    /// How it stood, and since when it has not moved.
    seen: Option<(Option<LeaseView>, u64)>,
    /// When the call under way was started.
    busy: Option<u64>,
    next_look: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Held {
    pub(super) epoch: u64,
    /// How the lease stood when it was taken, and when that was read.
    pub(super) found: Option<LeaseView>,
    pub(super) found_at: u64,
    /// What the last orderly release left.
    pub(super) legacy: Option<Legacy>,
    fence: u64,
    phase: Phase,
    pub(super) want: Phase,
    writing: Option<(Phase, u64)>,
    next_write: u64,
    free_tries: u8,
}

impl Lease {
    pub(super) const fn new(successor: bool, now: u64) -> Self {
        Self::Standby(Standby {
            successor,
            arrived: now,
            seen: None,
            busy: None,
            next_look: now,
        })
    }

    pub(super) const fn held(&self) -> Option<&Held> {
        match self {
            Self::Held(held) => Some(held),
            Self::Standby(_) | Self::Over { .. } => None,
        }
    }

    pub(super) const fn held_mut(&mut self) -> Option<&mut Held> {
        match self {
            Self::Held(held) => Some(held),
            Self::Standby(_) | Self::Over { .. } => None,
        }
    }

    /// Whether this holder may claim and send.
    pub(super) fn holds(&self, mono: u64) -> bool {
        self.held()
            .is_some_and(|h| mono < h.fence && h.phase != Phase::Free)
    }

    /// Does what is due; `legacy` is what FREE leaves behind.
    pub(super) fn advance(
        &mut self,
        now: Now,
        tuning: &Tuning,
        legacy: impl FnOnce() -> Legacy,
    ) -> Option<Effect> {
        match self {
            Self::Standby(standby) if standby.busy.is_none() && now.mono >= standby.next_look => {
                if now.mono.saturating_sub(standby.arrived) > tuning.stand_by {
                    *self = Self::Over { failed: false };
                    return None;
                }
                standby.busy = Some(now.mono);
                Some(Effect::ReadLease)
            }
            Self::Held(held) if held.writing.is_none() && now.mono >= held.next_write => {
                if held.phase == Phase::Free {
                    return None;
                }
                held.writing = Some((held.want, now.mono));
                held.next_write = now.mono.saturating_add(tuning.renew_every);
                Some(Effect::Renew {
                    epoch: held.epoch,
                    phase: held.want,
                    left: (held.want == Phase::Free).then(legacy),
                })
            }
            Self::Standby(_) | Self::Held(_) | Self::Over { .. } => None,
        }
    }

    /// Takes in how the lease stands.
    pub(super) fn read(
        &mut self,
        now: Now,
        tuning: &Tuning,
        read: Outcome<Option<LeaseView>>,
    ) -> Option<Effect> {
        let Self::Standby(standby) = self else {
            return None;
        };
        let started = standby.busy.take();
        let every = if standby.successor {
            tuning.look_for_release_every
        } else {
            tuning.look_every
        };
        standby.next_look = now.mono.saturating_add(every);
        let Ok(view) = read else {
            if now.mono.saturating_sub(standby.arrived) > tuning.stand_by {
                *self = Self::Over { failed: true };
            }
            return None;
        };
        let still = standby
            .seen
            .as_ref()
            .filter(|(seen, _)| *seen == view)
            .map(|(_, since)| *since);
        let free = view.as_ref().is_none_or(|v| v.phase == Phase::Free);
        // Not the answer's time: what it shows may be as old as the question.
        let stood = started.zip(still).is_some_and(|(started, since)| {
            started.saturating_sub(since) >= tuning.take_over_after
        });
        if free || stood {
            standby.busy = Some(now.mono);
            standby.seen = Some((view.clone(), still.unwrap_or(now.mono)));
            return Some(Effect::TakeLease { seen: view });
        }
        let alive = standby.seen.is_some() && still.is_none();
        let running = view.as_ref().is_some_and(|v| v.phase == Phase::Run);
        if alive && running && !standby.successor {
            *self = Self::Over { failed: false };
            return None;
        }
        if still.is_none() {
            standby.seen = Some((view, now.mono));
        }
        None
    }

    /// Takes in whether the lease is ours now.
    pub(super) fn taken(&mut self, now: Now, tuning: &Tuning, taken: Outcome<Option<Taken>>) {
        let Self::Standby(standby) = self else { return };
        let started = standby.busy.take().unwrap_or(now.mono);
        standby.next_look = now.mono.saturating_add(tuning.look_every);
        match taken {
            Ok(Some(Taken { epoch, legacy })) => {
                let found = standby.seen.take().and_then(|(view, _)| view);
                *self = Self::Held(Held {
                    epoch,
                    found,
                    found_at: started,
                    legacy,
                    fence: started.saturating_add(tuning.fence),
                    phase: Phase::Run,
                    want: Phase::Run,
                    writing: None,
                    next_write: started.saturating_add(tuning.renew_every),
                    free_tries: 0,
                });
            }
            // Somebody was faster, or it is ours and we do not know: either way it has to be looked at anew.
            Ok(None) | Err(_) => standby.seen = None,
        }
    }

    /// Takes in whether the lease is still ours; returns the phase that is in force now, if one was written.
    pub(super) fn renewed(
        &mut self,
        now: Now,
        tuning: &Tuning,
        renewed: Outcome<bool>,
    ) -> Option<Phase> {
        let held = self.held_mut()?;
        let (phase, started) = held.writing.take()?;
        match (renewed, phase) {
            (Ok(true), Phase::Run | Phase::Idle) => {
                held.phase = phase;
                held.fence = started.saturating_add(tuning.fence);
                if held.want != phase {
                    held.next_write = now.mono;
                }
                Some(phase)
            }
            // A repeated release meets its own write: it is free, which is what was asked for.
            (Ok(_), Phase::Free) => {
                held.phase = Phase::Free;
                Some(Phase::Free)
            }
            (Ok(false), Phase::Run | Phase::Idle) => {
                *self = Self::Over { failed: false };
                None
            }
            (Err(_), Phase::Run | Phase::Idle) => {
                // The fence decides: without a renewal it falls by itself.
                held.next_write = now.mono.saturating_add(tuning.after_error);
                None
            }
            (Err(_), Phase::Free) => {
                held.free_tries = held.free_tries.saturating_add(1);
                held.next_write = now.mono.saturating_add(tuning.after_error);
                if held.free_tries >= FREE_TRIES {
                    // It runs out by itself in three seconds.
                    held.phase = Phase::Free;
                    return Some(Phase::Free);
                }
                None
            }
        }
    }

    /// When something is due next.
    pub(super) fn wake_at(&self, now: u64) -> u64 {
        match self {
            Self::Standby(standby) if standby.busy.is_none() => standby.next_look,
            Self::Held(held) if held.phase != Phase::Free => {
                let write = if held.writing.is_some() {
                    u64::MAX
                } else {
                    held.next_write
                };
                if held.fence > now {
                    write.min(held.fence)
                } else {
                    write
                }
            }
            Self::Standby(_) | Self::Held(_) | Self::Over { .. } => u64::MAX,
        }
    }
}

impl Held {
    /// Asks for a phase; it is in force when [`Lease::renewed`] says so.
    pub(super) const fn enter(&mut self, phase: Phase, now: u64) {
        self.want = phase;
        self.next_write = now;
    }
}
