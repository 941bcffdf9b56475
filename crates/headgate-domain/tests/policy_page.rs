//! docs/policy.md and the compiled-in profiles say the same.
//!
//! `UPDATE_DOCS=1 cargo test -p headgate-domain --test policy_page` rewrites the tables, otherwise a
//! difference fails.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::format_push_string,
    clippy::disallowed_methods,
    reason = "tests may fail loudly, and this one reads one variable and one page"
)]

use std::fs;
use std::path::Path;

use headgate_domain::profiles::{Profile, Profiles};
use headgate_domain::region::Country;

const START: &str =
    "<!-- generated: UPDATE_DOCS=1 cargo test -p headgate-domain --test policy_page -->\n";
const END: &str = "<!-- end of generated -->";

fn hours(profile: &Profile) -> String {
    if profile.quiet_hours.is_empty() {
        return "none".into();
    }
    let one = |h: &headgate_domain::profiles::ProfileHours| {
        let purposes: Vec<&str> = h.purposes.iter().map(|p| p.word()).collect();
        let note = h.note.as_ref().map(|n| format!(" ({n})"));
        let note = note.unwrap_or_default();
        format!("{} to {}, {}{note}", h.start, h.end, purposes.join(", "))
    };
    let all: Vec<String> = profile.quiet_hours.iter().map(one).collect();
    all.join("; ")
}

fn names(countries: &[Country]) -> String {
    let names: Vec<&str> = countries.iter().map(Country::as_str).collect();
    names.join(" ")
}

fn tables() -> String {
    let profiles = Profiles::compiled_in();
    let mut page = format!(
        "\nAs of {}.\n\n| Profile | Countries | Quiet hours, where the person is | Made from | Sources | How sure |\n|---|---|---|---|---|---|\n",
        profiles.as_of()
    );
    for profile in profiles.all() {
        let countries = profiles.countries_of(profile);
        let countries = if countries.is_empty() {
            "every other, and unknown".into()
        } else {
            names(&countries)
        };
        let sources = if profile.sources.is_empty() {
            "none written down".into()
        } else {
            profile.sources.join("; ")
        };
        let review = if profile.legal_review_required {
            ", not reviewed by a lawyer"
        } else {
            ""
        };
        page.push_str(&format!(
            "| `{}` | {countries} | {} | {} | {sources} | {}{review} |\n",
            profile.id,
            hours(profile),
            profile.law,
            profile.confidence.word(),
        ));
    }
    page.push_str("\n| Cap on | Messages a person | Within | Source |\n|---|---|---|---|\n");
    for cap in profiles.caps() {
        page.push_str(&format!(
            "| {} | {} | {} h | {} |\n",
            cap.purpose, cap.max, cap.hours, cap.source
        ));
    }
    page.push_str("\n| Not delivered by Meta | Where | Source |\n|---|---|---|\n");
    for block in profiles.region_blocks() {
        let countries = names(&block.countries);
        page.push_str(&format!(
            "| {} | {countries} | {} |\n",
            block.purpose, block.source
        ));
    }
    page.push('\n');
    page
}

#[test]
fn the_page_shows_what_is_compiled_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/policy.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(START).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{START}{}{END}{after}", tables());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    } else if page != expected {
        let difference = page
            .lines()
            .zip(expected.lines())
            .find(|(is, should)| is != should);
        panic!("docs/policy.md is not what is compiled in; {difference:?}\nrun {START}");
    }
}
