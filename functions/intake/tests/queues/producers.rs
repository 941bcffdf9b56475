//! A module of the business cannot send on another's lane or number, and a paused one not at all.

use headgate_aws::controls::Controls;
use headgate_domain::live::Pause;
use serde_json::{Value, json};

use crate::world::{PRODUCER, STRANGER, World};
use crate::{NUMBER, code, consent, message};

async fn event_for(world: &World, queue: &str, producer: &str, body: &Value) -> Value {
    let mut events = world.told(queue, "sqs", producer, body).await;
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

#[tokio::test]
async fn once_a_producer_is_declared_everybody_sends_only_what_is_granted() {
    let world = World::start_with(
        "\n[[producers]]\nprincipal = \"AROASHOP\"\nlanes = [\"authentication\"]\nnumbers = [\"main\"]\n",
    )
    .await;
    let yes = consent(&world, "given", &json!("marketing"), "c-1");
    world.answer("CONSENTS", "s-0", &yes).await;
    let refused = |event: &Value| {
        event["data"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };

    let good = event_for(
        &world,
        "AUTHENTICATION",
        PRODUCER,
        &code(&world, "a", NUMBER),
    )
    .await;
    assert_eq!(good["type"], "message.accepted");
    let lane = event_for(&world, "MARKETING", PRODUCER, &message("marketing", "b")).await;
    assert_eq!(
        (refused(&lane).as_str(), &lane["data"]["field"]),
        ("lane_mismatch", &json!("purpose"))
    );
    let stranger = event_for(
        &world,
        "AUTHENTICATION",
        STRANGER,
        &code(&world, "c", NUMBER),
    )
    .await;
    assert_eq!(refused(&stranger), "unknown_sender");
    let mut number = code(&world, "d", NUMBER);
    number["from"] = json!("closed");
    let number = event_for(&world, "AUTHENTICATION", PRODUCER, &number).await;
    assert_eq!(refused(&number), "unknown_sender");
    // A template of another category does not get through a lane that is granted.
    let mut template = code(&world, "e", NUMBER);
    template["message"]["template"]["name"] = json!("autumn_sale");
    let template = event_for(&world, "AUTHENTICATION", PRODUCER, &template).await;
    assert_eq!(refused(&template), "purpose_mismatch");
}

#[tokio::test]
async fn a_paused_producer_is_refused_and_another_is_not() {
    let world = World::start().await;
    let controls = Controls::new(world.aws(), world.name("HEADGATE_TABLE_CONTROLS"));
    let pause = Pause {
        reason: "operator".to_owned(),
        since: world.now(),
        until: None,
    };
    controls.pause_producer("AROASHOP", &pause).await.unwrap();
    let paused = event_for(
        &world,
        "AUTHENTICATION",
        PRODUCER,
        &code(&world, "a", NUMBER),
    )
    .await;
    assert_eq!(paused["data"]["code"], "producer_paused");
    let other = event_for(
        &world,
        "AUTHENTICATION",
        STRANGER,
        &code(&world, "b", NUMBER),
    )
    .await;
    assert_eq!(other["type"], "message.accepted");
}
