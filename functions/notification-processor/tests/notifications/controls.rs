//! Notices and failures that change the live controls, against the template's own table.

use headgate_aws::controls::{NumberChange, Owner};
use headgate_domain::config::{Category, TemplateStatus};
use headgate_domain::lane::Purpose;
use headgate_domain::live::{Pause, Tier};
use headgate_domain::risk::{Counts, RiskLevel};
use headgate_domain::time::{DAY, HOUR, MINUTE, Timestamp};
use serde_json::{Value, json};

use crate::world::{NUMBER, World, body, status, text};

const ADA: &str = "+16135550100";

fn notice(field: &str, at: Timestamp, value: &Value) -> String {
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "102290129340398", "time": at.seconds(),
        "changes": [{ "field": field, "value": value }] }] })
    .to_string()
}

fn second(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds(at.seconds())
}

#[tokio::test]
async fn speed_and_limit_are_learnt_whatever_the_order_and_however_often() {
    let world = World::start().await;
    let now = world.now();
    let limit = |tier: &str, at| {
        let value = json!({ "max_daily_conversations_per_business": tier, "max_phone_numbers_per_waba": 25 });
        notice("business_capability_update", at, &value)
    };
    world
        .consume(&limit("TIER_10K", now.plus_millis(-HOUR)))
        .await;
    world
        .consume(&limit("TIER_2K", now.plus_millis(-2 * HOUR)))
        .await;
    let known = world.live().await;
    assert_eq!(
        known.portfolios["portfolio-1"].tier,
        Some(Tier::Limit(10_000)),
        "the older one came late"
    );
    world
        .consume(&limit("TIER_250", now.plus_millis(-MINUTE)))
        .await;
    let upgrade = json!({ "display_phone_number": "16135550199", "event": "THROUGHPUT_UPGRADE" });
    let upgrade = notice(
        "phone_number_quality_update",
        now.plus_millis(-HOUR),
        &upgrade,
    );
    world.consume(&upgrade).await;
    world.consume(&upgrade).await;
    let live = world.live().await;
    assert_eq!(live.portfolios["portfolio-1"].tier, Some(Tier::Limit(250)));
    assert_eq!(live.numbers[NUMBER].per_second, Some(1000));
    let told = world.events("number.notification").await;
    assert_eq!(
        told.len(),
        2,
        "told again, for the first may have been lost"
    );
    assert_eq!(told[0]["event_id"], told[1]["event_id"]);
}

#[tokio::test]
async fn a_ban_stands_against_an_older_reinstatement_and_ends_with_a_newer_one() {
    let world = World::start().await;
    let now = world.now();
    let ban = |state: &str, at| {
        let value = json!({ "event": "DISABLED_UPDATE", "ban_info": { "waba_ban_state": state } });
        notice("account_update", at, &value)
    };
    let config = world.config().await;
    let number = &config.numbers[0];
    world
        .consume(&ban("DISABLE", now.plus_millis(-10 * MINUTE)))
        .await;
    world
        .consume(&ban("REINSTATE", now.plus_millis(-DAY)))
        .await;
    let live = world.live().await;
    let pause = live.pause(number, Purpose::Service, now).unwrap();
    assert_eq!(
        (pause.reason.as_str(), pause.until),
        ("account_disabled", None)
    );

    // Of the same second: what restricts stays, whichever comes last.
    let same = now.plus_millis(-10 * MINUTE);
    world.consume(&ban("REINSTATE", same)).await;
    assert!(
        world
            .live()
            .await
            .pause(number, Purpose::Service, now)
            .is_some()
    );

    world
        .consume(&ban("REINSTATE", now.plus_millis(-MINUTE)))
        .await;
    let live = world.live().await;
    assert_eq!(live.pause(number, Purpose::Service, now), None);
    assert_eq!(live.share_permille(number, now), 50, "by a ramp");
    world.consume(&ban("DISABLE", same)).await;
    assert_eq!(
        world.live().await.pause(number, Purpose::Service, now),
        None,
        "repeated"
    );
}

#[tokio::test]
async fn a_notification_does_not_lift_what_a_person_has_paused() {
    let world = World::start().await;
    let now = world.now();
    let pause = Pause {
        reason: "person".into(),
        since: now.plus_millis(-HOUR),
        until: None,
    };
    let controls = world.controls();
    for change in [
        NumberChange::Pause(Owner::Person, Some(pause.clone())),
        NumberChange::MarketingPause(Owner::Person, Some(pause.clone())),
    ] {
        assert!(
            controls
                .set_number(NUMBER, &change, pause.since)
                .await
                .unwrap()
        );
        assert!(
            !controls
                .set_number(NUMBER, &change, pause.since)
                .await
                .unwrap(),
            "nothing new"
        );
    }
    controls
        .set_account(Owner::Person, Some(&pause), pause.since)
        .await
        .unwrap();
    for (field, value) in [
        ("account_review_update", json!({ "decision": "APPROVED" })),
        (
            "account_update",
            json!({ "event": "DISABLED_UPDATE", "ban_info": { "waba_ban_state": "REINSTATE" } }),
        ),
        (
            "phone_number_quality_update",
            json!({ "display_phone_number": "16135550199", "event": "UNFLAGGED" }),
        ),
    ] {
        world.consume(&notice(field, now, &value)).await;
    }
    let live = world.live().await;
    assert_eq!(live.account, Some(pause.clone()));
    assert_eq!(live.numbers[NUMBER].pause, Some(pause.clone()));
    assert_eq!(live.numbers[NUMBER].marketing_pause, Some(pause));
    // The person lifts it.
    controls
        .set_account(Owner::Person, None, now)
        .await
        .unwrap();
    let lifted = NumberChange::Pause(Owner::Person, None);
    assert!(controls.set_number(NUMBER, &lifted, now).await.unwrap());
    let live = world.live().await;
    assert!(live.account.is_none_or(|pause| !pause.holds(now)));
    assert_eq!(live.numbers[NUMBER].pause, None);
}

#[tokio::test]
async fn a_paused_producer_is_known_at_once_and_goes_on_when_resumed() {
    let world = World::start().await;
    let now = world.now();
    let controls = world.controls();
    let pause = Pause {
        reason: "person".into(),
        since: now,
        until: None,
    };
    controls.live().await.unwrap();
    controls
        .pause_producer("AROAEXAMPLE", &pause)
        .await
        .unwrap();
    let live = controls.live().await.unwrap();
    assert_eq!(live.producer_pause("AROAEXAMPLE", now), Some(&pause));
    controls.resume_producer("AROAEXAMPLE", now).await.unwrap();
    let live = controls.live().await.unwrap();
    assert_eq!(live.producer_pause("AROAEXAMPLE", now), None);
}

#[tokio::test]
async fn a_restriction_ends_on_metas_date() {
    let world = World::start().await;
    let now = world.now();
    let until = second(now).plus_millis(3 * DAY);
    let value = json!({ "event": "ACCOUNT_RESTRICTION", "restriction_info": [
        { "restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": until.seconds() }] });
    world.consume(&notice("account_update", now, &value)).await;
    let live = world.live().await;
    let config = world.config().await;
    let number = &config.numbers[0];
    let pause = live.pause(number, Purpose::Marketing, now).unwrap();
    assert_eq!(pause.until, Some(until));
    assert_eq!(
        live.pause(number, Purpose::Service, now),
        None,
        "people are answered"
    );
    assert_eq!(live.pause(number, Purpose::Marketing, until), None);
    assert_eq!(live.share_permille(number, until), 50);
}

#[tokio::test]
async fn a_template_follows_meta_and_an_older_word_does_not_undo_a_newer_one() {
    let world = World::start().await;
    let now = world.now();
    let event = |event: &str, at| {
        let value = json!({ "event": event, "message_template_id": 5, "message_template_name": "autumn_sale",
            "message_template_language": "en-US", "message_template_category": "MARKETING", "reason": "NONE" });
        notice("message_template_status_update", at, &value)
    };
    world
        .consume(&event("PAUSED", now.plus_millis(-MINUTE)))
        .await;
    world
        .consume(&event("APPROVED", now.plus_millis(-HOUR)))
        .await;
    let template = ("autumn_sale".to_owned(), "en_US".to_owned());
    let live = world.live().await;
    assert_eq!(live.templates[&template].status, TemplateStatus::Paused);
    assert_eq!(
        live.templates[&template].category,
        Some(Category::Marketing),
        "the category is a fact of its own"
    );
    world.consume(&event("APPROVED", now)).await;
    assert_eq!(
        world.live().await.templates[&template].status,
        TemplateStatus::Approved
    );
}

#[tokio::test]
async fn inbound_messages_are_counted_once() {
    let world = World::start().await;
    let at = world.now().plus_millis(-MINUTE);
    let messages = [
        text(ADA, "wamid.A", at, "hello"),
        text("+16135550101", "wamid.B", at, "hi"),
        text(ADA, "wamid.C", at, "anyone there?"),
    ];
    let body = body("messages", &messages);
    world.consume(&body).await;
    world.consume(&body).await;
    assert_eq!(world.live().await.numbers[NUMBER].inbound_total, 3);
}

#[tokio::test]
async fn a_number_whose_messages_fail_stops_marketing_and_says_so_once() {
    let world = World::start().await;
    let now = world.now();
    let mut statuses = Vec::new();
    for id in 0..60 {
        let reference = world.record(ADA, Purpose::Utility, id).await;
        let (outcome, code) = if id < 30 {
            ("failed", Some(131_000))
        } else {
            ("delivered", None)
        };
        statuses.push(status(&reference.opaque(1), outcome, now, code));
    }
    let body = body("statuses", &statuses);
    world.consume(&body).await;
    world.consume(&body).await;
    let known = world.controls().known().await.unwrap();
    let standing = known.numbers[NUMBER].risk;
    assert_eq!(standing.level, RiskLevel::MarketingPaused);
    let hours = world.controls().hours(NUMBER, world.now()).await.unwrap();
    let counted = hours
        .values()
        .fold(Counts::default(), |sum, hour| sum.plus(hour));
    assert_eq!((counted.failed, counted.delivered), (30, 30));

    let live = world.live().await;
    let config = world.config().await;
    let number = &config.numbers[0];
    let pause = live.pause(number, Purpose::Marketing, world.now()).unwrap();
    assert_eq!(pause.reason, "risk");
    assert!(pause.until.is_some(), "it ends by itself");
    assert_eq!(
        live.pause(number, Purpose::Authentication, world.now()),
        None
    );
    let told = world.events("number.marketing_paused").await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["data"]["number"], &told[0]["data"]["was"]),
        (&json!(NUMBER), &json!("normal"))
    );
}

#[tokio::test]
async fn the_way_back_is_announced_with_the_next_notification() {
    let world = World::start().await;
    let controls = world.controls();
    let known = controls.known().await.unwrap();
    assert!(known.numbers.is_empty());
    let old = headgate_domain::risk::Standing {
        level: RiskLevel::Half,
        since: world.now().plus_millis(-7 * HOUR),
        base: Counts::default(),
    };
    assert!(
        controls
            .set_risk(NUMBER, &headgate_domain::risk::Standing::default(), &old)
            .await
            .unwrap()
    );
    assert!(
        !controls
            .set_risk(NUMBER, &headgate_domain::risk::Standing::default(), &old)
            .await
            .unwrap(),
        "somebody has been here"
    );
    let reference = world.record(ADA, Purpose::Utility, 1).await;
    let status = status(&reference.opaque(1), "delivered", world.now(), None);
    world.consume(&body("statuses", &[status])).await;
    assert_eq!(world.events("number.resumed").await.len(), 1);
    let known = world.controls().known().await.unwrap();
    assert_eq!(known.numbers[NUMBER].risk.level, RiskLevel::Normal);
}

#[tokio::test]
async fn a_locked_account_stops_for_a_while_and_a_spam_limit_stops_marketing() {
    let world = World::start().await;
    let now = world.now();
    let locked = world.record(ADA, Purpose::Utility, 1).await;
    let spam = world.record(ADA, Purpose::Marketing, 2).await;
    let failed = |opaque: &str, code| status(opaque, "failed", now, Some(code));
    world
        .consume(&body(
            "statuses",
            &[
                failed(&locked.opaque(1), 131_031),
                failed(&spam.opaque(1), 131_048),
            ],
        ))
        .await;
    let live = world.live().await;
    let account = live.account.clone().unwrap();
    assert_eq!(account.reason, "locked");
    assert_eq!(account.until, Some(second(now).plus_millis(15 * MINUTE)));
    let marketing = live.numbers[NUMBER].marketing_pause.clone().unwrap();
    assert_eq!(marketing.reason, "risk");
}

#[tokio::test]
async fn who_cannot_be_reached_is_remembered_until_something_arrives() {
    let world = World::start().await;
    let at = |minutes: i64| world.ago((30 - minutes) * MINUTE);
    let subject = world.subject(ADA).await;
    for (id, minute) in [(1, 0), (2, 1)] {
        let reference = world.record(ADA, Purpose::Utility, id).await;
        let failed = status(&reference.opaque(1), "failed", at(minute), Some(131_026));
        let failed = body("statuses", &[failed]);
        world.consume(&failed).await;
        world.consume(&failed).await;
    }
    assert_eq!(world.person(&subject).await.health.undeliverable, 2);
    let reference = world.record(ADA, Purpose::Utility, 3).await;
    let delivered = status(&reference.opaque(1), "delivered", at(2), None);
    world.consume(&body("statuses", &[delivered])).await;
    assert!(world.person(&subject).await.health.is_good());
}

#[tokio::test]
async fn words_nobody_knows_are_kept_and_hostile_values_change_nothing() {
    let world = World::start().await;
    let now = world.now();
    let before = world.live().await;
    for (field, value) in [
        (
            "account_update",
            json!({ "event": "ACCOUNT_TRANSMOGRIFIED" }),
        ),
        (
            "account_update",
            json!({ "event": "+1 613 555 0100 said no" }),
        ),
        (
            "phone_number_quality_update",
            json!({ "display_phone_number": { "a": [] } }),
        ),
        (
            "message_template_status_update",
            json!({ "event": "PAUSED", "message_template_name": "a#b" }),
        ),
        (
            "business_capability_update",
            json!({ "max_daily_conversations_per_business": "TIER_9999999999K" }),
        ),
        ("security", json!("16135550100")),
        ("account_alerts", json!(null)),
    ] {
        world.consume(&notice(field, now, &value)).await;
    }
    assert_eq!(world.live().await, before);
    let everything = world.everything().await;
    assert!(everything.contains("account_update#account_transmogrified"));
    for secret in ["5550100", "613 555"] {
        assert!(!everything.contains(secret), "{secret} is stored in clear");
    }
}
