//! Where a person's data may be, and whom a register keeps from advertising.

use headgate_domain::do_not_call::RegisterCheck;
use headgate_domain::identity::{Identifier, Phone};
use headgate_domain::time::DAY;
use serde_json::{Value, json};

use crate::world::World;
use crate::{NUMBER, code, message};

/// A number of the Singapore plan, as in the vectors of the profiles.
const SINGAPORE: &str = "+6591234567";

/// The local cloud says it is in eu-west-1.
const CHINA: &str = "+8613855550100";

async fn outcome(world: &World, lane: &str, body: &Value) -> String {
    let id = body["id"].as_str().unwrap();
    let event = world.answer(lane, id, body).await;
    match event["type"].as_str().unwrap() {
        "message.accepted" => "accepted".to_owned(),
        _ => event["data"]["code"].as_str().unwrap().to_owned(),
    }
}

#[tokio::test]
async fn a_person_is_served_from_an_allowed_region_or_by_a_recorded_transfer() {
    let closed = World::start().await;
    let canada = code(&closed, "a", NUMBER);
    assert_eq!(
        outcome(&closed, "AUTHENTICATION", &canada).await,
        "accepted"
    );
    let china = code(&closed, "b", CHINA);
    assert_eq!(
        outcome(&closed, "AUTHENTICATION", &china).await,
        "region_not_allowed"
    );
    let open = World::start_with(
        "\n[[transfers]]\nprofile = \"CN_PIPL\"\nregions = [\"eu-west-1\"]\n\
         instrument = \"standard_contractual_clauses\"\nconcluded = \"2026-10-01\"\n\
         approved_by = \"data protection officer\"\n",
    )
    .await;
    let china = code(&open, "b", CHINA);
    assert_eq!(outcome(&open, "AUTHENTICATION", &china).await, "accepted");
}

#[tokio::test]
async fn a_check_of_a_register_is_found_by_the_number_and_counts_for_its_days() {
    let world = World::start().await;
    let advertise = async |id: &str| {
        let mut body = message("marketing", id);
        body["to"] = json!({ "phone": SINGAPORE });
        outcome(&world, "MARKETING", &body).await
    };
    assert_eq!(advertise("a").await, "dnc_unchecked");
    let consents = world.consents().await;
    let key = consents
        .suppression_keys(&Identifier::Phone(Phone::parse(SINGAPORE).unwrap()))
        .remove(0);
    let today = world.now().day();
    let note = async |listed| {
        let check = RegisterCheck {
            registry: "SG_DNC_NO_TEXT".into(),
            checked_on: today,
            listed,
        };
        let until = today.plus(21).start();
        let entries = consents.suppression();
        entries.note_check(&key, &check, until).await.unwrap();
    };
    note(false).await;
    assert_eq!(advertise("b").await, "no_consent", "a check is no consent");
    note(true).await;
    assert_eq!(advertise("c").await, "suppressed");
    note(false).await;
    assert_eq!(
        advertise("c-2").await,
        "suppressed",
        "of one day, listed stays"
    );
    let number = SINGAPORE.trim_start_matches('+');
    for (at, item) in world.tables().await {
        assert!(!at.contains(number) && !item.contains(number), "{at}");
    }
    world.turn(21 * DAY);
    assert_eq!(advertise("d").await, "dnc_unchecked");
}
