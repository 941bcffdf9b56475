//! The pair limit, across crashes and hand-overs.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;

const START: u64 = 1_000 * SECOND_NS;
const WHO: &str = "s1_one";

fn first(now: u64) -> Pairs {
    Pairs::resume(now, &Tail::default(), 0)
}

#[test]
fn forty_five_leave_at_once_and_then_one_every_six_seconds() {
    let mut pairs = first(START);
    let mut written = Vec::new();
    for i in 1..=45 {
        assert_eq!(pairs.ready_at(WHO, START), START, "{i}");
        written.extend(pairs.take(WHO, START).map(|persist| persist.debt));
    }
    assert_eq!(written, [8, 16, 24, 32, 40], "every eighth message");
    for i in 1..=10 {
        let due = START + i * COST_NS;
        assert_eq!(pairs.ready_at(WHO, due - COST_NS), due);
        assert_eq!(pairs.ready_at("s1_other", START), START);
        let _persist = pairs.take(WHO, due);
    }
}

#[test]
fn single_messages_to_many_people_cost_no_write_and_no_memory() {
    let mut pairs = first(START);
    for i in 0..100_000_u64 {
        // 1,000 a second, so 6,000 people owe at any time.
        let now = START + i * 1_000_000;
        assert_eq!(pairs.take(&format!("s1_{i}"), now), None);
        assert!(pairs.len() <= 12_001, "{}", pairs.len());
    }
    pairs.forget(START + 200 * SECOND_NS);
    assert!(pairs.is_empty());
}

#[test]
fn a_burst_goes_on_across_a_crash_with_eight_assumed() {
    let mut before = first(START);
    let mut stored = 0;
    for _ in 0..20 {
        if let Some(persist) = before.take(WHO, START) {
            stored = persist.debt;
        }
    }
    assert_eq!(stored, 16);
    let mut after = Pairs::new(77, [(WHO.to_owned(), stored)]);
    let burst = (0..45)
        .take_while(|_| {
            let ready = after.ready_at(WHO, 77) == 77;
            if ready {
                let _persist = after.take(WHO, 77);
            }
            ready
        })
        .count();
    assert_eq!(burst, 45 - 16 - 8);
}

#[test]
fn what_is_assumed_of_everybody_decays_from_the_start() {
    let mut pairs = Pairs::new(START, []);
    assert_eq!(pairs.take(WHO, START), Some(Persist { debt: 9 }));
    assert_eq!(
        pairs.take("s1_two", START + 12 * SECOND_NS),
        None,
        "after 12 s a first message needs no write"
    );
}

#[test]
fn meta_parks_the_person_for_longer_each_time_and_nobody_else() {
    let mut pairs = first(START);
    let mut now = START;
    for seconds in [6, 16, 64, 256, 1_024, 3_600, 3_600] {
        let _persist = pairs.take(WHO, now);
        let _persist = pairs.take(WHO, now);
        let until = pairs.parked_by_meta(WHO, now);
        assert_eq!(until, now + seconds * SECOND_NS);
        // The second message was under way already.
        assert_eq!(pairs.parked_by_meta(WHO, now + 1), until);
        assert_eq!(pairs.ready_at(WHO, now), until);
        assert_eq!(pairs.ready_at("s1_other", now), now);
        // A park outlives its holder, as a debt.
        let resumed = Pairs::resume(5, &pairs.tail(now, 10), 0);
        assert!(resumed.ready_at(WHO, 5) >= until - now);
        now = until;
    }
    pairs.accepted(WHO);
    assert_eq!(pairs.parked_by_meta(WHO, now), now + COST_NS);
}

#[test]
fn a_tail_names_those_who_owe_most_and_bounds_the_rest() {
    let mut pairs = first(START);
    for (who, count) in [("s1_a", 1), ("s1_b", 3), ("s1_c", 2)] {
        for _ in 0..count {
            let _persist = pairs.take(who, START);
        }
    }
    let tail = pairs.tail(START, 2);
    let listed = vec![("s1_b".to_owned(), 18_000), ("s1_c".to_owned(), 12_000)];
    let everybody = 6_000;
    assert_eq!(tail, Tail { everybody, listed });
    let paid = pairs.tail(START + 12 * SECOND_NS, 2);
    assert_eq!(paid.listed, [("s1_b".to_owned(), 6_000)]);
    assert_eq!(paid.everybody, 0);
}

#[test]
fn a_stored_debt_is_paid_on_the_calendar() {
    let now = Timestamp::from_millis(1_000_000);
    assert_eq!(owed(paid_at(16, now), now), 16);
    assert_eq!(owed(paid_at(16, now), now.plus_millis(5_999)), 16);
    assert_eq!(owed(paid_at(16, now), now.plus_millis(6_000)), 15);
    assert_eq!(owed(paid_at(16, now), now.plus_millis(96_000)), 0);
    assert_eq!(owed(paid_at(0, now), now.plus_millis(-1)), 1);
}

/// The truth about one person: what they would owe if every message that left was counted.
#[derive(Default)]
struct Truth {
    paid_at: u64,
}

impl Truth {
    /// No span of w seconds holds more than 45 + w/6, if and only if 45 are never exceeded here.
    fn sent(&mut self, now: u64) -> bool {
        self.paid_at = self.paid_at.max(now) + COST_NS;
        self.paid_at - now <= 45 * COST_NS
    }
}

/// One step: what happens, to whom, how many ms later, and how a crash comes.
type Step = (u8, usize, u64, u8);

/// Mostly bursts: a debt that decays between the steps would show nothing.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = prop_oneof![8 => Just(0_usize), 2 => 0_usize..3];
    let wait = prop_oneof![
        90 => Just(0),
        9 => 0_u64..2_000,
        1 => 0_u64..40_000,
    ];
    proptest::collection::vec((0_u8..100, who, wait, 0_u8..4), 1..400)
}

const PEOPLE: [&str; 3] = ["s1_x", "s1_y", "s1_z"];

/// Runs holders one after another; `often` of 100 steps is the end of one. Returns how many left.
fn run(steps: &[Step], often: u8) -> Result<usize, TestCaseError> {
    let mut truth = START;
    // The clock of each holder starts somewhere else, and its calendar is wrong by up to 3 s.
    let mut offset = 0;
    let wall = |truth: u64, holder: i64| {
        let ms = i64::try_from(truth / 1_000_000).unwrap();
        Timestamp::from_millis(ms + (holder * 1_234).rem_euclid(6_001) - 3_000)
    };
    let mut holder = 0_i64;
    let mut pairs = first(truth);
    let mut stored: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let mut true_debts: BTreeMap<&str, Truth> = BTreeMap::new();
    let mut left = 0;
    for (what, who, wait_ms, how) in steps {
        truth += wait_ms * 1_000_000;
        let who = PEOPLE[*who];
        let now = truth - offset;
        let mut crash = *what < often;
        if !(*what >= often && *what < 2 * often) {
            // Waits as long as it must, but not for ever: others are served meanwhile.
            let ready = pairs.ready_at(who, now);
            if ready > now {
                truth += (ready - now).min(2 * SECOND_NS);
            }
            let now = truth - offset;
            if pairs.ready_at(who, now) <= now {
                let persist = pairs.take(who, now);
                // A crash comes before the write, between the write and the first byte, or after.
                let dies_before_write = crash && *how == 0;
                let dies_before_send = crash && *how == 1;
                if let (Some(persist), false) = (persist, dies_before_write) {
                    stored.insert(who, paid_at(persist.debt, wall(truth, holder)));
                }
                // Without a write to wait for, a message may have left before any crash.
                let leaves = match persist {
                    Some(_) => !dies_before_write && !dies_before_send,
                    None => true,
                };
                if leaves {
                    left += 1;
                    let sound = true_debts.entry(who).or_default().sent(truth);
                    prop_assert!(sound, "more than 45 + w/6");
                }
            }
        } else if what % 2 == 0 {
            // A release in order: the successor has the tail.
            let tail = pairs.tail(truth - offset, 1);
            let gap = u64::from(*how) * 150_000_000;
            truth += gap;
            holder += 1;
            offset = truth / 2;
            pairs = Pairs::resume(truth - offset, &tail, gap);
        } else {
            crash = true;
        }
        if crash {
            holder += 1;
            offset = truth - START / 3;
            let calendar = wall(truth, holder);
            let debts = stored
                .iter()
                .map(|(who, at)| ((*who).to_owned(), owed(*at, calendar)));
            pairs = Pairs::new(truth - offset, debts);
        }
    }
    Ok(left)
}

proptest! {
    #[test]
    fn any_span_holds_at_most_45_and_one_per_six_seconds_across_any_crashes(
        steps in steps(),
        often in 0_u8..20,
    ) {
        run(&steps, often)?;
    }

    #[test]
    fn one_holder_after_rare_crashes_sends_all_that_is_allowed(gaps in proptest::collection::vec(0_u64..8_000, 60..200)) {
        // To one person, without a crash: exactly what GCRA allows leaves, nothing less.
        let mut pairs = first(START);
        let mut truth = Truth::default();
        let mut now = START;
        for gap in gaps {
            now += gap * 1_000_000;
            let allowed = truth.paid_at.max(now) + COST_NS - now <= 45 * COST_NS;
            prop_assert_eq!(pairs.ready_at(WHO, now) <= now, allowed);
            if allowed {
                let _persist = pairs.take(WHO, now);
                prop_assert!(truth.sent(now));
            }
        }
    }
}

#[test]
fn a_debt_that_is_handed_on_many_times_is_paid_when_it_would_have_been() {
    let mut pairs = first(START);
    let ready = pairs.parked_by_meta(WHO, START);
    for term in 1..20 {
        let now = START + term * SECOND_NS / 2;
        pairs = Pairs::resume(now, &pairs.tail(now, 10), 0);
    }
    assert!(
        pairs.ready_at(WHO, START) <= ready + 20_000_000,
        "a millisecond a term"
    );
}
