//! Long walks through a world that is too large to be explored.

use crate::bounds::Bounds;
use crate::world::{Name, World};

/// A small generator of repeatable choices (xorshift*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

/// How often something is chosen over other things; right after Meta has a message, trouble hurts most.
fn weight(name: &Name, last: &str) -> u64 {
    match name.what {
        "crashes" if last.starts_with("Meta") => 60,
        "crashes" | "pauses" | "a notification arrives" => 1,
        "fails at" | "does not learn of" => 3,
        "goes on" => 20,
        "a wake too many" => 10,
        "intake goes on" => 30,
        "Meta accepts" => 800,
        _ => 200,
    }
}

/// Walks to the end of a run; what must never be, if it came to be, and how many steps it took.
pub(crate) fn walk(bounds: &Bounds, seed: u64) -> (Option<(&'static str, Vec<Name>)>, usize) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut world = World::new(bounds);
    let mut path = Vec::new();
    let mut last = "";
    loop {
        let names = world.names(bounds);
        let all: u64 = names.iter().map(|n| weight(n, last)).sum();
        if all == 0 {
            return (None, path.len());
        }
        let mut at = dice.below(all);
        let pick = names.iter().position(|name| {
            let weight = weight(name, last);
            let is_it = at < weight;
            at = at.saturating_sub(weight);
            is_it
        });
        let pick = pick.unwrap();
        world = world.after(bounds, pick);
        last = names[pick].what;
        path.push(names[pick]);
        if let Some(what) = world.wrong() {
            return (Some((what, path)), 0);
        }
    }
}
