//! A breach through the binary: people and data are counted, nobody is named, and the clocks are those of their law.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests may fail loudly"
)]

use headgate::connection::Connection;
use headgate_domain::time::{DAY, HOUR, Timestamp};
use serde_json::{Value, json};

mod dev;

use dev::Dev;

/// Canada twice and Germany once, by a user id.
const PEOPLE: [(&str, &str); 3] = [
    ("phone", "+16135550141"),
    ("phone", "+16135550142"),
    ("bsuid", "DE.20000143"),
];

fn scope(dev: &Dev, now: Timestamp, more: &[&str]) -> Value {
    let from = now.plus_millis(-HOUR).to_string();
    let until = now.plus_millis(HOUR).to_string();
    let known = now.to_string();
    let mut args = vec![
        "breach",
        "scope",
        "--from",
        &from,
        "--until",
        &until,
        "--known-at",
        &known,
    ];
    args.extend(more);
    dev.json(&args)
}

fn clocks(report: &Value) -> Vec<(String, String, String)> {
    let text = |clock: &Value, name: &str| clock[name].as_str().unwrap().to_owned();
    let clocks = report["clocks"].as_array().unwrap().iter();
    clocks
        .map(|clock| {
            (
                text(clock, "profile"),
                text(clock, "tell"),
                text(clock, "by"),
            )
        })
        .collect()
}

/// Three say yes, two are written to, and one of them writes back.
async fn furnish(dev: &Dev, connection: &Connection, now: Timestamp) {
    for (kind, who) in PEOPLE {
        let kind = format!("--{kind}");
        dev.run(&[
            "opt-in",
            &kind,
            who,
            "--purpose",
            "utility",
            "--source",
            "agent",
        ]);
        dev.until("subject.opted_in");
    }
    for (_, phone) in &PEOPLE[..2] {
        dev.run(&[
            "send",
            "--to-phone",
            phone,
            "--purpose",
            "utility",
            "--template",
            "order_shipped",
        ]);
        dev.until("message.accepted");
    }
    // One of them writes back.
    let number = connection.find("HEADGATE_DEV_PHONE_NUMBER_ID").unwrap();
    let message = json!({ "from": "16135550142", "id": "wamid.breach", "timestamp": now.seconds().to_string(),
        "type": "text", "text": { "body": "thank you" } });
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "300", "changes": [{
        "field": "messages", "value": { "messaging_product": "whatsapp",
            "metadata": { "phone_number_id": number }, "messages": [message] } }] }] });
    let queue = connection.queue("NOTIFICATIONS").unwrap();
    queue.send(&body.to_string(), &[]).await.unwrap();
    dev.until("inbound.message");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_and_data_within_reach_are_counted_and_nobody_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    let now = connection.now().await.unwrap();
    let nobody = scope(&dev, now, &[]);
    assert_eq!(nobody["people"]["total"], 0, "{nobody}");
    assert_eq!(nobody["clocks"], json!([]), "{nobody}");

    furnish(&dev, &connection, now).await;
    let everybody = scope(&dev, now, &[]);
    let people = &everybody["people"];
    assert_eq!(people["total"], 3, "{everybody}");
    assert_eq!(people["written_to"], 2, "{everybody}");
    assert_eq!(people["erased_since"], 0, "{everybody}");
    let countries = json!([{ "country": "CA", "people": 2 }, { "country": "DE", "people": 1 }]);
    assert_eq!(people["by_country"], countries, "{everybody}");
    let messages = &everybody["classes"][0];
    assert_eq!(
        (&messages["count"], &messages["sealed"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(messages["still_readable"], 2, "{everybody}");
    let wrote = &everybody["classes"][1];
    assert_eq!(
        (&wrote["class"], &wrote["count"]),
        (&json!("what people wrote"), &json!(1))
    );
    assert_eq!(
        (&people["wrote"], &wrote["people"]),
        (&json!(1), &json!(1)),
        "{everybody}"
    );
    let day = &everybody["days"][0];
    assert_eq!(day["key"], format!("day#{}", now.day()), "{everybody}");
    assert_eq!(
        (&day["messages"], &day["readable"]),
        (&json!(3), &json!(true))
    );

    // The authority of the European has 72 hours, whoever else is among them.
    let by = now.plus_millis(72 * HOUR).to_string();
    let clocks_of_all = clocks(&everybody);
    assert!(
        clocks_of_all.contains(&("EU_GDPR".into(), "authority".into(), by)),
        "{everybody}"
    );
    assert!(clocks_of_all.contains(&("EU_GDPR".into(), "people".into(), now.to_string())));
    assert!(
        clocks_of_all
            .iter()
            .any(|(profile, ..)| profile == "CA_CASL")
    );

    // Of what passed through one lane in that time: who was written to, and no law of anybody else.
    let lane = scope(&dev, now, &["--accepted-within", "--lane", "utility"]);
    assert_eq!(lane["people"]["total"], 2, "{lane}");
    assert!(
        clocks(&lane)
            .iter()
            .all(|(profile, ..)| profile != "EU_GDPR"),
        "{lane}"
    );
    let other = scope(&dev, now, &["--lane", "marketing"]);
    assert_eq!(other["people"]["total"], 0, "{other}");

    // A year ago nothing of this was there; what was is unreadable, and its rows are not.
    let before = scope(&dev, now.plus_millis(-365 * DAY), &["--accepted-within"]);
    assert_eq!(before["classes"][0]["count"], 0, "{before}");

    let told = [
        everybody.to_string(),
        dev.run(&[
            "breach",
            "scope",
            "--from",
            "2026-01-01T00:00:00Z",
            "--until",
            "2027-01-01T00:00:00Z",
            "--known-at",
            "2026-11-22T10:00:00Z",
        ]),
    ];
    for text in told {
        for (_, who) in PEOPLE {
            assert!(!text.contains(&who[who.len() - 6..]), "{text}");
        }
        assert!(!text.contains("sub_"), "{text}");
    }
}

#[test]
fn a_time_that_is_none_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let times = |from: &str, until: &str| {
        dev.refuses(&[
            "breach",
            "scope",
            "--from",
            from,
            "--until",
            until,
            "--known-at",
            "2026-11-22T10:00:00Z",
        ])
    };
    assert!(times("yesterday", "2026-11-22T10:00:00Z").contains("--from"));
    assert!(times("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z").contains("before --until"));
}
