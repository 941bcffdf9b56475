//! Stopping: the page behind the link in a message. Opening it is one step, the button the other.

use super::{Frame, choice};
use crate::decide::Scope;
use crate::html::Escaped;
use crate::layout::{TICK, Width, document};

/// The form, and the way to the person's other choices, which the same token opens.
pub(super) fn form(frame: &Frame<'_>, token: &str) -> String {
    let texts = &frame.language.texts.unsubscribe;
    let (marketing, marketing_hint) = (
        frame.say(&texts.marketing),
        frame.say(&texts.marketing_hint),
    );
    let (everything, everything_hint) = (
        frame.say(&texts.everything),
        frame.say(&texts.everything_hint),
    );
    let choices = [
        choice(
            "radio",
            "scope",
            "marketing",
            true,
            &marketing,
            &marketing_hint,
        ),
        choice(
            "radio",
            "scope",
            "everything",
            false,
            &everything,
            &everything_hint,
        ),
    ];
    let main = format!(
        "{heading}<form method=\"post\">\n{language}\
         <fieldset>\n<legend>{legend}</legend>\n{choices}</fieldset>\n<button type=\"submit\">{submit}</button>\n</form>\n\
         <p><a href=\"{base}/p/{token}?lang={lang}\">{more}</a></p>\n",
        heading = frame.heading(&texts.title, &texts.lead),
        language = frame.language_field(),
        legend = frame.show(&texts.legend),
        choices = choices.concat(),
        submit = frame.show(&texts.submit),
        base = Escaped(frame.base),
        token = Escaped(token),
        lang = frame.language.tag(),
        more = frame.show(&texts.more),
    );
    document(
        frame,
        Width::Form,
        &frame.say(&texts.title),
        &main,
        Some(""),
    )
}

/// It is stopped.
pub(super) fn done(frame: &Frame<'_>, scope: Scope) -> String {
    let texts = &frame.language.texts;
    let stopped = match scope {
        Scope::Marketing => &texts.unsubscribe.marketing,
        Scope::Utility => &texts.opt_in.utility,
        Scope::Everything => &texts.unsubscribe.everything,
    };
    let main = format!(
        "<p class=\"seal\">{TICK}</p>\n{heading}<p class=\"panel\"><strong>{stopped}</strong></p>\n<p>{again}</p>\n",
        heading = frame.heading(&texts.unsubscribed.title, &texts.unsubscribed.lead),
        stopped = frame.show(stopped),
        again = frame.show(&texts.unsubscribed.again),
    );
    let title = frame.say(&texts.unsubscribed.title);
    document(frame, Width::Form, &title, &main, None)
}
