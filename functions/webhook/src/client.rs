//! Who is calling, where mutual TLS is on: whose certificate it is (R-123).
//!
//! API Gateway has verified that the certificate is under an authority of the truststore; this
//! reads whom it names. Whoever else holds a certificate of that authority is not Meta. It does
//! not replace the signature, which is verified all the same.

use std::str::Chars;

use headgate_lambda::http::ClientSubject;
use headgate_redact::LogSafe;

/// Who may call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Callers {
    /// Anybody: mutual TLS is off, and the signature alone decides.
    Anybody,
    /// The owner of a certificate with this common name.
    Named(String),
}

/// The caller may go on: the request has no other way to the keys and the queue.
#[derive(Debug)]
pub(crate) struct Admitted(());

/// The caller may not go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NotAdmitted {
    /// The request came by another way than the domain with the truststore.
    #[error("the request carries no client certificate")]
    Absent,
    /// Not a distinguished name, or one with no common name or several.
    #[error("the client certificate has no common name that can be told")]
    Unreadable,
    /// Another common name.
    #[error("the client certificate is somebody else's")]
    Other,
}

/// Consists of texts of ours alone.
impl LogSafe for NotAdmitted {}

impl Callers {
    /// Admits who is named.
    ///
    /// # Errors
    /// [`NotAdmitted`].
    ///
    /// # Security
    /// The whole name is compared, character by character. What cannot be read is not admitted.
    pub(crate) fn admit(&self, subject: Option<&ClientSubject>) -> Result<Admitted, NotAdmitted> {
        let Self::Named(expected) = self else {
            return Ok(Admitted(()));
        };
        let ClientSubject(subject) = subject.ok_or(NotAdmitted::Absent)?;
        let name = common_name(subject).ok_or(NotAdmitted::Unreadable)?;
        if name == *expected {
            Ok(Admitted(()))
        } else {
            Err(NotAdmitted::Other)
        }
    }
}

/// The one common name of a distinguished name in the form of RFC 4514, quoted values of RFC 2253
/// included. With two of them nobody can say which one was meant, so that is none.
fn common_name(subject: &str) -> Option<String> {
    let mut text = subject.chars();
    let mut found = None;
    loop {
        let kind = attribute_type(&mut text)?;
        let (value, more) = attribute_value(&mut text)?;
        let is_name = kind.eq_ignore_ascii_case("CN") || kind == "2.5.4.3";
        if is_name && found.replace(value).is_some() {
            return None;
        }
        if !more {
            return found;
        }
    }
}

/// What stands before the `=`.
fn attribute_type(text: &mut Chars<'_>) -> Option<String> {
    let mut kind = String::new();
    loop {
        match text.next()? {
            '=' => break,
            // Some writers put a space after the comma and around the sign; within, it is no type.
            ' ' => kind.push(' '),
            c if c.is_ascii_alphanumeric() || c == '.' || c == '-' => kind.push(c),
            _ => return None,
        }
    }
    let kind = kind.trim();
    (!kind.is_empty() && !kind.contains(' ')).then(|| kind.to_owned())
}

/// What stands behind the `=`, and whether another attribute follows.
fn attribute_value(text: &mut Chars<'_>) -> Option<(String, bool)> {
    let mut value = String::new();
    loop {
        match text.next() {
            None => return Some((value, false)),
            Some(',' | '+') => return Some((value, true)),
            Some('\\') => value.push(escaped(text)?),
            Some('"') if value.is_empty() => return quoted(text),
            Some('"' | ';' | '<' | '>' | '\0') => return None,
            // A space that belongs to the value is escaped.
            Some(' ') if value.is_empty() => {}
            Some(c) => value.push(c),
        }
    }
}

/// A value in quotes, the first of them read already.
fn quoted(text: &mut Chars<'_>) -> Option<(String, bool)> {
    let mut value = String::new();
    loop {
        match text.next()? {
            '"' => break,
            '\\' => value.push(escaped(text)?),
            c => value.push(c),
        }
    }
    match text.next() {
        None => Some((value, false)),
        Some(',' | '+') => Some((value, true)),
        Some(_) => None,
    }
}

/// What a backslash stands before: a character, or a byte in hex. A byte that is not ASCII comes out
/// as some character that no expected name has.
fn escaped(text: &mut Chars<'_>) -> Option<char> {
    let first = text.next()?;
    let Some(high) = first.to_digit(16) else {
        return Some(first);
    };
    let low = text.next()?.to_digit(16)?;
    char::from_u32((high << 4) | low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(subject: &str, expected: Option<&str>) {
        assert_eq!(common_name(subject).as_deref(), expected, "{subject}");
    }

    #[test]
    fn the_common_name_is_found_wherever_it_stands() {
        check("CN=a.example", Some("a.example"));
        check("CN=a.example,O=b,C=CA", Some("a.example"));
        check("C=CA, O=b, CN=a.example", Some("a.example"));
        check("C = CA, cn = a.example", Some("a.example"));
        check("OU=x+CN=a.example,C=CA", Some("a.example"));
        check(r"O=Maple\, Inc.,CN=a.example", Some("a.example"));
        check(r#"O="Maple, Inc.",CN=a.example"#, Some("a.example"));
        check(r"CN=a\2Eexample", Some("a.example"));
        check("CN=", Some(""));
    }

    #[test]
    fn what_only_looks_like_a_common_name_is_none() {
        for subject in [
            "",
            "a.example",
            "O=a.example",
            "OU=CN=a.example",
            r"O=x\,CN=a.example",
            r#"O="x,CN=a.example""#,
            r"O=x\2CCN=a.example",
            r"O=x\+CN=a.example",
            "SCN=a.example",
            "C N=a.example",
            "=a.example",
        ] {
            check(subject, None);
        }
    }

    #[test]
    fn of_two_common_names_neither_counts() {
        check("CN=a.example,CN=a.example", None);
        check("CN=b.example,O=x,CN=a.example", None);
        check("CN=a.example,2.5.4.3=#0C016B", None);
    }

    #[test]
    fn what_does_not_end_as_a_name_ends_is_unreadable() {
        for subject in [
            "CN=a.example,",
            "CN=a.example+",
            r"CN=a.example\",
            r"CN=a.example\2",
            r#"CN="a.example"#,
            r#"CN="a.example"x"#,
            "CN=a.example;O=x",
            "CN=a.example,x",
            "CN=a.example\0",
            "/CN=a.example",
        ] {
            check(subject, None);
        }
    }
}
