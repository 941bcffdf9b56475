//! How a verified body travels through our queue.
//!
//! Owns the two forms: raw while it fits and SQS may carry it, else compressed, with a message
//! attribute that says so. A body is never split: that would need parsing before it is durable.
//! What does not fit even compressed is refused, and Meta keeps it for seven days.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_redact::LogSafe;

use crate::signature::VerifiedBody;

/// The message attribute that names the encoding; absent for a raw body.
pub const ENCODING_ATTRIBUTE: &str = "encoding";

/// The value for a compressed body.
pub const COMPRESSED: &str = "zstd+base64";

/// SQS carries 1 MiB, attributes and envelope included (AWS quotas, since 2025-08); the rest is
/// room for them.
pub const LARGEST_MESSAGE: usize = 900 * 1024;

/// Meta documents notifications of up to 3 MB; beyond this it is not one.
pub const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// A window of 8 MB: more than our bodies need, and a bound on what a frame can make us allocate.
const WINDOW_LOG: u32 = 23;

/// A body as it goes onto the queue.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The message body.
    pub text: String,
    /// The value of [`ENCODING_ATTRIBUTE`], when the body is not raw.
    pub encoding: Option<&'static str>,
}

/// The body does not fit a queue message even compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the notification does not fit a queue message even when compressed")]
pub struct TooLarge;

/// Consists of a text of ours.
impl LogSafe for TooLarge {}

/// Why a queue message is not a body of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Undecodable {
    /// An encoding nobody here writes.
    #[error("the queue message has an unknown encoding")]
    Encoding,
    /// Not base64 of a zstd frame.
    #[error("the queue message is not the compressed form it claims to be")]
    Damaged,
    /// More than [`LARGEST_BODY`] once unpacked.
    #[error("the queue message is larger than 4 MiB when unpacked")]
    TooLarge,
}

/// Consists of texts of ours alone.
impl LogSafe for Undecodable {}

/// Brings a body into the form in which it goes onto the queue.
///
/// # Errors
/// [`TooLarge`].
pub fn encode(body: &VerifiedBody) -> Result<Encoded, TooLarge> {
    let bytes = body.bytes();
    if bytes.len() <= LARGEST_MESSAGE
        && let Ok(text) = std::str::from_utf8(bytes)
        && !text.is_empty()
        && text.chars().all(sqs_carries)
    {
        return Ok(Encoded {
            text: text.to_owned(),
            encoding: None,
        });
    }
    // Level 3 is zstd's own default: 3 MB of JSON in some ten milliseconds.
    let packed = zstd::bulk::compress(bytes, 3).map_err(|_foreign| TooLarge)?;
    let text = STANDARD.encode(packed);
    if text.len() > LARGEST_MESSAGE {
        return Err(TooLarge);
    }
    Ok(Encoded {
        text,
        encoding: Some(COMPRESSED),
    })
}

/// Takes a body back from the queue.
///
/// # Security
/// Unpacking stops at [`LARGEST_BODY`]. For what makes the result verified see
/// [`VerifiedBody::from_own_queue`].
///
/// # Errors
/// [`Undecodable`].
pub fn decode(text: &str, encoding: Option<&str>) -> Result<VerifiedBody, Undecodable> {
    let bytes = match encoding {
        None => text.as_bytes().to_vec(),
        Some(COMPRESSED) => unpack(text)?,
        Some(_other) => return Err(Undecodable::Encoding),
    };
    Ok(VerifiedBody::from_own_queue(bytes))
}

fn unpack(text: &str) -> Result<Vec<u8>, Undecodable> {
    let packed = STANDARD
        .decode(text)
        .map_err(|_foreign| Undecodable::Damaged)?;
    let mut reader = zstd::stream::read::Decoder::new(packed.as_slice())
        .map_err(|_foreign| Undecodable::Damaged)?;
    reader
        .window_log_max(WINDOW_LOG)
        .map_err(|_foreign| Undecodable::Damaged)?;
    let one_too_many = u64::try_from(LARGEST_BODY)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut bytes = Vec::new();
    reader
        .take(one_too_many)
        .read_to_end(&mut bytes)
        .map_err(|_foreign| Undecodable::Damaged)?;
    if bytes.len() > LARGEST_BODY {
        return Err(Undecodable::TooLarge);
    }
    Ok(bytes)
}

/// The characters SQS accepts in a message (`SendMessage`, AWS API reference, read 2026-11).
const fn sqs_carries(character: char) -> bool {
    matches!(character,
        '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    fn body(bytes: impl Into<Vec<u8>>) -> VerifiedBody {
        VerifiedBody::from_own_queue(bytes.into())
    }

    fn there_and_back(bytes: &[u8]) -> Option<&'static str> {
        let encoded = encode(&body(bytes)).unwrap();
        assert!(encoded.text.len() <= LARGEST_MESSAGE && !encoded.text.is_empty());
        let back = decode(&encoded.text, encoded.encoding).unwrap();
        assert!(back.bytes() == bytes);
        encoded.encoding
    }

    #[test]
    fn a_body_comes_back_byte_for_byte() {
        assert_eq!(there_and_back("{\"a\":\"é\"}".as_bytes()), None);
        assert_eq!(there_and_back(&vec![b'x'; LARGEST_MESSAGE]), None);
        for odd in [&b"\xff\xfe"[..], b"a\0b", "\u{ffff}".as_bytes(), b""] {
            assert_eq!(there_and_back(odd), Some(COMPRESSED));
        }
        assert_eq!(there_and_back(&vec![b'x'; LARGEST_BODY]), Some(COMPRESSED));
    }

    #[test]
    fn what_cannot_be_compressed_enough_is_refused() {
        // A linear congruential sequence: no generator is needed to have no pattern for zstd.
        let mut state = 1_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        })
        .take(LARGEST_MESSAGE)
        .collect();
        assert_eq!(encode(&body(noise)).err(), Some(TooLarge));
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = zstd::bulk::compress(&vec![0; LARGEST_BODY + 1], 19).unwrap();
        let outcome = decode(&STANDARD.encode(bomb), Some(COMPRESSED));
        assert_eq!(outcome.err(), Some(Undecodable::TooLarge));
    }

    #[test]
    fn foreign_forms_are_refused() {
        assert_eq!(
            decode("{}", Some("gzip")).err(),
            Some(Undecodable::Encoding)
        );
        assert_eq!(
            decode("not base64!", Some(COMPRESSED)).err(),
            Some(Undecodable::Damaged)
        );
        assert_eq!(
            decode("AAAA", Some(COMPRESSED)).err(),
            Some(Undecodable::Damaged)
        );
    }
}
