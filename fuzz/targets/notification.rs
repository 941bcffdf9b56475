//! A verified body of any bytes: the parser tells what is in it, once, and prints nothing of it; and
//! its short way finds what the long one finds.

#![no_main]

use headgate_fuzz::{facts, json};
use headgate_webhook::notification::{parse, parse_level_by_level};
use headgate_webhook::signature::VerifiedBody;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|bytes: &[u8]| {
    let body = VerifiedBody::from_own_queue(bytes.to_vec());
    let updates = parse(&body);
    assert_eq!(updates, parse(&body), "the same body tells the same twice");
    assert_eq!(
        updates,
        parse_level_by_level(&body),
        "two ways, two readings"
    );
    match updates {
        Ok(updates) => {
            assert!(
                bytes.trim_ascii_start().starts_with(b"{"),
                "a list is no envelope"
            );
            facts::check(&updates, &String::from_utf8_lossy(bytes));
        }
        Err(malformed) => assert_eq!(
            malformed.to_string(),
            "the notification is not a JSON object with a list of entries"
        ),
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    json::mutate(data, size, max_size, seed)
});
