//! Bytes as Meta puts them on the wire: JSON escaped further than JSON asks, and the signature over it.
//!
//! A receiver that parses and serialises before verifying fails here, as it would in production.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;

/// Serialises `value` in ASCII only, `/` as `\/` and `@` as `\u0040`.
pub(crate) fn to_wire(value: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    Ok(escape(&serde_json::to_string(value)?))
}

/// All three can stand only inside JSON strings, so the whole text can be walked without parsing it.
fn escape(json: &str) -> Vec<u8> {
    let mut wire = Vec::with_capacity(json.len() + json.len() / 16);
    let mut plain_from = 0;
    for (at, letter) in json.char_indices() {
        if letter.is_ascii() && letter != '/' && letter != '@' {
            continue;
        }
        wire.extend_from_slice(json.as_bytes().get(plain_from..at).unwrap_or_default());
        plain_from = at + letter.len_utf8();
        if letter == '/' {
            wire.extend_from_slice(b"\\/");
            continue;
        }
        let mut units = [0_u16; 2];
        for unit in letter.encode_utf16(&mut units) {
            wire.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
        }
    }
    wire.extend_from_slice(json.as_bytes().get(plain_from..).unwrap_or_default());
    wire
}

/// The value of `X-Hub-Signature-256` for `body`.
pub(crate) fn signature(app_secret: &str, body: &[u8]) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes())?;
    mac.update(body);
    let mut text = String::from("sha256=");
    for byte in mac.finalize().into_bytes() {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
    Ok(text)
}

const HEX: [u8; 16] = *b"0123456789abcdef";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn the_wire_is_ascii_and_reads_back_the_same() {
        let value = serde_json::json!({"body": "a@b/c \\/ \"é\" 😀"});
        let wire = to_wire(&value).unwrap();
        assert!(wire.is_ascii());
        let text = String::from_utf8(wire).unwrap();
        assert!(
            text.contains(r"a\u0040b\/c")
                && text.contains(r"\u00e9")
                && text.contains(r"\ud83d\ude00")
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }

    #[test]
    fn the_signature_agrees_with_openssl() {
        // printf 'hello' | openssl dgst -sha256 -hmac key
        assert_eq!(
            signature("key", b"hello").unwrap(),
            "sha256=9307b3b915efb5171ff14d8cb55fbcc798c6c0ef1456d66ded1a6aa723a58b7b"
        );
    }
}
