//! How a verified body travels through our queue.
//!
//! Owns the three forms: raw while it fits and SQS may carry it, else compressed, else a pointer to
//! where the compressed bytes are stored ([`overflow`](crate::overflow)); a message attribute says
//! which. A body is never split: that would need parsing before it is durable.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_redact::LogSafe;

use crate::overflow::Packed;
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

/// The form a body has to take.
#[derive(Clone, PartialEq, Eq)]
pub enum Form {
    /// It fits a queue message.
    Queued(Encoded),
    /// It fits none: to be stored, and a pointer queued.
    Stored(Packed),
}

/// A body as it goes onto the queue, or a pointer to one.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The message body.
    pub text: String,
    /// The value of [`ENCODING_ATTRIBUTE`], when the body is not raw.
    pub encoding: Option<&'static str>,
}

/// Why a body can take no form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unencodable {
    /// More than [`LARGEST_BODY`]: nothing would take it back.
    #[error("the notification is larger than 4 MiB")]
    TooLarge,
    /// zstd gave up: there is no memory for it.
    #[error("the notification could not be compressed")]
    Compression,
}

/// Consists of texts of ours alone.
impl LogSafe for Unencodable {}

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
    /// Not a pointer as the webhook writes them.
    #[error("the queue message is not a pointer to a stored notification")]
    Pointer,
    /// What is stored has another size or hash than its pointer says.
    #[error("what is stored is not what the pointer was written for")]
    Replaced,
}

/// Consists of texts of ours alone.
impl LogSafe for Undecodable {}

/// Brings a body into the form in which it can be queued.
///
/// # Errors
/// [`Unencodable`].
pub fn encode(body: &VerifiedBody) -> Result<Form, Unencodable> {
    let bytes = body.bytes();
    if bytes.len() > LARGEST_BODY {
        return Err(Unencodable::TooLarge);
    }
    if bytes.len() <= LARGEST_MESSAGE
        && let Ok(text) = std::str::from_utf8(bytes)
        && !text.is_empty()
        && text.chars().all(sqs_carries)
    {
        return Ok(Form::Queued(Encoded {
            text: text.to_owned(),
            encoding: None,
        }));
    }
    // Level 3 is zstd's own default: 3 MB of JSON in some ten milliseconds.
    let packed = zstd::bulk::compress(bytes, 3).map_err(|_foreign| Unencodable::Compression)?;
    if base64::encoded_len(packed.len(), true).is_none_or(|length| length > LARGEST_MESSAGE) {
        return Ok(Form::Stored(Packed(packed)));
    }
    Ok(Form::Queued(Encoded {
        text: STANDARD.encode(packed),
        encoding: Some(COMPRESSED),
    }))
}

/// Takes a body back that is in the queue message itself; for a pointer see
/// [`Pointer`](crate::overflow::Pointer).
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
        Some(COMPRESSED) => {
            let packed = STANDARD
                .decode(text)
                .map_err(|_foreign| Undecodable::Damaged)?;
            unpack(&packed)?
        }
        Some(_other) => return Err(Undecodable::Encoding),
    };
    Ok(VerifiedBody::from_own_queue(bytes))
}

/// Unpacks a zstd frame, within bounds.
pub(crate) fn unpack(packed: &[u8]) -> Result<Vec<u8>, Undecodable> {
    let mut reader =
        zstd::stream::read::Decoder::new(packed).map_err(|_foreign| Undecodable::Damaged)?;
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
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]
    use super::*;

    fn body(bytes: impl Into<Vec<u8>>) -> VerifiedBody {
        VerifiedBody::from_own_queue(bytes.into())
    }

    fn there_and_back(bytes: &[u8]) -> Option<&'static str> {
        let Form::Queued(encoded) = encode(&body(bytes)).unwrap() else {
            panic!("it fits a queue message");
        };
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

    /// Bytes that do not compress: a linear congruential sequence needs no generator and has no
    /// pattern that zstd could find.
    pub(crate) fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state.to_be_bytes()[0]
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn what_fits_no_message_even_compressed_is_to_be_stored_and_what_is_too_large_is_refused() {
        for length in [LARGEST_MESSAGE, LARGEST_BODY] {
            let form = encode(&body(noise(length))).unwrap();
            assert!(matches!(form, Form::Stored(_)), "{length}");
        }
        // Three quarters of it fit, in base64.
        let form = encode(&body(noise(LARGEST_MESSAGE / 4 * 3 - 1024))).unwrap();
        assert!(matches!(form, Form::Queued(_)));
        let larger = encode(&body(vec![b'x'; LARGEST_BODY + 1]));
        assert_eq!(larger.err(), Some(Unencodable::TooLarge));
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = zstd::bulk::compress(&vec![0; LARGEST_BODY + 1], 19).unwrap();
        let outcome = decode(&STANDARD.encode(bomb), Some(COMPRESSED));
        assert_eq!(outcome.err(), Some(Undecodable::TooLarge));
    }

    #[test]
    fn foreign_forms_are_refused() {
        for encoding in ["gzip", crate::overflow::OVERFLOW] {
            assert_eq!(
                decode("{}", Some(encoding)).err(),
                Some(Undecodable::Encoding)
            );
        }
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
