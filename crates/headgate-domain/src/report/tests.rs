//! What is told of a table never leaves one table alone that it can have been made from.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;

type Told<const N: usize> = (Option<u64>, [Option<u64>; N]);

/// Every row of `N` cells with at most `most` messages and at least one.
fn rows<const N: usize>(most: u64) -> Vec<[u64; N]> {
    let mut all = vec![([0; N], 0)];
    for place in 0..N {
        let mut longer = Vec::new();
        for (row, sum) in &all {
            for count in 0..=most - sum {
                let mut row: [u64; N] = *row;
                row[place] = count;
                longer.push((row, sum + count));
            }
        }
        all = longer;
    }
    let rows = all.into_iter().filter(|(_, sum)| *sum > 0);
    rows.map(|(row, _)| row).collect()
}

/// The rows of which what is told gives a cell or a total away that it holds back, to somebody who knows the rule and
/// can try every row there is.
fn given_away<const N: usize>(
    most: u64,
    rule: impl Fn(&[u64; N]) -> Told<N>,
) -> Vec<([u64; N], usize)> {
    let mut by_told: HashMap<Told<N>, Vec<[u64; N]>> = HashMap::new();
    for row in rows::<N>(most) {
        by_told.entry(rule(&row)).or_default().push(row);
    }
    let mut found = Vec::new();
    for ((total, cells), rows) in by_told {
        for place in (0..N).filter(|place| cells[*place].is_none()) {
            let values: BTreeSet<u64> = rows.iter().map(|row| row[place]).collect();
            if values.len() < 2 {
                found.push((rows[0], place));
            }
        }
        let totals: BTreeSet<u64> = rows.iter().map(|row| row.iter().sum()).collect();
        if total.is_none() && totals.len() < 2 {
            found.push((rows[0], N));
        }
    }
    found.sort_unstable();
    found
}

fn total<const N: usize>(row: &[u64; N]) -> Option<u64> {
    Some(row.iter().sum::<u64>()).filter(|total| *total >= LEAST)
}

#[test]
fn no_cell_that_is_held_back_can_be_computed_from_any_small_table() {
    all_could_be_another::<2>(60);
    all_could_be_another::<3>(48);
    all_could_be_another::<4>(32);
    all_could_be_another::<5>(22);
}

fn all_could_be_another<const N: usize>(most: u64) {
    let found = given_away::<N>(most, hold_back);
    assert!(found.is_empty(), "{found:?}");
}

/// Other rules that look as good: the search above finds what each gives away.
#[test]
fn the_search_finds_what_weaker_rules_give_away() {
    let small = |count: u64| (1..LEAST).contains(&count);
    let cells_alone = |row: &[u64; 3]| (total(row), row.map(|c| Some(c).filter(|c| !small(*c))));
    // The total is known and one cell is missing.
    assert!(given_away(30, cells_alone).contains(&([1, 20, 0], 0)));

    // One more only where one is missing: two ones are missing two.
    let one_more = |row: &[u64; 3]| {
        let (total, mut cells) = cells_alone(row);
        if cells.iter().filter(|cell| cell.is_none()).count() == 1 {
            let others = (0..3).filter(|place| cells[*place].is_some_and(|c| c > 0));
            let smallest = others.min_by_key(|place| row[*place]);
            if let Some(place) = smallest {
                cells[place] = None;
            }
        }
        (total, cells)
    };
    assert!(given_away(30, one_more).contains(&([1, 1, 20], 0)));

    // One of two that are equal: with 11 missing, the other order would have left out another cell.
    let first_of_equals = |row: &[u64; 3]| {
        let (total, mut cells) = cells_alone(row);
        if cells.contains(&None) {
            let others = (0..3).filter(|place| cells[*place].is_some_and(|c| c > 0));
            if let Some(place) = others.min_by_key(|place| row[*place]) {
                cells[place] = None;
            }
        }
        (total, cells)
    };
    assert!(given_away(30, first_of_equals).contains(&([10, 10, 1], 0)));
}

#[test]
fn zeros_stay_zeros_and_what_is_large_enough_is_told() {
    assert_eq!(
        hold_back(&[0, 12, 0, 40]),
        (Some(52), [Some(0), Some(12), Some(0), Some(40)])
    );
    // One is small, the smallest of the others goes with it.
    assert_eq!(
        hold_back(&[3, 12, 0, 40]),
        (Some(55), [None, None, Some(0), Some(40)])
    );
    // Of a row of nine nothing is told, not even that all of them were read.
    assert_eq!(hold_back(&[0, 0, 9, 0]), (None, [None; 4]));
    assert_eq!(
        hold_back(&[0, 0, 10, 0]),
        (Some(10), [Some(0), Some(0), Some(10), Some(0)])
    );
}

#[test]
fn every_state_is_counted_once_under_its_template() {
    let mut tally = Tally::default();
    for _ in 0..12 {
        tally.add(Some("order_shipped"), State::Played);
        tally.add(None, State::Held);
    }
    for _ in 0..10 {
        // What may be somebody's number or name is no name of a template.
        tally.add(Some("reminder_6135550123"), State::Read);
        tally.add(Some(""), State::Failed);
        tally.add(Some("Ada Lovelace"), State::Ambiguous);
    }
    tally.add(Some("v2_2026_sale"), State::Queued);
    let now = Timestamp::parse("2026-11-25T06:00:00Z").unwrap();
    let report = tally.publish(now);
    let rows = report.rows.iter();
    let told: BTreeMap<Option<&str>, Told<8>> = rows
        .map(|row| (row.template.as_deref(), (row.messages, row.outcomes)))
        .collect();
    let cells = |known: &[(Outcome, u64)]| {
        let of = |outcome| known.iter().find(|(known, _)| *known == outcome);
        OUTCOMES.map(|outcome| Some(of(outcome).map_or(0, |(_, count)| *count)))
    };
    let unnamed = cells(&[
        (Outcome::Read, 10),
        (Outcome::Failed, 10),
        (Outcome::Waiting, 10),
    ]);
    let expected = BTreeMap::from([
        (None, (Some(12), cells(&[(Outcome::Accepted, 12)]))),
        (
            Some("order_shipped"),
            (Some(12), cells(&[(Outcome::Read, 12)])),
        ),
        (Some(UNNAMED), (Some(30), unnamed)),
        (Some("v2_2026_sale"), (None, [None; 8])),
    ]);
    assert_eq!(told, expected);
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<DayReport>(&json).unwrap(), report);
}

#[test]
fn a_day_is_counted_once_it_has_settled_and_while_its_rows_are_there() {
    let day = Day::parse("2026-11-20").unwrap();
    let settled = Timestamp::parse("2026-11-23T00:00:00Z").unwrap();
    assert_eq!(settled_at(day), settled);
    assert_eq!(last_settled(settled), day);
    assert!(!is_countable(day, settled.plus_millis(-1)) && is_countable(day, settled));
    assert!(is_countable(day, due(day).plus_millis(-1)) && !is_countable(day, due(day)));
}

/// Rows that are told the same as this one: what two cells held back can exchange.
fn neighbours(row: &[u64; 8]) -> Vec<[u64; 8]> {
    let told = hold_back(row);
    let mut found = Vec::new();
    for a in 0..8 {
        let mut more = *row;
        more[a] += 1;
        found.push(more);
        let mut fewer = *row;
        fewer[a] = fewer[a].saturating_sub(1);
        found.push(fewer);
        for b in (0..8).filter(|b| *b != a) {
            let mut swapped = *row;
            swapped.swap(a, b);
            found.push(swapped);
            let mut moved = *row;
            if moved[a] > 0 {
                moved[a] -= 1;
                moved[b] += 1;
                found.push(moved);
            }
        }
    }
    found.retain(|other| hold_back(other) == told && other.iter().sum::<u64>() > 0);
    found
}

proptest! {
    #[test]
    fn every_cell_that_is_held_back_could_be_another(
        row in prop::array::uniform8(prop_oneof![Just(0_u64), 1_u64..4, 8_u64..13, 0_u64..60])
    ) {
        prop_assume!(row.iter().sum::<u64>() > 0);
        let (total, cells) = hold_back(&row);
        let others = neighbours(&row);
        for place in (0..8).filter(|place| cells[*place].is_none()) {
            prop_assert!(others.iter().any(|other| other[place] != row[place]), "{row:?} at {place}");
        }
        prop_assert!(total.is_some() || others.iter().any(|other| other.iter().sum::<u64>() != row.iter().sum::<u64>()));
        // Nothing small is told, and nothing that is told is wrong.
        for (told, count) in cells.iter().zip(row) {
            prop_assert!(told.is_none_or(|told| told == count && (told == 0 || told >= LEAST)));
        }
    }

    /// Whatever else is in a report, a row of it says the same.
    #[test]
    fn a_row_is_told_the_same_in_every_report(
        days in prop::collection::vec(prop::collection::vec((0_u8..4, 0_usize..12), 0..80), 1..5),
        with in prop::collection::vec((0_u8..4, 0_usize..12), 0..40),
    ) {
        const STATES: [State; 12] = [
            State::Queued, State::Scheduled, State::Accepted, State::Held, State::Ambiguous, State::Sent,
            State::Delivered, State::Read, State::Played, State::Failed, State::Unknown, State::Cancelled,
        ];
        let at = Timestamp::from_millis(0);
        for day in days {
            let mut alone = Tally::default();
            let mut beside = Tally::default();
            for (template, state) in &day {
                let template = format!("template_{template}");
                alone.add(Some(&template), STATES[*state]);
                beside.add(Some(&template), STATES[*state]);
            }
            for (template, state) in &with {
                beside.add(Some(&format!("other_{template}")), STATES[*state]);
            }
            let beside = beside.publish(at);
            for row in alone.publish(at).rows {
                prop_assert!(beside.rows.contains(&row));
            }
        }
    }
}
