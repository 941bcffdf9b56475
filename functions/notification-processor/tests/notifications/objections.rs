//! Every way in which a person says no, and what does not count as a yes.

use headgate_aws::messages::Settlement;
use headgate_domain::consent::State as Stands;
use headgate_domain::lane::Purpose;
use headgate_domain::record::State;
use headgate_domain::time::{DAY, HOUR, MINUTE, Timestamp};
use serde_json::{Value, json};

use crate::world::{NUMBER, World, body, status, text};

const ADA: &str = "+16135550100";
/// In a country where no law gives a word its effect.
const GRACE: &str = "+447700900123";

#[tokio::test]
async fn a_stop_is_heard_in_a_caption_an_edit_and_a_message_of_no_kind() {
    let world = World::start().await;
    let at = world.now().plus_millis(-HOUR);
    let said = |words: &str| {
        let caption = json!({ "id": "1", "caption": words });
        [
            json!({ "type": "image", "image": caption }),
            json!({ "type": "video", "video": caption }),
            json!({ "type": "document", "document": caption }),
            json!({ "type": "edit", "edit": { "original_message_id": "wamid.X", "message": { "type": "text", "text": { "body": words } } } }),
            json!({ "text": { "body": words } }),
            json!({ "type": "something_new", "text": { "body": words } }),
        ]
    };
    for (n, (stop, start)) in said("STOP").into_iter().zip(said("START")).enumerate() {
        let from = format!("+161355501{n:02}");
        let message = |kind: &Value, id: String, minutes: i64| {
            let mut message = text(&from, &id, at.plus_millis(minutes * MINUTE), "");
            message
                .as_object_mut()
                .unwrap()
                .retain(|name, _| name != "type" && name != "text");
            for (name, value) in kind.as_object().unwrap() {
                message[name] = value.clone();
            }
            body("messages", &[message])
        };
        world.opt_in(&from, at.plus_millis(-HOUR)).await;
        world
            .consume(&message(&stop, format!("wamid.N{n}"), 0))
            .await;
        assert_eq!(
            world.marketing(&from).await,
            Some(Stands::Withdrawn),
            "{stop}"
        );
        assert_eq!(
            world.suppressed(&from).await,
            [Purpose::Marketing],
            "{stop}"
        );
        world
            .consume(&message(&start, format!("wamid.Y{n}"), 2))
            .await;
        assert_eq!(
            world.marketing(&from).await,
            Some(Stands::Withdrawn),
            "a yes needs a message of its own: {start}"
        );
    }
}

#[tokio::test]
async fn a_misspelt_stop_is_a_no_and_a_word_of_many_meanings_is_not() {
    let world = World::start().await;
    let at = world.now().plus_millis(-HOUR);
    world.opt_in(GRACE, at.plus_millis(-HOUR)).await;
    let say = |id: &str, words: &str| body("messages", &[text(GRACE, id, at, words)]);
    world.consume(&say("wamid.A", "cancel")).await;
    assert_eq!(world.marketing(GRACE).await, Some(Stands::Given));
    world.consume(&say("wamid.B", "stpo")).await;
    assert_eq!(world.marketing(GRACE).await, Some(Stands::Withdrawn));
}

#[tokio::test]
async fn a_start_gives_nothing_to_somebody_who_never_said_yes() {
    let world = World::start().await;
    let at = world.now().plus_millis(-HOUR);
    for (n, words) in ["STOP", "START"].into_iter().enumerate() {
        let when = at.plus_millis(MINUTE * i64::try_from(n).unwrap());
        let message = text(ADA, &format!("wamid.{n}A"), when, words);
        world.consume(&body("messages", &[message])).await;
    }
    assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));
    assert_eq!(world.suppressed(ADA).await, [Purpose::Marketing]);
    assert!(world.events("subject.opted_in").await.is_empty());
}

#[tokio::test]
async fn a_no_said_twice_is_still_the_no_that_took_a_yes_back() {
    let world = World::start().await;
    let at = world.now().plus_millis(-HOUR);
    world.opt_in(ADA, at.plus_millis(-HOUR)).await;
    for (n, words) in ["STOP", "STOP", "START"].into_iter().enumerate() {
        let when = at.plus_millis(MINUTE * i64::try_from(n).unwrap());
        let message = text(ADA, &format!("wamid.{n}A"), when, words);
        world.consume(&body("messages", &[message])).await;
    }
    assert_eq!(world.marketing(ADA).await, Some(Stands::Given));
    assert_eq!(world.suppressed(ADA).await, []);
}

#[tokio::test]
async fn a_refusal_for_a_stop_counts_when_the_record_has_failed_before() {
    let world = World::start().await;
    let now = world.now();
    world.opt_in(ADA, now.plus_millis(-HOUR)).await;
    let reference = world.record(ADA, Purpose::Marketing, 1).await;
    for code in [131_026, 131_050] {
        let failed = status(&reference.opaque(1), "failed", now, Some(code));
        world.consume(&body("statuses", &[failed])).await;
    }
    assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));
    assert_eq!(world.events("subject.opted_out").await.len(), 1);
    assert_eq!(world.events("message.failed").await.len(), 1);
}

#[tokio::test]
async fn a_failure_of_an_earlier_attempt_moves_nothing_and_a_stop_in_it_counts() {
    let world = World::start().await;
    let now = world.now();
    world.opt_in(ADA, now.plus_millis(-HOUR)).await;
    let reference = world.record(ADA, Purpose::Marketing, 1).await;
    let second = Settlement {
        attempt: Some(2),
        ..Settlement::default()
    };
    let moved = world
        .messages()
        .settle(&reference, State::Sent, &second, now)
        .await;
    assert!(moved.unwrap().is_some());
    let failed = |attempt, code| {
        body(
            "statuses",
            &[status(
                &reference.opaque(attempt),
                "failed",
                now,
                Some(code),
            )],
        )
    };
    world.consume(&failed(1, 131_026)).await;
    assert_eq!(world.state(&reference).await, State::Sent);
    assert!(world.events("message.failed").await.is_empty());
    assert_eq!(world.marketing(ADA).await, Some(Stands::Given));

    world.consume(&failed(1, 131_050)).await;
    assert_eq!(world.state(&reference).await, State::Sent);
    assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));

    world.consume(&failed(2, 131_026)).await;
    assert_eq!(world.state(&reference).await, State::Failed);
}

#[tokio::test]
async fn a_message_to_a_number_we_do_not_send_from_opens_no_window_and_a_stop_in_it_counts() {
    let world = World::start().await;
    let at = world.now().plus_millis(-HOUR);
    world.opt_in(ADA, at.plus_millis(-HOUR)).await;
    let elsewhere = body("messages", &[text(ADA, "wamid.A", at, "STOP")]).replace(NUMBER, "999");
    world.consume(&elsewhere).await;
    let subject = world.subject(ADA).await;
    assert_eq!(world.person(&subject).await.last_inbound_at, None);
    assert_eq!(world.marketing(ADA).await, Some(Stands::Withdrawn));
    assert_eq!(world.events("inbound.message").await.len(), 1);
    let here = body("messages", &[text(ADA, "wamid.B", at, "hello")]);
    world.consume(&here).await;
    assert!(world.person(&subject).await.last_inbound_at.is_some());
}

#[tokio::test]
async fn whoever_writes_again_after_a_year_is_noted_as_such_once() {
    let world = World::start().await;
    let now = world.now().plus_millis(-HOUR);
    for (phone, days, is_back) in [(ADA, 364, false), ("+16135550101", 366, true)] {
        let subject = world.subject(phone).await;
        // Meta repeats nothing so old; what was heard then stands in the row.
        let heard = now.plus_millis(-days * DAY);
        let people = world.consents.subjects();
        people.note_inbound(&subject, heard).await.unwrap();
        for (name, at) in [("first", now), ("next", now.plus_millis(MINUTE))] {
            let said = text(phone, &format!("wamid.{days}.{name}"), at, "hello");
            world.consume(&body("messages", &[said])).await;
            let returned = world.person(&subject).await.returned_at;
            let seconds = returned.map(Timestamp::seconds);
            assert_eq!(
                seconds,
                is_back.then_some(now.seconds()),
                "{name} of {days}"
            );
        }
    }
}

#[tokio::test]
async fn a_late_yes_to_one_purpose_is_not_held_up_by_a_newer_no_to_another() {
    let world = World::start().await;
    let at = |minutes: i64| world.ago(HOUR - minutes * MINUTE);
    let (all, marketing, yes) = (at(0), at(20), at(10));
    world
        .suppress_for(ADA, &[Purpose::Marketing, Purpose::Utility], all)
        .await;
    world
        .suppress_for(ADA, &[Purpose::Marketing], marketing)
        .await;
    world
        .lift_for(ADA, &[Purpose::Marketing, Purpose::Utility], yes)
        .await;
    assert_eq!(world.suppressed(ADA).await, [Purpose::Marketing]);
    // An older no that comes again brings nothing back, and makes the newer one no older.
    world.suppress_for(ADA, &[Purpose::Marketing], all).await;
    world.lift_for(ADA, &[Purpose::Marketing], yes).await;
    assert_eq!(world.suppressed(ADA).await, [Purpose::Marketing]);
}
