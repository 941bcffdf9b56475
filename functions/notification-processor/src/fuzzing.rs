//! The readers of notices and messages, opened to their fuzz target; no other build has this module.

use headgate_domain::config::Config;
use headgate_domain::event::Event;
use headgate_domain::identity::Wamid;
use headgate_domain::time::Timestamp;
use headgate_webhook::notification::Other;
use serde_json::Value;

use crate::changes::{self, Change};
use crate::{content, notices};

/// What is written to keys and logs because of a notice.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// The number, portfolio, or name and language of a template that it is written to.
    pub keys: Vec<String>,
    /// The word that goes to the log.
    pub word: Option<String>,
    /// The whole change, as it prints; a target judges it without our own judgement.
    pub text: String,
}

/// What a notice changes, and the moment it counts from.
pub fn changes(notice: &Other, config: &Config, now: Timestamp) -> (Timestamp, Vec<Written>) {
    let (at, changes) = changes::of(notice, config, now);
    let written = |change: &Change| Written {
        keys: match change {
            Change::Number(key, _) | Change::Portfolio(key, _) => vec![key.clone()],
            Change::Template(name, language, _) => vec![name.clone(), language.clone()],
            Change::Account(..)
            | Change::Purpose(..)
            | Change::Attention(_)
            | Change::Unknown(_) => Vec::new(),
        },
        word: match change {
            Change::Attention(word) => Some((*word).to_owned()),
            Change::Unknown(word) => Some(word.clone()),
            Change::Number(..)
            | Change::Portfolio(..)
            | Change::Template(..)
            | Change::Account(..)
            | Change::Purpose(..) => None,
        },
        text: format!("{change:?}"),
    };
    (at, changes.iter().map(written).collect())
}

/// The event an app gets of a notice.
pub fn event(notice: &Other, now: Timestamp) -> Option<Event> {
    notices::event(notice, now)
}

/// The message as an app may see it.
pub fn shown(raw: &str, name: impl Fn(&Wamid) -> String) -> Option<Value> {
    content::shown(raw, name)
}
