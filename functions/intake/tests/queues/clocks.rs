//! Times at their edges, and clocks that jump between a delivery and the next.

use headgate_domain::lane::Purpose;
use headgate_domain::record::State;
use headgate_domain::time::{DAY, Timestamp};
use serde_json::{Value, json};

use crate::world::{PRODUCER, World};
use crate::{ID, NUMBER, code, consent, message, reference};

async fn opted_in() -> World {
    let world = World::start().await;
    let yes = consent(&world, "given", &json!("utility"), "c-1");
    world.answer("CONSENTS", "s-0", &yes).await;
    world
}

async fn deliver(world: &World, body: &Value) -> Value {
    let mut events = world.told("UTILITY", "s-1", PRODUCER, body).await;
    assert_eq!(events.len(), 1);
    events.remove(0)
}

#[tokio::test]
async fn sixty_days_ahead_is_planned_and_a_moment_more_is_refused() {
    let world = opted_in().await;
    let mut body = message("utility", "far");
    body["not_before"] = json!(world.now().plus_millis(60 * DAY));
    let planned = deliver(&world, &body).await;
    assert_eq!(planned["type"], "message.accepted");
    let stored = world
        .messages()
        .load(&[reference(&planned)], world.now())
        .await
        .unwrap()
        .remove(0);
    // Default expiry counts from the planned moment, not from today.
    assert_eq!(stored.state, State::Scheduled);
    assert_eq!(
        stored.expires_at,
        stored.not_before.unwrap().plus_millis(DAY)
    );

    for (id, field) in [("a", "not_before"), ("b", "expires_at")] {
        let mut body = message("utility", id);
        // A minute, because the clock goes on while the message is on its way.
        body[field] = json!(world.now().plus_millis(60 * DAY + 60_000));
        let refused = deliver(&world, &body).await;
        assert_eq!(
            (&refused["data"]["code"], &refused["data"]["field"]),
            (&json!("not_before_too_far"), &json!(field))
        );
    }
    let mut backwards = message("utility", "c");
    backwards["not_before"] = json!(world.now().plus_millis(DAY));
    backwards["expires_at"] = json!(world.now().plus_millis(DAY - 1));
    assert_eq!(
        deliver(&world, &backwards).await["data"]["field"],
        "expires_at"
    );
    // A start in the past is now.
    let mut past = message("utility", "d");
    past["not_before"] = json!(world.now().plus_millis(-DAY));
    let now = deliver(&world, &past).await;
    let stored = world
        .messages()
        .load(&[reference(&now)], world.now())
        .await
        .unwrap()
        .remove(0);
    assert_eq!((stored.state, stored.not_before), (State::Queued, None));
}

#[tokio::test]
async fn a_planned_message_is_one_message_whatever_the_clock_does_between_deliveries() {
    let world = opted_in().await;
    let at = world.now().plus_millis(3_600_000);
    let mut body = message("utility", ID);
    body["not_before"] = json!(at);
    let first = deliver(&world, &body).await;
    for jump in [-7_200_000, 4 * 3_600_000, 48 * 3_600_000, -50 * 3_600_000] {
        world.turn(jump);
        let again = deliver(&world, &body).await;
        assert_eq!(again["event_id"], first["event_id"], "{jump}");
        assert_eq!(again["data"], first["data"], "{jump}");
        let stored = world
            .messages()
            .load(&[reference(&first)], world.now())
            .await
            .unwrap()
            .remove(0);
        assert_eq!(
            (stored.state, stored.not_before),
            (State::Scheduled, Some(at))
        );
        assert_eq!(
            world.pacing().next_due("portfolio-1").await.unwrap(),
            Some(at),
            "one entry, where it was"
        );
    }
    let due = world
        .pacing()
        .due("portfolio-1", Purpose::Utility, at, None, 10)
        .await
        .unwrap();
    assert_eq!(due.len(), 1);
}

#[tokio::test]
async fn a_message_that_expired_while_the_clock_was_ahead_is_accepted_when_it_is_right_again() {
    let world = opted_in().await;
    let mut body = message("utility", ID);
    body["expires_at"] = json!(world.now().plus_millis(600_000));
    world.turn(3_600_000);
    assert_eq!(deliver(&world, &body).await["data"]["code"], "expired");
    world.turn(-3_600_000);
    assert_eq!(
        deliver(&world, &body).await["type"],
        "message.accepted",
        "a refused id is not consumed"
    );
}

#[tokio::test]
async fn an_action_of_the_person_from_the_future_opens_no_way() {
    let world = World::start().await;
    for (ahead, expected) in [
        (240_000, "message.accepted"),
        (600_000, "message.refused"),
        (-16 * 60_000, "message.refused"),
    ] {
        let mut body = code(&world, &format!("login{ahead}"), NUMBER);
        let at: Timestamp = world.now().plus_millis(ahead);
        body["basis"]["at"] = json!(at);
        let told = world
            .answer("AUTHENTICATION", &format!("s{ahead}"), &body)
            .await;
        assert_eq!(told["type"], expected, "{ahead}");
    }
}
