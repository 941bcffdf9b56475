//! What comes later: files of earlier consents, schedules, a person who is erased, and input that nobody has read.

use std::time::Duration;

use consent_import::ConsentImport;
use headgate_aws::objects::Bucket;
use headgate_aws::peppers::pepper;
use headgate_domain::import::{FileHash, Progress};
use headgate_domain::optin_code;
use headgate_domain::privacy::{ExportLink, RequestId};
use headgate_lambda::runtime::survive;
use ledger_checkpoint::LedgerCheckpoint;
use meta_simulator::Person;
use privacy_worker::PrivacyWorker;
use retention_purge::RetentionPurge;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::inside::{ENOUGH, body_of, code, consent, failed, free_form, outbound, template};
use crate::list::{APP, BODIES, CODES, NAMES, PHONES, USER_IDS, wamids};
use crate::strangers::people_write;
use crate::world::{NUMBER, World};

pub(crate) fn file() -> String {
    format!(
        "phone,purpose,claimed_at,method,notice,locale,ref\n{},marketing,2026-03-01,paper,\"Yes, write to me, {}\",en,{}\n{} {},marketing,2026-03-01,paper,{},en,{}\n",
        PHONES[6], NAMES[2], APP[1], PHONES[6], BODIES[1], NAMES[0], CODES[0]
    )
}

impl World {
    /// Puts a file of earlier consents into the bucket; its key.
    pub(crate) async fn put_file(&self, text: &[u8]) -> String {
        self.put_in(&String::from_utf8_lossy(text));
        let bucket = self.environment("ConsentImportFunction")["HEADGATE_BUCKET_IMPORTS"].clone();
        let hash = FileHash::of(Sha256::new_with_prefix(text));
        let key = Progress::file_key(hash.as_str());
        Bucket::new(&self.stage.aws, &bucket, 1 << 20)
            .put(&key, text.to_vec())
            .await
            .unwrap();
        key
    }

    async fn has_object(&self, key: &str) -> bool {
        let dump = self.cloud().dump().await.unwrap();
        dump.iter()
            .any(|(place, name)| place.ends_with(" name") && name == key)
    }
}

/// Files of earlier consents: good and bad rows, files that are none, a table that is away, a panic.
pub(crate) async fn to_the_import(world: &World) {
    let went = |way: &str| world.went("consent-import", way);
    let key = world.put_file(file().as_bytes()).await;
    world
        .until("the file is imported", async || {
            !world.has_object(&key).await
        })
        .await;
    went("file");
    let damaged = [
        format!(
            "{},{},{}\n{},{},{}\n",
            PHONES[6], NAMES[0], BODIES[0], CODES[0], APP[0], USER_IDS[0]
        )
        .into_bytes(),
        [
            b"phone,purpose\n\xff\xfe".as_slice(),
            PHONES[6].as_bytes(),
            NAMES[1].as_bytes(),
        ]
        .concat(),
        format!(
            "phone,purpose,claimed_at,method,notice,locale,ref\n\"{},{}",
            PHONES[6], NAMES[3]
        )
        .into_bytes(),
    ];
    for file in damaged {
        let key = world.put_file(&file).await;
        world
            .until("the damaged file is refused", async || {
                !world.has_object(&key).await
            })
            .await;
    }
    went("damaged");

    world
        .cloud()
        .set_mapping_enabled("ConsentImportFunction", "ImportsQueue", false);
    let key = world
        .put_file(file().replace("2026-03-01", "2026-03-02").as_bytes())
        .await;
    let said = json!({ "Records": [{ "eventName": "ObjectCreated:Put", "userIdentity": { "principalId": "AWS:AROAOPERATOR:ada" },
        "s3": { "bucket": { "name": "imports" }, "object": { "key": key, "size": 1 } } }] })
    .to_string();
    let arn = "arn:aws:sqs:ca-central-1:123456789012:headgate-imports";
    let away = ConsentImport::new(
        &world.settings("ConsentImportFunction", &["DYNAMODB"]),
        world.fragile_clock(),
    )
    .await
    .unwrap();
    let answer = Box::pin(away.handle(world.batch(arn, &said, 1), ENOUGH)).await;
    assert_eq!(answer.batch_item_failures.len(), 1);
    went("away");
    let fragile = ConsentImport::new(
        &world.settings("ConsentImportFunction", &[]),
        world.fragile_clock(),
    )
    .await
    .unwrap();
    world.break_clock(true);
    let answer = Box::pin(fragile.handle(world.batch(arn, &said, 1), ENOUGH)).await;
    world.break_clock(false);
    assert_eq!(answer.batch_item_failures.len(), 1);
    went("panic");
    world
        .cloud()
        .set_mapping_enabled("ConsentImportFunction", "ImportsQueue", true);
    world
        .until("the file is imported after all", async || {
            !world.has_object(&key).await
        })
        .await;
}

/// What runs by the calendar, called with an event of canaries.
pub(crate) async fn on_schedule(world: &World) {
    let event = json!({ "detail": { NAMES[0]: PHONES[0] }, "resources": [BODIES[0], CODES[0], wamids()[0]] });
    for (function, package) in [
        ("RetentionPurgeFunction", "retention-purge"),
        ("LedgerCheckpointFunction", "ledger-checkpoint"),
    ] {
        world.cloud().invoke(function, event.clone()).await.unwrap();
        world.went(package, "run");
    }
    let clock = world.fragile_clock();
    let purge = |away: &'static [&'static str]| {
        let (settings, clock) = (
            world.settings("RetentionPurgeFunction", away),
            clock.clone(),
        );
        async move { RetentionPurge::new(&settings, clock).await.unwrap() }
    };
    failed(
        &Box::pin(purge(&["DYNAMODB"]).await.handle(event.clone()))
            .await
            .unwrap_err(),
    );
    world.went("retention-purge", "away");
    let checkpoint = |away: &'static [&'static str]| {
        let (settings, clock) = (
            world.settings("LedgerCheckpointFunction", away),
            clock.clone(),
        );
        async move { LedgerCheckpoint::new(&settings, clock).await.unwrap() }
    };
    failed(
        &Box::pin(checkpoint(&["DYNAMODB"]).await.handle(event.clone()))
            .await
            .unwrap_err(),
    );
    world.went("ledger-checkpoint", "away");
    let (purge, checkpoint) = (purge(&[]).await, checkpoint(&[]).await);
    world
        .send(
            "Consents",
            &consent(world, "last", &json!({ "phone": PHONES[2] }), "given"),
        )
        .await;
    world
        .told(&[r#""type":"subject.opted_in""#, "Xylo.last"], 1)
        .await;
    world.break_clock(true);
    let purged = survive(Box::pin(purge.handle(event.clone()))).await;
    let checked = survive(Box::pin(checkpoint.handle(event))).await;
    world.break_clock(false);
    failed(&purged.err().unwrap());
    world.went("retention-purge", "panic");
    failed(&checked.err().unwrap());
    world.went("ledger-checkpoint", "panic");
}

/// What a browser says of itself that sends a form of ours.
fn browser() -> [(&'static str, &'static str); 3] {
    [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Sec-Fetch-Site", "same-origin"),
        ("User-Agent", CODES[1]),
    ]
}

/// The page with the code for what somebody asks for, and the message to send.
async fn code_of_the_page(world: &World, what: &str) -> (String, String) {
    let form = format!("ask={what}&lang=en&name={}", CODES[0]);
    let mut page = String::new();
    let message = |text: &str| {
        let rest = text.split("<strong>").nth(1).unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    let (line, headers) = ("POST /requests", browser());
    let issued = |text: &str| {
        text.clone_into(&mut page);
        optin_code::find_privacy_in(&message(text)).unwrap()
    };
    let code = world.ask_for("PrivacyApi", line, &headers, form.as_bytes(), issued);
    let code = code.await;
    let label = format!("request code for {what}");
    world.list.lock().unwrap().add(&label, &code);
    let words = message(&page);
    (page, words)
}

/// Somebody has something corrected, objects, and has their data kept and not used for a while.
async fn to_the_other_rights(world: &World, person: &Person) {
    for (what, told) in [
        ("rectification", "subject.rectification"),
        ("objection", "subject.opted_out"),
        ("restriction", "subject.restricted"),
        ("lift", "subject.unrestricted"),
    ] {
        let before = world.told_so_far(told).await;
        let (_, words) = code_of_the_page(world, what).await;
        world.put_in(&words);
        let sent = world.meta().inbound_text(NUMBER, person, &words);
        sent.await.unwrap();
        world
            .until("a right is exercised", async || {
                world.told_so_far(told).await > before
            })
            .await;
        // Meta's times are whole seconds, and the end of a restriction is later than the restriction.
        let calendar = world.cloud().calendar();
        calendar.set_offset_ms(calendar.offset_ms() + 2_000);
        world.went("privacy-worker", what);
    }
}

/// Somebody asks on a page what is known of them, proves by a message that it is them, and fetches the copy.
pub(crate) async fn to_a_copy(world: &World, person: &Person) {
    let browser = browser();
    let (page, words) = code_of_the_page(world, "access").await;
    let words = words.as_str();
    // Whoever wants to see where it stands needs no more than its reference.
    let reference = page.split("/r/").nth(1).unwrap().split('"').next().unwrap();
    world
        .cloud()
        .set_mapping_enabled("IntakeFunction", "SystemQueue", false);
    world.put_in(words);
    world
        .meta()
        .inbound_text(NUMBER, person, words)
        .await
        .unwrap();
    world
        .until("a copy is made", async || {
            world
                .cloud()
                .invoke("PrivacyWorkerFunction", json!({}))
                .await
                .unwrap();
            let queued = world.on_queue("-system").await;
            queued.iter().any(|text| text.contains("privacy_export"))
        })
        .await;
    world.went("privacy-worker", "copy made");
    let answer = world
        .ask("PrivacyApi", &format!("GET /r/{reference}"), &browser, b"")
        .await;
    assert_eq!(answer.status, 200);
    world.went("privacy-web", "asked with a code");

    let queued = world.on_queue("-system").await;
    let told = queued
        .iter()
        .find(|text| text.contains("privacy_export"))
        .unwrap();
    let told: Value = serde_json::from_str(&body_of(told)).unwrap();
    let environment = world.environment("PrivacyWebFunction");
    let deployment = &environment["HEADGATE_DEPLOYMENT"];
    let links = pepper(
        &world.stage.aws,
        &environment["HEADGATE_KMS_MAC_LINKS"],
        deployment,
    )
    .await
    .unwrap();
    let request = RequestId::parse(told["token"].as_str().unwrap()).unwrap();
    let link = ExportLink::of(&links, deployment, request.as_str());
    let link = link.reveal();
    world.list.lock().unwrap().add("copy link", link);
    let answer = world
        .ask("PrivacyApi", &format!("GET /e/{link}"), &browser, b"")
        .await;
    assert_eq!(answer.status, 200);
    // The copy itself is the person's: all of it is what was asked for.
    let copy = world
        .ask_for(
            "PrivacyApi",
            &format!("POST /e/{link}"),
            &browser,
            b"as=file",
            |text| text.split_once("\r\n\r\n").unwrap().1.to_owned(),
        )
        .await;
    assert!(copy.contains(PHONES[5]), "{copy}");
    for wrong in [
        format!("GET /e/{link}{}", CODES[0]),
        format!("POST /e/{}", wamids()[0]),
        format!("GET /r/{}", CODES[1]),
    ] {
        let answer = world
            .ask("PrivacyApi", &wrong, &browser, PHONES[0].as_bytes())
            .await;
        assert!(
            (400..500).contains(&answer.status),
            "{wrong}: {}",
            answer.status
        );
    }
    world.went("privacy-web", "copy fetched");
    world
        .cloud()
        .set_mapping_enabled("IntakeFunction", "SystemQueue", true);
}

/// Somebody has their data deleted; what is no request, tables that are away, a panic.
pub(crate) async fn to_the_worker(world: &World) {
    let went = |way: &str| world.went("privacy-worker", way);
    let person = Person::Phone {
        e164: PHONES[5].to_owned(),
        name: NAMES[3].to_owned(),
        bsuid: String::new(),
    };
    to_a_copy(world, &person).await;
    to_the_other_rights(world, &person).await;
    let asked = world.meta().inbound_text(NUMBER, &person, "Delete my data");
    asked.await.unwrap();
    let event = json!({ "detail": { NAMES[0]: PHONES[0] }, "resources": [BODIES[0], CODES[0]] });
    world
        .until("somebody is erased", async || {
            // The person has some minutes to think better of it.
            let calendar = world.cloud().calendar();
            calendar.set_offset_ms(calendar.offset_ms() + 60_000);
            let done = world
                .cloud()
                .invoke("PrivacyWorkerFunction", event.clone())
                .await;
            done.unwrap()["done"] != 0
        })
        .await;
    went("erased");
    let worker = |away: &'static [&'static str]| {
        let settings = world.settings("PrivacyWorkerFunction", away);
        let clock = world.fragile_clock();
        async move { PrivacyWorker::new(&settings, clock).await.unwrap() }
    };
    let none =
        json!({ "schema": PHONES[5], "subject": NAMES[0], "right": BODIES[0], "at": CODES[0] })
            .to_string();
    let batch = world.batch(
        "arn:aws:sqs:ca-central-1:123456789012:headgate-privacy-requests",
        &none,
        1,
    );
    let answer = Box::pin(worker(&[]).await.handle(json!(batch)))
        .await
        .unwrap();
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1);
    went("malformed");
    failed(
        &Box::pin(worker(&["DYNAMODB"]).await.handle(event.clone()))
            .await
            .unwrap_err(),
    );
    went("away");
    let whole = worker(&[]).await;
    world.break_clock(true);
    let outcome = survive(Box::pin(whole.handle(event))).await;
    world.break_clock(false);
    failed(&outcome.unwrap_err());
    went("panic");
}

/// Input of every kind that nobody has read yet, some of it in somebody's hands.
pub(crate) async fn unread(world: &World) {
    for lane in [
        "Authentication",
        "Service",
        "Utility",
        "Marketing",
        "Consents",
    ] {
        world
            .cloud()
            .set_mapping_enabled("IntakeFunction", &format!("{lane}Queue"), false);
    }
    world
        .cloud()
        .set_mapping_enabled("NotificationProcessorFunction", "NotificationsQueue", false);
    world
        .cloud()
        .set_mapping_enabled("ConsentImportFunction", "ImportsQueue", false);
    // What is on its way to a function arrives.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let to = json!({ "phone": PHONES[0], "ref": APP[1] });
    world
        .send("Authentication", &code(world, "unread", &to, CODES[0]))
        .await;
    world
        .send("Service", &free_form("unread", &to, BODIES[0]).to_string())
        .await;
    for lane in ["Utility", "Marketing"] {
        world
            .send(
                lane,
                &outbound(
                    "unread",
                    &lane.to_lowercase(),
                    &to,
                    &template("order_shipped"),
                )
                .to_string(),
            )
            .await;
    }
    world
        .send("Consents", &consent(world, "unread", &to, "given"))
        .await;
    assert_eq!(world.notify_signed(&people_write(world)).await, 200);
    assert_eq!(
        world.notify_signed(&crate::strangers::huge(world)).await,
        200
    );
    world
        .put_file(file().replace("2026-03-01", "2026-03-03").as_bytes())
        .await;
    for lane in [
        "Authentication",
        "Service",
        "Utility",
        "Marketing",
        "Consents",
        "Notifications",
    ] {
        let waiting = world.on_queue(&format!("-{}", lane.to_lowercase())).await;
        assert!(!waiting.is_empty(), "somebody has read {lane}");
    }
    let reader = headgate_aws::queue::Reader::new(
        &world.stage.aws,
        &world.stage.queue_url("Marketing").unwrap(),
    );
    assert!(
        !reader.receive(0).await.unwrap().is_empty(),
        "one is in flight"
    );
    world.stored_notifications().await;
}

impl World {
    /// What is stored compressed is searched unpacked.
    async fn stored_notifications(&self) {
        let environment = self.environment("WebhookFunction");
        let name = &environment["HEADGATE_BUCKET_OVERFLOW"];
        let bucket = Bucket::new(&self.stage.aws, name, 8 << 20);
        for (place, key) in self.cloud().dump().await.unwrap() {
            if place == format!("bucket {name} name") {
                let headgate_aws::objects::Found::Object(packed) = bucket.find(&key).await.unwrap()
                else {
                    continue;
                };
                let text = zstd::bulk::decompress(&packed, 8 << 20).unwrap();
                self.keep(
                    &format!("bucket {name} object {key}"),
                    &String::from_utf8(text).unwrap(),
                );
            }
        }
    }
}
