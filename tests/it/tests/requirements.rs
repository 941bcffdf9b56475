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

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

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
const TEXT: [&str; 9] = ["rs", "toml", "yaml", "yml", "json", "md", "py", "css", "sh"];

fn ids() -> BTreeSet<String> {
    RUNS.iter()
        .flat_map(|run| run.0..=run.1)
        .map(|number| format!("R-{number}"))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Every text file under a path, build products left out.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let Ok(entries) = fs::read_dir(path) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let skipped = ["target", ".git", ".aws-sam", ".venv", ".headgate"];
    paths
        .into_iter()
        .filter(|path| !skipped.iter().any(|name| path.ends_with(name)))
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .filter(|path| {
            path.extension()
                .and_then(|e| e.to_str())
                .is_none_or(|e| TEXT.contains(&e))
        })
        .collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// The requirement ids in a text; `ADR-101` and `R-1011` are none.
fn cited(text: &str) -> BTreeSet<String> {
    let bytes = text.as_bytes();
    text.match_indices("R-")
        .filter(|(at, _)| *at == 0 || !bytes[at - 1].is_ascii_alphanumeric())
        .filter_map(|(at, _)| {
            let digits = text.get(at + 2..at + 5)?;
            let ends = bytes
                .get(at + 5)
                .is_none_or(|next| !next.is_ascii_alphanumeric());
            (digits.bytes().all(|b| b.is_ascii_digit()) && ends).then(|| format!("R-{digits}"))
        })
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

/// A Markdown link: its text, its target, and what follows it up to the next link.
struct Link {
    text: String,
    target: String,
    rest: String,
}

fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(middle) = text[from..].find("](").map(|at| from + at) {
        let Some(end) = text[middle..].find(')').map(|at| middle + at) else {
            break;
        };
        let open = text[..middle].rfind('[').map_or(middle, |at| at + 1);
        let next = text[end..].find("](").map_or(text.len(), |at| end + at);
        found.push(Link {
            text: text[open..middle].to_owned(),
            target: text[middle + 2..end].to_owned(),
            rest: text[end + 1..next].to_owned(),
        });
        from = end;
    }
    found
}

fn is_test_name(text: &str) -> bool {
    text.contains('_')
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// README, the other pages at the top, and everything under docs/.
fn documents() -> Vec<PathBuf> {
    let root = root();
    let mut pages: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ]
    .iter()
    .map(|name| root.join(name))
    .collect();
    pages.extend(
        files(&root.join("docs"))
            .into_iter()
            .filter(|path| path.extension().is_some_and(|e| e == "md")),
    );
    pages
}

/// The text of a page without its code, in which brackets mean other things.
fn prose(page: &str) -> String {
    let mut inside = false;
    page.lines()
        .filter(|line| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !inside && !fence
        })
        .collect::<Vec<_>>()
        .join("\n")
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
        if path.ends_with("tests/it/tests/requirements.rs") {
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

/// The anchor of a heading, as GitHub makes it.
fn slug(line: &str) -> Option<String> {
    let heading = line
        .strip_prefix('#')?
        .trim_start_matches('#')
        .trim()
        .to_lowercase();
    Some(
        heading
            .chars()
            .filter_map(|c| {
                if c == ' ' {
                    Some('-')
                } else {
                    (c.is_alphanumeric() || c == '-' || c == '_').then_some(c)
                }
            })
            .collect(),
    )
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

/// What looks like a telephone number: a plus sign, then digits, blanks, dots, dashes and brackets.
fn numbers(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')');
    text.match_indices('+')
        .map(|(at, _)| {
            text[at + 1..]
                .chars()
                .take_while(|c| is_part(*c))
                .filter(char::is_ascii_digit)
                .collect::<String>()
        })
        .filter(|digits| (8..=15).contains(&digits.len()))
        .collect()
}

/// Numbers that are reserved for fiction: North America's 555-0100 to 0199, Britain's 07700 900000 to 999.
fn is_fictional(digits: &str) -> bool {
    let northern = digits.len() == 11 && digits.starts_with('1') && &digits[4..9] == "55501";
    let british = digits.len() == 12 && digits.starts_with("447700900");
    northern || british
}

#[test]
fn documents_carry_fictional_numbers_only() {
    let root = root();
    let examples = ["schemas", "config"]
        .iter()
        .flat_map(|part| files(&root.join(part)));
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
