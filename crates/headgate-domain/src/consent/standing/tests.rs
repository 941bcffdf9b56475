//! Where somebody stands: topics, expiry, renewal, suspension.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]
use super::*;
use crate::consent::{IdentityChange, Said};
use crate::identity::SubjectId;

fn day(days: i64) -> Timestamp {
    Timestamp::from_seconds(1_795_000_000).plus_millis(days.saturating_mul(DAY))
}

fn topic(name: &str) -> Topic {
    Topic::parse(name).unwrap()
}

fn notice(text: &str) -> NoticeId {
    NoticeId::of(text, "en", "Maple Outfitters")
}

fn said(facts: &[(Kind, i64)]) -> Consent {
    let mut history = History::default();
    for (kind, at) in facts {
        let said = Said {
            at: day(*at),
            event: Some(format!("L0.{at}")),
            method: "paper".to_owned(),
            evidence: None,
            notice: Some(notice("old")),
            asked_at: None,
        };
        history.take(*kind, said);
    }
    Consent::of(history, 1).unwrap()
}

fn person(whole: &[(Kind, i64)], offers: &[(Kind, i64)]) -> Subject {
    let mut subject = Subject::unknown(SubjectId::from_random([7; 16]));
    if !whole.is_empty() {
        let place = crate::lane::PURPOSES
            .iter()
            .position(|p| *p == Purpose::Marketing)
            .unwrap();
        *subject.consents.get_mut(place).unwrap() = Some(said(whole));
    }
    if !offers.is_empty() {
        subject
            .topics
            .push((Purpose::Marketing, topic("offers"), said(offers)));
    }
    subject
}

const FOREVER: Validity = Validity {
    max_age_days: None,
    inactivity_days: None,
};

fn words(subject: &Subject, validity: Validity, now: i64) -> [&'static str; 3] {
    let word = |name: Option<&str>| {
        let topic = name.map(topic);
        subject
            .standing(Purpose::Marketing, topic.as_ref(), validity, &[], day(now))
            .word()
    };
    [word(None), word(Some("offers")), word(Some("events"))]
}

#[test]
fn what_is_said_of_the_whole_counts_for_each_topic_and_not_the_other_way_round() {
    use Kind::{Again, Invalid, NoByWord, OtherNo, Yes};
    type Facts = &'static [(Kind, i64)];
    let cases: [(Facts, Facts, [&str; 3]); 9] = [
        (&[], &[], ["unknown", "unknown", "unknown"]),
        (&[(Yes, 1)], &[], ["given", "given", "given"]),
        (&[], &[(Yes, 1)], ["unknown", "given", "unknown"]),
        (
            &[(Yes, 1)],
            &[(OtherNo, 2)],
            ["given", "withdrawn", "given"],
        ),
        (
            &[(OtherNo, 3)],
            &[(Yes, 2)],
            ["withdrawn", "withdrawn", "withdrawn"],
        ),
        (
            &[(OtherNo, 1)],
            &[(Yes, 2)],
            ["withdrawn", "given", "withdrawn"],
        ),
        (&[(Yes, 3)], &[(OtherNo, 2)], ["given", "given", "given"]),
        // START opens again what STOP closed, for what was agreed to.
        (
            &[(NoByWord, 2), (Again, 3)],
            &[(Yes, 1)],
            ["withdrawn", "given", "withdrawn"],
        ),
        (
            &[(Invalid, 2)],
            &[(Yes, 1)],
            ["invalidated", "invalidated", "invalidated"],
        ),
    ];
    for (whole, offers, expected) in cases {
        let subject = person(whole, offers);
        assert_eq!(
            words(&subject, FOREVER, 9),
            expected,
            "{}, {}",
            whole.len(),
            offers.len()
        );
    }
}

#[test]
fn a_yes_expires_by_its_age_or_by_silence_and_is_due_for_renewal_before() {
    let year = Validity {
        max_age_days: Some(730),
        inactivity_days: Some(365),
    };
    let mut subject = person(&[(Kind::Yes, 0)], &[]);
    for (now, word) in [
        (0, "given"),
        (334, "given"),
        (335, "renew_due"),
        (364, "renew_due"),
        (365, "expired"),
    ] {
        assert_eq!(words(&subject, year, now)[0], word, "day {now}");
    }
    subject.last_inbound_at = Some(day(300));
    assert_eq!(
        words(&subject, year, 400)[0],
        "given",
        "the person wrote meanwhile"
    );
    subject.last_inbound_at = Some(day(720));
    assert_eq!(words(&subject, year, 729)[0], "renew_due");
    assert_eq!(
        words(&subject, year, 730)[0],
        "expired",
        "writing is no yes"
    );
    assert_eq!(words(&subject, FOREVER, 9_999)[0], "given");
}

#[test]
fn a_yes_to_a_wording_that_has_changed_is_due_for_renewal() {
    let subject = person(&[(Kind::Yes, 0)], &[]);
    let standing = |changed: &str| {
        let renew = [notice(changed)];
        subject.standing(Purpose::Marketing, None, FOREVER, &renew, day(1))
    };
    assert_eq!(standing("other"), Standing::Given("L0.0".to_owned()));
    assert_eq!(standing("old"), Standing::RenewDue("L0.0".to_owned()));
}

#[test]
fn a_yes_is_suspended_when_another_may_have_taken_the_persons_place() {
    let mut subject = person(&[(Kind::Yes, 1)], &[(Kind::Yes, 3)]);
    subject.identity_change = Some((day(2), IdentityChange::Number));
    assert_eq!(
        words(&subject, FOREVER, 9),
        ["suspended", "given", "suspended"]
    );
}

/// However what was said is split between the purpose and one topic of it.
#[test]
fn a_topic_nobody_named_stands_where_the_purpose_stands() {
    let kinds = [Kind::Yes, Kind::NoByWord, Kind::OtherNo];
    for bits in 0_u32..64 {
        let mut split = [Vec::new(), Vec::new()];
        for (place, kind) in kinds.into_iter().cycle().take(6).enumerate() {
            if bits >> place & 1 == 1 {
                split[place / 3].push((kind, i64::try_from(place * 5 % 6).unwrap()));
            }
        }
        let [whole, offers] = &split;
        let [of_whole, of_offers, of_others] = words(&person(whole, offers), FOREVER, 9);
        assert_eq!(of_whole, of_others, "{bits}");
        if of_whole == "given" && offers.iter().all(|(kind, _)| *kind == Kind::Yes) {
            assert_eq!(of_offers, "given", "{bits}");
        }
        let latest = |facts: &[(Kind, i64)]| facts.iter().map(|(_, at)| *at).max();
        if of_whole == "withdrawn" && latest(whole) > latest(offers) {
            assert_eq!(of_offers, "withdrawn", "{bits}");
        }
    }
}
