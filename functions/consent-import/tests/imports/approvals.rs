//! The one message to the people of an approved file: who approves, who gets it, and that nobody gets a second.

use std::collections::BTreeSet;

use consent_import::ConsentImport;
use headgate_aws::controls::{Controls, NumberChange};
use headgate_aws::objects::Found;
use headgate_domain::config::Config;
use headgate_domain::consent::{Action, State};
use headgate_domain::import::{Messages, Writing};
use headgate_domain::lane::Purpose;
use headgate_domain::live::Quality;
use headgate_domain::optin_code;
use headgate_domain::time::{DAY, HOUR, Timestamp};
use headgate_lambda::batch::BatchResponse;
use headgate_testkit::{End, environment};
use local_cloud::Crash;
use serde_json::Value;

use crate::world::{ENOUGH, HEADER, OPERATOR, World, function, put_by, row, somebody};
use crate::{ADA, BEN, EVE, code_in};

const MESSAGE: &str = include_str!("../../../../crates/headgate-domain/tests/import_message.toml");
const APPROVER: &str = "AWS:AROAAPPROVER:eve";
const NUMBER: &str = "106540352242922";

async fn world() -> World {
    World::start_with(MESSAGE).await
}

/// A file whose people have a record of an earlier yes.
fn attested(people: &[&str]) -> String {
    let rows = people
        .iter()
        .map(|phone| with(phone, "marketing", "scan-7"));
    format!("{}{}", header(), rows.collect::<String>())
}

fn header() -> String {
    HEADER.replace('\n', ",attestation\n")
}

fn with(phone: &str, purpose: &str, attestation: &str) -> String {
    row(phone, purpose).replace('\n', &format!(",{attestation}\n"))
}

impl World {
    async fn approve_by(&self, file: &str, principal: &str) -> (BatchResponse, Option<Messages>) {
        let key = Messages::approval_key(file);
        self.files.put(&key, b"{}".to_vec()).await.unwrap();
        let answer = self.function.handle(put_by(&key, principal), ENOUGH).await;
        (answer, self.messages(file).await)
    }

    /// Approves, and what is noted of it when it is carried out.
    async fn approve(&self, file: &str) -> Messages {
        let (answer, messages) = self.approve_by(file, APPROVER).await;
        assert_eq!(answer, BatchResponse::default());
        messages.unwrap()
    }

    async fn messages(&self, file: &str) -> Option<Messages> {
        match self.files.find(&Messages::key(file)).await.unwrap() {
            Found::Object(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
            Found::Missing | Found::TooLarge => None,
        }
    }

    /// The messages on the system queue, each once.
    async fn written(&self) -> Vec<Value> {
        let mut seen = BTreeSet::new();
        let mut queued = self.stage.on_queue("-system").await;
        queued.retain(|message| seen.insert(message["cause"].to_string()));
        queued
    }

    fn controls(&self) -> Controls {
        let table = &self.environment["HEADGATE_TABLE_CONTROLS"];
        Controls::new(&self.stage.aws(), table)
    }

    fn turn(&self, ms: i64) {
        let calendar = self.stage.cloud().calendar();
        calendar.set_offset_ms(calendar.offset_ms() + ms);
    }

    async fn again(&self) -> ConsentImport {
        function(self.environment.clone(), self.clock.clone()).await
    }
}

fn left(messages: &Messages) -> Vec<(&str, u64)> {
    let left = messages.left.iter();
    left.map(|(word, count)| (word.as_str(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_principal_lets_a_message_ask_whom_there_is_a_record_of() {
    let world = world().await;
    let rows = [
        with(ADA, "marketing", "scan-7"),
        with(BEN, "marketing", ""),
        with(EVE, "utility", "scan-8"),
        "nobody,marketing,2026-03-01,paper,Yes,en,,\n".to_owned(),
    ];
    let file = format!("{}{}", header(), rows.concat());
    let (import, _) = world.import(&file).await;
    assert_eq!(import.brought_by.as_deref(), Some("AROAOPERATOR"));
    assert_eq!(
        world.written().await,
        Vec::<Value>::new(),
        "a file writes to nobody"
    );

    let messages = world.approve(&import.file).await;
    assert_eq!((messages.stage, messages.asked), (Writing::Done, 1));
    assert_eq!(messages.approved_by, "AROAAPPROVER");
    assert_eq!(left(&messages), [("not_attested", 2)]);
    let written = world.written().await;
    assert_eq!(written.len(), 1);
    let ada = world.person(ADA).await;
    assert_eq!(written[0]["kind"], "import_confirmation");
    assert_eq!(written[0]["to"]["subject"], ada.id.as_str());
    let asked = ada.asked.as_ref().unwrap();
    assert_eq!(written[0]["question"]["token"], asked.token.as_str());
    assert_eq!(
        ada.consent(Purpose::Marketing).unwrap().state,
        State::Requested
    );

    let events = world.events().await;
    let by_message = |event: &&Value| event["method"] == "import_message";
    let proof: Vec<&Value> = events.iter().filter(by_message).collect();
    assert_eq!(proof.len(), 1);
    assert_eq!(proof[0]["type"], "consent.requested");
    assert_eq!(proof[0]["actor"], "AROAAPPROVER");
    assert!(proof[0]["evidence"].is_string() && proof[0]["notice"].is_string());
    for clear in ["6135550123", "scan-7"] {
        assert_eq!(world.stage.places_with(clear).await, Vec::<String>::new());
    }
    let approval = world
        .files
        .find(&Messages::approval_key(&import.file))
        .await;
    let is_gone = matches!(approval, Ok(Found::Missing));
    assert!(is_gone, "an approval that is carried out is deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_brought_the_file_may_not_approve_and_without_the_setting_nobody_may() {
    let world = world().await;
    let (import, _) = world.import(attested(&[ADA])).await;
    let other_session = "AWS:AROAOPERATOR:somebody-else";
    for (by, why) in [
        (OPERATOR, "same_principal"),
        (other_session, "same_principal"),
        ("", "unknown_principal"),
    ] {
        let (answer, messages) = world.approve_by(&import.file, by).await;
        let messages = messages.unwrap();
        assert_eq!(answer, BatchResponse::default());
        assert_eq!(
            (messages.stage, messages.fault.as_deref()),
            (Writing::Refused, Some(why))
        );
    }
    let nobodys = "0".repeat(64);
    let messages = world.approve(&nobodys).await;
    assert_eq!(messages.fault.as_deref(), Some("not_imported"));
    let (unproven, _) = world
        .import(format!("{HEADER}{}", row(BEN, "marketing")))
        .await;
    let messages = world.approve(&unproven.file).await;
    assert_eq!(messages.fault.as_deref(), Some("nobody_attested"));
    world.turn(72 * HOUR);
    let messages = world.approve(&import.file).await;
    assert_eq!(messages.fault.as_deref(), Some("run_out"));

    let off = World::start().await;
    let (import, _) = off.import(attested(&[ADA])).await;
    let messages = off.approve(&import.file).await;
    assert_eq!(messages.fault.as_deref(), Some("off"));
    for world in [world, off] {
        assert_eq!(world.written().await, Vec::<Value>::new());
        assert_eq!(world.person(ADA).await.asked, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_written_to_twice_in_180_days_whatever_files_and_approvals_say() {
    let world = world().await;
    let (first, _) = world.import(attested(&[ADA])).await;
    assert_eq!(world.approve(&first.file).await.asked, 1);
    let again = world.approve(&first.file).await;
    assert_eq!(again.stage, Writing::Done);
    let (_, other_approver) = world.approve_by(&first.file, "AWS:AROAOTHER:x").await;
    assert_eq!(other_approver.unwrap().stage, Writing::Done);
    assert_eq!(world.written().await.len(), 1, "the same message each time");

    world.turn(4 * DAY);
    let (second, _) = world.import(format!("{}\n", attested(&[ADA]))).await;
    let messages = world.approve(&second.file).await;
    assert_eq!(
        (messages.asked, left(&messages)),
        (0, vec![("asked_before", 1)])
    );

    // Somebody who was forgotten in between is another subject, and the same person.
    let (forgotten, _) = world.import(attested(&[BEN])).await;
    assert_eq!(world.approve(&forgotten.file).await.asked, 1);
    let before = world.subject(BEN).await.unwrap();
    world.turn(100 * DAY);
    world.stage.cloud().sweep_expired().await.unwrap();
    assert!(world.subjects().load(&before).await.unwrap().is_none());
    let (third, _) = world.import(format!("{}\n\n", attested(&[BEN]))).await;
    let messages = world.approve(&third.file).await;
    assert_eq!(
        (messages.asked, left(&messages)),
        (0, vec![("asked_before", 1)])
    );
    assert_eq!(world.written().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_said_something_meanwhile_is_left_alone() {
    let world = world().await;
    let late = somebody(1);
    let people = [ADA, BEN, EVE, &late];
    let (import, report) = world.import(attested(&people)).await;
    world.says(ADA, Action::Withdrawn, Purpose::Marketing).await;
    world.says(BEN, Action::Given, Purpose::Marketing).await;
    let hash = optin_code::hash(&code_in(&report[2]));
    let eve = world.person(EVE).await;
    let used = world
        .subjects()
        .use_request(&hash, &eve.id, world.now(), "m1_e");
    assert!(used.await.unwrap().is_some());
    let messages = world.approve(&import.file).await;
    assert_eq!(messages.asked, 1);
    assert_eq!(left(&messages), [("answered", 2), ("suppressed", 1)]);
    let written = world.written().await;
    assert_eq!(
        written[0]["to"]["subject"],
        world.person(&late).await.id.as_str()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_has_its_share_and_the_rest_waits_for_tomorrow() {
    let world = World::start_with(&MESSAGE.replace("per_day = 250", "per_day = 2")).await;
    // The morning, so that today ends before the requests do.
    let until_six = (6 * HOUR - world.now().millis().rem_euclid(DAY)).rem_euclid(DAY);
    world.turn(until_six);
    let (import, _) = world.import(attested(&[ADA, BEN, EVE])).await;
    let (other, _) = world.import(attested(&[&somebody(1)])).await;
    let (answer, messages) = world.approve_by(&import.file, APPROVER).await;
    let messages = messages.unwrap();
    assert_eq!(
        answer.batch_item_failures.len(),
        1,
        "the queue gives it again"
    );
    assert_eq!(
        (messages.stage, messages.asked, messages.rows),
        (Writing::Waiting, 2, 2)
    );
    let (_, messages) = world.approve_by(&other.file, APPROVER).await;
    assert_eq!(
        messages.unwrap().stage,
        Writing::Waiting,
        "of all files together"
    );

    world.turn(DAY);
    let key = Messages::approval_key(&import.file);
    let answer = world.function.handle(put_by(&key, APPROVER), ENOUGH).await;
    assert_eq!(answer, BatchResponse::default());
    let messages = world.messages(&import.file).await.unwrap();
    assert_eq!((messages.stage, messages.asked), (Writing::Done, 3));
    assert_eq!(world.written().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_loses_quality_ends_it_and_only_a_new_approval_goes_on() {
    let world = world().await;
    let (import, _) = world.import(attested(&[ADA])).await;
    let quality = |quality, at: Timestamp| {
        let controls = world.controls();
        async move {
            let change = NumberChange::Quality(quality);
            controls.set_number(NUMBER, &change, at).await.unwrap();
        }
    };
    quality(Quality::Yellow, world.now()).await;
    let messages = world.approve(&import.file).await;
    assert_eq!((messages.stage, messages.asked), (Writing::Stopped, 0));
    quality(Quality::Green, world.now().plus_millis(1)).await;
    // The same message of S3's again is no new approval.
    let key = Messages::approval_key(&import.file);
    let function = world.again().await;
    let answer = function.handle(put_by(&key, APPROVER), ENOUGH).await;
    assert_eq!(answer, BatchResponse::default());
    assert_eq!(world.written().await, Vec::<Value>::new());
    world.files.put(&key, b"{}".to_vec()).await.unwrap();
    function.handle(put_by(&key, APPROVER), ENOUGH).await;
    assert_eq!(world.written().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_it_dies_each_person_has_one_message_and_counts_once() {
    let world = World::start_with(&MESSAGE.replace("per_day = 250", "per_day = 100000")).await;
    // The morning: what is counted by day is counted in one.
    let until_six = (6 * HOUR - world.now().millis().rem_euclid(DAY)).rem_euclid(DAY);
    world.turn(until_six);
    let mut deaths = 0_u64;
    let mut expected = 0;
    for crash in [Crash::Before, Crash::Unanswered] {
        for n in 1.. {
            let (one, other) = (somebody(2 * deaths), somebody(2 * deaths + 1));
            deaths += 1;
            let (import, _) = world.import(attested(&[&one, &other])).await;
            let key = Messages::approval_key(&import.file);
            world.files.put(&key, b"{}".to_vec()).await.unwrap();
            let (settings, clock) = (world.environment.clone(), world.clock.clone());
            let (event, gate) = (put_by(&key, APPROVER), world.stage.cloud().gate());
            let end = environment(
                &gate,
                Some((n, crash)),
                || function(settings, clock),
                |import| async move { import.handle(event, ENOUGH).await },
            );
            let died = matches!(end.await, End::Died(_));
            let answer = world.function.handle(put_by(&key, APPROVER), ENOUGH).await;
            assert_eq!(answer, BatchResponse::default(), "at {n}");
            let messages = world.messages(&import.file).await.unwrap();
            assert_eq!(messages.stage, Writing::Done, "at {n}");
            expected += 2;
            assert_eq!(world.written().await.len(), expected, "at {n}");
            if !died {
                break;
            }
        }
    }
    let counted = world.tables().await;
    let today = format!("\"n\":{{\"N\":\"{expected}\"}}");
    let is_it = |(place, row): &(String, String)| {
        place.contains("suppression") && row.contains("import-messages#") && row.contains(&today)
    };
    assert!(counted.iter().any(is_it), "{expected} counted");
    println!("{deaths} deaths, {expected} messages");
}

#[test]
fn the_setting_of_the_tests_is_one_of_the_configuration() {
    let config = include_str!("../../../../config/headgate.toml");
    let config = Config::from_toml(&format!("{config}\n{MESSAGE}")).unwrap();
    assert!(config.consents.import_message.is_some());
}
