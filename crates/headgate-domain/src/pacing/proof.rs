//! The proof by many schedules that no second holds more than the limit.
//!
//! A schedule is a seed: lateness, limits, inbound, pauses, throttle answers, hand-overs between
//! holders with clocks of their own that run up to 80 millionths wrong. `just proof` runs a million,
//! `cargo test` a few hundred.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests may fail loudly"
)]

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;

const LIMITS: [u32; 8] = [1, 2, 3, 5, 8, 20, 80, 1_000];
const MS: u64 = 1_000_000;

/// A few hundred, unless `HEADGATE_PROOF_CASES` says how many or `HEADGATE_PROOF` asks for all.
fn cases() -> u32 {
    // Asked for when the test is built: even its tests leave the rules without an environment.
    let otherwise = if option_env!("HEADGATE_PROOF").is_some() {
        1_000_000
    } else {
        400
    };
    option_env!("HEADGATE_PROOF_CASES")
        .and_then(|n| n.parse().ok())
        .unwrap_or(otherwise)
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// `SplitMix64`: a schedule costs microseconds, not one strategy per step.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A holder's clock: it started some time ago and runs a little wrong.
struct Clock {
    offset: u64,
    millionths: i64,
}

impl Clock {
    fn new(dice: &mut Dice) -> Self {
        Self {
            offset: if dice.one_in(8) {
                dice.below(SECOND_NS)
            } else {
                dice.below(1 << 50)
            },
            millionths: i64::try_from(dice.below(161)).unwrap() - 80,
        }
    }

    fn read(&self, truth: u64) -> u64 {
        let wrong = i64::try_from(truth).unwrap() / 1_000 * self.millionths / 1_000;
        (self.offset + truth).checked_add_signed(wrong).unwrap()
    }

    /// The first true instant, from `truth` on, at which this clock shows `local` or more.
    fn when(&self, local: u64, mut truth: u64) -> u64 {
        loop {
            let short = local.saturating_sub(self.read(truth));
            if short == 0 {
                return truth;
            }
            truth += short;
        }
    }
}

struct Schedule {
    dice: Dice,
    truth: u64,
    clock: Clock,
    pace: Pace,
    limit: u32,
    inbound_milli: u64,
    /// The true instants of all sends.
    sent: Vec<u64>,
    /// From which send on the windows were checked against some limit, so that a test can count.
    sends: usize,
}

impl Schedule {
    fn new(seed: u64, limit: u32) -> Self {
        let mut dice = Dice(seed);
        let truth = 10 * SECOND_NS;
        let clock = Clock::new(&mut dice);
        let now = clock.read(truth);
        let pace = if dice.one_in(4) {
            Pace::new(limit, None, now)
        } else {
            Pace::fresh(limit, None, now)
        };
        Self {
            dice,
            truth,
            clock,
            pace,
            limit,
            inbound_milli: 0,
            sent: Vec::new(),
            sends: 0,
        }
    }

    fn now(&self) -> u64 {
        self.clock.read(self.truth)
    }

    fn guard(&mut self) -> Option<u16> {
        self.dice
            .one_in(2)
            .then(|| 500 + u16::try_from(self.dice.below(501)).unwrap())
    }

    fn lateness(&mut self) -> u64 {
        match self.dice.below(100) {
            0..60 => 0,
            60..85 => self.dice.below(3 * MS),
            85..97 => self.dice.below(100 * MS),
            _ => self.dice.below(2_500 * MS),
        }
    }

    fn step(&mut self) -> Result<(), TestCaseError> {
        match self.dice.below(200) {
            0..8 => {
                self.limit = LIMITS[usize::try_from(self.dice.below(7)).unwrap()];
                let guard = self.guard();
                let now = self.now();
                self.pace.set_limit(self.limit, guard, now);
            }
            8..14 => {
                self.inbound_milli = self.dice.below(u64::from(self.limit) * 1_500);
                self.pace.set_inbound(self.inbound_milli);
            }
            14..16 => {
                let share = u16::try_from(self.dice.below(1_200)).unwrap();
                self.pace.set_share(share);
            }
            16..20 => {
                let now = self.now();
                let throttled = self.dice.one_in(2);
                self.pace.answered(now, throttled);
                self.pace.throttled(now);
            }
            20..22 => {
                let rest = self.dice.below(3 * SECOND_NS);
                let now = self.now();
                self.pace.pause_until(now + rest);
            }
            22..27 => self.release()?,
            27..29 => self.crash(),
            29..34 => {
                // Before it is due: refused, and nothing changes.
                let early = self.pace.due().saturating_sub(1 + self.dice.below(MS));
                let before = self.pace.clone();
                prop_assert!(!self.pace.take(early));
                prop_assert_eq!(&self.pace, &before);
            }
            34..38 => self.truth += self.lateness(),
            _ => self.send()?,
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), TestCaseError> {
        self.truth = self.clock.when(self.pace.due(), self.truth) + self.lateness();
        let now = self.now();
        prop_assert!(now >= self.pace.paused_until());
        prop_assert!(self.pace.take(now));
        let inbound = usize::try_from(self.inbound_milli.div_ceil(1_000)).unwrap();
        let places = usize::try_from(self.limit)
            .unwrap()
            .saturating_sub(inbound)
            .max(1);
        if let Some(i) = self.sent.len().checked_sub(places) {
            prop_assert!(
                self.truth - self.sent[i] >= SECOND_NS,
                "more than {places} in {} ns",
                self.truth - self.sent[i]
            );
        }
        self.sent.push(self.truth);
        self.sends += 1;
        Ok(())
    }

    /// The holder lets go and a successor with another clock reads what it wrote.
    fn release(&mut self) -> Result<(), TestCaseError> {
        let bytes = self.pace.tail(self.now()).to_bytes();
        prop_assert!(bytes.len() <= 7 + 2 * self.sent.len() + 2 * 1_000);
        let tail = Tail::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&tail.to_bytes(), &bytes);
        self.truth += self.lateness();
        self.clock = Clock::new(&mut self.dice);
        if self.dice.one_in(4) {
            self.limit = LIMITS[usize::try_from(self.dice.below(7)).unwrap()];
        }
        let guard = self.guard();
        self.pace = Pace::resume(self.limit, guard, &tail, self.now());
        self.inbound_milli = 0;
        Ok(())
    }

    /// The holder dies; the lease keeps everybody silent for a second and more.
    fn crash(&mut self) {
        self.truth += SECOND_NS + self.lateness();
        self.clock = Clock::new(&mut self.dice);
        self.pace = Pace::fresh(self.limit, None, self.now());
        self.inbound_milli = 0;
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_second_holds_more_than_the_limit_for_any_schedule_and_any_holders(
        seed in any::<u64>(),
        steps in 1_usize..120,
        limit in 0_usize..7,
    ) {
        let mut schedule = Schedule::new(seed, LIMITS[limit]);
        for _ in 0..steps {
            schedule.step()?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: (cases() / 50).max(8), ..config() })]

    #[test]
    fn no_second_holds_more_than_a_thousand_either(seed in any::<u64>()) {
        let mut schedule = Schedule::new(seed, 1_000);
        for _ in 0..1_500 {
            if schedule.dice.one_in(200) {
                schedule.step()?;
            } else {
                schedule.send()?;
            }
        }
    }

    #[test]
    fn a_message_leaves_within_a_slot_when_the_window_is_open(
        seed in any::<u64>(),
        limit in 0_usize..7,
    ) {
        let mut dice = Dice(seed);
        let mut now = dice.below(1 << 50);
        let mut pace = Pace::fresh(LIMITS[limit], None, now);
        let mut sent: Vec<u64> = Vec::new();
        for _ in 0..200 {
            match dice.below(12) {
                0 => pace.set_limit(LIMITS[usize::try_from(dice.below(7)).unwrap()], None, now),
                1 => pace.set_inbound(dice.below(4_000)),
                2 => pace.set_share(u16::try_from(dice.below(1_000)).unwrap()),
                3 => pace.throttled(now),
                4 => now += dice.below(3 * SECOND_NS),
                _ => {
                    let inside = sent.iter().rev().take_while(|at| now - **at < SPAN_NS).count();
                    let slot = SECOND_NS * 1_000 / pace.rate_milli();
                    if inside < pace.window() {
                        prop_assert!(pace.due() <= now + slot, "waits for more than a slot");
                    }
                    now = now.max(pace.due());
                    prop_assert!(pace.take(now));
                    sent.push(now);
                }
            }
        }
    }
}

#[test]
fn a_schedule_is_not_empty_and_reaches_full_windows() {
    let mut full = 0;
    let mut sends = 0;
    for seed in 0..200 {
        let mut schedule = Schedule::new(seed, 5);
        for _ in 0..100 {
            schedule.step().unwrap();
            let now = schedule.now();
            let inside = |at: &&u64| now.saturating_sub(**at) < SPAN_NS;
            if schedule.pace.ring.iter().filter(inside).count() >= schedule.pace.window() {
                full += 1;
            }
        }
        sends += schedule.sends;
    }
    assert!(sends > 12_000, "{sends}");
    assert!(full > 5_000, "{full}");
}
