//! Ordinary messages to a business are not taken for opt-outs.
//!
//! Each line of `tests/corpora` was written by hand: orders, appointments, complaints, thanks, slips of
//! the finger, single words, and whatever else holds a word of the lists without meaning it. The public
//! collection of ordinary SMS messages is another test, `ham_corpus`, for which something must be fetched.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly; this one prints a table, and is told by its environment to write a page"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use headgate_domain::optout::{Context, Intent, classify};
use serde_json::Value;

/// The main languages, as the keyword file calls them.
const CORPORA: [(&str, &str); 6] = [
    ("en", include_str!("corpora/en.txt")),
    ("zh-Hant", include_str!("corpora/zh-Hant.txt")),
    ("zh-Hans", include_str!("corpora/zh-Hans.txt")),
    ("es", include_str!("corpora/es.txt")),
    ("pt", include_str!("corpora/pt.txt")),
    ("de", include_str!("corpora/de.txt")),
];
/// So many lines at least a language has.
const LEAST: usize = 500;
/// One in a thousand.
const ALLOWED_PER_MILLE: usize = 1;

const PLAIN: Context<'_> = Context {
    recent_marketing: false,
    optin_question_open: false,
    words_bind: false,
    language: None,
};
const AFTER_MARKETING: Context<'_> = Context {
    recent_marketing: true,
    ..PLAIN
};
const NORTH_AMERICA: Context<'_> = Context {
    words_bind: true,
    ..PLAIN
};
const ASKED: Context<'_> = Context {
    optin_question_open: true,
    ..PLAIN
};

/// What a context makes of a corpus.
#[derive(Default)]
struct Count<'a> {
    /// Lines that are the very word a no may be: a no by rule, not by mistake.
    by_rule: Vec<&'a str>,
    /// Lines that are taken for a no and are none.
    wrong: Vec<&'a str>,
    /// Lines whose writer is asked what they meant.
    asked: usize,
}

fn count<'a>(lines: &[&'a str], words: &BTreeSet<String>, context: &Context<'_>) -> Count<'a> {
    let mut count = Count::default();
    for line in lines {
        match classify(line, context) {
            Intent::OptOut { .. } if is_a_word(line, words) => count.by_rule.push(line),
            Intent::OptOut { .. } => count.wrong.push(line),
            Intent::Ask { .. } => count.asked += 1,
            Intent::OptIn { .. }
            | Intent::Help
            | Intent::Contact
            | Intent::AccessRequest
            | Intent::ErasureRequest
            | Intent::DoNotSell
            | Intent::None => {}
        }
    }
    count
}

/// Whether a line is one of the words that are a no after marketing, or by law, and nothing else.
fn is_a_word(line: &str, words: &BTreeSet<String>) -> bool {
    words.contains(&line.to_lowercase())
}

/// The words that mean "stop" only in some contexts.
fn doubtful_words() -> BTreeSet<String> {
    let file: Value =
        serde_json::from_str(include_str!("../../../config/optout-keywords.json")).unwrap();
    let languages = file["languages"].as_object().unwrap();
    let contextual = languages
        .values()
        .flat_map(|language| language["stop_contextual"].as_array().unwrap());
    let words = contextual.chain(file["per_se"].as_array().unwrap());
    words
        .map(|word| word.as_str().unwrap().to_owned())
        .collect()
}

fn lines(corpus: &str) -> Vec<&str> {
    corpus.lines().filter(|line| !line.is_empty()).collect()
}

#[test]
fn ordinary_messages_are_not_taken_for_opt_outs() {
    let words = doubtful_words();
    let contexts = [
        ("nothing known", PLAIN),
        ("after marketing", AFTER_MARKETING),
        ("US and Canada", NORTH_AMERICA),
        ("after our question", ASKED),
    ];
    let mut failures = Vec::new();
    let mut table = String::from(
        "| language | context | messages | false opt-outs | a no by rule | asked back |\n|---|---|---:|---:|---:|---:|\n",
    );
    for (language, corpus) in CORPORA {
        let lines = lines(corpus);
        for (name, context) in &contexts {
            let found = count(&lines, &words, context);
            writeln!(
                table,
                "| {language} | {name} | {} | {} ({:.2} %) | {} | {} |",
                lines.len(),
                found.wrong.len(),
                found.wrong.len() as f64 * 100.0 / lines.len() as f64,
                found.by_rule.len(),
                found.asked,
            )
            .unwrap();
            if found.wrong.len() * 1_000 > lines.len() * ALLOWED_PER_MILLE {
                failures.push(format!("{language}, {name}: {:?}", found.wrong));
            }
            // A corpus that consisted of such words would prove nothing.
            assert!(found.by_rule.len() * 50 < lines.len(), "{language}, {name}");
        }
    }
    println!("{table}");
    assert!(failures.is_empty(), "{failures:#?}");
    the_page_says(&table);
}

/// The page holds the table, or is given it when `UPDATE_DOCS` is set.
fn the_page_says(table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/optout.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once("--test ordinary_messages -->\n").unwrap();
    let (_old, after) = rest.split_once("<!-- end -->").unwrap();
    let expected = format!("{before}--test ordinary_messages -->\n\n{table}\n<!-- end -->{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &expected).unwrap();
    } else {
        assert_eq!(page, expected, "run it with UPDATE_DOCS=1");
    }
}

#[test]
fn a_corpus_is_large_and_says_nothing_twice_and_names_nobody() {
    for (language, corpus) in CORPORA {
        let lines = lines(corpus);
        let distinct: BTreeSet<String> = lines.iter().map(|line| line.to_lowercase()).collect();
        assert!(lines.len() >= LEAST, "{language}: {}", lines.len());
        assert_eq!(
            distinct.len(),
            lines.len(),
            "{language} says something twice"
        );
        for line in lines {
            let digits = line.chars().filter(char::is_ascii_digit).count();
            assert!(digits < 7 && !line.contains('@'), "{language}: {line}");
        }
    }
}

#[test]
fn a_real_no_among_them_is_found() {
    // The same lines, each with a no added to it by its writer: what is not found here would be ignored.
    for (language, no) in [
        ("en", "please stop messaging me"),
        ("zh-Hant", "請不要再傳給我"),
        ("zh-Hans", "请不要再给我发"),
        ("es", "no quiero recibir más mensajes"),
        ("pt", "não quero receber mais mensagens"),
        ("de", "ich möchte keine Nachrichten mehr"),
    ] {
        assert!(
            matches!(classify(no, &PLAIN), Intent::OptOut { .. }),
            "{language}"
        );
    }
}
