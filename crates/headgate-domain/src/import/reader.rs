//! The file as it comes, in portions of any size: bytes in, one row out.
//!
//! Holds one row of at most [`MAX_ROW_BYTES`] and nothing of the rows before it. Between two rows it can
//! be left and taken up again at a [`Position`], by another process.

use serde::{Deserialize, Serialize};

use super::row::{Row, Values};
use super::{Column, FileFault, MAX_ROW_BYTES, MAX_ROWS};
use crate::time::Timestamp;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// What may stand between two fields: a spreadsheet of another country writes another one.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];
/// More fields than any file has columns; what is beyond is not kept, only that it is there.
const MAX_FIELDS: usize = 64;
/// The longest header: every column named, with room for what is to be refused.
const MAX_HEADER_BYTES: usize = 4_096;

/// A place between two rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Bytes of the file before it.
    pub offset: u64,
    /// Line breaks before it.
    pub lines: u64,
    /// Rows before it.
    pub rows: u64,
}

/// What came of a portion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How much of the portion was read; what is left is given again.
    pub used: usize,
    /// A row that ended in it.
    pub row: Option<Row>,
}

/// Reads a file of consents.
pub struct Reader {
    core: csv_core::Reader,
    header: Header,
    /// The values of the row in hand, one after the other, and where each ends.
    text: Box<[u8]>,
    ends: [usize; MAX_FIELDS],
    /// How much of both is filled.
    written: usize,
    fields: usize,
    /// Where the next byte stands.
    at: Position,
    /// The row in hand: where it began, and how many quotes it has.
    row: Option<Begun>,
}

enum Header {
    /// Its bytes, as far as they have come.
    Read(Vec<u8>),
    /// What it names.
    Known(Vec<Column>),
}

#[derive(Clone, Copy)]
struct Begun {
    at: Position,
    quotes: u64,
}

impl Begun {
    const fn line(self) -> u64 {
        self.at.lines.saturating_add(1)
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader at the beginning of a file.
    pub fn new() -> Self {
        Self {
            core: csv_core::Reader::new(),
            header: Header::Read(Vec::new()),
            text: vec![0; MAX_ROW_BYTES].into_boxed_slice(),
            ends: [0; MAX_FIELDS],
            written: 0,
            fields: 0,
            at: Position::default(),
            row: None,
        }
    }

    /// Where the row in hand begins, or the next one.
    pub fn position(&self) -> Position {
        self.row.map_or(self.at, |begun| begun.at)
    }

    /// Whether the header has been read.
    pub const fn knows_its_columns(&self) -> bool {
        matches!(self.header, Header::Known(_))
    }

    /// Goes to a place between two rows of the same file; the header must have been read.
    pub fn go_to(&mut self, position: Position) {
        self.core.reset();
        prime(&mut self.core);
        (self.written, self.fields, self.row) = (0, 0, None);
        self.at = position;
    }

    /// Reads a portion up to the end of the first row in it; an empty portion is the end of the file.
    ///
    /// # Errors
    /// [`FileFault`]: where rows begin and end is not certain, so nothing of the file may be used.
    pub fn read(&mut self, portion: &[u8], now: Timestamp) -> Result<Step, FileFault> {
        let mut used = 0_usize;
        loop {
            let rest = portion.get(used..).unwrap_or_default();
            if let Header::Read(_) = self.header {
                used = used.saturating_add(self.read_header(rest)?);
                if used == portion.len() && !portion.is_empty() {
                    return Ok(Step { used, row: None });
                }
                if portion.is_empty() {
                    return Err(FileFault::NoRows);
                }
                continue;
            }
            let (taken, row) = self.read_row(rest, now)?;
            used = used.saturating_add(taken);
            if row.is_some() || used == portion.len() {
                return Ok(Step { used, row });
            }
        }
    }

    /// Takes bytes up to the end of the header and reads it once it is whole.
    fn read_header(&mut self, portion: &[u8]) -> Result<usize, FileFault> {
        let Header::Read(line) = &mut self.header else {
            return Ok(0);
        };
        let end = portion
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'));
        let taken = end.map_or(portion.len(), |end| end.saturating_add(1));
        let text = portion.get(..end.unwrap_or(taken)).unwrap_or_default();
        if line.len().saturating_add(text.len()) > MAX_HEADER_BYTES {
            return Err(FileFault::RowTooLarge { line: 1 });
        }
        line.extend_from_slice(text);
        self.at.offset = self.at.offset.saturating_add(count(taken));
        if line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff") || line.contains(&0) {
            return Err(FileFault::Utf16);
        }
        if end.is_none() && !portion.is_empty() {
            return Ok(taken);
        }
        let newline = end.is_some_and(|end| portion.get(end) == Some(&b'\n'));
        let text = line.strip_prefix(BOM).unwrap_or(line);
        if text.iter().all(u8::is_ascii_whitespace) {
            if end.is_none() {
                return Err(FileFault::Empty);
            }
            // Blank lines before the header.
            line.clear();
        } else {
            let separator = separator(text);
            let columns = columns(text, separator)?;
            self.core = csv_core::ReaderBuilder::new().delimiter(separator).build();
            prime(&mut self.core);
            self.header = Header::Known(columns);
        }
        if newline {
            self.at.lines = self.at.lines.saturating_add(1);
        }
        Ok(taken)
    }

    /// Takes bytes up to the end of a row.
    fn read_row(
        &mut self,
        portion: &[u8],
        now: Timestamp,
    ) -> Result<(usize, Option<Row>), FileFault> {
        let Some(begun) = self.row else {
            let blank = portion.iter().take_while(|b| matches!(b, b'\n' | b'\r'));
            let blank = blank.count();
            self.pass(portion.get(..blank).unwrap_or_default());
            if portion.is_empty() && self.at.rows == 0 {
                return Err(FileFault::NoRows);
            }
            if blank < portion.len() {
                self.row = Some(Begun {
                    at: self.at,
                    quotes: 0,
                });
            }
            return Ok((blank, None));
        };
        let (result, taken, written, fields) = self.core.read_record(
            portion,
            self.text.get_mut(self.written..).unwrap_or_default(),
            self.ends.get_mut(self.fields..).unwrap_or_default(),
        );
        let bytes = portion.get(..taken).unwrap_or_default();
        self.pass(bytes);
        let quotes = begun.quotes.saturating_add(occurrences(bytes, b'"'));
        self.row = Some(Begun { quotes, ..begun });
        self.written = self.written.saturating_add(written);
        self.fields = self.fields.saturating_add(fields);
        match result {
            csv_core::ReadRecordResult::InputEmpty => Ok((taken, None)),
            csv_core::ReadRecordResult::OutputFull | csv_core::ReadRecordResult::OutputEndsFull => {
                Err(FileFault::RowTooLarge { line: begun.line() })
            }
            csv_core::ReadRecordResult::Record | csv_core::ReadRecordResult::End => {
                if quotes % 2 == 1 {
                    return Err(FileFault::Quoting { line: begun.line() });
                }
                Ok((taken, self.row_of(begun.line(), now)?))
            }
        }
    }

    /// The row that is whole now; `None` when there is nothing in it.
    fn row_of(&mut self, line: u64, now: Timestamp) -> Result<Option<Row>, FileFault> {
        let Header::Known(columns) = &self.header else {
            return Ok(None);
        };
        let text = self.text.get(..self.written).unwrap_or_default();
        let text = std::str::from_utf8(text).map_err(|_bytes| FileFault::Encoding { line })?;
        let mut fields = Vec::with_capacity(self.fields);
        let mut from = 0;
        for end in self.ends.iter().take(self.fields) {
            // Bytes of one character may have been torn apart by a separator: that is no UTF-8.
            fields.push(text.get(from..*end).ok_or(FileFault::Encoding { line })?);
            from = *end;
        }
        (self.written, self.fields, self.row) = (0, 0, None);
        if fields.iter().all(|field| field.trim().is_empty()) {
            return Ok(None);
        }
        if self.at.rows == MAX_ROWS {
            return Err(FileFault::TooManyRows);
        }
        self.at.rows = self.at.rows.saturating_add(1);
        let values = Values {
            columns,
            fields: &fields,
        };
        Ok(Some(Row {
            line,
            number: self.at.rows,
            request: values.request(now),
        }))
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.at.offset = self.at.offset.saturating_add(count(bytes.len()));
        self.at.lines = self.at.lines.saturating_add(occurrences(bytes, b'\n'));
    }
}

/// Takes a blank line ahead, without effect: of a reader that has read nothing the parser drops a byte
/// order mark, and would do so wherever a file is taken up again.
fn prime(core: &mut csv_core::Reader) {
    core.read_record(b"\n", &mut [0], &mut [0]);
}

/// The separator that the header has most of; a comma when it has none.
fn separator(header: &[u8]) -> u8 {
    let mut best = (b',', 0);
    for separator in SEPARATORS {
        let found = occurrences(header, separator);
        if found > best.1 {
            best = (separator, found);
        }
    }
    best.0
}

/// The columns a header names, in its order; case, spaces and hyphens do not matter.
fn columns(header: &[u8], separator: u8) -> Result<Vec<Column>, FileFault> {
    let text = std::str::from_utf8(header).map_err(|_bytes| FileFault::Encoding { line: 1 })?;
    let mut columns = Vec::new();
    for (index, name) in text.split(char::from(separator)).enumerate() {
        let name = name.trim();
        let bare = name.strip_prefix('"').and_then(|n| n.strip_suffix('"'));
        let word: String = bare
            .unwrap_or(name)
            .trim()
            .chars()
            .map(|c| match c {
                ' ' | '-' => '_',
                other => other.to_ascii_lowercase(),
            })
            .collect();
        let place = index.saturating_add(1);
        let known = Column::ALL.iter().find(|column| column.word() == word);
        let column = *known.ok_or(FileFault::UnknownColumn { place })?;
        if columns.contains(&column) {
            return Err(FileFault::DuplicateColumn(column));
        }
        columns.push(column);
    }
    let mut all = Column::ALL.iter().copied();
    match all.find(|column| column.is_required() && !columns.contains(column)) {
        Some(missing) => Err(FileFault::MissingColumn(missing)),
        None => Ok(columns),
    }
}

fn occurrences(bytes: &[u8], wanted: u8) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == wanted)).sum()
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
