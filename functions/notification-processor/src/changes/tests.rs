//! What each notification changes.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::use_debug,
    reason = "tests may fail loudly"
)]

use headgate_domain::live::Tier;
use headgate_redact::Personal;
use serde_json::{Value, json};

use super::*;

const AT: Timestamp = Timestamp::from_seconds(1_795_341_600);

fn config(portfolios: &[&str]) -> Config {
    let numbers: Vec<Value> = portfolios
        .iter()
        .enumerate()
        .map(|(index, portfolio)| {
            json!({ "id": format!("100{index}"), "alias": format!("a{index}"),
                "display": format!("+1613555010{index}"), "portfolio": portfolio })
        })
        .collect();
    serde_json::from_value(json!({
        "controller": { "name": "Maple", "privacy_contact": "privacy@maple.example" },
        "numbers": numbers,
    }))
    .unwrap()
}

fn notice(field: &str, value: &Value) -> Other {
    Other {
        field: field.into(),
        entry_id: "300".into(),
        at: Some(AT),
        value: Personal::new(value.to_string()),
    }
}

fn changes(field: &str, value: &Value) -> Vec<Change> {
    of(&notice(field, value), &config(&["p"]), AT.plus_millis(5)).1
}

fn account(cause: Cause, reason: &str, until: Option<Timestamp>) -> Change {
    Change::Account(
        cause,
        Some(Pause {
            reason: reason.into(),
            since: AT,
            until,
        }),
    )
}

#[test]
fn an_upgrade_is_learnt_with_the_limit_that_comes_along() {
    let value = json!({ "display_phone_number": "16135550100", "event": "THROUGHPUT_UPGRADE",
        "current_limit": "TIER_250", "max_daily_conversations_per_business": "TIER_UNLIMITED" });
    assert_eq!(
        changes("phone_number_quality_update", &value),
        [
            Change::Number("1000".into(), NumberChange::PerSecond(1000)),
            Change::Portfolio("p".into(), PortfolioChange::Tier(Tier::Unlimited)),
        ]
    );
}

#[test]
fn limits_are_understood_in_every_form_meta_writes_and_in_no_other() {
    for (written, limit) in [
        (json!("TIER_50"), 50),
        (json!("TIER_250"), 250),
        (json!("TIER_2K"), 2000),
        (json!("tier_10k"), 10_000),
        (json!("TIER_100K"), 100_000),
        (json!(2000), 2000),
        (json!("2000"), 2000),
    ] {
        assert_eq!(value::tier(&written), Some(Tier::Limit(limit)), "{written}");
    }
    for written in [json!(-1), json!("TIER_UNLIMITED"), json!("UNLIMITED")] {
        assert_eq!(value::tier(&written), Some(Tier::Unlimited), "{written}");
    }
    for written in [
        json!(0),
        json!("TIER_0K"),
        json!("TIER_"),
        json!("TIER_K"),
        json!("TIER_+5"),
        json!("TIER_NOT_SET"),
        json!("99999999K"),
        json!(2.5),
        json!(-2),
        json!([250]),
        json!(null),
    ] {
        assert_eq!(value::tier(&written), None, "{written}");
    }
    let value = json!({ "max_daily_conversations_per_business": "TIER_LOTS" });
    assert_eq!(
        changes("business_capability_update", &value),
        [Change::Unknown("tier_lots".into())]
    );
}

#[test]
fn a_limit_of_an_account_is_the_portfolios_when_there_is_only_one() {
    let value =
        json!({ "max_daily_conversations_per_business": 2000, "max_phone_numbers_per_waba": 25 });
    let of_config = |portfolios: &[&str]| {
        of(
            &notice("business_capability_update", &value),
            &config(portfolios),
            AT,
        )
        .1
    };
    let learnt = Change::Portfolio("p".into(), PortfolioChange::Tier(Tier::Limit(2000)));
    assert_eq!(of_config(&["p", "p"]), [learnt]);
    assert_eq!(
        of_config(&["p", "q"]),
        [Change::Attention("portfolio_ambiguous")]
    );
}

#[test]
fn a_flagged_number_sends_no_marketing_for_a_day() {
    let of_event = |event: &str| {
        let value = json!({ "display_phone_number": "+1 613-555-0100", "event": event });
        changes("phone_number_quality_update", &value)
    };
    let flagged = of_event("FLAGGED");
    assert_eq!(
        flagged.first(),
        Some(&Change::Number(
            "1000".into(),
            NumberChange::Quality(Quality::Red)
        ))
    );
    assert!(flagged.iter().any(|change| matches!(change,
        Change::Number(_, NumberChange::MarketingPause(_, Some(pause))) if pause.until == Some(AT.plus_millis(DAY)))));
    assert!(of_event("UNFLAGGED").contains(&Change::Number(
        "1000".into(),
        NumberChange::MarketingPause(Owner::Meta(Cause::Quality), None)
    )));
    assert_eq!(of_event("ONBOARDING"), []);
    assert_eq!(of_event("PAINTED"), [Change::Unknown("painted".into())]);
    let other = json!({ "display_phone_number": "16135550177", "event": "FLAGGED" });
    assert_eq!(
        changes("phone_number_quality_update", &other),
        [Change::Attention("number_unknown")]
    );
}

#[test]
fn a_ban_stops_everything_and_its_end_is_remembered_for_the_ramp() {
    let state = |state: &str| {
        let value = json!({ "event": "DISABLED_UPDATE", "ban_info": { "waba_ban_state": state } });
        changes("account_update", &value)
    };
    assert!(state("DISABLE").contains(&account(Cause::Ban, "account_disabled", None)));
    assert!(state("REINSTATE").contains(&account(Cause::Ban, "account_reinstated", Some(AT))));
    assert_eq!(
        state("SCHEDULE_FOR_DISABLE"),
        [Change::Attention("account_ban_scheduled")]
    );
    assert_eq!(state("TICKLE"), [Change::Unknown("tickle".into())]);
    for (event, reason) in [
        ("ACCOUNT_DELETED", "account_deleted"),
        ("ACCOUNT_OFFBOARDED", "account_offboarded"),
        ("PARTNER_APP_UNINSTALLED", "account_app_uninstalled"),
    ] {
        let found = changes("account_update", &json!({ "event": event }));
        assert!(
            found.contains(&account(Cause::Ban, reason, None)),
            "{event}"
        );
    }
    assert_eq!(
        changes("account_update", &json!({ "event": "PARTNER_ADDED" })),
        []
    );
}

#[test]
fn a_restriction_stops_what_it_names_until_metas_date() {
    let until = AT.plus_millis(3 * DAY);
    let value = json!({ "event": "ACCOUNT_RESTRICTION", "restriction_info": [
        { "restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": until.seconds() },
        { "restriction_type": "RESTRICTED_UTILITY_TEMPLATES" },
        { "restriction_type": "RESTRICTED_ADD_PHONE_NUMBER_ACTION", "expiration": until.seconds() },
        { "restriction_type": "RESTRICTED_BREATHING", "expiration": "soon" },
        7
    ] });
    let found = changes("account_update", &value);
    let stopped: Vec<(Purpose, Option<Timestamp>)> = found
        .iter()
        .filter_map(|change| match change {
            Change::Purpose(purpose, Cause::Restriction, Some(pause)) => {
                Some((*purpose, pause.until))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        stopped,
        [
            (Purpose::Authentication, Some(until)),
            (Purpose::Utility, None),
            (Purpose::Marketing, Some(until))
        ]
    );
    assert!(found.contains(&Change::Unknown("restricted_breathing".into())));
    let value = json!({ "event": "ACCOUNT_RESTRICTION", "restriction_info": [
        { "restriction_type": "RESTRICTED_CUSTOMER_INITIATED_MESSAGING", "expiration": until.seconds().to_string() }] });
    assert!(changes("account_update", &value).contains(&account(
        Cause::Restriction,
        "account_restricted",
        Some(until)
    )));
}

#[test]
fn a_template_follows_meta_in_status_and_category() {
    let of_event = |event: &str, more: Value| {
        let mut value = json!({ "event": event, "message_template_name": "order_20261123",
            "message_template_language": "en-US", "reason": null });
        value
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        changes("message_template_status_update", &value)
    };
    let change = |change| Change::Template("order_20261123".into(), "en_US".into(), change);
    let status = |status| change(TemplateChange::Status(status));
    assert_eq!(
        of_event(
            "APPROVED",
            json!({ "message_template_category": "UTILITY" })
        ),
        [
            status(TemplateStatus::Approved),
            change(TemplateChange::Category(Category::Utility))
        ]
    );
    for (event, to) in [
        ("PAUSED", TemplateStatus::Paused),
        ("DISABLED", TemplateStatus::Disabled),
        ("PENDING_DELETION", TemplateStatus::Disabled),
        ("ARCHIVED", TemplateStatus::Disabled),
        ("REJECTED", TemplateStatus::Pending),
        ("REINSTATED", TemplateStatus::Approved),
    ] {
        assert_eq!(of_event(event, json!({})), [status(to)], "{event}");
    }
    assert_eq!(
        of_event("PAUSED", json!({ "other_info": { "title": "UNPAUSE" } })),
        [status(TemplateStatus::Approved)]
    );
    assert_eq!(of_event("LOCKED", json!({})), []);
    assert_eq!(
        of_event("MELTED", json!({})),
        [Change::Unknown("melted".into())]
    );
}

#[test]
fn an_announced_category_is_not_yet_one_and_a_changed_one_is() {
    let value = json!({ "message_template_name": "sale", "message_template_language": "en_US",
        "new_category": "UTILITY", "correct_category": "MARKETING" });
    assert_eq!(
        changes("template_category_update", &value),
        [Change::Attention("template_category_announced")]
    );
    let value = json!({ "message_template_name": "sale", "message_template_language": "en_US",
        "previous_category": "UTILITY", "new_category": "MARKETING" });
    assert!(
        changes("template_category_update", &value).contains(&Change::Template(
            "sale".into(),
            "en_US".into(),
            TemplateChange::Category(Category::Marketing)
        ))
    );
}

#[test]
fn a_quality_update_under_the_wrong_field_is_recognised_by_its_shape() {
    let value = json!({ "previous_quality_score": "GREEN", "new_quality_score": "RED",
        "message_template_name": "sale", "message_template_language": "en_US" });
    for field in [
        "message_template_status_update",
        "message_template_quality_update",
    ] {
        assert_eq!(
            changes(field, &value),
            [Change::Attention("template_quality_red")]
        );
    }
}

#[test]
fn without_a_date_a_notice_may_restrict_and_not_loosen() {
    let undated = |value: &Value, field: &str| {
        let notice = Other {
            at: None,
            ..notice(field, value)
        };
        of(&notice, &config(&["p"]), AT)
    };
    let value = json!({ "event": "ACCOUNT_DELETED" });
    let (at, found) = undated(&value, "account_update");
    assert_eq!(at, AT);
    assert!(found.contains(&account(Cause::Ban, "account_deleted", None)));
    for (field, value) in [
        (
            "account_update",
            json!({ "event": "DISABLED_UPDATE", "ban_info": { "waba_ban_state": "REINSTATE" } }),
        ),
        ("account_review_update", json!({ "decision": "APPROVED" })),
        (
            "business_capability_update",
            json!({ "max_daily_conversations_per_business": -1 }),
        ),
    ] {
        let (_at, found) = undated(&value, field);
        assert!(
            found
                .iter()
                .all(|change| matches!(change, Change::Attention(_))),
            "{field}"
        );
        assert!(found.contains(&Change::Attention("notice_undated")));
    }
}

#[test]
fn a_date_in_the_future_does_not_shut_out_what_follows() {
    let notice = Other {
        at: Some(Timestamp::from_millis(i64::MAX)),
        ..notice("account_update", &json!({ "event": "ACCOUNT_DELETED" }))
    };
    assert_eq!(of(&notice, &config(&["p"]), AT).0, AT);
}

#[test]
fn hostile_values_change_nothing_but_a_code() {
    let long = "X".repeat(100_000);
    let fields = [
        "account_update",
        "account_review_update",
        "account_alerts",
        "phone_number_quality_update",
        "business_capability_update",
        "message_template_status_update",
        "message_template_quality_update",
        "template_category_update",
        "message_template_components_update",
        "security",
        "payment_configuration_update",
        "quux",
    ];
    let values = [
        json!(null),
        json!([]),
        json!(7),
        json!({}),
        json!({ "event": { "event": [] } }),
        json!({ "event": long, "decision": long }),
        json!({ "event": "+1 613 555 0100", "decision": "call +16135550100" }),
        json!({ "event": "PAUSED", "message_template_name": "a#b/../c", "message_template_language": "en" }),
        json!({ "event": "ACCOUNT_RESTRICTION", "restriction_info": { "expiration": 5 } }),
        json!({ "display_phone_number": {}, "max_daily_conversations_per_business": {} }),
    ];
    for field in fields {
        for value in &values {
            for change in changes(field, value) {
                match change {
                    Change::Attention(_) => {}
                    Change::Unknown(word) => {
                        assert!(word.len() <= 64 && !word.contains("613"), "{field} {value}");
                    }
                    other => panic!("{field} {value}: {other:?}"),
                }
            }
        }
    }
}
