//! Depth first through every state there is, each visited once.
//!
//! Of a visited state only a hash of 128 bits is kept: among ten million states two share one with a
//! probability below 10⁻²³.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use crate::world::{Bounds, Name, World};

/// What a search came to.
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    pub(crate) ends: usize,
    /// What must never be, and how it came to be.
    pub(crate) wrong: Option<(&'static str, Vec<Name>)>,
}

/// Fingerprints are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }
}

/// Explores everything, or stops at the first thing that must never be.
pub(crate) fn explore(bounds: &Bounds) -> Explored {
    let first = World::new(bounds);
    let mut seen: HashSet<u128, BuildHasherDefault<AsItIs>> = HashSet::default();
    seen.insert(first.fingerprint());
    let mut explored = Explored {
        states: 1,
        transitions: 0,
        ends: 0,
        wrong: None,
    };
    let mut path: Vec<Name> = Vec::new();
    let mut open = vec![first.next(bounds)];
    while let Some(siblings) = open.last_mut() {
        let Some((name, world)) = siblings.pop() else {
            open.pop();
            path.pop();
            continue;
        };
        explored.transitions += 1;
        if !seen.insert(world.fingerprint()) {
            continue;
        }
        explored.states += 1;
        path.push(name);
        if let Some(what) = world.wrong() {
            explored.wrong = Some((what, path));
            return explored;
        }
        let next = world.next(bounds);
        explored.ends += usize::from(next.is_empty());
        open.push(next);
    }
    explored
}
