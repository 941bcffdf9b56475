//! Drafts say what was counted and configured, and leave a blank where only people know.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use serde_json::json;

use super::*;
use crate::stage::CONFIG;

fn scope() -> Value {
    let clock = |profile: &str, tell: &str, by: &str, when: &str, least: Option<u64>| {
        json!({ "profile": profile, "people": 4, "tell": tell, "by": by, "hours_left": 1, "in_full_by": null,
                "counts_from": "people_told", "least_people": least, "is_reached": least.is_none(), "voluntary": false,
                "when": when, "assess_by": null })
    };
    json!({
        "access": { "from": "2026-11-20T08:00:00.000Z", "until": "2026-11-21T17:30:00.000Z" },
        "content": { "from": "2026-08-22T00:00:00.000Z", "until": "2026-11-21T17:30:00.000Z" },
        "people": { "total": 13, "of": "everybody in the tables",
            "by_country": [{ "country": null, "people": 1 }, { "country": "CA", "people": 8 }, { "country": "DE", "people": 4 }],
            "by_profile": [{ "profile": "CA_CASL", "people": 8 }, { "profile": "EU_GDPR", "people": 4 }] },
        "classes": [
            { "class": "messages", "count": 31, "people": 9, "sealed": true, "opens_with": "the key of its day" },
            { "class": "what people wrote", "count": 5, "people": 3, "sealed": true, "opens_with": "the key of its day" },
            { "class": "in clear", "count": null, "people": 13, "sealed": false, "what": "states and times" }],
        "days": [{ "day": "2026-08-22", "messages": 6, "readable": false }, { "day": "2026-11-20", "messages": 30, "readable": true }],
        "clocks": [
            clock("EU_GDPR", "authority", "2026-11-25T09:00:00.000Z", "unless a risk to people is unlikely", None),
            clock("EU_GDPR", "people", "2026-11-22T09:00:00.000Z", "a high risk to them", None),
            clock("CA_CASL", "authority", "2026-11-22T09:00:00.000Z", "a real risk of significant harm", Some(500))],
        "not_counted": ["copies under a legal hold"],
        "known_at": "2026-11-22T09:00:00.000Z", "as_of": "2026-11-22T10:00:00.000Z", "profiles_as_of": "2026-11-22",
    })
}

fn made(now: &str) -> Vec<Draft> {
    let scope: Scope = serde_json::from_value(scope()).unwrap();
    let config = Config::from_toml(CONFIG).unwrap();
    drafts(&scope, &config, Timestamp::parse(now).unwrap())
}

fn text<'a>(drafts: &'a [Draft], file: &str) -> &'a str {
    let found = drafts.iter().find(|draft| draft.file == file);
    &found.unwrap().text
}

#[test]
fn each_law_gets_a_draft_to_its_authority_and_one_to_its_people() {
    let drafts = made("2026-11-22T10:00:00Z");
    let files: Vec<&str> = drafts.iter().map(|draft| draft.file.as_str()).collect();
    assert_eq!(
        files,
        [
            "CA_CASL-authority.md",
            "CA_CASL-people.md",
            "EU_GDPR-authority.md",
            "EU_GDPR-people.md"
        ]
    );
    let authority = text(&drafts, "EU_GDPR-authority.md");
    for said in [
        "| to be told by | 2026-11-25T09:00:00.000Z (71 h left) |",
        "| asked for | unless a risk to people is unlikely |",
        "People this law holds for: about 4; of all laws together: 13 (everybody in the tables)",
        "| DE | 4 |",
        "| messages | 31 | 9 | sealed; opens with the key of its day |",
        "| in clear | – | 13 | in clear: states and times |",
        "30 of these records are under keys of days that are in force, 6 under",
        "data protection officer: Data protection office, dpo@maple.example",
        "Maple Outfitters Ltd., 100 Example Street",
        "copies under a legal hold",
        "Somebody had access from 2026-11-20T08:00:00.000Z to 2026-11-21T17:30:00.000Z",
    ] {
        assert!(authority.contains(said), "{said}\n{authority}");
    }
    // Nobody of another law.
    assert!(!authority.contains("| CA |"), "{authority}");
    let canadian = text(&drafts, "CA_CASL-authority.md");
    assert!(
        canadian.contains("| CA | 8 |")
            && canadian.contains("Office of the Privacy Commissioner of Canada")
    );
    assert!(
        canadian.contains("asked for from 500 on, which are not reached"),
        "{canadian}"
    );
    let people = text(&drafts, "CA_CASL-people.md");
    assert!(
        people.contains("the profile has no term") && people.contains("what you wrote to us"),
        "{people}"
    );
}

/// GDPR 33(3)(c), 33(3)(d), 34(2): no line of ours may stand where only somebody who knows can write one.
#[test]
fn what_only_people_know_is_a_blank() {
    let drafts = made("2026-11-22T10:00:00Z");
    let authority = text(&drafts, "EU_GDPR-authority.md");
    let section = |title: &str| {
        authority
            .split(title)
            .nth(1)
            .unwrap()
            .split("\n## ")
            .next()
            .unwrap()
            .trim()
    };
    assert_eq!(section("## What is likely to follow for the people"), "[…]");
    for title in [
        "## What happened",
        "## What was done, and what will be",
        "## What is still to come",
    ] {
        assert!(section(title).starts_with("[… "), "{title}");
    }
    let people = text(&drafts, "EU_GDPR-people.md");
    assert!(
        people.contains("**What this can mean for you.** […]\n"),
        "{people}"
    );
    assert!(people.contains("**What you can do.** [… or: nothing]"));
    assert!(drafts.iter().all(|draft| draft.blanks() >= 6));
    // Nobody is late yet; a day after the term somebody is, and has to say why (GDPR 33(1)).
    assert!(!authority.contains("comes late"));
    let late = made("2026-11-26T10:00:00Z");
    let late = text(&late, "EU_GDPR-authority.md");
    assert!(
        late.contains("(**over**)") && late.contains("## Why this comes late\n\n[…]"),
        "{late}"
    );
}

#[test]
fn a_draft_that_is_there_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let drafts = made("2026-11-22T10:00:00Z");
    let filled = folder.path().join("EU_GDPR-people.md");
    fs::write(&filled, "filled in").unwrap();
    let refused = write(folder.path(), &drafts).unwrap_err().to_string();
    assert!(refused.starts_with("--out: "), "{refused}");
    assert_eq!(fs::read_to_string(&filled).unwrap(), "filled in");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let other = folder.path().join("other");
    write(&other, &drafts).unwrap();
    assert_eq!(fs::read_dir(other).unwrap().count(), 4);
}

#[test]
fn a_file_that_is_no_scope_is_refused_without_a_word_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scope.json");
    fs::write(&file, r#"{"access":{"from":"+16135550123"}}"#).unwrap();
    let refused = read(&file).err().unwrap().to_string();
    assert!(
        refused.contains("breach scope --json") && refused.contains("line 1"),
        "{refused}"
    );
    assert!(!refused.contains("6135550123"), "{refused}");
}
