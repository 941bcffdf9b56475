//! Confirming by a link: the page behind it, and what pressing its button came to (ADR 0027).
//!
//! The page is the same for every link, so that opening one tells nothing: neither whose it is, nor whether
//! it still counts.

use super::{Frame, alert, choice, described};
use crate::html::Escaped;
use crate::layout::{TICK, Width, document};

/// What came of pressing the button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is a yes.
    Confirmed,
    /// It was one before; nothing changed.
    Already,
    /// The link has run out.
    Over,
    /// It looks like a program's doing; nothing changed.
    Automatic,
}

/// The form, or for a program that only fetches the page without it.
pub(super) fn page(frame: &Frame<'_>, token: Option<&str>, problem: Option<&str>) -> String {
    let texts = &frame.language.texts.link;
    let form = token.map_or_else(String::new, |token| {
        let agree = choice(
            "checkbox",
            "agree",
            "yes",
            false,
            &frame.say(&texts.agree),
            &frame.say(&texts.agree_hint),
        );
        format!(
            "<form method=\"post\">\n{language}<input type=\"hidden\" name=\"token\" value=\"{token}\">\n\
             <fieldset{described}>\n<legend>{legend}</legend>\n{agree}</fieldset>\n\
             <button type=\"submit\">{submit}</button>\n</form>\n",
            language = frame.language_field(),
            token = Escaped(token),
            described = described(problem),
            legend = frame.show(&texts.legend),
            submit = frame.show(&texts.submit),
        )
    });
    let main = format!(
        "{heading}{alert}<div class=\"panel\">\n<ul class=\"notice\">\n{notice}</ul>\n{policy}</div>\n{form}\
         <p class=\"small\">{nothing}</p>\n",
        heading = frame.heading(&texts.title, &texts.lead),
        alert = alert(problem),
        notice = frame.each(&texts.notice, "li"),
        policy = frame.policy_link(),
        nothing = frame.show(&texts.nothing),
    );
    let title = frame.title(&texts.title, problem);
    document(frame, Width::Form, &title, &main, Some(""))
}

/// What it came to.
pub(super) fn pressed(frame: &Frame<'_>, said: Said) -> String {
    let texts = &frame.language.texts.link;
    let (words, is_done) = match said {
        Said::Confirmed => (&texts.confirmed, true),
        Said::Already => (&texts.already, true),
        Said::Over => (&texts.over, false),
        Said::Automatic => (&texts.automatic, false),
    };
    let heading = frame.heading(&words.title, &words.text);
    let main = if is_done {
        let stop = frame.show(&texts.stop);
        format!("<p class=\"seal\">{TICK}</p>\n{heading}<p>{stop}</p>\n")
    } else {
        heading
    };
    document(frame, Width::Form, &frame.say(&words.title), &main, None)
}
