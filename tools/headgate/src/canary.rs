//! The canary search: is anything personal readable where nothing personal may be? (invariant I4)
//!
//! Owns the forms a value can hide in: as it is, without the punctuation of phone numbers, as bare
//! digits, escaped as in JSON, and in base64 at each of the three alignments, in both alphabets.
//! Promises to name where something was found and what kind of thing it was, never the thing itself.
//! What it deliberately does not do: undo encryption or compression. Sealed is what it is meant to be.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter forms would be found by chance.
const SHORTEST: usize = 6;

/// What must not be found, in every form it could have.
#[derive(Default)]
pub struct Canary {
    /// By the first bytes of a form: the forms that begin so, and what kind of thing they are.
    forms: HashMap<[u8; SHORTEST], Vec<(Vec<u8>, &'static str)>>,
}

/// Something personal was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: String,
    /// What kind of thing, such as `phone in base64`.
    pub kind: String,
}

impl Canary {
    /// Looks for a phone number from now on, with and without its plus sign.
    pub fn phone(&mut self, e164: &str) {
        let digits: String = e164.chars().filter(char::is_ascii_digit).collect();
        self.add(&digits, "phone");
        // Without the country code, as people of that country write it.
        if let Some(national) = digits.strip_prefix('1').filter(|n| n.len() == 10) {
            self.add(national, "phone");
        }
        self.encoded(e164, "phone");
    }

    /// Looks for a business-scoped user id from now on.
    pub fn bsuid(&mut self, bsuid: &str) {
        self.add(bsuid, "user id");
        if let Some((_, digits)) = bsuid.split_once('.') {
            self.add(digits, "user id");
        }
    }

    /// Looks for a name from now on.
    pub fn name(&mut self, name: &str) {
        self.add(name, "name");
    }

    /// Looks for what somebody wrote from now on.
    pub fn body(&mut self, text: &str) {
        self.add(text, "body");
    }

    /// Looks for a message id of Meta's from now on, and for the beginning every one of them has.
    pub fn wamid(&mut self, wamid: &str) {
        self.add(wamid, "wamid");
        self.add("wamid.", "wamid");
    }

    fn add(&mut self, text: &str, kind: &'static str) {
        self.form(text.as_bytes(), kind);
        let escaped = serde_json::Value::from(text).to_string();
        self.form(escaped.trim_matches('"').as_bytes(), kind);
        self.encoded(text, kind);
    }

    /// Base64 of the text wherever it begins within a group of three bytes; what depends on its
    /// neighbours is left off.
    fn encoded(&mut self, text: &str, kind: &'static str) {
        for before in 0..3_usize {
            let mut bytes = vec![0_u8; before];
            bytes.extend_from_slice(text.as_bytes());
            let skip = [0, 2, 3].get(before).copied().unwrap_or(0);
            let whole = bytes.len() * 8 / 6;
            for encoded in [
                STANDARD_NO_PAD.encode(&bytes),
                URL_SAFE_NO_PAD.encode(&bytes),
            ] {
                if let Some(sure) = encoded.as_bytes().get(skip..whole) {
                    self.form(sure, kind);
                }
            }
        }
    }

    fn form(&mut self, form: &[u8], kind: &'static str) {
        let Some(start) = form.first_chunk::<SHORTEST>() else {
            return;
        };
        let forms = self.forms.entry(*start).or_default();
        if !forms.iter().any(|(known, _)| known == form) {
            forms.push((form.to_vec(), kind));
        }
    }

    /// Searches texts, each with its place; one finding per place and kind.
    pub fn search<'a>(&self, texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Finding> {
        let mut found: BTreeSet<(String, &'static str)> = BTreeSet::new();
        for (place, text) in texts {
            for kind in self.kinds(text.as_bytes()) {
                found.insert((place.to_owned(), kind));
            }
            // 613-555-0123, (613) 555 0123 and 613.555.0123 are all the same number.
            let joined: Vec<u8> = text.bytes().filter(|b| !b" -().+/".contains(b)).collect();
            if joined.len() != text.len() {
                for kind in self.kinds(&joined).filter(|k| *k == "phone") {
                    found.insert((place.to_owned(), kind));
                }
            }
        }
        found
            .into_iter()
            .map(|(place, kind)| Finding {
                place,
                kind: kind.to_owned(),
            })
            .collect()
    }

    fn kinds<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = &'static str> + 'a {
        text.windows(SHORTEST)
            .enumerate()
            .filter_map(|(at, window)| {
                let start: [u8; SHORTEST] = window.try_into().ok()?;
                let rest = text.get(at..)?;
                self.forms
                    .get(&start)?
                    .iter()
                    .find(|(form, _)| rest.starts_with(form))
                    .map(|(_, kind)| *kind)
            })
    }
}

/// Whether invariant I4 names this place as an exception: unread lane input, raw notifications on
/// their queue and in the overflow bucket, and `inbound.message` on its way to the app. Each is
/// short-lived and under a customer key. The name of an object is no exception.
pub fn is_named_exception(place: &str, text: &str) -> bool {
    if let Some(object) = place.strip_prefix("bucket ") {
        let mut words = object.split(' ');
        let bucket = words.next().and_then(|name| name.split_once('-'));
        return bucket.is_some_and(|(_deployment, name)| name.starts_with("overflow-"))
            && words.next() == Some("object");
    }
    let Some(queue) = place
        .strip_prefix("queue ")
        .and_then(|p| p.split(' ').next())
    else {
        return false;
    };
    let name = queue
        .split_once('-')
        .map_or(queue, |(_deployment, name)| name);
    match name {
        "authentication" | "service" | "utility" | "marketing" | "consents" | "notifications" => {
            true
        }
        "app-events" => text.contains(r#""type":"inbound.message""#),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    fn canary() -> Canary {
        let mut canary = Canary::default();
        canary.phone("+16135550123");
        canary.bsuid("CA.7000000000000001");
        canary.name("Nadia Okafor");
        canary.body("my order \"7\" is late");
        canary.wamid("wamid.HBgLMTYxMzU1NTAxMjMVAgARGBI=");
        canary
    }

    fn kinds(text: &str) -> Vec<String> {
        canary()
            .search([("here", text)])
            .into_iter()
            .map(|f| f.kind)
            .collect()
    }

    #[test]
    fn every_form_of_a_number_is_found() {
        for text in [
            "to +16135550123!",
            "16135550123",
            "613-555-0123",
            "+1 (613) 555-0123",
            "x6135550123x",
        ] {
            assert_eq!(kinds(text), ["phone"], "{text}");
        }
        for before in ["", "a", "ab"] {
            let text = STANDARD_NO_PAD.encode(format!("{before}+16135550123zz"));
            assert_eq!(kinds(&text), ["phone"], "{text}");
            let text = URL_SAFE_NO_PAD.encode(format!("{before}16135550123"));
            assert_eq!(kinds(&text), ["phone"], "{text}");
        }
    }

    #[test]
    fn names_bodies_ids_and_wamids_are_found_plain_escaped_and_encoded() {
        assert_eq!(kinds("by Nadia Okafor."), ["name"]);
        assert_eq!(kinds(r#"{"body":"my order \"7\" is late"}"#), ["body"]);
        assert_eq!(kinds("id 7000000000000001"), ["user id"]);
        assert_eq!(kinds("wamid.somebody-elses"), ["wamid"]);
        assert_eq!(
            kinds(&STANDARD_NO_PAD.encode("..my order \"7\" is late")),
            ["body"]
        );
    }

    #[test]
    fn what_is_not_personal_is_not_found() {
        let text = "sub_abcdefghijklmnopqrstuvwxyz 106540352242922 +16135550100 msg_106540352242922.u.0.01ARZ3NDEKTSV4RRFFQ69G5FAV";
        assert_eq!(kinds(text), Vec::<String>::new());
        assert_eq!(kinds(r#"{"wamid":{"B":"AQEO"}}"#), Vec::<String>::new());
    }

    #[test]
    fn a_finding_names_the_place_and_never_the_thing() {
        let found = canary().search([("table messages/x", "+16135550123")]);
        assert_eq!(found.len(), 1);
        assert!(!format!("{found:?}").contains("613"));
    }

    #[test]
    fn only_the_named_exceptions_are_excepted() {
        assert!(is_named_exception("queue headgate-marketing message 1", ""));
        assert!(is_named_exception(
            "queue headgate-notifications message 1",
            ""
        ));
        assert!(is_named_exception(
            "queue headgate-app-events message 1",
            r#"{"type":"inbound.message"}"#
        ));
        assert!(!is_named_exception(
            "queue headgate-app-events message 1",
            r#"{"type":"message.sent"}"#
        ));
        assert!(!is_named_exception(
            "queue headgate-notifications-dlq message 1",
            ""
        ));
        assert!(!is_named_exception("table headgate-messages/x", ""));
        let stored = "bucket headgate-overflow-123456789012";
        assert!(is_named_exception(&format!("{stored} object a/b"), ""));
        assert!(!is_named_exception(&format!("{stored} name"), "a/b"));
        assert!(!is_named_exception(
            "bucket headgate-other-1 object a/b",
            ""
        ));
    }
}
