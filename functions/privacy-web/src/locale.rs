//! The languages of the pages, and which one a person reads.
//!
//! Owns the texts (config/locales, compiled in) and the choice: what the page or the form says,
//! then `?lang=`, then the browser's `Accept-Language`, then English. Whatever was asked for only
//! ever selects one of the three; it is never shown.

use serde::Deserialize;

/// A language the pages exist in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locale {
    /// English.
    En,
    /// Chinese in traditional characters.
    ZhHant,
    /// Chinese in simplified characters.
    ZhHans,
}

/// Every language, in the order of the switch at the foot of a page.
pub(crate) const LOCALES: [Locale; 3] = [Locale::En, Locale::ZhHant, Locale::ZhHans];

impl Locale {
    /// The BCP 47 tag.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhHant => "zh-Hant",
            Self::ZhHans => "zh-Hans",
        }
    }

    /// The language's own name for itself.
    pub(crate) const fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::ZhHant => "繁體中文",
            Self::ZhHans => "简体中文",
        }
    }

    /// The language behind a tag such as `zh-TW`.
    fn from_tag(tag: &str) -> Option<Self> {
        let tag = tag.trim().to_ascii_lowercase();
        let mut parts = tag.split('-');
        match parts.next()? {
            "en" => Some(Self::En),
            "zh" => {
                // Without a script, the region says which characters are read there.
                let is_traditional = parts.any(|part| matches!(part, "hant" | "tw" | "hk" | "mo"));
                Some(if is_traditional && !tag.contains("hans") {
                    Self::ZhHant
                } else {
                    Self::ZhHans
                })
            }
            _ => None,
        }
    }

    /// The language to answer in.
    pub(crate) fn choose(asked: Option<&str>, accept_language: Option<&str>) -> Self {
        asked
            .and_then(Self::from_tag)
            .or_else(|| accept_language.and_then(Self::accepted))
            .unwrap_or(Self::En)
    }

    /// The best language of an `Accept-Language` header (RFC 9110, 12.5.4).
    fn accepted(header: &str) -> Option<Self> {
        let mut best: Option<(Self, f32)> = None;
        for range in header.split(',').take(20) {
            let mut parts = range.split(';');
            let Some(locale) = parts.next().and_then(Self::from_tag) else {
                continue;
            };
            let weight = parts
                .find_map(|p| p.trim().strip_prefix("q="))
                .map_or(1.0, |q| q.parse().unwrap_or(0.0));
            if weight > best.map_or(0.0, |(_, weight)| weight) {
                best = Some((locale, weight));
            }
        }
        best.map(|(locale, _)| locale)
    }
}

/// A title and a sentence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plain {
    pub(crate) title: String,
    pub(crate) text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Common {
    pub(crate) language_label: String,
    pub(crate) privacy_link: String,
    pub(crate) policy_link: String,
    pub(crate) quiet: String,
    pub(crate) error_prefix: String,
    pub(crate) this_business: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OptIn {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) notice: Vec<String>,
    pub(crate) legend: String,
    pub(crate) marketing: String,
    pub(crate) marketing_hint: String,
    pub(crate) utility: String,
    pub(crate) utility_hint: String,
    pub(crate) submit: String,
    pub(crate) next: String,
    pub(crate) none_ticked: String,
    pub(crate) changed: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirm {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) code_label: String,
    pub(crate) open: String,
    pub(crate) by_hand: String,
    pub(crate) expires: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unsubscribe {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) legend: String,
    pub(crate) marketing: String,
    pub(crate) marketing_hint: String,
    pub(crate) everything: String,
    pub(crate) everything_hint: String,
    pub(crate) submit: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unsubscribed {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) again: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    pub(crate) what: String,
    pub(crate) how_long: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Privacy {
    pub(crate) title: String,
    pub(crate) lead: String,
    pub(crate) stored_heading: String,
    pub(crate) stored: Vec<Stored>,
    pub(crate) who_heading: String,
    pub(crate) who: Vec<String>,
    pub(crate) rights_heading: String,
    pub(crate) rights: Vec<String>,
    pub(crate) contact_heading: String,
    pub(crate) contact: String,
    pub(crate) security_heading: String,
    pub(crate) security: Vec<String>,
}

/// Every word of the pages in one language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    pub(crate) common: Common,
    pub(crate) opt_in: OptIn,
    pub(crate) confirm: Confirm,
    pub(crate) unsubscribe: Unsubscribe,
    pub(crate) unsubscribed: Unsubscribed,
    pub(crate) privacy: Privacy,
    pub(crate) not_found: Plain,
    pub(crate) method_not_allowed: Plain,
    pub(crate) too_large: Plain,
    pub(crate) wrong_type: Plain,
    pub(crate) cross_site: Plain,
    pub(crate) unavailable: Plain,
}

/// The texts of all languages.
#[derive(Debug)]
pub(crate) struct Library {
    en: Texts,
    zh_hant: Texts,
    zh_hans: Texts,
}

/// A file of config/locales lacks a text or has one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("config/locales/{0}.toml does not have exactly the texts the pages need")]
pub struct InvalidLocale(&'static str);

impl Library {
    /// Reads the texts that were compiled in.
    ///
    /// # Errors
    /// [`InvalidLocale`], found by a test before it is found at start.
    pub(crate) fn read() -> Result<Self, InvalidLocale> {
        Ok(Self {
            en: texts(Locale::En, include_str!("../../../config/locales/en.toml"))?,
            zh_hant: texts(
                Locale::ZhHant,
                include_str!("../../../config/locales/zh-Hant.toml"),
            )?,
            zh_hans: texts(
                Locale::ZhHans,
                include_str!("../../../config/locales/zh-Hans.toml"),
            )?,
        })
    }

    /// The texts of a language.
    pub(crate) const fn of(&self, locale: Locale) -> &Texts {
        match locale {
            Locale::En => &self.en,
            Locale::ZhHant => &self.zh_hant,
            Locale::ZhHans => &self.zh_hans,
        }
    }
}

fn texts(locale: Locale, text: &str) -> Result<Texts, InvalidLocale> {
    toml::from_str(text).map_err(|_places| InvalidLocale(locale.tag()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn every_language_has_every_text() {
        let library = Library::read().unwrap();
        let shape = |locale| {
            let texts = library.of(locale);
            (
                texts.opt_in.notice.len(),
                texts.privacy.stored.len(),
                texts.privacy.who.len(),
                texts.privacy.rights.len(),
            )
        };
        for locale in LOCALES {
            assert_eq!(shape(locale), shape(Locale::En), "{}", locale.tag());
        }
    }

    #[test]
    fn the_page_speaks_what_the_browser_asks_for_unless_told_otherwise() {
        for (asked, header, expected) in [
            (None, None, Locale::En),
            (None, Some("fr-CA, fr;q=0.9"), Locale::En),
            (None, Some("zh-TW,zh;q=0.9,en;q=0.8"), Locale::ZhHant),
            (None, Some("zh-HK"), Locale::ZhHant),
            (None, Some("zh-CN,zh;q=0.9"), Locale::ZhHans),
            (None, Some("zh"), Locale::ZhHans),
            (None, Some("zh-Hans-HK"), Locale::ZhHans),
            (None, Some("en;q=0.2, zh-Hant;q=0.8"), Locale::ZhHant),
            (None, Some("zh;q=0, en;q=0.1"), Locale::En),
            (None, Some("zh;q=<script>"), Locale::En),
            (Some("zh-Hans"), Some("en"), Locale::ZhHans),
            (Some("EN"), Some("zh"), Locale::En),
            (Some("\"><script>"), Some("zh-TW"), Locale::ZhHant),
            (Some(""), None, Locale::En),
        ] {
            assert_eq!(
                Locale::choose(asked, header),
                expected,
                "{asked:?} {header:?}"
            );
        }
    }
}
