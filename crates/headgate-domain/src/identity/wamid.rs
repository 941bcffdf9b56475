//! Meta's message ids.
//!
//! Owns one fact: a wamid is base64 text with the person's number inside, so it is treated as the
//! number is. It never looks into one.

use headgate_redact::Personal;

const PREFIX: &str = "wamid.";

/// Seen ones are under 100 characters; the room is for versions to come.
const LONGEST: usize = 512;

/// The id Meta gives a message, in either direction.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Wamid(Personal<String>);

/// The text has not the shape of a message id of Meta.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a WhatsApp message id starts with wamid. and has at most 512 printable characters")]
pub struct InvalidWamid;

impl Wamid {
    /// Checks the shape; the text is kept exactly as Meta wrote it.
    ///
    /// # Errors
    /// [`InvalidWamid`], which does not repeat the input.
    pub fn parse(text: &str) -> Result<Self, InvalidWamid> {
        let body = text.strip_prefix(PREFIX).ok_or(InvalidWamid)?;
        let is_one = !body.is_empty()
            && text.len() <= LONGEST
            && body.bytes().all(|byte| byte.is_ascii_graphic());
        is_one
            .then(|| Self(Personal::new(text.to_owned())))
            .ok_or(InvalidWamid)
    }

    /// The id in clear.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}
