//! The rules of the API: what a request asks for, before anything is read or written.
//!
//! Pure. Only a POST that came with a bearer text gets as far as its body. Whether the token opens, and
//! what it may, is asked in between.

use headgate_domain::api_token::{Presented, Scope};
use headgate_domain::consent::{Action, ConsentRecord, asked_about};
use headgate_domain::outbound::{MAX_BYTES, Recipient};
use headgate_domain::refusal::{Code, Refusal};
use headgate_domain::time::Timestamp;
use http::{HeaderMap, Method, header};
use serde_json::value::RawValue;

use crate::problem::{Kind, Problem};

/// The most records of one request.
pub const MAX_RECORDS: usize = 10;
/// A full batch of the largest records, and the brackets around it.
pub const MAX_BODY: usize = MAX_RECORDS * (MAX_BYTES + 2) + 2;
/// A question is one identifier.
pub(crate) const MAX_QUERY: usize = 4 * 1024;

const NOT_A_YES: Refusal = Refusal::at(
    Code::Malformed,
    "action",
    "must be given: a link confirms a yes; send anything else to /consents",
);

/// A record of a request, checked.
pub(crate) struct Asked {
    /// What it says.
    pub(crate) said: ConsentRecord,
    /// As it was sent.
    pub(crate) text: String,
}

/// What an address is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Route {
    /// Taking records.
    Take(Taking),
    /// Where somebody stands.
    Query,
}

/// What records are taken for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taking {
    /// Consent records.
    Consents,
    /// Records of a yes that the person is to confirm first, by a link.
    Confirmations,
}

/// What a request is for.
///
/// # Errors
/// [`Kind::NotFound`] or [`Kind::Method`].
pub(crate) fn route(method: &Method, path: &str) -> Result<Route, Kind> {
    let route = match path {
        "/consents" => Route::Take(Taking::Consents),
        "/confirmations" => Route::Take(Taking::Confirmations),
        "/consents/query" => Route::Query,
        _ => return Err(Kind::NotFound),
    };
    if method == Method::POST {
        Ok(route)
    } else {
        Err(Kind::Method)
    }
}

/// The text after `Bearer` (RFC 6750); the scheme in any case.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim())
}

/// The records of a body that a token brought. What a link asks to confirm is a yes, and nothing else.
///
/// # Errors
/// [`Problem`]; with [`Kind::Record`] it names every record at fault.
pub(crate) fn records(
    taking: Taking,
    headers: &HeaderMap,
    body: &[u8],
    token: &Presented,
    now: Timestamp,
) -> Result<Vec<Asked>, Problem> {
    is_json(headers)?;
    if body.len() > MAX_BODY {
        return Err(Kind::TooLarge.into());
    }
    let texts = split(body).ok_or(Kind::Malformed)?;
    let (mut asked, mut refused) = (Vec::with_capacity(texts.len()), Vec::new());
    for (index, text) in texts.into_iter().enumerate() {
        match ConsentRecord::parse(&text, now) {
            Ok(said) if taking == Taking::Confirmations && said.action != Action::Given => {
                refused.push((index, NOT_A_YES));
            }
            Ok(said) => asked.push(Asked { said, text }),
            Err(refusal) => refused.push((index, refusal)),
        }
    }
    if !refused.is_empty() {
        return Err(Problem::records(&refused));
    }
    for (index, record) in asked.iter().enumerate() {
        if !token.may(needed(record.said.action)) {
            return Err(Problem::at(Kind::Scope, index));
        }
    }
    Ok(asked)
}

/// Whom a question is about that a token brought. Whether it may ask comes before whom it asks about.
///
/// # Errors
/// [`Problem`]; with [`Kind::Record`] it names the field at fault.
pub(crate) fn query(
    headers: &HeaderMap,
    body: &[u8],
    token: &Presented,
) -> Result<Recipient, Problem> {
    if !token.may(Scope::ConsentsRead) {
        return Err(Kind::Scope.into());
    }
    is_json(headers)?;
    if body.len() > MAX_QUERY {
        return Err(Kind::TooLarge.into());
    }
    let text = std::str::from_utf8(body).ok();
    let text = text.filter(|text| serde_json::from_str::<&RawValue>(text).is_ok());
    let text = text.ok_or(Kind::Malformed)?;
    asked_about(text).map_err(|refusal| Problem::question(&refusal))
}

/// Whether a body is JSON by its type.
fn is_json(headers: &HeaderMap) -> Result<(), Kind> {
    let media_type = headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next());
    if essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json")) {
        Ok(())
    } else {
        Err(Kind::WrongType)
    }
}

/// The scope that a statement needs.
const fn needed(action: Action) -> Scope {
    match action {
        Action::Withdrawn => Scope::ConsentsWrite,
        Action::Given | Action::Requested | Action::Invalidated | Action::Refused => {
            Scope::ConsentsAttest
        }
    }
}

/// One record, or each of a list, as they stand in the body.
fn split(body: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(body).ok()?;
    if !text.trim_start().starts_with('[') {
        let record: &RawValue = serde_json::from_str(text).ok()?;
        return Some(vec![record.get().to_owned()]);
    }
    let list: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    if list.is_empty() || list.len() > MAX_RECORDS {
        return None;
    }
    Some(list.into_iter().map(|r| r.get().to_owned()).collect())
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
