//! What a person asks of us in an ordinary message: to stop, to start, help, their data.
//!
//! Owns the reading of a text in 23 languages, from
//! `config/optout-keywords.json`. Deterministic, no language detection and no model: a whole
//! message that equals a term, a phrase inside a longer one unless a guard stands beside it, a phrase
//! that is about messages if nothing else is named ("do not send me any more …"), words that mean "stop"
//! only after marketing, and misspellings. In doubt it answers [`Intent::Ask`], and says which word a
//! misspelling comes near to.
//!
//! It changes nothing and never consumes the message: an opt-out is still delivered to the app.

mod fuzzy;
mod keywords;
mod text;

use keywords::{KEYWORDS, Keywords, List, Open, Term};
use text::Reading;

/// Meta's limit for a text message, in characters; a longer one is not from a person.
const LONGEST_TEXT: usize = 4_096;
/// A message that is only a keyword is short.
const LONGEST_EXACT: usize = 160;
/// Beyond this a phrase may be a quotation.
const LONGEST_PHRASE: usize = 400;

/// What no language is called: in it no word is in use that only some languages have.
const NO_LANGUAGE: &str = "none";

/// How far an opt-out reaches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// Marketing, from all numbers of the controller.
    Marketing,
    /// Everything the business would start by itself.
    All,
}

/// What a text asks for. Keywords are terms of our list, never the person's own words, so they
/// may be recorded.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Intent {
    /// To be written to no more.
    OptOut {
        /// How far it reaches.
        scope: Scope,
        /// The term that says so.
        keyword: String,
    },
    /// To be written to again. By itself this is no consent: a notice must have been shown.
    OptIn {
        /// The term that says so.
        keyword: String,
    },
    /// A person to talk to, or an explanation.
    Help,
    /// Whom to turn to.
    Contact,
    /// A copy of their data.
    AccessRequest,
    /// Their data to be erased.
    ErasureRequest,
    /// Their data not to be sold or shared.
    DoNotSell,
    /// Perhaps to stop, perhaps to cancel an order: the person must be asked.
    Ask {
        /// The term a misspelt word was meant to be; absent for a word that has other meanings.
        nearly: Option<String>,
    },
    /// Nothing of these.
    None,
}

/// What we know around the message.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Context<'a> {
    /// The last message to the person, within 72 hours, was marketing or said how to opt out.
    pub recent_marketing: bool,
    /// The person was asked to opt in within 24 hours and has not answered.
    pub optin_question_open: bool,
    /// The law of the person's country gives words like `cancel` and `end` their effect whatever
    /// was meant (47 CFR 64.1200(a)(10); Canada alike).
    pub words_bind: bool,
    /// Language of the last message to the person, where known: it rules out words that mean
    /// something else in it. Indonesian `baja` is steel, Spanish `baja` is an opt-out.
    pub language: Option<&'a str>,
}

/// Whether what a text says hangs on what was said before it, so that it is worth looking that up.
pub fn hangs_on_context(text: &str, context: &Context<'_>) -> bool {
    let other = Context {
        recent_marketing: !context.recent_marketing,
        ..*context
    };
    let elsewhere = Context {
        language: Some(NO_LANGUAGE),
        ..*context
    };
    let said = classify(text, context);
    said != classify(text, &other) || said != classify(text, &elsewhere)
}

/// The languages whose lists hold a term, by their codes in the keyword file.
pub fn languages_of(term: &str) -> Vec<&'static str> {
    KEYWORDS.languages_of(term)
}

/// Reads a text. The text may also be a caption, or the title or payload of a button.
pub fn classify(text: &str, context: &Context<'_>) -> Intent {
    if text.chars().nth(LONGEST_TEXT).is_some() {
        return Intent::None;
    }
    let words: &Keywords = &KEYWORDS;
    let reading = Reading::of(text, &words.politeness);
    let length = reading.normalised.chars().count();
    if length > LONGEST_PHRASE || length == 0 {
        return Intent::None;
    }
    let short = length <= LONGEST_EXACT;
    let find = |list| words.find(list, &reading, context.language);

    if words.payloads_opt_out.contains(text.trim()) {
        return opt_out("payload", Scope::Marketing);
    }
    if short && let Some(intent) = whole_message(words, &reading, find) {
        return intent;
    }
    if let Some(phrase) = words.phrase(&reading) {
        return opt_out(phrase, words.scope(&reading));
    }
    match words.open_phrase(&reading) {
        Some(Open::Messages(phrase)) => return opt_out(phrase, words.scope(&reading)),
        Some(Open::SomethingElse) => return Intent::Ask { nearly: None },
        None => {}
    }
    if short {
        doubtful(words, &reading, context, find)
    } else {
        Intent::None
    }
}

/// Messages that are one unmistakable term. The order is that of what is lost by a mistake.
fn whole_message<'a>(
    words: &Keywords,
    reading: &Reading,
    find: impl Fn(List) -> Option<&'a Term>,
) -> Option<Intent> {
    if let Some(term) = find(List::Stop) {
        return Some(opt_out(&term.text, words.scope(reading)));
    }
    if find(List::Erasure).is_some() {
        return Some(Intent::ErasureRequest);
    }
    if find(List::Access).is_some() {
        return Some(Intent::AccessRequest);
    }
    if find(List::DoNotSell).is_some() {
        return Some(Intent::DoNotSell);
    }
    find(List::Start).map(opt_in)
}

/// Messages whose meaning hangs on what was said before.
fn doubtful<'a>(
    words: &Keywords,
    reading: &Reading,
    context: &Context<'_>,
    find: impl Fn(List) -> Option<&'a Term>,
) -> Intent {
    if context.words_bind
        && let Some(word) = words.per_se(reading)
    {
        return opt_out(word, Scope::Marketing);
    }
    if let Some(term) = find(List::StopContextual) {
        match (context.recent_marketing, context.optin_question_open) {
            (true, false) => return opt_out(&term.text, Scope::Marketing),
            (true, true) | (false, false) => return Intent::Ask { nearly: None },
            // "No" to the question whether to opt in: nothing was given, nothing is taken back.
            (false, true) => {}
        }
    }
    if let Some(term) = words.misspelt(reading) {
        return if context.words_bind {
            opt_out(term, Scope::Marketing)
        } else {
            Intent::Ask {
                nearly: Some(term.to_owned()),
            }
        };
    }
    if context.optin_question_open
        && let Some(term) = find(List::StartContextual)
    {
        return opt_in(term);
    }
    if find(List::Contact).is_some() {
        return Intent::Contact;
    }
    match find(List::Help) {
        Some(_) => Intent::Help,
        None => Intent::None,
    }
}

fn opt_out(keyword: &str, scope: Scope) -> Intent {
    Intent::OptOut {
        scope,
        keyword: keyword.to_owned(),
    }
}

fn opt_in(term: &Term) -> Intent {
    Intent::OptIn {
        keyword: term.text.clone(),
    }
}

#[cfg(test)]
mod tests;
