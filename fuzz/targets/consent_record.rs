//! A consent record of any text: a yes that is read has its wording, its proof, its time and a
//! channel an app may speak for; everything else is refused with a code of the closed list.

#![no_main]

use headgate_domain::consent::{
    Action, ConsentRecord, MAX_AHEAD_MS, MAX_TOPICS, MAX_YES_AGE_MS, METHODS, effective_at,
};
use headgate_domain::refusal::Code;
use headgate_domain::time::Timestamp;
use headgate_fuzz::{json, refusals};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use serde_json::Value;

const NOW: Timestamp = Timestamp::from_seconds(1_795_341_600);

fuzz_target!(|bytes: &[u8]| {
    let Ok(body) = std::str::from_utf8(bytes) else {
        return;
    };
    let record = match ConsentRecord::parse(body, NOW) {
        Ok(record) => record,
        Err(refusal) => {
            let documented = [
                Code::TooLarge,
                Code::Malformed,
                Code::InvalidRecipient,
                Code::UnknownSubject,
            ];
            return refusals::check(&refusal, &documented);
        }
    };
    assert!((1..=128).contains(&record.id.len()) && !record.purposes.is_empty());
    assert!(METHODS.contains(&record.method.as_str()));
    assert!(record.topics.len() <= MAX_TOPICS);
    assert!(record.occurred_at.millis_since(NOW) <= MAX_AHEAD_MS);
    let evidence = record
        .evidence
        .as_deref()
        .map(serde_json::from_str::<Value>);
    assert!(evidence.is_none_or(|evidence| evidence.is_ok_and(|value| !value.is_null())));

    // Nobody is stamped as having said yes later than now, and a no always counts from when it was said.
    let (action, at) = (record.action, record.occurred_at);
    let effective = effective_at(None, action, &record.method, at, NOW);
    match action {
        Action::Given => {
            assert!(record.notice.is_some() && record.evidence.is_some());
            let own = [
                "keyword",
                "message_in",
                "meta_switch",
                "link",
                "quick_reply",
                "ctwa_ad",
                "keyword_start",
            ];
            assert!(
                !own.contains(&record.method.as_str()),
                "an app speaks for the person"
            );
            let too_old = NOW.millis_since(at) > MAX_YES_AGE_MS;
            assert_eq!(effective, (!too_old).then(|| at.min(NOW)));
        }
        Action::Withdrawn => assert_eq!(effective, Some(at)),
        // No record says it.
        Action::Refused => panic!("a record is no answer to a question of ours"),
        Action::Invalidated => assert_eq!(effective, Some(at.min(NOW))),
        Action::Requested => panic!("an app asks in the person's name"),
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    json::mutate(data, size, max_size, seed)
});
