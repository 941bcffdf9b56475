//! Asking for what a law gives a person, and where a request stands.
//!
//! The form takes no number: whose data it is, the person's own message says. The page of a request shows its dates
//! and its receipt to whoever has its reference, and nothing of whose it is; a reference that was never given looks
//! like one whose message has not come.

use headgate_aws::privacy_requests::{Chosen, Request};
use headgate_domain::privacy::{Choice, Denial, Extension, State};
use headgate_domain::profiles::Right;
use headgate_domain::time::Timestamp;

use super::{Frame, choice};
use crate::html::Escaped;
use crate::layout::{Width, document};
use crate::locale::{Request as Texts, Requests};

/// What of a request may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stands {
    known: Option<Known>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    right: Right,
    state: State,
    received_at: Timestamp,
    run_at: Timestamp,
    due_at: Timestamp,
    closed_at: Option<Timestamp>,
    receipt: Option<String>,
    extension: Option<Extension>,
    denial: Option<Denial>,
}

impl Stands {
    /// Where a request stands, if there is one.
    pub(crate) fn of(request: Option<Request>) -> Self {
        let known = request.map(|request| Known {
            right: request.right,
            state: request.state,
            received_at: request.received_at,
            run_at: request.run_at,
            due_at: request.due_at,
            closed_at: request.closed_at,
            receipt: request.receipt,
            extension: request.extension,
            denial: request.denial,
        });
        Self { known }
    }
}

/// What can be asked for, what goes and what stays when data is deleted, and the button.
pub(super) fn form(frame: &Frame<'_>) -> String {
    let texts = &frame.language.texts.requests;
    let offer = |one: Choice| {
        let words = Words::of(texts, one);
        let [label, hint] = [words.label, words.hint].map(|text| frame.say(text));
        let is_first = Choice::OFFERED.first() == Some(&one);
        choice("radio", "ask", one.word(), is_first, &label, &hint)
    };
    let rights = Choice::OFFERED.map(offer);
    let main = format!(
        "{heading}<form method=\"post\">\n{language}\
         <fieldset>\n<legend>{legend}</legend>\n{rights}</fieldset>\n\
         <button type=\"submit\">{submit}</button>\n<p class=\"small\">{next}</p>\n</form>\n\
         <div class=\"panel\">\n<h2>{what_title}</h2>\n<ul class=\"notice\">\n{what}</ul>\n</div>\n",
        heading = frame.heading(&texts.title, &texts.lead),
        language = frame.language_field(),
        legend = frame.show(&texts.legend),
        rights = rights.concat(),
        submit = frame.show(&texts.submit),
        next = frame.show(&texts.next),
        what_title = frame.show(&texts.what_title),
        what = frame.each(&texts.what, "li"),
    );
    document(
        frame,
        Width::Form,
        &frame.say(&texts.title),
        &main,
        Some(""),
    )
}

/// The message that proves it. It says what it is for, so that nobody sends it for somebody else unawares.
pub(super) fn code(frame: &Frame<'_>, code: &str, chosen: &Chosen) -> String {
    let texts = &frame.language.texts.requests;
    let confirm = &frame.language.texts.confirm;
    let digits: String = frame
        .number()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let words = Words::of(texts, chosen.choice).message;
    let message = format!("{words} PRIVACY {code}");
    let encoded: String = form_urlencoded::byte_serialize(message.as_bytes()).collect();
    let encoded = encoded.replace('+', "%20");
    // What ends a request becomes none itself.
    let see = if chosen.choice == Choice::Lift {
        String::new()
    } else {
        format!(
            "<p><a href=\"{base}/r/{id}?lang={lang}\">{see}</a></p>\n",
            base = Escaped(frame.base),
            id = chosen.request,
            lang = frame.language.tag(),
            see = frame.show(&texts.see),
        )
    };
    let main = format!(
        "{heading}<div class=\"panel message\">\n<p class=\"small\">{label}</p>\n\
         <p class=\"code\"><strong>{message}</strong></p>\n</div>\n\
         <p><a class=\"button\" href=\"https://wa.me/{digits}?text={encoded}\" rel=\"noopener noreferrer\">{open}</a></p>\n\
         <p>{by_hand}</p>\n<p class=\"small\">{expires}</p>\n{see}",
        heading = frame.heading(&texts.code_title, &texts.code_lead),
        label = frame.show(&confirm.code_label),
        message = Escaped(&message),
        open = frame.show(&confirm.open),
        by_hand = frame.show(&confirm.by_hand),
        expires = frame.show(&texts.expires),
    );
    document(
        frame,
        Width::Form,
        &frame.say(&texts.code_title),
        &main,
        None,
    )
}

/// What is said of a choice: its label, what comes of it, and what the message says before the code.
struct Words<'a> {
    label: &'a str,
    hint: &'a str,
    message: &'a str,
}

impl<'a> Words<'a> {
    fn of(texts: &'a Requests, choice: Choice) -> Self {
        let [label, hint, message] = match choice {
            Choice::Right(Right::Erasure) => {
                [&texts.erasure, &texts.erasure_hint, &texts.message_erasure]
            }
            Choice::Right(Right::Objection) => [
                &texts.objection,
                &texts.objection_hint,
                &texts.message_objection,
            ],
            Choice::Right(Right::Restriction) => [
                &texts.restriction,
                &texts.restriction_hint,
                &texts.message_restriction,
            ],
            Choice::Lift => [&texts.lift, &texts.lift_hint, &texts.message_lift],
            Choice::Right(Right::Rectification) => [
                &texts.rectification,
                &texts.rectification_hint,
                &texts.message_rectification,
            ],
            Choice::Right(Right::Access | Right::Portability | Right::DoNotSell) => {
                [&texts.access, &texts.access_hint, &texts.message_access]
            }
        };
        Self {
            label,
            hint,
            message,
        }
    }
}

/// Where a request stands, in a sentence. That a part was left out is said in the copy alone: whoever has the
/// reference could learn from it that a number has another owner.
const fn stage(texts: &Texts, right: Right, state: State) -> &String {
    match (right, state) {
        (Right::Erasure, State::IdentityPending | State::Verified) => &texts.waiting,
        (Right::Erasure, State::Running) => &texts.running,
        (Right::Erasure, State::Fulfilled | State::PartiallyFulfilled) => &texts.fulfilled,
        (Right::Erasure, State::Denied | State::Withdrawn | State::Expired) => &texts.not_done,
        (_, State::Held) => &texts.held,
        (_, State::Denied | State::Withdrawn | State::Expired) => &texts.refused,
        // In force before it is closed.
        (
            Right::Objection,
            State::IdentityPending
            | State::Verified
            | State::Running
            | State::Fulfilled
            | State::PartiallyFulfilled,
        ) => &texts.objection_done,
        (Right::Restriction, State::IdentityPending | State::Verified | State::Running) => {
            &texts.restriction_in_force
        }
        (Right::Restriction, State::Fulfilled | State::PartiallyFulfilled) => {
            &texts.restriction_over
        }
        (Right::Rectification, State::IdentityPending | State::Verified | State::Running) => {
            &texts.rectification_waiting
        }
        (Right::Rectification, State::Fulfilled | State::PartiallyFulfilled) => {
            &texts.rectification_done
        }
        (
            Right::Access | Right::Portability | Right::DoNotSell,
            State::IdentityPending | State::Verified | State::Running,
        ) => &texts.access_waiting,
        (
            Right::Access | Right::Portability | Right::DoNotSell,
            State::Fulfilled | State::PartiallyFulfilled,
        ) => &texts.access_done,
    }
}

/// Why it takes longer, or was denied, in words; and who may be asked whether that is right.
fn reasons(frame: &Frame<'_>, known: &Known) -> String {
    let texts = &frame.language.texts.request;
    let paragraph = |text: &str| format!("<p>{}</p>\n", frame.show(text));
    if let Some(why) = known.denial {
        return paragraph(texts.denials.of(why)) + &paragraph(&texts.complain);
    }
    let why = known.extension.filter(|_why| known.closed_at.is_none());
    why.map_or_else(String::new, |why| paragraph(texts.extensions.of(why)))
}

/// Where a request stands.
pub(super) fn status(frame: &Frame<'_>, stands: &Stands) -> String {
    let texts = &frame.language.texts.request;
    let Some(known) = &stands.known else {
        let main = frame.heading(&texts.title, &texts.unknown);
        return document(
            frame,
            Width::Form,
            &frame.say(&texts.title),
            &main,
            Some(""),
        );
    };
    let lead = stage(texts, known.right, known.state);
    let row = |label: &str, at: Timestamp| {
        let label = frame.show(label);
        format!(
            "<dt>{label}</dt>\n<dd><time datetime=\"{at}\">{}</time></dd>\n",
            minute(at)
        )
    };
    let mut dates = row(&texts.received, known.received_at);
    if let Some(closed_at) = known.closed_at {
        dates.push_str(&row(&texts.closed, closed_at));
    } else {
        // What is in force already, or the business carries out, is planned for no moment.
        let (is_planned, is_due) = match known.right {
            Right::Objection | Right::Restriction => (false, false),
            Right::Rectification => (false, true),
            Right::Access | Right::Portability | Right::Erasure | Right::DoNotSell => (true, true),
        };
        if is_planned {
            dates.push_str(&row(&texts.planned, known.run_at));
        }
        if is_due {
            dates.push_str(&row(&texts.due, known.due_at));
        }
    }
    let receipt = known.receipt.as_ref().map_or_else(String::new, |note| {
        format!(
            "<h2>{}</h2>\n<p>{}</p>\n<pre class=\"receipt\" dir=\"ltr\" tabindex=\"0\">{}</pre>\n",
            frame.show(&texts.receipt_title),
            frame.show(&texts.receipt),
            Escaped(note)
        )
    });
    let main = format!(
        "{}{}<dl class=\"dates\">\n{dates}</dl>\n{receipt}",
        frame.heading(&texts.title, lead),
        reasons(frame, known)
    );
    document(
        frame,
        Width::Text,
        &frame.say(&texts.title),
        &main,
        Some(""),
    )
}

/// A moment to the minute, as everybody reads it: the day, the time, and which time it is.
fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", time.get(..5).unwrap_or_default())
}
