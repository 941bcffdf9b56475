//! That nothing is sold or shared, and what the browser says about it.
//!
//! The signal is Global Privacy Control; that it was honoured must be shown (11 CCR 7025(c)(6), in force
//! since 2026-01-01). Nothing here is remembered: what holds for everybody needs no record.

use super::Frame;
use crate::layout::{TICK, Width, document};

/// When the statement was last changed.
const STATED: &str = "2026-11-29";

/// The page.
pub(super) fn page(frame: &Frame<'_>, signal: bool) -> String {
    let texts = &frame.language.texts.do_not_sell;
    let (class, icon, status, text) = if signal {
        ("on", TICK, &texts.honoured, &texts.honoured_text)
    } else {
        ("off", "", &texts.absent, &texts.absent_text)
    };
    let main = format!(
        "{heading}<section class=\"panel\">\n<h2>{signal_heading}</h2>\n<p class=\"state {class}\">{icon}<span>{status}</span></p>\n<p>{text}</p>\n</section>\n\
         <h2>{more_heading}</h2>\n{more}",
        heading = frame.heading(&texts.title, &texts.lead),
        signal_heading = frame.show(&texts.signal_heading),
        status = frame.show(status),
        text = frame.show(text),
        more_heading = frame.show(&texts.more_heading),
        more = frame.list(&texts.more),
    );
    document(
        frame,
        Width::Form,
        &frame.say(&texts.title),
        &main,
        Some(""),
    )
}

/// The statement for programs, in the form of w3.org/TR/gpc 4.
pub(super) fn statement() -> String {
    format!("{{\"gpc\":true,\"lastUpdate\":\"{STATED}\"}}\n")
}
