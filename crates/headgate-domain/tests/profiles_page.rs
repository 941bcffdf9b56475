//! docs/compliance/profiles.md and the compiled-in profiles say the same.
//!
//! `UPDATE_DOCS=1 cargo test -p headgate-domain --test profiles_page` rewrites the part between the
//! marks, otherwise a difference fails.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests may fail loudly, and this one reads one variable and one page"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use headgate_domain::profiles::{ClockStart, Needed, Notice, Profile, Profiles, Term, Told};
use headgate_domain::region::Country;

const START: &str =
    "<!-- generated: UPDATE_DOCS=1 cargo test -p headgate-domain --test profiles_page -->\n";
const END: &str = "<!-- end of generated -->";

fn joined<T: ToString>(items: impl IntoIterator<Item = T>, between: &str) -> String {
    let words: Vec<String> = items.into_iter().map(|i| i.to_string()).collect();
    words.join(between)
}

fn whose(profile: &Profile) -> String {
    let profiles = Profiles::compiled_in();
    let countries = profiles.countries_of(profile);
    let people = if countries.is_empty() {
        "people of every other country, and of none that is known".to_owned()
    } else {
        format!(
            "people of {}",
            joined(countries.iter().map(Country::as_str), " ")
        )
    };
    if profiles.follows_controller(profile) {
        format!("{people}; everybody, when the business is established there")
    } else {
        people
    }
}

/// What is kept, each with the rule that keeps it.
fn kept(profile: &Profile) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    for quiet in &profile.quiet_hours {
        let purposes = joined(quiet.purposes.iter().map(|p| p.word()), ", ");
        let note = quiet
            .note
            .as_ref()
            .map(|n| format!(" ({n})"))
            .unwrap_or_default();
        rows.push((
            "[quiet hours](../policy.md#quiet-hours)",
            format!("{}, {purposes}{note}", quiet.hours()),
        ));
    }
    let life = profile.consent;
    rows.push((
        "[life of a consent](#life-of-a-consent)",
        format!(
            "{} days from the yes, {} days without a sign of the person",
            life.max_age_days, life.inactivity_days
        ),
    ));
    for overlay in Profiles::compiled_in().overlays() {
        if Profiles::compiled_in()
            .countries_of(profile)
            .contains(&overlay.country)
        {
            rows.push((
                "[life of a consent](#life-of-a-consent)",
                format!(
                    "{}: {} days without a sign of the person ({})",
                    overlay.country, overlay.inactivity_days, overlay.source
                ),
            ));
        }
    }
    for register in &profile.do_not_call {
        let needed = match register.needed {
            Needed::WithoutConsent => "unless a consent is on record",
            Needed::Always => "whatever the person said",
        };
        let note = register
            .note
            .as_ref()
            .map(|n| format!(" ({n})"))
            .unwrap_or_default();
        rows.push((
            "[Do-Not-Call](#do-not-call)",
            format!(
                "`{}`, {needed}; a check counts for {} days{note}",
                register.registry, register.valid_days
            ),
        ));
    }
    let regions = &profile.regions;
    let allowed = joined(&regions.allowed, ", ");
    let elsewhere = if regions.instruments.is_empty() {
        String::new()
    } else {
        let words = joined(regions.instruments.iter().map(|i| i.word()), "`, `");
        format!("; others by `{words}`")
    };
    rows.push(("[regions](#regions)", format!("`{allowed}`{elsewhere}")));
    let terms = &profile.breach;
    for (told, notice) in [
        (Told::Authority, &terms.authority),
        (Told::People, &terms.people),
    ] {
        let Some(notice) = notice else { continue };
        let assess = terms.assess_within.filter(|_| told == Told::Authority);
        let assess = assess.map(|term| format!("; to be assessed within {}", words(term)));
        rows.push((
            "[breach](../breach.md)",
            format!(
                "{}: {}{}",
                told.word(),
                told_within(notice),
                assess.unwrap_or_default()
            ),
        ));
    }
    if !profile.rights.is_empty() {
        rows.push(("[rights](#terms-of-rights)", rights(profile)));
    }
    rows
}

/// Within what a person's requests are granted.
fn rights(profile: &Profile) -> String {
    let each = profile.rights.iter().map(|(right, terms)| {
        let mut text = format!("{} {}", right.word(), granted(terms.within));
        if let Some(more) = terms.extension {
            write!(text, ", or {} more", words(more)).unwrap();
        }
        if let Some(term) = terms.acknowledge {
            write!(text, ", acknowledged {}", granted(term)).unwrap();
        }
        text.replace('_', " ")
    });
    joined(each, "; ")
}

fn granted(term: Term) -> String {
    if term == Term::AtOnce {
        "at once".to_owned()
    } else {
        format!("within {}", words(term))
    }
}

fn words(term: Term) -> String {
    match term {
        Term::AtOnce => "no time".to_owned(),
        Term::Hours(n) => format!("{n} hours"),
        Term::Days(n) => format!("{n} days"),
        Term::BusinessDays(n) => format!("{n} business days"),
        Term::Months(1) => "a month".to_owned(),
        Term::Months(n) => format!("{n} months"),
    }
}

fn told_within(notice: &Notice) -> String {
    let mut text = if notice.within == Term::AtOnce {
        "without delay".to_owned()
    } else {
        format!("within {}", words(notice.within))
    };
    text.push_str(match notice.from {
        ClockStart::Known => "",
        ClockStart::Assessed => " of the assessment",
        ClockStart::PeopleTold => " of telling the people",
    });
    if let Some(complete) = notice.complete_within {
        write!(text, ", in full within {}", words(complete)).unwrap();
    }
    if let Some(people) = notice.least_people {
        write!(text, ", from {people} people on").unwrap();
    }
    if notice.voluntary {
        text.push_str(", advised");
    }
    if let Some(when) = &notice.when {
        write!(text, " ({when})").unwrap();
    }
    text
}

fn page() -> String {
    let profiles = Profiles::compiled_in();
    let mut page = format!(
        "\nAs of {}. {} profiles; each needs a lawyer's review, and none has had it.\n",
        profiles.as_of(),
        profiles.all().len()
    );
    for profile in profiles.all() {
        assert!(profile.legal_review_required, "{}", profile.id);
        write!(
            page,
            "\n### {}\n\n{}. Confidence: {}. **Needs legal review.**\n\nFor {}.\n\n| Kept | How |\n|---|---|\n",
            profile.id,
            profile.law,
            profile.confidence.word(),
            whose(profile)
        )
        .unwrap();
        for (rule, how) in kept(profile) {
            writeln!(page, "| {rule} | {how} |").unwrap();
        }
        if !profile.not_enforced.is_empty() {
            page.push_str("\nNot enforced:\n\n");
            for open in &profile.not_enforced {
                writeln!(page, "* {open}").unwrap();
            }
        }
        if !profile.sources.is_empty() {
            write!(page, "\nRead in: {}.\n", profile.sources.join("; ")).unwrap();
        }
    }
    page.push('\n');
    page
}

#[test]
fn the_page_of_profiles_shows_what_is_compiled_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compliance/profiles.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(START).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{START}{}{END}{after}", page());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    } else if text != expected {
        let difference = text
            .lines()
            .zip(expected.lines())
            .find(|(is, should)| is != should);
        panic!(
            "docs/compliance/profiles.md is not what is compiled in; {difference:?}\nrun {START}"
        );
    }
}
