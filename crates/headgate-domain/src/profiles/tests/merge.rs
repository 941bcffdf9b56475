//! The merge: whatever profiles come together, in whatever order, the strictest holds.

use proptest::prelude::*;

use super::country;
use crate::lane::PURPOSES;
use crate::profiles::{EffectiveProfile, Needed, ProcessingRegion, Profile, Profiles, Right};
use crate::retention::CONTENT_DAYS;
use crate::time::Timestamp;

fn any_profiles() -> impl Strategy<Value = EffectiveProfile> {
    let places = prop::collection::vec(0..Profiles::compiled_in().all().len(), 0..6);
    let overlay = prop::option::of(1_u16..1_000);
    (places, overlay).prop_map(|(places, days)| {
        let none = EffectiveProfile::none(Profiles::compiled_in());
        let all = places.into_iter().fold(none, EffectiveProfile::with);
        all.with_inactivity(days)
    })
}

fn alone(profile: &Profile) -> EffectiveProfile {
    let place = Profiles::compiled_in()
        .all()
        .iter()
        .position(|p| p == profile);
    EffectiveProfile::none(Profiles::compiled_in()).with(place.unwrap())
}

fn region() -> impl Strategy<Value = ProcessingRegion> {
    let names = ["eu-west-1", "us-east-1", "cn-north-1", "ca-central-1"];
    prop::sample::select(names.to_vec()).prop_map(|name| ProcessingRegion::parse(name).unwrap())
}

proptest! {
    #[test]
    fn a_merge_is_the_same_in_any_order_and_with_repeats(
        a in any_profiles(), b in any_profiles(), c in any_profiles(),
    ) {
        prop_assert_eq!(a.and(b), b.and(a));
        prop_assert_eq!(a.and(b).and(c), a.and(b.and(c)));
        prop_assert_eq!(a.and(a), a);
        prop_assert_eq!(a.and(b).digest(), b.and(a).digest());
    }

    #[test]
    fn what_holds_is_never_laxer_than_any_part(
        all in any_profiles(), region in region(), seconds in 1_700_000_000_i64..2_200_000_000,
    ) {
        let received = Timestamp::from_seconds(seconds);
        for part in all.profiles().map(alone) {
            prop_assert!(all.consent_max_age_days() <= part.consent_max_age_days());
            prop_assert!(all.consent_inactivity_days() <= part.consent_inactivity_days());
            prop_assert!(all.max_content_days() <= part.max_content_days());
            prop_assert!(all.withdrawal_seconds() <= part.withdrawal_seconds());
            for purpose in PURPOSES {
                let quiet: Vec<_> = all.quiet_hours(purpose).collect();
                prop_assert!(part.quiet_hours(purpose).all(|hours| quiet.contains(&hours)));
            }
            for consent in [true, false] {
                let asked: Vec<_> = all.registers(consent).collect();
                prop_assert!(part.registers(consent).all(|r| asked.contains(&r)));
            }
            for right in Right::ALL {
                let (all, part) = (all.due(right, received), part.due(right, received));
                prop_assert!(all.by <= part.by && all.at_the_latest <= part.at_the_latest);
                let of_part = part.acknowledge_by;
                prop_assert!(of_part.is_none_or(|by| all.acknowledge_by.is_some_and(|a| a <= by)));
            }
            let forbidding = part.forbidding(&region).count();
            prop_assert!(all.forbidding(&region).count() >= forbidding);
        }
    }

    #[test]
    fn every_field_of_a_merge_is_a_field_of_a_part(a in any_profiles(), b in any_profiles()) {
        let both = a.and(b);
        let strictest = |field: fn(EffectiveProfile) -> u16| {
            let parts = [a, b].into_iter().filter(|part| part.profiles().count() > 0);
            parts.map(field).min().unwrap_or(0)
        };
        prop_assert_eq!(both.consent_max_age_days(), strictest(EffectiveProfile::consent_max_age_days));
        prop_assert_eq!(both.max_content_days(), strictest(EffectiveProfile::max_content_days));
        let ids: Vec<_> = both.ids();
        prop_assert!(ids.iter().all(|id| a.ids().contains(id) || b.ids().contains(id)));
    }
}

#[test]
fn the_night_of_every_profile_that_applies_is_kept() {
    let compiled = Profiles::compiled_in();
    let chosen = ["AE_PDPL".to_owned()];
    let both = compiled.effective(Some(country("KR")), &[], &chosen);
    let nights: Vec<String> = both
        .quiet_hours(crate::lane::Purpose::Marketing)
        .map(|hours| hours.to_string())
        .collect();
    assert_eq!(nights, ["21:00 to 08:00", "18:00 to 09:00"]);
}

#[test]
fn a_countrys_own_rule_holds_for_its_people_and_for_businesses_there() {
    let days = |person: &str, business: &[&str]| {
        let established: Vec<_> = business.iter().map(|c| country(c)).collect();
        let effective = Profiles::compiled_in().effective(Some(country(person)), &established, &[]);
        (
            effective.consent_max_age_days(),
            effective.consent_inactivity_days(),
        )
    };
    assert_eq!(days("IE", &[]), (730, 365));
    assert_eq!(days("DE", &[]), (730, 730));
    assert_eq!(
        days("SG", &["IE"]),
        (730, 365),
        "the law follows the business"
    );
    assert_eq!(days("SG", &["CA"]), (730, 730));
}

#[test]
fn a_register_is_asked_where_no_consent_stands_in_for_it() {
    let registers = |of: &str, consent: bool| -> Vec<&str> {
        let effective = Profiles::compiled_in().effective(Some(country(of)), &[], &[]);
        let registers = effective.registers(consent);
        registers.map(|r| r.registry.as_str()).collect()
    };
    assert_eq!(registers("SG", false), ["SG_DNC_NO_TEXT"]);
    assert!(registers("SG", true).is_empty());
    assert_eq!(registers("VN", true), ["VN_KHONG_QUANG_CAO"]);
    assert!(registers("CA", false).is_empty());
    for profile in Profiles::compiled_in().all() {
        for register in &profile.do_not_call {
            assert!((1..=31).contains(&register.valid_days), "{}", profile.id);
        }
    }
    assert_eq!(Needed::Always.word(), "always");
}

#[test]
fn europe_stays_in_europe_and_no_region_satisfies_everybody() {
    let region = |name: &str| ProcessingRegion::parse(name).unwrap();
    let forbidding = |of: &str, established: &[&str], name: &str| -> Vec<&str> {
        let established: Vec<_> = established.iter().map(|c| country(c)).collect();
        let effective = Profiles::compiled_in().effective(Some(country(of)), &established, &[]);
        let profiles: Vec<_> = effective.forbidding(&region(name)).collect();
        profiles.iter().map(|p| p.id.as_str()).collect()
    };
    assert!(forbidding("DE", &[], "eu-central-1").is_empty());
    assert_eq!(forbidding("DE", &[], "us-east-1"), ["EU_GDPR"]);
    assert_eq!(forbidding("SG", &["DE"], "ap-southeast-1"), ["EU_GDPR"]);
    assert!(
        forbidding("SG", &[], "us-east-1").is_empty(),
        "a preference is no ban"
    );
    // C4: what two profiles allow may have nothing in common.
    assert_eq!(forbidding("CN", &["DE"], "eu-central-1"), ["CN_PIPL"]);
    assert_eq!(forbidding("CN", &["DE"], "cn-north-1"), ["EU_GDPR"]);
}

#[test]
fn what_holds_for_everybody_is_enough_for_every_profile() {
    for profile in Profiles::compiled_in().all() {
        let id = &profile.id;
        assert!(CONTENT_DAYS <= i64::from(profile.max_content_days), "{id}");
        // A withdrawal takes effect within five seconds (I8).
        assert!(profile.withdrawal_seconds >= 5, "{id}");
        assert!(
            profile.consent.inactivity_days <= profile.consent.max_age_days,
            "{id}"
        );
        // Where regions are limited, a deployment can say what a transfer rests on.
        let elsewhere = ProcessingRegion::parse("us-east-1").unwrap();
        let open = alone(profile).forbidding(&elsewhere);
        assert_eq!(
            open.count() > 0,
            !profile.regions.instruments.is_empty(),
            "{id}"
        );
    }
}

#[test]
fn the_digest_tells_what_holds_and_not_how_it_came_about() {
    let digest = |of: &str, established: &[&str]| {
        let established: Vec<_> = established.iter().map(|c| country(c)).collect();
        Profiles::compiled_in()
            .effective(Some(country(of)), &established, &[])
            .digest()
    };
    assert_eq!(digest("DE", &[]), digest("FR", &[]));
    assert_ne!(digest("DE", &[]), digest("IE", &[]), "Ireland adds a rule");
    assert_ne!(digest("DE", &[]), digest("SG", &[]));
    assert_eq!(digest("SG", &["DE"]), digest("DE", &["SG"]));
    assert_eq!(digest("CA", &[]).len(), "sha256:".len() + 64);
}
