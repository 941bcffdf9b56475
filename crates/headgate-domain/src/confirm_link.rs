//! Links to confirm: the token in the address, and what pressing the button may change.
//!
//! Owns the form, 54 bytes in 72 base64url characters: `version ‖ key ‖ expiry (4) ‖ jti (16) ‖ mac (32)`,
//! `mac = HMAC-SHA256(K, "headgate-doi" 00 ‖ version..jti ‖ 00 ‖ deployment)`. It names nobody and carries
//! nothing about anybody; what it is for stands in a row under the hash of its jti. Opening the link is
//! never a decision: only [`press`] is, and it is reached by a form that was sent. Stores nothing.
//!
//! A link that was sent proves that somebody has it, not whose number it is about: what a confirmation
//! counts for is docs/adr/0027.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headgate_redact::LogSafe;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use serde::{Deserialize, Serialize};

use crate::api_token::TokenId;
use crate::consent::{Consent, State};
use crate::identity::Pepper;
use crate::time::{HOUR, MINUTE, Timestamp};

/// How long a link may be used.
pub const LIFE_MS: i64 = 72 * HOUR;
/// Scanners open what they find within moments of a letter's arrival; people read it first.
pub const TOO_SOON_MS: i64 = 3 * MINUTE;
const VERSION: u8 = 1;
const KEY_ID: u8 = 1;
const LABEL: &[u8] = b"headgate-doi\0";
/// Derives the key; keeps it apart from the other uses of the links pepper.
const KEY_LABEL: &str = "headgate/confirm-link/key/v1";
/// Keeps the jtis apart from the tokens.
const JTI_LABEL: &[u8] = b"headgate-doi-jti\0";
/// The schema of what is queued when a link was pressed.
const PRESSED_SCHEMA: &str = "headgate.pressed-link/1";
/// Version, key, expiry, jti.
const HEAD: usize = 22;
const LENGTH: usize = HEAD + 32;
/// Programs that fetch a link to show what is behind it, or to look whether it is dangerous, by a part of
/// what they call themselves, in lower case. They get the page without the form.
const FETCHERS: [&str; 14] = [
    "whatsapp/",
    "facebookexternalhit",
    "facebot",
    "twitterbot",
    "telegrambot",
    "slackbot",
    "discordbot",
    "linkedinbot",
    "skypeuripreview",
    "bingpreview",
    "googlebot",
    "google-safety",
    "barracuda",
    "proofpoint",
];

/// The key behind the links of a deployment.
pub struct ConfirmKey(Pepper);

/// A token that this deployment made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConfirmToken {
    jti: [u8; 16],
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The text is no token of this deployment: forged, cut, or of another one. Nobody is told which.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the link was not made here")]
pub struct NotOurs;

/// A fixed text.
impl LogSafe for NotOurs {}

impl ConfirmKey {
    /// The key as it is, as another implementation may have it.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(Pepper::new(bytes))
    }

    /// The key that follows from the links pepper.
    pub fn of(links: &Pepper) -> Self {
        Self(Pepper::new(links.mac(&[KEY_LABEL])))
    }

    /// The jti of the link to a record that an API token brought: the same record, sent again, has the same
    /// link, and nobody without the key can tell which.
    pub fn jti(&self, deployment: &str, token: &TokenId, record: &str) -> [u8; 16] {
        let token = token.as_str().as_bytes();
        let parts = [
            JTI_LABEL,
            deployment.as_bytes(),
            b"\0",
            token,
            b"\0",
            record.as_bytes(),
        ];
        let mac = self.0.mac_of(&parts);
        mac.first_chunk().copied().unwrap_or_default()
    }

    /// Makes a token of a jti. Its expiry is kept in whole seconds.
    pub fn token(&self, deployment: &str, jti: [u8; 16], expires_at: Timestamp) -> String {
        let seconds = u32::try_from(expires_at.seconds().max(0)).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend([VERSION, KEY_ID]);
        bytes.extend(seconds.to_be_bytes());
        bytes.extend(jti);
        let mac = self.mac(deployment, &bytes);
        bytes.extend(mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Opens a token; whether its time is over is [`press`]'s to say.
    ///
    /// # Errors
    /// [`NotOurs`], which quotes nothing.
    ///
    /// # Security
    /// Compared in constant time, and before anything in it is read.
    pub fn open(&self, deployment: &str, text: &str) -> Result<ConfirmToken, NotOurs> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_quotes| NotOurs)?;
        let (head, mac) = bytes.split_at_checked(HEAD).ok_or(NotOurs)?;
        let is_ours = bool::from(self.mac(deployment, head).as_slice().ct_eq(mac));
        let [version, key, e0, e1, e2, e3, jti @ ..] = head else {
            return Err(NotOurs);
        };
        let jti = <[u8; 16]>::try_from(jti).map_err(|_length| NotOurs)?;
        if !is_ours || (*version, *key) != (VERSION, KEY_ID) {
            return Err(NotOurs);
        }
        let seconds = u32::from_be_bytes([*e0, *e1, *e2, *e3]);
        Ok(ConfirmToken {
            jti,
            expires_at: Timestamp::from_seconds(i64::from(seconds)),
        })
    }

    fn mac(&self, deployment: &str, head: &[u8]) -> [u8; 32] {
        self.0.mac_of(&[LABEL, head, b"\0", deployment.as_bytes()])
    }
}

/// The name of a link's row: a hash, so that a table that leaks opens no link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LinkRow(String);

impl LinkRow {
    /// The row of a jti.
    pub fn of(jti: [u8; 16]) -> Self {
        Self(format!(
            "doi#{}",
            URL_SAFE_NO_PAD.encode(Sha256::digest(jti))
        ))
    }

    /// Reads a name; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let hash = URL_SAFE_NO_PAD.decode(text.strip_prefix("doi#")?).ok()?;
        (hash.len() == 32).then(|| Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A hash.
impl LogSafe for LinkRow {}

impl std::fmt::Display for LinkRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl ConfirmToken {
    /// The row that says where the link stands.
    pub fn row(&self) -> LinkRow {
        LinkRow::of(self.jti)
    }
}

/// Whether a text may be a token, by its form alone: what anybody can say of it.
pub fn has_form(text: &str) -> bool {
    let is_ours = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() == LENGTH.div_ceil(3).saturating_mul(4) && text.as_bytes().iter().all(is_ours)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PressedRecord<'a> {
    schema: &'a str,
    link: &'a str,
}

/// What is queued when a link was pressed. It proves nothing: whoever reads it asks the row.
pub fn pressed_record(row: &LinkRow) -> String {
    serde_json::json!({ "schema": PRESSED_SCHEMA, "link": row.as_str() }).to_string()
}

/// The row that a queued record says was pressed; `None` for any other record.
pub fn pressed_row(body: &str) -> Option<LinkRow> {
    let record: PressedRecord<'_> = serde_json::from_str(body).ok()?;
    (record.schema == PRESSED_SCHEMA).then(|| LinkRow::parse(record.link))?
}

/// Whether the person has said no since it was attested that they agreed: then no link asks them, and one
/// that was sent before says nothing any more. In doubt, at the same moment, they have.
pub fn was_refused(consent: Option<&Consent>, attested_at: Timestamp) -> bool {
    consent.is_some_and(|consent| consent.state == State::Withdrawn && consent.at >= attested_at)
}

/// Where a link stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It waits to be pressed.
    Issued,
    /// It was, by the attempt of this name.
    Confirmed(String),
}

/// What pressing the button does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pressed {
    /// This attempt confirms, or did so before its answer was lost.
    Confirms,
    /// It was confirmed before; nothing changes.
    Already,
    /// Its time is over; nothing changes.
    Over,
    /// There is no such link; nothing changes.
    Gone,
}

/// What pressing the button of a link does. The row is read with the write that depends on it, and
/// `attempt` names that write, so that its own repetition does not look like somebody else's.
pub fn press(
    token: &ConfirmToken,
    standing: Option<&Standing>,
    attempt: &str,
    now: Timestamp,
) -> Pressed {
    match standing {
        None => Pressed::Gone,
        Some(Standing::Confirmed(by)) if by == attempt => Pressed::Confirms,
        Some(Standing::Confirmed(_)) => Pressed::Already,
        Some(Standing::Issued) if now >= token.expires_at => Pressed::Over,
        Some(Standing::Issued) => Pressed::Confirms,
    }
}

/// Whether a program fetches the page to show or to judge it; what it calls itself is only a hint, and
/// whoever hides it sees a form that changes nothing until it is sent.
pub fn is_fetcher(user_agent: Option<&str>) -> bool {
    let name = user_agent.unwrap_or_default().to_lowercase();
    name.is_empty() || FETCHERS.iter().any(|part| name.contains(part))
}

/// Whether whoever pressed may be a machine, so that nothing changes: it calls itself one, or came moments
/// after the link was made without what a browser sends of its own.
pub fn looks_automatic(
    user_agent: Option<&str>,
    is_same_origin: bool,
    issued_at: Timestamp,
    now: Timestamp,
) -> bool {
    is_fetcher(user_agent) || (!is_same_origin && now.millis_since(issued_at) < TOO_SOON_MS)
}

#[cfg(test)]
mod tests;
