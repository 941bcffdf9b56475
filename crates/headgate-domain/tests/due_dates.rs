//! When requests are due, by every profile, across month ends, leap years, weekends and extensions: as another
//! program computed it from the same terms.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeSet;

use headgate_domain::profiles::{Profiles, Right, Term};
use headgate_domain::region::Country;
use headgate_domain::time::Timestamp;

fn right(word: &str) -> Right {
    let mut all = Right::ALL.into_iter();
    all.find(|right| right.word() == word).unwrap()
}

#[test]
fn every_profile_has_the_dates_that_another_program_computed() {
    let table = include_str!("due_dates.tsv");
    let profiles = Profiles::compiled_in();
    let mut seen = BTreeSet::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [id, word, received, acknowledge, by, latest] = cells[..] else {
            panic!("{line}");
        };
        let received = Timestamp::parse(received).unwrap();
        let profile = profiles.find(id).unwrap();
        let due = profile.terms(right(word)).unwrap().due(received);
        let told = due
            .acknowledge_by
            .map_or("-".to_owned(), |at| at.to_string());
        assert_eq!(
            (
                told.as_str(),
                due.by.to_string().as_str(),
                due.at_the_latest.to_string().as_str()
            ),
            (acknowledge, by, latest),
            "{id} {word} {received}"
        );
        seen.insert((id.to_owned(), right(word)));
    }
    // And the table leaves nothing out.
    let known = profiles.all().iter().flat_map(|profile| {
        let rights = Right::ALL.into_iter();
        rights
            .filter(|right| profile.terms(*right).is_some())
            .map(|right| (profile.id.clone(), right))
    });
    assert_eq!(seen, known.collect());
}

#[test]
fn the_earliest_of_all_that_apply_counts_and_what_no_law_dates_is_due_as_everywhere_else() {
    let profiles = Profiles::compiled_in();
    let at = Timestamp::parse("2026-11-29T12:00:00Z").unwrap();
    let country = |code: &str| Country::parse(code).ok();
    let due = |code: &str, established: &[&str], right| {
        let established: Vec<Country> = established.iter().filter_map(|c| country(c)).collect();
        profiles
            .effective(country(code), &established, &[])
            .due(right, at)
    };
    let day = |right, code: &str, established: &[&str]| {
        due(code, established, right).by.to_string()[..10].to_owned()
    };
    assert_eq!(day(Right::Access, "DE", &[]), "2026-12-29");
    assert_eq!(day(Right::Access, "KR", &[]), "2026-12-09");
    assert_eq!(
        day(Right::Access, "KR", &["DE"]),
        "2026-12-09",
        "the earlier of both"
    );
    assert_eq!(
        day(Right::Erasure, "KR", &[]),
        "2026-12-13",
        "as everywhere else"
    );
    assert_eq!(
        day(Right::Erasure, "KR", &["DE"]),
        "2026-12-13",
        "and no later by another law"
    );
    assert_eq!(
        day(Right::Restriction, "BR", &[]),
        "2026-12-13",
        "as access everywhere else"
    );
    let extended = due("DE", &["US"], Right::Access);
    assert_eq!(extended.at_the_latest.to_string()[..10], *"2027-02-28");
    let nobody = profiles.effective(None, &[], &[]).due(Right::Objection, at);
    assert_eq!(nobody.by, at, "at once");
}

#[test]
fn terms_count_as_they_say() {
    let at = |text: &str| Timestamp::parse(text).unwrap();
    for (term, from, to) in [
        (Term::AtOnce, "2026-11-27T10:00:00Z", "2026-11-27T10:00:00Z"),
        (
            Term::Hours(72),
            "2026-12-30T10:00:00Z",
            "2027-01-02T10:00:00Z",
        ),
        (
            Term::BusinessDays(1),
            "2026-11-27T10:00:00Z",
            "2026-11-30T10:00:00Z",
        ),
        (
            Term::BusinessDays(10),
            "2026-11-28T10:00:00Z",
            "2026-12-11T10:00:00Z",
        ),
        (
            Term::Months(1),
            "2026-01-31T10:00:00Z",
            "2026-02-28T10:00:00Z",
        ),
        (
            Term::Months(1),
            "2028-01-31T10:00:00Z",
            "2028-02-29T10:00:00Z",
        ),
        (
            Term::Months(13),
            "2026-12-31T10:00:00Z",
            "2028-01-31T10:00:00Z",
        ),
    ] {
        assert_eq!(term.after(at(from)), at(to), "{term:?} from {from}");
    }
}
