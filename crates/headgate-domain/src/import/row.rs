//! One row: the fields of a person, each checked, or why the row asks nobody.

use headgate_redact::Personal;

use super::{Column, Reason, RowFault};
use crate::consent::{HEARD_BY_US, MAX_AHEAD_MS, METHODS, Topic};
use crate::identity::{InvalidPhone, Phone};
use crate::lane::Purpose;
use crate::time::{Day, Timestamp};

/// A notice is a paragraph, not a document.
const MAX_NOTICE_CHARS: usize = 4_096;
const MAX_REF_CHARS: usize = 64;
/// Each topic is asked for by itself.
const MAX_TOPICS: usize = 8;
const MAX_LOCALE_BYTES: usize = 35;
/// What a row that names no language is in, by BCP 47: undetermined.
const NO_LOCALE: &str = "und";

/// What may be asked of a person on the word of a file. Codes and answers need no form: the person
/// starts those.
const IMPORTED: [Purpose; 2] = [Purpose::Marketing, Purpose::Utility];

/// What a row asks of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose consent.
    pub phone: Phone,
    /// For what; each once.
    pub purposes: Vec<Purpose>,
    /// Which topics of them alone, each once; empty: all of them. Whether the configuration has them is not judged here.
    pub topics: Vec<Topic>,
    /// When they are said to have agreed.
    pub claimed_at: Timestamp,
    /// How they are said to have agreed.
    pub method: &'static str,
    /// The wording they are said to have seen.
    pub notice: Personal<String>,
    /// Its language.
    pub locale: String,
    /// The app's own key of the person.
    pub reference: Option<Personal<String>>,
    /// The business's record of the earlier yes.
    pub attestation: Option<Personal<String>>,
}

impl Request {
    /// What is asked for, one by one: each topic of each purpose, or each purpose as a whole.
    pub fn each(&self) -> impl Iterator<Item = (Purpose, Option<&Topic>)> {
        self.purposes.iter().flat_map(|purpose| {
            let whole = self.topics.is_empty().then_some(None);
            let topics = whole.into_iter().chain(self.topics.iter().map(Some));
            topics.map(|topic| (*purpose, topic))
        })
    }

    /// Whether the person may be written to about it, once somebody has approved of the file.
    pub fn is_attested(&self) -> bool {
        self.attestation.is_some() && self.purposes.contains(&Purpose::Marketing)
    }
}

/// A row of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line it begins on, counted from 1.
    pub line: u64,
    /// Which row it is below the header, counted from 1; blank ones do not count.
    pub number: u64,
    /// What it asks, or why it asks nothing.
    pub request: Result<Request, RowFault>,
}

/// The values of a row under their columns.
pub(super) struct Values<'a> {
    pub(super) columns: &'a [Column],
    pub(super) fields: &'a [&'a str],
}

impl Values<'_> {
    /// Checks every field; the first fault, in the order of the columns' documentation, is the row's.
    pub(super) fn request(&self, now: Timestamp) -> Result<Request, RowFault> {
        if self.fields.len() != self.columns.len() {
            return Err(RowFault::of(Reason::Fields));
        }
        Ok(Request {
            phone: phone(self.required(Column::Phone)?)?,
            purposes: purposes(self.required(Column::Purpose)?)?,
            topics: match self.optional(Column::Topics)? {
                Some(text) => topics(text)?,
                None => Vec::new(),
            },
            claimed_at: claimed_at(self.required(Column::ClaimedAt)?, now)?,
            method: method(self.required(Column::Method)?)?,
            notice: notice(self.required(Column::Notice)?)?,
            locale: match self.optional(Column::Locale)? {
                Some(text) => locale(text)?,
                None => NO_LOCALE.to_owned(),
            },
            reference: self.short(Column::Ref)?,
            attestation: self.short(Column::Attestation)?,
        })
    }

    fn short(&self, column: Column) -> Result<Option<Personal<String>>, RowFault> {
        match self.optional(column)? {
            Some(text) if text.chars().count() > MAX_REF_CHARS => {
                Err(RowFault::at(column, Reason::TooLong))
            }
            text => Ok(text.map(|text| Personal::new(text.to_owned()))),
        }
    }

    fn required(&self, column: Column) -> Result<&str, RowFault> {
        self.optional(column)?
            .ok_or(RowFault::at(column, Reason::Missing))
    }

    fn optional(&self, column: Column) -> Result<Option<&str>, RowFault> {
        let mut pairs = self.columns.iter().zip(self.fields);
        let found = pairs.find(|(named, _)| **named == column);
        let text = found.map_or("", |(_, text)| text.trim());
        // Nothing here evaluates anything, but the same texts go into other people's spreadsheets.
        let runs: &[char] = match column {
            Column::Phone => &['=', '-', '@'],
            Column::Purpose
            | Column::ClaimedAt
            | Column::Method
            | Column::Notice
            | Column::Locale
            | Column::Ref
            | Column::Topics
            | Column::Attestation => &['=', '+', '-', '@'],
        };
        if text.starts_with(runs) {
            return Err(RowFault::at(column, Reason::Formula));
        }
        Ok((!text.is_empty()).then_some(text))
    }
}

fn phone(text: &str) -> Result<Phone, RowFault> {
    Phone::parse(text).map_err(|invalid| {
        let reason = match invalid {
            InvalidPhone::NoCountryCode => Reason::PhoneNational,
            InvalidPhone::Character | InvalidPhone::UnknownCountry | InvalidPhone::NotPossible => {
                Reason::PhoneInvalid
            }
        };
        RowFault::at(Column::Phone, reason)
    })
}

fn purposes(text: &str) -> Result<Vec<Purpose>, RowFault> {
    let unknown = RowFault::at(Column::Purpose, Reason::Purpose);
    let mut purposes = Vec::with_capacity(IMPORTED.len());
    for word in text.split([' ', ',', ';']).filter(|word| !word.is_empty()) {
        let purpose = Purpose::from_word(&word.to_ascii_lowercase());
        purposes.push(purpose.filter(|p| IMPORTED.contains(p)).ok_or(unknown)?);
    }
    purposes.sort_unstable();
    purposes.dedup();
    if purposes.is_empty() {
        return Err(unknown);
    }
    Ok(purposes)
}

fn topics(text: &str) -> Result<Vec<Topic>, RowFault> {
    let unknown = RowFault::at(Column::Topics, Reason::Topics);
    let words = text.split([' ', ',', ';']).filter(|word| !word.is_empty());
    let mut topics = words
        .map(|word| Topic::parse(word).map_err(|_form| unknown))
        .collect::<Result<Vec<_>, _>>()?;
    topics.sort_unstable();
    topics.dedup();
    if topics.len() > MAX_TOPICS {
        return Err(unknown);
    }
    Ok(topics)
}

fn claimed_at(text: &str, now: Timestamp) -> Result<Timestamp, RowFault> {
    let day = Day::parse(text).map(Day::start);
    let at = day
        .or_else(|_not_a_day| Timestamp::parse(text))
        .map_err(|_neither| RowFault::at(Column::ClaimedAt, Reason::ClaimedAt))?;
    if at.millis_since(now) > MAX_AHEAD_MS {
        return Err(RowFault::at(Column::ClaimedAt, Reason::ClaimedAhead));
    }
    Ok(at)
}

/// What was said on a channel on which Headgate listens itself is known without a file.
fn method(text: &str) -> Result<&'static str, RowFault> {
    let word = text.to_ascii_lowercase();
    METHODS
        .into_iter()
        .find(|known| *known == word && !HEARD_BY_US.contains(known))
        .ok_or(RowFault::at(Column::Method, Reason::Method))
}

fn notice(text: &str) -> Result<Personal<String>, RowFault> {
    if text.chars().count() > MAX_NOTICE_CHARS {
        return Err(RowFault::at(Column::Notice, Reason::TooLong));
    }
    Ok(Personal::new(text.to_owned()))
}

fn locale(text: &str) -> Result<String, RowFault> {
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let is_tag = text.len() <= MAX_LOCALE_BYTES
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.split('-').all(is_part);
    if is_tag {
        Ok(text.to_owned())
    } else {
        Err(RowFault::at(Column::Locale, Reason::Locale))
    }
}
