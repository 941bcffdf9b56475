//! The handshake by which Meta checks a callback URL.
//!
//! Owns the answer to `GET …?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…`
//! (developers.facebook.com, create a webhook endpoint, read 2026-09-11). It proves to Meta that
//! we were expecting the question; it proves nothing about later notifications, which are
//! authenticated one by one.

use headgate_redact::{LogSafe, Secret};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

/// Meta's are ten digits. The documentation calls them both an int and a random string, so the
/// text is opaque; the room is for versions to come, not for a stranger's prose.
const LONGEST_CHALLENGE: usize = 256;

/// The token chosen when the callback URL was entered at Meta.
#[derive(Debug)]
pub struct VerifyToken(Secret<String>);

/// The token is blank. It would match a request without one (I5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a verify token is blank")]
pub struct BlankToken;

/// Says nothing about the token.
impl LogSafe for BlankToken {}

impl VerifyToken {
    /// Takes a token that is not blank.
    ///
    /// # Errors
    /// [`BlankToken`].
    pub fn new(token: impl Into<String>) -> Result<Self, BlankToken> {
        let token = Secret::new(token.into());
        if token.expose().trim().is_empty() {
            return Err(BlankToken);
        }
        Ok(Self(token))
    }
}

/// The question is not one to answer. One reason outside (I10).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HandshakeRefused {
    /// Not `hub.mode=subscribe`.
    #[error("the mode is not subscribe")]
    Mode,
    /// Neither the current nor the next token.
    #[error("the verify token is not one of ours")]
    Token,
    /// Missing, too long or not printable.
    #[error("the challenge is missing, too long or not printable")]
    Challenge,
}

/// Consists of texts of ours alone.
impl LogSafe for HandshakeRefused {}

/// The challenge to echo as plain text, when the query carries one of our tokens.
///
/// # Security
/// Digests of equal length are compared in constant time, all of them, so neither the length nor
/// the place of a difference shows. The challenge is echoed only to who knows a token, and only
/// as printable ASCII, so it cannot be made to carry a page.
///
/// # Errors
/// [`HandshakeRefused`].
pub fn answer(tokens: &[VerifyToken], query: &str) -> Result<String, HandshakeRefused> {
    let field = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _value)| key == name)
            .map(|(_key, value)| value.into_owned())
            .unwrap_or_default()
    };
    if field("hub.mode") != "subscribe" {
        return Err(HandshakeRefused::Mode);
    }
    let offered = Sha256::digest(field("hub.verify_token").as_bytes());
    let known = tokens.iter().fold(Choice::from(0), |any, token| {
        any | Sha256::digest(token.0.expose().as_bytes())
            .as_slice()
            .ct_eq(offered.as_slice())
    });
    if !bool::from(known) {
        return Err(HandshakeRefused::Token);
    }
    let challenge = field("hub.challenge");
    let printable = challenge.bytes().all(|byte| byte.is_ascii_graphic());
    if challenge.is_empty() || challenge.len() > LONGEST_CHALLENGE || !printable {
        return Err(HandshakeRefused::Challenge);
    }
    Ok(challenge)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    fn ask(query: &str) -> Result<String, HandshakeRefused> {
        let tokens = ["current token", "next"].map(|t| VerifyToken::new(t).unwrap());
        answer(&tokens, query)
    }

    #[test]
    fn either_token_is_answered_with_the_challenge_as_it_came() {
        let query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=next";
        assert_eq!(ask(query).as_deref(), Ok("1158201444"));
        let encoded = "hub.verify_token=current%20token&hub.challenge=a%2Bb&hub%2Emode=subscribe";
        assert_eq!(ask(encoded).as_deref(), Ok("a+b"));
    }

    #[test]
    fn a_wrong_a_missing_and_a_blank_token_are_refused_alike() {
        for token in [
            "&hub.verify_token=nex",
            "&hub.verify_token=next%00",
            "&hub.verify_token=",
            "",
        ] {
            let query = format!("hub.mode=subscribe&hub.challenge=1{token}");
            assert_eq!(ask(&query), Err(HandshakeRefused::Token), "{token}");
        }
        let query = "hub.mode=subscribe&hub.challenge=1&hub.verify_token=";
        assert_eq!(answer(&[], query), Err(HandshakeRefused::Token));
        assert!(VerifyToken::new(" \n").is_err());
    }

    #[test]
    fn only_a_subscription_is_a_handshake() {
        for mode in ["hub.mode=unsubscribe&", "hub.mode=&", ""] {
            let query = format!("{mode}hub.challenge=1&hub.verify_token=next");
            assert_eq!(ask(&query), Err(HandshakeRefused::Mode));
        }
    }

    #[test]
    fn a_challenge_is_short_and_printable_or_not_echoed() {
        for (challenge, echoed) in [
            ("x".repeat(256), true),
            ("x".repeat(257), false),
            ("a%0d%0ab".to_owned(), false),
            ("%C3%A9".to_owned(), false),
            (String::new(), false),
        ] {
            let query =
                format!("hub.mode=subscribe&hub.verify_token=next&hub.challenge={challenge}");
            assert_eq!(ask(&query).is_ok(), echoed, "{challenge}");
        }
    }
}
