//! The risk score, level by level.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use super::rules::{KEEP, TAKE, assess};
use super::*;
use crate::time::MINUTE;

const NOON: Timestamp = Timestamp::from_seconds(1_795_348_800);

fn later(ms: i64) -> Timestamp {
    NOON.plus_millis(ms)
}

fn failing(failed: u64, delivered: u64) -> Counts {
    Counts {
        failed,
        delivered,
        read: delivered / 2,
        ..Counts::default()
    }
}

fn at_hour(at: Timestamp, counts: Counts) -> BTreeMap<i64, Counts> {
    [(hour(at), counts)].into()
}

/// A cheap sequence without a pattern, the same every time.
fn noise(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn the_table_says_what_the_rules_do() {
    let stopped = |stopped, delivered| Counts {
        stopped,
        delivered,
        read: delivered,
        ..Counts::default()
    };
    let held_back = |held_back, delivered| Counts {
        held_back,
        delivered,
        read: delivered,
        ..Counts::default()
    };
    let spam = |spam| Counts {
        spam,
        ..Counts::default()
    };
    let unread = |read, delivered| Counts {
        delivered,
        read,
        ..Counts::default()
    };
    for (counts, level) in [
        (failing(9, 91), RiskLevel::Normal),
        (failing(10, 90), RiskLevel::Half),
        (failing(20, 80), RiskLevel::Quarter),
        (failing(35, 65), RiskLevel::MarketingPaused),
        (failing(60, 40), RiskLevel::MarketingPaused),
        (failing(120, 80), RiskLevel::NumberPaused),
        (held_back(20, 80), RiskLevel::Half),
        (held_back(90, 10), RiskLevel::MarketingPaused),
        (stopped(1, 99), RiskLevel::Half),
        (stopped(3, 97), RiskLevel::Quarter),
        (stopped(6, 94), RiskLevel::MarketingPaused),
        (unread(20, 1000), RiskLevel::Half),
        (unread(21, 1000), RiskLevel::Normal),
        (unread(0, 999), RiskLevel::Normal),
        (spam(1), RiskLevel::MarketingPaused),
        (spam(10), RiskLevel::NumberPaused),
    ] {
        assert_eq!(assess(&counts, None, TAKE), level, "{counts:?}");
    }
    let calm = Counts::default();
    assert_eq!(
        assess(&calm, Some(Quality::Red), TAKE),
        RiskLevel::MarketingPaused
    );
    assert_eq!(assess(&calm, Some(Quality::Yellow), TAKE), RiskLevel::Half);
    assert_eq!(assess(&calm, Some(Quality::Green), TAKE), RiskLevel::Normal);
}

#[test]
fn a_few_messages_say_nothing_about_a_number() {
    assert_eq!(assess(&failing(49, 0), None, TAKE), RiskLevel::Normal);
    assert_ne!(assess(&failing(50, 0), None, TAKE), RiskLevel::Normal);
}

#[test]
fn mistakes_of_ours_are_not_the_numbers_fault() {
    let mut counts = Counts::default();
    for code in [132_000, 132_015, 131_047, 131_053, 100] {
        counts.note_failure(Some(code));
    }
    assert_eq!((counts.ours, counts.failed), (5, 0));
    counts.note_failure(Some(131_026));
    counts.note_failure(Some(999_999));
    counts.note_failure(None);
    assert_eq!(counts.failed, 3);
    for code in [131_048, 131_049, 131_050] {
        counts.note_failure(Some(code));
    }
    assert_eq!((counts.spam, counts.held_back, counts.stopped), (1, 1, 1));
}

#[test]
fn worse_facts_never_lead_to_a_better_level() {
    let mut state = 7;
    for _ in 0..5000 {
        let delivered = noise(&mut state) % 3000;
        let counts = Counts {
            sent: 0,
            delivered,
            read: if delivered == 0 {
                0
            } else {
                noise(&mut state) % delivered
            },
            failed: noise(&mut state) % 500,
            held_back: noise(&mut state) % 500,
            stopped: noise(&mut state) % 50,
            spam: noise(&mut state) % 3,
            ours: 0,
        };
        let more = noise(&mut state) % 200;
        let quality = [
            None,
            Some(Quality::Green),
            Some(Quality::Yellow),
            Some(Quality::Red),
        ];
        let which = usize::try_from(noise(&mut state) % 3).unwrap();
        let worse = [
            Counts {
                failed: counts.failed + more,
                ..counts
            },
            Counts {
                held_back: counts.held_back + more,
                ..counts
            },
            Counts {
                stopped: counts.stopped + more,
                ..counts
            },
            Counts {
                spam: counts.spam + more,
                ..counts
            },
            Counts {
                read: counts.read.saturating_sub(more),
                ..counts
            },
        ];
        for part in [TAKE, KEEP] {
            let level = assess(&counts, quality[which], part);
            for worse in worse {
                assert!(
                    assess(&worse, quality[which], part) >= level,
                    "{counts:?} {worse:?}"
                );
            }
            assert!(assess(&counts, quality[which + 1], part) >= level);
        }
        assert!(assess(&counts, None, KEEP) >= assess(&counts, None, TAKE));
        let standing = Standing {
            level: RiskLevel::ALL[usize::try_from(noise(&mut state) % 6).unwrap()],
            since: later(-HOUR),
            base: Counts::default(),
        };
        let judged = |counts| {
            standing
                .judged(&at_hour(NOON, counts), quality[which], NOON)
                .level
        };
        for worse in worse {
            assert!(judged(worse) >= judged(counts));
        }
    }
}

#[test]
fn every_level_is_left_by_time_alone_step_by_step() {
    let paused = Standing {
        level: RiskLevel::NumberPaused,
        since: NOON,
        base: Counts::default(),
    };
    let mut seen = vec![RiskLevel::NumberPaused];
    for minutes in 0..(48 * 60) {
        let level = paused.at(later(minutes * MINUTE)).level;
        if seen.last() != Some(&level) {
            seen.push(level);
        }
    }
    assert_eq!(
        seen,
        RiskLevel::ALL.into_iter().rev().collect::<Vec<_>>(),
        "each level once, from worst to best"
    );
    assert_eq!(
        paused.better_than(RiskLevel::NumberPaused),
        Some(later(4 * HOUR))
    );
    assert_eq!(
        paused.better_than(RiskLevel::MarketingPaused),
        Some(later(16 * HOUR))
    );
    assert_eq!(paused.better_than(RiskLevel::Half), Some(later(34 * HOUR)));
    assert_eq!(
        Standing::default().better_than(RiskLevel::MarketingPaused),
        None
    );
}

#[test]
fn looking_twice_changes_nothing_and_what_led_to_a_level_does_not_lead_to_it_again() {
    let bad = at_hour(NOON, failing(200, 100));
    let taken = Standing::default().judged(&bad, None, NOON);
    assert_eq!((taken.level, taken.since), (RiskLevel::NumberPaused, NOON));
    for minutes in [1, 30, 119] {
        assert_eq!(
            taken.judged(&bad, None, later(minutes * MINUTE)),
            taken,
            "{minutes}"
        );
    }
    // Four hours later nothing new has happened: one step better, not back to the start.
    let stepped = taken.judged(&bad, None, later(4 * HOUR));
    assert_eq!(stepped.level, RiskLevel::MarketingPaused);
    let resumed = taken.judged(&bad, None, later(34 * HOUR));
    assert_eq!(resumed.level, RiskLevel::Normal);
    // And by then the facts are too old to count.
    assert_eq!(resumed.judged(&bad, None, later(35 * HOUR)), resumed);
}

#[test]
fn a_rate_about_a_threshold_does_not_switch_to_and_fro() {
    let mut standing = Standing::default();
    let mut hours = BTreeMap::new();
    let mut changes = 0;
    for step in 0..(24 * 60) {
        let now = later(step * MINUTE);
        // 9 % and 11 % by turns, about the 10 % of the table.
        let more = failing(if step % 2 == 0 { 9 } else { 11 }, 90);
        let slot: &mut Counts = hours.entry(hour(now)).or_default();
        *slot = slot.plus(&more);
        let next = standing.judged(&hours, None, now);
        if next.level != standing.level {
            changes += 1;
        }
        standing = next;
    }
    assert_eq!(
        (changes, standing.level),
        (1, RiskLevel::Half),
        "taken once and kept"
    );
}

#[test]
fn fresh_facts_make_a_level_worse_and_good_ones_let_it_end() {
    let first = Standing::default().judged(&at_hour(NOON, failing(10, 90)), None, NOON);
    assert_eq!(first.level, RiskLevel::Half);
    let worse = at_hour(NOON, failing(10 + 40, 90 + 60));
    assert_eq!(
        first.judged(&worse, None, later(MINUTE)).level,
        RiskLevel::MarketingPaused,
        "40 of the last 100"
    );
    let better = at_hour(NOON, failing(10 + 1, 90 + 500));
    let kept = first.judged(&better, None, later(5 * HOUR));
    assert_eq!(kept, first, "good facts do not cut the time short");
    assert_eq!(
        first.judged(&better, None, later(6 * HOUR)).level,
        RiskLevel::Normal
    );
}

#[test]
fn facts_older_than_a_day_are_forgotten() {
    let old = at_hour(NOON, failing(200, 100));
    let standing = Standing::default();
    assert_ne!(
        standing.judged(&old, None, later(23 * HOUR)).level,
        RiskLevel::Normal
    );
    assert_eq!(
        standing.judged(&old, None, later(24 * HOUR)).level,
        RiskLevel::Normal
    );
}

#[test]
fn extreme_counts_and_times_are_survived() {
    let all = Counts::from_values([u64::MAX; 8]);
    for level in RiskLevel::ALL {
        for since in [i64::MIN, -1, 0, i64::MAX] {
            let standing = Standing {
                level,
                since: Timestamp::from_millis(since),
                base: all,
            };
            for now in [i64::MIN, 0, i64::MAX] {
                let now = Timestamp::from_millis(now);
                let judged = standing.judged(&at_hour(now, all), Some(Quality::Red), now);
                assert!(judged.level >= RiskLevel::MarketingPaused);
            }
        }
        assert_eq!(RiskLevel::from_word(level.word()), Some(level));
    }
    assert_eq!(Counts::from_values(all.values()), all);
}
