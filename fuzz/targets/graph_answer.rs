//! An answer of any status and body: a yes is believed from a 2xx alone, a no from a 4xx alone, and
//! whatever cannot be read may have been accepted (I6). The status is the first line of an input.

#![no_main]

use headgate_domain::disposition::Disposition;
use headgate_fuzz::{head_and_rest, json};
use headgate_graph::{NotAccepted, Outcome, fuzzing};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

/// The words an ambiguous outcome is recorded with.
const WHY: [&str; 10] = [
    "redirect",
    "server_error",
    "unreadable_error",
    "unreadable_answer",
    "answer_without_id",
    "error_without_code",
    "unknown_transient",
    "maintenance",
    "trouble_at_meta",
    "connection_lost",
];

fuzz_target!(|input: &[u8]| {
    let (status, body) = head_and_rest(input);
    let Ok(status) = String::from_utf8_lossy(status).parse::<u16>() else {
        return;
    };
    let Some(outcome) = fuzzing::read(status, body) else {
        return;
    };
    let (yes, no) = ((200..300).contains(&status), (400..500).contains(&status));
    let text = String::from_utf8_lossy(body);
    match &outcome {
        Outcome::Accepted { wamid, .. } => {
            assert!(yes && wamid.reveal().starts_with("wamid."));
            assert!(outcome.disposition().is_none());
        }
        Outcome::Done => assert!(yes && outcome.disposition().is_none()),
        Outcome::Failed { code, known, .. } => {
            assert!(no, "a no that is no clear no");
            assert_eq!(*known, headgate_graph::meaning(*code).is_some());
            assert_eq!(outcome.disposition(), Some(Disposition::Discard));
        }
        Outcome::NotAccepted(why) => {
            assert!(!yes && !(300..400).contains(&status));
            assert!(
                !matches!(why, NotAccepted::Unreachable(_)),
                "somebody did answer"
            );
            assert!(
                why.code()
                    .is_some_and(|code| headgate_graph::meaning(code).is_some())
            );
        }
        Outcome::Credential { code } => assert!(!yes && headgate_graph::meaning(*code).is_some()),
        Outcome::Ambiguous { why, .. } => {
            assert!(WHY.contains(why), "{why}");
            assert_eq!(outcome.disposition(), Some(Disposition::Reconcile));
        }
    }
    // Only what holds a code of Meta's can be anything but ambiguous when it is no yes.
    if !yes && !text.contains("code") && !text.contains('\\') {
        assert!(matches!(outcome, Outcome::Ambiguous { code: None, .. }));
    }
    assert_eq!(format!("{outcome:?}"), format!("{:?}", elsewhere(&outcome)));
});

/// The same outcome for another message: nothing of a message id is printed.
fn elsewhere(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Accepted { held, .. } => {
            let wamid = headgate_domain::identity::Wamid::parse("wamid.other");
            Outcome::Accepted {
                wamid: wamid.expect("the form of one"),
                held: *held,
            }
        }
        other => other.clone(),
    }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    json::mutate_below_a_line(data, size, max_size, seed)
});
