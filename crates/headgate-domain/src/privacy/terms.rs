//! What whoever gets a copy of their data is told beside it (GDPR 15(1)): what the data is used for and why, how long
//! what is kept, what they can do, and where they can complain.
//!
//! The sentences are those of the public privacy page (config/locales, `[privacy]`), compiled in, so that the file says
//! what the page says.

use serde::{Deserialize, Serialize};

use crate::retention::plan;
use crate::system::Locale;

/// A use of the data, and its ground.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedFor {
    /// What for.
    pub what: String,
    /// Why that may be.
    pub why: String,
}

/// A kind of data, and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFor {
    /// What is kept.
    pub what: String,
    /// For how long.
    pub how_long: String,
}

/// What a person is told beside the copy, in their language.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Terms {
    /// What the data is used for.
    pub purposes: Vec<UsedFor>,
    /// What is kept, for how long.
    pub stored: Vec<KeptFor>,
    /// What the person can do.
    pub rights: Vec<String>,
    authorities: String,
    authority_anywhere: String,
}

/// A file of config/locales, as far as it is read here.
#[derive(Deserialize)]
struct File {
    privacy: Terms,
}

/// A file of config/locales lacks a sentence of `[privacy]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("config/locales/{0}.toml does not have the sentences of [privacy] that a copy needs")]
pub struct InvalidTerms(&'static str);

impl Terms {
    /// The sentences in a language, with the name of the business in them.
    ///
    /// # Errors
    /// [`InvalidTerms`], found by a test before anybody asks for a copy.
    pub fn of(locale: Locale, business: &str) -> Result<Self, InvalidTerms> {
        let file: File =
            toml::from_str(text_of(locale)).map_err(|_places| InvalidTerms(locale.tag()))?;
        let mut terms = file.privacy;
        let years = plan().people.years.to_string();
        let purposes = terms.purposes.iter_mut();
        let purposes = purposes.flat_map(|row| [&mut row.what, &mut row.why]);
        let stored = terms.stored.iter_mut();
        let stored = stored.flat_map(|row| [&mut row.what, &mut row.how_long]);
        let complaints = [&mut terms.authorities, &mut terms.authority_anywhere];
        let sentences = purposes.chain(stored).chain(&mut terms.rights);
        for sentence in sentences.chain(complaints) {
            *sentence = sentence
                .replace("{years}", &years)
                .replace("{business}", business);
        }
        Ok(terms)
    }

    /// The sentence on complaints: before a list of authorities, or without one.
    pub fn complaint(&self, is_list: bool) -> &str {
        if is_list {
            &self.authorities
        } else {
            &self.authority_anywhere
        }
    }
}

const fn text_of(locale: Locale) -> &'static str {
    match locale {
        Locale::En => include_str!("../../../../config/locales/en.toml"),
        Locale::ZhHant => include_str!("../../../../config/locales/zh-Hant.toml"),
        Locale::ZhHans => include_str!("../../../../config/locales/zh-Hans.toml"),
        Locale::Es => include_str!("../../../../config/locales/es.toml"),
        Locale::Pt => include_str!("../../../../config/locales/pt.toml"),
        Locale::De => include_str!("../../../../config/locales/de.toml"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn every_language_has_every_sentence_and_no_place_is_left_open() {
        let english = Terms::of(Locale::En, "Maple {date} Outfitters").unwrap();
        for locale in Locale::ALL {
            let terms = Terms::of(locale, "Maple {date} Outfitters").unwrap();
            let counts =
                |terms: &Terms| (terms.purposes.len(), terms.stored.len(), terms.rights.len());
            assert_eq!(counts(&terms), counts(&english), "{}", locale.tag());
            let purposes = terms.purposes.iter().flat_map(|row| [&row.what, &row.why]);
            let stored = terms
                .stored
                .iter()
                .flat_map(|row| [&row.what, &row.how_long]);
            let sentences: Vec<&str> = purposes
                .chain(stored)
                .chain(&terms.rights)
                .map(String::as_str)
                .chain([terms.complaint(true), terms.complaint(false)])
                .collect();
            for sentence in &sentences {
                let rest = sentence.replace("Maple {date} Outfitters", "");
                assert!(!rest.is_empty() && !rest.contains('{'), "{sentence}");
            }
            let named = sentences.iter().filter(|one| one.contains("Maple {date}"));
            assert!(named.count() >= 1, "{}", locale.tag());
            assert_eq!(terms == english, locale == Locale::En);
        }
    }
}
