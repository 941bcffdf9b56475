//! Ways into the chat that lead to a question: printed codes, and advertisements (docs/consent.md).
//!
//! Owns what an entry is, how a message is found to have come by one, and what an entry must be. Whether
//! anybody is asked is decided where the person is known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::check::place;
use super::{Config, InvalidConfig};
use crate::consent::{IMPORTED, NoticeId, Topic};
use crate::lane::Purpose;
use crate::outbound::is_label;
use crate::region::Country;
use crate::system::Locale;

/// How many characters a code has.
const CODE_LENGTH: usize = 6;
/// Meta's limit for the text above reply buttons is 1,024 characters; a sentence of ours is around it.
const LONGEST_NOTICE: usize = 800;
/// Each entry is looked at with every message.
const MAX_ENTRIES: usize = 64;

/// What kind of way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A code that people scan; it opens the chat with a text that holds `code`.
    Qr,
    /// An advertisement that opens the chat.
    Ad,
}

impl EntryKind {
    /// The method under which the ledger has it that somebody came this way.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Qr => "qr_scan",
            Self::Ad => "ctwa_ad",
        }
    }
}

/// A way into the chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What it is called in the evidence.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Of a code: the six characters in the text it opens the chat with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Of an advertisement: Meta's ids of the advertisements or posts; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Where the code hangs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The campaign it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// What people are asked to agree to.
    pub purpose: Purpose,
    /// Which topics of it alone; empty: all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<Topic>,
    /// The wording, by language; `en` is shown where a language is missing.
    pub notice: BTreeMap<String, String>,
}

impl Entry {
    /// The wording for somebody in a country, and its language.
    pub fn wording(&self, country: Option<Country>) -> (Locale, &str) {
        let spoken = Locale::of_person("", country);
        let locale = if self.notice.contains_key(spoken.tag()) {
            spoken
        } else {
            Locale::En
        };
        (locale, self.text(locale).unwrap_or_default())
    }

    /// The wording in a language.
    pub fn text(&self, locale: Locale) -> Option<&str> {
        self.notice.get(locale.tag()).map(String::as_str)
    }

    /// The wording in a language, if it still is the one of that id.
    pub fn text_of(&self, locale: Locale, notice: &NoticeId, controller: &str) -> Option<&str> {
        let text = self.text(locale)?;
        (NoticeId::of(text, locale.tag(), controller) == *notice).then_some(text)
    }
}

impl Config {
    /// The entry of a name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.consents
            .entries
            .iter()
            .find(|entry| entry.name == name)
    }

    /// The entry whose code a text holds, as a word of its own; the first word that is one counts.
    pub fn entry_in(&self, text: &str) -> Option<&Entry> {
        let entries = &self.consents.entries;
        if !entries.iter().any(|entry| entry.code.is_some()) {
            return None;
        }
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.len() == CODE_LENGTH)
            .find_map(|word| {
                let is_it = |code: &String| code.eq_ignore_ascii_case(word);
                entries
                    .iter()
                    .find(|entry| entry.code.as_ref().is_some_and(is_it))
            })
    }

    /// The entry of an advertisement; one that names it goes before one for any.
    pub fn entry_of_ad(&self, source_id: &str) -> Option<&Entry> {
        let ads = || {
            self.consents
                .entries
                .iter()
                .filter(|e| e.kind == EntryKind::Ad)
        };
        let named = ads().find(|entry| entry.sources.iter().any(|source| source == source_id));
        named.or_else(|| ads().find(|entry| entry.sources.is_empty()))
    }

    /// Refuses entries that would lead nowhere, or to a question that is no notice.
    pub(super) fn entries_lead_somewhere(&self) -> Result<(), InvalidConfig> {
        let entries = &self.consents.entries;
        if entries.len() > MAX_ENTRIES {
            return place(format!(
                "consents.entries: at most {MAX_ENTRIES} entries, each is looked at with every message"
            ));
        }
        for (i, entry) in entries.iter().enumerate() {
            if let Some(fault) = self.fault(entry) {
                return place(format!("consents.entries[{i}].{fault}"));
            }
            let before = || entries.iter().take(i);
            if before().any(|other| other.name == entry.name) {
                return place(format!("consents.entries[{i}].name appears twice"));
            }
            if entry.code.is_some() && before().any(|other| other.code == entry.code) {
                return place(format!("consents.entries[{i}].code appears twice"));
            }
            let is_same_ad = |other: &Entry| {
                other.kind == EntryKind::Ad
                    && entry.kind == EntryKind::Ad
                    && ((other.sources.is_empty() && entry.sources.is_empty())
                        || other
                            .sources
                            .iter()
                            .any(|source| entry.sources.contains(source)))
            };
            if before().any(is_same_ad) {
                return place(format!(
                    "consents.entries[{i}].sources: an entry before has the same advertisement, or is for any as well"
                ));
            }
        }
        Ok(())
    }

    /// What is wrong with an entry, from the field on.
    fn fault(&self, entry: &Entry) -> Option<String> {
        let labels = [
            ("name", Some(&entry.name)),
            ("location", entry.location.as_ref()),
            ("campaign", entry.campaign.as_ref()),
        ];
        for (field, label) in labels {
            if label.is_some_and(|label| !is_label(label)) {
                return Some(format!(
                    "{field}: expected 1 to 64 of A-Z a-z 0-9 . _ : - and nothing that looks like a telephone number: it is kept in clear"
                ));
            }
        }
        if entry.name == IMPORTED {
            return Some(format!("name: {IMPORTED} is the import's own"));
        }
        match (entry.kind, &entry.code) {
            (EntryKind::Qr, Some(code)) if is_code(code) && entry.sources.is_empty() => {}
            (EntryKind::Qr, Some(code)) if is_code(code) => {
                return Some("sources: belongs to an entry of kind ad".into());
            }
            (EntryKind::Qr, _) => {
                return Some("code: expected 6 of 0-9 A-Z without I, L, O and U, a letter and a digit among them, so that no ordinary word is one".into());
            }
            (EntryKind::Ad, Some(_)) => return Some("code: belongs to an entry of kind qr".into()),
            (EntryKind::Ad, None) => {}
        }
        let is_id =
            |id: &String| (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit());
        if !entry.sources.iter().all(is_id) {
            return Some(
                "sources: expected Meta's ids of advertisements or posts, digits only".into(),
            );
        }
        if !matches!(entry.purpose, Purpose::Utility | Purpose::Marketing) {
            return Some("purpose: expected utility or marketing".into());
        }
        let is_unknown = |topic: &&Topic| !self.consents.has_topic(entry.purpose, topic);
        if entry.topics.iter().any(|topic| is_unknown(&topic)) {
            return Some(
                "topics: names one that is not declared for the purpose under [[consents.topics]]"
                    .into(),
            );
        }
        self.fault_of_notice(&entry.notice)
    }

    fn fault_of_notice(&self, notice: &BTreeMap<String, String>) -> Option<String> {
        if !notice.contains_key(Locale::En.tag()) {
            return Some(
                "notice: has no text for en, which is shown where a language is missing".into(),
            );
        }
        for (tag, text) in notice {
            if !Locale::ALL.iter().any(|locale| locale.tag() == tag) {
                let known: Vec<&str> = Locale::ALL.iter().map(|locale| locale.tag()).collect();
                return Some(format!(
                    "notice.{tag}: expected one of the languages of the question around it: {}",
                    known.join(", ")
                ));
            }
            if !(1..=LONGEST_NOTICE).contains(&text.trim().chars().count()) {
                return Some(format!(
                    "notice.{tag}: expected 1 to {LONGEST_NOTICE} characters, for Meta allows 1024 above buttons"
                ));
            }
            if !text.contains(self.controller.name.trim()) {
                return Some(format!(
                    "notice.{tag}: does not name {}: Meta's opt-in policy requires the business name in every notice",
                    self.controller.name.trim()
                ));
            }
        }
        None
    }
}

/// Crockford's letters, as in the codes of the opt-in page.
fn is_code(code: &str) -> bool {
    code.len() == CODE_LENGTH
        && code
            .bytes()
            .all(|b| (b.is_ascii_digit() || b.is_ascii_uppercase()) && !b"ILOU".contains(&b))
        && code.bytes().any(|b| b.is_ascii_digit())
        && code.bytes().any(|b| b.is_ascii_uppercase())
}
