//! The ciphertext of a key: AES-256-GCM (NIST SP 800-38D) with a random nonce.
//!
//! ```text
//! version 1 | length of the key id | key id | nonce 12 | ciphertext | tag 16
//! └────────── header ─────────────────────┘
//! associated data = header, number of pairs, then per pair: length, name, length, value (pairs sorted by name)
//! ```
//!
//! Promises that a ciphertext opens under its own key, with its own context and unchanged in every byte, or not at all.
//! Deliberately does not look keys up.

use std::collections::BTreeMap;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};

/// Bytes of a key.
pub(super) const KEY: usize = 32;
const VERSION: u8 = 1;
const NONCE: usize = 12;

/// An encryption context. A `BTreeMap`, because the order in a request means nothing.
pub(super) type Context = BTreeMap<String, String>;

/// It cannot be sealed: no randomness, or a key of another size.
#[derive(Debug)]
pub(super) struct NotSealed;

/// It does not open; which byte, key or context is wrong cannot be known.
#[derive(Debug)]
pub(super) struct NotOpened;

/// Seals under a key and a context.
pub(super) fn seal(
    id: &str,
    material: &[u8],
    context: &Context,
    plaintext: &[u8],
) -> Result<Vec<u8>, NotSealed> {
    let mut out = vec![VERSION, u8::try_from(id.len()).map_err(|_long| NotSealed)?];
    out.extend_from_slice(id.as_bytes());
    let payload = Payload {
        msg: plaintext,
        aad: &associated(&out, context),
    };
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|_os| NotSealed)?;
    let sealed = Aes256Gcm::new_from_slice(material)
        .map_err(|_length| NotSealed)?
        .encrypt(&Nonce::from(nonce), payload)
        .map_err(|aes_gcm::Error| NotSealed)?;
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// The id of the key a ciphertext was sealed under. Not yet authenticated: [`open`] does that.
pub(super) fn key_id(ciphertext: &[u8]) -> Result<&str, NotOpened> {
    let (header, _) = split(ciphertext)?;
    let id = header.get(2..).unwrap_or_default();
    std::str::from_utf8(id).map_err(|_not_text| NotOpened)
}

/// Opens what was sealed under this key and this context.
pub(super) fn open(
    material: &[u8],
    context: &Context,
    ciphertext: &[u8],
) -> Result<Vec<u8>, NotOpened> {
    let (header, rest) = split(ciphertext)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(NotOpened)?;
    let payload = Payload {
        msg: sealed,
        aad: &associated(header, context),
    };
    Aes256Gcm::new_from_slice(material)
        .map_err(|_length| NotOpened)?
        .decrypt(&Nonce::from(*nonce), payload)
        .map_err(|aes_gcm::Error| NotOpened)
}

fn split(ciphertext: &[u8]) -> Result<(&[u8], &[u8]), NotOpened> {
    let [VERSION, length, ..] = ciphertext else {
        return Err(NotOpened);
    };
    ciphertext
        .split_at_checked(2 + usize::from(*length))
        .ok_or(NotOpened)
}

fn associated(header: &[u8], context: &Context) -> Vec<u8> {
    let mut out = header.to_vec();
    let number = |out: &mut Vec<u8>, n: usize| out.extend_from_slice(&(n as u64).to_be_bytes());
    number(&mut out, context.len());
    for text in context.iter().flat_map(|(name, value)| [name, value]) {
        number(&mut out, text.len());
        out.extend_from_slice(text.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "tests may fail loudly"
    )]
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::{Context, KEY, key_id, open, seal};

    fn context(pairs: &[(&str, &str)]) -> Context {
        let own = |text: &str| text.to_owned();
        pairs.iter().map(|(n, v)| (own(n), own(v))).collect()
    }

    #[test]
    fn a_ciphertext_made_by_another_library_opens() {
        // AESGCM of the Python package `cryptography` 48.0.0, by the layout above: key 00 01 .. 1f, nonce 64 65 .. 6f.
        let ciphertext = STANDARD
            .decode("AQNrLTFkZWZnaGlqa2xtbm8pO7oHDYh29VsbryVKEHcorHD+/OofMamZaw==")
            .unwrap();
        let material: Vec<u8> = (0..32).collect();
        let context = context(&[("headgate:deployment", "local"), ("day", "2026-11-22")]);
        assert_eq!(key_id(&ciphertext).unwrap(), "k-1");
        let opened = open(&material, &context, &ciphertext).unwrap();
        assert_eq!(opened, b"a data key");
    }

    #[test]
    fn a_ciphertext_opens_whole_and_under_its_own_key_and_context_only() {
        let material = [7; KEY];
        let own = context(&[("a", "bc"), ("d", "")]);
        let sealed = seal("k-1", &material, &own, b"plain").unwrap();
        let check = |material: &[u8], context: &Context, ciphertext: &[u8], opens: bool| {
            assert_eq!(open(material, context, ciphertext).is_ok(), opens);
        };
        check(&material, &own, &sealed, true);
        check(&[8; KEY], &own, &sealed, false);
        for other in [
            &[][..],
            &[("a", "bc")],
            &[("ab", "c"), ("d", "")],
            &[("a", "bcd"), ("", "")],
            &[("a", "bc"), ("d", ""), ("e", "")],
            &[("a", "BC"), ("d", "")],
        ] {
            check(&material, &context(other), &sealed, false);
        }
        for place in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[place] ^= 1;
            check(&material, &own, &bent, false);
            check(&material, &own, &sealed[..place], false);
        }
        assert!(key_id(&[]).is_err());
        assert!(key_id(&[1, 9, b'k']).is_err());
    }

    #[test]
    fn no_two_ciphertexts_are_alike() {
        let seal = || seal("k-1", &[7; KEY], &Context::new(), b"plain").unwrap();
        assert_ne!(seal(), seal());
    }
}
