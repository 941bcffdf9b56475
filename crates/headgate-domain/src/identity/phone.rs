//! Telephone numbers.
//!
//! Owns parsing into one canonical E.164 text per number, because the pseudonym of a person is
//! computed from it: two spellings of one number must not become two people, or an opt-out under
//! one spelling would not be found under the other. It does not ask whether a number is in use.

use headgate_redact::Personal;
use phonenumber::Metadata;
use phonenumber::metadata::DATABASE;

/// E.164 allows fifteen digits; the shortest numbers in use have seven with the country code.
const MOST_DIGITS: usize = 15;

/// Written forms carry spaces and brackets; beyond this it is not a number.
const LONGEST_INPUT: usize = 64;

/// A telephone number in E.164 form, with its `+`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Phone(Personal<String>);

/// Why a text is not a telephone number. It never quotes the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidPhone {
    /// The country is never guessed.
    #[error("a telephone number starts with + and its country code")]
    NoCountryCode,
    /// Only digits, spaces, hyphens and round brackets may follow.
    #[error("a telephone number holds only digits, spaces, hyphens and brackets")]
    Character,
    /// No such country code.
    #[error("no country has this calling code")]
    UnknownCountry,
    /// No number of that country has this many digits.
    #[error("this is not a possible number of its country")]
    NotPossible,
}

impl Phone {
    /// Parses an international number; the text must name its country.
    ///
    /// Accepts what is *possible* by length: fictional ranges are possible and not valid, and a
    /// numbering plan changes faster than a library. See [`Phone::is_valid_number`].
    ///
    /// # Errors
    /// [`InvalidPhone`], which does not repeat the input.
    pub fn parse(text: &str) -> Result<Self, InvalidPhone> {
        if text.len() > LONGEST_INPUT {
            return Err(InvalidPhone::NotPossible);
        }
        let rest = text
            .trim()
            .strip_prefix('+')
            .ok_or(InvalidPhone::NoCountryCode)?;
        let mut digits = String::with_capacity(MOST_DIGITS);
        for character in rest.chars() {
            match character {
                '0'..='9' => digits.push(character),
                ' ' | '\u{a0}' | '-' | '(' | ')' => {}
                _ => return Err(InvalidPhone::Character),
            }
        }
        canonical(&digits)
    }

    /// Parses a number as Meta writes it: E.164 without the `+`.
    ///
    /// # Errors
    /// [`InvalidPhone`], which does not repeat the input.
    pub fn from_wa_id(wa_id: &str) -> Result<Self, InvalidPhone> {
        if wa_id.len() > LONGEST_INPUT {
            return Err(InvalidPhone::NotPossible);
        }
        if !wa_id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidPhone::Character);
        }
        canonical(wa_id)
    }

    /// The number in clear, with its `+`.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// Whether the numbering plan assigns this number. A warning at most, never a refusal.
    pub fn is_valid_number(&self) -> bool {
        phonenumber::parse(None, self.reveal()).is_ok_and(|number| number.is_valid())
    }

    /// The country the numbering plan gives the number to, as two capital letters. `None` for
    /// numbers of no one country and for those whose country is unclear.
    ///
    /// # Privacy
    /// It is derived from the number, but shared by millions.
    pub fn region(&self) -> Option<String> {
        let number = phonenumber::parse(None, self.reveal()).ok()?;
        Some(number.country().id()?.as_ref().to_owned())
    }

    /// The country calling code.
    pub fn calling_code(&self) -> u16 {
        self.reveal()
            .strip_prefix('+')
            .and_then(split)
            .map_or(0, |(code, _, _)| code)
    }
}

/// Brings the digits of an international number into the one form we keep.
fn canonical(digits: &str) -> Result<Phone, InvalidPhone> {
    if digits.len() > MOST_DIGITS {
        return Err(InvalidPhone::NotPossible);
    }
    let (code, national, plans) = split(digits).ok_or(InvalidPhone::UnknownCountry)?;
    let national = without_trunk_prefix(national, &plans);
    let national = one_spelling(code, national);
    // A second trunk prefix would come off the next time the number is read: two people out of one.
    let is_its_own_spelling = without_trunk_prefix(&national, &plans) == national;
    if !is_its_own_spelling || !is_possible(&national, &plans) {
        return Err(InvalidPhone::NotPossible);
    }
    Ok(Phone(Personal::new(format!("+{code}{national}"))))
}

/// Splits the country code off. Codes are prefix-free, so the first that exists is the one.
fn split(digits: &str) -> Option<(u16, &str, Vec<&'static Metadata>)> {
    (1..=3).find_map(|length| {
        let (code, national) = digits.split_at_checked(length)?;
        if code.starts_with('0') {
            return None;
        }
        let code: u16 = code.parse().ok()?;
        let plans = DATABASE.by_code(&code)?;
        (!plans.is_empty()).then_some((code, national, plans))
    })
}

/// Drops the `0` in `+44 (0) 7700 …`, where the country dials one at home and never from abroad.
fn without_trunk_prefix<'a>(national: &'a str, plans: &[&Metadata]) -> &'a str {
    plans
        .iter()
        .filter_map(|plan| plan.national_prefix())
        .filter(|prefix| prefix.starts_with('0'))
        .find_map(|prefix| national.strip_prefix(prefix))
        .unwrap_or(national)
}

/// Meta keeps some accounts under a number as it was written years ago. Both spellings reach
/// the same person, so both must have the same pseudonym.
fn one_spelling(code: u16, national: &str) -> String {
    match (code, national.len()) {
        // Mexico dropped the 1 before mobile numbers in August 2019.
        (52, 11) if national.starts_with('1') => national.chars().skip(1).collect(),
        // Brazil put a 9 before all mobile numbers (6 to 9) between 2012 and 2016.
        (55, 10) if national.chars().nth(2).is_some_and(|c| c >= '6') => {
            let (area, number) = national.split_at(2);
            format!("{area}9{number}")
        }
        _ => national.to_owned(),
    }
}

/// Whether any kind of number in the country has this many digits.
fn is_possible(national: &str, plans: &[&Metadata]) -> bool {
    let Ok(length) = u16::try_from(national.len()) else {
        return false;
    };
    plans.iter().any(|plan| {
        let kinds = plan.descriptors();
        [
            Some(kinds.general()),
            kinds.fixed_line(),
            kinds.mobile(),
            kinds.voip(),
            kinds.toll_free(),
            kinds.premium_rate(),
            kinds.shared_cost(),
            kinds.personal_number(),
            kinds.uan(),
            kinds.pager(),
        ]
        .into_iter()
        .flatten()
        .any(|kind| kind.possible_length().contains(&length))
    })
}
