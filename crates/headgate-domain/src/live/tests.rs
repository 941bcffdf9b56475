//! What is in force when several people and notifications have a say.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use super::*;
use crate::risk::{Counts, RiskLevel, Standing};
use crate::time::HOUR;

const NOON: Timestamp = Timestamp::from_seconds(1_795_348_800);

fn later(ms: i64) -> Timestamp {
    NOON.plus_millis(ms)
}

fn config() -> Config {
    Config::from_toml(
        r#"
[controller]
name = "Maple Outfitters"
privacy_contact = "privacy@maple.example"
[[numbers]]
id = "1001"
alias = "main"
display = "+16135550199"
portfolio = "p"
"#,
    )
    .unwrap()
}

fn pause(reason: &str, until: Option<i64>) -> Pause {
    Pause {
        reason: reason.into(),
        since: NOON,
        until: until.map(later),
    }
}

#[test]
fn a_pause_holds_until_its_end_and_without_one_for_good() {
    assert!(pause("x", Some(5)).holds(later(4)));
    assert!(!pause("x", Some(5)).holds(later(5)));
    assert!(pause("x", None).holds(Timestamp::from_millis(i64::MAX)));
}

#[test]
fn of_all_that_stops_a_number_the_longest_is_named() {
    let config = config();
    let number = &config.numbers[0];
    let mut live = Live::default();
    assert_eq!(live.pause(number, Purpose::Marketing, NOON), None);
    live.numbers.insert(
        "1001".into(),
        LiveNumber {
            pause: Some(pause("number", Some(10))),
            marketing_pause: Some(pause("marketing", Some(20))),
            ..LiveNumber::default()
        },
    );
    live.account = Some(pause("account_restricted", Some(5)));
    let reason = |purpose, now| {
        live.pause(number, purpose, later(now))
            .map(|pause| pause.reason.as_str())
    };
    assert_eq!(reason(Purpose::Marketing, 0), Some("marketing"));
    assert_eq!(reason(Purpose::Utility, 0), Some("number"));
    assert_eq!(reason(Purpose::Utility, 10), None);
    assert_eq!(reason(Purpose::Marketing, 19), Some("marketing"));
    live.portfolios.insert(
        "p".into(),
        LivePortfolio {
            pause: Some(pause("portfolio", None)),
            ..LivePortfolio::default()
        },
    );
    let found = live.pause(number, Purpose::Authentication, later(100));
    assert_eq!(found.map(|pause| pause.reason.as_str()), Some("portfolio"));
}

#[test]
fn what_meta_orders_does_not_lift_what_a_person_has_paused() {
    let mut known = Known::default();
    let number = known.numbers.entry("1001".into()).or_default();
    number.halts.person = Some(pause("person", None));
    number.halts.meta = Some(pause("account_restricted", Some(1)));
    let live = known.live();
    assert_eq!(
        live.numbers["1001"].pause.as_ref().unwrap().reason,
        "person"
    );
}

#[test]
fn a_risk_level_ends_by_time_though_nobody_writes_it_down() {
    let mut known = Known::default();
    known.numbers.entry("1001".into()).or_default().risk = Standing {
        level: RiskLevel::NumberPaused,
        since: NOON,
        base: Counts::default(),
    };
    let config = config();
    let number = &config.numbers[0];
    let state = |hours: i64| {
        let now = later(hours * HOUR);
        let live = known.live();
        (
            live.pause(number, Purpose::Authentication, now).is_some(),
            live.pause(number, Purpose::Marketing, now).is_some(),
            live.share_permille(number, now),
        )
    };
    assert_eq!(state(0), (true, true, 1000));
    assert_eq!(state(4), (false, true, 250));
    assert_eq!(state(16), (false, false, 50));
    assert_eq!(state(22), (false, false, 250));
    assert_eq!(state(28), (false, false, 500));
    assert_eq!(state(34), (false, false, 1000));
}

#[test]
fn after_a_ban_sending_resumes_by_a_ramp_and_after_another_pause_it_does_not() {
    let config = config();
    let number = &config.numbers[0];
    let mut live = Live {
        account: Some(pause("account_disabled", Some(0))),
        ..Live::default()
    };
    let shares: Vec<u16> = [0, 23, 24, 48, 72, 1000]
        .map(|hours| live.share_permille(number, later(hours * HOUR)))
        .into();
    assert_eq!(shares, [50, 50, 250, 500, 1000, 1000]);
    live.numbers.insert(
        "1001".into(),
        LiveNumber {
            share_permille: Some(20),
            ..LiveNumber::default()
        },
    );
    assert_eq!(live.share_permille(number, NOON), 20, "the lower counts");
    live.numbers.clear();
    live.account = Some(pause("person", Some(0)));
    assert_eq!(live.share_permille(number, NOON), 1000);
}

#[test]
fn an_unknown_limit_is_the_smallest_and_a_learnt_one_counts() {
    let config = config();
    let mut live = Live::default();
    assert_eq!(live.limit(&config, "p"), Some(250));
    for (tier, limit) in [(Tier::Limit(10_000), Some(10_000)), (Tier::Unlimited, None)] {
        live.portfolios.entry("p".into()).or_default().tier = Some(tier);
        assert_eq!(live.limit(&config, "p"), limit);
    }
}

#[test]
fn what_parks_a_template_in_the_configuration_is_not_undone_by_meta() {
    let mut live = Live::default();
    let mut template = Template {
        name: "sale".into(),
        language: "en_US".into(),
        category: Category::Utility,
        ..serde_json::from_value(serde_json::json!({
            "name": "sale", "language": "en_US", "category": "utility"
        }))
        .unwrap()
    };
    template.status = TemplateStatus::Approved;
    assert_eq!(live.template_status(&template), TemplateStatus::Approved);
    live.templates.insert(
        ("sale".into(), "en_US".into()),
        LiveTemplate {
            status: TemplateStatus::Paused,
            category: Some(Category::Marketing),
        },
    );
    assert_eq!(live.template_status(&template), TemplateStatus::Paused);
    assert_eq!(live.template_category(&template), Category::Marketing);
    live.templates.values_mut().next().unwrap().status = TemplateStatus::Approved;
    template.status = TemplateStatus::Parked;
    assert_eq!(live.template_status(&template), TemplateStatus::Parked);
    assert_eq!(Quality::from_word("GREEN"), Some(Quality::Green));
    assert_eq!(Quality::from_word("UNKNOWN"), None);
}
