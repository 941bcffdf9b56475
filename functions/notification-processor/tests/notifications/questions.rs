//! The question whether somebody wants to be written to: who is asked, which answers count, in any order.

use headgate_domain::consent::{Consent, State as Stands, Topic};
use headgate_domain::lane::Purpose;
use headgate_domain::time::{HOUR, Timestamp};
use serde_json::{Value, json};

use crate::world::{World, body, text};

const ADA: &str = "+16135550100";
const BOB: &str = "+16135550101";
/// In a country where no law gives a word its effect.
const GRACE: &str = "+447700900123";
const SCAN: &str = "Hello k7m3qp!";

const ENTRIES: &str = r#"
[[consents.topics]]
purpose = "marketing"
name = "offers"
[[consents.entries]]
name = "shop-door"
kind = "qr"
code = "K7M3QP"
location = "ottawa"
campaign = "autumn"
purpose = "marketing"
[consents.entries.notice]
en = "Maple Outfitters may write to me about offers."
[[consents.entries]]
name = "offers-door"
kind = "qr"
code = "K7M3QQ"
purpose = "marketing"
topics = ["offers"]
[consents.entries.notice]
en = "Maple Outfitters may write to me about offers alone."
[[consents.entries]]
name = "autumn-ad"
kind = "ad"
sources = ["700000000000001"]
purpose = "marketing"
[consents.entries.notice]
en = "Maple Outfitters may write to me after its advertisement."
"#;

async fn world() -> World {
    let world = World::start().await;
    world.configure(ENTRIES).await;
    world
}

fn ago(world: &World, seconds: i64) -> Timestamp {
    world.ago(1_000 * seconds)
}

fn says(from: &str, id: &str, at: Timestamp, words: &str) -> String {
    body("messages", &[text(from, id, at, words)])
}

fn clicks(from: &str, id: &str, at: Timestamp, source: &str) -> String {
    let mut message = text(from, id, at, "I saw your offer");
    message["referral"] = json!({ "source_type": "ad", "source_id": source, "source_url": "https://ad.example/1?who=7",
        "headline": "Chat with canary", "ctwa_clid": "click-canary" });
    body("messages", &[message])
}

fn presses(from: &str, id: &str, at: Timestamp, payload: &str) -> String {
    let mut message = text(from, id, at, "");
    message.as_object_mut().unwrap().remove("text");
    message["type"] = json!("interactive");
    message["interactive"] =
        json!({ "type": "button_reply", "button_reply": { "id": payload, "title": "A button" } });
    body("messages", &[message])
}

/// The questions on the system queue.
async fn questions(world: &World) -> Vec<Value> {
    let mut queued = world.queue("-system").await;
    queued.retain(|message| message["kind"] == "optin_question");
    queued
}

/// What stands behind the buttons of the one question there is.
async fn buttons(world: &World) -> (String, String) {
    let asked = questions(world).await;
    assert_eq!(asked.len(), 1);
    payloads(&asked[0])
}

/// What stands behind the buttons of the question that somebody was asked.
async fn buttons_of(world: &World, phone: &str) -> (String, String) {
    let subject = world.subject(phone).await;
    let asked = questions(world).await;
    let own = asked
        .iter()
        .find(|question| question["to"]["subject"] == subject.as_str());
    payloads(own.unwrap())
}

fn payloads(question: &Value) -> (String, String) {
    let token = question["question"]["token"].as_str().unwrap();
    (
        format!("headgate.optin.yes.{token}"),
        format!("headgate.optin.no.{token}"),
    )
}

async fn marketing(world: &World, phone: &str) -> Option<Consent> {
    let person = world.known(phone).await?;
    person.consent(Purpose::Marketing).cloned()
}

#[tokio::test]
async fn a_scan_is_asked_about_once_and_the_button_is_a_yes_with_its_whole_proof() {
    let world = world().await;
    let scanned_at = ago(&world, 60);
    let scan = says(ADA, "wamid.SCAN", scanned_at, SCAN);
    world.consume(&scan).await;
    world.consume(&scan).await;
    world
        .consume(&says(ADA, "wamid.AGAIN", ago(&world, 50), SCAN))
        .await;
    let asked = questions(&world).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0]["question"]["entry"], "shop-door");
    assert_eq!(world.marketing(ADA).await, Some(Stands::Requested));
    assert!(world.events("subject.opted_in").await.is_empty());

    let (yes, _no) = buttons(&world).await;
    let press = presses(ADA, "wamid.YES", ago(&world, 30), &yes);
    world.consume(&press).await;
    let given = marketing(&world, ADA).await.unwrap();
    assert_eq!(
        (given.state, given.method.as_str()),
        (Stands::Given, "qr_scan")
    );
    let told = world.events("subject.opted_in").await;
    assert_eq!(
        (told.len(), &told[0]["data"]["method"]),
        (1, &json!("qr_scan"))
    );

    let proof = world.proof(ADA, &given.event).await;
    assert_eq!(
        proof["notice"],
        "Maple Outfitters may write to me about offers."
    );
    let evidence: Value = serde_json::from_str(proof["evidence"].as_str().unwrap()).unwrap();
    assert_eq!(evidence["payload"], yes.as_str());
    assert_eq!(evidence["origin"], json!({ "code": "K7M3QP" }));
    for (member, value) in [
        ("entry", "shop-door"),
        ("way", "qr_scan"),
        ("campaign", "autumn"),
        ("location", "ottawa"),
        ("template", "optin_question"),
        ("notice", asked[0]["question"]["notice"].as_str().unwrap()),
    ] {
        assert_eq!(evidence[member], value, "{member}");
    }
    for name in ["message", "reply"] {
        assert!(
            evidence[name].as_str().unwrap().starts_with("m1_"),
            "{name}"
        );
    }
    assert_ne!(evidence["message"], evidence["reply"]);
    let asked_at = scanned_at.seconds();
    let said = evidence["asked_at"].as_str().unwrap();
    assert_eq!(Timestamp::parse(said).unwrap().seconds(), asked_at);
    // Who has agreed is not asked again.
    world
        .consume(&says(ADA, "wamid.LATER", ago(&world, 5), SCAN))
        .await;
    assert_eq!(questions(&world).await.len(), 1);
}

#[tokio::test]
async fn a_click_on_an_advertisement_is_no_yes_and_the_button_after_it_is() {
    let world = world().await;
    world
        .consume(&clicks(ADA, "wamid.AD", ago(&world, 60), "700000000000001"))
        .await;
    world
        .consume(&clicks(
            BOB,
            "wamid.OTHER",
            ago(&world, 60),
            "700000000000009",
        ))
        .await;
    assert_eq!(
        questions(&world).await.len(),
        1,
        "another advertisement is none of ours"
    );
    let asked = marketing(&world, ADA).await.unwrap();
    assert_eq!(
        (asked.state, asked.method.as_str()),
        (Stands::Requested, "ctwa_ad")
    );
    assert_eq!(world.marketing(BOB).await, None);
    let (yes, _no) = buttons(&world).await;
    world
        .consume(&presses(ADA, "wamid.YES", ago(&world, 30), &yes))
        .await;
    let given = marketing(&world, ADA).await.unwrap();
    assert_eq!(
        (given.state, given.method.as_str()),
        (Stands::Given, "in_thread_button")
    );
    let proof = world.proof(ADA, &given.event).await;
    let evidence: Value = serde_json::from_str(proof["evidence"].as_str().unwrap()).unwrap();
    let origin = &evidence["origin"];
    assert_eq!(origin["source_id"], "700000000000001");
    assert_eq!(
        (&origin["source_type"], &origin["source_url_host"]),
        (&json!("ad"), &json!("ad.example"))
    );
    assert!(origin["ctwa_clid"].as_str().unwrap().starts_with("m1_"));
    assert_eq!(origin["headline_hash"].as_str().unwrap().len(), 52);
    let kept = format!("{proof} {:?}", world.known(ADA).await.unwrap().asked);
    assert!(
        !kept.contains("canary") && !kept.contains("who=7"),
        "{kept}"
    );
}

#[tokio::test]
async fn a_no_closes_the_question_and_is_neither_an_opt_out_nor_undone_by_the_other_button() {
    let world = world().await;
    world
        .consume(&says(ADA, "wamid.SCAN", ago(&world, 60), SCAN))
        .await;
    let (yes, no) = buttons(&world).await;
    world
        .consume(&presses(ADA, "wamid.NO", ago(&world, 40), &no))
        .await;
    world
        .consume(&presses(ADA, "wamid.YES", ago(&world, 20), &yes))
        .await;
    assert_eq!(world.marketing(ADA).await, Some(Stands::Refused));
    assert!(world.suppressed(ADA).await.is_empty());
    for kind in ["subject.opted_in", "subject.opted_out"] {
        assert!(world.events(kind).await.is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn a_button_counts_for_a_day_and_of_the_person_who_was_asked() {
    let world = world().await;
    world
        .consume(&says(ADA, "wamid.SCAN", ago(&world, 60), SCAN))
        .await;
    let (ada, ada_no) = buttons(&world).await;
    world
        .consume(&says(BOB, "wamid.BOB", ago(&world, 60), SCAN))
        .await;
    for (n, payload) in [
        ada.as_str(),
        &ada_no,
        "headgate.optin.yes.",
        "headgate.optin.yes.TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT",
        "headgate.optin.no.x",
    ]
    .iter()
    .enumerate()
    {
        let press = presses(BOB, &format!("wamid.B{n}"), ago(&world, 30), payload);
        world.consume(&press).await;
        assert_eq!(
            world.marketing(BOB).await,
            Some(Stands::Requested),
            "{payload}"
        );
    }
    // Before the question, and after its day.
    for (id, at) in [
        ("wamid.EARLY", ago(&world, 90)),
        ("wamid.LATE", ago(&world, 60).plus_millis(24 * HOUR + 1_000)),
    ] {
        world.consume(&presses(ADA, id, at, &ada)).await;
        assert_eq!(world.marketing(ADA).await, Some(Stands::Requested), "{id}");
    }
    world
        .consume(&presses(ADA, "wamid.YES", ago(&world, 30), &ada))
        .await;
    assert_eq!(world.marketing(ADA).await, Some(Stands::Given));
}

#[tokio::test]
async fn nobody_is_asked_who_said_no_or_with_an_unknown_code_or_too_late() {
    let world = world().await;
    let nobody = [
        ("+16135550102", "Hello K7M3QX", 60),
        ("+16135550103", "HelloK7M3QP", 60),
        ("+16135550104", SCAN, 3_700),
        ("+16135550105", "STOP K7M3QP please stop messaging me", 60),
        ("+14155550106", SCAN, 60),
    ];
    for (from, words, seconds) in nobody {
        let id = format!("wamid.N{from}").replace('+', "");
        world
            .consume(&says(from, &id, ago(&world, seconds), words))
            .await;
    }
    world.suppress("+16135550107", ago(&world, 900)).await;
    world
        .consume(&says("+16135550107", "wamid.L", ago(&world, 60), SCAN))
        .await;
    world
        .consume(&says(ADA, "wamid.STOP", ago(&world, 90), "STOP"))
        .await;
    world
        .consume(&says(ADA, "wamid.SCAN", ago(&world, 60), SCAN))
        .await;
    world.opt_in(BOB, ago(&world, 900)).await;
    world
        .consume(&says(BOB, "wamid.BOB", ago(&world, 60), SCAN))
        .await;
    assert!(
        questions(&world).await.is_empty(),
        "{:?}",
        questions(&world).await
    );
    assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));
}

#[tokio::test]
async fn without_entries_nobody_is_asked() {
    let world = World::start().await;
    world
        .consume(&says(ADA, "wamid.SCAN", ago(&world, 60), SCAN))
        .await;
    world
        .consume(&clicks(ADA, "wamid.AD", ago(&world, 50), "700000000000001"))
        .await;
    assert!(questions(&world).await.is_empty());
    assert_eq!(world.marketing(ADA).await, None);
}

#[tokio::test]
async fn a_topic_that_is_asked_about_is_all_that_is_given() {
    let world = world().await;
    world
        .consume(&says(ADA, "wamid.SCAN", ago(&world, 60), "K7M3QQ"))
        .await;
    let (yes, _no) = buttons(&world).await;
    world
        .consume(&presses(ADA, "wamid.YES", ago(&world, 30), &yes))
        .await;
    let person = world.known(ADA).await.unwrap();
    let offers = Topic::parse("offers").unwrap();
    let given = person.topic_consent(Purpose::Marketing, &offers).unwrap();
    assert_eq!(given.state, Stands::Given);
    assert_eq!(person.consent(Purpose::Marketing), None);
}

#[tokio::test]
async fn a_word_counts_once_the_question_was_shown_and_a_bare_yes_only_right_after_it() {
    let world = world().await;
    world
        .consume(&says(GRACE, "wamid.SCAN", ago(&world, 60), SCAN))
        .await;
    // Nothing has left yet: neither word answers anything.
    world
        .consume(&says(GRACE, "wamid.A", ago(&world, 50), "START"))
        .await;
    world
        .consume(&says(GRACE, "wamid.B", ago(&world, 49), "yes"))
        .await;
    assert_eq!(world.marketing(GRACE).await, Some(Stands::Requested));
    let asked = questions(&world).await.remove(0);
    world.sent(&asked, GRACE, 1).await;
    // Something else has come after the question: a yes may be meant for that.
    world.record(GRACE, Purpose::Service, 9).await;
    let now = world.now();
    world.consume(&says(GRACE, "wamid.C", now, "yes")).await;
    assert_eq!(world.marketing(GRACE).await, Some(Stands::Requested));
    world.consume(&says(GRACE, "wamid.D", now, "START")).await;
    let given = marketing(&world, GRACE).await.unwrap();
    assert_eq!(
        (given.state, given.method.as_str()),
        (Stands::Given, "keyword_start")
    );
    let proof = world.proof(GRACE, &given.event).await;
    let evidence: Value = serde_json::from_str(proof["evidence"].as_str().unwrap()).unwrap();
    assert_eq!(evidence["keyword"], "start");
    assert_eq!(
        proof["notice"],
        "Maple Outfitters may write to me about offers."
    );
}

#[tokio::test]
async fn a_bare_yes_in_the_persons_language_answers_the_question() {
    let world = world().await;
    world
        .consume(&says("+447700900124", "wamid.S1", ago(&world, 60), SCAN))
        .await;
    let asked = questions(&world).await.remove(0);
    world.sent(&asked, "+447700900124", 1).await;
    world
        .consume(&says(
            "+447700900124",
            "wamid.NO",
            world.now(),
            "nein danke",
        ))
        .await;
    assert_eq!(
        world.marketing("+447700900124").await,
        Some(Stands::Requested)
    );
    world
        .consume(&says("+447700900124", "wamid.JA", world.now(), "Ja"))
        .await;
    assert_eq!(world.marketing("+447700900124").await, Some(Stands::Given));
}

#[tokio::test]
async fn start_does_not_lift_metas_own_stop() {
    let world = world().await;
    world
        .consume(&says(ADA, "wamid.SCAN", ago(&world, 60), SCAN))
        .await;
    let asked = questions(&world).await.remove(0);
    world.sent(&asked, ADA, 1).await;
    let at = world.now();
    let switch = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "300", "changes": [{ "field": "user_preferences", "value": {
        "messaging_product": "whatsapp", "user_preferences": [{ "wa_id": "16135550100", "category": "marketing_messages",
            "value": "stop", "timestamp": ago(&world, 10).seconds() }] } }] }] });
    world.consume(&switch.to_string()).await;
    world.consume(&says(ADA, "wamid.START", at, "START")).await;
    let person = world.known(ADA).await.unwrap();
    assert!(person.meta_stop);
    assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));
}

#[tokio::test]
async fn a_wording_that_was_changed_meanwhile_is_not_agreed_to() {
    let world = world().await;
    world
        .consume(&says(ADA, "wamid.SCAN", ago(&world, 60), SCAN))
        .await;
    let (yes, _no) = buttons(&world).await;
    world
        .reconfigure(&ENTRIES.replace("about offers.", "about everything."), 3)
        .await;
    world
        .consume_afresh(&presses(ADA, "wamid.YES", ago(&world, 30), &yes))
        .await;
    assert_eq!(world.marketing(ADA).await, Some(Stands::Requested));
}

/// Every order of what a person says after a question, each of it twice, ends where the order of its
/// moments ends.
#[tokio::test]
async fn replays_and_every_order_of_the_answers_end_in_the_same_state() {
    let said: [(&[(&str, i64)], Stands); 6] = [
        (&[("yes", 30)], Stands::Given),
        (&[("yes", 30), ("no", 20)], Stands::Refused),
        (&[("no", 30), ("yes", 20)], Stands::Refused),
        (&[("stop", 30), ("yes", 20)], Stands::Withdrawn),
        (&[("yes", 30), ("stop", 20), ("yes", 10)], Stands::Withdrawn),
        (&[("stop", 30), ("yes", 20), ("no", 10)], Stands::Withdrawn),
    ];
    let world = world().await;
    let mut person = 0;
    for (acts, expected) in said {
        for order in orders(acts.len()) {
            let from = format!("+1613555{:04}", 110 + person);
            person += 1;
            let scan = says(&from, &format!("wamid.S{person}"), ago(&world, 60), SCAN);
            world.consume(&scan).await;
            let (yes, no) = buttons_of(&world, &from).await;
            for round in 0..2 {
                for place in &order {
                    let (what, seconds) = acts[*place];
                    let id = format!("wamid.{person}x{place}");
                    let at = ago(&world, 0).plus_millis(-1_000 * seconds);
                    let message = match what {
                        "yes" => presses(&from, &id, at, &yes),
                        "no" => presses(&from, &id, at, &no),
                        _ => says(&from, &id, at, "STOP"),
                    };
                    world.consume(&message).await;
                    if round == 1 {
                        world.consume(&scan).await;
                    }
                }
            }
            let stands = world.marketing(&from).await;
            assert_eq!(stands, Some(expected), "{acts:?} in the order {order:?}");
            let is_suppressed = expected == Stands::Withdrawn;
            assert_eq!(
                !world.suppressed(&from).await.is_empty(),
                is_suppressed,
                "{acts:?} {order:?}"
            );
        }
    }
    assert_eq!(questions(&world).await.len(), person);
}

/// All orders of so many things.
fn orders(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in orders(of - 1) {
        for place in 0..of {
            let mut order = shorter.clone();
            order.insert(place, of - 1);
            all.push(order);
        }
    }
    all
}
