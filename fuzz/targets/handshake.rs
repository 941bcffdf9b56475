//! A query of any bytes: the challenge comes back when the first of each field is what Meta sends
//! and the token is ours, and nothing else ever does. The fields are read here a second time, by
//! hand, so that the two readings keep each other honest.

#![no_main]

use headgate_webhook::handshake::{VerifyToken, answer};
use libfuzzer_sys::fuzz_target;

const TOKENS: [&str; 2] = ["fuzz current token", "fuzz-next"];

fuzz_target!(|bytes: &[u8]| {
    let query = String::from_utf8_lossy(bytes);
    let tokens = TOKENS.map(|token| VerifyToken::new(token).expect("not blank"));
    check(&tokens, &query);
    // And with a token that is right, so that what follows it is tried as well.
    check(
        &tokens,
        &format!("hub.mode=subscribe&hub.verify_token=fuzz-next&hub.challenge={query}"),
    );
    assert!(
        answer(&[], &query).is_err(),
        "without a token nothing is answered"
    );
});

fn check(tokens: &[VerifyToken], query: &str) {
    let challenge = first(query, "hub.challenge");
    let is_one = (1..=256).contains(&challenge.len())
        && challenge.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    let is_ours = first(query, "hub.mode") == "subscribe"
        && TOKENS.contains(&first(query, "hub.verify_token").as_str());
    match answer(tokens, query) {
        Ok(echo) => assert!(is_ours && is_one && echo == challenge),
        Err(refused) => {
            assert!(!is_ours || !is_one, "a handshake of Meta's is refused");
            let known = [
                "the mode is not subscribe",
                "the verify token is not one of ours",
                "the challenge is missing, too long or not printable",
            ];
            assert!(known.contains(&refused.to_string().as_str()));
        }
    }
}

/// The first value of a field, as a form is decoded (the URL standard, 5.1).
fn first(query: &str, field: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let found = pairs.find(|(name, _value)| decoded(name) == field);
    found
        .map(|(_name, value)| decoded(value))
        .unwrap_or_default()
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digit = |offset: usize| {
            bytes
                .get(at + offset)
                .and_then(|b| char::from(*b).to_digit(16))
        };
        match (byte, digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).expect("two digits"));
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            (other, ..) => out.push(*other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
