//! What the source tree itself must keep: who may know whom (I1, I2), and what is in no file.
//!
//! Reads manifests and sources as text and needs no build of what it judges. Every exception is
//! written down here with its reason; one that is no longer needed fails the test, so the lists
//! only shrink.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What is made, not written.
const MADE: [&str; 8] = [
    "target",
    "artifacts",
    "found",
    ".git",
    ".headgate",
    ".aws-sam",
    ".venv",
    "node_modules",
];

/// What headgate-domain may build on (I1): data, text and pure cryptography. No runtime, no HTTP,
/// no AWS, no clock, no randomness.
const DOMAIN_BUILDS_ON: [&str; 17] = [
    "aes-gcm",
    "base64",
    "csv-core",
    "headgate-redact",
    "hkdf",
    "hmac",
    "phonenumber",
    "ring",
    "serde",
    "serde_json",
    "sha2",
    "subtle",
    "thiserror",
    "time",
    "toml",
    "unicode-normalization",
    "zeroize",
];

/// Words a rule has no use for (I1).
const NOT_IN_THE_DOMAIN: [&str; 12] = [
    "SystemTime",
    "Instant::now",
    "now_utc",
    "now_local",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "rand::",
    "getrandom",
    "tokio",
];

/// Who may name AWS's SDKs (I2): the adapters, the other side of the wire, and the benches, whose
/// baselines are designs of others.
const NAME_AWS: [&str; 3] = ["headgate-aws", "local-cloud", "headgate-benches"];
/// Who may name the HTTP client (I2): the Graph client, and what plays Meta.
const NAME_HTTP_CLIENT: [&str; 2] = ["headgate-graph", "meta-simulator"];
/// Members whose tests speak HTTP to what they test.
const TEST_OVER_HTTP: [&str; 1] = ["local-cloud"];

const ADAPTERS: [&str; 4] = [
    "headgate-aws",
    "headgate-graph",
    "headgate-lambda",
    "headgate-webhook",
];
const FUNCTIONS: [&str; 10] = [
    "consent-api",
    "consent-import",
    "intake",
    "ledger-checkpoint",
    "notification-processor",
    "privacy-web",
    "privacy-worker",
    "retention-purge",
    "sender",
    "webhook",
];
const TESTS: [&str; 4] = [
    "headgate-benches",
    "headgate-fuzz",
    "headgate-it",
    "headgate-template-tests",
];

/// Files above the limit of lines, with what they have now.
const LONG: [(&str, usize); 1] = [("tools/local-cloud/tests/contract.rs", 832)];
const LINES_OF_A_FILE: usize = 800;
const LINES_OF_A_MAIN: usize = 40;
/// Compositions above their limit, with what they have now.
const LONG_MAINS: [(&str, usize); 0] = [];

/// Test modules whose head is in the file they test.
const WITHOUT_A_HEAD: [&str; 7] = [
    "crates/headgate-domain/src/identity/tests.rs",
    "crates/headgate-domain/src/ledger/tests.rs",
    "crates/headgate-domain/src/optout/tests.rs",
    "crates/headgate-domain/src/outbound_tests.rs",
    "crates/headgate-domain/src/sealing/tests.rs",
    "functions/privacy-web/src/decide_tests.rs",
    "functions/privacy-web/src/pages_tests.rs",
];

/// Ranges nobody has: North America's 555-01xx (NANPA) of Ottawa, San Francisco, Toronto, Jamaica,
/// Puerto Rico and of nowhere, and Ofcom's mobile numbers for drama.
const FICTIONAL: [&str; 7] = [
    "+161355501",
    "+141555501",
    "+141655501",
    "+187655501",
    "+178755501",
    "+155555501",
    "+447700900",
];

/// Countries that set no range aside: made up, each for a peculiarity of its numbering plan. With
/// them, what is no number at all, which a parser must refuse.
const MADE_UP: [&str; 20] = [
    "+06135550100",
    "+2250102030405",
    "+353855550100",
    "+390655550100",
    "+390669855010",
    "+4407700900123",
    "+447781555010",
    "+525555550100",
    "+5491155550100",
    "+551155550100",
    "+5511995550100",
    "+6591234567",
    "+77015550100",
    "+79015550100",
    "+85255550100",
    "+8613855550100",
    "+870700900123",
    "+886955550100",
    "+919855550100",
    "+9996135550100",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Every text file of the tree, by its path from the root.
fn tree() -> BTreeMap<String, String> {
    let root = root();
    let mut texts = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if MADE.contains(&name.as_str()) {
                // Also a file: in a second worktree .git is one.
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                texts.insert(
                    path.strip_prefix(&root)
                        .unwrap()
                        .to_string_lossy()
                        .into_owned(),
                    text,
                );
            }
        }
    }
    assert!(texts.contains_key("Cargo.toml") && texts.contains_key("tests/it/tests/isolation.rs"));
    texts
}

fn sources() -> impl Iterator<Item = (String, String)> {
    tree()
        .into_iter()
        .filter(|(path, _)| Path::new(path).extension().is_some_and(|end| end == "rs"))
}

struct Member {
    path: String,
    /// What it is built from.
    built_on: BTreeSet<String>,
    /// What its tests need besides.
    tested_with: BTreeSet<String>,
}

/// The workspace's members by name.
fn members() -> BTreeMap<String, Member> {
    let manifests = tree()
        .into_iter()
        .filter(|(path, _)| path.ends_with("/Cargo.toml"));
    manifests
        .map(|(path, text)| {
            let manifest: toml::Table = text.parse().unwrap();
            let names = |section: &str| -> BTreeSet<String> {
                let table = manifest.get(section).and_then(toml::Value::as_table);
                table
                    .into_iter()
                    .flat_map(toml::Table::keys)
                    .cloned()
                    .collect()
            };
            // Other places for dependencies would be another way past these checks.
            for section in ["target", "build-dependencies"] {
                assert!(!manifest.contains_key(section), "{path} has [{section}]");
            }
            let name = manifest["package"]["name"].as_str().unwrap().to_owned();
            let member = Member {
                built_on: names("dependencies"),
                tested_with: names("dev-dependencies"),
                path,
            };
            (name, member)
        })
        .collect()
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// Fails on what is not excepted, and on exceptions that are not needed any more.
fn only_excepted(what: &str, found: impl IntoIterator<Item = String>, excepted: &[&str]) {
    let (found, excepted) = (
        found.into_iter().collect::<BTreeSet<_>>(),
        set(excepted.iter().copied()),
    );
    let new: Vec<_> = found.difference(&excepted).collect();
    assert!(new.is_empty(), "{what}: {new:#?}");
    let gone: Vec<_> = excepted.difference(&found).collect();
    assert!(
        gone.is_empty(),
        "{what}: take these off the list of exceptions: {gone:#?}"
    );
}

/// As [`only_excepted`], for files with more than `limit` lines.
fn only_as_long_as(
    limit: usize,
    files: impl Iterator<Item = (String, String)>,
    excepted: &[(&str, usize)],
) {
    let lengths: BTreeMap<String, usize> = files
        .map(|(path, text)| (path, text.lines().count()))
        .collect();
    let long = lengths
        .iter()
        .filter(|(_, lines)| **lines > limit)
        .map(|(path, _)| path.clone());
    let names: Vec<&str> = excepted.iter().map(|(path, _)| *path).collect();
    only_excepted(&format!("more than {limit} lines"), long, &names);
    for (path, allowed) in excepted {
        assert!(
            lengths[*path] <= *allowed,
            "{path} grew beyond {allowed} lines"
        );
    }
}

#[test]
fn the_rules_know_no_runtime_no_clock_no_network_and_no_chance() {
    let members = members();
    assert_eq!(members["headgate-domain"].built_on, set(DOMAIN_BUILDS_ON));
    // A test is no rule: one signs with a key of the moment.
    let is_rule = |path: &str| {
        path.starts_with("crates/headgate-domain/src/") && !path.ends_with("/note/signer.rs")
    };
    for (path, text) in sources().filter(|(path, _)| is_rule(path)) {
        for word in NOT_IN_THE_DOMAIN {
            assert!(!text.contains(word), "{path} mentions {word}");
        }
    }
}

#[test]
fn only_adapters_name_the_outside() {
    for (name, member) in members() {
        let all = || member.built_on.union(&member.tested_with);
        let names_aws = all().any(|dependency| {
            dependency.starts_with("aws-") || dependency.starts_with("winterbaume")
        });
        assert!(
            !names_aws || NAME_AWS.contains(&name.as_str()),
            "{name} names AWS"
        );
        let http = member.built_on.contains("reqwest");
        assert!(
            !http || NAME_HTTP_CLIENT.contains(&name.as_str()),
            "{name} names reqwest"
        );
        let tests_http = !http && member.tested_with.contains("reqwest");
        assert!(
            !tests_http || TEST_OVER_HTTP.contains(&name.as_str()),
            "{name} names reqwest in its tests"
        );
    }
}

#[test]
fn dependencies_point_inward() {
    let members = members();
    let ours = |names: &BTreeSet<String>| -> BTreeSet<String> {
        names
            .iter()
            .filter(|name| members.contains_key(*name))
            .cloned()
            .collect()
    };
    let inner = ["headgate-domain", "headgate-redact"];
    for (name, member) in &members {
        let may_know: BTreeSet<String> = match name.as_str() {
            "headgate-redact" | "meta-simulator" | "local-cloud" => BTreeSet::new(),
            "headgate-domain" => set(["headgate-redact"]),
            adapter if ADAPTERS.contains(&adapter) => set(inner),
            function if FUNCTIONS.contains(&function) => set(inner.into_iter().chain(ADAPTERS)),
            "headgate-testkit" => set(inner.into_iter().chain(ADAPTERS).chain(["local-cloud"])),
            // An auditor builds it alone.
            "ledger-audit" => set(inner),
            // The command line plays the whole system in one process.
            "headgate" => set(inner.into_iter().chain(ADAPTERS).chain(FUNCTIONS).chain([
                "ledger-audit",
                "local-cloud",
                "meta-simulator",
            ])),
            tests if TESTS.contains(&tests) => continue,
            unknown => panic!("say in tests/it/tests/isolation.rs where {unknown} belongs"),
        };
        let knows = ours(&member.built_on);
        let too_much: Vec<_> = knows.difference(&may_know).collect();
        assert!(too_much.is_empty(), "{name} builds on {too_much:?}");
    }
    // The simulator judges the gateway: a mistake the two share would be seen by neither.
    let simulator = &members["meta-simulator"];
    assert_eq!(ours(&simulator.tested_with), BTreeSet::new());
}

#[test]
fn what_is_for_tests_does_not_ship() {
    for (name, member) in members() {
        assert!(
            !member.built_on.contains("headgate-testkit"),
            "{name} builds on the testkit"
        );
        let ships = member.path.starts_with("crates/headgate-") && name != "headgate-testkit"
            || member.path.starts_with("functions/");
        for tool in ["local-cloud", "meta-simulator", "headgate"] {
            assert!(
                !(ships && member.built_on.contains(tool)),
                "{name} builds on {tool}"
            );
        }
    }
}

#[test]
fn a_composition_is_short_and_no_file_is_long() {
    let mains = sources().filter(|(path, _)| path.ends_with("/src/main.rs"));
    only_as_long_as(LINES_OF_A_MAIN - 1, mains, &LONG_MAINS);
    let parts = ["crates/", "functions/", "tools/", "tests/"];
    let files = sources().filter(|(path, _)| parts.iter().any(|part| path.starts_with(part)));
    only_as_long_as(LINES_OF_A_FILE, files, &LONG);
}

#[test]
fn every_source_says_what_it_is() {
    let headless = sources()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path);
    only_excepted("does not begin with //!", headless, &WITHOUT_A_HEAD);
}

#[test]
fn no_machine_and_no_registry_is_named() {
    // In two parts, so that this file does not contain them.
    let paths = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
        concat!("C:\\", "Users"),
    ];
    let hosts = [
        "index.cra|tes.io",
        "static.cra|tes.io",
        "registry.np|mjs.org",
        "pypi|.org",
        "pythonhos|ted.org",
        "artifac|tory",
        "proxy.go|lang.org",
    ]
    .map(|host| host.replace('|', ""));
    for (path, text) in tree() {
        for word in paths.into_iter().chain(hosts.iter().map(String::as_str)) {
            assert!(!text.contains(word), "{path} contains {word}");
        }
        for source in text
            .lines()
            .filter(|line| path == "Cargo.lock" && line.starts_with("source = "))
        {
            let expected = concat!(
                "source = \"registry+https://github.com/rust-lang/cra",
                "tes.io-index\""
            );
            assert_eq!(source, expected);
        }
    }
}

/// The telephone numbers in a text: a plus, eight to fifteen digits, and what people put between.
fn numbers(text: &str) -> Vec<String> {
    text.split('+')
        .skip(1)
        .filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        .map(|rest| {
            let mut number = "+".to_owned();
            let mut between = 0;
            for letter in rest.chars() {
                match letter {
                    '0'..='9' => {
                        number.push(letter);
                        between = 0;
                    }
                    // ") (" is the most that people write.
                    ' ' | '-' | '.' | '(' | ')' | '\u{a0}' if between < 3 => between += 1,
                    _ => break,
                }
            }
            number
        })
        .filter(|number| (9..=16).contains(&number.len()))
        .collect()
}

#[test]
fn numbers_are_found_however_they_are_written() {
    let text = "+1 (613) 555-0100, +16135550101; 1+1, +12, +447700 900 123. x+1613555010000000000";
    assert_eq!(
        numbers(text),
        ["+16135550100", "+16135550101", "+447700900123"]
    );
    assert_eq!(numbers("+1-613-555-0102"), ["+16135550102"]);
}

#[test]
fn every_telephone_number_is_fictional() {
    let is_fictional = |number: &String| {
        FICTIONAL
            .iter()
            .any(|range| number.starts_with(range) || range.starts_with(number.as_str()))
    };
    let found = tree()
        .into_iter()
        .filter(|(path, _)| path != "Cargo.lock")
        .flat_map(|(path, text)| {
            // This file is the list.
            let own = path == "tests/it/tests/isolation.rs";
            numbers(if own { "" } else { &text })
                .into_iter()
                .map(move |number| (number, path.clone()))
                .collect::<Vec<_>>()
        });
    let unknown: BTreeMap<String, String> =
        found.filter(|(number, _)| !is_fictional(number)).collect();
    let new: Vec<_> = unknown
        .iter()
        .filter(|(number, _)| !MADE_UP.contains(&number.as_str()))
        .collect();
    assert!(new.is_empty(), "may be somebody's number: {new:#?}");
    only_excepted("may be somebody's number", unknown.into_keys(), &MADE_UP);
}
