//! An app takes a message back, as long as it waits.

use headgate_aws::messages::Settlement;
use headgate_domain::holder::Claim;
use headgate_domain::record::State;
use serde_json::{Value, json};

use crate::world::{PRODUCER, STRANGER, World};
use crate::{ID, NUMBER, code, message, nothing_is_in_clear, reference};

fn cancel(id: &str) -> Value {
    json!({ "schema": "headgate.control/1", "action": "cancel", "id": id })
}

#[tokio::test]
async fn a_waiting_message_is_cancelled_and_the_app_is_told_the_same_at_every_delivery() {
    let world = World::start().await;
    let accepted = world
        .answer("AUTHENTICATION", "s-1", &code(&world, ID, NUMBER))
        .await;
    let told = world
        .told("AUTHENTICATION", "s-2", PRODUCER, &cancel(ID))
        .await;
    assert_eq!(told.len(), 1);
    let told = &told[0];
    assert_eq!(told["type"], "message.cancelled");
    assert_eq!(
        told["data"],
        json!({ "purpose": "authentication", "reason": "cancelled_by_app" })
    );
    assert_eq!(
        (&told["id"], &told["message_id"], &told["subject"]),
        (&json!(ID), &accepted["message_id"], &accepted["subject"])
    );
    let stored = world
        .messages()
        .load(&[reference(&accepted)], world.now())
        .await
        .unwrap();
    assert_eq!(stored[0].state, State::Cancelled);

    for sqs in ["s-2", "s-3"] {
        let again = world
            .told("AUTHENTICATION", sqs, PRODUCER, &cancel(ID))
            .await;
        assert_eq!(
            (&again[0]["event_id"], &again[0]["data"]),
            (&told["event_id"], &told["data"])
        );
    }
    nothing_is_in_clear(&world, &[]).await;
}

#[tokio::test]
async fn a_scheduled_message_leaves_the_due_list() {
    let world = World::start().await;
    let at = world.now().plus_millis(600_000);
    let mut body = code(&world, ID, NUMBER);
    body["not_before"] = json!(at);
    world.answer("AUTHENTICATION", "s-1", &body).await;
    assert_eq!(
        world.pacing().next_due("portfolio-1").await.unwrap(),
        Some(at)
    );
    let told = world
        .told("AUTHENTICATION", "s-2", PRODUCER, &cancel(ID))
        .await;
    assert_eq!(told[0]["type"], "message.cancelled");
    assert_eq!(world.pacing().next_due("portfolio-1").await.unwrap(), None);
}

#[tokio::test]
async fn nobody_cancels_or_learns_of_what_is_not_theirs() {
    let world = World::start().await;
    let accepted = world
        .answer("AUTHENTICATION", "s-1", &code(&world, ID, NUMBER))
        .await;
    for (queue, producer, id) in [
        ("AUTHENTICATION", STRANGER, ID),
        ("SERVICE", PRODUCER, ID),
        ("AUTHENTICATION", PRODUCER, "never-sent"),
    ] {
        let told = world
            .told(queue, &format!("c-{queue}-{id}"), producer, &cancel(id))
            .await;
        let told = &told[0];
        assert_eq!(
            (&told["type"], &told["data"]["code"]),
            (&json!("message.not_cancelled"), &json!("unknown_id"))
        );
        assert!(
            told.get("message_id").is_none() && told.get("subject").is_none(),
            "{told}"
        );
    }
    let stored = world
        .messages()
        .load(&[reference(&accepted)], world.now())
        .await
        .unwrap();
    assert_eq!(stored[0].state, State::Queued);
    // Nothing is remembered of an unknown id: it is free.
    let later = code(&world, "never-sent", NUMBER);
    assert_eq!(
        world.answer("AUTHENTICATION", "s-2", &later).await["type"],
        "message.accepted"
    );
}

#[tokio::test]
async fn what_is_on_its_way_or_over_is_said_to_be() {
    let world = World::start().await;
    let why = async |id: &str| {
        let told = world
            .told("AUTHENTICATION", &format!("c-{id}"), PRODUCER, &cancel(id))
            .await;
        assert_eq!(told[0]["type"], "message.not_cancelled");
        told[0]["data"]["code"].as_str().unwrap().to_owned()
    };
    let claimed = world
        .answer("AUTHENTICATION", "s-1", &code(&world, "claimed", NUMBER))
        .await;
    let claim = Claim {
        epoch: 1,
        block: 1,
        slot: 0,
        references: vec![(reference(&claimed), 1)],
    };
    world
        .pacing()
        .put_claim("106540352242922", &claim, world.now())
        .await
        .unwrap();
    assert_eq!(why("claimed").await, "on_its_way");
    let stored = world
        .messages()
        .load(&[reference(&claimed)], world.now())
        .await
        .unwrap();
    assert_eq!(
        stored[0].state,
        State::Queued,
        "what is being sent is left alone"
    );

    for (id, state, expected) in [
        ("accepted", State::Accepted, "on_its_way"),
        ("ambiguous", State::Ambiguous, "on_its_way"),
        ("failed", State::Failed, "already_over"),
    ] {
        let placed = world
            .answer("AUTHENTICATION", id, &code(&world, id, NUMBER))
            .await;
        world
            .messages()
            .settle(
                &reference(&placed),
                state,
                &Settlement::default(),
                world.now(),
            )
            .await
            .unwrap();
        assert_eq!(why(id).await, expected);
    }
}

#[tokio::test]
async fn a_message_cancelled_for_another_reason_keeps_it() {
    let world = World::start().await;
    let placed = world
        .answer("AUTHENTICATION", "s-1", &code(&world, ID, NUMBER))
        .await;
    let settlement = Settlement {
        reason: Some("suppressed"),
        ..Settlement::default()
    };
    world
        .messages()
        .settle(
            &reference(&placed),
            State::Cancelled,
            &settlement,
            world.now(),
        )
        .await
        .unwrap();
    let told = world
        .told("AUTHENTICATION", "s-2", PRODUCER, &cancel(ID))
        .await;
    assert_eq!(
        (&told[0]["type"], &told[0]["data"]["reason"]),
        (&json!("message.cancelled"), &json!("suppressed"))
    );
}

#[tokio::test]
async fn a_control_message_that_is_none_is_answered_by_its_field() {
    let world = World::start().await;
    let mut body = cancel("a");
    body["action"] = json!("pause");
    let told = world.told("UTILITY", "s-1", PRODUCER, &body).await;
    assert_eq!(told[0]["type"], "message.not_cancelled");
    assert_eq!(
        (
            &told[0]["data"]["code"],
            &told[0]["data"]["field"],
            &told[0]["id"]
        ),
        (&json!("malformed"), &json!("action"), &json!("a"))
    );
    assert_eq!(
        told[0]["data"]["message"],
        "The control message does not follow headgate.control/1."
    );
    // On another queue than a lane it is no control message.
    let told = world.told("CONSENTS", "s-2", PRODUCER, &cancel("a")).await;
    assert_eq!(told[0]["type"], "consent.refused");
    // Nor does a message become one by its words.
    let mut odd = message("marketing", "odd");
    odd["message"]["template"]["components"][0]["parameters"][0]["text"] =
        json!("headgate.control/1");
    assert_eq!(
        world.told("MARKETING", "s-3", PRODUCER, &odd).await[0]["data"]["code"],
        "no_consent"
    );
}
