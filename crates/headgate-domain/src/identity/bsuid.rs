//! Business-scoped user ids.
//!
//! Owns the shape Meta gives them (`BR.…`, `US.ENT.…`; developers.facebook.com, seen 2026-09). It
//! promises nothing about who is behind one: the id changes with the person's number.

use headgate_redact::Personal;

/// Meta's limit on the part after the country, in characters.
const LONGEST_BODY: usize = 128;

/// A person as one business portfolio sees them, when Meta does not give the number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Bsuid(Personal<String>);

/// The text has not the shape of a business-scoped user id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a business-scoped user id is a country code, a dot and 1 to 128 letters or digits")]
pub struct InvalidBsuid;

impl Bsuid {
    /// Checks the shape; the text is kept exactly as Meta wrote it.
    ///
    /// # Errors
    /// [`InvalidBsuid`], which does not repeat the input.
    pub fn parse(text: &str) -> Result<Self, InvalidBsuid> {
        let (country, rest) = text.split_once('.').ok_or(InvalidBsuid)?;
        let body = rest.strip_prefix("ENT.").unwrap_or(rest);
        let country_is_one = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
        let body_is_one = (1..=LONGEST_BODY).contains(&body.len())
            && body.bytes().all(|b| b.is_ascii_alphanumeric());
        if country_is_one && body_is_one {
            Ok(Self(Personal::new(text.to_owned())))
        } else {
            Err(InvalidBsuid)
        }
    }

    /// The id in clear.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// The two letters before the dot: the country of the person's number.
    pub fn country(&self) -> Option<&str> {
        self.reveal().get(..2)
    }

    /// Whether it is the id of an enrolled group of portfolios rather than of one.
    pub fn is_parent(&self) -> bool {
        self.reveal()
            .get(2..)
            .is_some_and(|rest| rest.starts_with(".ENT."))
    }
}
