//! Who is behind a number or a user id, when that changes: objections follow, consents wait, and nobody
//! is written to in the place of somebody else.

use headgate_domain::consent::{IdentityChange, State as Stands};
use headgate_domain::lane::Purpose;
use headgate_domain::time::{HOUR, MINUTE, Timestamp};
use serde_json::{Value, json};

use crate::world::{NUMBER, World, body, status, text};

const ADA: &str = "+16135550100";
const ADA_NEW: &str = "+16135550101";
const ADA_ID: &str = "CA.13491208655302741918";
const ADA_NEW_ID: &str = "CA.24491208655302741918";
const BOB_ID: &str = "CA.77491208655302741918";
/// Keys of an account.
const OLD_KEY: &str = "DF2lS5v2W6x=";
const NEW_KEY: &str = "x6W2v5Sl2FD=";

/// A message that names its sender by what is given, with a key of the account beside it.
fn from(
    phone: Option<&str>,
    id: Option<&str>,
    key: Option<&str>,
    wamid: &str,
    at: Timestamp,
    words: &str,
) -> String {
    let digits = phone.map(|phone| phone.trim_start_matches('+'));
    let mut message = text("", wamid, at, words);
    let fields = message.as_object_mut().unwrap();
    fields.remove("from");
    fields.extend(digits.map(|digits| ("from".to_owned(), json!(digits))));
    fields.extend(id.map(|id| ("from_user_id".to_owned(), json!(id))));
    let contact = json!({ "profile": { "name": "Ada" }, "wa_id": digits, "user_id": id, "identity_key_hash": key });
    json!({ "entry": [{ "id": "300", "changes": [{ "field": "messages", "value": {
        "metadata": { "phone_number_id": NUMBER }, "contacts": [contact], "messages": [message] } }] }] })
    .to_string()
}

/// Meta's notice that an account has another number.
fn moved(from: &str, system: &Value, at: Timestamp) -> String {
    let mut message = text(from, "wamid.MOVED", at, "");
    message["type"] = json!("system");
    message["system"] = system.clone();
    body("messages", &[message])
}

fn minutes_ago(world: &World, minutes: i64) -> Timestamp {
    world.ago(minutes * MINUTE)
}

async fn is_suspended(world: &World, phone: &str) -> bool {
    let subject = world.holder(phone).await.unwrap();
    let person = world.person(&subject).await;
    let given = person.consent(Purpose::Marketing).unwrap();
    assert_eq!(given.state, Stands::Given);
    !person.is_theirs(given.agreed_at())
}

#[tokio::test]
async fn a_person_without_a_number_is_one_person_under_both_names() {
    let world = World::start().await;
    world
        .consume(&from(
            None,
            Some(ADA_ID),
            None,
            "wamid.1",
            minutes_ago(&world, 9),
            "hello",
        ))
        .await;
    let by_id = world.holder(ADA_ID).await.unwrap();
    world
        .consume(&from(
            Some(ADA),
            Some(ADA_ID),
            None,
            "wamid.2",
            minutes_ago(&world, 8),
            "it is me",
        ))
        .await;
    assert_eq!(world.holder(ADA).await, Some(by_id.clone()));
    let known = world.person(&by_id).await;
    assert!(known.phone.is_some() && known.bsuid.is_some());
    assert_eq!(known.identity_change, None);

    // A no by id alone is a no under the number.
    world
        .consume(&from(
            None,
            Some(ADA_ID),
            None,
            "wamid.3",
            minutes_ago(&world, 7),
            "STOP",
        ))
        .await;
    assert_eq!(world.suppressed(ADA).await, [Purpose::Marketing]);
    let everything = world.everything().await;
    for secret in ["5550100", ADA_ID] {
        assert!(!everything.contains(secret), "{secret} is stored in clear");
    }
}

#[tokio::test]
async fn two_subjects_that_are_one_person_keep_the_stricter_state_and_answer_to_both_ids() {
    let world = World::start().await;
    world.opt_in(ADA, minutes_ago(&world, 30)).await;
    let by_number = world.holder(ADA).await.unwrap();
    world
        .consume(&from(
            None,
            Some(ADA_ID),
            None,
            "wamid.1",
            minutes_ago(&world, 20),
            "STOP",
        ))
        .await;
    let by_id = world.holder(ADA_ID).await.unwrap();
    assert_ne!(by_number, by_id);

    let both = from(
        Some(ADA),
        Some(ADA_ID),
        None,
        "wamid.2",
        minutes_ago(&world, 10),
        "hello",
    );
    world.consume(&both).await;
    assert_eq!(world.holder(ADA_ID).await, Some(by_number.clone()));
    for id in [&by_number, &by_id] {
        let person = world.person(id).await;
        assert_eq!(person.id, by_number);
        assert!(person.phone.is_some() && person.bsuid.is_some());
        assert_eq!(
            person.consent(Purpose::Marketing).unwrap().state,
            Stands::Withdrawn
        );
    }
    assert_eq!(world.suppressed(ADA).await, [Purpose::Marketing]);
    let mut told = world.events("inbound.message").await;
    told.retain(|event| event["subject"] == by_number.as_str());
    assert_eq!(told.len(), 1);
    let same = &world.events("subject.changed").await[0];
    assert_eq!(
        (&same["subject"], &same["data"]["same_as"]),
        (&json!(by_id.as_str()), &json!(by_number.as_str()))
    );

    // What is said about the one counts for the other, and Meta's repetition changes nothing.
    world.consume(&both).await;
    world.opt_in_subject(&by_id, minutes_ago(&world, 5)).await;
    assert_eq!(world.marketing(ADA).await, Some(Stands::Given));
    assert_eq!(world.suppressed(ADA).await, []);
}

/// What somebody asked for under the one id holds under the other, proven anew and told once for each.
#[tokio::test]
async fn a_request_not_to_sell_is_of_the_person_under_both_ids() {
    let world = World::start().await;
    world.opt_in(ADA, minutes_ago(&world, 30)).await;
    let by_number = world.holder(ADA).await.unwrap();
    let words = "do not sell my info";
    let said = |wamid: &str, at| from(None, Some(ADA_ID), None, wamid, at, words);
    let asked_at = minutes_ago(&world, 20);
    world.consume(&said("wamid.1", asked_at)).await;
    let by_id = world.holder(ADA_ID).await.unwrap();
    let at = minutes_ago(&world, 10);
    let both = from(Some(ADA), Some(ADA_ID), None, "wamid.2", at, "hello");
    world.consume(&both).await;
    world.consume(&both).await;
    world
        .consume(&said("wamid.3", minutes_ago(&world, 5)))
        .await;
    let choice = world.person(&by_number).await.do_not_sell.unwrap();
    assert_eq!(choice.at, asked_at);
    let told = world.events("subject.do_not_sell").await;
    let mut whose: Vec<_> = told
        .iter()
        .map(|event| event["subject"].as_str().unwrap())
        .collect();
    whose.sort_unstable();
    whose.dedup();
    let mut expected = [by_number.as_str(), by_id.as_str()];
    expected.sort_unstable();
    assert_eq!(whose, expected);
    let of_number = |event: &&Value| event["subject"] == by_number.as_str();
    assert_eq!(told.iter().filter(of_number).count(), 1);
}

/// Whichever of the two stands for both.
#[tokio::test]
async fn a_restriction_is_of_the_person_under_both_ids() {
    for is_known_by_number in [true, false] {
        let world = World::start().await;
        if is_known_by_number {
            world.opt_in(ADA, minutes_ago(&world, 30)).await;
        } else {
            world.subject(ADA).await;
        }
        let by_number = world.holder(ADA).await.unwrap();
        let alone = |at| from(None, Some(ADA_ID), None, "wamid.1", at, "hello");
        world.consume(&alone(minutes_ago(&world, 20))).await;
        let by_id = world.holder(ADA_ID).await.unwrap();
        let since = minutes_ago(&world, 15);
        world.restrict(&by_id, since).await;
        let at = minutes_ago(&world, 10);
        let both = from(Some(ADA), Some(ADA_ID), None, "wamid.2", at, "hello");
        world.consume(&both).await;
        let standing = world.holder(ADA).await;
        assert_eq!(standing, world.holder(ADA_ID).await);
        let expected = if is_known_by_number {
            &by_number
        } else {
            &by_id
        };
        assert_eq!(standing.as_ref(), Some(expected));
        for id in [&by_number, &by_id] {
            assert_eq!(world.person(id).await.restricted_at, Some(since));
        }
    }
}

/// Ada agreed by number an hour ago. Then each message comes, with a key of the account, by number or by id, so many
/// minutes ago; the last one by both.
async fn joined(told: &[(bool, Option<&str>, i64)], last: Option<&str>) -> World {
    let world = World::start().await;
    world.opt_in(ADA, minutes_ago(&world, 60)).await;
    for (by_number, key, ago) in told {
        let (phone, id) = if *by_number {
            (Some(ADA), None)
        } else {
            (None, Some(ADA_ID))
        };
        let (wamid, at) = (format!("wamid.{ago}"), minutes_ago(&world, *ago));
        let message = from(phone, id, *key, &wamid, at, "hello");
        world.consume(&message).await;
    }
    let at = minutes_ago(&world, 30);
    let both = from(Some(ADA), Some(ADA_ID), last, "wamid.BOTH", at, "it is me");
    world.consume(&both).await;
    assert_eq!(world.holder(ADA).await, world.holder(ADA_ID).await);
    world
}

/// The subject by number stands for both, whatever was known of which: who it is, is as doubtful as it was of either.
#[tokio::test]
async fn a_change_of_the_account_is_of_the_person_under_both_ids() {
    let by_id = |key, ago| (false, Some(key), ago);
    let by_number = |key, ago| (true, Some(key), ago);
    for (told, changed) in [
        (vec![by_id(OLD_KEY, 50), by_id(NEW_KEY, 40)], Some(40)),
        // Each of the two saw one key: together they saw it change.
        (vec![by_number(OLD_KEY, 50), by_id(NEW_KEY, 40)], Some(40)),
        (vec![by_id(NEW_KEY, 50), by_number(OLD_KEY, 40)], Some(40)),
        // Of two changes the later counts, whichever saw it.
        (
            vec![
                by_id(OLD_KEY, 55),
                by_number(OLD_KEY, 50),
                by_id(NEW_KEY, 45),
                by_number(NEW_KEY, 40),
            ],
            Some(40),
        ),
        (
            vec![
                by_id(OLD_KEY, 55),
                by_number(OLD_KEY, 50),
                by_number(NEW_KEY, 45),
                by_id(NEW_KEY, 40),
            ],
            Some(40),
        ),
        (vec![by_number(OLD_KEY, 50), by_id(OLD_KEY, 40)], None),
        (vec![by_id(OLD_KEY, 40)], None),
    ] {
        let world = joined(&told, None).await;
        let ada = world.holder(ADA).await.unwrap();
        let expected = changed.map(|ago| (minutes_ago(&world, ago), IdentityChange::IdentityKey));
        let known = world.person(&ada).await;
        assert_eq!(known.identity_change, expected, "{told:?}");
        assert_eq!(known.certain_since(), expected.map(|(at, _change)| at));
        assert_eq!(is_suspended(&world, ADA).await, changed.is_some());
        let events = world.events("subject.changed").await;
        let of_keys = |event: &&Value| {
            event["subject"] == ada.as_str() && event["data"]["change"] == "identity_key"
        };
        assert_eq!(events.iter().any(|e| of_keys(&e)), changed.is_some());

        // The key that came last is the one the next is compared with.
        let (_, last, _) = told[told.len() - 1];
        let next = from(
            Some(ADA),
            Some(ADA_ID),
            last,
            "wamid.SAME",
            minutes_ago(&world, 20),
            "x",
        );
        world.consume(&next).await;
        assert_eq!(world.person(&ada).await.identity_change, expected);
        let at = minutes_ago(&world, 10);
        let key = Some("Q2lS5v2W6xz=");
        let next = from(Some(ADA), Some(ADA_ID), key, "wamid.OTHER", at, "x");
        world.consume(&next).await;
        let changed = world.person(&ada).await.identity_change;
        assert_eq!(changed, Some((at, IdentityChange::IdentityKey)), "{told:?}");
        let everything = world.everything().await;
        for key in ["DF2lS5v2W6x", "x6W2v5Sl2FD"] {
            assert!(!everything.contains(key), "a key is stored in clear");
        }
    }
}

/// What was asked for before the change is the other's, when the one by id stands for both as well.
#[tokio::test]
async fn a_change_that_only_the_number_saw_is_of_the_one_that_stands_by_id() {
    let world = World::start().await;
    let at = |ago| minutes_ago(&world, ago);
    let by_number = |key, wamid, ago| from(Some(ADA), None, Some(key), wamid, at(ago), "hello");
    world.consume(&by_number(OLD_KEY, "wamid.1", 50)).await;
    world.consume(&by_number(NEW_KEY, "wamid.2", 40)).await;
    let by_id = from(None, Some(ADA_ID), None, "wamid.3", at(55), "hello");
    world.consume(&by_id).await;
    let standing = world.holder(ADA_ID).await.unwrap();
    world.opt_in_subject(&standing, at(52)).await;
    let both = from(Some(ADA), Some(ADA_ID), None, "wamid.4", at(30), "hello");
    world.consume(&both).await;
    assert_eq!(world.holder(ADA).await, Some(standing.clone()));
    let change = world.person(&standing).await.identity_change;
    assert_eq!(change, Some((at(40), IdentityChange::IdentityKey)));
    assert!(is_suspended(&world, ADA).await);
}

#[tokio::test]
async fn a_new_number_takes_the_objections_along_and_suspends_the_consents() {
    let world = World::start().await;
    world.opt_in(ADA, minutes_ago(&world, 60)).await;
    world
        .consume(&from(
            Some(ADA),
            Some(ADA_ID),
            None,
            "wamid.1",
            minutes_ago(&world, 50),
            "hello",
        ))
        .await;
    let ada = world.holder(ADA).await.unwrap();
    let notice = json!({ "type": "user_changed_number", "wa_id": "16135550101", "user_id": ADA_NEW_ID, "previous_user_id": ADA_ID });
    let notice = moved(ADA, &notice, minutes_ago(&world, 40));
    for _repeated in 0..2 {
        world.consume(&notice).await;
        assert_eq!(world.holder(ADA_NEW).await, Some(ada.clone()));
        assert_eq!(world.holder(ADA_NEW_ID).await, Some(ada.clone()));
        assert_eq!(
            world.holder(ADA_ID).await,
            Some(ada.clone()),
            "an id is never given away"
        );
        assert_eq!(
            world.holder(ADA).await,
            None,
            "the number is somebody else's soon"
        );
        let person = world.person(&ada).await;
        assert_eq!(person.phone.unwrap().reveal(), ADA_NEW);
        assert!(is_suspended(&world, ADA_NEW).await);
        let told = world.events("subject.changed").await;
        assert_eq!(told.len(), 1);
        assert_eq!(
            (&told[0]["subject"], &told[0]["data"]["change"]),
            (&json!(ada.as_str()), &json!("number"))
        );
    }
    // Whoever has the old number now is a stranger, and not Ada.
    world
        .consume(&from(
            Some(ADA),
            Some(BOB_ID),
            None,
            "wamid.2",
            minutes_ago(&world, 30),
            "hi",
        ))
        .await;
    let bob = world.holder(ADA).await.unwrap();
    assert_ne!(bob, ada);
    assert!(
        world
            .person(&bob)
            .await
            .consents
            .iter()
            .all(Option::is_none)
    );
    // A stop of hers that was under way all the time is hers.
    world
        .consume(&body(
            "messages",
            &[text(ADA, "wamid.3", minutes_ago(&world, 45), "STOP")],
        ))
        .await;
    assert_eq!(world.marketing(ADA_NEW).await, Some(Stands::Withdrawn));
    assert_eq!(world.suppressed(ADA_NEW).await, [Purpose::Marketing]);
    assert_eq!(world.marketing(ADA).await, None, "Bob has said nothing");
}

#[tokio::test]
async fn a_new_user_id_without_a_number_leaves_the_number_behind() {
    let world = World::start().await;
    world.opt_in(ADA, minutes_ago(&world, 60)).await;
    world
        .consume(&from(
            Some(ADA),
            Some(ADA_ID),
            None,
            "wamid.1",
            minutes_ago(&world, 55),
            "STOP",
        ))
        .await;
    let ada = world.holder(ADA).await.unwrap();
    let notice = json!({ "type": "user_changed_user_id", "user_id": ADA_NEW_ID, "previous_user_id": ADA_ID });
    let mut notice = moved(ADA, &notice, minutes_ago(&world, 40));
    notice = notice.replace(r#""from":"16135550100","#, "");
    world.consume(&notice).await;
    let person = world.person(&ada).await;
    assert_eq!(person.phone, None);
    assert_eq!(person.bsuid.unwrap().reveal(), ADA_NEW_ID);
    assert_eq!(
        (world.holder(ADA).await, world.holder(ADA_NEW_ID).await),
        (None, Some(ada))
    );
    assert_eq!(world.suppressed(ADA_NEW_ID).await, [Purpose::Marketing]);
    assert_eq!(
        world.events("subject.changed").await[0]["data"]["change"],
        "user_id"
    );
}

#[tokio::test]
async fn a_number_under_another_user_id_is_somebody_else() {
    let world = World::start().await;
    world.opt_in(ADA, minutes_ago(&world, 60)).await;
    world
        .consume(&from(
            Some(ADA),
            Some(ADA_ID),
            None,
            "wamid.1",
            minutes_ago(&world, 50),
            "hello",
        ))
        .await;
    let ada = world.holder(ADA).await.unwrap();
    world
        .consume(&from(
            Some(ADA),
            Some(BOB_ID),
            None,
            "wamid.2",
            minutes_ago(&world, 40),
            "START",
        ))
        .await;
    let bob = world.holder(ADA).await.unwrap();
    assert_ne!(ada, bob);
    assert_eq!(world.holder(BOB_ID).await, Some(bob.clone()));
    assert!(
        world
            .person(&bob)
            .await
            .consents
            .iter()
            .all(Option::is_none),
        "START reopens nothing that was another's"
    );
    let before = world.person(&ada).await;
    assert_eq!(before.phone, None, "what is sent to Ada must not reach Bob");
    assert_eq!(
        before.identity_change.unwrap().1,
        IdentityChange::NumberReassigned
    );
    // Meta repeats what Ada wrote: it is still hers, and gives her nothing back.
    world
        .consume(&from(
            Some(ADA),
            Some(ADA_ID),
            None,
            "wamid.3",
            minutes_ago(&world, 45),
            "STOP",
        ))
        .await;
    assert_eq!(world.holder(ADA).await, Some(bob));
    assert_eq!(world.person(&ada).await.phone, None);
    assert_eq!(
        world
            .person(&ada)
            .await
            .consent(Purpose::Marketing)
            .unwrap()
            .state,
        Stands::Withdrawn
    );
}

#[tokio::test]
async fn an_account_that_writes_from_another_number_has_moved() {
    let world = World::start().await;
    world.opt_in(ADA, minutes_ago(&world, 60)).await;
    world
        .consume(&from(
            Some(ADA),
            Some(ADA_ID),
            None,
            "wamid.1",
            minutes_ago(&world, 50),
            "hello",
        ))
        .await;
    world.opt_in(ADA_NEW, minutes_ago(&world, 45)).await;
    let (ada, other) = (
        world.holder(ADA).await.unwrap(),
        world.holder(ADA_NEW).await.unwrap(),
    );
    let message = from(
        Some(ADA_NEW),
        Some(ADA_ID),
        None,
        "wamid.2",
        minutes_ago(&world, 40),
        "hello",
    );
    for _repeated in 0..2 {
        world.consume(&message).await;
        assert_eq!(
            (world.holder(ADA).await, world.holder(ADA_NEW).await),
            (None, Some(ada.clone()))
        );
        assert_eq!(world.person(&ada).await.phone.unwrap().reveal(), ADA_NEW);
        assert_eq!(world.person(&other).await.phone, None);
        assert!(is_suspended(&world, ADA_NEW).await);
    }
    world.opt_in(ADA_NEW, minutes_ago(&world, 10)).await;
    assert!(!is_suspended(&world, ADA_NEW).await, "said again");
}

#[tokio::test]
async fn another_key_of_the_account_suspends_in_whatever_order_it_is_told() {
    for reversed in [false, true] {
        let world = World::start().await;
        world.opt_in(ADA, minutes_ago(&world, 60)).await;
        let changed_at = minutes_ago(&world, 40);
        let mut told = [
            from(
                Some(ADA),
                Some(ADA_ID),
                Some("DF2lS5v2W6x="),
                "wamid.1",
                minutes_ago(&world, 50),
                "hello",
            ),
            from(
                Some(ADA),
                Some(ADA_ID),
                Some("DF2lS5v2W6x="),
                "wamid.2",
                minutes_ago(&world, 45),
                "hello",
            ),
            from(
                Some(ADA),
                Some(ADA_ID),
                Some("x6W2v5Sl2FD="),
                "wamid.3",
                changed_at,
                "START",
            ),
        ];
        if reversed {
            told.reverse();
        }
        for message in &told {
            world.consume(message).await;
        }
        assert!(is_suspended(&world, ADA).await);
        let ada = world.holder(ADA).await.unwrap();
        let changed = world.person(&ada).await.identity_change;
        assert_eq!(changed, Some((changed_at, IdentityChange::IdentityKey)));
        assert_eq!(world.events("subject.changed").await.len(), 1);
        // Whoever is there now may say no, and by a word alone opens nothing of what was agreed to before.
        for (words, ago) in [("STOP", 30), ("START", 20)] {
            let key = Some("x6W2v5Sl2FD=");
            let wamid = format!("wamid.{ago}");
            let at = minutes_ago(&world, ago);
            let message = from(Some(ADA), Some(ADA_ID), key, &wamid, at, words);
            world.consume(&message).await;
        }
        assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));
        let everything = world.everything().await;
        for key in ["DF2lS5v2W6x", "x6W2v5Sl2FD"] {
            assert!(!everything.contains(key), "a key is stored in clear");
        }
    }
}

#[tokio::test]
async fn a_code_that_was_not_delivered_for_another_key_suspends_too() {
    let world = World::start().await;
    world.opt_in(ADA, world.now().plus_millis(-HOUR)).await;
    let record = world.record(ADA, Purpose::Authentication, 1).await;
    let at = minutes_ago(&world, 0);
    let opaque = record.opaque(1);
    world
        .consume(&body(
            "statuses",
            &[status(&opaque, "failed", at, Some(137_000))],
        ))
        .await;
    assert!(is_suspended(&world, ADA).await);
    assert_eq!(
        world.events("subject.changed").await[0]["data"]["change"],
        "identity_key"
    );
    assert_eq!(world.events("message.failed").await.len(), 1);
}

#[tokio::test]
async fn the_number_of_who_wrote_is_told_only_to_those_who_asked_for_it() {
    for asked in [false, true] {
        let world = World::start().await;
        world.tell_numbers(asked).await;
        let message = from(
            Some(ADA),
            Some(ADA_ID),
            None,
            "wamid.1",
            minutes_ago(&world, 1),
            "hello",
        );
        world.consume(&message).await;
        let told = &world.events("inbound.message").await[0];
        let number = asked.then(|| json!(ADA));
        assert_eq!(told["data"].get("phone"), number.as_ref());
        assert!(!told.to_string().contains(ADA_ID));
        assert_eq!(told.to_string().contains("5550100"), asked);
    }
}
