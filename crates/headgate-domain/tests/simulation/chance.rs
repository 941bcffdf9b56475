//! Virtual time, chance from a seed, and the order of what happens.
//!
//! Times are nanoseconds since the simulation began. The same seed gives the same run on every machine.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

pub(crate) type Ns = u64;
pub(crate) const MS: Ns = 1_000_000;
pub(crate) const SECOND: Ns = 1_000 * MS;

/// xorshift64*, seeded through splitmix64.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mixed(seed) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// From 0 to 1, 1 excluded.
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn up_to(&mut self, most: Ns) -> Ns {
        (self.part() * most as f64) as Ns
    }

    /// From -most to most.
    pub(crate) fn around(&mut self, most: i64) -> i64 {
        ((self.part() * 2.0 - 1.0) * most as f64) as i64
    }

    /// The distance of two events of which so many happen a second.
    pub(crate) fn gap(&mut self, per_second: f64) -> Ns {
        (-(1.0 - self.part()).ln() / per_second * SECOND as f64) as Ns
    }

    pub(crate) fn draw(&mut self, of: Spread) -> Ns {
        let (u, v) = ((1.0 - self.part()).max(1e-300), self.part());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        (of.mu + of.sigma * normal).exp() as Ns
    }
}

/// splitmix64: an even spread of bits from a counter.
pub(crate) fn mixed(n: u64) -> u64 {
    let z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A log-normal latency, by its median and its 99th percentile.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    mu: f64,
    sigma: f64,
}

impl Spread {
    pub(crate) fn ms(p50: u64, p99: u64) -> Self {
        Self {
            mu: ((p50 * MS) as f64).ln(),
            sigma: (p99 as f64 / p50 as f64).ln() / 2.326_347_9,
        }
    }
}

/// What is to happen, by time; of the same moment in the order of its noting.
pub(crate) struct Agenda<E> {
    order: BinaryHeap<Reverse<(Ns, u64)>>,
    what: BTreeMap<u64, E>,
    noted: u64,
}

impl<E> Agenda<E> {
    pub(crate) fn new() -> Self {
        Self {
            order: BinaryHeap::new(),
            what: BTreeMap::new(),
            noted: 0,
        }
    }

    pub(crate) fn at(&mut self, at: Ns, what: E) {
        self.noted += 1;
        self.order.push(Reverse((at, self.noted)));
        self.what.insert(self.noted, what);
    }

    pub(crate) fn next(&mut self) -> Option<(Ns, E)> {
        let Reverse((at, place)) = self.order.pop()?;
        Some((at, self.what.remove(&place)?))
    }
}
