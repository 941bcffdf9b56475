//! Opt-in codes: what turns a form that anybody can fill in into a yes of the person.
//!
//! The opt-in page shows a code, the person sends it from their own WhatsApp as `CONFIRM <code>`,
//! and only that message is the consent. Owns the code's form and how a person may misspell it.
//! A code is never stored, only its hash; whether it is known, used or expired is a lookup.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Fifty bits: with 72 hours' validity, one use and Meta in between, nobody guesses one.
const LENGTH: usize = 10;
/// Crockford's base32: no `I L O U`, so that a code read aloud or copied by hand survives.
const ALPHABET: [u8; 32] = *b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// What stands before the code in the person's message.
const WORD: &str = "CONFIRM";
/// The same, where the code is of a request about the person's own data.
const PRIVACY: &str = "PRIVACY";

/// Makes a code of ten characters from random bytes.
pub fn from_random(random: [u8; 7]) -> String {
    let bits = random
        .iter()
        .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    (0..LENGTH)
        .map(|place| {
            let shift = u32::try_from(place).unwrap_or_default().saturating_mul(5);
            let index = usize::try_from((bits >> shift) & 31).unwrap_or_default();
            char::from(ALPHABET.get(index).copied().unwrap_or(b'0'))
        })
        .collect()
}

/// The name a request is stored under: unpadded base64url of the SHA-256 of the code in upper case.
pub fn hash(code: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(code.trim().to_uppercase()))
}

/// The code in a person's message, in the form in which it was made; `None` when there is none.
///
/// Case, spaces and hyphens do not matter, `O` is read as 0 and `I` and `L` as 1.
pub fn find_in(text: &str) -> Option<String> {
    find_after(WORD, text)
}

/// The same, of a request about the person's own data: `PRIVACY <code>`.
pub fn find_privacy_in(text: &str) -> Option<String> {
    find_after(PRIVACY, text)
}

fn find_after(first: &str, text: &str) -> Option<String> {
    let upper = text.to_uppercase();
    let mut words = upper
        .split(|c: char| c.is_whitespace() || c == '-')
        .filter(|word| !word.is_empty());
    words.find(|word| word.trim_matches(|c: char| !c.is_alphanumeric()) == first)?;
    let mut code = String::with_capacity(LENGTH);
    for word in words {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        code.push_str(&word.chars().map(canonical).collect::<Option<String>>()?);
        if code.len() >= LENGTH {
            break;
        }
    }
    (code.len() == LENGTH).then_some(code)
}

fn canonical(character: char) -> Option<char> {
    let read = match character {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    u8::try_from(read)
        .ok()
        .filter(|byte| ALPHABET.contains(byte))
        .map(char::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_is_found_however_it_was_typed() {
        for text in [
            "CONFIRM 7K3QZ0M1XA",
            "confirm 7k3qz0m1xa",
            "  Confirm:  7K3QZ 0M1XA  ",
            "Hello! CONFIRM 7K3QZ-OMLXA.",
            "confirm\n7k3qzomixa thank you",
        ] {
            assert_eq!(find_in(text).as_deref(), Some("7K3QZ0M1XA"), "{text}");
        }
    }

    #[test]
    fn what_is_no_code_is_not_one() {
        for text in [
            "",
            "CONFIRM",
            "7K3QZ0M1XA",
            "CONFIRM 7K3QZ0M1X",
            "CONFIRM 7K3QZ0M1XA9",
            "CONFIRMED 7K3QZ0M1XA",
            "CONFIRM 7K3QZ0M1XU",
            "CONFIRM ７K3QZ0M1XA",
        ] {
            assert_eq!(find_in(text), None, "{text}");
        }
    }

    #[test]
    fn another_implementation_computes_the_same_hash() {
        // python3 -c "import base64,hashlib; print(base64.urlsafe_b64encode(hashlib.sha256(b'7K3QZ0M1XA').digest()))"
        let expected = "uSJEYIBKq8Ahtk4ZdgIh1pPtsgpUapRV1XAxxlAKm9Q";
        assert_eq!(hash("7K3QZ0M1XA"), expected);
        assert_eq!(hash(" 7k3qz0m1xa"), expected);
    }

    proptest! {
        #[test]
        fn a_code_that_was_made_is_found_again(random: [u8; 7], before in "[a-z ]{0,10}") {
            let code = from_random(random);
            prop_assert_eq!(code.len(), LENGTH);
            prop_assert_eq!(find_in(&format!("{before}, confirm {}", code.to_lowercase())), Some(code));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let code = find_in(&format!("CONFIRM {text}"));
            prop_assert!(code.is_none_or(|code| code.len() == LENGTH));
        }
    }
}
