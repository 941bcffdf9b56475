//! Bringing what people type into the form the lists are in.
//!
//! Owns normalisation: NFKC, invisible characters out, lower case, straight quotes, Arabic letter
//! variants, no emoji, no punctuation around, single spaces. Terms and messages take the same way,
//! so a fold that loses something loses it on both sides.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

const PUNCTUATION: &str = ".,!?;:'\"“”()[]{}<>#*_~-…。！？、，；：「」『』（）⋯·・";

/// One polite word on each side, and one more for good measure.
const POLITE_ROUNDS: usize = 3;

/// A message in every form it is compared in.
pub(super) struct Reading {
    /// The normalised text.
    pub(super) normalised: String,
    /// The same without marks on Latin, Greek and Cyrillic letters.
    pub(super) folded: String,
    /// The same without spaces, for scripts that do without.
    pub(super) joined: String,
    /// Forms to compare with whole terms, the plainest first.
    pub(super) candidates: Vec<String>,
}

impl Reading {
    pub(super) fn of(text: &str, politeness: &[String]) -> Self {
        let normalised = normalised(text);
        let folded = folded(&normalised);
        let joined = joined(&normalised);
        let mut plain = vec![normalised.clone()];
        if is_unspaced(&normalised) {
            plain.push(joined.clone());
        }
        let mut newest = plain.clone();
        for _ in 0..POLITE_ROUNDS {
            newest = newest
                .iter()
                .flat_map(|text| politeness.iter().filter_map(|word| without(text, word)))
                .filter(|text| !text.is_empty() && !plain.contains(text))
                .collect();
            newest.sort_unstable();
            newest.dedup();
            plain.extend_from_slice(&newest);
        }
        let mut candidates = Vec::new();
        for text in plain {
            candidates.push(self::folded(&text));
            if is_unspaced(&text) {
                candidates.push(self::joined(&text));
            }
            candidates.push(text);
        }
        Self {
            normalised,
            folded,
            joined,
            candidates,
        }
    }
}

/// The text without one polite word at its start or end.
fn without(text: &str, word: &str) -> Option<String> {
    let open = |rest: &&str| is_unspaced(word) || !rest.starts_with(is_word_character);
    let closed = |rest: &&str| is_unspaced(word) || !rest.ends_with(is_word_character);
    let rest = text
        .strip_prefix(word)
        .filter(open)
        .or_else(|| text.strip_suffix(word).filter(closed))?;
    Some(trimmed(rest).to_owned())
}

/// The form terms are kept in.
pub(super) fn normalised(text: &str) -> String {
    let mut letters = String::with_capacity(text.len());
    for character in text.nfkc().filter(|c| !is_invisible(*c)) {
        for lower in character.to_lowercase() {
            match lower {
                'ß' => letters.push_str("ss"),
                'ς' => letters.push('σ'),
                '’' | '‘' => letters.push('\''),
                'أ' | 'إ' | 'آ' | 'ٱ' => letters.push('ا'),
                'ى' => letters.push('ي'),
                'ة' => letters.push('ه'),
                '\u{640}' | '\u{64b}'..='\u{652}' => {}
                symbol if is_symbol(symbol) => {}
                other => letters.push(other),
            }
        }
    }
    let words: Vec<&str> = letters.split_whitespace().collect();
    trimmed(&words.join(" ")).to_owned()
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || PUNCTUATION.contains(c))
}

/// The text without marks on Latin, Greek and Cyrillic letters: `arrêt` is `arret`. Other scripts
/// keep theirs, where a mark is a vowel.
pub(super) fn folded(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut on_a_letter = false;
    for character in text.nfd() {
        if canonical_combining_class(character) != 0 {
            if on_a_letter {
                continue;
            }
        } else {
            on_a_letter = is_european(character);
        }
        // Turkish capital I is this letter; lower-casing without knowing the language gives i.
        plain.push(if character == 'ı' { 'i' } else { character });
    }
    plain.nfc().collect()
}

/// The text without white space.
pub(super) fn joined(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Whether a text is in a script written without spaces between words, or with optional ones.
pub(super) fn is_unspaced(text: &str) -> bool {
    text.contains(is_unspaced_character)
}

fn is_unspaced_character(character: char) -> bool {
    matches!(character,
        '\u{0e00}'..='\u{0e7f}' // Thai
        | '\u{3040}'..='\u{30ff}' // kana
        | '\u{3400}'..='\u{9fff}' // Han
        | '\u{ac00}'..='\u{d7af}') // Hangul
}

/// Whether `phrase` stands in `text` as whole words.
pub(super) fn holds_words(text: &str, phrase: &str) -> bool {
    rest_behind(text, phrase, false).next().is_some()
}

/// What follows `phrase` in `text`, for each place it stands in; as whole words, unless its script does
/// without spaces.
pub(super) fn rest_behind<'a>(
    text: &'a str,
    phrase: &'a str,
    unspaced: bool,
) -> impl Iterator<Item = &'a str> {
    text.match_indices(phrase)
        .filter_map(move |(start, found)| {
            let before = text.get(..start)?;
            let after = text.get(start.saturating_add(found.len())..)?;
            let is_whole =
                !before.ends_with(is_word_character) && !after.starts_with(is_word_character);
            (unspaced || is_whole).then_some(after)
        })
}

/// Whether a character separates sentences or quotes them.
pub(super) fn is_punctuation(character: char) -> bool {
    PUNCTUATION.contains(character)
}

/// A Chinese character beside a Latin word is not part of it.
fn is_word_character(character: char) -> bool {
    (character.is_alphanumeric() || character == '_') && !is_unspaced_character(character)
}

fn is_european(character: char) -> bool {
    matches!(character,
        'a'..='z' | 'A'..='Z'
        | '\u{00aa}' | '\u{00ba}' | '\u{00c0}'..='\u{024f}'
        | '\u{0370}'..='\u{052f}' // Greek, Cyrillic
        | '\u{1c80}'..='\u{1c8f}' | '\u{1e00}'..='\u{1fff}'
        | '\u{2c60}'..='\u{2c7f}' | '\u{a640}'..='\u{a69f}'
        | '\u{a720}'..='\u{a7ff}' | '\u{ab30}'..='\u{ab6f}')
}

/// Characters that do not show: they are put inside words to slip past lists like ours.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180e}' | '\u{3164}' | '\u{ffa0}' | '\u{feff}' | '\u{20e3}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Emoji and other symbols (Unicode categories So and Sk, by block).
fn is_symbol(character: char) -> bool {
    matches!(character,
        '`' | '¨' | '¯' | '´' | '¸' | '¦' | '©' | '®' | '°'
        | '\u{02c2}'..='\u{02c5}' | '\u{02d2}'..='\u{02df}' | '\u{02e5}'..='\u{02eb}'
        | '\u{2190}'..='\u{245f}' // arrows, technical
        | '\u{2500}'..='\u{2bff}' // boxes, shapes, dingbats, more arrows
        | '\u{3004}' | '\u{3012}' | '\u{3013}' | '\u{3020}' | '\u{3036}'
        | '\u{1f000}'..='\u{1faff}') // emoji
}
