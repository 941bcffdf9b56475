//! The reader of answers, opened to its fuzz target; no other build has this module.

use http::StatusCode;

use crate::outcome::Outcome;

/// The outcome that an answer means; `None` when the number is no HTTP status.
pub fn read(status: u16, body: &[u8]) -> Option<Outcome> {
    let status = StatusCode::from_u16(status).ok()?;
    Some(crate::answer::read(status, body))
}
