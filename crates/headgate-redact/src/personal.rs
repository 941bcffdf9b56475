//! Values that name a person.
//!
//! Owns the wrapper that keeps them out of logs, errors and serialised text by having no way in:
//! no `Display`, no `Serialize`, no `Deref`. It does not encrypt; sealing is another crate's.

use core::fmt;

/// A value that names a person or was written by one (R-304).
///
/// # Privacy
/// `Debug` prints a placeholder, so a derived `Debug` around it is safe. There is no `Display`:
///
/// ```compile_fail
/// let number = headgate_redact::Personal::new("+16135550100");
/// println!("{number}");
/// ```
///
/// and no way to serialise it by accident:
///
/// ```compile_fail
/// fn to_text<T: serde::Serialize>(_: &T) {}
/// to_text(&headgate_redact::Personal::new(String::from("+16135550100")));
/// ```
///
/// though what it holds could be (so the two refusals above are the wrapper's doing):
///
/// ```
/// fn to_text<T: serde::Serialize>(_: &T) {}
/// let number = headgate_redact::Personal::new(String::from("+16135550100"));
/// to_text(number.reveal());
/// println!("{}", number.reveal());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    /// Wraps a value; from here on it is seen only through [`Personal::reveal`].
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value in clear. Every call is a place where personal data leaves its wrapper.
    pub const fn reveal(&self) -> &T {
        &self.0
    }

    /// The value in clear, by move.
    pub fn into_revealed(self) -> T {
        self.0
    }

    /// Changes what is held without showing it.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Personal<U> {
        Personal(change(self.0))
    }
}

impl<T> From<T> for Personal<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Personal;

    #[test]
    fn a_derived_debug_around_it_shows_nothing() {
        #[derive(Debug)]
        struct Person {
            #[expect(dead_code, reason = "read by the derived Debug only")]
            number: Personal<&'static str>,
        }
        let person = Person {
            number: Personal::new("+16135550100"),
        };
        assert_eq!(format!("{person:?}"), "Person { number: Personal(…) }");
        assert!(!format!("{person:#?}").contains("613"));
    }

    #[test]
    fn what_went_in_comes_out_only_by_revealing() {
        let name = Personal::new(String::from("Ada"));
        assert_eq!(name.reveal(), "Ada");
        assert_eq!(name.clone().map(|name| name.len()).into_revealed(), 3);
        assert_eq!(name.into_revealed(), "Ada");
    }
}
