//! Who was erased is not brought back by what a file says they agreed to before.

use headgate_aws::controls::Controls;
use headgate_domain::consent::Action;
use headgate_domain::identity::{Identifier, PepperVersion, Phone};
use headgate_domain::lane::Purpose;
use headgate_domain::time::{HOUR, Timestamp};

use crate::world::{HEADER, World, function, row, somebody};
use crate::{ADA, BEN, EVE};

/// Whoever was behind a number was erased, as the worker leaves it: no row of theirs, and the mark.
async fn erased(world: &World, phone: &str, at: Timestamp) {
    let number = Identifier::Phone(Phone::parse(phone).unwrap());
    for key in world.consents.suppression_keys(&number) {
        let list = world.consents.suppression();
        list.mark_erased(&key, at).await.unwrap();
    }
}

fn claimed(phone: &str, purpose: &str, at: Timestamp) -> String {
    row(phone, purpose).replace("2026-03-01", &at.to_string())
}

/// What the report says of each row.
async fn told(world: &World, rows: &[String]) -> Vec<String> {
    let (_progress, report) = world.import(format!("{HEADER}{}", rows.concat())).await;
    let codes = report.iter().map(|line| line.split(',').nth(2).unwrap());
    codes.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_is_asked_for_nothing_they_are_said_to_have_agreed_to_before() {
    let world = World::start().await;
    let at = world.now();
    erased(&world, ADA, at).await;
    erased(&world, EVE, at).await;
    let before = at.plus_millis(-1);
    let rows = [
        row(ADA, "utility"),
        row(ADA, "marketing utility"),
        claimed(ADA, "utility", before),
        claimed(ADA, "marketing", at),
        row(BEN, "utility"),
    ];
    let expected = [
        "suppressed",
        "suppressed",
        "suppressed",
        "suppressed",
        "requested",
    ];
    assert_eq!(told(&world, &rows).await, expected);
    assert_eq!(world.subject(ADA).await, None, "nobody is on record again");
    assert_eq!(world.facts().await, 1);

    // What was agreed to since is another matter, and so is what they have said themselves.
    world.says(EVE, Action::Given, Purpose::Utility).await;
    let calendar = world.stage.cloud().calendar();
    calendar.set_offset_ms(HOUR);
    let rows = [
        claimed(ADA, "utility", at.plus_millis(1)),
        row(EVE, "utility"),
        row(EVE, "marketing"),
    ];
    let expected = ["requested", "already_given", "suppressed"];
    assert_eq!(told(&world, &rows).await, expected);
}

/// The mark is under the names of the pepper before.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_before_the_peppers_were_rotated_is_asked_for_nothing_after() {
    let world = World::start().await;
    erased(&world, ADA, world.now()).await;
    let table = &world.environment["HEADGATE_TABLE_CONTROLS"];
    let controls = Controls::new(&world.stage.aws(), table);
    let since = world.now().plus_millis(-2 * HOUR);
    let rotated = controls.next_peppers(PepperVersion::FIRST, since).await;
    assert!(rotated.unwrap());
    let again = function(world.environment.clone(), world.clock.clone()).await;
    let world = World {
        function: again,
        ..world
    };
    let rows = [row(ADA, "utility"), row(BEN, "utility")];
    assert_eq!(told(&world, &rows).await, ["suppressed", "requested"]);
    assert_eq!(world.subject(ADA).await, None);
}

/// The marks of a block are read together: twice as many rows of it take no more calls for them.
#[tokio::test(flavor = "multi_thread")]
async fn looking_for_the_erased_costs_the_same_for_one_row_and_for_fifty() {
    let mut calls = Vec::new();
    for people in [2, 50] {
        let world = World::start().await;
        let rows: Vec<String> = (0..people)
            .map(|n| {
                let phone = somebody(n);
                row(&phone, "utility")
            })
            .collect();
        for n in 0..people {
            erased(&world, &somebody(n), world.now()).await;
        }
        let gate = world.stage.cloud().gate();
        let before = gate.seen();
        assert!(
            told(&world, &rows)
                .await
                .iter()
                .all(|code| code == "suppressed")
        );
        calls.push(gate.seen() - before);
    }
    assert_eq!(calls[0], calls[1]);
}
