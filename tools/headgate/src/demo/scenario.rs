//! The input of the demo: people, their consents, and a file of mixed messages as an app would write it.
//!
//! Deterministic: the same numbers of messages give the same file. Everybody is fictional: numbers are
//! +1 613 555 01xx, most people have no number at all, only a business-scoped user id, as Meta gives them.

use headgate_domain::lane::Purpose;
use headgate_domain::time::Timestamp;
use serde_json::{Value, json};

use super::letters::{Message, Person, Writer, code, person};

/// Everything that goes in.
pub(super) struct Scenario {
    /// Everybody, for the search that must not find them.
    pub(super) people: Vec<Person>,
    /// What is written to or by people, for the same search.
    pub(super) texts: Vec<String>,
    /// Those who agreed, as consent records.
    pub(super) consents: Vec<String>,
    /// Those who write first, and what they write.
    pub(super) writers: Vec<(Person, String)>,
    /// Good messages.
    pub(super) good: Vec<Message>,
    /// Good messages that are to lie at the end of the queue: marketing for those who will say STOP.
    pub(super) late: Vec<Message>,
    /// Those who will say STOP.
    pub(super) stoppers: Vec<Person>,
    /// Whom a forger says STOP for; they never do.
    pub(super) victims: Vec<Person>,
    /// Messages that must be refused, with the code.
    pub(super) bad: Vec<(Message, &'static str)>,
    /// An accepted message put a second time, unchanged.
    pub(super) repeat: Message,
}

/// Messages for each of those who will say STOP.
const LATE_EACH: usize = 3;
const WRITERS: usize = 8;
/// Writes the scenario for so many good messages; `seconds` is how long sending them takes.
pub(super) fn write(messages: usize, seconds: f64, from: &str, now: Timestamp) -> Scenario {
    let w = Writer {
        from: from.to_owned(),
        now,
    };
    // A STOP counts as a message too, and there is one a second; all are over before the end.
    let stops = if seconds >= 6.0 { 3 } else { 1 };
    let crowd: Vec<Person> = (0..(messages / 4).max(20))
        .map(|i| person(i, false))
        .collect();
    let phones: Vec<Person> = (0..40).map(|i| person(i, true)).collect();
    let writers: Vec<Person> = (0..WRITERS)
        .map(|i| person(if i < 4 { 50 + i } else { 900_000 + i }, i < 4))
        .collect();
    let stoppers: Vec<Person> = (0..stops)
        .map(|i| person(if i == 0 { 60 } else { 910_000 + i }, i == 0))
        .collect();
    let strangers: Vec<Person> = (0..3)
        .map(|i| person(if i == 0 { 70 } else { 920_000 + i }, i == 0))
        .collect();
    let victims: Vec<Person> = crowd.iter().take(4).cloned().collect();

    let late: Vec<Message> = (0..stops * LATE_EACH)
        .filter_map(|i| {
            let to = stoppers.get(i % stops)?.to();
            Some(w.message(
                &format!("late-{i}"),
                Purpose::Marketing,
                &to,
                &Writer::template("autumn_sale"),
                None,
            ))
        })
        .collect();
    let mut texts = Vec::new();
    let rest = messages.saturating_sub(late.len());
    let good = good(&w, rest, &crowd, &phones, &writers, &mut texts);
    let consenting = crowd.iter().chain(&stoppers);
    let consents = consenting
        .enumerate()
        .map(|(i, p)| w.consent(&format!("consent-{i}"), p, i))
        .collect();
    let written: Vec<(Person, String)> = writers
        .iter()
        .map(|p| {
            (
                p.clone(),
                format!(
                    "Hello, this is {}. Where is the parcel I paid for on Friday?",
                    p.name
                ),
            )
        })
        .collect();
    texts.extend(written.iter().map(|(_, text)| text.clone()));
    let repeat = good
        .first()
        .cloned()
        .unwrap_or_else(|| w.message("none", Purpose::Utility, &Value::Null, &Value::Null, None));
    let bad = bad(&w, &strangers, &crowd, &repeat);
    let people = [crowd, phones, writers, stoppers.clone(), strangers].concat();
    Scenario {
        people,
        texts,
        consents,
        writers: written,
        good,
        late,
        stoppers,
        victims,
        bad,
        repeat,
    }
}

/// Messages of all lanes for people who may get them, mixed.
fn good(
    w: &Writer,
    rest: usize,
    crowd: &[Person],
    phones: &[Person],
    writers: &[Person],
    texts: &mut Vec<String>,
) -> Vec<Message> {
    let service = (rest / 25).min(WRITERS * 30);
    // More than five an hour to one person would be taken for abuse.
    let codes = (rest / 12).min(phones.len() * 5);
    let utility = rest / 3;
    let mut good: Vec<Message> = (0..rest)
        .filter_map(|i| {
            Some(if i < service {
                let person = writers.get(i % WRITERS)?;
                let text = format!(
                    "Dear {}, your parcel MO-{i} left our Ottawa warehouse this morning.",
                    person.name
                );
                texts.push(text.clone());
                w.message(
                    &format!("answer-{i}"),
                    Purpose::Service,
                    &person.to(),
                    &json!({"type": "text", "text": {"body": text}}),
                    None,
                )
            } else if i < service + codes {
                let code = code(i);
                texts.push(code.clone());
                let basis = json!({"kind": "user_action", "at": w.now.to_string()});
                w.message(
                    &format!("login-{i}"),
                    Purpose::Authentication,
                    &phones.get(i % phones.len())?.to(),
                    &Writer::login(&code),
                    Some(basis),
                )
            } else if i < service + codes + utility {
                let name = if i % 2 == 0 {
                    "order_shipped"
                } else {
                    "appointment_reminder"
                };
                let basis = (i % 3 == 0)
                    .then(|| json!({"kind": "contract", "reference": format!("order-{i}")}));
                w.message(
                    &format!("order-{i}"),
                    Purpose::Utility,
                    &crowd.get(i % crowd.len())?.to(),
                    &Writer::template(name),
                    basis,
                )
            } else {
                w.message(
                    &format!("sale-{i}"),
                    Purpose::Marketing,
                    &crowd.get(i % crowd.len())?.to(),
                    &Writer::template("autumn_sale"),
                    None,
                )
            })
        })
        .collect();
    mix(&mut good);
    good
}

/// What must be refused, and with which code.
fn bad(
    w: &Writer,
    strangers: &[Person],
    crowd: &[Person],
    repeat: &Message,
) -> Vec<(Message, &'static str)> {
    let crowd_to = || crowd.first().map_or(Value::Null, Person::to);
    let mut bad: Vec<(Message, &'static str)> = strangers
        .iter()
        .enumerate()
        .map(|(i, p)| {
            let (lane, name) = if i == 0 {
                (Purpose::Utility, "order_shipped")
            } else {
                (Purpose::Marketing, "autumn_sale")
            };
            (
                w.message(
                    &format!("stranger-{i}"),
                    lane,
                    &p.to(),
                    &Writer::template(name),
                    None,
                ),
                "no_consent",
            )
        })
        .collect();
    // The poison, which goes among good messages in one batch.
    bad.push((
        Message {
            lane: Purpose::Utility,
            body: "{\"schema\":\"headgate.outbound/1\",\"id\":\"poison-0\",".to_owned(),
        },
        "malformed",
    ));
    let without_recipient = w.message(
        "poison-1",
        Purpose::Utility,
        &Value::Null,
        &Writer::template("order_shipped"),
        None,
    );
    bad.push((without_recipient, "malformed"));
    let misspelt = w.message(
        "poison-2",
        Purpose::Utility,
        &crowd_to(),
        &json!({"type": "tempalte", "template": {}}),
        None,
    );
    bad.push((misspelt, "malformed"));
    let mut astray = w.message(
        "astray-0",
        Purpose::Marketing,
        &crowd_to(),
        &Writer::template("autumn_sale"),
        None,
    );
    astray.lane = Purpose::Utility;
    bad.push((astray, "lane_mismatch"));
    // The id of another message, with other content.
    if let Ok(mut other) = serde_json::from_str::<Value>(&repeat.body) {
        other["expires_at"] = json!(w.now.plus_millis(3_600_000).to_string());
        bad.push((
            Message {
                lane: repeat.lane,
                body: other.to_string(),
            },
            "duplicate_id",
        ));
    }
    bad
}

/// Mixes the lanes as real input is mixed; the same input gives the same order.
fn mix(messages: &mut [Message]) {
    let mut state = 0x5eed_u64;
    for i in (1..messages.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let j = usize::try_from(state >> 33).unwrap_or(0) % (i + 1);
        messages.swap(i, j);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use std::collections::HashSet;

    use headgate_domain::consent::ConsentRecord;
    use headgate_domain::outbound::OutboundMessage;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    #[test]
    fn the_good_ones_are_as_many_as_asked_for_and_follow_the_contract() {
        for messages in [50, 600, 2_000] {
            let scenario = write(messages, 7.5, "main", NOW);
            let all: Vec<&Message> = scenario.good.iter().chain(&scenario.late).collect();
            assert_eq!(all.len(), messages);
            let ids: HashSet<(Purpose, String)> = all
                .iter()
                .map(|m| (m.lane, OutboundMessage::parse(&m.body, NOW).unwrap().id))
                .collect();
            assert_eq!(ids.len(), messages, "every id once");
            for consent in &scenario.consents {
                assert!(ConsentRecord::parse(consent, NOW).is_ok(), "{consent}");
            }
        }
    }

    #[test]
    fn the_malformed_ones_are_malformed() {
        let scenario = write(600, 7.5, "main", NOW);
        for (message, code) in &scenario.bad {
            let parsed = OutboundMessage::parse(&message.body, NOW);
            assert_eq!(
                parsed.is_err(),
                *code == "malformed",
                "{code}: {}",
                message.body
            );
        }
    }

    #[test]
    fn nobody_is_two_people() {
        let scenario = write(2_000, 25.0, "main", NOW);
        let ways: HashSet<String> = scenario.people.iter().map(|p| p.to().to_string()).collect();
        assert_eq!(ways.len(), scenario.people.len());
        assert!(
            scenario
                .people
                .iter()
                .filter_map(|p| p.phone.as_deref())
                .all(|p| p != "+16135550100")
        );
    }
}
