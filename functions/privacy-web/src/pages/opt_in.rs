//! Opting in: the form with the business's notice, and the code that makes it a yes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headgate_domain::lane::Purpose;
use sha2::{Digest as _, Sha256};

use super::{Frame, alert, choice, described};
use crate::decide::Offer;
use crate::html::Escaped;
use crate::layout::{Width, document};
use crate::locale::OptIn;

/// The label of a purpose on the opt-in form, and what it means.
pub(super) fn label(texts: &OptIn, purpose: Purpose) -> Option<(&str, &str)> {
    match purpose {
        Purpose::Marketing => Some((&texts.marketing, &texts.marketing_hint)),
        Purpose::Utility => Some((&texts.utility, &texts.utility_hint)),
        Purpose::Authentication | Purpose::Service => None,
    }
}

/// The label of what is offered of a purpose, and what it means: of a topic its own, and what it is part of.
fn words(frame: &Frame<'_>, offered: &Offer, purpose: Purpose) -> Option<(String, String)> {
    let (of_purpose, hint) = label(&frame.language.texts.opt_in, purpose)?;
    let topic = offered.topic.as_ref();
    Some(match topic.and_then(|topic| frame.topic(purpose, topic)) {
        Some(topic) => (topic.to_owned(), frame.say(of_purpose)),
        None => (frame.say(of_purpose), frame.say(hint)),
    })
}

/// The wording a person saw, with what they ticked: what the consent record will quote.
pub(crate) fn notice(frame: &Frame<'_>, offered: &Offer, ticked: &[Purpose]) -> String {
    let texts = &frame.language.texts.opt_in;
    let mut lines: Vec<String> = texts
        .notice
        .iter()
        .map(|sentence| frame.say(sentence))
        .collect();
    lines.push(frame.say(&texts.legend));
    lines.extend(offered.purposes.iter().filter_map(|purpose| {
        let (label, hint) = words(frame, offered, *purpose)?;
        let mark = if ticked.contains(purpose) {
            "[x]"
        } else {
            "[ ]"
        };
        Some(format!("{mark} {label}: {hint}"))
    }));
    lines.extend(frame.policy_url().map(|url| {
        format!(
            "{}: {url}",
            frame.say(&frame.language.texts.common.policy_link)
        )
    }));
    lines.join("\n")
}

/// A short name for the wording that is in force, so that a form can say which one it showed.
pub(crate) fn wording(frame: &Frame<'_>, offered: &Offer) -> String {
    let hash = Sha256::digest(notice(frame, offered, &[]));
    URL_SAFE_NO_PAD.encode(hash.get(..16).unwrap_or_default())
}

/// How far a person has come; the bar says the same as the words.
fn step(frame: &Frame<'_>, text: &str, class: &str) -> String {
    format!("<p class=\"step {class}\">{}</p>\n", frame.show(text))
}

/// The form, with what was wrong the last time.
pub(super) fn form(frame: &Frame<'_>, offered: &Offer, problem: Option<&str>) -> String {
    let texts = &frame.language.texts.opt_in;
    let choices: String = offered
        .purposes
        .iter()
        .filter_map(|purpose| {
            let (label, hint) = words(frame, offered, *purpose)?;
            let word = purpose.word();
            Some(choice("checkbox", "purpose", word, false, &label, &hint))
        })
        .collect();
    let main = format!(
        "{step}{heading}{alert}<div class=\"panel\">\n<ul class=\"notice\">\n{notice}</ul>\n{policy}</div>\n\
         <form method=\"post\">\n{language}\
         <input type=\"hidden\" name=\"wording\" value=\"{wording}\">\n\
         <fieldset{described}>\n<legend>{legend}</legend>\n{choices}</fieldset>\n\
         <button type=\"submit\">{submit}</button>\n<p class=\"small\">{next}</p>\n</form>\n",
        step = step(frame, &texts.step, "first"),
        alert = alert(problem),
        described = described(problem),
        heading = frame.heading(&texts.title, &texts.lead),
        notice = frame.each(&texts.notice, "li"),
        policy = frame.policy_link(),
        language = frame.language_field(),
        wording = wording(frame, offered),
        legend = frame.show(&texts.legend),
        next = frame.show(&texts.next),
        submit = frame.show(&texts.submit),
    );
    let purposes = offered.purposes.iter();
    let purposes: Vec<&str> = purposes.map(|purpose| purpose.word()).collect();
    let topic = offered.topic.as_ref();
    let topic = topic.map_or_else(String::new, |topic| format!("topic={topic}&"));
    let query = format!("purpose={}&{topic}", purposes.join(","));
    let title = frame.title(&texts.title, problem);
    document(frame, Width::Form, &title, &main, Some(&query))
}

/// The page with the code: only the person's own message is the yes.
pub(super) fn confirm(frame: &Frame<'_>, code: &str) -> String {
    let texts = &frame.language.texts.confirm;
    let digits: String = frame
        .number()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let main = format!(
        "{step}{heading}<div class=\"panel message\">\n<p class=\"small\">{label}</p>\n\
         <p class=\"code\" dir=\"ltr\"><strong>CONFIRM {code}</strong></p>\n</div>\n\
         <p><a class=\"button\" href=\"https://wa.me/{digits}?text=CONFIRM%20{code}\" rel=\"noopener noreferrer\">{open}</a></p>\n\
         <p>{by_hand}</p>\n<p class=\"small\">{expires}</p>\n",
        step = step(frame, &texts.step, "second"),
        heading = frame.heading(&texts.title, &texts.lead),
        label = frame.show(&texts.code_label),
        open = frame.show(&texts.open),
        by_hand = frame.show(&texts.by_hand),
        expires = frame.show(&texts.expires),
        code = Escaped(code),
    );
    document(frame, Width::Form, &frame.say(&texts.title), &main, None)
}
