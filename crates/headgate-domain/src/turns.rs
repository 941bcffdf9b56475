//! Turns: whose message is next?
//!
//! Owns the order of lanes at a slot and the order of campaigns inside a lane. Promises: the most
//! important ready lane goes first; of the slots in which a ready lane is passed over, one in twenty
//! goes to a lower lane, so no storm of codes starves them; never two such slots in a row, so
//! authentication waits one slot at most; no slot is left empty while a lane is ready. Does not know
//! when a slot is ([`crate::pacing`]) nor which lane may send.

mod campaigns;

#[cfg(test)]
mod tests;

pub use campaigns::Campaigns;

use crate::lane::{PURPOSES, Purpose};

/// One slot in twenty is kept for the lower lanes: 5 %.
const KEPT_ONE_IN: u8 = 20;

/// Whose turn it is, of the four lanes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Turns {
    /// Slots since the last kept one in which a ready lane was passed over.
    passed_over: u8,
    /// The lanes, the one that has waited longest for a slot first.
    waiting: [Purpose; 4],
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            passed_over: 0,
            waiting: PURPOSES,
        }
    }
}

impl Turns {
    /// Turns in which nobody has waited.
    pub fn new() -> Self {
        Self::default()
    }

    /// The lane this slot belongs to, of those that are `ready` (in the order of [`PURPOSES`]);
    /// changes nothing until it is committed with [`Turns::used`].
    pub fn pick(&self, ready: [bool; 4]) -> Option<Purpose> {
        let is_ready = |purpose: Purpose| {
            PURPOSES
                .iter()
                .zip(ready)
                .any(|(lane, ready)| *lane == purpose && ready)
        };
        let highest = PURPOSES.into_iter().find(|lane| is_ready(*lane))?;
        let kept = self.passed_over.saturating_add(1) >= KEPT_ONE_IN;
        let lower = self
            .waiting
            .into_iter()
            .find(|lane| *lane > highest && is_ready(*lane));
        match lower {
            Some(lane) if kept => Some(lane),
            Some(_) | None => Some(highest),
        }
    }

    /// Commits a pick: `purpose` got the slot while these lanes were `ready`.
    pub fn used(&mut self, purpose: Purpose, ready: [bool; 4]) {
        let mut lanes = PURPOSES.into_iter().zip(ready);
        let higher_waits = lanes.by_ref().take_while(|(lane, _)| *lane != purpose);
        if higher_waits.into_iter().any(|(_, ready)| ready) {
            self.passed_over = 0;
        } else if PURPOSES
            .into_iter()
            .zip(ready)
            .any(|(lane, ready)| lane > purpose && ready)
        {
            self.passed_over = self.passed_over.saturating_add(1).min(KEPT_ONE_IN);
        }
        // To the back of those who wait.
        let place = |lane: &Purpose| *lane == purpose;
        if let Some(behind) = self
            .waiting
            .iter()
            .position(place)
            .and_then(|at| self.waiting.get_mut(at..))
        {
            behind.rotate_left(1);
        }
    }

    /// Picks and commits in one: for a caller who sends whatever is picked.
    pub fn next(&mut self, ready: [bool; 4]) -> Option<Purpose> {
        let purpose = self.pick(ready)?;
        self.used(purpose, ready);
        Some(purpose)
    }
}
