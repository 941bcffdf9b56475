//! What else a person may ask for about their own data, from the page to the last message.

use serde_json::Value;

use crate::erasure::{acquainted, by_both};
use crate::world::World;
use crate::{ADA, answer, said, text};

/// What the page gives for a choice: the message to send, and the reference.
async fn chosen(world: &World, what: &str) -> (String, String) {
    let form = format!("ask={what}&lang=en");
    let (status, page) = world.page("POST", "/requests", &form).await;
    assert_eq!(status, 200);
    let between = |from: &str, to: &str| {
        let rest = page.split(from).nth(1).unwrap_or_default();
        rest.split(to).next().unwrap().to_owned()
    };
    (between("<strong>", "</strong>"), between("/r/", "?"))
}

/// Ada writes something, and what she asks for is received.
async fn writes(world: &World, id: &str, words: &str) {
    let body = by_both(&said(ADA, id, world.seconds(), &text(words)));
    world.notify(id, &body).await;
    world.receive_requests().await;
}

/// Everything that waits goes out.
async fn deliver(world: &World) {
    world.answer_people().await;
    world.send().await;
}

/// What Ada was written of a request.
async fn told_of(world: &World, reference: &str) -> Vec<String> {
    let queued = world.on_queue("-system").await;
    let about = queued.iter().filter(|one| one["token"] == reference);
    let mut kinds: Vec<String> = about
        .map(|one| one["kind"].as_str().unwrap().to_owned())
        .collect();
    // The queue of requests is handed over anew each time; the same is told of one once, by its cause.
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// What apps were told, of a type.
async fn events(world: &World, kind: &str) -> Vec<Value> {
    let told = world.on_queue("app-events").await;
    told.into_iter().filter(|one| one["type"] == kind).collect()
}

#[tokio::test]
async fn an_objection_closes_everything_that_was_not_asked_for() {
    let world = World::start().await;
    acquainted(&world).await;
    deliver(&world).await;
    let (message, reference) = chosen(&world, "objection").await;
    let (_, page) = world.page("GET", &format!("/r/{reference}"), "").await;
    writes(&world, "wamid.OBJECT", &message).await;

    // Nothing was handed to an agenda first.
    let (_, after) = world.page("GET", &format!("/r/{reference}"), "").await;
    assert!(
        page != after && after.contains("objection is in force"),
        "{after}"
    );
    assert!(
        !after.contains(ADA) && !after.contains("deleted"),
        "{after}"
    );
    let refused = answer(&world, ADA, "after").await;
    assert_eq!(refused["data"]["code"], "suppressed", "{refused}");
    let told = events(&world, "subject.opted_out").await;
    let mut purposes: Vec<&str> = told
        .iter()
        .map(|one| one["data"]["purpose"].as_str().unwrap())
        .collect();
    purposes.sort_unstable();
    assert_eq!(purposes, ["marketing", "utility"]);
    let ledger = world.ledger().await;
    let proven = |fact: &&Value| {
        fact["type"] == "consent.withdrawn"
            && fact["method"] == "message_in"
            && fact["evidence"].is_string()
    };
    assert_eq!(ledger.iter().filter(proven).count(), 2);
    assert_eq!(told_of(&world, &reference).await, ["privacy_objection"]);
    let before = world.arrivals().len();
    deliver(&world).await;
    assert_eq!(world.arrivals().len(), before + 1, "she is told");

    // What waited for next week does not go out, and a word like START changes nothing.
    world.wait(8 * headgate_domain::time::DAY);
    world.mint().await;
    writes(&world, "wamid.START", "START").await;
    deliver(&world).await;
    let sale = |one: &&meta_simulator::Arrival| one.template.as_deref() == Some("autumn_sale");
    assert_eq!(world.arrivals().iter().filter(sale).count(), 1, "the first");
    let refused = answer(&world, ADA, "after-start").await;
    assert_eq!(refused["data"]["code"], "suppressed", "{refused}");
}

#[tokio::test]
async fn while_a_restriction_stands_nothing_is_sent_but_what_is_about_it() {
    let world = World::start().await;
    acquainted(&world).await;
    deliver(&world).await;
    let (message, reference) = chosen(&world, "restriction").await;
    writes(&world, "wamid.KEEP", &message).await;
    let before = world.arrivals().len();
    deliver(&world).await;
    assert_eq!(
        world.arrivals().len(),
        before + 1,
        "she is told, and no more"
    );
    let refused = answer(&world, ADA, "restricted").await;
    assert_eq!(refused["data"]["code"], "restricted", "{refused}");
    let page = world.page("GET", &format!("/r/{reference}"), "").await.1;
    assert!(page.contains("kept and not used"), "{page}");
    assert_eq!(events(&world, "subject.restricted").await.len(), 1);

    // What is accepted for next week is judged again when its turn comes.
    world.wait(8 * headgate_domain::time::DAY);
    world.mint().await;
    let before = world.arrivals().len();
    writes(&world, "wamid.HELP", "HELP").await;
    deliver(&world).await;
    assert_eq!(world.arrivals().len(), before, "not even help");
    let cancelled = events(&world, "message.cancelled").await;
    assert_eq!(
        cancelled[0]["data"]["reason"], "restricted",
        "{cancelled:?}"
    );

    // By then nobody waits for help any more.
    world.wait(6 * headgate_domain::time::MINUTE);
    let (message, lift) = chosen(&world, "lift").await;
    assert_eq!(lift, "", "it is no request");
    writes(&world, "wamid.AGAIN", &message).await;
    let page = world.page("GET", &format!("/r/{reference}"), "").await.1;
    assert!(page.contains("restriction has ended"), "{page}");
    assert_eq!(
        told_of(&world, &reference).await,
        ["privacy_restriction", "privacy_restriction_end"]
    );
    let accepted = answer(&world, ADA, "as-before").await;
    assert_eq!(accepted["type"], "message.accepted", "{accepted}");
    deliver(&world).await;
    assert_eq!(world.arrivals().len(), before + 2, "told, and written to");
}

#[tokio::test]
async fn a_correction_is_told_to_the_app_and_what_is_wrong_comes_by_the_chat() {
    let world = World::start().await;
    acquainted(&world).await;
    let (message, reference) = chosen(&world, "rectification").await;
    writes(&world, "wamid.CORRECT", &message).await;
    deliver(&world).await;
    assert_eq!(told_of(&world, &reference).await, ["privacy_rectification"]);
    let told = events(&world, "subject.rectification").await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["data"]["request"], reference.as_str());
    writes(&world, "wamid.WRONG", "My street is Elm Street").await;
    let words = events(&world, "inbound.message").await;
    let wrong = |one: &&Value| one["data"]["message"]["text"]["body"] == "My street is Elm Street";
    let heard = words.iter().find(wrong).unwrap();
    assert_eq!(heard["subject"], told[0]["subject"]);
    let page = world.page("GET", &format!("/r/{reference}"), "").await.1;
    assert!(
        page.contains("write in the chat") && !page.contains("Elm"),
        "{page}"
    );
}
