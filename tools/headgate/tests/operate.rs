//! What whoever runs a deployment does, through the binary: dead letters, pauses, cancellation.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]

use headgate::connection::Connection;
use headgate_aws::poison::{Poison, Sender, set_aside};
use headgate_domain::api_token::{PlainToken, TokenId};
use headgate_redact::Personal;
use serde_json::{Value, json};

mod dev;

use dev::Dev;

/// Who the local SQS says every message is from.
const PRODUCER: &str = "AROAEXAMPLEEXAMPLE000";

fn utility(connection: &Connection, id: &str) -> String {
    json!({
        "schema": "headgate.outbound/1",
        "id": id,
        "from": connection.find("HEADGATE_DEV_PHONE_NUMBER_ID").unwrap(),
        "to": {"phone": "+16135550123"},
        "purpose": "utility",
        "message": {"type": "template", "template": {"name": "order_shipped", "language": {"code": "en_US"}, "components": []}},
    })
    .to_string()
}

/// Puts a message on the dead-letter queue of the utility lane as SQS moves one: as it was.
async fn moved(connection: &Connection, id: &str) {
    let queue = connection.queue("UTILITY_DLQ").unwrap();
    queue.send(&utility(connection, id), &[]).await.unwrap();
}

/// Puts a message there as a function does: sealed, with the reason.
async fn sealed(connection: &Connection, id: &str) {
    let now = connection.now().await.unwrap();
    let poison = Poison {
        source: "utility",
        reason: "panicked",
        why: "Handling the message panicked every time.",
        message_id: Some("sqs-1".to_owned()),
        record: None,
        sender: Some(Sender {
            producer: PRODUCER.to_owned(),
            sent_at: now,
        }),
        receives: Some(3),
        index: None,
        encoding: None,
        content: Personal::new(utility(connection, id)),
    };
    let queue = connection.queue("UTILITY_DLQ").unwrap();
    let keyring = connection.keyring().unwrap();
    set_aside(&queue, &keyring, &poison, now).await.unwrap();
}

fn listed(dev: &Dev) -> Value {
    dev.json(&["dlq", "list"])
}

fn entry<'a>(list: &'a Value, reason: &str) -> &'a str {
    let entries = list["entries"].as_array().unwrap();
    let entry = entries.iter().find(|e| e["reason"] == reason);
    entry.unwrap_or_else(|| panic!("no {reason}: {list}"))["id"]
        .as_str()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_seen_without_its_content_and_put_back_to_be_judged_afresh() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    assert_eq!(listed(&dev)["entries"], json!([]));
    moved(&connection, "order-1").await;
    sealed(&connection, "order-2").await;

    let first = listed(&dev);
    assert_eq!(first["entries"].as_array().unwrap().len(), 2, "{first}");
    let text = dev.run(&["dlq", "list"]);
    assert!(
        text.contains("moved_by_sqs") && text.contains("panicked"),
        "{text}"
    );
    // Looking hides nothing: a look right behind another sees the same.
    let ids = |list: &Value| {
        let entries = list["entries"].as_array().unwrap().iter();
        let mut ids: Vec<String> = entries
            .map(|e| e["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let again = listed(&dev);
    assert_eq!(ids(&first), ids(&again));

    for reason in ["moved_by_sqs", "panicked"] {
        let id = entry(&first, reason).get(..8).unwrap();
        let shown = dev.output(&["dlq", "show", id]);
        let said = [shown.stdout, shown.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(
            said.contains(reason) && !said.contains("6135550123"),
            "{said}"
        );
        let revealed = dev.output(&["dlq", "show", id, "--reveal"]);
        let content = String::from_utf8(revealed.stdout).unwrap();
        assert!(content.contains("+16135550123"), "{content}");
        let warning = String::from_utf8(revealed.stderr).unwrap();
        assert!(warning.starts_with("warning:"), "{warning}");
    }

    dev.refuses(&["dlq", "redrive", "--queue", "utility"]);
    let redriven = dev.json(&["dlq", "redrive", "--queue", "utility", "--all"]);
    assert_eq!(redriven, json!({"redriven": 2, "stayed": []}));
    for _both in 0..2 {
        // Nobody has agreed: had it not been judged afresh, it would have been accepted or lost.
        let event = dev.until("message.refused");
        assert_eq!(event["data"]["code"], "no_consent", "{event}");
    }
    assert_eq!(listed(&dev)["entries"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_function_set_aside_is_discarded_only_when_it_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    // No app can write here; whoever could would not get further than this.
    let system = connection.queue("SYSTEM").unwrap();
    system.send("write to +16135550123", &[]).await.unwrap();
    let begun = std::time::Instant::now();
    let list = loop {
        let list = listed(&dev);
        if list["entries"] != json!([]) {
            break list;
        }
        assert!(begun.elapsed().as_secs() < 30, "nothing was set aside");
    };
    let entry = &list["entries"][0];
    assert_eq!(
        (&entry["queue"], &entry["reason"]),
        (&json!("system"), &json!("not_system"))
    );
    assert!(!list.to_string().contains("6135550123"), "{list}");
    let id = entry["id"].as_str().unwrap();

    let refusal = dev.refuses(&["dlq", "discard", id]);
    assert!(refusal.contains("--yes"), "{refusal}");
    assert_eq!(listed(&dev)["entries"].as_array().unwrap().len(), 1);
    // It comes back for the same reason: a redrive is a new judgement, not a way around one.
    dev.json(&["dlq", "redrive", id]);
    let begun = std::time::Instant::now();
    while listed(&dev)["entries"].as_array().unwrap().is_empty() {
        assert!(begun.elapsed().as_secs() < 30, "it did not come back");
    }
    let refusal = dev.refuses(&["dlq", "discard", id, "--yes"]);
    assert!(refusal.contains("no entry has the id"), "{refusal}");
    assert_eq!(
        dev.json(&["dlq", "discard", "--all", "--yes"]),
        json!({"discarded": 1})
    );
    assert_eq!(listed(&dev)["entries"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_looked_at_is_named_with_what_to_set() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    assert_eq!(listed(&dev)["not_looked_at"], json!([]));
    let unset = "HEADGATE_QUEUE_PRIVACY_REQUESTS_DLQ_URL";
    let all = std::fs::read_to_string(&dev.env_file).unwrap();
    let few: Vec<&str> = all.lines().filter(|line| !line.contains(unset)).collect();
    assert_eq!(few.len() + 1, all.lines().count(), "{unset} is not in it");
    let env_file = folder.path().join("few.env");
    std::fs::write(&env_file, few.join("\n")).unwrap();
    let dlq = |args: &[&str]| {
        let mut command = std::process::Command::new(dev::BINARY);
        let output = command.arg("dlq").args(args).arg("--env-file");
        let output = output.arg(&env_file).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let said = (text(output.stdout), text(output.stderr));
        (output.status.success(), said.0, said.1)
    };
    let (is_ok, json, _) = dlq(&["list", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let unknown = json!([{"queue": "privacy-requests", "set": unset}]);
    assert!(is_ok && json["not_looked_at"] == unknown, "{json}");
    assert_eq!(json["queues"].as_array().unwrap().len(), 10, "{json}");
    // Nothing found is not the same as nothing there.
    let line = format!("not looked at: privacy-requests: {unset} is not set");
    let (_, text, _) = dlq(&["list"]);
    assert!(
        text.starts_with("no dead letters\n") && text.contains(&line),
        "{text}"
    );
    let (_, _, told) = dlq(&["redrive", "--all"]);
    assert!(told.starts_with(&line), "{told}");
    let (is_ok, _, refusal) = dlq(&["list", "--queue", "privacy-requests"]);
    assert!(!is_ok && refusal.contains(unset), "{refusal}");
}

#[test]
fn a_paused_producer_is_refused_until_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    dev.run(&[
        "opt-in",
        "--phone",
        "+16135550123",
        "--purpose",
        "utility",
        "--source",
        "agent",
    ]);
    dev.until("subject.opted_in");
    assert_eq!(dev.json(&["producer", "list"]), json!({"paused": []}));

    dev.run(&["producer", "pause", PRODUCER, "--reason", "abuse"]);
    let list = dev.json(&["producer", "list"]);
    assert_eq!(list["paused"][0]["producer"], PRODUCER);
    assert_eq!(list["paused"][0]["pause"]["reason"], "abuse");
    // What intake has read is two seconds old at most.
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    dev.send();
    assert_eq!(
        dev.until("message.refused")["data"]["code"],
        "producer_paused"
    );

    dev.run(&["producer", "resume", PRODUCER]);
    dev.refuses(&["producer", "resume", PRODUCER]);
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    dev.send();
    dev.until("message.accepted");
}

#[test]
fn a_number_shows_what_is_in_force_and_is_paused_and_resumed_by_its_alias() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let list = dev.json(&["number", "list"]);
    let number = &list["numbers"][0];
    assert_eq!(
        (&number["per_second"], &number["share_permille"]),
        (&json!(80), &json!(1_000))
    );
    assert_eq!(
        (&number["risk"], &number["pause"]),
        (&json!("normal"), &Value::Null)
    );
    let alias = number["alias"].as_str().unwrap();

    dev.run(&[
        "number",
        "pause",
        alias,
        "--reason",
        "maintenance",
        "--for",
        "30m",
    ]);
    let list = dev.json(&["number", "list"]);
    assert_eq!(list["numbers"][0]["pause"]["reason"], "maintenance");
    assert!(list["numbers"][0]["pause"]["until"].is_string());
    dev.run(&["number", "resume", alias]);
    assert_eq!(
        dev.json(&["number", "list"])["numbers"][0]["pause"],
        Value::Null
    );
    assert!(
        dev.refuses(&["number", "pause", "nowhere"])
            .contains("no number nowhere")
    );
}

#[test]
fn a_message_for_later_is_cancelled_by_its_id() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    dev.run(&[
        "opt-in",
        "--phone",
        "+16135550123",
        "--purpose",
        "utility",
        "--source",
        "agent",
    ]);
    dev.until("subject.opted_in");
    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let later = runtime
        .block_on(connection.now())
        .unwrap()
        .plus_millis(3_600_000);
    dev.run(&[
        "send",
        "--to-phone",
        "+16135550123",
        "--purpose",
        "utility",
        "--template",
        "order_shipped",
        "--id",
        "order-9",
        "--not-before",
        &later.to_string(),
    ]);
    dev.until("message.accepted");
    let asked = dev.json(&["cancel", "--lane", "utility", "order-9"]);
    assert_eq!(
        asked,
        json!({"ids": ["order-9"], "queue": "utility", "queued": true})
    );
    let event = dev.until("message.cancelled");
    assert_eq!(event["id"], "order-9");
    dev.run(&["cancel", "--lane", "utility", "order-unheard-of"]);
    dev.until("message.not_cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_notification_goes_back_and_a_piece_of_one_stays_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    let now = connection.now().await.unwrap();
    let keyring = connection.keyring().unwrap();
    let queue = connection.queue("NOTIFICATIONS_DLQ").unwrap();
    // More than one part holds, so that it is split and joined again.
    let padding = "x".repeat(800 * 1024);
    let whole = json!({"object": "whatsapp_business_account", "entry": [], "padding": padding});
    let piece = json!({"from": "16135550123", "type": "text", "text": {"body": "STOP"}});
    for content in [whole.to_string(), piece.to_string()] {
        let poison = Poison {
            source: "notifications",
            reason: "unreadable",
            why: "It cannot be read.",
            message_id: None,
            record: None,
            sender: None,
            receives: None,
            index: None,
            encoding: None,
            content: Personal::new(content),
        };
        set_aside(&queue, &keyring, &poison, now).await.unwrap();
    }
    let list = listed(&dev);
    let entries = list["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 3, "{list}");
    let part = entries.iter().find(|e| e["part"] == 2).unwrap();

    // Naming one part takes them all.
    let redriven = dev.json(&["dlq", "redrive", part["id"].as_str().unwrap()]);
    assert_eq!(redriven, json!({"redriven": 2, "stayed": []}));
    let rest = dev.output(&["dlq", "redrive", "--reason", "unreadable", "--json"]);
    assert!(!rest.status.success());
    let rest: Value = serde_json::from_slice(&rest.stdout).unwrap();
    assert_eq!(rest["redriven"], 0);
    let why = rest["stayed"][0]["why"].as_str().unwrap();
    assert!(why.starts_with("it is a piece of a notification"), "{why}");
    let left = listed(&dev);
    assert_eq!(left["entries"].as_array().unwrap().len(), 1, "{left}");
    let id = left["entries"][0]["id"].as_str().unwrap();
    assert!(dev.run(&["dlq", "show", id, "--reveal"]).contains("STOP"));
}

#[test]
fn media_is_downloaded_with_the_token_of_the_local_run_which_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let out = folder.path().join("attached.txt");
    let get = |id: &'static str| ["media", "get", id, "--out", out.to_str().unwrap()];
    let missing = dev.refuses(&get("400000000000009"));
    assert!(missing.contains("no media of this id"), "{missing}");
    let told = dev.json(&get("400000000000001"));
    let bytes = std::fs::read(&out).unwrap();
    assert_eq!(told["size"], bytes.len());
    assert_eq!(told["mime_type"], "text/plain");
    let again = dev.refuses(&get("400000000000001"));
    assert!(again.contains("is there already"), "{again}");
    let shown = format!("{missing}{told}{again}");
    assert!(!shown.contains("local-") && !shown.contains("appsecret"));
}

#[test]
fn a_message_answers_why_it_was_sent_with_proofs_that_hold() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    dev.run(&[
        "opt-in",
        "--phone",
        "+16135550123",
        "--purpose",
        "utility",
        "--source",
        "web_checkbox",
        "--evidence",
        r#"{"form":"quokka-7","page":"maple.example"}"#,
    ]);
    let yes = dev.until("subject.opted_in");
    dev.send();
    let message = dev.until("message.delivered")["message_id"].clone();
    let why = dev.json(&["why", message.as_str().unwrap()]);
    assert_eq!(why["ledger_event"], yes["data"]["ledger_event"]);
    assert_eq!(why["event"]["type"], "consent.given");
    let checks = why["checks"].as_array().unwrap();
    let what: Vec<&Value> = checks.iter().map(|check| &check["what"]).collect();
    assert_eq!(what, ["ledger", "person", "evidence"]);
    assert!(checks.iter().all(|check| check["holds"] == true), "{why}");
    assert!(
        !why.to_string().contains("quokka"),
        "shown without being asked for"
    );
    assert!(!why.to_string().contains("6135550123"), "{why}");
    let revealed = dev.json(&["why", "--reveal", message.as_str().unwrap()]);
    assert!(revealed["evidence"].as_str().unwrap().contains("quokka-7"));
    dev.refuses(&["why", "msg_106540352242922.m.0.01ARZ3NDEKTSV4RRFFQ69G5FAV"]);
}

/// R-503: what is stored does not open, and what was taken back stays in the list.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_kept_as_a_hash_until_it_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let flags = ["--scope", "consents:write", "--expires", "30d"];
    let made = dev.json(&[&["token", "create", "--name", "shop"], &flags[..]].concat());
    let (token, id) = (
        made["token"].as_str().unwrap(),
        made["id"].as_str().unwrap(),
    );
    assert!(token.starts_with("hgt_") && id.starts_with("tok_"));
    // Without --json, standard output is the token and nothing else.
    let piped = dev.run(&[&["token", "create", "--name", "crm"], &flags[..]].concat());
    assert!(piped.trim_end().starts_with("hgt_") && piped.lines().count() == 1);

    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    let (tokens, deployment) = connection.api_tokens().unwrap();
    let id = TokenId::parse(id).unwrap();
    let kept = tokens.find(&id).await.unwrap().unwrap();
    let read = PlainToken::parse(token, deployment).unwrap();
    assert!(kept.hash.is(&read.hashed(deployment)));
    let day = connection.now().await.unwrap();
    tokens.note_use(&id, day).await.unwrap();

    let listed = dev.json(&["token", "list"]);
    let of = |listed: &Value| {
        let all = listed["tokens"].as_array().unwrap();
        assert_eq!(all.len(), 2);
        all.iter().find(|t| t["id"] == id.as_str()).unwrap().clone()
    };
    assert_eq!(of(&listed)["in_force"], true);
    assert_eq!(of(&listed)["last_used"], day.day().to_string());
    assert!(!listed.to_string().contains(token));

    dev.refuses(&["token", "revoke", "tok_aaaaaaaaaaaaaaaa"]);
    dev.run(&["token", "revoke", id.as_str()]);
    let revoked = of(&dev.json(&["token", "list"]));
    assert_eq!(revoked["in_force"], false);
    dev.run(&["token", "revoke", id.as_str()]);
    assert_eq!(of(&dev.json(&["token", "list"])), revoked);
}

/// Sends a record to the HTTP API as any client would, and gives the status line.
fn posted(url: &str, token: &str, record: &Value) -> String {
    use std::io::{Read as _, Write as _};
    let host = url.strip_prefix("http://").unwrap();
    let body = record.to_string();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    write!(
        stream,
        "POST /consents HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    heard.lines().next().unwrap_or_default().to_owned()
}

/// R-503, through everything: the API's role is who SQS says it is, so intake believes the token.
#[tokio::test(flavor = "multi_thread")]
async fn a_yes_that_a_token_attests_opts_in_and_a_revoked_token_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::in_memory(folder.path());
    let connection = Connection::open(Some(&dev.env_file)).unwrap();
    let url = connection.find("HEADGATE_CONSENT_API_URL").unwrap();
    let flags = ["--scope", "consents:attest", "--expires", "1d"];
    let made = dev.json(&[&["token", "create", "--name", "shop"], &flags[..]].concat());
    let (token, id) = (
        made["token"].as_str().unwrap(),
        made["id"].as_str().unwrap(),
    );
    let record = json!({
        "schema": "headgate.consent/1", "id": "checkout-1", "to": {"phone": "+16135550123"},
        "purpose": "utility", "action": "given", "method": "checkout_checkbox",
        "notice": "Yes, Maple Outfitters may send me order updates on WhatsApp.", "locale": "en-CA",
        "evidence": {"form": "checkout-7", "page": "maple.example/checkout"},
        "occurred_at": connection.now().await.unwrap().to_string(),
    });
    assert!(posted(url, token, &record).contains(" 202 "));
    let event = dev.until("subject.opted_in");
    assert_eq!(event["id"], "checkout-1", "{event}");
    dev.run(&["token", "revoke", id]);
    assert!(posted(url, token, &record).contains(" 401 "));
}
