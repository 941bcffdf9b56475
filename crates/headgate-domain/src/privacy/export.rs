//! The link to a copy of somebody's data, and the key the copy is sealed with.
//!
//! Both follow from the request's reference and the *links* pepper, so the link is made when the message with it is
//! written, and lies on no queue and in no table. What is stored is found by the hash of the link, and sealed by a key
//! that follows from the link: with the message and the copy gone, nobody opens it, we included.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::identity::{Pepper, base32};
use crate::sealing::{FieldKey, export_key};

/// Keeps these hashes apart from every other use of the pepper.
const LABEL: &str = "headgate/export-link/v1";
/// 120 bits: 24 letters, without a rest.
const BYTES: usize = 15;
const LETTERS: usize = 24;

/// The secret behind the link to a copy.
#[derive(Clone, PartialEq, Eq)]
pub struct ExportLink(String);

impl ExportLink {
    /// The link of a request, or of what a hold keeps.
    pub fn of(pepper_links: &Pepper, deployment: &str, id: &str) -> Self {
        let mac = pepper_links.mac(&[LABEL, deployment, id]);
        Self(base32(mac.get(..BYTES).unwrap_or_default()))
    }

    /// A text that may be one; anything of another shape is not.
    pub fn parse(text: &str) -> Option<Self> {
        let is_letter = |b: u8| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b);
        (text.len() == LETTERS && text.bytes().all(is_letter)).then(|| Self(text.to_owned()))
    }

    /// The text in the address.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the copy is found by.
    pub fn hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.0))
    }

    /// What the copy is sealed with.
    pub fn key(&self, deployment: &str) -> FieldKey {
        export_key(&self.0, deployment)
    }
}

impl core::fmt::Debug for ExportLink {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ExportLink(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn a_link_follows_from_the_request_and_says_nothing_of_it() {
        let request = "dsr_aaaaaaaaaaaaaaaaaaaa";
        let of = |byte, deployment| ExportLink::of(&Pepper::new([byte; 32]), deployment, request);
        let link = of(1, "main");
        assert_eq!(link.reveal(), of(1, "main").reveal());
        assert_ne!(link.reveal(), of(2, "main").reveal());
        assert_ne!(link.reveal(), of(1, "other").reveal());
        assert!(
            !link.hash().contains(link.reveal()) && !format!("{link:?}").contains(link.reveal())
        );
        assert_eq!(
            ExportLink::parse(link.reveal()).unwrap().hash(),
            link.hash()
        );
        for other in ["", "a", &"A".repeat(24), &"1".repeat(24), &"a".repeat(25)] {
            assert!(ExportLink::parse(other).is_none(), "{other}");
        }
    }
}
