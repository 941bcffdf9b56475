//! The page on other people's failures is whole: each of the eighteen has its tests.
//!
//! That the tests it names exist is checked for every page by requirements.rs. What they test is what
//! the page says; no test of a test can see that.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "tests may fail loudly"
)]

#[allow(
    dead_code,
    reason = "shared with requirements.rs, which needs more of it"
)]
#[path = "requirements/reading.rs"]
mod reading;

use std::collections::BTreeSet;

use reading::{is_test_name, links, read, root};

const PAGE: &str = "docs/compliance/past-failures.md";

#[test]
fn each_of_the_eighteen_failures_has_a_test_that_would_fail() {
    let page = read(&root().join(PAGE));
    let is_row = |line: &&str| {
        let number = line
            .strip_prefix("| ")
            .and_then(|rest| rest.split(' ').next());
        number.is_some_and(|number| number.parse::<u8>().is_ok())
    };
    let mut named = BTreeSet::new();
    let mut numbers: Vec<u8> = Vec::new();
    for row in page.lines().filter(is_row) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [number, wrong, must_hold, tests] = cells.as_slice() else {
            panic!("{PAGE}: a row has four cells: {row}");
        };
        assert!(!wrong.is_empty() && !must_hold.is_empty(), "{row}");
        let tests = links(tests);
        assert!(!tests.is_empty(), "{number} names no test");
        for test in tests {
            assert!(is_test_name(&test.text), "{number}: {}", test.text);
            // A test that stands for two failures would be named for neither.
            assert!(
                named.insert(test.text.clone()),
                "{} is named twice",
                test.text
            );
        }
        numbers.push(number.parse().unwrap());
    }
    assert_eq!(numbers, (1..=18).collect::<Vec<_>>());
}
