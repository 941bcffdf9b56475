//! Reports through the binary: counts of days that have settled, nothing below ten, and the same day every time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests may fail loudly"
)]

use headgate::connection::Connection;
use headgate_aws::messages::{Messages, Record};
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::record::{RecordRef, State, ulid};
use headgate_domain::time::{Day, HOUR};
use serde_json::{Value, json};

mod dev;

use dev::Dev;

const SUBJECT: &str = "sub_k3m7q2xv5n6rj4thw2yak3m7q2";

/// Where records are put.
struct Outbox {
    messages: Messages,
    number: String,
}

impl Outbox {
    fn of(connection: &Connection) -> Self {
        let number = connection.find("HEADGATE_DEV_PHONE_NUMBER_ID").unwrap();
        Self {
            messages: connection.messages().unwrap(),
            number: number.to_owned(),
        }
    }

    /// So many messages of a day and template, in one state.
    async fn put(
        &self,
        day: Day,
        (lane, shard): (Purpose, u8),
        template: Option<&str>,
        (count, state): (u8, State),
    ) {
        let at = day.start().plus_millis(10 * HOUR);
        for _ in 0..count {
            let record = Record {
                reference: RecordRef {
                    number: self.number.clone(),
                    lane,
                    shard,
                    ulid: ulid(at, headgate_aws::random().unwrap()),
                },
                state,
                attempt: 1,
                subject: SubjectId::parse(SUBJECT).unwrap(),
                purpose: lane,
                campaign: None,
                template: template.map(str::to_owned),
                consent_event: None,
                producer: "AROAEXAMPLE".to_owned(),
                accepted_at: at,
                not_before: None,
                expires_at: at.plus_millis(HOUR),
                day,
                body: vec![1, 2, 3],
                reason: None,
            };
            assert!(self.messages.put(&record).await.unwrap());
        }
    }
}

fn report(dev: &Dev, from: Day, until: Day) -> Value {
    dev.json(&[
        "report",
        "--from",
        &from.to_string(),
        "--until",
        &until.to_string(),
    ])
}

/// A day of a report, and nothing of when it was asked.
fn day_of(report: &Value, day: Day) -> &Value {
    let mut days = report["days"].as_array().unwrap().iter();
    days.find(|told| told["day"] == day.to_string()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_told_once_with_nothing_small_and_the_same_in_every_report() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    let today = connection.now().await.unwrap().day();
    let (day, next) = (today.plus(-6), today.plus(-5));
    let outbox = Outbox::of(&connection);
    let utility = (Purpose::Utility, 0);
    let shipped = Some("order_shipped");
    outbox.put(day, utility, shipped, (40, State::Read)).await;
    outbox
        .put(day, utility, shipped, (12, State::Delivered))
        .await;
    outbox.put(day, utility, shipped, (3, State::Failed)).await;
    outbox
        .put(day, (Purpose::Service, 0), None, (11, State::Sent))
        .await;
    let reminder = Some("appointment_reminder");
    outbox.put(day, utility, reminder, (9, State::Read)).await;
    let sale = (Purpose::Marketing, 5);
    outbox
        .put(next, sale, Some("autumn_sale"), (10, State::Accepted))
        .await;

    let first = report(&dev, day, day);
    let mut rows = day_of(&first, day)["rows"].as_array().unwrap().clone();
    rows.sort_by_key(|row| row["template"].as_str().map(str::to_owned));
    let row = |template: Option<&str>, messages: Option<u64>, of: &[(&str, Option<u64>)]| {
        let rest = messages.map(|_| 0);
        let mut row = json!({ "template": template, "messages": messages });
        for outcome in first["outcomes"].as_array().unwrap() {
            let word = outcome.as_str().unwrap();
            let known = of.iter().find(|(known, _)| *known == word);
            row[word] = json!(known.map_or(rest, |(_, count)| *count));
        }
        row
    };
    let expected = [
        row(None, Some(11), &[("sent", Some(11))]),
        row(Some("appointment_reminder"), None, &[]),
        row(
            Some("order_shipped"),
            Some(55),
            &[("read", Some(40)), ("delivered", None), ("failed", None)],
        ),
    ];
    assert_eq!(rows, expected, "{first}");

    // One more is read meanwhile: whoever compares two reports would know of it.
    outbox.put(day, utility, shipped, (1, State::Read)).await;
    outbox.put(day, utility, reminder, (1, State::Read)).await;
    let second = report(&dev, day.plus(-2), next);
    assert_eq!(day_of(&second, day), day_of(&first, day), "{second}");
    let third = report(&dev, day, today.plus(-3));
    for told in second["days"].as_array().unwrap() {
        let again = third["days"].as_array().unwrap();
        let again = again.iter().find(|other| other["day"] == told["day"]);
        assert!(again.is_none_or(|again| again == told), "{third}");
    }
    let sale = &day_of(&third, next)["rows"][0];
    assert_eq!(
        (&sale["messages"], &sale["accepted"]),
        (&json!(10), &json!(10))
    );

    // For people: the same, with nobody in it.
    let text = dev.run(&[
        "report",
        "--from",
        &day.to_string(),
        "--until",
        &next.to_string(),
    ]);
    for part in [
        "order_shipped",
        "appointment_reminder",
        "(no template)",
        "<10",
        " * ",
        "at most 55",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for told in [text, first.to_string(), third.to_string()] {
        assert!(!told.contains("sub_") && !told.contains("AROA"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_settled_is_refused_and_what_is_gone_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    let today = connection.now().await.unwrap().day();
    let until = |day: Day| dev.refuses(&["report", "--until", &day.to_string()]);
    for day in [today, today.plus(-1), today.plus(-2)] {
        let said = until(day);
        assert!(
            said.contains("--until") && said.contains(&today.plus(-3).to_string()),
            "{said}"
        );
    }
    let old = report(&dev, today.plus(-91), today.plus(-88));
    assert_eq!(
        old["not_counted"],
        json!([today.plus(-91).to_string(), today.plus(-90).to_string()])
    );
    assert_eq!(old["days"].as_array().unwrap().len(), 2);
    assert!(dev.run(&["report"]).contains("none"));
}
