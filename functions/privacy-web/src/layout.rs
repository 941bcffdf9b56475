//! What all pages have in common: the document around them and its one stylesheet.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::html::Escaped;
use crate::locale::LOCALES;
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

/// A whole document. `main` is markup; `query` is what a change of language keeps, `None` where the
/// page is an answer and cannot be asked for again.
pub(crate) fn document(frame: &Frame<'_>, title: &str, main: &str, query: Option<&str>) -> String {
    let common = &frame.texts.common;
    let switch = query.map_or_else(String::new, |query| {
        let links: String = LOCALES
            .into_iter()
            .map(|locale| {
                let (tag, name) = (locale.tag(), locale.own_name());
                if locale == frame.locale {
                    format!("<span lang=\"{tag}\" aria-current=\"true\">{name}</span>\n")
                } else {
                    format!(
                        "<a href=\"?{}lang={tag}\" lang=\"{tag}\" hreflang=\"{tag}\">{name}</a>\n",
                        Escaped(query)
                    )
                }
            })
            .collect();
        format!(
            "<nav aria-label=\"{}\">\n{links}</nav>\n",
            Escaped(&common.language_label)
        )
    });
    format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – {business}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header><span>{business}</span></header>\n<main>\n{main}</main>\n\
         <footer>\n{switch}<p><a href=\"{base}/privacy?lang={lang}\">{privacy}</a></p>\n<p>{quiet}</p>\n</footer>\n</body>\n</html>\n",
        lang = frame.locale.tag(),
        title = Escaped(title),
        business = Escaped(frame.business()),
        base = Escaped(frame.base),
        privacy = Escaped(&common.privacy_link),
        quiet = Escaped(&common.quiet),
    )
}
