//! Import: the file of earlier consents, and what may be read from a row of it.
//!
//! Owns the form of the file (docs/import.md), the reasons why it or a row of it is refused, and the code
//! of a row's link. Where rows begin and end is `csv-core`'s; [`Reader`] gives it bytes in any portions
//! and keeps one row at a time. It never quotes a value, evaluates nothing, and turns no row into a yes:
//! what a file claims is asked of the person.

mod link;
mod reader;
mod report;
mod row;

pub use link::{code, link};
pub use reader::{Position, Reader, Step};
pub use report::{COLUMNS, Counts, Outcome, Progress, Stage, line};
pub use row::{Request, Row};

use std::fmt::{self, Write as _};

use sha2::{Digest, Sha256};

use crate::time::{HOUR, Timestamp};

/// The longest row, in bytes, quotes not counted: a notice of 4,096 characters of four bytes, and the rest.
pub const MAX_ROW_BYTES: usize = 20 * 1024;
/// The most rows of a file.
pub const MAX_ROWS: u64 = 1_000_000;

/// How long a row's link waits for the person.
pub const LINK_LIFE_MS: i64 = 72 * HOUR;

/// How a request came about that an import made.
pub const METHOD: &str = "import";

/// The SHA-256 of a file in lower-case hexadecimal: what names it in every record about it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileHash(String);

impl FileHash {
    /// The hash behind a finished digest.
    pub fn of(digest: Sha256) -> Self {
        let mut text = String::with_capacity(64);
        for byte in digest.finalize() {
            // Writing to a text does not fail.
            write!(text, "{byte:02x}").unwrap_or_default();
        }
        Self(text)
    }

    /// Parses 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 64 && text.bytes().all(is_hex)).then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether what is asked for since then may be asked for again: its link has run out.
pub const fn has_run_out(asked_at: Timestamp, now: Timestamp) -> bool {
    now.millis_since(asked_at) >= LINK_LIFE_MS
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $($(#[$item:meta])* $variant:ident = $word:literal, $sentence:literal, $fix:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$item])* $variant,)* }

        impl $name {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word programs match on.
            pub const fn word(self) -> &'static str { match self { $(Self::$variant => $word,)* } }

            /// What it means, in one sentence.
            pub const fn sentence(self) -> &'static str { match self { $(Self::$variant => $sentence,)* } }

            /// What to do about it, in one sentence.
            pub const fn remedy(self) -> &'static str { match self { $(Self::$variant => $fix,)* } }
        }
    };
}

// Below the macro it uses.
mod approval;

pub use approval::{
    Left, Messages, NotApproved, ONCE_MS, Writing, approved, is_stopped, principal_of,
};

words! {
    /// A column of the file; the sentence says what it holds, the remedy what it must look like.
    Column:
    /// Whose consent.
    Phone = "phone", "The person's telephone number.", "Write it with + and country code, such as +1 613 555 0123.";
    /// For what.
    Purpose = "purpose", "What the person agreed to.", "Write marketing, utility or both with a space between.";
    /// When.
    ClaimedAt = "claimed_at", "When the person agreed.", "Write a day such as 2026-03-01 or a time such as 2026-03-01T09:30:00+01:00, not in the future.";
    /// How.
    Method = "method", "How the person agreed.", "Write one of the methods of docs/import.md, such as paper or web_checkbox.";
    /// The wording.
    Notice = "notice", "The wording the person agreed to.", "Write the wording itself, at most 4,096 characters.";
    /// The language of the wording.
    Locale = "locale", "The language of the wording; may be left out.", "Write a language tag such as en or zh-Hant, at most 35 characters.";
    /// The app's own key.
    Ref = "ref", "Your own key of the person; may be left out.", "Write at most 64 characters.";
    /// What within the purpose.
    Topics = "topics", "What within the purpose the person agreed to; empty: all of it.", "Write at most 8 topics of the configuration, such as offers, with a space between.";
    /// What proves the earlier yes.
    Attestation = "attestation", "Your record of the earlier yes, such as the number of a scan, a call or an order; may be left out.", "Write at most 64 characters.";
}

impl Column {
    /// Whether a file must have it, and every row a value in it.
    pub const fn is_required(self) -> bool {
        match self {
            Self::Phone | Self::Purpose | Self::ClaimedAt | Self::Method | Self::Notice => true,
            Self::Locale | Self::Ref | Self::Topics | Self::Attestation => false,
        }
    }
}

words! {
    /// Why a row asks nobody (closed list).
    Reason:
    /// More or fewer fields than the header.
    Fields = "fields", "The row has more or fewer fields than the header.", "Put text that holds the separator, a quote or a line break in quotes.";
    /// A value is missing.
    Missing = "missing", "The row has no value in a column that must have one.", "Fill it in, or leave the row out.";
    /// A spreadsheet would run it.
    Formula = "formula", "The value begins like a formula of a spreadsheet: with =, +, - or @.", "Export values instead of formulas, and begin texts with a letter.";
    /// No country.
    PhoneNational = "phone_national", "The telephone number names no country.", "Write it with + and country code, such as +1 613 555 0123; a spreadsheet drops the + unless the column is text.";
    /// Not a number.
    PhoneInvalid = "phone_invalid", "This is not a possible telephone number.", "Write it with + and country code, with nothing but digits, spaces, hyphens and brackets.";
    /// No such purpose.
    Purpose = "purpose", "The purpose is none that can be imported.", "Write marketing, utility or both with a space between.";
    /// No such topic.
    Topics = "topics", "A topic is none of the configuration's for this purpose.", "Write the names of topics as the configuration has them, at most 8, with a space between.";
    /// No such time.
    ClaimedAt = "claimed_at", "This is neither a day nor a time with its offset.", "Write a day such as 2026-03-01 or a time such as 2026-03-01T09:30:00+01:00.";
    /// From the future.
    ClaimedAhead = "claimed_ahead", "The person cannot have agreed in the future.", "Write when the person agreed.";
    /// No such method.
    Method = "method", "The method is none of the documented ones.", "Write one of the methods of docs/import.md, such as paper or web_checkbox.";
    /// No language tag.
    Locale = "locale", "This is not a language tag.", "Write a tag such as en or zh-Hant.";
    /// Longer than the column allows.
    TooLong = "too_long", "The value is longer than its column allows.", "Shorten it: a notice has at most 4,096 characters, a ref or an attestation 64.";
    /// The person said no, or was erased since.
    Suppressed = "suppressed", "The person has opted out, or wants nothing kept of what the row claims, and it stays so.", "Do not ask again: only the person can change this, by an act of their own.";
    /// The person said yes.
    AlreadyGiven = "already_given", "The person has said yes to this already, by an act of their own.", "Nothing: you may write.";
    /// The person is asked already.
    AlreadyRequested = "already_requested", "The person is asked already: by an earlier row, an earlier file or a form.", "Use the link of the earlier row; after 72 hours a new file may ask again.";
    /// Somebody else may have the number now.
    IdentityChanged = "identity_changed", "Somebody else may have this number now, so what was agreed to does not count.", "Ask the person by another channel.";
}

/// Why a row asks nobody, and by which of its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// Why.
    pub reason: Reason,
    /// The column at fault, when one is.
    pub column: Option<Column>,
}

impl RowFault {
    /// A reason that is no one column's.
    pub const fn of(reason: Reason) -> Self {
        Self {
            reason,
            column: None,
        }
    }

    /// A reason in a column.
    pub const fn at(column: Column, reason: Reason) -> Self {
        Self {
            reason,
            column: Some(column),
        }
    }
}

/// Why nothing of a file is used: what its rows are is not certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// Nothing in it.
    #[error(
        "the file is empty: its first line names the columns, such as phone,purpose,claimed_at,method,notice"
    )]
    Empty,
    /// Nothing below the header.
    #[error("the file has a header and no row below it")]
    NoRows,
    /// Two bytes a character.
    #[error("the file is UTF-16: save it as UTF-8 (in a spreadsheet: CSV UTF-8)")]
    Utf16,
    /// Some other encoding.
    #[error("line {line} is not UTF-8: save the file as UTF-8 (in a spreadsheet: CSV UTF-8)")]
    Encoding {
        /// Where its row begins.
        line: u64,
    },
    /// A column is not there.
    #[error("the header has no column {}: the first line must name it", .0.word())]
    MissingColumn(Column),
    /// A column is there twice.
    #[error("the header names the column {} twice", .0.word())]
    DuplicateColumn(Column),
    /// A column that nobody reads: it may be personal data that does not belong here.
    #[error(
        "column {place} of the header is none of phone, purpose, claimed_at, method, notice, locale, ref, topics, attestation: remove or rename it"
    )]
    UnknownColumn {
        /// Which one, counted from 1.
        place: usize,
    },
    /// A quote is open or stands alone.
    #[error(
        "the row that begins on line {line} has a quote that is not closed: put the whole field in quotes and double each quote inside it"
    )]
    Quoting {
        /// Where the row begins.
        line: u64,
    },
    /// A row above the bounds; what follows it is not read.
    #[error(
        "the row that begins on line {line} is larger than 20 KiB or has more than 64 fields: shorten it, or close a quote that was left open"
    )]
    RowTooLarge {
        /// Where the row begins.
        line: u64,
    },
    /// Too many rows.
    #[error("the file has more than 1,000,000 rows: split it")]
    TooManyRows,
}

impl FileFault {
    /// The word programs match on.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NoRows => "no_rows",
            Self::Utf16 => "utf16",
            Self::Encoding { .. } => "encoding",
            Self::MissingColumn(_) => "missing_column",
            Self::DuplicateColumn(_) => "duplicate_column",
            Self::UnknownColumn { .. } => "unknown_column",
            Self::Quoting { .. } => "quoting",
            Self::RowTooLarge { .. } => "row_too_large",
            Self::TooManyRows => "too_many_rows",
        }
    }
}

impl headgate_redact::LogSafe for FileFault {}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests;
