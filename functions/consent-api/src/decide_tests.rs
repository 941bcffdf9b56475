//! What a request asks for: addresses, bodies, scopes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]
use headgate_domain::api_token::PlainToken;
use http::HeaderValue;
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn token(scopes: &[Scope]) -> Presented {
    Presented {
        id: PlainToken::from_random("main", &[7; 32])
            .hashed("main")
            .id(),
        scopes: scopes.to_vec(),
    }
}

fn record(action: &str, id: &str) -> Value {
    json!({
        "schema": "headgate.consent/1", "id": id, "to": {"phone": "+16135550123"},
        "purpose": "marketing", "action": action, "method": "checkout_checkbox",
        "notice": "Yes.", "evidence": {"form": "7", "page": "maple.example"}, "occurred_at": NOW.to_string(),
    })
}

fn asked(scopes: &[Scope], media_type: &str, body: &str) -> Result<Vec<Asked>, Problem> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_str(media_type).unwrap(),
    );
    records(
        Taking::Consents,
        &headers,
        body.as_bytes(),
        &token(scopes),
        NOW,
    )
}

fn about(scopes: &[Scope], media_type: &'static str, body: &str) -> Result<Recipient, Kind> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    query(&headers, body.as_bytes(), &token(scopes)).map_err(|problem| problem.kind)
}

#[test]
fn a_question_needs_its_own_scope_before_anything_of_it_is_read() {
    let json = "application/json";
    let good = r#"{"schema":"headgate.consent-query/1","to":{"phone":"+16135550123"}}"#;
    let read = [Scope::ConsentsRead];
    assert!(matches!(about(&read, json, good), Ok(Recipient::Phone(_))));
    let may_say = [Scope::ConsentsWrite, Scope::ConsentsAttest];
    for body in [good, "", "{}"] {
        assert_eq!(about(&may_say, json, body).err(), Some(Kind::Scope));
    }
    let large = format!("{good}{}", " ".repeat(MAX_QUERY));
    for (media_type, body, expected) in [
        ("text/plain", good, Kind::WrongType),
        (json, large.as_str(), Kind::TooLarge),
        (json, "", Kind::Malformed),
        (json, "{", Kind::Malformed),
        (json, "[]", Kind::Record),
        (json, "{}", Kind::Record),
    ] {
        assert_eq!(about(&read, media_type, body).err(), Some(expected));
    }
    // Who may only ask records nothing.
    let no = record("withdrawn", "a").to_string();
    let refused = asked(&read, json, &no).err();
    assert_eq!(refused.map(|problem| problem.kind), Some(Kind::Scope));
}

fn kind(body: &str) -> Kind {
    asked(&Scope::ALL, "application/json", body)
        .err()
        .unwrap()
        .kind
}

#[test]
fn there_is_one_address_with_one_method() {
    for (path, expected) in [
        ("/consents", Route::Take(Taking::Consents)),
        ("/confirmations", Route::Take(Taking::Confirmations)),
        ("/consents/query", Route::Query),
    ] {
        assert_eq!(route(&Method::POST, path), Ok(expected));
        assert_eq!(route(&Method::GET, path), Err(Kind::Method), "{path}");
    }
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::OPTIONS] {
        assert_eq!(route(&method, "/consents"), Err(Kind::Method));
    }
    for path in ["/", "/consents/", "//consents", "/Consents", "/v1/consents"] {
        assert_eq!(route(&Method::POST, path), Err(Kind::NotFound), "{path}");
    }
}

#[test]
fn one_record_or_a_list_of_up_to_ten_is_read_as_it_was_sent() {
    let one = record("given", "a").to_string();
    let read = asked(&Scope::ALL, "application/json; charset=utf-8", &one).unwrap();
    assert_eq!((read.len(), read[0].text.as_str()), (1, one.as_str()));
    let list = format!("  [{one}, {one} ]\n");
    let read = asked(&Scope::ALL, "Application/JSON", &list).unwrap();
    assert_eq!((read.len(), read[1].text.as_str()), (2, one.as_str()));
    let ten = vec![record("withdrawn", "a"); 10];
    assert!(asked(&Scope::ALL, "application/json", &json!(ten).to_string()).is_ok());
    let eleven = vec![record("withdrawn", "a"); 11];
    assert_eq!(kind(&json!(eleven).to_string()), Kind::Malformed);
}

#[test]
fn what_is_no_record_is_refused_with_what_is_wrong() {
    for (body, expected) in [
        ("", Kind::Malformed),
        ("{", Kind::Malformed),
        ("[]", Kind::Malformed),
        ("[{}", Kind::Malformed),
        ("{} {}", Kind::Malformed),
        ("{}", Kind::Record),
        ("\"yes\"", Kind::Record),
        ("[1]", Kind::Record),
    ] {
        assert_eq!(kind(body), expected, "{body}");
    }
    assert_eq!(kind(&" ".repeat(MAX_BODY + 1)), Kind::TooLarge);
    for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let refused = asked(&Scope::ALL, media_type, "{}").err().unwrap();
        assert_eq!(refused.kind, Kind::WrongType);
    }
}

#[test]
fn a_yes_needs_the_scope_that_attests_and_a_no_any_scope() {
    let (yes, no) = (
        record("given", "a").to_string(),
        record("withdrawn", "b").to_string(),
    );
    let try_with = |scopes: &[Scope], body: &str| {
        let outcome = asked(scopes, "application/json", body);
        outcome.map(|read| read.len()).map_err(|p| p.kind)
    };
    assert_eq!(try_with(&[Scope::ConsentsWrite], &no), Ok(1));
    assert_eq!(try_with(&[Scope::ConsentsAttest], &no), Ok(1));
    assert_eq!(try_with(&[Scope::ConsentsAttest], &yes), Ok(1));
    assert_eq!(try_with(&[Scope::ConsentsWrite], &yes), Err(Kind::Scope));
    let mixed = format!("[{no},{yes}]");
    assert_eq!(try_with(&[Scope::ConsentsWrite], &mixed), Err(Kind::Scope));
    assert_eq!(try_with(&[], &no), Err(Kind::Scope));
}

#[test]
fn the_scheme_is_bearer_in_any_case() {
    let read = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        bearer(&headers).map(str::to_owned)
    };
    assert_eq!(read("Bearer hgt_x").as_deref(), Some("hgt_x"));
    assert_eq!(read("bearer  hgt_x ").as_deref(), Some("hgt_x"));
    for wrong in ["hgt_x", "Basic hgt_x", "Bearer", ""] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
    assert_eq!(bearer(&HeaderMap::new()), None);
}
