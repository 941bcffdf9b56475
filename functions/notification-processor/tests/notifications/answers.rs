//! What people are answered, and what is heard in the answer to a question of ours.

use headgate_domain::consent::State as Stands;
use headgate_domain::lane::Purpose;
use headgate_domain::record::State;
use headgate_domain::time::{MINUTE, Timestamp};
use serde_json::{Value, json};

use crate::world::{NUMBER, World, body, text};

/// In a country where no law gives a word its effect.
const GRACE: &str = "+447700900123";

fn seconds_ago(world: &World, seconds: i64) -> Timestamp {
    world.ago(1_000 * seconds)
}

async fn says(world: &World, id: &str, seconds: i64, words: &str) {
    let message = text(GRACE, id, seconds_ago(world, seconds), words);
    world.consume(&body("messages", &[message])).await;
}

/// The kinds of what was put on the system queue, in alphabetical order.
async fn answers(world: &World) -> Vec<String> {
    let queued = world.queue("-system").await;
    let mut kinds: Vec<String> = queued
        .iter()
        .map(|message| message["kind"].as_str().unwrap().to_owned())
        .collect();
    kinds.sort_unstable();
    kinds
}

fn button(id: &str, at: Timestamp, payload: &str, title: &str) -> Value {
    let mut message = text(GRACE, id, at, "");
    message.as_object_mut().unwrap().remove("text");
    message["type"] = json!("interactive");
    message["interactive"] =
        json!({ "type": "button_reply", "button_reply": { "id": payload, "title": title } });
    message
}

fn switch(value: &str, at: Timestamp) -> String {
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "300", "changes": [{ "field": "user_preferences", "value": {
        "messaging_product": "whatsapp", "metadata": { "phone_number_id": NUMBER },
        "user_preferences": [{ "wa_id": GRACE.trim_start_matches('+'), "category": "marketing_messages", "value": value, "timestamp": at.seconds() }] } }] }] })
    .to_string()
}

#[tokio::test]
async fn a_stop_is_confirmed_once_and_a_second_one_means_everything() {
    let world = World::start().await;
    world.opt_in(GRACE, seconds_ago(&world, 600)).await;
    says(&world, "wamid.A", 60, "Stop!").await;
    let queued = world.queue("-system").await;
    assert_eq!(queued.len(), 1);
    let subject = world.subject(GRACE).await;
    assert_eq!(queued[0]["kind"], "optout_confirmation");
    assert_eq!(queued[0]["to"], json!({ "subject": subject.as_str() }));
    assert_eq!(queued[0]["from"], NUMBER);
    assert_eq!(queued[0]["locale"], "en");
    assert_eq!(world.suppressed(GRACE).await, [Purpose::Marketing]);

    says(&world, "wamid.B", 30, "STOP").await;
    assert_eq!(answers(&world).await, ["optout_confirmation"]);
    let mut closed = world.suppressed(GRACE).await;
    closed.sort_unstable();
    let mut everything = [Purpose::Marketing, Purpose::Utility];
    everything.sort_unstable();
    assert_eq!(closed, everything);
}

#[tokio::test]
async fn a_stop_after_a_start_is_a_first_one_again() {
    let world = World::start().await;
    world.opt_in(GRACE, seconds_ago(&world, 600)).await;
    says(&world, "wamid.A", 60, "stop").await;
    says(&world, "wamid.B", 40, "start").await;
    assert_eq!(world.marketing(GRACE).await, Some(Stands::Given));
    says(&world, "wamid.C", 20, "stop").await;
    assert_eq!(
        answers(&world).await,
        [
            "optin_confirmation",
            "optout_confirmation",
            "optout_confirmation"
        ]
    );
    assert_eq!(world.suppressed(GRACE).await, [Purpose::Marketing]);
}

#[tokio::test]
async fn a_stop_to_everything_is_confirmed_as_that() {
    let world = World::start().await;
    says(&world, "wamid.A", 10, "delete my number please").await;
    assert_eq!(answers(&world).await, ["optout_all_confirmation"]);
    assert_eq!(world.suppressed(GRACE).await.len(), 2);
}

#[tokio::test]
async fn nobody_is_answered_after_five_minutes_or_for_metas_switch_or_from_a_number_that_is_not_ours()
 {
    let world = World::start().await;
    world.opt_in(GRACE, seconds_ago(&world, 4_000)).await;
    says(&world, "wamid.A", 301, "stop").await;
    assert_eq!(world.marketing(GRACE).await, Some(Stands::Withdrawn));
    says(&world, "wamid.B", 301, "help").await;
    world.consume(&switch("stop", seconds_ago(&world, 5))).await;
    let elsewhere = text(GRACE, "wamid.C", seconds_ago(&world, 5), "help");
    let elsewhere = body("messages", &[elsewhere]).replace(NUMBER, "999");
    world.consume(&elsewhere).await;
    assert_eq!(answers(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_doubtful_word_is_asked_about_and_the_answer_is_heard() {
    let world = World::start().await;
    world.opt_in(GRACE, seconds_ago(&world, 600)).await;
    says(&world, "wamid.A", 50, "cancel").await;
    says(&world, "wamid.B", 45, "unsubcribe").await;
    let queued = world.queue("-system").await;
    let causes: Vec<&Value> = queued.iter().map(|message| &message["cause"]).collect();
    assert!(
        queued.iter().all(|message| message["kind"] == "ask_back") && causes[0] == causes[1],
        "one cause an hour, so one message: {queued:?}"
    );
    assert_eq!(world.marketing(GRACE).await, Some(Stands::Given));

    let neither = button(
        "wamid.C",
        seconds_ago(&world, 40),
        "headgate.neither",
        "Neither",
    );
    world.consume(&body("messages", &[neither])).await;
    assert_eq!(world.marketing(GRACE).await, Some(Stands::Given));
    let stop = button(
        "wamid.D",
        seconds_ago(&world, 30),
        "STOP_PROMOTIONS",
        "Stop messages",
    );
    world.consume(&body("messages", &[stop])).await;
    assert_eq!(world.marketing(GRACE).await, Some(Stands::Withdrawn));
    assert!(
        answers(&world)
            .await
            .contains(&"optout_confirmation".to_owned())
    );
    assert_eq!(world.events("inbound.message").await.len(), 4);
}

#[tokio::test]
async fn a_doubtful_word_after_marketing_is_a_no_and_after_an_order_a_question() {
    for (last, state, stands) in [
        (Purpose::Marketing, State::Delivered, Stands::Withdrawn),
        (Purpose::Marketing, State::Queued, Stands::Given),
        (Purpose::Utility, State::Delivered, Stands::Given),
    ] {
        let world = World::start().await;
        world.opt_in(GRACE, seconds_ago(&world, 600)).await;
        world.record_in(state, GRACE, last, 1).await;
        says(&world, "wamid.A", 1, "no").await;
        assert_eq!(
            world.marketing(GRACE).await,
            Some(stands),
            "{last:?} {state:?}"
        );
    }
}

#[tokio::test]
async fn help_contact_and_do_not_sell_are_answered() {
    let world = World::start().await;
    world.opt_in(GRACE, seconds_ago(&world, 600)).await;
    says(&world, "wamid.A", 50, "HELP").await;
    says(&world, "wamid.B", 40, "Kontakt").await;
    assert_eq!(world.marketing(GRACE).await, Some(Stands::Given));
    says(&world, "wamid.C", 30, "Do not sell my info").await;
    assert_eq!(
        answers(&world).await,
        ["contact", "do_not_sell_confirmation", "help"]
    );
    assert_eq!(world.marketing(GRACE).await, Some(Stands::Withdrawn));
    let out = world.events("subject.opted_out").await;
    assert_eq!(out[0]["data"]["purpose"], "marketing");
    // Told and proven once, however often it is said.
    let ledger = world.ledger().await;
    says(&world, "wamid.D", 20, "Do not sell my info").await;
    let told = world.events("subject.do_not_sell").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["data"]["method"], "keyword");
    let person = world.person(&world.subject(GRACE).await).await;
    let choice = person.do_not_sell.unwrap();
    assert_eq!(
        choice.event.as_deref(),
        told[0]["data"]["ledger_event"].as_str()
    );
    let again = world.ledger().await;
    assert_eq!(
        again,
        ledger + 1,
        "the second no to marketing, and nothing of a sale"
    );
}

#[tokio::test]
async fn a_start_never_lifts_metas_own_stop_and_a_resume_lifts_nothing_else() {
    let world = World::start().await;
    let subject = world.subject(GRACE).await;
    world.opt_in(GRACE, seconds_ago(&world, 600)).await;
    says(&world, "wamid.A", 90, "stop").await;
    world
        .consume(&switch("stop", seconds_ago(&world, 80)))
        .await;
    says(&world, "wamid.B", 60, "start").await;
    assert!(world.person(&subject).await.meta_stop);
    assert!(
        !answers(&world)
            .await
            .contains(&"optin_confirmation".to_owned())
    );

    world
        .consume(&switch("resume", seconds_ago(&world, 30)))
        .await;
    assert!(!world.person(&subject).await.meta_stop);
    assert_eq!(
        world.marketing(GRACE).await,
        Some(Stands::Withdrawn),
        "what the switch said is no word, so no word takes it back"
    );
}

#[tokio::test]
async fn the_answer_is_in_the_language_of_the_word() {
    let world = World::start().await;
    says(&world, "wamid.A", 10, "退訂").await;
    let queued = world.queue("-system").await;
    assert_eq!(queued[0]["locale"], "zh-Hant");
    let said = Timestamp::parse(queued[0]["said_at"].as_str().unwrap()).unwrap();
    assert!(world.now().millis_since(said) < MINUTE);
}
