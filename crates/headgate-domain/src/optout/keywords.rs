//! The lists of words and the ways they are searched.
//!
//! Owns `config/optout-keywords.json`, compiled in and read once. Its terms were compiled from
//! regulations, carriers' lists and usage; `native_reviewed` there says which languages a native
//! speaker has checked.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;

use super::Scope;
use super::fuzzy::is_misspelling;
use super::text::{
    Reading, folded, holds_words, is_punctuation, is_unspaced, joined, normalised, rest_behind,
};

/// The lists, ready to search.
#[expect(
    clippy::expect_used,
    reason = "the file is compiled in, and every test of this module reads it"
)]
pub(super) static KEYWORDS: LazyLock<Keywords> = LazyLock::new(|| {
    let file = include_str!("../../../../config/optout-keywords.json");
    let file: File = serde_json::from_str(file).expect("the keyword file has its declared form");
    Keywords::from_file(&file)
});

/// Misspellings are looked for in words of at least this many letters.
const SHORTEST_FUZZY: usize = 4;

/// So many particles and polite words may follow a phrase before its sentence ends.
const ENDING_WORDS: usize = 3;

#[derive(Deserialize)]
struct File {
    payloads: Payloads,
    language_scoped: BTreeMap<String, Vec<String>>,
    politeness: Vec<String>,
    message_words: Vec<String>,
    particles: Vec<String>,
    per_se: Vec<String>,
    fuzzy_deny: Vec<String>,
    scope_all: ScopeAll,
    languages: BTreeMap<String, Language>,
}

#[derive(Deserialize)]
struct Payloads {
    opt_out: Vec<String>,
    opt_in: Vec<String>,
}

#[derive(Deserialize)]
struct ScopeAll {
    exact: Vec<String>,
    phrases: Vec<String>,
}

#[derive(Deserialize)]
struct Language {
    stop_exact: Vec<String>,
    stop_contextual: Vec<String>,
    stop_phrase: Vec<String>,
    #[serde(default)]
    stop_phrase_open: Vec<String>,
    phrase_guards: Vec<String>,
    start_exact: Vec<String>,
    start_contextual: Vec<String>,
    help_exact: Vec<String>,
    #[serde(default)]
    contact_exact: Vec<String>,
    dsar_access_exact: Vec<String>,
    dsar_erasure_exact: Vec<String>,
    do_not_sell_exact: Vec<String>,
}

impl Language {
    /// Every term and phrase of it.
    fn terms(&self) -> HashSet<String> {
        let lists = List::ALL.into_iter().map(|list| list.of(self));
        let phrases = [
            self.stop_phrase.as_slice(),
            self.stop_phrase_open.as_slice(),
        ];
        lists.chain(phrases).flatten().cloned().collect()
    }
}

/// A list of terms that are compared with the whole message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum List {
    Stop,
    StopContextual,
    Erasure,
    Access,
    DoNotSell,
    Start,
    StartContextual,
    Help,
    Contact,
}

impl List {
    const ALL: [Self; 9] = [
        Self::Stop,
        Self::StopContextual,
        Self::Erasure,
        Self::Access,
        Self::DoNotSell,
        Self::Start,
        Self::StartContextual,
        Self::Help,
        Self::Contact,
    ];

    fn of(self, language: &Language) -> &[String] {
        match self {
            Self::Stop => &language.stop_exact,
            Self::StopContextual => &language.stop_contextual,
            Self::Erasure => &language.dsar_erasure_exact,
            Self::Access => &language.dsar_access_exact,
            Self::DoNotSell => &language.do_not_sell_exact,
            Self::Start => &language.start_exact,
            Self::StartContextual => &language.start_contextual,
            Self::Help => &language.help_exact,
            Self::Contact => &language.contact_exact,
        }
    }
}

/// A term as the file writes it.
pub(super) struct Term {
    pub(super) text: String,
}

/// A phrase in the form it is searched in.
struct Phrase {
    written: String,
    sought: String,
    unspaced: bool,
}

impl Phrase {
    fn new(written: &str) -> Self {
        let plain = normalised(written);
        let unspaced = is_unspaced(&plain);
        Self {
            written: written.to_owned(),
            sought: if unspaced {
                joined(&plain)
            } else {
                folded(&plain)
            },
            unspaced,
        }
    }

    fn stands_in(&self, reading: &Reading) -> bool {
        if self.unspaced {
            reading.joined.contains(&self.sought)
        } else {
            holds_words(&reading.folded, &self.sought)
        }
    }

    /// What follows the phrase, wherever it stands.
    fn followed_by<'a>(&'a self, reading: &'a Reading) -> impl Iterator<Item = &'a str> {
        let text = if self.unspaced {
            &reading.joined
        } else {
            &reading.folded
        };
        rest_behind(text, &self.sought, self.unspaced)
    }

    fn is_in(&self, text: &str) -> bool {
        if self.unspaced {
            joined(text).contains(&self.sought)
        } else {
            holds_words(text, &self.sought)
        }
    }
}

/// What a phrase says whose object is still to come: "do not send me any more …".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Open<'a> {
    /// Messages, or nothing in particular.
    Messages(&'a str),
    /// Something else: two boxes, the wrong size.
    SomethingElse,
}

/// Everything in the file, indexed.
pub(super) struct Keywords {
    pub(super) payloads_opt_out: HashSet<String>,
    pub(super) politeness: Vec<String>,
    terms: HashMap<List, HashMap<String, Term>>,
    scoped: HashMap<String, Vec<String>>,
    phrases: Vec<Phrase>,
    open_phrases: Vec<Phrase>,
    message_words: Vec<Phrase>,
    particles: Vec<String>,
    guards: Vec<Phrase>,
    per_se: Vec<String>,
    all_exact: Vec<String>,
    all_phrases: Vec<Phrase>,
    fuzzy: Vec<(String, Vec<char>)>,
    fuzzy_deny: HashSet<String>,
    languages: BTreeMap<String, HashSet<String>>,
}

impl Keywords {
    fn from_file(file: &File) -> Self {
        let phrases = |pick: fn(&Language) -> &[String]| -> Vec<Phrase> {
            let all = file.languages.values().flat_map(pick);
            all.map(|text| Phrase::new(text)).collect()
        };
        let mut terms: HashMap<List, HashMap<String, Term>> = HashMap::new();
        let mut scoped: HashMap<String, Vec<String>> =
            file.language_scoped.clone().into_iter().collect();
        for list in List::ALL {
            let index = terms.entry(list).or_default();
            for (code, language) in &file.languages {
                for term in list.of(language) {
                    insert(index, code, term);
                    // What a language lists itself means that there, whoever else has the word.
                    if let Some(only) = scoped.get_mut(&normalised(term)) {
                        only.push(code.clone());
                    }
                }
            }
        }
        for payload in &file.payloads.opt_in {
            insert(terms.entry(List::Start).or_default(), "en", payload);
        }
        let english = file.languages.get("en");
        let fuzzy = english
            .into_iter()
            .flat_map(|language| &language.stop_exact)
            .map(|term| (term.clone(), folded(&normalised(term))))
            .filter(|(_, plain)| !plain.contains(' ') && plain.len() >= SHORTEST_FUZZY)
            .map(|(term, plain)| (term, plain.chars().collect()))
            .collect();
        Self {
            payloads_opt_out: file.payloads.opt_out.iter().cloned().collect(),
            politeness: file
                .politeness
                .iter()
                .map(|word| normalised(word))
                .collect(),
            terms,
            scoped,
            phrases: phrases(|language| &language.stop_phrase),
            open_phrases: phrases(|language| &language.stop_phrase_open),
            message_words: file.message_words.iter().map(|w| Phrase::new(w)).collect(),
            particles: file.particles.clone(),
            guards: phrases(|language| &language.phrase_guards),
            per_se: file.per_se.clone(),
            all_exact: file.scope_all.exact.clone(),
            all_phrases: file
                .scope_all
                .phrases
                .iter()
                .map(|text| Phrase::new(text))
                .collect(),
            fuzzy,
            fuzzy_deny: file.fuzzy_deny.iter().cloned().collect(),
            languages: (file.languages.iter())
                .map(|(code, language)| (code.clone(), language.terms()))
                .collect(),
        }
    }

    /// The term of a list that the whole message is, in any language that is not ruled out.
    pub(super) fn find(
        &self,
        list: List,
        reading: &Reading,
        language: Option<&str>,
    ) -> Option<&Term> {
        let index = self.terms.get(&list)?;
        reading
            .candidates
            .iter()
            .filter(|candidate| self.may_mean(candidate, language))
            .find_map(|candidate| index.get(candidate))
    }

    fn may_mean(&self, candidate: &str, language: Option<&str>) -> bool {
        match (self.scoped.get(candidate), language) {
            (Some(only), Some(language)) => only.iter().any(|code| code == language),
            (None, _) | (_, None) => true,
        }
    }

    /// A phrase that asks to stop, unless a guard says that it means something else here.
    pub(super) fn phrase(&self, reading: &Reading) -> Option<&str> {
        let found = self
            .phrases
            .iter()
            .find(|phrase| phrase.stands_in(reading))?;
        (!self.is_guarded(reading)).then_some(found.written.as_str())
    }

    /// A phrase that asks to stop something, and whether that is messages.
    pub(super) fn open_phrase(&self, reading: &Reading) -> Option<Open<'_>> {
        let mut open = None;
        for phrase in &self.open_phrases {
            for rest in phrase.followed_by(reading) {
                let is_about_messages =
                    self.ends(rest) || self.message_words.iter().any(|word| word.is_in(rest));
                if is_about_messages && !self.is_guarded(reading) {
                    return Some(Open::Messages(&phrase.written));
                }
                open = Some(Open::SomethingElse);
            }
        }
        open.filter(|_| !self.is_guarded(reading))
    }

    fn is_guarded(&self, reading: &Reading) -> bool {
        self.guards.iter().any(|guard| guard.stands_in(reading))
    }

    /// Whether a sentence ends here, but for a particle and a polite word.
    fn ends(&self, rest: &str) -> bool {
        let mut rest = rest.trim_start();
        for _ in 0..ENDING_WORDS {
            if rest.is_empty() || rest.starts_with(is_punctuation) {
                return true;
            }
            let mut endings = self.particles.iter().chain(&self.politeness);
            match endings.find_map(|word| rest.strip_prefix(word.as_str())) {
                Some(shorter) => rest = shorter.trim_start(),
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// One of the words that bind by law.
    pub(super) fn per_se(&self, reading: &Reading) -> Option<&str> {
        let spoken = |word: &&String| reading.candidates.contains(word);
        self.per_se.iter().find(spoken).map(String::as_str)
    }

    /// The term that a single misspelt word was meant to be.
    pub(super) fn misspelt(&self, reading: &Reading) -> Option<&str> {
        let word: Vec<char> = reading.folded.chars().collect();
        let eligible = word.len() >= SHORTEST_FUZZY
            && word.iter().all(|letter| letter.is_alphabetic())
            && !self.fuzzy_deny.contains(&reading.folded);
        let meant = |(_, term): &&(String, Vec<char>)| is_misspelling(&word, term);
        let term = eligible.then(|| self.fuzzy.iter().find(meant)).flatten()?;
        Some(term.0.as_str())
    }

    /// The languages that have a term or phrase.
    pub(super) fn languages_of(&self, term: &str) -> Vec<&str> {
        self.languages
            .iter()
            .filter(|(_code, terms)| terms.contains(term))
            .map(|(code, _terms)| code.as_str())
            .collect()
    }

    /// How far an opt-out in this message reaches.
    pub(super) fn scope(&self, reading: &Reading) -> Scope {
        let said = |term: &String| reading.candidates.contains(term);
        let all = self.all_exact.iter().any(said)
            || self
                .all_phrases
                .iter()
                .any(|phrase| phrase.stands_in(reading));
        if all { Scope::All } else { Scope::Marketing }
    }
}

/// Enters a term under every form a candidate may have. The first list to claim a form keeps it.
fn insert(index: &mut HashMap<String, Term>, language: &str, term: &str) {
    let plain = normalised(term);
    let mut forms = vec![];
    // In Vietnamese the marks are the word; its own lists hold the unmarked forms people type.
    if language != "vi" {
        forms.push(folded(&plain));
    }
    if is_unspaced(&plain) {
        forms.push(joined(&plain));
    }
    forms.push(plain);
    for form in forms {
        index.entry(form).or_insert_with(|| Term {
            text: term.to_owned(),
        });
    }
}
