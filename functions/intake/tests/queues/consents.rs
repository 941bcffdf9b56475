//! Yes and no on the consents queue.

use headgate_domain::api_token::PlainToken;
use headgate_domain::identity::SubjectId;
use headgate_domain::ledger::verify_chain;
use headgate_domain::relayed::Relayed;
use serde_json::{Value, json};

use crate::world::{PRODUCER, STRANGER, World};
use crate::{consent, message};

#[tokio::test]
async fn only_an_attester_can_say_yes_for_somebody_and_anybody_can_say_no() {
    let world = World::start().await;
    let handle = async |id: &str, producer: &str, body: &Value| {
        let response = world
            .handle(vec![world.record(
                "CONSENTS",
                id,
                producer,
                &body.to_string(),
            )])
            .await;
        assert!(response.batch_item_failures.is_empty());
        world
            .events()
            .await
            .into_iter()
            .rfind(|event| event["id"] == body["id"])
            .unwrap()
    };
    let refused = handle(
        "s-1",
        STRANGER,
        &consent(&world, "given", &json!("marketing"), "c-1"),
    )
    .await;
    assert_eq!(
        (&refused["type"], &refused["data"]["code"]),
        (&json!("consent.refused"), &json!("not_attested"))
    );
    let own_channel = {
        let mut body = consent(&world, "given", &json!("marketing"), "c-2");
        body["method"] = json!("keyword");
        handle("s-2", PRODUCER, &body).await
    };
    assert_eq!(
        (&own_channel["data"]["code"], &own_channel["data"]["field"]),
        (&json!("malformed"), &json!("method"))
    );
    assert_eq!(
        own_channel["data"]["message"],
        "The record does not follow headgate.consent/1."
    );

    let given = handle(
        "s-3",
        PRODUCER,
        &consent(&world, "given", &json!(["marketing", "utility"]), "c-3"),
    )
    .await;
    assert_eq!(given["type"], "subject.opted_in");
    let mut withdrawn = consent(&world, "withdrawn", &json!("marketing"), "c-4");
    withdrawn["to"] = json!({ "subject": given["subject"] });
    withdrawn["method"] = json!("link");
    let out = handle("s-4", STRANGER, &withdrawn).await;
    assert_eq!(
        (&out["type"], &out["data"]["purpose"]),
        (&json!("subject.opted_out"), &json!("marketing"))
    );
    assert!(out["data"].get("unsubscribe_url").is_none());
    assert_eq!(
        world
            .answer("MARKETING", "s-5", &message("marketing", "o-1"))
            .await["data"]["code"],
        "suppressed"
    );
    assert_eq!(
        world
            .answer("UTILITY", "s-6", &message("utility", "o-2"))
            .await["type"],
        "message.accepted"
    );

    let mut old = consent(&world, "given", &json!("marketing"), "c-5");
    old["occurred_at"] = json!(world.now().plus_millis(-86_400_000));
    let superseded = handle("s-7", PRODUCER, &old).await;
    assert_eq!(
        (&superseded["type"], &superseded["data"]["code"]),
        (&json!("consent.refused"), &json!("superseded"))
    );

    let mut nobody = consent(&world, "withdrawn", &json!("marketing"), "c-6");
    nobody["to"] = json!({ "subject": SubjectId::from_random([9; 16]).as_str() });
    assert_eq!(
        handle("s-8", PRODUCER, &nobody).await["data"]["code"],
        "unknown_subject"
    );
}

#[tokio::test]
async fn a_yes_that_is_delivered_again_does_not_undo_the_no_said_in_between() {
    let world = World::start().await;
    let deliver = |id: &str, body: &Value| {
        let mut record = world.record("CONSENTS", id, PRODUCER, &body.to_string());
        record.attributes.sent_timestamp =
            Some(world.now().plus_millis(-1_000).millis().to_string());
        record
    };
    // The app's clock is four minutes ahead.
    let mut yes = consent(&world, "given", &json!("marketing"), "c-1");
    yes["occurred_at"] = json!(world.now().plus_millis(240_000));
    let yes = deliver("s-1", &yes);
    world.handle(vec![yes.clone()]).await;
    let no = consent(&world, "withdrawn", &json!("marketing"), "c-2");
    assert_eq!(
        world.answer("CONSENTS", "s-2", &no).await["type"],
        "subject.opted_out"
    );
    world.handle(vec![yes]).await;
    assert_eq!(
        world
            .answer("MARKETING", "s-3", &message("marketing", "o-1"))
            .await["data"]["code"],
        "suppressed"
    );

    let mut timeless = consent(&world, "given", &json!("marketing"), "c-3");
    timeless.as_object_mut().unwrap().remove("occurred_at");
    let refused = world.answer("CONSENTS", "s-4", &timeless).await;
    assert_eq!(
        (&refused["data"]["code"], &refused["data"]["field"]),
        (&json!("malformed"), &json!("occurred_at"))
    );
}

#[tokio::test]
async fn the_ledger_names_the_role_and_not_its_session() {
    let world = World::start().await;
    let yes = consent(&world, "given", &json!("marketing"), "c-1");
    assert_eq!(
        world.answer("CONSENTS", "s-1", &yes).await["type"],
        "subject.opted_in"
    );
    let tables = world.tables().await;
    assert!(
        tables
            .iter()
            .any(|(_, item)| item.contains("producer:AROASHOP"))
    );
    assert!(tables.iter().all(|(_, item)| !item.contains("session-1")));
}

/// Some wipe the yes when the no comes, and can then not say why they wrote before it.
#[tokio::test]
async fn an_opt_out_keeps_the_proof_of_the_opt_in() {
    let world = World::start().await;
    let yes = consent(&world, "given", &json!("marketing"), "c-1");
    let given = world.answer("CONSENTS", "s-1", &yes).await;
    assert_eq!(given["type"], "subject.opted_in");
    // The entries of the ledger, and the sealed wording and evidence beside the person.
    let mut proof = world.tables().await;
    proof.retain(|(place, _item)| place.contains("/E#"));
    assert!(proof.len() > 2, "{}", proof.len());
    let no = consent(&world, "withdrawn", &json!("marketing"), "c-2");
    let out = world.answer("CONSENTS", "s-2", &no).await;
    assert_eq!(out["type"], "subject.opted_out");

    let tables = world.tables().await;
    for kept in &proof {
        assert!(tables.contains(kept), "{} is changed or gone", kept.0);
    }
    let ledger = world.consents().await.ledger().clone();
    let mut facts = 0;
    for shard in 0..16 {
        let entries = ledger.entries(shard, 0).await.unwrap();
        verify_chain(shard, &entries).unwrap();
        facts += entries.len();
    }
    assert_eq!(facts, 2, "the no stands behind the yes");
}

/// SQS says who sent a message; only the API's own role speaks for a token.
#[tokio::test]
async fn an_envelope_counts_from_the_api_and_from_nobody_else() {
    let world = World::start().await;
    let api = format!("{}:consent-api", world.name("HEADGATE_ROLE_CONSENT_API"));
    let token = PlainToken::from_random("headgate", &[7; 32]);
    let token = token.hashed("headgate").id();
    let envelope = |id: &str, action: &str, attests: bool| {
        let relayed = Relayed {
            token: token.clone(),
            attests,
            link: None,
            record: consent(&world, action, &json!("marketing"), id).to_string(),
        };
        serde_json::from_str::<Value>(&relayed.body().unwrap()).unwrap()
    };
    let handle = async |id: &str, sender: &str, body: &Value| {
        let told = world.told("CONSENTS", id, sender, body).await;
        assert_eq!(told.len(), 1, "{told:?}");
        (told[0]["type"].clone(), told[0]["data"]["code"].clone())
    };
    let refused = |code: &str| (json!("consent.refused"), json!(code));
    // A producer that may attest for itself may not speak for a token, and nobody else may either.
    for (id, sender) in [("s-1", PRODUCER), ("s-2", STRANGER), ("s-3", "")] {
        let forged = handle(id, sender, &envelope("c-1", "given", true)).await;
        assert_eq!(forged, refused("malformed"), "{sender}");
    }
    // The API's role alone attests nothing: it is the token that does.
    let bare = consent(&world, "given", &json!("marketing"), "c-2");
    assert_eq!(handle("s-4", &api, &bare).await, refused("not_attested"));
    let without = envelope("c-3", "given", false);
    assert_eq!(handle("s-5", &api, &without).await, refused("not_attested"));

    let given = handle("s-6", &api, &envelope("c-4", "given", true)).await;
    assert_eq!(given.0, "subject.opted_in");
    let out = handle("s-7", &api, &envelope("c-5", "withdrawn", false)).await;
    assert_eq!(out.0, "subject.opted_out");
    let tables = world.tables().await;
    let named = format!("token:{token}");
    let ledger = tables.iter().filter(|(_, item)| item.contains(&named));
    assert_eq!(ledger.count(), 2);
}
