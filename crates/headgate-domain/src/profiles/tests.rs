//! The compiled-in file: its form, and what it says of whom.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::Value;

mod breach;
mod merge;

use super::*;
use crate::identity::{Bsuid, Phone};

static NONE: LazyLock<Profiles> = LazyLock::new(Profiles::default);

fn file() -> Value {
    serde_json::from_str(FILE).unwrap()
}

fn country(text: &str) -> Country {
    Country::parse(text).unwrap()
}

#[test]
fn the_file_has_its_declared_form_and_names_only_what_it_has() {
    assert!(Profiles::parse(FILE).is_some());
    let known = file();
    for (code, countries) in known["calling_codes"].as_object().unwrap() {
        let mut all: Vec<&str> = countries
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        if let Some(prefixes) = known["national_prefixes"].get(code) {
            for (special, _) in prefixes.as_object().unwrap() {
                assert!(all.contains(&special.as_str()), "{special} of +{code}");
            }
        }
        all.retain(|c| !Profiles::compiled_in().knows(country(c)));
        assert!(all.is_empty(), "+{code}: no clocks for {all:?}");
    }
    for (name, _) in known["countries"].as_object().unwrap() {
        assert!(Profiles::compiled_in().knows(country(name)), "{name}");
    }
    for stored in Profiles::compiled_in().meta_storages() {
        assert!(Profiles::compiled_in().knows(stored), "{stored}");
    }
    for block in Profiles::compiled_in().region_blocks() {
        assert!(!block.source.is_empty());
    }
}

#[test]
fn the_test_vectors_of_the_resolution_hold() {
    let vectors = file()["test_vectors"].clone();
    let vectors = vectors.as_array().unwrap();
    assert!(vectors.len() >= 17);
    for vector in vectors {
        let text = |key: &str| vector.get(key).and_then(Value::as_str);
        let placed = match (text("phone"), text("bsuid")) {
            (Some(phone), _) => Country::of_phone(&Phone::parse(phone).unwrap()),
            (None, Some(bsuid)) => Country::of_bsuid(&Bsuid::parse(bsuid).unwrap()),
            (None, None) => None,
        };
        let established: Vec<Country> = vector
            .get("tenant")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|c| country(c.as_str().unwrap()))
            .collect();
        let mut ids = Profiles::compiled_in()
            .effective(placed, &established, &[])
            .ids();
        ids.sort_unstable();
        assert_eq!(serde_json::json!(ids), vector["expect"], "{vector}");
    }
}

#[test]
fn a_law_that_does_not_follow_the_business_stays_at_home() {
    let ids = |established: &str| {
        Profiles::compiled_in()
            .effective(Some(country("SG")), &[country(established)], &[])
            .ids()
    };
    assert_eq!(ids("US"), ["SG_PDPA"]);
    assert_eq!(ids("SG"), ["SG_PDPA"], "once is enough");
}

#[test]
fn every_profile_says_how_sure_we_are_and_asks_for_a_lawyer() {
    for profile in Profiles::compiled_in().all() {
        assert!(profile.legal_review_required, "{}", profile.id);
        assert!(!profile.law.is_empty());
        for quiet in &profile.quiet_hours {
            assert_ne!(quiet.start, quiet.end, "{}", profile.id);
            assert!(quiet.purposes.contains(&Purpose::Marketing));
            assert!(!quiet.purposes.contains(&Purpose::Authentication));
        }
    }
}

#[test]
fn without_a_readable_file_nobody_is_placed_and_every_hour_is_night() {
    assert!(Profiles::parse("{}").is_none());
    assert_eq!(NONE.country_of_number("+16135550123"), None);
    let nothing = NONE.effective(Some(country("CA")), &[], &[]);
    assert_eq!(nothing.profiles().count(), 0);
    assert_eq!(nothing.consent_max_age_days(), 0);
    assert_eq!(nothing.max_content_days(), 0);
}
