//! The report: what came of each row, and how far an import is.
//!
//! Holds no personal data: a row is its number and its line. Whoever has the file knows the person; a
//! link asks only the person whose number stands in the row.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::{FileHash, Position, RowFault};
use crate::lane::Purpose;
use crate::time::Timestamp;

/// The schema of a [`Progress`].
const SCHEMA: &str = "headgate.import/1";
/// The code of a row that asks.
const REQUESTED: &str = "requested";

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The person is asked for these, by this link.
    Requested {
        /// For what; without what the person has already said something to.
        purposes: Vec<Purpose>,
        /// The link to bring to the person.
        link: String,
    },
    /// Nobody is asked.
    Refused(RowFault),
}

impl Outcome {
    /// The word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Requested { .. } => REQUESTED,
            Self::Refused(fault) => fault.reason.word(),
        }
    }
}

/// The columns of the report.
pub const COLUMNS: &str = "row,line,code,column,purposes,link\n";

/// Writes a row's line of the report. Every value is a number, a word of ours or a link, so nothing in it
/// needs quotes or could be run by a spreadsheet.
pub fn line(report: &mut String, number: u64, line: u64, outcome: &Outcome) {
    let (column, purposes, address) = match outcome {
        Outcome::Requested { purposes, link } => {
            let named: Vec<&str> = purposes.iter().map(|purpose| purpose.word()).collect();
            ("", named.join(" "), link.as_str())
        }
        Outcome::Refused(fault) => {
            let column = fault.column.map_or("", super::Column::word);
            (column, String::new(), "")
        }
    };
    let code = outcome.word();
    // Writing to a text does not fail.
    writeln!(
        report,
        "{number},{line},{code},{column},{purposes},{address}"
    )
    .unwrap_or_default();
}

/// How many rows came to what, by code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Counts a row.
    pub fn add(&mut self, outcome: &Outcome) {
        let count = self.0.entry(outcome.word().to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// How many rows came to a code.
    pub fn of(&self, word: &str) -> u64 {
        self.0.get(word).copied().unwrap_or_default()
    }

    /// Each code with its rows, in the order of the words.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(word, count)| (word.as_str(), *count))
    }
}

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Rows are left.
    Running,
    /// Every row has its line in the report.
    Done,
    /// Nothing of the file is used.
    Refused,
}

/// How far the import of a file is: what is stored between two blocks, and what whoever waits reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    schema: String,
    /// The SHA-256 of the file.
    pub file: String,
    /// Where it stands.
    pub stage: Stage,
    /// When it began.
    pub started_at: Timestamp,
    /// The principal who brought it, by S3's word: a role or a user, and no session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brought_by: Option<String>,
    /// How many rows the file has.
    pub rows: u64,
    /// Where the next row begins.
    pub next: Position,
    /// How many parts the report has so far.
    pub parts: u32,
    /// What the rows came to so far.
    pub counts: Counts,
    /// How many people of them may be written to, once somebody else has approved of the file.
    #[serde(default)]
    pub attested: u64,
    /// Why nothing of the file is used: a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The same in words, with the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Progress {
    /// An import that begins.
    pub fn begin(file: &FileHash, rows: u64, now: Timestamp) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            file: file.as_str().to_owned(),
            stage: Stage::Running,
            started_at: now,
            brought_by: None,
            rows,
            next: Position::default(),
            parts: 0,
            counts: Counts::default(),
            attested: 0,
            fault: None,
            why: None,
        }
    }

    /// An import of which nothing is used.
    pub fn refuse(file: &FileHash, fault: super::FileFault, now: Timestamp) -> Self {
        Self {
            stage: Stage::Refused,
            fault: Some(fault.word().to_owned()),
            why: Some(fault.to_string()),
            ..Self::begin(file, 0, now)
        }
    }

    /// Where a file is put to be imported.
    pub fn file_key(file: &str) -> String {
        format!("files/{file}.csv")
    }

    /// Where this is stored, under the hash of its file.
    pub fn key(file: &str) -> String {
        format!("reports/{file}/import.json")
    }

    /// Where a part of the report is stored.
    pub fn part_key(file: &str, part: u32) -> String {
        format!("reports/{file}/rows-{part:05}.csv")
    }
}
