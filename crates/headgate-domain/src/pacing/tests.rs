//! The pace, case by case; for any schedule see `proof`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use super::*;

/// The clock of a term starts late enough to have a past.
const START: u64 = 10 * SECOND_NS;
const MS: u64 = 1_000_000;

fn worst_window(sends: &[u64]) -> usize {
    (0..sends.len())
        .map(|i| {
            sends[i..]
                .iter()
                .take_while(|t| **t - sends[i] < SECOND_NS)
                .count()
        })
        .max()
        .unwrap_or(0)
}

/// How many messages a second leave, in thousandths, of `count`, when a timer set for an instant
/// fires at `late` of it. What is due when it fires leaves at once.
fn measured_milli(pace: &mut Pace, count: u64, late: impl Fn(u64, u64) -> u64) -> u64 {
    let mut now = START;
    for i in 0..count {
        if pace.due() > now {
            now = late(i, pace.due());
        }
        assert!(pace.take(now));
    }
    (count - 1) * 1_000 * SECOND_NS / (now - START)
}

#[test]
fn a_full_backlog_uses_at_least_ninety_eight_point_four_percent_of_eighty() {
    let mut pace = Pace::new(80, None, START);
    let rate = measured_milli(&mut pace, 20_000, |i, due| due + (i % 3) * 700_000);
    assert!(rate >= 78_720, "{rate}");
    assert!(rate <= 80_000, "{rate}");
}

#[test]
fn a_full_backlog_uses_at_least_ninety_nine_point_three_percent_of_a_thousand() {
    // A timer of a millisecond that fires up to 0.4 ms late, and a hiccup of 20 ms every 5 s.
    let mut pace = Pace::new(1_000, None, START);
    let rate = measured_milli(&mut pace, 100_000, |i, due| {
        let hiccup = if i % 5_000 == 4_999 { 20 * MS } else { 0 };
        due.div_ceil(MS) * MS + i % 5 * 100_000 + hiccup
    });
    assert!(rate >= 993_000, "{rate}");
    assert!(rate <= 1_000_000, "{rate}");
}

#[test]
fn a_successor_of_an_unknown_holder_does_not_burst_on_top_of_what_was_sent() {
    let mut before = Pace::new(80, None, START);
    let mut sends = Vec::new();
    let mut now = START;
    while now < START + 3 * SECOND_NS {
        now = before.due().max(now);
        assert!(before.take(now));
        sends.push(now);
    }
    // It is ready at once, and its first slots come late: still no window is overfull.
    let mut after = Pace::new(80, None, now);
    for _ in 0..200 {
        now = after
            .due()
            .max(now + 60_000_000 * u64::from(sends.len() % 50 == 0));
        assert!(after.take(now));
        sends.push(now);
    }
    assert!(worst_window(&sends) <= 80, "{}", worst_window(&sends));
}

#[test]
fn a_hand_over_with_a_tail_loses_only_the_gap() {
    let mut pace = Pace::fresh(80, None, START);
    let mut now = START;
    for _ in 0..160 {
        now = pace.due().max(now);
        assert!(pace.take(now));
    }
    let tail = pace.tail(now);
    // Another clock, which shows something else entirely.
    let elsewhere = 77 * SECOND_NS;
    let resumed = Pace::resume(80, None, &tail, elsewhere);
    let gap = (pace.due() - now).abs_diff(resumed.due() - elsewhere);
    assert!(gap <= 20_000, "{gap}");
}

#[test]
fn a_pause_and_a_cut_survive_the_hand_over() {
    let mut pace = Pace::fresh(80, None, START);
    pace.throttled(START);
    pace.pause_until(START + 60 * SECOND_NS);
    let tail = Tail::from_bytes(&pace.tail(START + SECOND_NS).to_bytes()).unwrap();
    let resumed = Pace::resume(80, None, &tail, 5);
    assert_eq!(resumed.paused_until(), 5 + 59 * SECOND_NS);
    assert_eq!(resumed.rate_milli(), 78_800 * 980 / 1_000);
}

#[test]
fn what_is_no_tail_is_not_read_as_one() {
    let mut pace = Pace::fresh(80, None, START);
    assert!(pace.take(START));
    assert!(pace.take(START + 20 * MS));
    let bytes = pace.tail(START + 30 * MS).to_bytes();
    assert_eq!(bytes.len(), 11);
    assert!(Tail::from_bytes(&bytes).is_some());
    assert_eq!(
        Tail::from_bytes(&Tail::default().to_bytes()),
        Some(Tail::default())
    );
    assert!(Tail::from_bytes(&[]).is_none());
    assert!(Tail::from_bytes(&bytes[..10]).is_none(), "half an age");
    assert!(Tail::from_bytes(&bytes[..5]).is_none(), "cut short");
    let mut other = bytes.clone();
    other[0] = 2;
    assert!(Tail::from_bytes(&other).is_none(), "another form");
    let mut unordered = bytes.clone();
    unordered.swap(7, 9);
    unordered.swap(8, 10);
    assert!(Tail::from_bytes(&unordered).is_none(), "younger first");
    let mut share = bytes;
    share[1] = 0xff;
    assert!(Tail::from_bytes(&share).is_none(), "a share over 1");
}

#[test]
fn a_slot_is_not_taken_early_and_idle_time_is_not_saved_up() {
    let mut pace = Pace::new(80, None, START);
    assert!(!pace.take(START - 1));
    assert!(pace.take(START));
    let later = START + 60 * SECOND_NS;
    let burst = (0..100).filter(|_| pace.take(later)).count();
    assert!(burst <= 9, "{burst}");
}

#[test]
fn a_lower_limit_holds_at_once_and_a_higher_one_too() {
    let mut pace = Pace::fresh(1_000, None, START);
    let mut now = START;
    for _ in 0..500 {
        now = pace.due().max(now);
        assert!(pace.take(now));
    }
    pace.set_limit(20, None, now);
    // 500 have left within half a second: the next one waits until 19 are left in the second.
    assert!(pace.due() > now + SECOND_NS - 50 * MS, "{}", pace.due());
    let raised = now + 100 * MS;
    pace.set_limit(1_000, None, raised);
    assert!(pace.due() <= raised + 2 * MS, "{}", pace.due());
}

#[test]
fn inbound_messages_take_their_part_of_the_limit_and_never_all_of_it() {
    let mut pace = Pace::fresh(80, None, START);
    pace.set_inbound(10_500);
    assert_eq!(pace.rate_milli(), 68_300);
    assert_eq!(pace.window(), 68);
    pace.set_inbound(500_000);
    assert_eq!(pace.rate_milli(), 1_000);
    assert_eq!(pace.window(), 1);
    pace.set_inbound(0);
    assert_eq!(pace.rate_milli(), 78_800);
}

#[test]
fn the_risk_score_slows_down_and_gives_back() {
    let mut pace = Pace::fresh(80, None, START);
    pace.set_share(500);
    assert_eq!(pace.rate_milli(), 39_400);
    pace.set_share(0);
    assert_eq!(pace.rate_milli(), 1_000);
    pace.set_share(2_000);
    assert_eq!(pace.rate_milli(), 78_800);
}

#[test]
fn a_throttle_answer_slows_the_pace_by_three_percent_and_a_second_brings_one_back() {
    let mut pace = Pace::new(80, None, 0);
    pace.throttled(0);
    pace.throttled(1);
    assert_eq!(pace.aimd.share(1), 970, "at most twice a second");
    assert_eq!(pace.rate_milli(), 78_800 * 970 / 1_000);
    assert_eq!(pace.aimd.share(SECOND_NS), 980);
    assert_eq!(pace.aimd.share(9 * SECOND_NS), 1_000);
    for i in 0..100 {
        pace.throttled(9 * SECOND_NS + i * SECOND_NS / 2);
    }
    assert_eq!(pace.aimd.share(59 * SECOND_NS - 1), 504);
}

#[test]
fn three_bad_seconds_in_a_row_halve_the_pace_and_two_do_not() {
    // 10 answers a second, of which every second one is 130429 in a bad second.
    let run = |bad: &[bool]| {
        let mut pace = Pace::fresh(80, None, START);
        for (second, bad) in (0_u64..).zip(bad) {
            for i in 0..10 {
                let now = START + second * SECOND_NS + i * 100 * MS;
                pace.answered(now, *bad && i % 2 == 0);
            }
        }
        pace.aimd.share(START)
    };
    assert!(run(&[true, true, false, true, true, false]) > 800);
    let halved = run(&[true, true, true, false]);
    assert!((400..500).contains(&halved), "{halved}");
    // Again and again: a twentieth stays.
    assert!(run(&[true; 60]) >= 50);
    // One answer in twenty is not more than 5 %.
    let mut pace = Pace::fresh(80, None, START);
    for i in 0..100_u64 {
        pace.answered(START + i * 50 * MS, i % 20 == 0);
    }
    assert!(pace.aimd.share(START + 5 * SECOND_NS) > 880);
}

#[test]
fn bad_seconds_far_apart_are_not_in_a_row() {
    let mut pace = Pace::fresh(80, None, START);
    for i in 0..20_u64 {
        pace.answered(START + i * 3 * SECOND_NS, true);
    }
    assert!(pace.aimd.share(START + 60 * SECOND_NS) > 900);
}
