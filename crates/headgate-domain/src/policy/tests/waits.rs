//! Rules 6 and 9 to 13: country, health, pauses, caps and the night.

use super::*;
use crate::config::Cap;
use crate::health::{Fact, Health, UNREACHABLE_MS};
use crate::live::{LiveNumber, LivePortfolio, Pause};
use crate::time::DAY;

fn country(text: &str) -> Option<Country> {
    Country::parse(text).ok()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn pause(until: Option<Timestamp>) -> Pause {
    Pause {
        reason: "account_restricted".into(),
        since: NOW,
        until,
    }
}

/// Somewhere to put a pause.
type Place = fn(&mut Live, Pause);

const PLACES: [(Place, Code); 6] = [
    (|live, p| live.account = Some(p), Code::AccountPaused),
    (
        |live, p| {
            let portfolio = LivePortfolio {
                pause: Some(p),
                ..LivePortfolio::default()
            };
            live.portfolios.insert("p".into(), portfolio);
        },
        Code::AccountPaused,
    ),
    (
        |live, p| {
            let number = LiveNumber {
                pause: Some(p),
                ..LiveNumber::default()
            };
            live.numbers.insert("106540352242922".into(), number);
        },
        Code::NumberPaused,
    ),
    (
        |live, p| {
            let number = LiveNumber {
                marketing_pause: Some(p),
                ..LiveNumber::default()
            };
            live.numbers.insert("106540352242922".into(), number);
        },
        Code::NumberPaused,
    ),
    (
        |live, p| {
            live.producers.insert("AROASHOP".into(), p);
        },
        Code::ProducerPaused,
    ),
    (
        |live, p| {
            live.purposes.insert(Purpose::Marketing, p);
        },
        Code::AccountPaused,
    ),
];

#[test]
fn a_pause_with_an_end_is_waited_for() {
    let until = NOW.plus_millis(HOUR);
    for (place, code) in PLACES {
        for moment in [Moment::Intake, Moment::Claim] {
            let mut ask = Ask::marketing();
            ask.at = moment;
            place(&mut ask.live, pause(Some(until)));
            assert_eq!(ask.waits(), Some((until, code)));
            ask.now = until;
            assert_eq!(ask.waits(), None, "it has ended");
        }
    }
}

#[test]
fn a_pause_without_an_end_refuses_what_arrives_and_keeps_what_was_accepted() {
    for (place, code) in PLACES {
        let mut ask = Ask::marketing();
        place(&mut ask.live, pause(None));
        assert_eq!(ask.waits(), Some((NOW.plus_millis(ENDLESS_PAUSE_MS), code)));
        ask.at = Moment::Intake;
        assert_eq!(ask.refused(), code);
    }
}

#[test]
fn a_pause_of_marketing_stops_nothing_else_and_a_pause_of_others_stops_nothing_here() {
    for purpose in [Purpose::Authentication, Purpose::Service, Purpose::Utility] {
        let mut ask = Ask::of(purpose);
        PLACES[3].0(&mut ask.live, pause(None));
        PLACES[5].0(&mut ask.live, pause(None));
        assert_eq!(ask.waits(), None, "{purpose}");
        PLACES[2].0(&mut ask.live, pause(None));
        assert!(ask.waits().is_some(), "{purpose}");
    }
    let mut ask = Ask::marketing();
    ask.live.producers.insert("AROAOTHER".into(), pause(None));
    let number = LiveNumber {
        pause: Some(pause(None)),
        ..LiveNumber::default()
    };
    ask.live.numbers.insert("106540352242923".into(), number);
    let portfolio = LivePortfolio {
        pause: Some(pause(None)),
        ..LivePortfolio::default()
    };
    ask.live.portfolios.insert("q".into(), portfolio);
    assert_eq!(ask.waits(), None);
}

#[test]
fn a_no_is_said_before_a_wait_so_that_nothing_waits_in_vain() {
    let mut ask = Ask::marketing();
    ask.live.account = Some(pause(None));
    ask.suppressed = vec![Purpose::Marketing];
    assert_eq!(ask.refused(), Code::Suppressed);
}

#[test]
fn marketing_to_the_united_states_is_refused_and_to_canada_it_is_not() {
    let mut ask = Ask::marketing();
    ask.to = country("US");
    assert_eq!(ask.refused(), Code::RegionBlocked);
    ask.to = country("CA");
    assert_eq!(ask.waits(), None);
    let mut utility = Ask::of(Purpose::Utility);
    utility.to = country("US");
    assert_eq!(utility.waits(), None, "the block is on marketing");
}

#[test]
fn who_cannot_be_reached_is_left_alone_for_a_while() {
    let health = Health::default()
        .after(Fact::Undeliverable, NOW.plus_millis(-2 * HOUR))
        .after(Fact::Undeliverable, NOW.plus_millis(-HOUR));
    for (purpose, quiet_for) in [
        (Purpose::Utility, UNREACHABLE_MS - HOUR),
        (Purpose::Marketing, UNREACHABLE_MS - HOUR),
    ] {
        let mut ask = Ask::of(purpose);
        ask.subject.health = health;
        assert_eq!(ask.waits(), None, "{purpose}: the person wrote since");
        ask.subject.last_inbound_at = None;
        assert_eq!(ask.refused(), Code::RecipientUnreachable);
        ask.now = NOW.plus_millis(quiet_for);
        ask.expires_at = ask.now.plus_millis(HOUR);
        assert_eq!(ask.waits(), None, "{purpose}: long enough");
    }
    let mut code = Ask::of(Purpose::Authentication);
    code.subject.health = health;
    code.subject.last_inbound_at = None;
    assert_eq!(code.waits(), None, "an hour is long enough for a code");
    code.now = NOW.plus_millis(-1);
    assert_eq!(code.refused(), Code::RecipientUnreachable);
}

#[test]
fn what_is_planned_for_later_is_judged_as_of_then() {
    let mut ask = Ask::marketing();
    ask.subject.health = Health::default()
        .after(Fact::Undeliverable, NOW.plus_millis(-HOUR))
        .after(Fact::Undeliverable, NOW);
    ask.not_before = Some(NOW.plus_millis(UNREACHABLE_MS));
    ask.expires_at = NOW.plus_millis(UNREACHABLE_MS + DAY);
    assert_eq!(ask.waits(), None);
    ask.live.account = Some(pause(ask.not_before));
    assert_eq!(ask.waits(), None, "the pause will have ended");
}

#[test]
fn after_metas_own_cap_marketing_waits_and_utility_does_not() {
    let held = Health::default().after(Fact::MarketingHeldBack, NOW);
    let mut ask = Ask::marketing();
    ask.subject.health = held;
    assert_eq!(
        ask.waits(),
        Some((NOW.plus_millis(DAY), Code::FrequencyCap))
    );
    let mut utility = Ask::of(Purpose::Utility);
    utility.subject.health = held;
    assert_eq!(utility.waits(), None);
}

fn sent(ask: &mut Ask, purpose: Purpose, times: i64, every: i64) {
    for i in (1..=times).rev() {
        let list = std::mem::take(&mut ask.recent);
        ask.recent = list.with(purpose, NOW.plus_millis(-i * every), Recent::MAX_HOURS);
    }
}

#[test]
fn the_projects_caps_hold_where_none_is_set() {
    let caps: Vec<_> = Profiles::compiled_in().caps().iter().collect();
    let day = caps.iter().find(|c| c.hours == 24).unwrap();
    let mut ask = Ask::marketing();
    sent(&mut ask, Purpose::Marketing, i64::from(day.max) - 1, HOUR);
    assert_eq!(ask.waits(), None);
    sent(&mut ask, Purpose::Utility, 20, HOUR);
    assert_eq!(ask.waits(), None, "another purpose");
    sent(&mut ask, Purpose::Marketing, 1, HOUR / 2);
    let oldest = HOUR * (i64::from(day.max) - 1);
    assert_eq!(
        ask.waits(),
        Some((NOW.plus_millis(DAY - oldest), Code::FrequencyCap))
    );
    ask.purpose = Purpose::Utility;
    ask.kind = template("shipped");
    ask.subject = with(ask.subject, Purpose::Utility, State::Given);
    assert_eq!(ask.waits(), None, "nothing caps utility");
}

#[test]
fn a_cap_of_the_deployment_replaces_the_projects_where_it_is_meant() {
    let cap = |countries: &[&str]| Cap {
        purpose: Purpose::Marketing,
        max: 1,
        hours: 48,
        countries: countries.iter().filter_map(|c| country(c)).collect(),
    };
    let mut ask = Ask::marketing();
    sent(&mut ask, Purpose::Marketing, 1, HOUR);
    ask.config.caps = vec![cap(&["GB"])];
    assert_eq!(ask.waits(), None, "it is about somebody else");
    ask.config.caps = vec![cap(&["GB", "CA"])];
    let then = NOW.plus_millis(47 * HOUR);
    assert_eq!(ask.waits(), Some((then, Code::FrequencyCap)));
    ask.now = then;
    ask.expires_at = then.plus_millis(HOUR);
    assert_eq!(ask.waits(), None, "what was promised holds");
    let generous = Cap {
        max: 60,
        hours: 24,
        ..cap(&[])
    };
    let mut often = Ask::marketing();
    sent(&mut often, Purpose::Marketing, 50, HOUR / 10);
    assert!(often.waits().is_some());
    often.config.caps = vec![generous];
    assert_eq!(often.waits(), None);
}

#[test]
fn a_cap_has_to_be_remembered_as_long_as_the_longest() {
    let mut config = config();
    let project = Profiles::compiled_in().caps().iter().map(|c| c.hours).max();
    assert_eq!(longest_cap_hours(&config, Purpose::Marketing), project);
    assert_eq!(longest_cap_hours(&config, Purpose::Utility), None);
    config.caps = vec![Cap {
        purpose: Purpose::Utility,
        max: 1,
        hours: 300,
        countries: Vec::new(),
    }];
    assert_eq!(longest_cap_hours(&config, Purpose::Utility), Some(300));
}

fn by_night(place: &str, now: &str) -> Ask {
    let mut ask = Ask::marketing();
    ask.to = country(place);
    ask.now = at(now);
    ask.expires_at = ask.now.plus_millis(3 * DAY);
    ask
}

#[test]
fn marketing_waits_for_the_morning_where_the_person_is() {
    // India: from 21:00 to 09:00, five and a half hours ahead.
    let ask = by_night("IN", "2026-11-22T20:00:00Z");
    assert_eq!(
        ask.waits(),
        Some((at("2026-11-23T03:30:00Z"), Code::QuietHours))
    );
    assert_eq!(by_night("IN", "2026-11-22T12:00:00Z").waits(), None);
    // A country without a profile has the strictest: 21:00 to 08:00, here an hour ahead.
    let ask = by_night("NG", "2026-11-22T20:00:00Z");
    assert_eq!(
        ask.waits(),
        Some((at("2026-11-23T07:00:00Z"), Code::QuietHours))
    );
    assert_eq!(by_night("CA", "2026-11-22T08:00:00Z").waits(), None);
}

#[test]
fn nobody_waits_for_a_code_or_an_answer_until_the_morning() {
    for purpose in [Purpose::Authentication, Purpose::Service, Purpose::Utility] {
        let night = at("2026-11-22T20:00:00Z");
        let mut ask = Ask::of(purpose);
        ask.to = country("IN");
        ask.now = night;
        ask.expires_at = night.plus_millis(HOUR);
        ask.subject.last_inbound_at = Some(night);
        ask.basis = match purpose {
            Purpose::Authentication => Basis::UserAction { at: night },
            Purpose::Service | Purpose::Utility | Purpose::Marketing => Basis::Consent,
        };
        assert_eq!(ask.waits(), None, "{purpose}");
    }
}

#[test]
fn whom_we_cannot_place_gets_no_marketing_because_it_may_always_be_night() {
    let mut ask = Ask::marketing();
    ask.to = None;
    for hour in 0..24 {
        ask.now = NOW.plus_millis(hour * HOUR);
        assert_eq!(ask.refused(), Code::QuietHours);
    }
    let mut utility = Ask::of(Purpose::Utility);
    utility.to = None;
    assert_eq!(utility.waits(), None);
}

#[test]
fn a_wait_that_ends_at_night_ends_in_the_morning() {
    let mut ask = by_night("IN", "2026-11-22T12:00:00Z");
    ask.live.account = Some(pause(Some(at("2026-11-22T20:00:00Z"))));
    assert_eq!(
        ask.waits(),
        Some((at("2026-11-23T03:30:00Z"), Code::AccountPaused))
    );
}

#[test]
fn what_is_planned_for_the_night_is_moved_to_the_morning() {
    let mut ask = by_night("IN", "2026-11-22T12:00:00Z");
    ask.not_before = Some(at("2026-11-22T22:00:00Z"));
    assert_eq!(
        ask.waits(),
        Some((at("2026-11-23T03:30:00Z"), Code::QuietHours))
    );
    ask.not_before = Some(at("2026-11-23T04:00:00Z"));
    assert_eq!(ask.waits(), None);
}

#[test]
fn a_deployment_adds_its_own_quiet_hours_and_takes_none_away() {
    let mut ask = by_night("IN", "2026-11-22T20:00:00Z");
    ask.config.quiet_hours = vec![crate::config::QuietHours {
        purpose: Purpose::Marketing,
        start: crate::profiles::Minute::parse("08:00").unwrap(),
        end: crate::profiles::Minute::parse("12:00").unwrap(),
        countries: Vec::new(),
    }];
    assert_eq!(
        ask.waits(),
        Some((at("2026-11-23T06:30:00Z"), Code::QuietHours))
    );
}

#[test]
fn every_moment_a_message_is_told_to_wait_for_is_one_at_which_it_may_go() {
    for place in ["IN", "NG", "RU", "AE", "VN", "ZA", "PH", "KR", "JM", "BR"] {
        for hour in 0..24 {
            let mut ask = by_night(place, "2026-11-22T00:00:00Z");
            ask.now = ask.now.plus_millis(hour * HOUR);
            ask.checks = vec![RegisterCheck {
                registry: "VN_KHONG_QUANG_CAO".into(),
                checked_on: ask.now.day(),
                listed: false,
            }];
            let Some((until, _)) = ask.waits() else {
                continue;
            };
            assert!(until > ask.now);
            ask.now = until;
            assert_eq!(ask.waits(), None, "{place} {hour}");
        }
    }
}
