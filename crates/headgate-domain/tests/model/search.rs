//! Depth first through every state there is, each visited once.
//!
//! Of a visited state only a hash of 128 bits is kept: among ten million states two share one with a
//! probability below 10⁻²³.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use crate::bounds::Bounds;
use crate::world::{Name, World};

/// What a search came to.
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    pub(crate) ends: usize,
    /// What must never be, and how it came to be.
    pub(crate) wrong: Option<(&'static str, Vec<Name>)>,
}

/// Two multiplicative hashes side by side: states are large, and nobody chooses them to collide.
#[derive(Clone, Copy)]
pub(crate) struct Mix(u64, u64);

impl Default for Mix {
    fn default() -> Self {
        Self(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344)
    }
}

impl Mix {
    pub(crate) fn both(self) -> u128 {
        let end = |x: u64| {
            let x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
            x ^ (x >> 32)
        };
        (u128::from(end(self.0)) << 64) | u128::from(end(self.1))
    }
}

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.1 = (self.1.rotate_left(37) ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
    }
    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }
    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }
    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
}

/// Explores everything, or stops at the first thing that must never be.
pub(crate) fn explore(bounds: &Bounds) -> Explored {
    let first = World::new(bounds);
    let mut seen: HashSet<u128, BuildHasherDefault<Mix>> = HashSet::default();
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
