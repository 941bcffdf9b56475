//! Regions and registers: where a person's data may be, and who may not be advertised to.

use super::*;

fn country(text: &str) -> Option<Country> {
    Country::parse(text).ok()
}

fn in_region(name: &str, to: &str) -> Ask {
    Ask {
        region: ProcessingRegion::parse(name).unwrap(),
        to: country(to),
        ..Ask::marketing()
    }
}

/// The configuration with something more in it.
fn with_section(section: &str) -> Config {
    let config = config();
    let mut value: serde_json::Value = serde_json::from_str(&config.to_json()).unwrap();
    let more: serde_json::Value = serde_json::from_str(section).unwrap();
    for (key, section) in more.as_object().unwrap() {
        value[key] = section.clone();
    }
    Config::from_json(&value.to_string()).unwrap()
}

const CLAUSES: &str = r#"{"transfers": [{"profile": "EU_GDPR", "regions": ["us-east-1"],
    "instrument": "standard_contractual_clauses", "concluded": "2026-10-01",
    "approved_by": "data protection officer"}]}"#;

#[test]
fn a_person_whose_profile_forbids_the_region_is_not_written_to_on_any_lane() {
    assert_eq!(
        in_region("eu-central-1", "DE").judge(),
        Ok(Some("L3.7".into()))
    );
    assert_eq!(
        in_region("us-east-1", "DE").refused(),
        Code::RegionNotAllowed
    );
    for purpose in PURPOSES {
        let ask = Ask {
            to: country("DE"),
            ..Ask::of(purpose)
        };
        assert_eq!(ask.refused(), Code::RegionNotAllowed, "{purpose}");
    }
    assert!(in_region("us-east-1", "CA").judge().is_ok());
}

#[test]
fn a_law_that_follows_the_business_asks_for_its_regions_elsewhere_too() {
    let mut ask = in_region("ap-southeast-1", "SG");
    assert!(ask.judge().is_ok());
    ask.config.controller.countries = vec![Country::parse("DE").unwrap()];
    assert_eq!(ask.refused(), Code::RegionNotAllowed);
    ask.region = ProcessingRegion::parse("eu-west-1").unwrap();
    assert!(ask.judge().is_ok());
}

#[test]
fn a_recorded_transfer_opens_the_region_it_names_to_the_people_it_names() {
    let with_clauses = |region: &str, to: &str| Ask {
        config: with_section(CLAUSES),
        ..in_region(region, to)
    };
    assert!(with_clauses("us-east-1", "DE").judge().is_ok());
    assert_eq!(
        with_clauses("us-west-2", "DE").refused(),
        Code::RegionNotAllowed
    );
    assert_eq!(
        with_clauses("us-east-1", "GB").refused(),
        Code::RegionNotAllowed
    );
    // C4: no region satisfies both, so each profile that forbids it needs a transfer of its own.
    let mut both = with_clauses("us-east-1", "GB");
    both.config.controller.countries = vec![Country::parse("DE").unwrap()];
    assert_eq!(both.refused(), Code::RegionNotAllowed);
}

#[test]
fn where_meta_stores_the_messages_of_a_number_is_a_region_too() {
    let mut ask = in_region("eu-central-1", "DE");
    ask.config.numbers[0].storage = country("DE");
    assert!(ask.judge().is_ok());
    ask.config.numbers[0].storage = country("BR");
    assert_eq!(ask.refused(), Code::RegionNotAllowed);
    ask.to = canada();
    assert!(ask.judge().is_ok());
}

#[test]
fn the_answer_to_an_objection_goes_out_from_any_region() {
    let mut ask = Ask {
        basis: Basis::System {
            kind: crate::system::Kind::OptoutConfirmation,
        },
        to: country("DE"),
        ..Ask::of(Purpose::Service)
    };
    ask.suppressed = PURPOSES.to_vec();
    assert_eq!(ask.judge(), Ok(None));
}

fn check(registry: &str, days_ago: i64, listed: bool) -> RegisterCheck {
    RegisterCheck {
        registry: registry.into(),
        checked_on: NOW.day().plus(-days_ago),
        listed,
    }
}

#[test]
fn a_register_nobody_asked_refuses_who_has_not_agreed() {
    let with_checks = |checks: Vec<RegisterCheck>| Ask {
        subject: subject(),
        checks,
        ..in_region("ap-southeast-1", "SG")
    };
    let on = |days_ago, listed| with_checks(vec![check("SG_DNC_NO_TEXT", days_ago, listed)]);
    assert_eq!(with_checks(Vec::new()).refused(), Code::DncUnchecked);
    assert_eq!(on(21, false).refused(), Code::DncUnchecked, "too long ago");
    assert_eq!(
        on(20, false).refused(),
        Code::NoConsent,
        "a check is no consent"
    );
    assert_eq!(on(1, true).refused(), Code::Suppressed);
    let other = with_checks(vec![check("HK_DNC_SHORT_MESSAGE", 1, false)]);
    assert_eq!(other.refused(), Code::DncUnchecked);
    // Clear and unambiguous consent stands in for the check (PDPA s.43).
    assert!(in_region("ap-southeast-1", "SG").judge().is_ok());
}

#[test]
fn a_register_that_no_consent_overrides_is_asked_of_everybody() {
    let with_checks = |checks: Vec<RegisterCheck>| Ask {
        checks,
        now: DAYTIME_IN_HANOI,
        ..in_region("ap-southeast-1", "VN")
    };
    let on = |listed| vec![check("VN_KHONG_QUANG_CAO", 3, listed)];
    assert_eq!(with_checks(Vec::new()).refused(), Code::DncUnchecked);
    assert_eq!(with_checks(on(true)).refused(), Code::Suppressed);
    assert!(with_checks(on(false)).judge().is_ok());
}

/// 12:00 on the day of `NOW`.
const DAYTIME_IN_HANOI: Timestamp =
    Timestamp::from_seconds(1_795_000_000 - 1_795_000_000 % 86_400 + 5 * 3_600);

#[test]
fn a_register_keeps_advertising_away_and_nothing_else() {
    let of = |purpose| Ask {
        to: country("VN"),
        region: ProcessingRegion::parse("ap-southeast-1").unwrap(),
        ..Ask::of(purpose)
    };
    for purpose in [Purpose::Authentication, Purpose::Service, Purpose::Utility] {
        assert!(of(purpose).judge().is_ok(), "{purpose}");
        assert!(!needs_checks(&config(), purpose, country("VN")));
    }
    assert!(needs_checks(&config(), Purpose::Marketing, country("VN")));
    assert!(needs_checks(&config(), Purpose::Marketing, country("SG")));
    assert!(!needs_checks(&config(), Purpose::Marketing, canada()));
}

#[test]
fn a_transfer_that_rests_on_nothing_is_refused_by_its_place() {
    let refused = |from: &str, to: &str| {
        let section = CLAUSES.replace(from, to);
        let mut value: serde_json::Value = serde_json::from_str(&config().to_json()).unwrap();
        let more: serde_json::Value = serde_json::from_str(&section).unwrap();
        value["transfers"] = more["transfers"].clone();
        let error = Config::from_json(&value.to_string()).unwrap_err();
        error.to_string()
    };
    for (from, to, place) in [
        ("EU_GDPR", "EU", "transfers[0].profile"),
        ("EU_GDPR", "SG_PDPA", "nothing to declare"),
        ("[\"us-east-1\"]", "[]", "transfers[0].regions"),
        ("us-east-1", "us-east", "region"),
        (
            "standard_contractual_clauses",
            "not_transferred",
            "transfers[0].instrument",
        ),
        (
            "standard_contractual_clauses",
            "a_handshake",
            "unknown variant",
        ),
        ("data protection officer", " ", "transfers[0].approved_by"),
        ("2026-10-01", "yesterday", "day"),
    ] {
        let error = refused(from, to);
        assert!(error.contains(place), "{to}: {error}");
    }
    let mut value: serde_json::Value = serde_json::from_str(&config().to_json()).unwrap();
    value["numbers"][0]["storage"] = "FR".into();
    let error = Config::from_json(&value.to_string())
        .unwrap_err()
        .to_string();
    assert!(error.contains("numbers[0].storage"), "{error}");
}
