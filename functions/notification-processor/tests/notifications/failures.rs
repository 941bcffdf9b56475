//! What is cut off is finished, and what cannot succeed costs nobody else.

use headgate_aws::poison::Letter;
use headgate_domain::consent::State as Stands;
use headgate_domain::lane::Purpose;
use headgate_domain::time::{HOUR, MINUTE};
use serde_json::json;

use crate::world::{World, body, text};

const ADA: &str = "+16135550100";
const GRACE: &str = "+16135550101";

#[tokio::test]
async fn a_yes_that_was_cut_off_before_it_lifted_the_suppression_lifts_it_when_it_comes_again() {
    let world = World::start().await;
    let at = world.now().plus_millis(-HOUR);
    world.opt_in(ADA, at).await;
    world.suppress(ADA, at.plus_millis(-MINUTE)).await;
    world.opt_in(ADA, at).await;
    assert_eq!(world.suppressed(ADA).await, []);
    assert_eq!(world.ledger().await, 1);

    world.suppress(ADA, at.plus_millis(MINUTE)).await;
    world.opt_in(ADA, at).await;
    assert_eq!(
        world.suppressed(ADA).await,
        [Purpose::Marketing],
        "a newer no stays"
    );
}

#[tokio::test]
async fn a_person_whose_keys_are_gone_costs_their_own_messages_and_not_the_notification() {
    for kind in ["salt", "evidence-salt"] {
        let world = World::start().await;
        let at = world.now().plus_millis(-HOUR);
        for person in [ADA, GRACE] {
            world.opt_in(person, at.plus_millis(-HOUR)).await;
        }
        let gone = world.subject(ADA).await;
        world.destroy_key(&format!("{kind}#{gone}")).await;
        let both = body(
            "messages",
            &[
                text(ADA, "wamid.A", at, "STOP"),
                text(GRACE, "wamid.B", at, "STOP"),
            ],
        );
        world.consume(&both).await;
        assert_eq!(world.marketing(GRACE).await, Some(Stands::Withdrawn));
        let aside = world.queue("notifications-dlq").await;
        assert_eq!(aside.len(), 1, "{kind}");
        assert_eq!(
            (&aside[0]["reason"], &aside[0]["index"]),
            (&json!("not_handled"), &json!(0))
        );
        assert!(!world.everything().await.contains("wamid.A"));
    }
}

/// SQS moves a message as it is after a hundred receives, for fourteen days: nothing of a person may lie there.
#[tokio::test]
async fn what_the_queue_is_about_to_give_up_on_is_set_aside_sealed_and_can_be_redriven() {
    let world = World::start().await;
    let said = body(
        "messages",
        &[text(ADA, "wamid.A", world.now(), "canary-words")],
    );
    let broken = world.without_messages().await;
    let receive = async |times| {
        let batch = World::batch(&[(said.clone(), None)], times);
        broken.handle(batch).await.batch_item_failures.len()
    };
    assert_eq!(receive(89).await, 1, "it comes again");
    assert!(world.queue("notifications-dlq").await.is_empty());
    assert_eq!(receive(90).await, 0, "it is done");
    let aside = world.queue("notifications-dlq").await;
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0]["reason"], "exhausted");
    let everything = world.everything().await;
    for clear in ["canary-words", "wamid.A", "6135550100"] {
        assert!(!everything.contains(clear), "{clear}");
    }
    let letter = Letter::parse(&aside[0].to_string()).unwrap();
    let opened = letter.open(world.keyring(), world.now()).await.unwrap();
    let redriven = String::from_utf8(opened.into_revealed()).unwrap();
    world.consume(&redriven).await;
    let told = world.events("inbound.message").await;
    assert_eq!(told[0]["data"]["message"]["text"]["body"], "canary-words");
}
