//! The languages of the pages, and which one a person reads.
//!
//! Owns the list of languages (their texts are config/locales, compiled in) and the choice: what the
//! page or the form says, then `?lang=`, then the browser's `Accept-Language`, then English. Whatever was
//! asked for only ever selects one of the list; it is never shown. Another language is a file and a line
//! in [`LANGUAGES`] (docs/pages.md).

mod texts;

pub(crate) use texts::{Copy, OptIn, Plain, Preferences, Privacy, Request, Requests, Row, Texts};

/// Where a language comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The BCP 47 tag, such as `pt` or `zh-Hant`.
    pub tag: &'static str,
    /// The words of the pages, TOML as in config/locales.
    pub texts: &'static str,
    /// The names of countries: a line each, the two letters, a tab, the name.
    pub countries: &'static str,
}

macro_rules! language {
    ($tag:literal) => {
        Source {
            tag: $tag,
            texts: include_str!(concat!("../../../config/locales/", $tag, ".toml")),
            countries: include_str!(concat!("../../../config/locales/countries/", $tag, ".tsv")),
        }
    };
}

/// Every language that is shipped, in the order of the switch at the foot of a page. The first is what
/// everybody gets who asks for none of them.
pub const LANGUAGES: [Source; 6] = [
    language!("en"),
    language!("zh-Hant"),
    language!("zh-Hans"),
    language!("es"),
    language!("pt"),
    language!("de"),
];

/// A language the pages exist in.
#[derive(Debug)]
pub(crate) struct Language {
    tag: &'static str,
    countries: &'static str,
    pub(crate) texts: Texts,
}

impl Language {
    /// The BCP 47 tag.
    pub(crate) const fn tag(&self) -> &'static str {
        self.tag
    }

    /// The language's own name for itself.
    pub(crate) fn own_name(&self) -> &str {
        &self.texts.language.name
    }

    /// The direction of its writing, as HTML says it.
    pub(crate) const fn direction(&self) -> &'static str {
        self.texts.language.direction.word()
    }

    /// A country's name; its two letters where the list has none.
    pub(crate) fn country<'a>(&self, letters: &'a str) -> &'a str
    where
        'static: 'a,
    {
        let mut names = self.countries.lines().filter_map(|l| l.split_once('\t'));
        names
            .find(|(known, _name)| *known == letters)
            .map_or(letters, |(_known, name)| name)
    }
}

/// All languages, read.
#[derive(Debug)]
pub(crate) struct Library {
    first: Language,
    others: Vec<Language>,
}

/// A file of config/locales lacks a text or has one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("config/locales/{0}.toml does not have exactly the texts the pages need")]
pub struct InvalidLocale(&'static str);

impl Library {
    /// Reads the texts of languages.
    ///
    /// # Errors
    /// [`InvalidLocale`], found by a test before it is found at start.
    pub(crate) fn read(sources: &[Source]) -> Result<Self, InvalidLocale> {
        let (first, others) = sources.split_first().ok_or(InvalidLocale("en"))?;
        Ok(Self {
            first: read(first)?,
            others: others.iter().map(read).collect::<Result<_, _>>()?,
        })
    }

    /// Every language, in the order of the switch.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Language> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The language to answer in.
    pub(crate) fn choose(&self, asked: Option<&str>, accept_language: Option<&str>) -> &Language {
        asked
            .and_then(|tag| self.of_tag(tag))
            .or_else(|| accept_language.and_then(|header| self.accepted(header)))
            .unwrap_or(&self.first)
    }

    /// The language behind a tag such as `zh-TW` or `pt-BR`: the tag itself, or its language.
    fn of_tag(&self, tag: &str) -> Option<&Language> {
        let tag = tag.trim();
        let exact = self.all().find(|l| l.tag.eq_ignore_ascii_case(tag));
        if exact.is_some() {
            return exact;
        }
        let lower = tag.to_ascii_lowercase();
        let mut parts = lower.split('-');
        let wanted = match parts.next()? {
            "zh" => {
                // Without a script, the region says which characters are read there.
                let is_traditional = parts.any(|part| matches!(part, "hant" | "tw" | "hk" | "mo"));
                if is_traditional && !lower.contains("hans") {
                    "zh-Hant"
                } else {
                    "zh-Hans"
                }
            }
            language => language,
        };
        self.all().find(|l| l.tag.eq_ignore_ascii_case(wanted))
    }

    /// The best language of an `Accept-Language` header (RFC 9110, 12.5.4).
    fn accepted(&self, header: &str) -> Option<&Language> {
        let mut best: Option<(&Language, f32)> = None;
        for range in header.split(',').take(20) {
            let mut parts = range.split(';');
            let Some(language) = parts.next().and_then(|tag| self.of_tag(tag)) else {
                continue;
            };
            let weight = parts
                .find_map(|p| p.trim().strip_prefix("q="))
                .map_or(1.0, |q| q.parse().unwrap_or(0.0));
            if weight > best.map_or(0.0, |(_, weight)| weight) {
                best = Some((language, weight));
            }
        }
        best.map(|(language, _)| language)
    }
}

fn read(source: &Source) -> Result<Language, InvalidLocale> {
    let texts = toml::from_str(source.texts).map_err(|_places| InvalidLocale(source.tag))?;
    Ok(Language {
        tag: source.tag,
        countries: source.countries,
        texts,
    })
}

#[cfg(test)]
#[path = "locale_tests.rs"]
mod tests;
