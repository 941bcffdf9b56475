//! What it means that there was no answer.
//!
//! Owns the reading of the HTTP client's errors. Only what is known not to have been processed by
//! Meta is called that; after the first byte everything else is ambiguous (I6).

use std::error::Error as _;

use crate::outcome::{NotAccepted, Outcome, Unreachable};

pub(crate) fn read(error: &reqwest::Error) -> Outcome {
    let why = if error.is_connect() && error.is_timeout() {
        Unreachable::ConnectTimeout
    } else if error.is_connect() || error.is_builder() {
        Unreachable::Connect
    } else if refused_by_protocol(error) {
        Unreachable::Refused
    } else {
        return Outcome::ambiguous("connection_lost");
    };
    Outcome::NotAccepted(NotAccepted::Unreachable(why))
}

/// HTTP/2 says of two errors that the request was not processed: a stream refused, and one above
/// the last id of a goodbye (RFC 9113, 8.7). Only an orderly goodbye is believed: a far side that
/// stops because of an error of its own may be wrong about what it did. A stream within the last
/// id gets no such error; it is answered, or cut off with the connection.
fn refused_by_protocol(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(h2) = cause.downcast_ref::<h2::Error>() {
            let refused = h2.is_reset() && h2.reason() == Some(h2::Reason::REFUSED_STREAM);
            let goodbye = h2.is_go_away() && h2.reason() == Some(h2::Reason::NO_ERROR);
            return h2.is_remote() && (refused || goodbye);
        }
        source = cause.source();
    }
    false
}
