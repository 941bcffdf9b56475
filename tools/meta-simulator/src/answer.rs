//! What the caller gets to see of a decision, before it is put on a connection.

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Response, StatusCode};
use std::time::Duration;

pub(crate) const JSON: &str = "application/json; charset=UTF-8";
const HTML: &str = "text/html; charset=utf-8";

/// An answer and how long it takes.
pub(crate) struct Decision {
    pub(crate) answer: Answer,
    pub(crate) delay: Duration,
}

impl Decision {
    pub(crate) fn at_once(answer: Answer) -> Self {
        Self {
            answer,
            delay: Duration::ZERO,
        }
    }
}

/// What the caller gets to see.
pub(crate) enum Answer {
    /// All of it.
    Whole {
        status: u16,
        kind: &'static str,
        location: Option<&'static str>,
        body: Bytes,
    },
    /// The head of a 200 that announces `body`, and as much of it as is `sent`.
    Part {
        body: Bytes,
        sent: usize,
        then: Then,
    },
    /// Nothing for so many milliseconds, then a 504.
    Hang(u64),
    /// The end of the connection.
    Reset,
    RefusedStream,
    GoAway,
}

/// What follows half an answer.
pub(crate) enum Then {
    End,
    Hang(u64),
    Reset,
}

impl Answer {
    pub(crate) fn json(status: u16, body: Vec<u8>) -> Self {
        Self::Whole {
            status,
            kind: JSON,
            location: None,
            body: body.into(),
        }
    }

    pub(crate) fn html(status: u16, title: &str) -> Self {
        let page = format!("<!DOCTYPE html><html><body><h1>{title}</h1></body></html>");
        Self::Whole {
            status,
            kind: HTML,
            location: None,
            body: page.into(),
        }
    }

    pub(crate) fn redirect(location: &'static str) -> Self {
        Self::Whole {
            status: 302,
            kind: HTML,
            location: Some(location),
            body: Bytes::new(),
        }
    }

    pub(crate) fn half(body: Vec<u8>, then: Then) -> Self {
        Self::Part {
            sent: body.len() / 2,
            body: body.into(),
            then,
        }
    }

    pub(crate) fn head_only(body: Vec<u8>) -> Self {
        Self::Part {
            sent: 0,
            body: body.into(),
            then: Then::Reset,
        }
    }

    /// The head and the body of a whole answer. The others are no answers: a 500 stands for them.
    pub(crate) fn into_response(self) -> Response<Bytes> {
        let (status, kind, location, body) = match self {
            Self::Whole {
                status,
                kind,
                location,
                body,
            } => (status, kind, location, body),
            Self::Part { .. }
            | Self::Hang(_)
            | Self::Reset
            | Self::RefusedStream
            | Self::GoAway => (500, HTML, None, Bytes::new()),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Some(location) = location {
            headers.insert(LOCATION, HeaderValue::from_static(location));
        }
        response
    }
}
