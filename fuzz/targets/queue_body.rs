//! A queue message of any text: what is taken back has a bound, and what is put on the queue comes
//! back byte for byte. The encoding is the first line of an input; an empty one is none.

#![no_main]

use headgate_fuzz::head_and_rest;
use headgate_webhook::queue_body::{
    COMPRESSED, LARGEST_BODY, LARGEST_MESSAGE, Undecodable, decode, encode,
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
    }
    comes_back(&VerifiedBody::from_own_queue(input.to_vec()));
});

fn comes_back(body: &VerifiedBody) {
    let Ok(encoded) = encode(body) else {
        assert!(
            body.bytes().len() > LARGEST_MESSAGE / 2,
            "a small body always fits"
        );
        return;
    };
    assert!((1..=LARGEST_MESSAGE).contains(&encoded.text.len()));
    // What SQS would refuse, it refuses after the answer to Meta could have been 200.
    let carried = |c: char| matches!(u32::from(c), 0x9 | 0xa | 0xd | 0x20..=0xd7ff | 0xe000..=0xfffd | 0x1_0000..);
    assert!(encoded.text.chars().all(carried));
    let back = decode(&encoded.text, encoded.encoding).expect("our own form");
    assert!(back == *body);
}
