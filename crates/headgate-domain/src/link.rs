//! Unsubscribe links: a token that opens one person's opt-out and nothing else.
//!
//! Owns the form, `<the subject's 26 characters>.<22 base64url characters>`: the second part is
//! 128 bits of HMAC-SHA256 under the *links* pepper, so that nobody who sees one link can make
//! another. A token names nobody without our tables, does not expire (a no must always be
//! possible) and can only ever withdraw. It does not know the address it is appended to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::identity::{Pepper, SubjectId};

/// Keeps these hashes apart from every other use of the pepper.
const LABEL: &str = "headgate/unsubscribe-link/v1";
/// 16 bytes of a hash, unpadded: more than anybody tries at a web address.
const TAG_BYTES: usize = 16;
const PREFIX: &str = "sub_";

/// The token of a person's unsubscribe link.
pub fn token(pepper_links: &Pepper, deployment: &str, subject: &SubjectId) -> String {
    let letters = subject.as_str().strip_prefix(PREFIX).unwrap_or_default();
    format!("{letters}.{}", tag(pepper_links, deployment, subject))
}

/// The person behind a token; `None` for anything this deployment did not make.
pub fn verify(pepper_links: &Pepper, deployment: &str, token: &str) -> Option<SubjectId> {
    let (letters, given) = token.split_once('.')?;
    let subject = SubjectId::parse(&format!("{PREFIX}{letters}")).ok()?;
    let expected = tag(pepper_links, deployment, &subject);
    bool::from(expected.as_bytes().ct_eq(given.as_bytes())).then_some(subject)
}

fn tag(pepper: &Pepper, deployment: &str, subject: &SubjectId) -> String {
    let mac = pepper.mac(&[LABEL, deployment, subject.as_str()]);
    URL_SAFE_NO_PAD.encode(mac.get(..TAG_BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::string_slice,
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "tests may fail loudly"
    )]
    use super::*;

    fn pepper(byte: u8) -> Pepper {
        Pepper::new([byte; 32])
    }

    fn subject(byte: u8) -> SubjectId {
        SubjectId::from_random([byte; 16])
    }

    #[test]
    fn a_token_leads_back_to_its_person() {
        let token = token(&pepper(1), "main", &subject(7));
        assert_eq!(token.len(), 26 + 1 + 22);
        assert_eq!(verify(&pepper(1), "main", &token), Some(subject(7)));
    }

    #[test]
    fn another_pepper_deployment_or_person_does_not_open() {
        let good = token(&pepper(1), "main", &subject(7));
        assert_eq!(verify(&pepper(2), "main", &good), None);
        assert_eq!(verify(&pepper(1), "other", &good), None);
        let (_letters, tag) = good.split_once('.').unwrap();
        let swapped = format!("{}.{tag}", &subject(8).as_str()[4..]);
        assert_eq!(verify(&pepper(1), "main", &swapped), None);
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let good = token(&pepper(1), "main", &subject(7));
        for index in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[index] = if bytes[index] == b'b' { b'c' } else { b'b' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(verify(&pepper(1), "main", &changed), None, "at {index}");
        }
    }

    #[test]
    fn what_is_cut_lengthened_or_something_else_does_not_open() {
        let good = token(&pepper(1), "main", &subject(7));
        let (letters, tag) = good.split_once('.').unwrap();
        for bad in [
            String::new(),
            ".".to_owned(),
            letters.to_owned(),
            format!("{letters}."),
            format!("{good}A"),
            format!("{good}."),
            format!("{letters}.{}", &tag[..21]),
            format!("sub_{good}"),
            good.to_ascii_uppercase(),
        ] {
            assert_eq!(verify(&pepper(1), "main", &bad), None);
        }
    }
}
