//! That the table holds every documented code, and that its page says what it says.
//!
//! `UPDATE_DOCS=1 cargo test -p headgate-graph` rewrites docs/reference/graph-codes.md; otherwise a
//! difference fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests may fail loudly, and are told by their environment to write a page"
)]

use std::fmt::Write as _;
use std::{env, fs};

use super::{Row, TABLE, meaning};
use crate::rest::Rest;

const LIST: &str = include_str!("../../data/codes.tsv");
const PAGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/reference/graph-codes.md"
);

/// First, last, class and scope of a line of the list.
fn listed() -> impl Iterator<Item = (u32, u32, &'static str, &'static str)> {
    let lines = LIST.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let fields: Vec<_> = line.split('\t').collect();
        let [codes, _http, _letters, class, scope] = fields[..] else {
            panic!("{line} has not five fields");
        };
        let (first, last) = codes.split_once('-').unwrap_or((codes, codes));
        (first.parse().unwrap(), last.parse().unwrap(), class, scope)
    })
}

#[test]
fn every_documented_code_is_in_the_table_with_its_class_and_scope() {
    let mut count = 0;
    for (first, last, class, scope) in listed() {
        for code in first..=last {
            let meaning = meaning(code).unwrap_or_else(|| panic!("{code} is not in the table"));
            let said = (meaning.class.word(), meaning.scope.word());
            assert_eq!(said, (class, scope), "{code}");
            count += 1;
        }
    }
    assert!(count > 400, "the list was cut short");
}

#[test]
fn the_table_holds_nothing_that_is_not_documented() {
    for row in TABLE {
        for code in row.first..=row.last {
            let known = listed().any(|(first, last, ..)| (first..=last).contains(&code));
            assert!(known, "{code} is in the table only");
        }
    }
}

#[test]
fn the_table_is_in_order_and_finds_what_is_between_its_rows_to_be_unknown() {
    for pair in TABLE.windows(2) {
        let [before, after] = pair else { continue };
        assert!(before.first <= before.last && before.last < after.first);
        let gap = before.last + 1;
        assert_eq!(meaning(gap).is_some(), gap == after.first, "{gap}");
    }
    for code in [5, 199, 300, 130_428, 131_058, 4_000_000, u32::MAX] {
        assert_eq!(meaning(code), None);
    }
}

#[test]
fn what_rests_is_no_smaller_than_whom_it_concerns() {
    for row in TABLE {
        let Some(rest) = row.meaning.rest else {
            continue;
        };
        let scope = row.meaning.scope.word();
        let whose = rest.word().split('_').next().unwrap();
        let agrees = match whose {
            "person" | "identity" | "country" => scope == "recipient",
            whose => scope == whose,
        };
        assert!(agrees, "{}: {scope} and {}", row.first, rest.word());
    }
}

#[test]
fn the_page_says_what_the_table_says() {
    let written = page();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(PAGE, &written).unwrap();
    }
    let found = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        found == written,
        "docs/reference/graph-codes.md is not what the table says; run UPDATE_DOCS=1 cargo test -p headgate-graph"
    );
}

fn page() -> String {
    let mut page = String::from(
        "<!-- generated: UPDATE_DOCS=1 cargo test -p headgate-graph -->\n\
         # Error codes of the Graph API\n\n\
         What each documented code of Meta's means for the message that got it, whom it concerns, and \
         what rests because of it. Where a message goes follows from the class:\n\n\
         | class | the message |\n|---|---|\n\
         | throttled, pair, app_limit | was not accepted, and goes back to its lane |\n\
         | credential | was not looked at; the number stops and somebody is called |\n\
         | trouble | may have gone out: it waits for its status notification before it is sent again |\n\
         | maintenance | as trouble, and the number rests for a minute |\n\
         | refused | has failed, when the answer is a 4xx; with a 5xx it may have gone out, as in trouble |\n\n\
         A code that is not listed counts as refused and concerns the message alone, unless Meta calls it \
         transient or answers with a 5xx; then the message may have gone out. Either way it shows in a metric.\n\n\
         Of code 100, two forms concern more than the message: one about `appsecret_proof` is credential, \
         and one with subcode 33 concerns the number.\n\n\
         | code | class | concerns | rests | meaning |\n|---|---|---|---|---|\n",
    );
    for row in TABLE {
        let codes = if row.first == row.last {
            row.first.to_string()
        } else {
            format!("{} to {}", row.first, row.last)
        };
        let (class, scope) = (row.meaning.class.word(), row.meaning.scope.word());
        let rests = row.meaning.rest.map_or(String::new(), said);
        let Row { says, .. } = row;
        writeln!(page, "| {codes} | {class} | {scope} | {rests} | {says} |").unwrap();
    }
    page
}

fn said(rest: Rest) -> String {
    let word = rest.word();
    match rest.at_least() {
        Some(least) => format!("{word}, at least {} min", least.as_secs() / 60),
        None => word.to_owned(),
    }
}
