//! Answers: a status, the same headers on every one of them, HTML or a problem document.
//!
//! Owns what a stranger can learn from an answer, which is nothing that the route itself does not
//! say (I10). Refusals are HTML for people and RFC 9457 for a client that asks for JSON.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use crate::decide::{Refused, View};
use crate::layout::CONTENT_SECURITY_POLICY;
use crate::pages::{Frame, Page, Said};

/// On every answer, whatever it says.
const HEADERS: [(&str, &str); 9] = [
    // Two years, the time browsers' preload lists ask for.
    (
        "strict-transport-security",
        "max-age=63072000; includeSubDomains",
    ),
    ("x-content-type-options", "nosniff"),
    // A link carries a person's token; it must not travel on with the next click.
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
    ("x-robots-tag", "noindex, nofollow"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
    ),
];

impl Refused {
    /// The status that says so.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::WrongType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The word in a problem document; a closed list.
    const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method(_) => "method_not_allowed",
            Self::TooLarge => "too_large",
            Self::WrongType => "wrong_type",
            Self::CrossSite => "cross_site",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Page {
    const fn status(&self) -> StatusCode {
        match self {
            Self::View(_)
            | Self::Confirm(_)
            | Self::Choices(_)
            | Self::Code(..)
            | Self::Copy(Some(_))
            | Self::CopyRead(_)
            | Self::CopyFile(..)
            | Self::Request(_)
            | Self::Pressed(Said::Confirmed | Said::Already)
            | Self::Unsubscribed(_) => StatusCode::OK,
            Self::Pressed(Said::Over) | Self::Copy(None) => StatusCode::GONE,
            Self::Pressed(Said::Automatic) => StatusCode::FORBIDDEN,
            Self::NoneTicked(_) | Self::NotTicked(_) | Self::Changed(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Refused(refused) => refused.status(),
        }
    }
}

/// The answer for a page; a `HEAD` request gets it without the body.
pub(crate) fn answer(
    page: &Page,
    frame: &Frame<'_>,
    wants_json: bool,
    is_head: bool,
) -> Response<Bytes> {
    let (media_type, body) = match page {
        Page::Refused(refused) if wants_json => {
            let title = &frame.language.texts.refusal(*refused).title;
            let problem = json!({ "type": "about:blank", "title": title, "status": refused.status().as_u16(), "code": refused.code() });
            ("application/problem+json", problem.to_string())
        }
        Page::View(View::GpcStatement) | Page::CopyFile(..) => {
            ("application/json", page.render(frame))
        }
        Page::View(_)
        | Page::NoneTicked(_)
        | Page::Changed(_)
        | Page::Confirm(_)
        | Page::NotTicked(_)
        | Page::Pressed(_)
        | Page::Choices(_)
        | Page::Code(..)
        | Page::Copy(_)
        | Page::CopyRead(_)
        | Page::Request(_)
        | Page::Unsubscribed(_)
        | Page::Refused(_) => ("text/html; charset=utf-8", page.render(frame)),
    };
    let mut response = bare(
        page.status(),
        if is_head { Bytes::new() } else { body.into() },
    );
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(
        header::CONTENT_LANGUAGE,
        HeaderValue::from_static(frame.language.tag()),
    );
    headers.insert(
        header::VARY,
        HeaderValue::from_static("accept, accept-language, sec-gpc"),
    );
    if let Page::CopyFile(volume, _) = page {
        let number = if *volume > 1 {
            format!("-{volume}")
        } else {
            String::new()
        };
        let named = format!("attachment; filename=\"my-data{number}.json\"");
        // A number between fixed words: always a header value.
        let named = HeaderValue::from_str(&named).unwrap_or(HeaderValue::from_static("attachment"));
        headers.insert(header::CONTENT_DISPOSITION, named);
    }
    if let Page::Refused(Refused::Method(allowed)) = page {
        headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
    }
    if matches!(page, Page::Refused(Refused::Unavailable)) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
    }
    response
}

/// An answer with nothing but the headers every answer has.
pub(crate) fn bare(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Base64 and fixed words: always a header value. Without one the page would lose its style and keep its words.
    let policy = HeaderValue::from_str(&CONTENT_SECURITY_POLICY)
        .unwrap_or(HeaderValue::from_static("default-src 'none'"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
