//! A yes that is confirmed by a link: made by the API, sent by whoever asked for it, pressed on the page,
//! recorded by intake (R-314, R-402, ADR 0027). Who only opens a link, or opens it a thousand times, changes
//! nothing; who forges, reuses or keeps one changes nothing either.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::large_futures,
    reason = "tests may fail loudly"
)]

mod world;

use headgate_domain::consent::State;
use headgate_domain::time::{HOUR, MINUTE};
use http::StatusCode;
use serde_json::json;
use world::{BROWSER, PHONE, World};

#[tokio::test]
async fn what_was_attested_and_is_pressed_is_a_yes_with_both_proofs() {
    let world = World::start().await;
    let link = world.link("r-1").await;
    world.intake().await;
    let asked = world.consent(PHONE).await.unwrap();
    assert_eq!(
        (asked.state, asked.method.as_str()),
        (State::Requested, "web_checkbox")
    );

    let page = world.get(&link, BROWSER).await;
    assert!(page.text.contains("<form") && page.text.contains("type=\"checkbox\""));
    let pressed = world.press(&link).await;
    assert_eq!(pressed.status, StatusCode::OK, "{}", pressed.text);
    let events = world.intake().await;
    let yes = world.consent(PHONE).await.unwrap();
    assert_eq!((yes.state, yes.method.as_str()), (State::Given, "link"));
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["type"], "subject.opted_in");
    assert_eq!(events[0]["data"]["method"], "link");
    assert_eq!(events[0]["ref"], "customer-77");

    // What the law of the person's country says of the yes stands in the ledger with it.
    let entry = world.ledger(&yes.event).await;
    assert_eq!(entry["jurisdictions"][0], "CA_CASL", "{entry}");
    assert!(
        entry["profile_digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    assert_eq!(entry["confirmed_at"], yes.at.to_string());
    for time in ["requested_at", "valid_until", "renew_after"] {
        assert!(entry[time].is_string(), "{time}: {entry}");
    }

    let proof = world.evidence(PHONE, &yes.event).await;
    assert!(
        proof.contains(&asked.event),
        "the request is named: {proof}"
    );
    let before = world.evidence(PHONE, &asked.event).await;
    assert!(
        before.contains("checkout-7"),
        "and has what was attested: {before}"
    );
}

#[tokio::test]
async fn a_thousand_scanners_and_previews_change_nothing() {
    let world = World::start().await;
    let link = world.link("r-1").await;
    world.intake().await;
    let before = world.stored().await;
    for n in 0..1_000 {
        let agent = [
            BROWSER,
            "WhatsApp/2.25.1 A",
            "facebookexternalhit/1.1",
            "Mozilla/5.0 (compatible; Proofpoint)",
            "",
        ][n % 5];
        let answer = if n % 2 == 0 {
            world.get(&link, agent).await
        } else {
            world.head(&link, agent).await
        };
        assert_eq!(answer.status, StatusCode::OK);
        let is_shown = n % 2 == 0 && agent == BROWSER;
        assert_eq!(answer.text.contains("<form"), is_shown, "{agent}");
    }
    // Some send the form, too: at once and without a browser's headers, or as what they are.
    for (agent, site) in [
        (BROWSER, None),
        ("Mozilla/5.0 (compatible; Proofpoint)", Some("same-origin")),
        ("", None),
    ] {
        let pressed = world.press_as(&link, agent, site, "agree=yes").await;
        assert_eq!(pressed.status, StatusCode::FORBIDDEN, "{agent}");
    }
    assert_eq!(before, world.stored().await);
    assert_eq!(world.consent(PHONE).await.unwrap().state, State::Requested);

    // A browser that names no site may be an old one: after three minutes it is believed.
    world.wait(4 * MINUTE);
    let pressed = world.press_as(&link, BROWSER, None, "agree=yes").await;
    assert_eq!(pressed.status, StatusCode::OK);
}

#[tokio::test]
async fn a_press_counts_once_and_only_with_the_box_ticked_and_the_token_in_the_form() {
    let world = World::start().await;
    let link = world.link("r-1").await;
    world.intake().await;
    let before = world.stored().await;
    let unticked = world
        .press_as(&link, BROWSER, Some("same-origin"), "")
        .await;
    assert_eq!(unticked.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unticked.text.contains("role=\"alert\""));
    let bare = world
        .send("POST", &link, BROWSER, Some("same-origin"), "agree=yes")
        .await;
    assert_eq!(bare.status, StatusCode::NOT_FOUND);
    let from_elsewhere = world
        .press_as(&link, BROWSER, Some("cross-site"), "agree=yes")
        .await;
    assert_eq!(from_elsewhere.status, StatusCode::FORBIDDEN);
    assert_eq!(before, world.stored().await);

    // Twice at once: one confirms, the other hears that it was done, and there is one yes.
    let (one, other) = tokio::join!(world.press(&link), world.press(&link));
    assert_eq!((one.status, other.status), (StatusCode::OK, StatusCode::OK));
    let events = world.intake().await;
    assert_eq!(events.len(), 1, "{events:?}");
    let yes = world.consent(PHONE).await.unwrap();
    world.wait(HOUR);
    assert_eq!(
        world.press(&link).await.status,
        StatusCode::OK,
        "says that it was done"
    );
    assert!(world.intake().await.is_empty());
    assert_eq!(world.consent(PHONE).await.unwrap(), yes);
}

#[tokio::test]
async fn forged_expired_and_foreign_links_change_nothing() {
    let world = World::start().await;
    let link = world.link("r-1").await;
    world.intake().await;
    let mut forged = link.clone();
    let last = if forged.ends_with('A') { 'B' } else { 'A' };
    forged.replace_range(forged.len() - 1.., &last.to_string());
    let foreign = world.link_of_another_deployment();
    let before = world.stored().await;
    for wrong in [&forged, &foreign] {
        let shown = world.get(wrong, BROWSER).await;
        assert_eq!(shown.status, StatusCode::OK, "opening it tells nothing");
        assert_eq!(world.press(wrong).await.status, StatusCode::NOT_FOUND);
    }
    for address in ["/c/short", "/c/", "/c"] {
        assert_eq!(
            world.get(address, BROWSER).await.status,
            StatusCode::NOT_FOUND
        );
    }
    world.wait(72 * HOUR);
    assert_eq!(world.press(&link).await.status, StatusCode::GONE);
    assert_eq!(before, world.stored().await);
    assert_eq!(world.consent(PHONE).await.unwrap().state, State::Requested);
}

#[tokio::test]
async fn a_no_since_the_attested_yes_ends_a_link_and_keeps_one_from_asking() {
    let world = World::start().await;
    let link = world.link("r-1").await;
    world.intake().await;
    world.wait(MINUTE);
    world.withdraw().await;
    let before = world.stored().await;
    assert_eq!(world.press(&link).await.status, StatusCode::NOT_FOUND);
    assert_eq!(before, world.stored().await);

    let another = world.link_said_at("r-2", -5 * MINUTE).await;
    let events = world.intake().await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["type"], "consent.refused");
    assert_eq!(events[0]["data"]["code"], "suppressed");
    assert_eq!(world.press(&another).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.consent(PHONE).await.unwrap().state, State::Withdrawn);
}

/// The no comes after the press and before intake has read it.
#[tokio::test]
async fn a_press_that_is_overtaken_by_a_no_is_none() {
    let world = World::start().await;
    let link = world.link("r-1").await;
    world.intake().await;
    assert_eq!(world.press(&link).await.status, StatusCode::OK);
    world.withdraw().await;
    let events = world.intake().await;
    assert!(events.is_empty(), "{events:?}");
    assert_eq!(world.consent(PHONE).await.unwrap().state, State::Withdrawn);
}

#[tokio::test]
async fn the_same_record_has_the_same_link_and_no_word_but_the_rows_counts() {
    let world = World::start().await;
    let (first, again) = (world.link("r-1").await, world.link("r-1").await);
    assert_eq!(first, again);
    assert_ne!(first, world.link("r-2").await);
    assert_eq!(
        world.attest_directly("r-1").await,
        409,
        "not a yes under the same id"
    );

    // Before intake has read the record nobody knows whom it asks.
    assert_eq!(
        world.press(&first).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    world.intake().await;
    // A producer says that it was pressed.
    let row = world.row(&first);
    world
        .say(
            "AROASHOP:shop",
            &json!({ "schema": "headgate.pressed-link/1", "link": row }),
        )
        .await;
    assert_eq!(world.consent(PHONE).await.unwrap().state, State::Requested);
    // And the link itself is nowhere.
    assert!(
        world
            .places_with(first.rsplit('/').next().unwrap())
            .await
            .is_empty()
    );
}
