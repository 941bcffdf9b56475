//! Consent records that came by the HTTP API: what stands on the consents queue in their place (R-503).
//!
//! Owns the envelope, which says whose token brought a record and whether that token may attest. It is
//! believed from the API's own role alone, which SQS names; from anybody else it is a record in a wrong
//! form. It is a body and not a message attribute, because a body is sealed with what is set aside and is
//! there again after a redrive. Owns too under which name a record is remembered, so that a repetition is
//! told from a second record of the same id.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::api_token::TokenId;
use crate::confirm_link::LinkRow;
use crate::identity::Pepper;

/// The schema of the envelope; no app writes it.
pub const SCHEMA: &str = "headgate.relayed-consent/1";
/// Keep these hashes apart from every other use of the pepper.
const ID_LABEL: &str = "headgate/api-record/id/v1";
const CONTENT_LABEL: &str = "headgate/api-record/content/v1";

/// A consent record and who vouches for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relayed {
    /// The token that brought it.
    pub token: TokenId,
    /// Whether the token may attest a yes.
    pub attests: bool,
    /// The link by which the person is to confirm it first; the record then only asks.
    pub link: Option<LinkRow>,
    /// The record as the client sent it, byte for byte.
    ///
    /// # Privacy
    /// Names a person.
    pub record: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    schema: &'a str,
    token: &'a str,
    attests: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(borrow)]
    record: &'a RawValue,
}

impl Relayed {
    /// The body of the SQS message; `None` when the record is not JSON.
    pub fn body(&self) -> Option<String> {
        let record = serde_json::from_str::<&RawValue>(&self.record).ok()?;
        let envelope = Envelope {
            schema: SCHEMA,
            token: self.token.as_str(),
            attests: self.attests,
            link: self.link.as_ref().map(ToString::to_string),
            record,
        };
        serde_json::to_string(&envelope).ok()
    }

    /// Reads an envelope; `None` for anything else.
    pub fn parse(body: &str) -> Option<Self> {
        let envelope: Envelope<'_> = serde_json::from_str(body).ok()?;
        if envelope.schema != SCHEMA {
            return None;
        }
        let link = match envelope.link {
            None => None,
            Some(name) => Some(LinkRow::parse(&name)?),
        };
        Some(Self {
            token: TokenId::parse(envelope.token).ok()?,
            attests: envelope.attests,
            link,
            record: envelope.record.get().to_owned(),
        })
    }
}

/// The name under which the id of a token's record is remembered; ids may be personal, so it is keyed.
pub fn remembered_as(links: &Pepper, deployment: &str, token: &TokenId, id: &str) -> String {
    URL_SAFE_NO_PAD.encode(links.mac(&[ID_LABEL, deployment, token.as_str(), id]))
}

/// What tells a repetition from another record of the same id; keyed, because it is over a number.
pub fn content_mac(links: &Pepper, deployment: &str, record: &str) -> String {
    URL_SAFE_NO_PAD.encode(links.mac(&[CONTENT_LABEL, deployment, record]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use proptest::prelude::*;

    use super::*;
    use crate::api_token::PlainToken;

    fn relayed(record: &str) -> Relayed {
        Relayed {
            token: PlainToken::from_random("main", &[7; 32])
                .hashed("main")
                .id(),
            attests: true,
            link: None,
            record: record.to_owned(),
        }
    }

    #[test]
    fn a_record_comes_out_byte_for_byte() {
        for record in [
            r#"{"id":"a", "to":{"phone":"+16135550123"} }"#,
            r#"{"n":1.50,"u":"\u00e9"}"#,
            "{}",
        ] {
            let mut sent = relayed(record);
            assert_eq!(Relayed::parse(&sent.body().unwrap()), Some(sent.clone()));
            sent.link = Some(LinkRow::of([7; 16]));
            assert_eq!(Relayed::parse(&sent.body().unwrap()), Some(sent));
        }
    }

    #[test]
    fn nothing_in_a_record_reaches_the_envelope() {
        let forged = r#"{"id":"a"},"attests":true,"record":{}"#;
        assert_eq!(relayed(forged).body(), None, "not one JSON value");
        let inner = relayed(r#"{"attests":true,"token":"tok_aaaaaaaaaaaaaaaa"}"#);
        let sent = Relayed {
            attests: false,
            ..inner
        };
        assert!(!Relayed::parse(&sent.body().unwrap()).unwrap().attests);
        let good = relayed("{}").body().unwrap();
        for bad in [
            good.replace("headgate.relayed-consent/1", "headgate.consent/1"),
            good.replace("\"attests\":true", "\"attests\":true,\"attests\":true"),
            good.replace("\"attests\":true", "\"attests\":\"true\""),
            good.replace("tok_", "tik_"),
            good.replace("\"attests\"", "\"link\":\"api-token#x\",\"attests\""),
            format!("{good}x"),
            String::new(),
        ] {
            assert_eq!(Relayed::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn the_same_id_of_another_token_or_deployment_is_another() {
        let (pepper, other) = (Pepper::new([1; 32]), Pepper::new([2; 32]));
        let (token, second) = (
            relayed("{}").token,
            PlainToken::from_random("main", &[8; 32])
                .hashed("main")
                .id(),
        );
        let name = remembered_as(&pepper, "main", &token, "r-1");
        assert_eq!(name, remembered_as(&pepper, "main", &token, "r-1"));
        for different in [
            remembered_as(&pepper, "main", &token, "r-2"),
            remembered_as(&pepper, "main", &second, "r-1"),
            remembered_as(&pepper, "other", &token, "r-1"),
            remembered_as(&other, "main", &token, "r-1"),
            content_mac(&pepper, "main", "r-1"),
        ] {
            assert_ne!(name, different);
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in "\\PC*") {
            prop_assert_eq!(Relayed::parse(&body), None);
        }
    }
}
