//! Every line the functions can write, read from their sources.
//!
//! Owns the reading of `log(level, "event", &[("field", Field::…)])`. Promises that a call it cannot read fails, so the
//! list is complete: the name of an event, and what a field is made of, stand in the source as words. Knows nothing of
//! what is a good event.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::template::{functions, in_repository};

/// What the function of a call is given by name: a file and the words that stand there.
const NAMED_ELSEWHERE: [(&str, &str, &str); 2] = [
    // The holder says what it notes; the sender writes it down.
    (
        "Effect::Note",
        "crates/headgate-domain/src/holder/number/claiming.rs",
        "let what = \"",
    ),
    ("fn note(", "functions/sender/src/drive.rs", "note(\""),
];
/// Fields that are put together elsewhere: the event and the file.
const MADE_ELSEWHERE: [(&str, &str); 1] = [("visited", "functions/privacy-web/src/visitor.rs")];
/// What every function has in common.
const SHARED: &str = "crates/headgate-lambda/src";
/// The constructors of a field, and what the page calls what they make.
const KINDS: [(&str, &str); 10] = [
    ("Field::code", "word"),
    ("Field::count", "count"),
    ("Field::number", "number"),
    ("Field::milliseconds", "milliseconds"),
    ("Field::flag", "flag"),
    ("Field::record", "record"),
    ("Field::subject", "subject"),
    ("Field::pseudonym", "pseudonym"),
    ("Field::safe", "text"),
    // The file name of a panic, which is the compiler's.
    ("Field(", "word"),
];

/// One kind of line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) event: String,
    pub(crate) levels: BTreeSet<&'static str>,
    /// Name and kind.
    pub(crate) fields: BTreeMap<String, BTreeSet<&'static str>>,
}

/// The lines of each function by its name, and those any of them can write under an empty name.
pub(crate) fn lines() -> BTreeMap<String, Vec<Line>> {
    let mut all = BTreeMap::new();
    all.insert(String::new(), lines_below(SHARED));
    for (_, name) in functions() {
        let of_it = lines_below(&format!("functions/{name}/src"));
        all.insert(name, of_it);
    }
    all
}

fn lines_below(folder: &str) -> Vec<Line> {
    let mut by_event: BTreeMap<String, Line> = BTreeMap::new();
    for (path, source) in sources(&in_repository(folder)) {
        for call in calls(&source) {
            for line in read(&path, &source, &call) {
                let known = by_event.entry(line.event.clone()).or_insert_with(|| Line {
                    event: line.event,
                    levels: BTreeSet::new(),
                    fields: BTreeMap::new(),
                });
                known.levels.extend(line.levels);
                for (name, kinds) in line.fields {
                    known.fields.entry(name).or_default().extend(kinds);
                }
            }
        }
    }
    by_event.into_values().collect()
}

/// Rust files below a folder, without their tests and comments.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push((
                path.display().to_string(),
                without_tests(&fs::read_to_string(&path).unwrap()),
            ));
        }
    }
    found
}

fn without_tests(source: &str) -> String {
    let end = source.find("#[cfg(test)]\nmod ").unwrap_or(source.len());
    let lines = source[..end]
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"));
    // On one line, as nobody would format it: where a list is broken is of no interest.
    lines.collect::<Vec<_>>().join(" ").replace("( \"", "(\"")
}

/// Where a call begins, and what stands between its brackets.
struct Call {
    at: usize,
    arguments: Vec<String>,
}

fn calls(source: &str) -> Vec<Call> {
    let mut found = Vec::new();
    for (at, _) in source.match_indices("log(") {
        let before = source[..at].chars().next_back().unwrap_or(' ');
        let is_defined = source[..at].ends_with("fn ");
        if before.is_alphanumeric() || before == '_' || is_defined {
            continue;
        }
        found.push(Call {
            at,
            arguments: arguments(&source[at + "log(".len()..]),
        });
    }
    found
}

/// Splits at the commas of the outermost level, up to the bracket that closes it.
fn arguments(text: &str) -> Vec<String> {
    let (mut all, mut one, mut depth, mut in_text) = (Vec::new(), String::new(), 0, false);
    for letter in text.chars() {
        match letter {
            '"' => in_text = !in_text,
            '(' | '[' | '{' if !in_text => depth += 1,
            ')' | ']' | '}' if !in_text && depth == 0 => break,
            ')' | ']' | '}' if !in_text => depth -= 1,
            ',' if !in_text && depth == 0 => {
                all.push(one.trim().to_owned());
                one = String::new();
                continue;
            }
            _ => {}
        }
        one.push(letter);
    }
    if !one.trim().is_empty() {
        all.push(one.trim().to_owned());
    }
    all
}

/// The lines a call can write.
fn read(path: &str, source: &str, call: &Call) -> Vec<Line> {
    let [level, event, fields] = call.arguments.as_slice() else {
        panic!(
            "{path}: a call of log has other arguments: {:?}",
            call.arguments
        );
    };
    // What stands in the function before the call.
    let start = source[..call.at].rfind("fn ").unwrap_or(0);
    let body = &source[start..call.at];
    let within = if level.starts_with("Level::") {
        level
    } else {
        body
    };
    let levels: BTreeSet<&'static str> = [
        ("Level::Info", "INFO"),
        ("Level::Warn", "WARN"),
        ("Level::Error", "ERROR"),
    ]
    .into_iter()
    .filter(|(name, _)| within.contains(name))
    .map(|(_, word)| word)
    .collect();
    let events = match event.strip_prefix('"') {
        Some(word) => vec![word.trim_end_matches('"').to_owned()],
        None => named_elsewhere(path, body),
    };
    let fields = if fields.starts_with("&[") {
        fields_in(fields, body)
    } else if let Some((_, file)) = MADE_ELSEWHERE.iter().find(|(made, _)| events == [*made]) {
        let file = without_tests(&fs::read_to_string(in_repository(file)).unwrap());
        fields_in(&file, "")
    } else {
        fields_in(body, body)
    };
    let is_empty = call.arguments[2] == "&[]";
    assert!(
        !levels.is_empty() && (is_empty || !fields.is_empty()),
        "{path}: what does {events:?} write?"
    );
    let line = |event| Line {
        event,
        levels: levels.clone(),
        fields: fields.clone(),
    };
    events.into_iter().map(line).collect()
}

/// The words that a variable event can be.
fn named_elsewhere(path: &str, body: &str) -> Vec<String> {
    let known = NAMED_ELSEWHERE
        .iter()
        .find(|(near, _, _)| body.contains(near));
    let (_, file, before) =
        known.unwrap_or_else(|| panic!("{path}: an event is named by a variable"));
    let source = without_tests(&fs::read_to_string(in_repository(file)).unwrap());
    let names = source.match_indices(before).map(|(at, _)| {
        let rest = &source[at + before.len()..];
        rest[..rest.find('"').unwrap()].to_owned()
    });
    let names: Vec<String> = names.collect();
    assert!(!names.is_empty(), "{file} names no event");
    names
}

/// Every `("name", …)` whose value is a field, by itself or by a variable of `body`.
fn fields_in(text: &str, body: &str) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut found = BTreeMap::new();
    for (at, _) in text.match_indices("(\"") {
        let inside = arguments(&text[at + 1..]);
        let [name, value] = inside.as_slice() else {
            continue;
        };
        let is_name = name
            .trim_matches('"')
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b == b'_');
        let kinds = kinds_of(value, body);
        if is_name && !kinds.is_empty() {
            found.insert(name.trim_matches('"').to_owned(), kinds);
        }
    }
    // A list that was not understood to the end would hide a field.
    let expected = arguments(text.strip_prefix("&[").unwrap_or("")).len();
    assert!(
        found.len() >= expected,
        "a field of {text} is made where this cannot be seen"
    );
    found
}

fn kinds_of(value: &str, body: &str) -> BTreeSet<&'static str> {
    let within = |text: &str| -> BTreeSet<&'static str> {
        let made = KINDS
            .iter()
            .filter(|(constructor, _)| text.contains(constructor));
        made.map(|(_, kind)| *kind).collect()
    };
    let own = within(value);
    // A variable, or a closure that is called.
    let value = value.split('(').next().unwrap_or_default();
    if !own.is_empty() || !value.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        return own;
    }
    // Everything that its `let` is made of.
    let Some(at) = body.rfind(&format!("let {value} =")) else {
        return BTreeSet::new();
    };
    let rest = &body[at..];
    within(&rest[..end_of_statement(rest)])
}

/// Where the `;` of a `let` stands.
fn end_of_statement(text: &str) -> usize {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ';' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn a_call_is_read_with_all_its_levels_names_and_fields() {
    let source = "fn f() {\n let stored = Field::flag(x);\n log(\n Level::Warn,\n \"a_thing\",\n &[(\"bytes\", Field::count(n)), (\"stored\", stored)],\n );\n }";
    let calls = calls(source);
    assert_eq!(calls.len(), 1);
    let lines = read("here", source, &calls[0]);
    assert_eq!(lines[0].event, "a_thing");
    assert_eq!(lines[0].levels, BTreeSet::from(["WARN"]));
    let fields: Vec<(&str, Vec<&str>)> = lines[0]
        .fields
        .iter()
        .map(|(name, kinds)| (name.as_str(), kinds.iter().copied().collect()))
        .collect();
    assert_eq!(fields, [("bytes", vec!["count"]), ("stored", vec!["flag"])]);
}
