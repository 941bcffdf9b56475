//! The pages: what a person sees.
//!
//! Server-rendered, without scripts, cookies, images or fonts from elsewhere. Written for a phone
//! first and for a screen reader as much as for an eye (WCAG 2.2 AA). Every value and every text
//! is escaped where it becomes markup. Decides nothing. A page of its own has a file of its own.

mod copy;
mod do_not_sell;
mod link;
mod opt_in;
mod preferences;
mod privacy;
mod requests;
mod unsubscribe;

use headgate_aws::privacy_requests::Chosen;
use headgate_domain::config::Config;
use headgate_domain::consent::Topic;
use headgate_domain::lane::Purpose;
use headgate_domain::retention::plan;
use headgate_redact::Personal;
use serde_json::Value;

use crate::decide::{Offer, Refused, Scope, Stop, View};
use crate::html::{Escaped, fill};
use crate::layout::{Width, document};
use crate::locale::{Language, Library, Plain};

pub(crate) use copy::Volumes;
pub(crate) use link::Said;
pub(crate) use opt_in::{notice, wording};
pub(crate) use preferences::Choices;
pub(crate) use requests::Stands;

/// What a page is made from.
pub(crate) struct Frame<'a> {
    /// The language of the page.
    pub(crate) language: &'a Language,
    /// Every language there is, for the switch.
    pub(crate) library: &'a Library,
    /// The configuration in force, or that it cannot be read.
    pub(crate) config: Option<&'a Config>,
    /// The address of the pages.
    pub(crate) base: &'a str,
}

/// A page of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// One of the views.
    View(View),
    /// The opt-in form again: nothing was ticked.
    NoneTicked(Offer),
    /// The opt-in form again: its wording is not the one in force.
    Changed(Offer),
    /// The code to send.
    Confirm(String),
    /// The form of a link to confirm again: its box was not ticked.
    NotTicked(String),
    /// What came of pressing the button of a link to confirm.
    Pressed(Said),
    /// The choices of one person, and what they have just stopped.
    Choices(Choices),
    /// The code of a request, and its reference.
    Code(String, Chosen),
    /// The copy behind a link, if it can be fetched.
    Copy(Option<Volumes>),
    /// A volume of a copy, to be read.
    CopyRead(Personal<Value>),
    /// The volume of a number, for machines.
    CopyFile(usize, Personal<Vec<u8>>),
    /// Where a request stands.
    Request(Stands),
    /// The withdrawal is durable.
    Unsubscribed(Scope),
    /// There is no page.
    Refused(Refused),
}

impl Page {
    /// The page as HTML, or what programs read instead.
    pub(crate) fn render(&self, frame: &Frame<'_>) -> String {
        let texts = &frame.language.texts;
        match self {
            Self::View(View::OptIn(offered)) => opt_in::form(frame, offered, None),
            Self::View(View::Unsubscribe(token)) => unsubscribe::form(frame, token),
            Self::View(View::ConfirmLink(token)) => link::page(frame, token.as_deref(), None),
            Self::View(View::Privacy) => privacy::page(frame),
            Self::View(View::DoNotSell { signal }) => do_not_sell::page(frame, *signal),
            Self::View(View::GpcStatement) => do_not_sell::statement(),
            Self::View(View::Requests) => requests::form(frame),
            Self::Code(code, chosen) => requests::code(frame, code, chosen),
            Self::Copy(volumes) => copy::door(frame, volumes.as_ref()),
            Self::CopyRead(value) => copy::read(frame, value.reveal()),
            Self::CopyFile(_, text) => String::from_utf8_lossy(text.reveal()).into_owned(),
            Self::Request(stands) => requests::status(frame, stands),
            Self::NoneTicked(offered) => {
                opt_in::form(frame, offered, Some(&texts.opt_in.none_ticked))
            }
            Self::Changed(offered) => opt_in::form(frame, offered, Some(&texts.opt_in.changed)),
            Self::Confirm(code) => opt_in::confirm(frame, code),
            Self::NotTicked(token) => link::page(frame, Some(token), Some(&texts.link.not_ticked)),
            Self::Pressed(said) => link::pressed(frame, *said),
            Self::Choices(choices) => preferences::page(frame, choices),
            Self::Unsubscribed(scope) => unsubscribe::done(frame, *scope),
            Self::Refused(refused) => plain(frame, texts.refusal(*refused)),
        }
    }
}

impl Frame<'_> {
    /// An offer of what there is: a topic that nobody declared is none.
    pub(crate) fn declared(&self, mut offer: Offer) -> Offer {
        let (Some(topic), [purpose]) = (&offer.topic, offer.purposes.as_slice()) else {
            offer.topic = None;
            return offer;
        };
        if self.topic(*purpose, topic).is_none() {
            offer.topic = None;
        }
        offer
    }

    /// Whether there is what somebody stops. What cannot be looked up is taken: a no must always be possible.
    pub(crate) fn has(&self, stop: &Stop) -> bool {
        let is_declared = |topic| {
            let mut purposes = stop.scope.purposes().iter();
            purposes.all(|purpose| self.topic(*purpose, topic).is_some())
        };
        self.config.is_none() || stop.topic.as_ref().is_none_or(is_declared)
    }

    /// What people read for a topic.
    fn topic(&self, purpose: Purpose, topic: &Topic) -> Option<&str> {
        let declared = self.config?.consents.topic(purpose, topic)?;
        Some(declared.label(self.language.tag()))
    }

    /// The name people know the business by.
    pub(crate) fn business(&self) -> &str {
        let unknown = self.language.texts.common.this_business.as_str();
        self.config
            .map_or(unknown, |config| config.controller.name.as_str())
    }

    /// The number people write to.
    fn number(&self) -> &str {
        self.config
            .and_then(|config| config.numbers.first())
            .map_or("", |number| number.display.as_str())
    }

    /// A sentence of the locale with its places filled, not yet escaped.
    pub(crate) fn say(&self, sentence: &str) -> String {
        let years = plan().people.years.to_string();
        let values = [
            ("business", self.business()),
            ("number", self.number()),
            ("years", &years),
        ];
        fill(sentence, &values)
    }

    /// A sentence as markup.
    fn show(&self, sentence: &str) -> String {
        Escaped(&self.say(sentence)).to_string()
    }

    /// Sentences as markup, each in a tag.
    fn each(&self, sentences: &[String], tag: &str) -> String {
        let one = |sentence: &String| format!("<{tag}>{}</{tag}>\n", self.show(sentence));
        sentences.iter().map(one).collect()
    }

    fn list(&self, sentences: &[String]) -> String {
        format!("<ul>\n{}</ul>\n", self.each(sentences, "li"))
    }

    /// The heading of a page and the sentence under it.
    fn heading(&self, title: &str, lead: &str) -> String {
        format!(
            "<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
            self.show(title),
            self.show(lead)
        )
    }

    /// The field by which a form says which language it was in.
    fn language_field(&self) -> String {
        format!(
            "<input type=\"hidden\" name=\"lang\" value=\"{}\">\n",
            self.language.tag()
        )
    }

    /// The title of a page whose form comes back with a problem says so first.
    fn title(&self, title: &str, problem: Option<&str>) -> String {
        let title = self.say(title);
        match problem {
            Some(_) => format!("{}: {title}", self.language.texts.common.error_prefix),
            None => title,
        }
    }

    /// The business's own policy, if it is an address that is safe to link to.
    fn policy_url(&self) -> Option<&str> {
        self.config?
            .controller
            .privacy_policy_url
            .as_deref()
            .filter(|url| url.starts_with("https://"))
    }

    fn policy_link(&self) -> String {
        self.policy_url().map_or_else(String::new, |url| {
            let text = self.show(&self.language.texts.common.policy_link);
            format!("<p>{}</p>\n", link(url, &text))
        })
    }
}

/// A link to somewhere else; `text` is markup.
fn link(url: &str, text: &str) -> String {
    format!(
        "<a href=\"{}\" rel=\"noopener noreferrer\">{text}</a>",
        Escaped(url)
    )
}

/// Where somebody answers, as a link where it is one.
fn address(text: &str) -> String {
    let text = text.trim();
    let shown = Escaped(text).to_string();
    if text.starts_with("https://") {
        link(text, &shown)
    } else if text.contains('@') && !text.contains([' ', '?', ':', '"']) {
        format!("<a href=\"mailto:{shown}\">{shown}</a>")
    } else {
        shown
    }
}

/// What was wrong the last time, above a form; empty when nothing was.
fn alert(problem: Option<&str>) -> String {
    problem.map_or_else(String::new, |problem| {
        format!(
            "<div class=\"alert\" role=\"alert\" id=\"problem\"><p>{}</p></div>\n",
            Escaped(problem)
        )
    })
}

/// The attribute by which the fields of a form say what was wrong.
const fn described(problem: Option<&str>) -> &'static str {
    match problem {
        Some(_) => " aria-describedby=\"problem\"",
        None => "",
    }
}

/// A label and what it is of; both are markup.
fn pair(label: &str, value: &str) -> String {
    format!("<div><dt>{label}</dt><dd>{value}</dd></div>\n")
}

/// A checkbox or radio button with its label and hint; `value` is a word of ours.
fn choice(
    kind: &str,
    name: &str,
    value: &str,
    is_checked: bool,
    label: &str,
    hint: &str,
) -> String {
    let checked = if is_checked { " checked" } else { "" };
    format!(
        "<div class=\"choice\"><input type=\"{kind}\" id=\"{value}\" name=\"{name}\" value=\"{value}\" aria-describedby=\"{value}-hint\"{checked}>\
         <label for=\"{value}\">{}</label><p class=\"small\" id=\"{value}-hint\">{}</p></div>\n",
        Escaped(label),
        Escaped(hint)
    )
}

fn plain(frame: &Frame<'_>, texts: &Plain) -> String {
    let main = frame.heading(&texts.title, &texts.text);
    document(frame, Width::Form, &texts.title, &main, None)
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
