//! What the webhook answers.
//!
//! Owns the closed set of answers and the headers on every one of them. Apart from the
//! echoed challenge all bodies are empty: a stranger learns nothing from a refusal (I10).

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

/// Two years, the time browsers' preload lists ask for.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// An answer of the webhook.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// 200: the notification is durable. Meta takes nothing but 200 for a success.
    Taken,
    /// 200 with the challenge.
    Challenge(String),
    /// 401: anything wrong with the signature, or with the client certificate.
    Unsigned,
    /// 403: not a handshake of ours.
    NoHandshake,
    /// 405.
    Method,
    /// 413: larger than any notification.
    TooLarge,
    /// 503: not durable; Meta sends it again, for up to seven days.
    NotDurable,
}

impl From<Answer> for Response<Bytes> {
    fn from(answer: Answer) -> Self {
        let status = match &answer {
            Answer::Taken | Answer::Challenge(_) => StatusCode::OK,
            Answer::Unsigned => StatusCode::UNAUTHORIZED,
            Answer::NoHandshake => StatusCode::FORBIDDEN,
            Answer::Method => StatusCode::METHOD_NOT_ALLOWED,
            Answer::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Answer::NotDurable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut headers = HeaderMap::new();
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if answer == Answer::Method {
            headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
        }
        let body = if let Answer::Challenge(challenge) = answer {
            let text = HeaderValue::from_static("text/plain; charset=utf-8");
            headers.insert(CONTENT_TYPE, text);
            Bytes::from(challenge)
        } else {
            Bytes::new()
        };
        let mut response = Self::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}
