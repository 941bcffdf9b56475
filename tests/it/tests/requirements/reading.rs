//! Reading: files, requirement ids, links, headings and telephone numbers in texts.
//!
//! Owns what counts as one of these. Knows no rule: what must hold is in requirements.rs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const TEXT: [&str; 9] = ["rs", "toml", "yaml", "yml", "json", "md", "py", "css", "sh"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Every text file under a path, build products left out.
pub(crate) fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let Ok(entries) = fs::read_dir(path) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let skipped = [
        "target",
        ".git",
        ".aws-sam",
        ".venv",
        ".headgate",
        "node_modules",
    ];
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

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// The requirement ids in a text; `ADR-101` and `R-1011` are none.
pub(crate) fn cited(text: &str) -> BTreeSet<String> {
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

/// A Markdown link: its text, its target, and what follows it up to the next link.
pub(crate) struct Link {
    pub(crate) text: String,
    pub(crate) target: String,
    pub(crate) rest: String,
}

pub(crate) fn links(text: &str) -> Vec<Link> {
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

pub(crate) fn is_test_name(text: &str) -> bool {
    text.contains('_')
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// README, the other pages at the top, and everything under docs/.
pub(crate) fn documents() -> Vec<PathBuf> {
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
pub(crate) fn prose(page: &str) -> String {
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

/// The anchor of a heading, as GitHub makes it.
pub(crate) fn slug(line: &str) -> Option<String> {
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

/// What looks like a telephone number: a plus sign, then digits, blanks, dots, dashes and brackets.
pub(crate) fn numbers(text: &str) -> Vec<String> {
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
pub(crate) fn is_fictional(digits: &str) -> bool {
    let northern = digits.len() == 11 && digits.starts_with('1') && &digits[4..9] == "55501";
    let british = digits.len() == 12 && digits.starts_with("447700900");
    northern || british
}
