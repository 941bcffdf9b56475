//! The budget against an exact count of its own.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use std::collections::{BTreeMap, HashMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::time::SECOND;

/// A quarter of an hour begins here.
const START: Timestamp = Timestamp::from_millis(1_000_000 * BUCKET_MS);

fn at(ms: i64) -> Timestamp {
    START.plus_millis(ms)
}

/// The independent count: unique people in the last 24 hours, exactly.
#[derive(Default)]
struct Truth {
    sends: VecDeque<(i64, u32)>,
    people: HashMap<u32, u32>,
    most: usize,
}

impl Truth {
    fn tick(&mut self, now: Timestamp) -> usize {
        while let Some((sent, who)) = self.sends.front().copied() {
            if sent > now.millis() - DAY {
                break;
            }
            self.sends.pop_front();
            let count = self.people.get_mut(&who).unwrap();
            *count -= 1;
            if *count == 0 {
                self.people.remove(&who);
            }
        }
        self.people.len()
    }

    fn send(&mut self, now: Timestamp, who: u32) {
        self.sends.push_back((now.millis(), who));
        *self.people.entry(who).or_default() += 1;
        self.most = self.most.max(self.tick(now));
    }
}

/// What outlives a holder.
#[derive(Default)]
struct Stored {
    counters: BTreeMap<u32, i64>,
    markers: HashMap<u32, u32>,
}

impl Stored {
    fn add(&mut self, changes: &[(u32, i64)]) {
        for (bucket, delta) in changes {
            *self.counters.entry(*bucket).or_default() += delta;
        }
    }

    /// What a new holder would think is used.
    fn used(&self, now: Timestamp) -> usize {
        let counters = self.counters.iter().map(|(b, n)| (*b, *n));
        usize::try_from(Budget::new(None, counters).used(now)).unwrap()
    }
}

/// A small generator, so that three virtual days are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % n).unwrap()
    }
}

#[test]
fn three_days_of_more_than_two_thousand_allow_use_it_all_and_never_exceed_it() {
    const LIMIT: u32 = 2_000;
    let (mut truth, mut stored) = (Truth::default(), Stored::default());
    let mut budget = Budget::new(Some(LIMIT), []);
    let mut dice = Dice(88_172_645_463_325_252);
    let (mut used, mut ticks) = (0, 0);
    for tick in 0..72 * 1_800 {
        let now = at(tick * 2 * SECOND);
        // A third of the traffic goes to a thousand regulars, the rest to nineteen thousand others.
        let who = match dice.below(3) {
            0 => dice.below(1_000),
            _ => 1_000 + dice.below(19_000),
        };
        if now.millis() - START.millis() > DAY {
            used += truth.tick(now);
            ticks += 1;
        }
        if tick % 5_000 == 4_999 {
            // A new holder, from what is stored.
            budget = Budget::new(Some(LIMIT), stored.counters.clone());
        }
        match budget.admit(stored.markers.get(&who).copied(), false, now) {
            Admission::Deferred { until } => {
                assert!(until > now);
                assert!(until.millis_since(now) <= DAY + BUCKET_MS + GRACE_MS);
                continue;
            }
            Admission::Count { bucket, .. } => {
                stored.add(&budget.take_changes());
                stored.markers.insert(who, bucket);
            }
            Admission::Free => {}
        }
        truth.send(now.plus_millis(800), who);
        assert!(stored.used(now) >= truth.people.len());
        for bucket in budget.take_expired(now) {
            stored.counters.remove(&bucket);
        }
        assert!(stored.counters.len() <= 98 + 8 + 1);
    }
    assert!(truth.most <= 2_000, "{} in 24 hours", truth.most);
    let permille = used * 1_000 / (ticks * 2_000);
    assert!(permille >= 995, "{permille}");
}

#[test]
fn a_deferred_person_has_a_place_when_it_says() {
    let mut budget = Budget::new(Some(2), []);
    assert!(matches!(
        budget.admit(None, false, at(0)),
        Admission::Count { .. }
    ));
    assert!(matches!(
        budget.admit(None, false, at(HOUR)),
        Admission::Count { .. }
    ));
    let later = at(2 * HOUR);
    let Admission::Deferred { until } = budget.admit(None, false, later) else {
        panic!("the limit is reached");
    };
    assert_eq!(until, at(BUCKET_MS + DAY + GRACE_MS));
    let early = budget.admit(None, false, until.plus_millis(-1));
    assert_eq!(early, Admission::Deferred { until });
    assert!(matches!(
        budget.admit(None, false, until),
        Admission::Count { .. }
    ));
}

#[test]
fn a_lowered_limit_defers_until_enough_have_left() {
    let mut budget = Budget::new(Some(10), []);
    for i in 0..10 {
        assert!(matches!(
            budget.admit(None, false, at(i * HOUR)),
            Admission::Count { .. }
        ));
    }
    budget.set_limit(Some(3));
    let Admission::Deferred { until } = budget.admit(None, false, at(10 * HOUR)) else {
        panic!("ten are more than three");
    };
    assert_eq!(until, at(7 * HOUR + BUCKET_MS + DAY + GRACE_MS));
    budget.set_limit(Some(0));
    assert!(matches!(
        budget.admit(None, false, at(11 * HOUR)),
        Admission::Deferred { .. }
    ));
    budget.set_limit(None);
    assert_eq!(budget.admit(None, false, at(12 * HOUR)), Admission::Free);
}

#[test]
fn who_is_counted_already_is_free_in_the_bucket_and_moves_in_a_later_one() {
    let mut budget = Budget::new(Some(1), []);
    let here = bucket(START);
    let count = Admission::Count {
        bucket: here,
        move_from: None,
    };
    assert_eq!(budget.admit(None, false, at(0)), count);
    assert_eq!(budget.take_changes(), [(here, 1)]);
    assert_eq!(budget.admit(Some(here), false, at(MINUTE)), Admission::Free);
    assert_eq!(
        budget.admit(None, true, at(MINUTE)),
        Admission::Free,
        "the window is open"
    );
    let moved = Admission::Count {
        bucket: here + 1,
        move_from: Some(here),
    };
    assert_eq!(budget.admit(Some(here), false, at(BUCKET_MS)), moved);
    assert_eq!(budget.take_changes(), [(here, -1), (here + 1, 1)]);
    assert_eq!(budget.used(at(BUCKET_MS)), 1);
    assert!(budget.take_changes().is_empty());
}

#[test]
fn changes_that_may_not_have_been_stored_come_back() {
    let mut budget = Budget::new(Some(5), []);
    assert!(matches!(
        budget.admit(None, false, at(0)),
        Admission::Count { .. }
    ));
    let changes = budget.take_changes();
    budget.restore_changes(changes);
    assert!(matches!(
        budget.admit(None, false, at(1)),
        Admission::Count { .. }
    ));
    assert_eq!(budget.take_changes(), [(bucket(START), 2)]);
    assert_eq!(budget.used(at(1)), 2);
}

#[test]
fn a_clock_that_goes_back_a_little_is_not_followed_and_a_wild_one_does_not_last() {
    let mut budget = Budget::new(Some(5), []);
    let count = |bucket| Admission::Count {
        bucket,
        move_from: None,
    };
    let here = bucket(START);
    assert_eq!(budget.admit(None, false, at(0)), count(here));
    assert_eq!(budget.admit(None, false, at(-20 * MINUTE)), count(here));
    assert_eq!(
        budget.admit(Some(here), false, at(-20 * MINUTE)),
        Admission::Free
    );
    assert_eq!(budget.used(at(-20 * MINUTE)), 2);
    // A year ahead and back again: within the hour, not a year from now.
    assert_eq!(
        budget.admit(None, false, at(365 * DAY)),
        count(bucket(at(365 * DAY)))
    );
    assert_eq!(budget.admit(None, false, at(0)), count(bucket(at(HOUR))));
    // A marker from that year frees nobody.
    let marker = Some(bucket(at(365 * DAY)));
    assert!(matches!(
        budget.admit(marker, false, at(1)),
        Admission::Count {
            move_from: None,
            ..
        }
    ));
}

proptest! {
    /// What `(who, minutes until then, what happens)` leads to, with crashes before the counters are
    /// stored, between them and the marker, and between the marker and the send.
    #[test]
    fn what_is_stored_is_never_below_the_truth_across_any_crashes(
        limit in 1_u32..12,
        steps in proptest::collection::vec((0_u32..25, 0_i64..70, 0_u8..8), 1..500),
    ) {
        let (mut truth, mut stored) = (Truth::default(), Stored::default());
        let mut budget = Budget::new(Some(limit), []);
        let mut ms = 0;
        for (who, minutes, crash) in steps {
            ms += minutes * MINUTE;
            // The clock of the holder is up to 20 s wrong, back and forth.
            let now = at(ms + (i64::from(who) * 7_919) % 20_000);
            let marker = stored.markers.get(&who).copied();
            let admission = budget.admit(marker, false, now);
            let changes = budget.take_changes();
            let sends = match admission {
                Admission::Deferred { until } => {
                    prop_assert!(until > now);
                    false
                }
                Admission::Free => true,
                Admission::Count { bucket, .. } => {
                    if crash != 1 {
                        stored.add(&changes);
                    }
                    if !matches!(crash, 1 | 2) {
                        stored.markers.insert(who, bucket);
                    }
                    !matches!(crash, 1..=3)
                }
            };
            if matches!(crash, 1..=4) {
                // The next holder has what is stored.
                budget = Budget::new(Some(limit), stored.counters.clone());
            }
            let sent = at(ms + 20_000);
            if sends {
                truth.send(sent, who);
            }
            truth.tick(sent);
            prop_assert!(stored.used(now) >= truth.people.len(), "below the truth");
            prop_assert!(truth.people.len() <= usize::try_from(limit).unwrap());
            for bucket in budget.take_expired(now) {
                stored.counters.remove(&bucket);
            }
        }
    }
}
