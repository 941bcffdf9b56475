//! Problems: the closed list of what the API says no with (RFC 9457).
//!
//! Owns what a stranger can learn, which is nothing: no token, a token of another deployment, an unknown,
//! an expired and a revoked one are one answer (I10). No problem repeats a value of the request.

use bytes::Bytes;
use headgate_domain::refusal::{Code, Refusal};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

/// On every answer, whatever it says.
const HEADERS: [(&str, &str); 4] = [
    // Two years, the time browsers' preload lists ask for.
    (
        "strict-transport-security",
        "max-age=63072000; includeSubDomains",
    ),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("content-security-policy", "sandbox; default-src 'none'"),
];

/// Which kind of no.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// No such address.
    NotFound,
    /// The address exists, the method does not.
    Method,
    /// No token that opens.
    Unauthorized,
    /// The token may do other things.
    Scope,
    /// The token was used too often this minute.
    RateLimited,
    /// The body is not JSON by its type.
    WrongType,
    /// The body is larger than a batch may be.
    TooLarge,
    /// The body is not JSON, or neither one record nor a batch.
    Malformed,
    /// A record of the batch cannot be accepted; none of them was.
    Record,
    /// Another record has the id.
    DuplicateId,
    /// It could not be made durable just now.
    Unavailable,
}

impl Kind {
    /// Every kind, for the documentation.
    pub const ALL: [Self; 11] = [
        Self::NotFound,
        Self::Method,
        Self::Unauthorized,
        Self::Scope,
        Self::RateLimited,
        Self::WrongType,
        Self::TooLarge,
        Self::Malformed,
        Self::Record,
        Self::DuplicateId,
        Self::Unavailable,
    ];

    /// The status that says so.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Scope => StatusCode::FORBIDDEN,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::WrongType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Record => StatusCode::UNPROCESSABLE_ENTITY,
            Self::DuplicateId => StatusCode::CONFLICT,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The word a client matches on.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method => "method_not_allowed",
            Self::Unauthorized => "unauthorized",
            Self::Scope => "insufficient_scope",
            Self::RateLimited => "rate_limited",
            Self::WrongType => "wrong_type",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Record => "record_refused",
            Self::DuplicateId => "duplicate_id",
            Self::Unavailable => "unavailable",
        }
    }

    /// What is wrong, and how to mend it.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing at this address.",
            Self::Method => "Send it with POST.",
            Self::Unauthorized => {
                "Send a token that is in force, as `Authorization: Bearer hgt_…`; `headgate token create` makes one."
            }
            Self::Scope => {
                "The token lacks the scope: consents:write for a no, consents:attest for a yes and for a link, consents:read to ask."
            }
            Self::RateLimited => {
                "The token was used for too many records and questions this minute. Come again when Retry-After says."
            }
            Self::WrongType => "Send JSON, with `Content-Type: application/json`.",
            Self::TooLarge => "Send fewer records, or smaller ones.",
            Self::Malformed => {
                "Send JSON: one consent record, or a list of 1 to 10 of them; to /consents/query, one question."
            }
            Self::Record => {
                "A record or a question cannot be accepted, and none of the batch was. `errors` says which, where and why."
            }
            Self::DuplicateId => {
                "An earlier record with this id had another content. Give each record an id of its own; none of the batch was accepted."
            }
            Self::Unavailable => {
                "It was not stored. Send the same again; its id keeps it from counting twice."
            }
        }
    }
}

/// A no, with the places when records are at fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    errors: Vec<Value>,
}

impl From<Kind> for Problem {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            errors: Vec::new(),
        }
    }
}

impl Problem {
    /// A no to records: where each stands in the batch, and what is wrong with it.
    pub(crate) fn records(refused: &[(usize, Refusal)]) -> Self {
        let schema = "schemas/consent-record.v1.json";
        let errors = refused.iter();
        Self {
            kind: Kind::Record,
            errors: errors
                .map(|(index, refusal)| fault(*index, refusal, schema))
                .collect(),
        }
    }

    /// A no to a question.
    pub(crate) fn question(refusal: &Refusal) -> Self {
        Self {
            kind: Kind::Record,
            errors: vec![fault(0, refusal, "docs/consent-api.md")],
        }
    }

    /// A no because of one record of the batch.
    pub(crate) fn at(kind: Kind, index: usize) -> Self {
        Self {
            kind,
            errors: vec![json!({ "record": index, "code": kind.code() })],
        }
    }

    /// The answer.
    pub(crate) fn answer(&self) -> Response<Bytes> {
        let mut body = Map::new();
        body.insert("type".to_owned(), json!("about:blank"));
        let title = self.kind.status().canonical_reason().unwrap_or_default();
        body.insert("title".to_owned(), json!(title));
        body.insert("status".to_owned(), json!(self.kind.status().as_u16()));
        body.insert("code".to_owned(), json!(self.kind.code()));
        body.insert("detail".to_owned(), json!(self.kind.sentence()));
        if !self.errors.is_empty() {
            body.insert("errors".to_owned(), Value::Array(self.errors.clone()));
        }
        let mut response = answer(
            self.kind.status(),
            "application/problem+json",
            Value::Object(body).to_string(),
        );
        let headers = response.headers_mut();
        match self.kind {
            Kind::Unauthorized => {
                headers.insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"headgate\""),
                );
            }
            Kind::Method => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            Kind::RateLimited => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
            }
            Kind::Unavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            Kind::NotFound
            | Kind::Scope
            | Kind::WrongType
            | Kind::TooLarge
            | Kind::Malformed
            | Kind::Record
            | Kind::DuplicateId => {}
        }
        response
    }
}

/// What is wrong, and where; `described_in` is where every field is described.
fn fault(index: usize, refusal: &Refusal, described_in: &str) -> Value {
    let mut error = Map::new();
    error.insert("record".to_owned(), json!(index));
    error.insert("code".to_owned(), json!(refusal.code.word()));
    if let Some(field) = refusal.field {
        error.insert("field".to_owned(), json!(field));
    }
    let detail = match refusal.why {
        Some(why) => format!("{} {}", refusal.field.unwrap_or("It"), why),
        None => refusal.code.sentence().to_owned(),
    };
    error.insert("detail".to_owned(), Value::String(detail));
    let remedy = if refusal.code == Code::Malformed {
        format!("Correct the named field; {described_in} describes every field.")
    } else {
        refusal.code.remedy().to_owned()
    };
    error.insert("remedy".to_owned(), json!(remedy));
    Value::Object(error)
}

/// An answer with the headers every answer has.
pub(crate) fn answer(
    status: StatusCode,
    media_type: &'static str,
    body: String,
) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "tests may fail loudly"
    )]
    use super::*;

    #[test]
    fn a_problem_says_status_code_and_what_to_do() {
        for kind in Kind::ALL {
            let answer = Problem::from(kind).answer();
            let body: Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!(body["status"], answer.status().as_u16());
            assert_eq!(body["code"], kind.code());
            assert!(!body["detail"].as_str().unwrap().is_empty());
            assert!(body.get("errors").is_none());
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
        let mut codes: Vec<&str> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Kind::ALL.len());
    }

    #[test]
    fn a_refused_record_is_told_by_its_place_and_field() {
        let refusal = Refusal::at(Code::Malformed, "purpose", "must be marketing");
        let answer = Problem::records(&[(1, refusal)]).answer();
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(answer.status(), 422);
        assert_eq!(body["errors"][0]["record"], 1);
        assert_eq!(body["errors"][0]["field"], "purpose");
        assert_eq!(body["errors"][0]["detail"], "purpose must be marketing");
    }
}
