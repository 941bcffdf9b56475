//! What all pages have in common: the document around them and its one stylesheet.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::html::Escaped;
use crate::pages::Frame;

pub(crate) const STYLE: &str = include_str!("style.css");

/// What a page may do: show itself with this one stylesheet and post its form to us. Nothing loads,
/// nothing runs, nobody frames it.
pub(crate) static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
});

/// A tick, drawn; the words beside it say the same.
pub(crate) const TICK: &str = "<svg class=\"icon\" viewBox=\"0 0 20 20\" aria-hidden=\"true\" focusable=\"false\"><path d=\"M4 10.5l4 4 8-9\"/></svg>";
/// A stroke through a circle.
pub(crate) const STOPPED: &str = "<svg class=\"icon\" viewBox=\"0 0 20 20\" aria-hidden=\"true\" focusable=\"false\"><circle cx=\"10\" cy=\"10\" r=\"7.5\"/><path d=\"M5 15L15 5\"/></svg>";

/// How much room a page's words need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// A form: one narrow column.
    Form,
    /// A text with tables.
    Text,
}

/// A whole document. `main` is markup; `query` is what a change of language keeps, `None` where the
/// page is an answer and cannot be asked for again.
pub(crate) fn document(
    frame: &Frame<'_>,
    width: Width,
    title: &str,
    main: &str,
    query: Option<&str>,
) -> String {
    let common = &frame.language.texts.common;
    let switch = query.map_or_else(String::new, |query| language_switch(frame, query));
    // The first letter of the name stands where a logo would: nothing is loaded.
    let initial = frame
        .config
        .and_then(|c| c.controller.name.trim().chars().next());
    let mark = initial.map_or_else(String::new, |letter| {
        let letter = letter.to_uppercase().to_string();
        format!(
            "<span class=\"mark\" aria-hidden=\"true\">{}</span>",
            Escaped(&letter)
        )
    });
    let class = match width {
        Width::Form => "form",
        Width::Text => "text",
    };
    format!(
        "<!doctype html>\n<html lang=\"{lang}\" dir=\"{direction}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – {business}</title>\n<style>{STYLE}</style>\n</head>\n<body class=\"{class}\">\n\
         <header><div>{mark}<span class=\"brand\">{business}</span></div></header>\n<main>\n{main}</main>\n\
         <footer>\n{switch}<ul class=\"links\">\n<li><a href=\"{base}/privacy?lang={lang}\">{privacy}</a></li>\n\
         <li><a href=\"{base}/requests?lang={lang}\">{requests}</a></li>\n\
         <li><a href=\"{base}/do-not-sell?lang={lang}\">{do_not_sell}</a></li>\n</ul>\n<p>{quiet}</p>\n</footer>\n</body>\n</html>\n",
        lang = frame.language.tag(),
        direction = frame.language.direction(),
        title = Escaped(title),
        business = Escaped(frame.business()),
        base = Escaped(frame.base),
        privacy = Escaped(&common.privacy_link),
        requests = Escaped(&common.requests_link),
        do_not_sell = Escaped(&common.do_not_sell_link),
        quiet = Escaped(&common.quiet),
    )
}

fn language_switch(frame: &Frame<'_>, query: &str) -> String {
    let links: String = frame
        .library
        .all()
        .map(|language| {
            let (tag, name) = (language.tag(), Escaped(language.own_name()));
            let direction = language.direction();
            if tag == frame.language.tag() {
                format!("<li><span lang=\"{tag}\" dir=\"{direction}\" aria-current=\"true\">{name}</span></li>\n")
            } else {
                format!(
                    "<li><a href=\"?{}lang={tag}\" lang=\"{tag}\" dir=\"{direction}\" hreflang=\"{tag}\">{name}</a></li>\n",
                    Escaped(query)
                )
            }
        })
        .collect();
    format!(
        "<nav aria-label=\"{}\">\n<ul>\n{links}</ul>\n</nav>\n",
        Escaped(&frame.language.texts.common.language_label)
    )
}
