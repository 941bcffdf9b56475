//! The canary search: is anything personal readable where nothing personal may be? (invariant I4)
//!
//! Owns the forms a value can hide in: as it is and in other letters, escaped as in JSON, URL-encoded, in base64 of
//! either alphabet wherever it begins in a group, in hexadecimal, reversed, a number without its punctuation or by its
//! last six digits alone. What looks encoded is decoded and searched again, so a form inside a form is found too.
//! Promises to name where something was found and what kind of thing it was, never the thing itself.
//! What it deliberately does not do: undo encryption or compression. Sealed is what it is meant to be.

mod exceptions;
mod views;

use std::collections::{BTreeSet, HashMap};

pub use exceptions::{Exception, exception, is_named_exception};
use views::{decoded, without_punctuation};

/// Shorter forms would be found by chance.
const SHORTEST: usize = 6;
/// How many encodings may lie around a value: base64 of JSON with escapes, or base64 of base64.
const DEPTH: usize = 2;

/// What must not be found, in every form it could have.
#[derive(Default)]
pub struct Canary {
    /// What kinds of thing there are; forms name them by their place here.
    kinds: Vec<String>,
    /// By the first bytes of a form, in small letters: the forms that begin so.
    forms: HashMap<[u8; SHORTEST], Vec<Form>>,
    /// Which pairs of bytes any form begins with: most of a text is passed over by them.
    begins: Vec<bool>,
    /// Last six digits, which count only where they stand alone.
    sixes: HashMap<[u8; SHORTEST], usize>,
}

struct Form {
    bytes: Vec<u8>,
    kind: usize,
    /// A number is also looked for in texts without their punctuation.
    is_number: bool,
}

/// Something personal was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: String,
    /// What kind of thing, such as `phone`.
    pub kind: String,
}

impl Canary {
    /// Looks for a phone number from now on, with and without its plus sign.
    pub fn phone(&mut self, e164: &str) {
        self.number("phone", e164);
    }

    /// Looks for a business-scoped user id from now on.
    pub fn bsuid(&mut self, bsuid: &str) {
        self.user_id("user id", bsuid);
    }

    /// Looks for a name from now on.
    pub fn name(&mut self, name: &str) {
        self.text("name", name);
    }

    /// Looks for what somebody wrote from now on.
    pub fn body(&mut self, text: &str) {
        self.text("body", text);
    }

    /// Looks for a message id of Meta's from now on, and for the beginning every one of them has.
    pub fn wamid(&mut self, wamid: &str) {
        self.text("wamid", wamid);
        self.text("wamid", "wamid.");
    }

    /// Looks for a phone number, and calls it so.
    pub fn number(&mut self, kind: &str, e164: &str) {
        let kind = self.kind(kind);
        let digits: String = e164.chars().filter(char::is_ascii_digit).collect();
        self.add(&digits, kind, true);
        // Without the country code, as people of that country write it.
        if let Some(national) = digits.strip_prefix('1').filter(|n| n.len() == 10) {
            self.add(national, kind, true);
        }
        self.last_six(&digits, kind);
    }

    /// Looks for a business-scoped user id, and calls it so.
    pub fn user_id(&mut self, kind: &str, bsuid: &str) {
        let kind = self.kind(kind);
        self.add(bsuid, kind, false);
        if let Some((_, id)) = bsuid.rsplit_once('.') {
            self.add(id, kind, false);
            if id.bytes().all(|byte| byte.is_ascii_digit()) {
                self.last_six(id, kind);
            }
        }
    }

    /// Looks for a text, and calls it so.
    pub fn text(&mut self, kind: &str, text: &str) {
        let kind = self.kind(kind);
        self.add(text, kind, false);
    }

    fn kind(&mut self, kind: &str) -> usize {
        let known = self.kinds.iter().position(|known| known == kind);
        known.unwrap_or_else(|| {
            self.kinds.push(kind.to_owned());
            self.kinds.len() - 1
        })
    }

    fn add(&mut self, text: &str, kind: usize, is_number: bool) {
        let reversed: String = text.chars().rev().collect();
        for text in [text, &reversed] {
            // ASCII is compared in small letters; other scripts as they are and in both cases.
            for cased in [text.to_owned(), text.to_lowercase(), text.to_uppercase()] {
                self.form(cased.to_ascii_lowercase().into_bytes(), kind, is_number);
            }
        }
    }

    fn form(&mut self, bytes: Vec<u8>, kind: usize, is_number: bool) {
        let Some(start) = bytes.first_chunk::<SHORTEST>() else {
            return;
        };
        if self.begins.is_empty() {
            self.begins = vec![false; 1 << 16];
        }
        if let Some(begins) = self.begins.get_mut(pair(start)) {
            *begins = true;
        }
        let forms = self.forms.entry(*start).or_default();
        if !forms.iter().any(|known| known.bytes == bytes) {
            forms.push(Form {
                bytes,
                kind,
                is_number,
            });
        }
    }

    fn last_six(&mut self, digits: &str, kind: usize) {
        if let Some(six) = digits.as_bytes().last_chunk::<SHORTEST>() {
            self.sixes.insert(*six, kind);
        }
    }

    /// Searches texts, each with its place; one finding per place and kind.
    pub fn search<'a>(&self, texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Finding> {
        let mut found: BTreeSet<(String, usize)> = BTreeSet::new();
        for (place, text) in texts {
            let mut kinds = BTreeSet::new();
            self.look(text.as_bytes(), DEPTH, &mut kinds);
            found.extend(kinds.into_iter().map(|kind| (place.to_owned(), kind)));
        }
        found
            .into_iter()
            .map(|(place, kind)| Finding {
                place,
                kind: self.kinds.get(kind).cloned().unwrap_or_default(),
            })
            .collect()
    }

    /// Looks at a text, and at what it says when it is decoded.
    fn look(&self, text: &[u8], depth: usize, found: &mut BTreeSet<usize>) {
        let small = text.to_ascii_lowercase();
        found.extend(self.forms_in(&small).map(|form| form.kind));
        // 613-555-0123, (613) 555 0123 and 613.555.0123 are all the same number.
        let joined = without_punctuation(&small);
        if joined.len() != small.len() {
            let numbers = self.forms_in(&joined).filter(|form| form.is_number);
            found.extend(numbers.map(|form| form.kind));
        }
        found.extend(self.sixes_in(text));
        if let Some(depth) = depth.checked_sub(1) {
            for view in decoded(text, SHORTEST) {
                self.look(&view, depth, found);
            }
        }
    }

    fn forms_in<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = &'a Form> + 'a {
        text.windows(SHORTEST)
            .enumerate()
            .filter_map(|(at, window)| {
                if !self.begins.get(pair(window)).is_some_and(|begins| *begins) {
                    return None;
                }
                let start: [u8; SHORTEST] = window.try_into().ok()?;
                let rest = text.get(at..)?;
                let forms = self.forms.get(&start)?;
                forms.iter().find(|form| rest.starts_with(&form.bytes))
            })
    }

    /// Six digits of a longer run are a part of a time or a count; alone, or behind what masks the rest, they are
    /// a telling end.
    fn sixes_in<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let alone = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
        text.windows(SHORTEST)
            .enumerate()
            .filter_map(move |(at, window)| {
                if !window.first().is_some_and(u8::is_ascii_digit) {
                    return None;
                }
                let before = at.checked_sub(1).and_then(|before| text.get(before));
                let is_masked = before.is_some_and(|byte| b"xX".contains(byte));
                if !(alone(before) || is_masked) || !alone(text.get(at + SHORTEST)) {
                    return None;
                }
                let six: [u8; SHORTEST] = window.try_into().ok()?;
                self.sixes.get(&six).copied()
            })
    }
}

/// The number of the first two bytes.
fn pair(bytes: &[u8]) -> usize {
    match bytes {
        [first, second, ..] => usize::from(*first) << 8 | usize::from(*second),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    use super::*;

    fn canary() -> Canary {
        let mut canary = Canary::default();
        canary.phone("+16135550123");
        canary.bsuid("CA.7000000000000001");
        canary.name("Nadia Okafor");
        canary.name("歐陽靜怡");
        canary.name("Ñandú Ürün");
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

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("{byte:02x}")).collect()
    }

    fn percent(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02X}")).collect()
    }

    #[test]
    fn every_form_of_a_number_is_found() {
        for text in [
            "to +16135550123!",
            "16135550123",
            "613-555-0123",
            "+1 (613) 555-0123",
            "x6135550123x",
            "32105553161",
            "%2B16135550123",
            "***550123",
            "{\"last6\":\"550123\"}",
            "XXXXX550123",
        ] {
            assert_eq!(kinds(text), ["phone"], "{text}");
        }
        for before in ["", "a", "ab"] {
            let text = STANDARD_NO_PAD.encode(format!("{before}+16135550123zz"));
            assert_eq!(kinds(&text), ["phone"], "{text}");
            let text = URL_SAFE_NO_PAD.encode(format!("{before}16135550123"));
            assert_eq!(kinds(&text), ["phone"], "{text}");
        }
        assert_eq!(kinds(&hex("16135550123")), ["phone"]);
        assert_eq!(kinds(&hex("16135550123").to_uppercase()), ["phone"]);
    }

    #[test]
    fn names_bodies_ids_and_wamids_are_found_plain_escaped_and_encoded() {
        assert_eq!(kinds("by Nadia Okafor."), ["name"]);
        assert_eq!(kinds("by NADIA OKAFOR."), ["name"]);
        assert_eq!(kinds("rofakO aidaN"), ["name"]);
        assert_eq!(kinds("ñandú ürün ÑANDÚ ÜRÜN"), ["name"]);
        assert_eq!(kinds("怡靜陽歐"), ["name"]);
        assert_eq!(kinds(r"\u6b50\u967d\u975c\u6021"), ["name"]);
        assert_eq!(kinds("Nadia%20Okafor"), ["name"]);
        assert_eq!(kinds("Nadia+Okafor"), ["name"]);
        assert_eq!(kinds(r#"{"body":"my order \"7\" is late"}"#), ["body"]);
        assert_eq!(kinds("id 7000000000000001"), ["user id"]);
        assert_eq!(kinds("…000001"), ["user id"]);
        assert_eq!(kinds("wamid.somebody-elses"), ["wamid"]);
        for text in ["歐陽靜怡", "nadia okafor"] {
            for encoded in [percent(text), hex(text), STANDARD.encode(text)] {
                assert_eq!(kinds(&encoded), ["name"], "{encoded}");
            }
        }
        assert_eq!(
            kinds(&STANDARD_NO_PAD.encode("..my order \"7\" is late")),
            ["body"]
        );
    }

    #[test]
    fn a_form_inside_a_form_is_found() {
        let twice = STANDARD.encode(STANDARD.encode("Nadia Okafor is here"));
        assert_eq!(kinds(&twice), ["name"]);
        let escaped = STANDARD.encode(r#"{"body":"my order \"7\" is late"}"#);
        assert_eq!(kinds(&escaped), ["body"]);
        assert_eq!(kinds(&percent(&hex("Nadia Okafor"))), ["name"]);
        // What a wamid hides: the number of whom it was sent to.
        let inside = "HBgLMTYxMzU1NTAxMjMVAgARGBI3N0Ey";
        assert_eq!(kinds(inside), ["phone"]);
    }

    #[test]
    fn what_is_not_personal_is_not_found() {
        let text = "sub_abcdefghijklmnopqrstuvwxyz 106540352242922 +16135550100 msg_106540352242922.u.0.01ARZ3NDEKTSV4RRFFQ69G5FAV";
        assert_eq!(kinds(text), Vec::<String>::new());
        assert_eq!(kinds(r#"{"wamid":{"B":"AQEO"}}"#), Vec::<String>::new());
        // A time, a count and a name of a record that happen to hold the last six digits.
        for text in [
            "1795000550123",
            "550123456",
            "5501239",
            "01ARZ550123",
            "a550123",
        ] {
            assert_eq!(kinds(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_finding_names_the_place_and_never_the_thing() {
        let found = canary().search([("table messages/x", "+16135550123")]);
        assert_eq!(found.len(), 1);
        assert!(!format!("{found:?}").contains("613"));
    }
}
