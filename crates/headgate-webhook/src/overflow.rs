//! Where a body goes that fits no queue message, and what is queued in its place.
//!
//! Owns the name of the stored object, the pointer that is queued, and the check of what comes
//! back. Promises that nothing is unpacked, let alone parsed, before it is byte for byte what the
//! pointer was written for. The pointer comes by our own queue; what is stored is only believed
//! through it.

use std::fmt::Write as _;

use headgate_domain::time::Day;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::queue_body::{self, Encoded, LARGEST_BODY, Undecodable};
use crate::signature::VerifiedBody;

/// The value of [`queue_body::ENCODING_ATTRIBUTE`] for a pointer.
pub const OVERFLOW: &str = "overflow";

/// The largest object that is stored or read: what [`LARGEST_BODY`] can become in zstd, which adds
/// at most one byte in 256 to what does not compress.
pub const LARGEST_OBJECT: usize = LARGEST_BODY + LARGEST_BODY / 128;

/// The name of a stored object: the day, so that a person can see how old it is, and 128 random
/// bits, so that nobody can guess it.
///
/// # Privacy
/// Says nothing about what is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// The name made of a day and fresh random bytes.
    pub fn new(day: Day, random: [u8; 16]) -> Self {
        Self(format!("{day}/{}", hex(&random)))
    }

    /// Reads a name of exactly our form.
    pub fn parse(text: &str) -> Option<Self> {
        let (day, random) = text.split_once('/')?;
        // Parsed and written again: what the calendar reads more than one way is no name of ours.
        let same = Day::parse(day).ok()?.to_string() == day;
        (same && is_hex(random, 32)).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A compressed body that fits no queue message.
///
/// # Privacy
/// Holds the notification; there is no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Packed(pub(crate) Vec<u8>);

impl Packed {
    /// What is queued once the body is stored under a name.
    pub fn pointer(&self, key: &ObjectKey) -> Encoded {
        let written = Written {
            key: key.0.clone(),
            bytes: self.0.len(),
            sha256: hex(&Sha256::digest(&self.0)),
        };
        Encoded {
            // Three plain members always serialise.
            text: serde_json::to_string(&written).unwrap_or_default(),
            encoding: Some(OVERFLOW),
        }
    }

    /// The bytes to store.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The pointer as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    key: String,
    bytes: usize,
    sha256: String,
}

/// Where a body is stored, how large the object is and what its bytes hash to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pointer {
    key: ObjectKey,
    bytes: usize,
    sha256: String,
}

impl Pointer {
    /// Reads a pointer.
    ///
    /// # Errors
    /// [`Undecodable::Pointer`] for anything that [`Packed::pointer`] does not write.
    pub fn parse(text: &str) -> Result<Self, Undecodable> {
        let written: Written =
            serde_json::from_str(text).map_err(|_quotes_input| Undecodable::Pointer)?;
        let key = ObjectKey::parse(&written.key).ok_or(Undecodable::Pointer)?;
        if !(1..=LARGEST_OBJECT).contains(&written.bytes) || !is_hex(&written.sha256, 64) {
            return Err(Undecodable::Pointer);
        }
        Ok(Self {
            key,
            bytes: written.bytes,
            sha256: written.sha256,
        })
    }

    /// The name of the object.
    pub const fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// Takes a body back from what was stored.
    ///
    /// # Security
    /// The hash is in the pointer, and the pointer came by the queue that only the webhook writes:
    /// for what makes the result verified see [`VerifiedBody::from_own_queue`].
    ///
    /// # Errors
    /// [`Undecodable::Replaced`] when it is not what the pointer was written for.
    pub fn open(&self, stored: &[u8]) -> Result<VerifiedBody, Undecodable> {
        if stored.len() != self.bytes || hex(&Sha256::digest(stored)) != self.sha256 {
            return Err(Undecodable::Replaced);
        }
        queue_body::unpack(stored).map(VerifiedBody::from_own_queue)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text does not fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]
    use super::*;
    use crate::queue_body::tests::noise;
    use crate::queue_body::{Form, LARGEST_MESSAGE, encode};

    const KEY: &str = "2026-11-28/000102030405060708090a0b0c0d0e0f";

    fn key() -> ObjectKey {
        let random = std::array::from_fn(|i| u8::try_from(i).unwrap());
        ObjectKey::new(Day::parse("2026-11-28").unwrap(), random)
    }

    fn packed(bytes: &[u8]) -> Packed {
        match encode(&VerifiedBody::from_own_queue(bytes.to_vec())).unwrap() {
            Form::Stored(packed) => packed,
            Form::Queued(_) => panic!("it fits a queue message"),
        }
    }

    #[test]
    fn a_name_has_a_day_and_128_random_bits_and_no_other_form_is_one() {
        assert_eq!(key().as_str(), KEY);
        assert_eq!(ObjectKey::parse(KEY), Some(key()));
        for foreign in [
            "",
            "000102030405060708090a0b0c0d0e0f",
            "2026-11-28/000102030405060708090a0b0c0d0e",
            "2026-11-28/000102030405060708090A0B0C0D0E0F",
            "2026-11-31/000102030405060708090a0b0c0d0e0f",
            " 2026-11-28/000102030405060708090a0b0c0d0e0f",
            "2026-11-28/../102030405060708090a0b0c0d0e0f0",
            "2026-11-28/000102030405060708090a0b0c0d0e0f/",
            "/2026-11-28/000102030405060708090a0b0c0d0e0f",
        ] {
            assert_eq!(ObjectKey::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn what_was_stored_comes_back_byte_for_byte_through_its_pointer() {
        for length in [LARGEST_MESSAGE, 3 * 1024 * 1024, LARGEST_BODY] {
            let body = noise(length);
            let packed = packed(&body);
            let queued = packed.pointer(&key());
            assert_eq!(queued.encoding, Some(OVERFLOW));
            assert!(queued.text.len() < 200);
            let pointer = Pointer::parse(&queued.text).unwrap();
            assert_eq!(pointer.key(), &key());
            let stored = packed.into_bytes();
            assert!(stored.len() <= LARGEST_OBJECT);
            assert!(pointer.open(&stored).unwrap().bytes() == body);
        }
    }

    #[test]
    fn a_pointer_that_is_none_of_ours_is_not_followed() {
        let hash = "0".repeat(64);
        let good = format!(r#"{{"key":"{KEY}","bytes":1,"sha256":"{hash}"}}"#);
        assert!(Pointer::parse(&good).is_ok());
        for foreign in [
            "{}".to_owned(),
            good.replace(KEY, "2026-11-28/secrets"),
            good.replace(KEY, &format!("../{KEY}")),
            good.replace(":1,", ":0,"),
            good.replace(":1,", ":-1,"),
            good.replace(":1,", &format!(":{},", LARGEST_OBJECT + 1)),
            good.replace(&hash, &"G".repeat(64)),
            good.replace(&hash, "0"),
            good.replace("{\"key", "{\"bucket\":\"b\",\"key"),
            format!("{good} {good}"),
        ] {
            assert_eq!(
                Pointer::parse(&foreign),
                Err(Undecodable::Pointer),
                "{foreign}"
            );
        }
    }

    #[test]
    fn what_is_not_what_the_pointer_was_written_for_is_not_unpacked() {
        let one = packed(&noise(LARGEST_MESSAGE));
        let pointer = Pointer::parse(&one.pointer(&key()).text).unwrap();
        let stored = one.into_bytes();
        let mut changed = stored.clone();
        *changed.last_mut().unwrap() ^= 1;
        let longer = [stored.as_slice(), b"x"].concat();
        for other in [&b""[..], &changed, &longer] {
            assert_eq!(pointer.open(other).err(), Some(Undecodable::Replaced));
        }
        assert!(pointer.open(&stored).is_ok());
    }

    #[test]
    fn a_stored_bomb_is_not_unpacked() {
        let bomb = Packed(zstd::bulk::compress(&vec![0; LARGEST_BODY + 1], 19).unwrap());
        let pointer = Pointer::parse(&bomb.pointer(&key()).text).unwrap();
        let outcome = pointer.open(&bomb.into_bytes());
        assert_eq!(outcome.err(), Some(Undecodable::TooLarge));
    }
}
