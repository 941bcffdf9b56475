//! The pages: what a person sees.
//!
//! Server-rendered, without scripts, cookies, images or fonts from elsewhere. Written for a phone
//! first and for a screen reader as much as for an eye (WCAG 2.2 AA). Every value and every text
//! is escaped where it becomes markup. Decides nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headgate_domain::config::Config;
use headgate_domain::lane::Purpose;
use sha2::{Digest as _, Sha256};

use crate::decide::{Refused, Scope, View};
use crate::html::{Escaped, fill};
use crate::layout::document;
use crate::locale::{Locale, OptIn, Plain, Texts};

/// What a page is made from.
pub(crate) struct Frame<'a> {
    pub(crate) texts: &'a Texts,
    pub(crate) locale: Locale,
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
    NoneTicked(Vec<Purpose>),
    /// The opt-in form again: its wording is not the one in force.
    Changed(Vec<Purpose>),
    /// The code to send.
    Confirm(String),
    /// The withdrawal is durable.
    Unsubscribed(Scope),
    /// There is no page.
    Refused(Refused),
}

impl Page {
    /// The page as HTML.
    pub(crate) fn render(&self, frame: &Frame<'_>) -> String {
        match self {
            Self::View(View::OptIn(offered)) => opt_in(frame, offered, None),
            Self::View(View::Unsubscribe) => unsubscribe(frame),
            Self::View(View::Privacy) => privacy(frame),
            Self::NoneTicked(offered) => {
                opt_in(frame, offered, Some(&frame.texts.opt_in.none_ticked))
            }
            Self::Changed(offered) => opt_in(frame, offered, Some(&frame.texts.opt_in.changed)),
            Self::Confirm(code) => confirm(frame, code),
            Self::Unsubscribed(scope) => unsubscribed(frame, *scope),
            Self::Refused(refused) => plain(frame, frame.texts.refusal(*refused)),
        }
    }
}

impl Texts {
    /// The words for a refusal.
    pub(crate) const fn refusal(&self, refused: Refused) -> &Plain {
        match refused {
            Refused::NotFound => &self.not_found,
            Refused::Method(_) => &self.method_not_allowed,
            Refused::TooLarge => &self.too_large,
            Refused::WrongType => &self.wrong_type,
            Refused::CrossSite => &self.cross_site,
            Refused::Unavailable => &self.unavailable,
        }
    }
}

impl Frame<'_> {
    /// The name people know the business by.
    pub(crate) fn business(&self) -> &str {
        self.config
            .map_or(self.texts.common.this_business.as_str(), |config| {
                config.controller.name.as_str()
            })
    }

    /// A sentence of the locale with its places filled, not yet escaped.
    pub(crate) fn say(&self, sentence: &str) -> String {
        let number = self
            .config
            .and_then(|config| config.numbers.first())
            .map_or("", |number| number.display.as_str());
        fill(
            sentence,
            &[("business", self.business()), ("number", number)],
        )
    }

    fn paragraphs(&self, sentences: &[String], tag: &str) -> String {
        sentences
            .iter()
            .map(|sentence| format!("<{tag}>{}</{tag}>\n", Escaped(&self.say(sentence))))
            .collect::<Vec<_>>()
            .concat()
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
            let text = self.say(&self.texts.common.policy_link);
            format!(
                "<p><a href=\"{}\" rel=\"noopener noreferrer\">{}</a></p>\n",
                Escaped(url),
                Escaped(&text)
            )
        })
    }
}

/// The label of a purpose on the opt-in form, and what it means.
fn label(texts: &OptIn, purpose: Purpose) -> Option<(&str, &str)> {
    match purpose {
        Purpose::Marketing => Some((&texts.marketing, &texts.marketing_hint)),
        Purpose::Utility => Some((&texts.utility, &texts.utility_hint)),
        Purpose::Authentication | Purpose::Service => None,
    }
}

/// The wording a person saw, with what they ticked: what the consent record will quote.
pub(crate) fn notice(frame: &Frame<'_>, offered: &[Purpose], ticked: &[Purpose]) -> String {
    let texts = &frame.texts.opt_in;
    let mut lines: Vec<String> = texts
        .notice
        .iter()
        .map(|sentence| frame.say(sentence))
        .collect();
    lines.push(frame.say(&texts.legend));
    lines.extend(offered.iter().filter_map(|purpose| {
        let (label, hint) = label(texts, *purpose)?;
        let mark = if ticked.contains(purpose) {
            "[x]"
        } else {
            "[ ]"
        };
        Some(format!("{mark} {}: {}", frame.say(label), frame.say(hint)))
    }));
    lines.extend(
        frame
            .policy_url()
            .map(|url| format!("{}: {url}", frame.say(&frame.texts.common.policy_link))),
    );
    lines.join("\n")
}

/// A short name for the wording that is in force, so that a form can say which one it showed.
pub(crate) fn wording(frame: &Frame<'_>, offered: &[Purpose]) -> String {
    let hash = Sha256::digest(notice(frame, offered, &[]));
    URL_SAFE_NO_PAD.encode(hash.get(..16).unwrap_or_default())
}

fn opt_in(frame: &Frame<'_>, offered: &[Purpose], problem: Option<&str>) -> String {
    let texts = &frame.texts.opt_in;
    let title = frame.say(&texts.title);
    let alert = problem.map_or_else(String::new, |problem| {
        format!(
            "<div class=\"alert\" role=\"alert\" id=\"problem\"><p>{}</p></div>\n",
            Escaped(problem)
        )
    });
    let described = if problem.is_some() {
        " aria-describedby=\"problem\""
    } else {
        ""
    };
    let choices: String = offered
        .iter()
        .filter_map(|purpose| {
            let (label, hint) = label(texts, *purpose)?;
            Some(choice(
                "checkbox",
                "purpose",
                purpose.word(),
                false,
                &frame.say(label),
                &frame.say(hint),
            ))
        })
        .collect();
    let main = format!(
        "<h1>{title}</h1>\n<p class=\"lead\">{lead}</p>\n{alert}{notice}{policy}\
         <form method=\"post\">\n\
         <input type=\"hidden\" name=\"lang\" value=\"{lang}\">\n\
         <input type=\"hidden\" name=\"wording\" value=\"{wording}\">\n\
         <fieldset{described}>\n<legend>{legend}</legend>\n{choices}</fieldset>\n\
         <p class=\"small\">{next}</p>\n<button type=\"submit\">{submit}</button>\n</form>\n",
        title = Escaped(&title),
        lead = Escaped(&frame.say(&texts.lead)),
        notice = frame.paragraphs(&texts.notice, "p"),
        policy = frame.policy_link(),
        lang = frame.locale.tag(),
        wording = wording(frame, offered),
        legend = Escaped(&frame.say(&texts.legend)),
        next = Escaped(&frame.say(&texts.next)),
        submit = Escaped(&frame.say(&texts.submit)),
    );
    let title = if problem.is_some() {
        format!("{}: {title}", frame.texts.common.error_prefix)
    } else {
        title
    };
    let words: Vec<&str> = offered.iter().map(|purpose| purpose.word()).collect();
    document(
        frame,
        &title,
        &main,
        Some(&format!("purpose={}&", words.join(","))),
    )
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

fn confirm(frame: &Frame<'_>, code: &str) -> String {
    let texts = &frame.texts.confirm;
    let title = frame.say(&texts.title);
    let number = frame
        .config
        .and_then(|config| config.numbers.first())
        .map_or("", |number| number.display.as_str());
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let main = format!(
        "<h1>{}</h1>\n<p class=\"lead\">{}</p>\n\
         <p class=\"small\">{}</p>\n<strong class=\"code\">CONFIRM {code}</strong>\n\
         <p><a class=\"button\" href=\"https://wa.me/{digits}?text=CONFIRM%20{code}\" rel=\"noopener noreferrer\">{}</a></p>\n\
         <p>{}</p>\n<p class=\"small\">{}</p>\n",
        Escaped(&title),
        Escaped(&frame.say(&texts.lead)),
        Escaped(&frame.say(&texts.code_label)),
        Escaped(&frame.say(&texts.open)),
        Escaped(&frame.say(&texts.by_hand)),
        Escaped(&frame.say(&texts.expires)),
        code = Escaped(code),
    );
    document(frame, &title, &main, None)
}

fn unsubscribe(frame: &Frame<'_>) -> String {
    let texts = &frame.texts.unsubscribe;
    let title = frame.say(&texts.title);
    let choices = [
        choice(
            "radio",
            "scope",
            "marketing",
            true,
            &frame.say(&texts.marketing),
            &frame.say(&texts.marketing_hint),
        ),
        choice(
            "radio",
            "scope",
            "everything",
            false,
            &frame.say(&texts.everything),
            &frame.say(&texts.everything_hint),
        ),
    ];
    let main = format!(
        "<h1>{}</h1>\n<p class=\"lead\">{}</p>\n<form method=\"post\">\n\
         <input type=\"hidden\" name=\"lang\" value=\"{}\">\n\
         <fieldset>\n<legend>{}</legend>\n{}</fieldset>\n<button type=\"submit\">{}</button>\n</form>\n",
        Escaped(&title),
        Escaped(&frame.say(&texts.lead)),
        frame.locale.tag(),
        Escaped(&frame.say(&texts.legend)),
        choices.concat(),
        Escaped(&frame.say(&texts.submit)),
    );
    document(frame, &title, &main, Some(""))
}

fn unsubscribed(frame: &Frame<'_>, scope: Scope) -> String {
    let texts = &frame.texts;
    let title = frame.say(&texts.unsubscribed.title);
    let stopped = match scope {
        Scope::Marketing => &texts.unsubscribe.marketing,
        Scope::Everything => &texts.unsubscribe.everything,
    };
    let main = format!(
        "<h1>{}</h1>\n<p class=\"lead\">{}</p>\n<p><strong>{}</strong></p>\n<p>{}</p>\n",
        Escaped(&title),
        Escaped(&frame.say(&texts.unsubscribed.lead)),
        Escaped(&frame.say(stopped)),
        Escaped(&frame.say(&texts.unsubscribed.again)),
    );
    document(frame, &title, &main, None)
}

fn privacy(frame: &Frame<'_>) -> String {
    let texts = &frame.texts.privacy;
    let title = frame.say(&texts.title);
    let heading = |text: &str| format!("<h2>{}</h2>\n", Escaped(&frame.say(text)));
    let list = |sentences: &[String]| format!("<ul>\n{}</ul>\n", frame.paragraphs(sentences, "li"));
    let stored = texts
        .stored
        .iter()
        .map(|row| {
            format!(
                "<dt>{}</dt><dd>{}</dd>\n",
                Escaped(&frame.say(&row.what)),
                Escaped(&frame.say(&row.how_long))
            )
        })
        .collect::<Vec<_>>()
        .concat();
    let main = [
        format!(
            "<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
            Escaped(&title),
            Escaped(&frame.say(&texts.lead))
        ),
        heading(&texts.stored_heading),
        format!("<dl>\n{stored}</dl>\n"),
        heading(&texts.who_heading),
        list(&texts.who),
        heading(&texts.rights_heading),
        list(&texts.rights),
        heading(&texts.contact_heading),
        format!(
            "<p>{} {}</p>\n",
            Escaped(&frame.say(&texts.contact)),
            contact(frame)
        ),
        frame.policy_link(),
        heading(&texts.security_heading),
        list(&texts.security),
    ];
    document(frame, &title, &main.concat(), Some(""))
}

/// Where the business answers, as a link where it is one.
fn contact(frame: &Frame<'_>) -> String {
    let contact = frame
        .config
        .map_or("", |config| config.controller.privacy_contact.trim());
    let shown = Escaped(contact);
    if contact.starts_with("https://") {
        format!("<a href=\"{shown}\" rel=\"noopener noreferrer\">{shown}</a>")
    } else if contact.contains('@') && !contact.contains([' ', '?', ':']) {
        format!("<a href=\"mailto:{shown}\">{shown}</a>")
    } else {
        shown.to_string()
    }
}

fn plain(frame: &Frame<'_>, texts: &Plain) -> String {
    let main = format!(
        "<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
        Escaped(&texts.title),
        Escaped(&frame.say(&texts.text))
    );
    document(frame, &texts.title, &main, None)
}

#[cfg(test)]
#[path = "pages_tests.rs"]
mod tests;
