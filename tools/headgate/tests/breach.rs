//! A breach through the binary: people and data are counted, nobody is named, and the clocks are those of their law.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    reason = "tests may fail loudly"
)]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;

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

/// From the scope as it was printed to drafts that name nobody, and never over one that is there.
fn draft(dev: &Dev, folder: &Path, scope: &Value) {
    let (file, out) = (folder.join("scope.json"), folder.join("notices"));
    fs::write(&file, scope.to_string()).unwrap();
    let args = [
        "breach",
        "notice",
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    let told = dev.json(&args);
    let files: Vec<&str> = told["notices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|notice| notice["file"].as_str().unwrap())
        .collect();
    let expected = [
        "CA_CASL-authority.md",
        "CA_CASL-people.md",
        "EU_GDPR-authority.md",
        "EU_GDPR-people.md",
    ];
    assert_eq!(files, expected);
    for file in files {
        let text = fs::read_to_string(out.join(file)).unwrap();
        assert!(
            text.starts_with("# Draft: ") && text.contains("[…"),
            "{text}"
        );
        assert!(!text.contains("sub_") && !text.contains("0141"), "{text}");
    }
    let german = fs::read_to_string(out.join("EU_GDPR-authority.md")).unwrap();
    assert!(
        german.contains("People this law holds for: about 1; of all laws together: 3"),
        "{german}"
    );
    assert!(
        german.contains("dpo@maple.example") && german.contains("(71 h left)"),
        "{german}"
    );
    assert!(dev.refuses(&args).contains("--out"));
    let none = folder.join("none.json");
    fs::write(&none, "[]").unwrap();
    let args = [
        "breach",
        "notice",
        none.to_str().unwrap(),
        "--out",
        folder.to_str().unwrap(),
    ];
    assert!(dev.refuses(&args).contains("breach scope --json"));
}

#[test]
fn a_drill_counts_whom_it_invented_and_says_how_long_each_step_took() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("drill");
    let drill = Command::new(dev::BINARY)
        .args(["breach", "drill", "--json", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert!(
        drill.status.success(),
        "{}",
        String::from_utf8_lossy(&drill.stderr)
    );
    let told: Value = serde_json::from_slice(&drill.stdout).unwrap();
    assert_eq!(told["scope"]["people"]["total"], 13, "{told}");
    let steps = told["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 4);
    assert!(
        steps.iter().all(|step| step["seconds"].as_f64().is_some()),
        "{told}"
    );
    for notice in told["notices"].as_array().unwrap() {
        let text = fs::read_to_string(out.join(notice["file"].as_str().unwrap())).unwrap();
        let blanks = text.matches("[…").count();
        assert!(blanks > 0 && notice["blanks"] == blanks, "{text}");
    }
    // The first clock of all is over already: it is practised to be late, too.
    assert!(
        told["scope"]["clocks"].as_array().unwrap().len() > 2,
        "{told}"
    );
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

    draft(&dev, folder.path(), &everybody);

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

/// What a trail puts into its bucket: a packed file with records, in a folder of its day.
fn put_log(folder: &Path, name: &str, records: &Value) {
    fs::create_dir_all(folder).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let log = json!({ "Records": records }).to_string();
    packed.write_all(log.as_bytes()).unwrap();
    fs::write(folder.join(name), packed.finish().unwrap()).unwrap();
}

/// A call of KMS in a session that is named by somebody's address.
fn event(at: Timestamp, id: &str, role: &str, (name, parameters): (&str, Value)) -> Value {
    let arn = format!("arn:aws:sts::000000000000:assumed-role/{role}/alice@maple.example");
    json!({ "eventID": id, "eventTime": at.to_string(), "eventSource": "kms.amazonaws.com", "eventName": name,
        "userIdentity": { "type": "AssumedRole", "arn": arn, "accountId": "000000000000",
            "sessionContext": { "sessionIssuer": { "userName": role } } },
        "sourceIPAddress": "192.0.2.7", "recipientAccountId": "000000000000", "requestParameters": parameters })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cloudtrail_tells_of_the_keys_is_counted_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    let now = connection.now().await.unwrap();
    furnish(&dev, &connection, now).await;
    let deployment = connection.deployment().unwrap();
    let data = connection.find("HEADGATE_KMS_KEY_DATA").unwrap();
    let key = connection.find("HEADGATE_KMS_MAC_IDENTITY").unwrap();
    let event = |id: &str, role: &str, name: &str, parameters: Value| {
        let call = (name, parameters);
        event(now, id, &format!("{deployment}-{role}"), call)
    };
    let opens = |key: &str| {
        let context = json!({ "headgate:deployment": deployment, "headgate:key": key });
        json!({ "keyId": data, "encryptionContext": context })
    };
    let today = format!("day#{}", now.day());
    let trail = folder.path().join("trail");
    let path = trail.to_str().unwrap().to_owned();
    let with_trail = |now| scope(&dev, now, &["--trail", &path]);

    // Files without any use of keys deny nothing.
    let mut refused = event("2", "operator", "Decrypt", Value::Null);
    refused["errorCode"] = json!("AccessDenied");
    refused["errorMessage"] = json!(format!(
        "not authorized to perform: kms:Decrypt on resource: {data} because"
    ));
    put_log(&trail, "zero.json.gz", &json!([refused]));
    let silent = with_trail(now);
    assert_eq!(
        silent["classes"][0]["opened_by_others"],
        Value::Null,
        "{silent}"
    );
    assert_eq!(
        silent["days"][0]["opened_by_others"],
        Value::Null,
        "{silent}"
    );
    assert!(
        silent["trail"]["not_told"]
            .to_string()
            .contains("who opened keys"),
        "{silent}"
    );

    // What the functions do tells nothing of others, and a refusal opens nothing.
    let records = json!([event("1", "sender", "Decrypt", opens(&today)), refused]);
    put_log(&trail.join("2026/11"), "one.json.gz", &records);
    // Beside them a trail keeps what proves them.
    put_log(
        &trail.join("CloudTrail-Digest"),
        "digest.json.gz",
        &json!(7),
    );
    let none = with_trail(now);
    assert_eq!(none["classes"][0]["opened_by_others"], 0, "{none}");
    assert_eq!(none["classes"][2]["opened_by_others"], 0, "{none}");
    assert_eq!(none["days"][0]["opened_by_others"], false, "{none}");
    assert_eq!(none["trail"]["by_functions"], 1, "{none}");
    assert_eq!(none["trail"]["acts"][0]["refused"], 1, "{none}");

    let records = json!([
        event("3", "operator", "Decrypt", opens(&today)),
        event("3", "operator", "Decrypt", opens(&today)),
        event("4", "operator", "Decrypt", opens("vault#1")),
        event("5", "operator", "GenerateMac", json!({ "keyId": key })),
    ]);
    put_log(&trail, "two.json.gz", &records);
    let told = with_trail(now);
    let opened = [0, 1, 2].map(|n| told["classes"][n]["opened_by_others"].clone());
    assert_eq!(opened, [json!(2), json!(1), json!(3)], "{told}");
    assert_eq!(told["days"][0]["opened_by_others"], true, "{told}");
    let acts = told["trail"]["acts"].as_array().unwrap().iter();
    let acts: Vec<String> = acts
        .map(|act| format!("{} {} {}", act["did"], act["what"], act["times"]).replace('"', ""))
        .collect();
    let expected = [
        &format!("opened_key {today} 1"),
        "opened_key key data 0",
        "opened_key vault#1 1",
        "made_names key identity 1",
    ];
    assert_eq!(acts, expected, "{told}");
    let not_told = told["trail"]["not_told"].to_string();
    assert!(
        not_told.contains("no data events") && not_told.contains("begin there"),
        "{told}"
    );

    let told_of = |text: &str| {
        assert!(
            !text.contains("alice") && !text.contains("192.0.2"),
            "{text}"
        );
    };
    told_of(&told.to_string());
    told_of(&draft_of(&dev, folder.path(), &told));
    let (from, until) = (
        now.plus_millis(-HOUR).to_string(),
        now.plus_millis(HOUR).to_string(),
    );
    let args = [
        "breach",
        "scope",
        "--from",
        &from,
        "--until",
        &until,
        "--known-at",
        &from,
        "--trail",
        &path,
    ];
    let printed = dev.run(&args);
    assert!(
        printed.contains(&format!("role {deployment}-operator")),
        "{printed}"
    );
    told_of(&printed);
}

/// The draft to an authority of a scope with a trail.
fn draft_of(dev: &Dev, folder: &Path, scope: &Value) -> String {
    let (file, out) = (folder.join("scope.json"), folder.join("notices"));
    fs::write(&file, scope.to_string()).unwrap();
    let (file, folder) = (file.to_str().unwrap(), out.to_str().unwrap());
    dev.json(&["breach", "notice", file, "--out", folder]);
    let draft = fs::read_to_string(out.join("EU_GDPR-authority.md")).unwrap();
    let said = "had the keys opened of: 2 messages, 1 what people wrote, 3 numbers and user ids. It does not tell";
    assert!(draft.contains(said), "{draft}");
    draft
}

/// Nothing is left out unsaid: an investigator would take it for nothing that happened.
#[test]
fn what_is_no_log_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let trail = folder.path().join("trail");
    let refused = |path: &Path| {
        let (from, until) = ("2026-11-20T09:00:00Z", "2026-11-20T12:00:00Z");
        let times = ["--from", from, "--until", until, "--known-at", until];
        dev.refuses(
            &[
                &["breach", "scope"],
                &times[..],
                &["--trail", path.to_str().unwrap()],
            ]
            .concat(),
        )
    };
    assert!(refused(&trail).contains("cannot read"));
    fs::create_dir(&trail).unwrap();
    assert!(refused(&trail).contains("no .json or .json.gz"));
    put_log(&trail, "one.json.gz", &json!([]));
    for (name, text) in [
        ("two.json", "{}"),
        ("two.json", "+16135550123"),
        ("two.json.gz", "{\"Records\":[]}"),
    ] {
        let file = trail.join(name);
        fs::write(&file, text).unwrap();
        let said = refused(&trail);
        assert!(said.contains(name) && said.contains("Records"), "{said}");
        assert!(!said.contains("5550123"), "{said}");
        fs::remove_file(file).unwrap();
    }
    std::os::unix::fs::symlink(folder.path(), trail.join("round")).unwrap();
    assert!(refused(&trail).contains("is a link"));
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
