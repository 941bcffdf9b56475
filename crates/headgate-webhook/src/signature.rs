//! The signature of a notification (R-122).
//!
//! Owns `X-Hub-Signature-256`: HMAC-SHA256 over the raw bytes of the body, keyed by the app secret
//! (developers.facebook.com, `WhatsApp` webhooks, read 2026-09-11). The result is a proof,
//! [`VerifiedBody`], and the parser takes nothing else. The signature covers no time, so a replay
//! verifies; what follows must not care (R-403). The older SHA-1 header is not read.

use headgate_redact::{LogSafe, Secret};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The header that carries the signature, in the lower case `http` uses.
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";

const PREFIX: &[u8] = b"sha256=";

/// The secret of the Meta app; whoever has it can forge notifications, and so consent.
#[derive(Debug)]
pub struct AppSecret(Secret<Vec<u8>>);

/// The secret is blank. An empty key would let anybody sign (I5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an app secret is blank")]
pub struct BlankSecret;

/// Says nothing about the secret.
impl LogSafe for BlankSecret {}

impl AppSecret {
    /// Takes a secret that is not blank.
    ///
    /// # Errors
    /// [`BlankSecret`].
    pub fn new(secret: impl Into<Vec<u8>>) -> Result<Self, BlankSecret> {
        let secret = Secret::new(secret.into());
        if secret.expose().iter().all(u8::is_ascii_whitespace) {
            return Err(BlankSecret);
        }
        Ok(Self(secret))
    }

    fn signed(&self, body: &[u8], signature: &[u8; 32]) -> bool {
        // HMAC takes keys of any length, so this never says no (RFC 2104).
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(self.0.expose()) else {
            return false;
        };
        mac.chain_update(body).verify_slice(signature).is_ok()
    }
}

/// Why a body is not from Meta. All reasons look the same outside (I10).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidSignature {
    /// No header.
    #[error("the signature is missing")]
    Missing,
    /// Not `sha256=` and 64 hexadecimal digits.
    #[error("the signature has not the form sha256= and 64 hexadecimal digits")]
    Malformed,
    /// No current or previous secret made it.
    #[error("the signature was made with another secret or for another body")]
    Mismatch,
}

/// Consists of texts of ours alone.
impl LogSafe for InvalidSignature {}

/// The bytes of a body that Meta signed.
///
/// # Security
/// The only way to the parser, and it cannot be made elsewhere:
///
/// ```compile_fail
/// let forged = headgate_webhook::signature::VerifiedBody(b"{}".to_vec());
/// ```
///
/// # Privacy
/// `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedBody(Vec<u8>);

impl VerifiedBody {
    /// Takes back the bytes that the webhook verified and put on our queue.
    ///
    /// # Security
    /// The queue's policy lets the webhook's role alone write to it, so what comes from it was
    /// verified. Bytes from anywhere else must go through [`verify`].
    pub const fn from_own_queue(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes as Meta sent them.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for VerifiedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifiedBody(…)")
    }
}

/// Checks a body against the signature in its header, under any of the secrets; there are two
/// while one replaces the other. No secret at all verifies nothing.
///
/// # Security
/// Raw bytes, before any parsing: a re-serialised body has another signature. Every secret is
/// tried, in constant time each, so that time tells nothing.
///
/// # Errors
/// [`InvalidSignature`].
pub fn verify(
    secrets: &[AppSecret],
    header: Option<&[u8]>,
    body: impl Into<Vec<u8>>,
) -> Result<VerifiedBody, InvalidSignature> {
    let signature = parse_header(header)?;
    let body = body.into();
    let verified = secrets
        .iter()
        .fold(false, |any, secret| secret.signed(&body, &signature) | any);
    if verified {
        Ok(VerifiedBody(body))
    } else {
        Err(InvalidSignature::Mismatch)
    }
}

/// Reads the header's form, so that a request without one can be turned away before its body is
/// touched.
///
/// # Errors
/// [`InvalidSignature::Missing`] or [`InvalidSignature::Malformed`].
pub fn parse_header(header: Option<&[u8]>) -> Result<[u8; 32], InvalidSignature> {
    let header = header.ok_or(InvalidSignature::Missing)?;
    let digits = header
        .strip_prefix(PREFIX)
        .ok_or(InvalidSignature::Malformed)?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut signature = [0_u8; 32];
    if pairs.len() != signature.len() || !rest.is_empty() {
        return Err(InvalidSignature::Malformed);
    }
    for (byte, [high, low]) in signature.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Ok(signature)
}

fn nibble(digit: u8) -> Result<u8, InvalidSignature> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
        .ok_or(InvalidSignature::Malformed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    // Made with `openssl dgst -sha256 -hmac`, so that test and code do not agree only with each
    // other. The body holds its escapes as six characters each, as Meta writes them.
    const BODY: &str = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messages":[{"text":{"body":"caf\u00e9 \u0040home"}}]}}]}]}"#;
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const SIGNATURE: &str = "9bb594f4e6032e13c5ad29e6edde14407e911a9738baad3dad29b74ef24f7156";
    const PREVIOUS: &str = "previous-app-secret";
    const BY_PREVIOUS: &str = "9b7d304f3deb79c8288c2ab68983a0235ea52e3ebd18fefa528b2a0a0e4358ac";
    const OF_NOTHING: &str = "796cd3078af14636753d26b3b5555422ff55a3e261cf847b48e95371b9bd0aa2";
    const BY_EMPTY_SECRET: &str =
        "8bdba311341ca4136770637a4dbca09d45a122ae46bc5007b87fe7c50ed5cc46";
    const SHA1: &str = "a087b913550da21a5aa03f487a043b245acac739";

    fn secrets(texts: &[&str]) -> Vec<AppSecret> {
        texts.iter().map(|s| AppSecret::new(*s).unwrap()).collect()
    }

    fn check(known: &[&str], header: &str, body: &str) -> Result<(), InvalidSignature> {
        verify(&secrets(known), Some(header.as_bytes()), body).map(|_proof| ())
    }

    fn sha256(hex: &str) -> String {
        format!("sha256={hex}")
    }

    #[test]
    fn a_body_signed_with_the_current_or_the_previous_secret_is_verified() {
        let both = [SECRET, PREVIOUS];
        assert_eq!(check(&both, &sha256(SIGNATURE), BODY), Ok(()));
        assert_eq!(check(&both, &sha256(BY_PREVIOUS), BODY), Ok(()));
        assert_eq!(check(&both, &sha256(OF_NOTHING), ""), Ok(()));
        let capitals = sha256(&SIGNATURE.to_uppercase());
        assert_eq!(check(&both, &capitals, BODY), Ok(()));
        let proof = verify(&secrets(&both), Some(sha256(SIGNATURE).as_bytes()), BODY).unwrap();
        assert_eq!(proof.bytes(), BODY.as_bytes());
    }

    #[test]
    fn a_re_serialised_body_is_another_body() {
        let value: serde_json::Value = serde_json::from_str(BODY).unwrap();
        let again = value.to_string();
        assert_ne!(again, BODY);
        let outcome = check(&[SECRET], &sha256(SIGNATURE), &again);
        assert_eq!(outcome, Err(InvalidSignature::Mismatch));
    }

    #[test]
    fn a_retired_secret_and_no_secret_verify_nothing() {
        let mismatch = Err(InvalidSignature::Mismatch);
        assert_eq!(check(&[SECRET], &sha256(BY_PREVIOUS), BODY), mismatch);
        assert_eq!(check(&[], &sha256(SIGNATURE), BODY), mismatch);
        assert_eq!(check(&[SECRET], &sha256(BY_EMPTY_SECRET), BODY), mismatch);
        assert_eq!(check(&[SECRET], &sha256(&"0".repeat(64)), BODY), mismatch);
    }

    #[test]
    fn a_blank_secret_is_refused_before_it_can_be_used() {
        for blank in ["", " ", "\n\t "] {
            assert!(AppSecret::new(blank).is_err());
        }
    }

    #[test]
    fn what_has_not_the_form_of_a_signature_is_refused() {
        let forms = [
            String::new(),
            "sha256=".to_owned(),
            SIGNATURE.to_owned(),
            format!("sha1={SHA1}"),
            format!("SHA256={SIGNATURE}"),
            format!("sha256 = {SIGNATURE}"),
            format!("sha256={SIGNATURE}0"),
            format!("sha256={SIGNATURE}00"),
            format!("sha256={}", SIGNATURE.replace('9', "g")),
            format!("sha256={}", SIGNATURE.replace("9b", "+b")),
            format!("sha256={SHA1}"),
        ];
        for form in forms {
            let outcome = check(&[SECRET], &form, BODY);
            assert_eq!(outcome, Err(InvalidSignature::Malformed), "{form}");
        }
        let none = verify(&secrets(&[SECRET]), None, BODY).map(|_proof| ());
        assert_eq!(none, Err(InvalidSignature::Missing));
    }
}
