//! The clocks of a breach, per profile.

use crate::profiles::{BreachTimes, Profiles, Told};
use crate::time::Timestamp;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// A Friday morning.
fn friday() -> BreachTimes {
    BreachTimes {
        known_at: at("2026-11-27T10:00:00Z"),
        assessed_at: None,
        people_told_at: None,
    }
}

/// Authority and people of a profile: until when each is told.
fn clocks(profile: &str, times: BreachTimes) -> [Option<String>; 2] {
    let profile = Profiles::compiled_in().find(profile).unwrap();
    [Told::Authority, Told::People].map(|told| {
        let clock = profile
            .breach_clocks(times)
            .find(|clock| clock.told == told);
        clock.map(|clock| clock.by.to_string())
    })
}

#[test]
fn the_clocks_of_each_profile_are_those_of_its_law() {
    let table = [
        (
            "EU_GDPR",
            Some("2026-11-30T10:00:00.000Z"),
            Some("2026-11-27T10:00:00.000Z"),
        ),
        (
            "UK_GDPR",
            Some("2026-11-30T10:00:00.000Z"),
            Some("2026-11-27T10:00:00.000Z"),
        ),
        // The authority 15 days after the people, who have 30.
        (
            "US_CA",
            Some("2027-01-11T10:00:00.000Z"),
            Some("2026-12-27T10:00:00.000Z"),
        ),
        (
            "SG_PDPA",
            Some("2026-11-30T10:00:00.000Z"),
            Some("2026-11-27T10:00:00.000Z"),
        ),
        // Three business days after a Friday.
        (
            "BR_LGPD",
            Some("2026-12-02T10:00:00.000Z"),
            Some("2026-12-02T10:00:00.000Z"),
        ),
        (
            "IN_DPDP",
            Some("2026-11-27T10:00:00.000Z"),
            Some("2026-11-27T10:00:00.000Z"),
        ),
        (
            "TW_PDPA",
            Some("2026-11-30T10:00:00.000Z"),
            Some("2026-11-30T10:00:00.000Z"),
        ),
        ("CH_FADP", Some("2026-11-27T10:00:00.000Z"), None),
        (
            "MY_PDPA",
            Some("2026-11-30T10:00:00.000Z"),
            Some("2026-12-04T10:00:00.000Z"),
        ),
        ("MX_LFPDPPP", None, Some("2026-11-27T10:00:00.000Z")),
        (
            "DEFAULT_STRICT",
            Some("2026-11-30T10:00:00.000Z"),
            Some("2026-11-30T10:00:00.000Z"),
        ),
    ];
    for (profile, authority, people) in table {
        let expected = [authority, people].map(|by| by.map(str::to_owned));
        assert_eq!(clocks(profile, friday()), expected, "{profile}");
    }
}

#[test]
fn a_later_start_counts_only_where_the_law_counts_from_it() {
    let later = BreachTimes {
        assessed_at: Some(at("2026-12-07T10:00:00Z")),
        people_told_at: Some(at("2026-12-01T10:00:00Z")),
        ..friday()
    };
    assert_eq!(clocks("EU_GDPR", later), clocks("EU_GDPR", friday()));
    let [singapore, _] = clocks("SG_PDPA", later);
    assert_eq!(singapore.as_deref(), Some("2026-12-10T10:00:00.000Z"));
    let [california, people] = clocks("US_CA", later);
    assert_eq!(california.as_deref(), Some("2026-12-16T10:00:00.000Z"));
    assert_eq!(people.as_deref(), Some("2026-12-27T10:00:00.000Z"));
}

#[test]
fn every_profile_says_who_is_told_and_nothing_is_told_after_it_is_complete() {
    for profile in Profiles::compiled_in().all() {
        let clocks: Vec<_> = profile.breach_clocks(friday()).collect();
        assert!(!clocks.is_empty(), "{}", profile.id);
        for clock in clocks {
            assert!(clock.by >= friday().known_at, "{}", profile.id);
            assert!(clock.complete_by.is_none_or(|end| end >= clock.by));
            assert!(clock.notice.least_people != Some(0), "{}", profile.id);
        }
    }
}
