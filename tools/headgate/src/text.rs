//! Small texts of the command line: spans of time, words, random ids.

use std::time::Duration;

use anyhow::Result;
use headgate_domain::api_token::{MAX_NAME, Scope, is_name};

/// Reads `91d`, `12h`, `30m` or `45s`.
///
/// # Errors
/// A sentence with the forms that are understood.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || "write it as 91d, 12h, 30m or 45s".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return Err(wrong()),
    };
    let number: u64 = text
        .trim_end_matches(unit)
        .parse()
        .map_err(|_not_a_number| wrong())?;
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

/// Reads a word that may be shown to everybody: it can hold no number of a person, and no sentence.
///
/// # Errors
/// A sentence with what is allowed.
pub fn parse_word(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if text.is_empty() || text.len() > 40 || digits > 4 || !text.bytes().all(allowed) {
        return Err(
            "write one word of lower-case letters and underscores, such as abuse".to_owned(),
        );
    }
    Ok(text.to_owned())
}

/// Reads the scope of a token.
///
/// # Errors
/// A sentence with the scopes that exist.
pub fn parse_scope(text: &str) -> Result<Scope, String> {
    Scope::from_word(text).ok_or_else(|| {
        let all = Scope::ALL.map(Scope::word).join(" or ");
        format!("write {all}")
    })
}

/// Reads the name of a system that holds a token: it may be shown to everybody.
///
/// # Errors
/// A sentence with what is allowed.
pub fn parse_system_name(text: &str) -> Result<String, String> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "write up to {MAX_NAME} letters, digits, hyphens, dots or underscores with at most four digits, such as shop-eu"
    ))
}

/// A prefix and 16 random hexadecimal digits.
///
/// # Errors
/// When the system has no randomness to give.
pub fn random_id(prefix: &str) -> Result<String> {
    Ok(format!("{prefix}{}", random_hex::<8>()?))
}

/// Random bytes in hexadecimal.
///
/// # Errors
/// When the system has no randomness to give.
pub fn random_hex<const N: usize>() -> Result<String> {
    Ok(hex(&headgate_aws::random::<N>()?))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn spans_are_read_as_written() {
        assert_eq!(parse_span("91d"), Ok(Duration::from_secs(91 * 86_400)));
        assert_eq!(parse_span("12h"), Ok(Duration::from_secs(43_200)));
        assert_eq!(parse_span("45s"), Ok(Duration::from_secs(45)));
        for wrong in ["", "d", "91", "-1d", "1w", "9999999999999999999d"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_reason_is_one_word_that_names_nobody() {
        assert_eq!(
            parse_word("too_many_codes"),
            Ok("too_many_codes".to_owned())
        );
        for wrong in ["", "Abuse", "by alice", "x@example.org", "16135550123", "é"] {
            assert!(parse_word(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_random_ids_differ() {
        assert_ne!(random_id("cli-").unwrap(), random_id("cli-").unwrap());
        assert_eq!(random_id("cli-").unwrap().len(), 20);
    }
}
