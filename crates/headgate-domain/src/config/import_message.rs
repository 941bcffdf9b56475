//! The one message to imported people: off unless the configuration has it (docs/import.md, R-402).
//!
//! Owns which template asks, in whose languages, with what wording, and how many people a day. A file alone
//! writes to nobody: the row needs a record of an earlier yes, and a second principal approves of the file.

use serde::{Deserialize, Serialize};

use super::check::place;
use super::{ButtonKind, Category, Config, InvalidConfig, Template};
use crate::consent::NoticeId;
use crate::lane::Purpose;
use crate::region::Country;
use crate::system::Locale;

/// Meta's limit for the body of a template.
const LONGEST_NOTICE: usize = 1_024;

/// How imported people are asked by a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportMessage {
    /// The number it comes from, as id or alias.
    pub from: String,
    /// The template: of marketing, with two quick-reply buttons, yes and no, and nothing to fill in.
    pub template: String,
    /// How many people are asked on one day (UTC), of all files together.
    pub per_day: u32,
    /// What it says, by language; `en` goes to whoever has another.
    pub texts: Vec<ImportText>,
}

/// The message in one language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportText {
    /// Whose it is: one of the languages of the system messages.
    pub locale: String,
    /// The template's language at Meta, such as `en_US`.
    pub language: String,
    /// The body of the template as Meta has it on record: what the person agrees to.
    pub notice: String,
}

impl ImportText {
    /// The id of its wording.
    pub fn notice_id(&self, controller: &str) -> NoticeId {
        NoticeId::of(&self.notice, &self.locale, controller)
    }
}

impl ImportMessage {
    /// The text for somebody in a country.
    pub fn text_for(&self, country: Option<Country>) -> Option<&ImportText> {
        let spoken = Locale::of_person("", country);
        self.text_in(spoken).or_else(|| self.text_in(Locale::En))
    }

    /// The text of a language.
    pub fn text_in(&self, locale: Locale) -> Option<&ImportText> {
        let mut texts = self.texts.iter();
        texts.find(|text| text.locale == locale.tag())
    }
}

impl Config {
    /// The text of the import message whose wording has this id, while the message is on.
    pub fn import_text(&self, notice: &NoticeId) -> Option<&ImportText> {
        let message = self.consents.import_message.as_ref()?;
        let mut texts = message.texts.iter();
        texts.find(|text| text.notice_id(&self.controller.name) == *notice)
    }

    /// Refuses a message that could not be sent, or would not ask.
    pub(super) fn import_message_asks(&self) -> Result<(), InvalidConfig> {
        let Some(message) = &self.consents.import_message else {
            return Ok(());
        };
        match self.fault_of_message(message) {
            Some(fault) => place(format!("consents.import_message.{fault}")),
            None => Ok(()),
        }
    }

    /// What is wrong with it, from the field on.
    fn fault_of_message(&self, message: &ImportMessage) -> Option<String> {
        let Some(number) = self.number(&message.from) else {
            return Some("from: is neither id nor alias of a number".into());
        };
        if !number.carries(Purpose::Marketing) {
            return Some("from: this number carries no marketing".into());
        }
        if message.per_day == 0 {
            return Some(
                "per_day: expected at least 1; leave the section out to ask nobody".into(),
            );
        }
        if message.text_in(Locale::En).is_none() {
            return Some(
                "texts: has none for en, which goes to whoever has another language".into(),
            );
        }
        for (i, text) in message.texts.iter().enumerate() {
            let before = || message.texts.iter().take(i);
            if before().any(|other| other.locale == text.locale) {
                return Some(format!("texts[{i}].locale appears twice"));
            }
            if let Some(fault) = self.fault_of_text(message, text) {
                return Some(format!("texts[{i}].{fault}"));
            }
        }
        None
    }

    fn fault_of_text(&self, message: &ImportMessage, text: &ImportText) -> Option<String> {
        if !Locale::ALL.iter().any(|locale| locale.tag() == text.locale) {
            let known: Vec<&str> = Locale::ALL.iter().map(|locale| locale.tag()).collect();
            return Some(format!("locale: expected one of {}", known.join(", ")));
        }
        let Some(template) = self.template(&message.template, &text.language) else {
            return Some("language: the template is not declared in it under [[templates]]".into());
        };
        if !asks_with_two_buttons(template) {
            return Some("language: the template must be of marketing, take nothing in header and body, and have exactly two quick_reply buttons, 0 for yes and 1 for no, none optional".into());
        }
        if !(1..=LONGEST_NOTICE).contains(&text.notice.trim().chars().count()) {
            return Some(format!(
                "notice: expected the template's body, 1 to {LONGEST_NOTICE} characters"
            ));
        }
        let name = self.controller.name.trim();
        (!text.notice.contains(name)).then(|| {
            format!("notice: does not name {name}: Meta's opt-in policy requires the business name in every notice")
        })
    }
}

fn asks_with_two_buttons(template: &Template) -> bool {
    let mut buttons: Vec<u8> = template
        .buttons
        .iter()
        .filter(|button| button.kind == ButtonKind::QuickReply && !button.optional)
        .map(|button| button.index)
        .collect();
    buttons.sort_unstable();
    template.category == Category::Marketing
        && template.header.is_none()
        && template.body_count() == 0
        && template.other_components.is_empty()
        && template.buttons.len() == 2
        && buttons == [0, 1]
}
