//! The documents are held to the code: requirement ids both ways, links, names of tests, numbers.
//!
//! Owns the closed list of requirement ids. Promises that a row of
//! docs/compliance/requirements.md names only what exists, and that an id in the code has a row.
//! It cannot tell whether a sentence is true; it can tell that what it points at is there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "tests may fail loudly"
)]

#[path = "requirements/outbound.rs"]
mod outbound;
#[path = "requirements/reading.rs"]
mod reading;

use std::collections::BTreeSet;
use std::path::Path;

use reading::{
    cited, documents, files, is_fictional, is_test_name, links, numbers, prose, read, root, shown,
    slug,
};

/// Every requirement there is, as (first, last) of a run.
const RUNS: [(u32, u32); 9] = [
    (101, 104),
    (111, 114),
    (121, 124),
    (201, 208),
    (301, 306),
    (311, 314),
    (401, 406),
    (501, 504),
    (601, 607),
];

const TABLE: &str = "docs/compliance/requirements.md";
/// Where rules are kept, and so where ids are cited.
const CODE: [&str; 9] = [
    "crates",
    "functions",
    "tools",
    "tests",
    "infra",
    "config",
    "schemas",
    ".ci",
    "template.yaml",
];
fn ids() -> BTreeSet<String> {
    RUNS.iter()
        .flat_map(|run| run.0..=run.1)
        .map(|number| format!("R-{number}"))
        .collect()
}

struct Row {
    id: String,
    built: String,
    kept_by: String,
    test: String,
    status: String,
}

fn rows() -> Vec<Row> {
    let table = read(&root().join(TABLE));
    let lines = table.lines().filter(|line| line.starts_with("| R-"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line
                .trim()
                .trim_matches('|')
                .split('|')
                .map(str::trim)
                .collect();
            assert_eq!(cells.len(), 6, "{TABLE}: a row has six cells: {line}");
            Row {
                id: cells[0].to_owned(),
                built: cells[2].to_owned(),
                kept_by: cells[3].to_owned(),
                test: cells[4].to_owned(),
                status: cells[5].to_owned(),
            }
        })
        .collect()
}

#[test]
fn every_requirement_has_exactly_one_row() {
    let rows = rows();
    let listed: BTreeSet<String> = rows.iter().map(|row| row.id.clone()).collect();
    assert_eq!(listed.len(), rows.len(), "{TABLE}: an id has two rows");
    assert_eq!(
        listed,
        ids(),
        "{TABLE}: left is what has a row, right is what must have one"
    );
}

#[test]
fn every_requirement_cited_in_the_code_has_a_row() {
    let listed: BTreeSet<String> = rows().into_iter().map(|row| row.id).collect();
    let root = root();
    let mut seen = BTreeSet::new();
    for path in CODE.iter().flat_map(|part| files(&root.join(part))) {
        // The closed list is not a citation, and the examples below are none either.
        if path
            .to_string_lossy()
            .contains("tests/it/tests/requirements")
        {
            continue;
        }
        for id in cited(&read(&path)) {
            assert!(
                listed.contains(&id),
                "{} cites {id}, which has no row in {TABLE}",
                shown(&path)
            );
            seen.insert(id);
        }
    }
    assert!(
        seen.contains("R-122"),
        "the search finds nothing: where has the code gone?"
    );
}

#[test]
fn a_row_says_how_far_it_is_built_and_names_only_what_exists() {
    let root = root();
    let folder = root.join(TABLE).parent().unwrap().to_owned();
    for row in rows() {
        let Row {
            id,
            built,
            kept_by,
            test,
            status,
        } = &row;
        assert!(
            ["built", "partly", "not yet"].contains(&status.as_str()),
            "{id}: the status is built, partly or not yet"
        );
        assert!(!built.is_empty(), "{id}: says nothing of what is built");
        if status == "built" {
            assert!(
                !built.to_lowercase().contains("not yet"),
                "{id}: is not built if something of it is not yet"
            );
        }
        if status == "partly" {
            assert!(
                built.to_lowercase().contains("not yet"),
                "{id}: is built partly, and does not say what is not yet"
            );
        }
        if status != "not yet" {
            assert!(
                !links(kept_by).is_empty(),
                "{id}: {status}, and names no line that keeps it"
            );
            assert!(!links(test).is_empty(), "{id}: {status}, and names no test");
        }
        for link in links(kept_by) {
            let text = read(&folder.join(&link.target));
            assert!(!text.is_empty(), "{id}: {} does not exist", link.target);
            let symbol = link.rest.split('`').nth(1).unwrap_or_default();
            assert!(
                !symbol.is_empty() && text.contains(symbol),
                "{id}: {} has no `{symbol}`",
                link.target
            );
        }
        for link in links(test) {
            assert!(
                is_test_name(&link.text),
                "{id}: {} is not the name of a test",
                link.text
            );
        }
    }
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut count = 0;
    for page in documents() {
        let text = read(&page);
        assert!(!text.is_empty(), "{} does not exist", shown(&page));
        for link in links(&prose(&text)) {
            if link.target.starts_with("https://") || link.target.starts_with("mailto:") {
                continue;
            }
            let (target, anchor) = link.target.split_once('#').unwrap_or((&link.target, ""));
            let path = if target.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap().join(target)
            };
            assert!(
                path.exists(),
                "{}: {} leads nowhere",
                shown(&page),
                link.target
            );
            if !anchor.is_empty() {
                let headings = read(&path);
                assert!(
                    headings
                        .lines()
                        .any(|line| slug(line).as_deref() == Some(anchor)),
                    "{}: {} has no such heading",
                    shown(&page),
                    link.target
                );
            }
            count += 1;
        }
    }
    assert!(
        count > 100,
        "only {count} links: are the documents still there?"
    );
}

#[test]
fn every_test_a_document_names_is_in_the_file_it_links_to() {
    let mut count = 0;
    for page in documents() {
        for link in links(&prose(&read(&page)))
            .into_iter()
            .filter(|link| is_test_name(&link.text))
        {
            let text = read(&page.parent().unwrap().join(&link.target));
            let name = format!("fn {}(", link.text);
            let at = text
                .find(&name)
                .unwrap_or_else(|| panic!("{}: {} has no {name}", shown(&page), link.target));
            // A test by attribute, or one inside `proptest!`, which has the attribute too.
            let before: Vec<&str> = text[..at].lines().rev().take(4).collect();
            assert!(
                before.iter().any(|line| line.contains("test")),
                "{}: {} is not a test",
                shown(&page),
                link.text
            );
            count += 1;
        }
    }
    assert!(count > 50, "only {count} tests are named");
}

/// A claim names the line that keeps it: a name behind the link to its file.
#[test]
fn what_a_claim_is_kept_by_is_in_the_file_it_links_to() {
    let mut count = 0;
    let page = root().join("README.md");
    for link in links(&prose(&read(&page))) {
        let is_source = Path::new(&link.target)
            .extension()
            .is_some_and(|end| end == "rs");
        let named = link.rest.strip_prefix(" `").filter(|_rest| is_source);
        let Some(name) = named.and_then(|rest| rest.split('`').next()) else {
            continue;
        };
        let text = read(&root().join(&link.target));
        assert!(text.contains(name), "{} has no {name}", link.target);
        count += 1;
    }
    assert!(count > 25, "only {count} lines are named");
}

#[test]
fn documents_carry_fictional_numbers_only() {
    let root = root();
    let examples = ["schemas", "config"]
        .iter()
        .flat_map(|part| files(&root.join(part)));
    // The vectors of the profiles are spellings of countries' numbers, made up to show a region.
    let examples = examples.filter(|page| !page.ends_with("policy_profiles.json"));
    for page in documents().into_iter().chain(examples) {
        for digits in numbers(&read(&page)) {
            assert!(
                is_fictional(&digits),
                "{}: +{digits} could be somebody's",
                shown(&page)
            );
        }
    }
}

#[test]
fn the_searches_find_what_they_are_for() {
    assert_eq!(
        cited("(R-122, R-301) ADR-101 R-1011 R-12 xR-204"),
        BTreeSet::from(["R-122".to_owned(), "R-301".to_owned()])
    );
    assert_eq!(ids().len(), 47);
    let found = links("see [a](b.md) and [`c_d`](e.rs): `x`, [f](g)");
    assert_eq!(
        found.iter().map(|l| l.target.as_str()).collect::<Vec<_>>(),
        ["b.md", "e.rs", "g"]
    );
    assert_eq!(found[1].rest.split('`').nth(1), Some("x"));
    assert_eq!(
        slug("## What it will not do").as_deref(),
        Some("what-it-will-not-do")
    );
    assert_eq!(
        numbers("call +1 (613) 555-0123 or +447700900123"),
        ["16135550123", "447700900123"]
    );
    assert!(is_fictional("16135550123") && is_fictional("447700900123"));
    assert!(!is_fictional("16135551123") && !is_fictional("6591234567"));
    assert!(!prose("a\n```\n[x](y)\n```\nb").contains('y'));
}
