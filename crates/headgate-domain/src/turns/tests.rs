//! Whose turn it is, and in what order campaigns go.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn at(purpose: Purpose) -> usize {
    PURPOSES.iter().position(|lane| *lane == purpose).unwrap()
}

fn shares(ready: [bool; 4], slots: usize) -> [usize; 4] {
    let mut turns = Turns::new();
    let mut got = [0; 4];
    for _ in 0..slots {
        got[at(turns.next(ready).unwrap())] += 1;
    }
    got
}

#[test]
fn a_storm_of_codes_leaves_five_percent_shared_fairly() {
    assert_eq!(
        shares([true, false, false, true], 2_000),
        [1_900, 0, 0, 100]
    );
    assert_eq!(shares([true; 4], 6_000), [5_700, 100, 100, 100]);
    assert_eq!(
        shares([false, true, true, true], 4_000),
        [0, 3_800, 100, 100]
    );
}

#[test]
fn a_lane_alone_gets_every_slot_and_nobody_gets_none() {
    assert_eq!(shares([false, false, false, true], 100), [0, 0, 0, 100]);
    assert_eq!(Turns::new().next([false; 4]), None);
}

#[test]
fn a_pick_changes_nothing_until_it_is_used() {
    let turns = Turns::new();
    assert_eq!(turns.pick([true; 4]), Some(Purpose::Authentication));
    assert_eq!(turns, Turns::new());
}

proptest! {
    #[test]
    fn turns_are_work_conserving_and_nobody_starves(
        slots in proptest::collection::vec(any::<[bool; 4]>(), 1..600),
        always in 0_usize..4,
    ) {
        let mut turns = Turns::new();
        let mut waited = 0;
        let mut kept_before = false;
        for mut ready in slots {
            ready[always] = true;
            let picked = at(turns.next(ready).unwrap());
            prop_assert!(ready[picked]);
            let kept = ready[..picked].contains(&true);
            prop_assert!(!(kept && kept_before), "two kept slots in a row");
            if ready[0] && kept_before {
                prop_assert_eq!(picked, 0, "authentication waits for one slot at most");
            }
            kept_before = kept;
            waited = if picked == always { 0 } else { waited + 1 };
            // Each of the lower lanes has its turn within three kept slots.
            prop_assert!(waited < 60, "starved");
        }
    }

    #[test]
    fn of_twenty_slots_in_a_row_that_pass_somebody_over_one_is_kept(
        slots in proptest::collection::vec(any::<[bool; 4]>(), 60..600),
    ) {
        let mut turns = Turns::new();
        let mut passed = 0;
        for mut ready in slots {
            ready[0] = true;
            let lower = ready[1..].contains(&true);
            let picked = turns.next(ready).unwrap();
            if picked != Purpose::Authentication {
                prop_assert_eq!(passed, 19, "no more and no less than one in twenty");
                passed = 0;
            } else if lower {
                passed += 1;
                prop_assert!(passed < 20);
            }
        }
    }

    #[test]
    fn campaigns_take_turns_and_keep_their_order(
        steps in proptest::collection::vec((0_u8..6, 0_u8..5), 1..300),
    ) {
        let name = |campaign: u8| (campaign > 0).then(|| format!("c{campaign}"));
        let mut lane: Campaigns<(u8, i64)> = Campaigns::new();
        let mut model: BTreeMap<u8, Vec<i64>> = BTreeMap::new();
        // How many turns others had since a campaign that waits had one.
        let mut waited: BTreeMap<u8, usize> = BTreeMap::new();
        let (mut back, mut front) = (0, 0);
        for (step, campaign) in steps {
            match step {
                0..3 => {
                    back += 1;
                    lane.push_back(name(campaign), (campaign, back));
                    model.entry(campaign).or_default().push(back);
                }
                3 => {
                    front -= 1;
                    lane.push_front(name(campaign), (campaign, front));
                    model.entry(campaign).or_default().insert(0, front);
                    prop_assert_eq!(lane.front(), Some(&(campaign, front)));
                    // What comes back may go first any number of times.
                    waited.clear();
                }
                4 if campaign == 0 => {
                    lane.retain(|(_, item)| item % 3 != 0);
                    for items in model.values_mut() {
                        items.retain(|item| item % 3 != 0);
                    }
                    model.retain(|_, items| !items.is_empty());
                    waited.clear();
                }
                _ => {
                    let next = lane.front().copied();
                    let popped = lane.pop_front();
                    prop_assert_eq!(next, popped);
                    prop_assert_eq!(popped.is_none(), model.is_empty());
                    if let Some((campaign, item)) = popped {
                        let items = model.get_mut(&campaign).unwrap();
                        prop_assert_eq!(items.remove(0), item, "the order of a campaign");
                        if items.is_empty() {
                            model.remove(&campaign);
                        }
                        waited.remove(&campaign);
                        for other in model.keys().filter(|other| **other != campaign) {
                            let turns = waited.entry(*other).or_default();
                            *turns += 1;
                            prop_assert!(*turns < 5, "five campaigns, so four turns of others");
                        }
                    }
                }
            }
            prop_assert_eq!(lane.len(), model.values().map(Vec::len).sum::<usize>());
            prop_assert_eq!(lane.is_empty(), model.is_empty());
            let mut all: Vec<_> = lane.iter().map(|(_, item)| *item).collect();
            let mut expected: Vec<_> = model.values().flatten().copied().collect();
            all.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(all, expected);
        }
    }
}

#[test]
fn a_big_campaign_does_not_hold_up_a_small_one_and_what_returns_keeps_its_order() {
    let mut lane = Campaigns::new();
    for i in 0..1_000 {
        lane.push_back(Some("big".to_owned()), i);
    }
    lane.push_back(Some("small".to_owned()), -1);
    let taken: Vec<_> = (0..4).filter_map(|_| lane.pop_front()).collect();
    assert_eq!(taken, [0, -1, 1, 2]);
    for i in [2, 1] {
        lane.push_front(Some("big".to_owned()), i);
    }
    assert_eq!(lane.pop_front(), Some(1));
    assert_eq!(lane.pop_front(), Some(2));
}
