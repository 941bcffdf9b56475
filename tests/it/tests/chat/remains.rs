//! What an erasure might miss: what registers said, a copy nobody has fetched yet, and messages of a number that the
//! business has given up since.

use std::collections::BTreeSet;

use headgate_domain::do_not_call::RegisterCheck;
use headgate_domain::identity::{Identifier, Phone};
use headgate_domain::time::{DAY, MINUTE, Timestamp};
use serde_json::Value;

use crate::access::{link_of, told};
use crate::erasure::{acquainted, by_both, left_of, names_of, who_wrote};
use crate::world::{NUMBER, World};
use crate::{ADA, said, text};

/// The number the business has afterwards.
const NEW_NUMBER: &str = "106540352249999";

/// What there may be of somebody who was erased: that they are not to be written to, commitments, the journal, the
/// request with its receipt, a copy of theirs that they have not fetched, and what is of nobody.
const KEPT: [&str; 19] = [
    "consent-ledger L",
    "controls live",
    "evidence erasure",
    "evidence purge",
    "keys evidence-salt",
    "keys salt",
    "pacing C",
    "pacing D",
    "pacing K",
    "pacing L",
    "privacy-requests agenda",
    "privacy-requests erased",
    "privacy-requests export",
    "privacy-requests request",
    "privacy-requests tombstones",
    "suppression erased",
    "suppression register",
    "suppression x1",
    "suppression x2",
];

/// A notification that came to the new number.
fn to_new_number(body: &Value) -> Value {
    serde_json::from_str(&body.to_string().replace(NUMBER, NEW_NUMBER)).unwrap()
}

#[tokio::test]
async fn nothing_is_left_of_what_registers_said_of_copies_and_of_numbers_that_are_gone() {
    let world = World::start().await;
    let empty: BTreeSet<String> = world
        .rows()
        .await
        .into_iter()
        .map(|(place, _)| place)
        .collect();
    acquainted(&world).await;
    world.send().await;
    let subject = who_wrote(&world, "my parcel is late").await;
    let consents = world.consents().await;
    let number = Identifier::Phone(Phone::parse(&format!("+{ADA}")).unwrap());
    let keys = consents.suppression_keys(&number);
    let now = Timestamp::from_seconds(world.seconds());
    for key in &keys {
        let check = RegisterCheck {
            registry: "CA_NATIONAL_DNCL".to_owned(),
            checked_on: now.day(),
            listed: true,
        };
        let until = now.plus_millis(30 * DAY);
        let list = consents.suppression();
        list.note_check(key, &check, until).await.unwrap();
    }
    let ask = |world: &World, id: &str, words: &str| {
        by_both(&said(ADA, id, world.seconds(), &text(words)))
    };
    world
        .notify("copy", &ask(&world, "wamid.COPY", "my data"))
        .await;
    world.receive_requests().await;
    world.work_off().await;
    let copy = told(&world).await.remove(0);
    world.remember_at(NUMBER, &subject).await;

    let world = world.with_number(NEW_NUMBER).await;
    let before = world.rows().await;
    let of_old = |rows: &[(String, String)]| {
        let of_messages = rows
            .iter()
            .filter(|(place, _)| place.contains("-messages/"));
        of_messages
            .filter(|(place, _)| place.contains(NUMBER))
            .count()
    };
    assert!(of_old(&before) >= 2, "what was sent, and what waits");
    let mut names = names_of(&before, &subject);
    let asked = to_new_number(&ask(&world, "wamid.DELETE", "Delete my data"));
    world.notify("delete", &asked).await;
    world.receive_requests().await;
    let receipts = world.on_queue("-system").await;
    let receipt = receipts.iter().find(|one| one["kind"] == "privacy_receipt");
    assert_eq!(
        receipt.unwrap()["from"],
        NEW_NUMBER,
        "the old one is not known any more"
    );
    names.extend(names_of(&world.rows().await, &subject));
    world.wait(6 * MINUTE);
    world.work_off().await;

    let after = world.rows().await;
    let mut left = left_of(&after, &names);
    left.retain(|place| !place.contains("-privacy-requests/erased/"));
    let is_mark = |place: &String| place.contains("-keys/");
    assert!(left.len() == 2 && left.iter().all(is_mark), "{left:?}");
    assert_eq!(of_old(&after), 0);
    // Of the number: that it is not to be written to, since when it is erased, and nothing that a register said.
    let list = consents.suppression();
    let keys: Vec<String> = keys.iter().map(|key| key.as_str().to_owned()).collect();
    assert!(
        list.checks(&keys)
            .await
            .unwrap()
            .values()
            .all(Vec::is_empty)
    );
    let of_number = |row: &&(String, String)| keys.iter().any(|key| row.0.contains(key.as_str()));
    for (place, text) in after.iter().filter(of_number) {
        let is_kept = ["/tombstones/", "/erased#", "/register#", "-suppression/x1_"];
        assert!(is_kept.iter().any(|part| place.contains(part)), "{place}");
        assert!(
            !text.contains("DNCL") && !text.contains("listed"),
            "{place}"
        );
    }
    // What is new since she came is all of these kinds, and none is of her.
    let kinds: BTreeSet<String> = after
        .iter()
        .filter(|(place, _)| !empty.contains(place))
        .map(|(place, _)| kind_of(place))
        .collect();
    let unexpected: Vec<&String> = kinds
        .iter()
        .filter(|kind| !KEPT.contains(&kind.as_str()))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");

    // The copy is under a key that follows from her link alone: hers to fetch for its three days, and then gone.
    let link = link_of(&world, &copy).await;
    let path = format!("/e/{}", link.reveal());
    let (status, file) = world.page("POST", &path, "as=file").await;
    assert!(status == 200 && file.contains("my parcel is late"));
    world.wait(4 * DAY);
    assert_eq!(world.page("POST", &path, "as=file").await.0, 410);
}

/// A table, and what its rows begin with.
fn kind_of(place: &str) -> String {
    let (table, row) = place.split_once('/').unwrap();
    let table = table.split_once("-stage-").unwrap().1;
    let row = row.split(['#', '/', '_']).next().unwrap();
    format!("{table} {row}")
}
