//! A queue message of any text: what is taken back has a bound, and what is put on the queue comes
//! back byte for byte. The encoding is the first line of an input; an empty one is none.

#![no_main]

use headgate_fuzz::head_and_rest;
use headgate_webhook::overflow::{ObjectKey, Pointer};
use headgate_webhook::queue_body::{
    COMPRESSED, Form, LARGEST_BODY, LARGEST_MESSAGE, Undecodable, decode, encode,
};
use headgate_webhook::signature::VerifiedBody;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let (encoding, rest) = head_and_rest(input);
    let (encoding, text) = (
        String::from_utf8_lossy(encoding),
        String::from_utf8_lossy(rest),
    );
    let encoding = Some(&*encoding).filter(|encoding| !encoding.is_empty());
    match decode(&text, encoding) {
        Ok(body) => {
            assert!(encoding.is_none_or(|encoding| encoding == COMPRESSED));
            assert!(encoding.is_some() || body.bytes() == text.as_bytes());
            assert!(encoding.is_none() || body.bytes().len() <= LARGEST_BODY);
            comes_back(&body);
        }
        Err(Undecodable::Encoding) => {
            assert!(encoding.is_some_and(|encoding| encoding != COMPRESSED));
        }
        Err(Undecodable::Damaged | Undecodable::TooLarge) => {
            assert_eq!(encoding, Some(COMPRESSED));
        }
        Err(Undecodable::Pointer | Undecodable::Replaced) => panic!("nothing was stored"),
    }
    points(&text);
    comes_back(&VerifiedBody::from_own_queue(input.to_vec()));
});

fn comes_back(body: &VerifiedBody) {
    let encoded = match encode(body) {
        Ok(Form::Queued(encoded)) => encoded,
        Ok(Form::Stored(_)) => {
            assert!(
                body.bytes().len() > LARGEST_MESSAGE / 2,
                "a small body fits the queue"
            );
            return;
        }
        Err(_too_large) => {
            assert!(
                body.bytes().len() > LARGEST_BODY,
                "a body always has a form"
            );
            return;
        }
    };
    assert!((1..=LARGEST_MESSAGE).contains(&encoded.text.len()));
    // What SQS would refuse, it refuses after the answer to Meta could have been 200.
    let carried = |c: char| matches!(u32::from(c), 0x9 | 0xa | 0xd | 0x20..=0xd7ff | 0xe000..=0xfffd | 0x1_0000..);
    assert!(encoded.text.chars().all(carried));
    let back = decode(&encoded.text, encoded.encoding).expect("our own form");
    assert!(back == *body);
}

/// A pointer of any text names one object of ours or nothing, and opens what it was written for alone.
fn points(text: &str) {
    match Pointer::parse(text) {
        Ok(pointer) => {
            let key = pointer.key().as_str();
            assert!(ObjectKey::parse(key).is_some_and(|again| again.as_str() == key));
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"/-.".contains(&byte);
            assert!(key.len() <= 64 && key.bytes().all(fits) && !key.contains(".."));
            assert!(pointer.open(text.as_bytes()).is_err());
        }
        Err(refused) => assert_eq!(refused, Undecodable::Pointer),
    }
}
