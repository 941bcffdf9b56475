//! What is cut off is finished, and what cannot succeed costs nobody else.

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
