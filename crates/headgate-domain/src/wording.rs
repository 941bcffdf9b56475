//! A text that people read, in one language or in several: configuration that is shown on a page.
//!
//! Owns the form (a text, or a table of language tags) and the choice among its languages. The
//! words of the pages themselves are not here: those are the locale files'.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A text for all languages, or one for each language tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Wording {
    /// Shown whatever language a person reads.
    One(String),
    /// By BCP 47 tag, such as `de` or `zh-Hant`.
    Each(BTreeMap<String, String>),
}

/// The language that is shown where the asked one is missing.
pub const FALLBACK: &str = "en";

impl Wording {
    /// The text in a language; the fallback's, or any, where there is none in it.
    pub fn of(&self, tag: &str) -> &str {
        match self {
            Self::One(text) => text,
            Self::Each(texts) => texts
                .get(tag)
                .or_else(|| texts.get(FALLBACK))
                .or_else(|| texts.values().next())
                .map_or("", String::as_str),
        }
    }

    /// What is wrong with it, in words that fit behind the place.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let blank = |text: &String| text.trim().is_empty();
        match self {
            Self::One(text) if blank(text) => Some("is empty"),
            Self::Each(texts) if texts.values().any(blank) => Some("has an empty text"),
            Self::Each(texts) if !texts.contains_key(FALLBACK) => {
                Some("has no text for en, which is shown where a language is missing")
            }
            Self::One(_) | Self::Each(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_language_falls_back_to_english() {
        let texts = [("en", "Hosting"), ("de", "Betrieb")].map(|(a, b)| (a.into(), b.into()));
        let each = Wording::Each(texts.into());
        assert_eq!(each.of("de"), "Betrieb");
        assert_eq!(each.of("pt"), "Hosting");
        assert_eq!(each.fault(), None);
        assert_eq!(Wording::One("Maple".into()).of("ar"), "Maple");
    }

    #[test]
    fn an_empty_text_and_a_missing_fallback_are_faults() {
        let german = Wording::Each([("de".to_owned(), "Betrieb".to_owned())].into());
        assert!(german.fault().is_some());
        assert!(Wording::One(" ".into()).fault().is_some());
        assert!(Wording::Each(BTreeMap::new()).fault().is_some());
    }
}
