//! "Delete my data": afterwards every store is read, and nothing of the person is left but what says that they are
//! not to be written to, and commitments that lead to nobody.

use std::collections::BTreeSet;

use headgate_aws::controls::Controls;
use headgate_aws::ledger::Ledger;
use headgate_domain::identity::PepperVersion;
use headgate_domain::ledger::{Hash, SHARDS, verify_shard};
use headgate_domain::privacy::Receipt;
use headgate_domain::time::{DAY, HOUR, MINUTE, Timestamp};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::world::World;
use crate::{ADA, BOB, answer, marketing, said, text};

/// What Ada is known by beside her number.
const ID: &str = "CA.15550100";

pub(crate) fn by_both(body: &Value) -> Value {
    let mut body = body.clone();
    let value = &mut body["entry"][0]["changes"][0]["value"];
    value["messages"][0]["from_user_id"] = ID.into();
    value["contacts"] = json!([{ "wa_id": ADA, "user_id": ID, "profile": { "name": "Ada" } }]);
    body
}

/// The random id of whoever wrote something, by what an app is told of it.
pub(crate) async fn who_wrote(world: &World, words: &str) -> String {
    let told = world.on_queue("app-events").await;
    let it = |event: &&Value| event["data"]["message"]["text"]["body"] == words;
    let told = told.iter().find(it).unwrap();
    told["subject"].as_str().unwrap().to_owned()
}

/// Ada has agreed, was written to, has a message that waits for next week, and has written herself.
pub(crate) async fn acquainted(world: &World) -> Vec<Value> {
    let mut notified = Vec::new();
    let scan = by_both(&said(
        ADA,
        "wamid.SCAN",
        world.seconds(),
        &text("Hello K7M3QP"),
    ));
    world.notify("scan", &scan).await;
    world.answer_people().await;
    world.send().await;
    let queued = world.on_queue("-system").await;
    let asked = queued
        .iter()
        .find(|message| message["kind"] == "optin_question");
    let token = asked.unwrap()["question"]["token"].as_str().unwrap();
    let reply = json!({ "id": format!("headgate.optin.yes.{token}"), "title": "Yes, I agree" });
    let press = json!({ "type": "interactive", "interactive": { "type": "button_reply", "button_reply": reply } });
    let yes = by_both(&said(ADA, "wamid.YES", world.seconds(), &press));
    world.notify("yes", &yes).await;
    let accepted = answer(world, ADA, "sale").await;
    assert_eq!(accepted["type"], "message.accepted", "{accepted}");
    world.send().await;
    let mut later = marketing(ADA, "next-week");
    let at = headgate_domain::time::Timestamp::from_seconds(world.seconds() + 7 * 86_400);
    later["not_before"] = at.to_string().into();
    world.queue("MARKETING", "next-week", &[later]).await;
    let chat = by_both(&said(
        ADA,
        "wamid.CHAT",
        world.seconds(),
        &text("my parcel is late"),
    ));
    world.notify("chat", &chat).await;
    notified.extend([scan, yes, chat]);
    notified
}

/// Deletes her data by a message of hers, and turns the clock to when it is done.
async fn erase(world: &World) -> Value {
    let ask = by_both(&said(
        ADA,
        "wamid.DELETE",
        world.seconds(),
        &text("Delete my data"),
    ));
    world.notify("delete", &ask).await;
    world.receive_requests().await;
    world.answer_people().await;
    world.wait(6 * MINUTE);
    world.work_off().await;
    ask
}

/// Everything that names her: her random id, and the pseudonyms of what she is known by and wrote.
pub(crate) fn names_of(rows: &[(String, String)], subject: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::from([subject.to_owned()]);
    for (place, text) in rows {
        let is_hers = place.contains(subject) || text.contains(subject);
        for kind in ["s1_", "b1_", "s2_", "b2_", "m1_", "i1_"] {
            let texts = [place, text].into_iter().filter(|_| is_hers);
            for (at, _) in texts.clone().flat_map(|text| text.match_indices(kind)) {
                for text in [place, text] {
                    let name = text.get(at..at + 46).filter(|name| name.starts_with(kind));
                    names.extend(name.map(str::to_owned));
                }
            }
        }
    }
    names
}

pub(crate) fn left_of(rows: &[(String, String)], names: &BTreeSet<String>) -> Vec<String> {
    let names_her = |text: &str| names.iter().any(|name| text.contains(name.as_str()));
    let hers = rows
        .iter()
        .filter(|(place, text)| names_her(place) || names_her(text));
    hers.map(|(place, _)| place.clone()).collect()
}

async fn verify(world: &World) {
    let (settings, aws) = world.of("IntakeFunction");
    let ledger = Ledger::new(aws, settings.name("HEADGATE_TABLE_CONSENT_LEDGER").unwrap());
    let heads = ledger.heads().await.unwrap();
    for (shard, head) in (0..SHARDS).zip(heads) {
        let entries = ledger.entries(shard, 0).await.unwrap();
        assert!(verify_shard(shard, &entries, head).is_ok(), "shard {shard}");
    }
}

#[tokio::test]
async fn after_an_erasure_every_store_is_read_and_nothing_of_the_person_is_left() {
    Box::pin(erased_and_gone(None)).await;
}

/// Her names are of the pepper before, and are found.
#[tokio::test]
async fn nothing_is_left_of_whom_the_next_pepper_has_not_named_yet() {
    Box::pin(erased_and_gone(Some(50 * MINUTE))).await;
}

#[tokio::test]
async fn nothing_is_left_of_whom_the_next_pepper_has_named() {
    Box::pin(erased_and_gone(Some(65 * MINUTE))).await;
}

/// Another pepper, since some time.
async fn rotate(world: &World, since: i64) {
    let (settings, aws) = world.of("IntakeFunction");
    let controls = Controls::new(aws, settings.name("HEADGATE_TABLE_CONTROLS").unwrap());
    let now = Timestamp::from_seconds(world.seconds());
    assert!(
        controls
            .next_peppers(PepperVersion::FIRST, now)
            .await
            .unwrap()
    );
    world.wait(since);
    world.work_off().await;
    let rows = world.rows().await;
    let is_older = |(place, _): &&(String, String)| place.contains("/I#s1_");
    let is_moved = since > HOUR;
    assert_eq!(rows.iter().find(is_older).is_none(), is_moved);
}

async fn erased_and_gone(rotated: Option<i64>) {
    let world = World::start().await;
    let notified = acquainted(&world).await;
    let subject = who_wrote(&world, "my parcel is late").await;
    if let Some(since) = rotated {
        rotate(&world, since).await;
    }
    let before = world.rows().await;
    let mut names = names_of(&before, &subject);
    assert!(names.len() >= 8, "she is known by all of these: {names:?}");
    let stores: BTreeSet<&str> = before
        .iter()
        .filter(|(place, text)| place.contains(&subject) || text.contains(&subject))
        .map(|(place, _)| place.split('/').next().unwrap())
        .collect();
    assert!(stores.len() >= 4, "{stores:?}");

    let ask = erase(&world).await;
    let after = world.rows().await;
    names.extend(names_of(&before, &subject));
    let left = left_of(&after, &names);
    // The journal that outlives the backups, and marks that nobody makes a new salt.
    let expected = [
        "-privacy-requests/erased/",
        "-keys/salt#",
        "-keys/evidence-salt#",
    ];
    let is_expected = |place: &String| expected.iter().any(|part| place.contains(part));
    let unexpected: Vec<&String> = left.iter().filter(|place| !is_expected(place)).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert_eq!(left.len(), 3, "{left:?}");
    let salts = after
        .iter()
        .filter(|(place, _)| place.contains("-keys/") && place.contains(&subject));
    assert!(
        salts.clone().count() == 2 && salts.clone().all(|(_, text)| !text.contains("\"salt\""))
    );

    // Apps were told what of theirs is not sent, and who is gone, by their own ids.
    let told = world.on_queue("app-events").await;
    let cancelled =
        |event: &&Value| event["type"] == "message.cancelled" && event["id"] == "next-week";
    assert_eq!(
        told.iter().find(cancelled).unwrap()["data"]["reason"],
        "erased"
    );
    let erased = told
        .iter()
        .find(|event| event["type"] == "subject.erased")
        .unwrap();
    assert_eq!(erased["subject"], subject.as_str());

    // The ledger says so, and verifies.
    let ledger = world.ledger().await;
    let said_so = ledger
        .iter()
        .find(|fact| fact["type"] == "subject.erased")
        .unwrap();
    assert_eq!(said_so["receipt"], erased["data"]["request"]);
    verify(&world).await;

    // The receipt is signed, says what was found, and names nobody.
    let receipt = after
        .iter()
        .find(|(place, _)| place.contains("-evidence/erasure"))
        .map(|(_, text)| serde_json::from_str::<Value>(text).unwrap())
        .unwrap();
    let note = receipt["note"]["S"].as_str().unwrap();
    let (settings, aws) = world.of("PrivacyWorkerFunction");
    let key = headgate_aws::signing::SigningKey::new(
        aws,
        settings.name("HEADGATE_KMS_KEY_RECEIPT").unwrap(),
    );
    let receipt = Receipt::of_note(note, &key.public_key().await.unwrap()).unwrap();
    assert!(receipt.is_complete());
    assert_eq!(receipt.request.as_str(), erased["data"]["request"]);
    assert!(
        receipt
            .stores
            .iter()
            .filter(|store| store.matched > 0)
            .count()
            >= 4,
        "{note}"
    );
    assert_eq!(receipt.destroyed.len(), 2);
    assert_eq!(
        receipt.ledger[0].0.as_str(),
        said_so["subject"].as_str().unwrap()
    );
    assert_ne!(receipt.destroyed[0], Hash::ZERO);

    // What Meta hands over again brings nobody back.
    for (n, body) in notified.iter().chain([&ask]).enumerate() {
        world.notify(&format!("again-{n}"), body).await;
    }
    assert_eq!(world.rows().await, after);

    // Nor does it after a week, when it is looked for once more, and the marks go.
    world.wait(8 * DAY);
    world.mint().await;
    assert_eq!(world.work_off().await, 1);
    let left = left_of(&world.rows().await, &names);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].contains("-privacy-requests/erased/"), "{left:?}");
}

#[tokio::test]
async fn whoever_was_erased_stays_unwritten_to_until_they_agree_anew() {
    let world = World::start().await;
    let notified = acquainted(&world).await;
    let before = who_wrote(&world, "my parcel is late").await;
    erase(&world).await;

    // An import cannot ask her, and an app's word for her is refused.
    let file = "phone,purpose,claimed_at,method,notice,topics,attestation\n\
        +16135550100,marketing,2026-03-01,paper,I want offers,offers,scan-7\n\
        +16135550101,marketing,2026-03-01,paper,I want offers,offers,scan-8\n";
    let file = file
        .replace("+16135550100", &format!("+{ADA}"))
        .replace("+16135550101", &format!("+{BOB}"));
    let hash = headgate_domain::import::FileHash::of(sha2::Sha256::new_with_prefix(&file));
    let key = headgate_domain::import::Progress::file_key(hash.as_str());
    world.bring(&key, &file, None).await;
    let report = world.report(hash.as_str()).await;
    assert!(report.contains("1,2,suppressed,"), "{report}");
    assert!(report.contains("2,3,requested,"), "{report}");
    let refused = answer(&world, ADA, "after").await;
    assert_eq!(refused["type"], "message.refused", "{refused}");

    // Meta's times are whole seconds.
    world.wait(2_000);
    // She writes again: somebody new, of whom nothing is known, whatever comes late from before.
    let hello = by_both(&said(
        ADA,
        "wamid.NEW",
        world.seconds(),
        &text("hello again"),
    ));
    world.notify("new", &hello).await;
    let now = who_wrote(&world, "hello again").await;
    assert_ne!(now, before);
    let rows = world.rows().await;
    for (n, body) in notified.iter().enumerate() {
        world.notify(&format!("late-{n}"), body).await;
    }
    assert_eq!(world.rows().await, rows);
    let refused = answer(&world, ADA, "after-hello").await;
    assert_eq!(refused["data"]["code"], "suppressed", "{refused}");
    // The service window is open: she is answered.
    let reply = json!({ "schema": "headgate.outbound/1", "id": "reply", "from": "main", "to": { "subject": now },
        "purpose": "service", "message": { "type": "text", "text": { "body": "Hello!" } } });
    world.queue("SERVICE", "reply", &[reply]).await;
    let told = world.on_queue("app-events").await;
    let reply = told.iter().rfind(|event| event["id"] == "reply").unwrap();
    assert_eq!(reply["type"], "message.accepted", "{reply}");
}

#[tokio::test]
async fn the_person_is_told_before_and_asking_twice_is_one_request() {
    let world = World::start().await;
    acquainted(&world).await;
    world.answer_people().await;
    world.send().await;
    let first = by_both(&said(
        ADA,
        "wamid.DELETE",
        world.seconds(),
        &text("delete my data"),
    ));
    let second = by_both(&said(
        ADA,
        "wamid.DELETE2",
        world.seconds(),
        &text("DELETE MY DATA"),
    ));
    for (name, body) in [("one", &first), ("two", &second)] {
        world.notify(name, body).await;
    }
    world.receive_requests().await;
    world.receive_requests().await;
    let before = world.arrivals().len();
    world.answer_people().await;
    world.send().await;
    let told = world.on_queue("-system").await;
    let receipts: BTreeSet<&str> = told
        .iter()
        .filter(|message| message["kind"] == "privacy_receipt")
        .map(|message| message["token"].as_str().unwrap())
        .collect();
    assert_eq!(receipts.len(), 1, "{told:?}");
    assert_eq!(world.arrivals().len(), before + 1, "she is told once");
    // Nothing is destroyed before its time.
    assert_eq!(world.work_off().await, 0);
    world.wait(6 * MINUTE);
    assert_eq!(world.work_off().await, 1);
    // The queue hands the same requests over again.
    world.receive_requests().await;
    world.wait(6 * MINUTE);
    assert_eq!(world.work_off().await, 0);
}
