//! What people ask about their own data, through the binary: the agenda, a receipt verified from files, a replay.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests may fail loudly"
)]

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use headgate::connection::Connection;
use headgate_aws::privacy_requests::Chosen;
use headgate_domain::identity::SubjectId;
use headgate_domain::optin_code;
use headgate_domain::privacy::{Ask, Choice, RequestId, Wish};
use headgate_domain::profiles::Right;
use headgate_domain::system::Locale;
use serde_json::{Value, json};

mod dev;

use dev::Dev;

/// A person writes to the number of the gateway.
async fn writes(dev: &Dev, words: &str) {
    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    let now = connection.now().await.unwrap();
    let number = connection.find("HEADGATE_DEV_PHONE_NUMBER_ID").unwrap();
    let message = json!({
        "from": "16135550123", "id": format!("wamid.{}", words.len()), "timestamp": now.seconds().to_string(),
        "type": "text", "text": { "body": words },
    });
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "300", "changes": [{
        "field": "messages", "value": { "messaging_product": "whatsapp",
            "metadata": { "phone_number_id": number }, "messages": [message] } }] }] });
    let queue = connection.queue("NOTIFICATIONS").unwrap();
    queue.send(&body.to_string(), &[]).await.unwrap();
}

/// Waits until the agenda has a task of a kind; its request.
fn planned(dev: &Dev, task: &str) -> String {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(3) {
        let agenda: Value = dev.json(&["privacy", "agenda"]);
        let tasks = agenda["tasks"].as_array().unwrap();
        if let Some(found) = tasks.iter().find(|one| one["task"] == task) {
            assert_eq!(found["overdue"], false, "{agenda}");
            return found["about"].as_str().unwrap().to_owned();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    String::new()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_carried_out_and_its_receipt_verified_from_files_and_an_altered_one_found() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let now = dev.json(&["privacy", "agenda"]);
    assert_eq!(now["tasks"], json!([]));
    writes(&dev, "Delete my data").await;
    let request = planned(&dev, "run");
    let stands = dev.json(&["privacy", "show", &request]);
    assert_eq!(
        (&stands["state"], &stands["right"], &stands["receipt"]),
        (&json!("verified"), &json!("erasure"), &Value::Null)
    );

    dev.run(&["clock", "advance", "11m"]);
    assert_eq!(planned(&dev, "again"), request);
    let stands = dev.json(&["privacy", "show", &request]);
    assert_eq!(stands["state"], "fulfilled", "{stands}");
    let erased = dev.until("subject.erased");
    assert_eq!(erased["data"]["request"], request);

    let receipt = folder.path().join("receipt.txt");
    let key = folder.path().join("key.pem");
    fs::write(&key, dev.run(&["privacy", "key"])).unwrap();
    let note = stands["receipt"].as_str().unwrap();
    let verified = |note: &str| {
        fs::write(&receipt, note).unwrap();
        let files = [&receipt, &key].map(|file| file.to_str().unwrap());
        let output = std::process::Command::new(dev::BINARY)
            .args(["privacy", "verify", files[0], "--key", files[1], "--json"])
            .env_clear()
            .output()
            .unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.success(), said)
    };
    let (holds, said) = verified(note);
    assert!(holds && said["request"] == request.as_str(), "{said}");
    assert_eq!(said["keys"], 2);
    // As it is copied from a page.
    assert!(verified(&format!("\r\n{}", note.trim().replace('\n', "\r\n"))).0);
    let (holds, said) = verified(&note.replacen("left 0", "left 1", 1));
    assert!(!holds && said["finding"].is_string(), "{said}");

    let unknown = dev.refuses(&["privacy", "show", &format!("dsr_{}", "a".repeat(20))]);
    assert!(unknown.contains("nothing is known"), "{unknown}");
    let wrong = dev.refuses(&["privacy", "show", "+16135550123"]);
    assert!(
        wrong.contains("dsr_ and 20") && !wrong.contains("0123"),
        "{wrong}"
    );

    // The worker looks every five minutes of the calendar.
    let run = std::process::Command::new(dev::BINARY)
        .args(["privacy", "replay-after-restore", "--json", "--env-file"])
        .arg(&dev.env_file)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    planned(&dev, "replay");
    dev.run(&["clock", "advance", "6m"]);
    let output = run.wait_with_output().unwrap();
    let replayed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&replayed["entries"], &replayed["tombstones"]),
        (&json!(1), &json!(1)),
        "{replayed}"
    );
}

/// Runs the command with something on its standard input; whether it succeeded, and everything it said.
fn with_input(dev: &Dev, args: &[&str], input: &str) -> (bool, String) {
    let mut run = Command::new(dev::BINARY)
        .args(args)
        .arg("--env-file")
        .arg(&dev.env_file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    run.stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = run.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn a_hold_is_placed_by_a_number_that_nobody_reads_again() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let agree = [
        "opt-in",
        "--phone",
        "+16135550141",
        "--purpose",
        "utility",
        "--source",
        "agent",
    ];
    dev.run(&agree);
    let subject = dev.until("subject.opted_in")["subject"].clone();
    let place = |phone: &str, input: &str| {
        let args = [
            "privacy",
            "hold",
            "place",
            "--phone",
            phone,
            "--reason",
            "claim C-17",
            "--approved-by",
            "counsel",
            "--days",
            "30",
            "--json",
        ];
        let (done, said) = with_input(&dev, &args, input);
        assert!(
            !said.contains("5550141") && !said.contains("555-0141"),
            "{said}"
        );
        (done, said)
    };
    let (done, said) = place("-", "+1 613 555-0141\n");
    assert!(done, "{said}");
    let placed: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(placed["scope"]["subject"], subject);
    let listed = dev.json(&["privacy", "hold", "list"]);
    assert_eq!(listed["holds"], json!([placed]));
    dev.run(&["privacy", "hold", "lift", placed["hold"].as_str().unwrap()]);

    // A number on the command line is refused and not repeated; so is what is none, and one of nobody.
    let (done, said) = place("+16135550141", "");
    assert!(!done && said.contains("--phone: give -"), "{said}");
    for none in ["", "Ada Lovelace", "613 555 0141"] {
        let (done, said) = place("-", none);
        assert!(
            !done && said.contains("--phone: ") && !said.contains("Ada"),
            "{said}"
        );
    }
    let (done, said) = place("-", "+16135550142");
    assert!(
        !done && said.contains("nobody is known") && !said.contains("0142"),
        "{said}"
    );
    assert_eq!(
        dev.json(&["privacy", "hold", "list"])["holds"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

/// What somebody asks for by a code of the page and a message of theirs; its reference, once it is open.
async fn asks(dev: &Dev, right: Right, words: &str) -> RequestId {
    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    let requests = connection.privacy_requests().unwrap();
    let code = optin_code::from_random(headgate_aws::random().unwrap());
    let chosen = Chosen {
        request: RequestId::from_random(headgate_aws::random().unwrap()),
        choice: Choice::Right(right),
        locale: Locale::En,
    };
    let hash = optin_code::hash(&code);
    let now = connection.now().await.unwrap();
    requests.put_code(&hash, &chosen, now).await.unwrap();
    writes(dev, &format!("{words} PRIVACY {code}")).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(3) {
        if requests.find(&chosen.request).await.unwrap().is_some() {
            return chosen.request;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    chosen.request
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_answers_a_rectification_and_ends_a_restriction_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let wrong = asks(&dev, Right::Rectification, "Please correct my data.").await;
    let kept = asks(&dev, Right::Restriction, "Keep it.").await;
    let [wrong, kept] = [wrong.as_str(), kept.as_str()];
    let stands = dev.json(&["privacy", "show", kept]);
    assert_eq!(stands["right"], "restriction", "{stands}");

    let no_reason = dev.refuses(&["privacy", "deny", wrong, "--reason", "mood"]);
    assert!(no_reason.contains("claim_not_covered"), "{no_reason}");
    let other = dev.refuses(&["privacy", "fulfil", kept]);
    assert!(other.contains("is no rectification"), "{other}");
    let other = dev.refuses(&["privacy", "lift", wrong]);
    assert!(other.contains("is no restriction"), "{other}");
    let unknown = format!("dsr_{}", "a".repeat(20));
    let unknown = dev.refuses(&["privacy", "lift", &unknown, "--told"]);
    assert!(unknown.contains("nothing is known"), "{unknown}");

    let planned = dev.json(&["privacy", "deny", wrong, "--reason", "no_match"]);
    assert_eq!(planned["request"], wrong);
    let said = dev.run(&["privacy", "lift", kept]);
    assert!(said.contains("--told"), "{said}");
    dev.run(&["clock", "advance", "6m"]);
    let until = |request: &str, state: &str| {
        let begun = Instant::now();
        loop {
            let stands = dev.json(&["privacy", "show", request]);
            let is_late = begun.elapsed() > Duration::from_mins(3);
            if stands["state"] == state || is_late {
                return stands;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let denied = until(wrong, "denied");
    assert_eq!(denied["denial"], "no_match", "{denied}");
    let lifted = until(kept, "fulfilled");
    assert_eq!(lifted["state"], "fulfilled", "{lifted}");
    let closed = dev.refuses(&["privacy", "fulfil", wrong]);
    assert!(closed.contains("is closed"), "{closed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_nobody_could_open_is_seen_and_opened_once_it_is_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    writes(&dev, "hello").await;
    let subject = dev.until("inbound.message")["subject"].clone();
    let now = connection.now().await.unwrap();
    let ask = Ask {
        wish: Wish::Right(Right::Erasure),
        subject: SubjectId::parse(subject.as_str().unwrap()).unwrap(),
        source: format!("m1_{}", "a".repeat(43)),
        at: now,
        number: connection
            .find("HEADGATE_DEV_PHONE_NUMBER_ID")
            .map(str::to_owned),
        locale: Locale::En,
    };
    // As SQS moves it after a hundred receives.
    let dead = connection.queue("PRIVACY_REQUESTS_DLQ").unwrap();
    dead.send(&ask.to_json(), &[]).await.unwrap();
    let list = dev.json(&["dlq", "list", "--queue", "privacy-requests"]);
    let entry = &list["entries"][0];
    assert_eq!(
        (&entry["queue"], &entry["reason"]),
        (&json!("privacy-requests"), &json!("moved_by_sqs"))
    );
    assert_eq!(dev.json(&["privacy", "agenda"])["tasks"], json!([]));
    let redriven = dev.json(&["dlq", "redrive", "--queue", "privacy-requests", "--all"]);
    assert_eq!(redriven, json!({"redriven": 1, "stayed": []}));
    let request = planned(&dev, "run");
    let stands = dev.json(&["privacy", "show", &request]);
    assert_eq!(stands["right"], "erasure", "{stands}");
}
