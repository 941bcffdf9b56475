//! The import against the local cloud: what a file changes, and what it never changes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::string_slice,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests may fail loudly"
)]

mod approvals;
mod erased;
mod many;
mod one_person;
mod world;

use headgate_aws::controls::Controls;
use headgate_domain::consent::{Action, State, Topic};
use headgate_domain::identity::PepperVersion;
use headgate_domain::import::{Stage, has_run_out};
use headgate_domain::lane::Purpose;
use headgate_domain::optin_code;
use headgate_domain::time::{DAY, HOUR};
use headgate_lambda::batch::BatchResponse;
use headgate_testkit::{End, environment};
use local_cloud::Crash;
use world::{ENOUGH, HEADER, World, created, function, row, somebody};

const ADA: &str = "+16135550123";
const BEN: &str = "+16135550124";
const EVE: &str = "+16135550125";

fn code_in(line: &str) -> String {
    let (_, text) = line.split_once("?text=").expect("a link");
    optin_code::find_in(&text.replace("%20", " ")).expect("a code")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_becomes_a_request_that_only_its_person_can_confirm() {
    let world = World::start().await;
    let file = format!("{HEADER}{}", row(ADA, "marketing utility"));
    let (progress, report) = world.import(&file).await;
    assert_eq!((progress.stage, progress.rows), (Stage::Done, 1));
    assert_eq!(progress.counts.of("requested"), 1);
    assert!(
        report[0].starts_with(
            "1,2,requested,,utility marketing,https://wa.me/16135550100?text=CONFIRM%20"
        ),
        "{}",
        report[0]
    );
    let ada = world.person(ADA).await;
    for purpose in [Purpose::Marketing, Purpose::Utility] {
        let consent = ada.consent(purpose).unwrap();
        assert_eq!(
            (consent.state, consent.method.as_str()),
            (State::Requested, "import")
        );
    }
    assert!(!ada.has_any_consent());
    // Whoever opens no number knows by whose law they stand, as of anybody.
    let stands = world.subjects().states(std::slice::from_ref(&ada.id)).await;
    let country = stands.unwrap()[0].country();
    assert_eq!(
        country.map(|c| c.as_str().to_owned()).as_deref(),
        Some("CA")
    );
    assert_eq!(ada.reference.as_deref(), Some("crm-1"));
    assert_eq!(world.facts().await, 2);
    for clear in ["6135550123", "write to me", "crm-1"] {
        assert_eq!(
            world.stage.places_with(clear).await,
            Vec::<String>::new(),
            "{clear}"
        );
    }

    let hash = optin_code::hash(&code_in(&report[0]));
    world.says(BEN, Action::Withdrawn, Purpose::Utility).await;
    let ben = world.subject(BEN).await.unwrap();
    let now = world.now();
    let by_ben = world.subjects().use_request(&hash, &ben, now, "m1_b");
    assert!(by_ben.await.unwrap().is_none(), "a link that was passed on");
    let late = now.plus_millis(73 * HOUR);
    let by_ada = world.subjects().use_request(&hash, &ada.id, late, "m1_a");
    assert!(by_ada.await.unwrap().is_none(), "after 72 hours");
    let by_ada = world.subjects().use_request(&hash, &ada.id, now, "m1_a");
    let request = by_ada.await.unwrap().expect("the person's own");
    assert_eq!(request.notice, "Yes, write to me");
    assert_eq!(request.locale, "en");
    assert_eq!(request.asks.len(), 2);
    let again = world
        .subjects()
        .use_request(&hash, &ada.id, now, "m1_other");
    assert!(again.await.unwrap().is_none(), "used up");
}

/// What was said under the names of one pepper holds under those of the next.
#[tokio::test]
async fn who_objected_before_the_peppers_were_rotated_is_asked_by_no_file_after() {
    let world = World::start().await;
    let (known, objected) = (somebody(8), somebody(9));
    world.says(&known, Action::Given, Purpose::Marketing).await;
    world
        .says(&objected, Action::Withdrawn, Purpose::Marketing)
        .await;
    let subject = world.subject(&known).await;
    let controls = Controls::new(
        &world.stage.aws(),
        &world.environment["HEADGATE_TABLE_CONTROLS"],
    );
    let since = (world.clock)().plus_millis(-2 * HOUR);
    assert!(
        controls
            .next_peppers(PepperVersion::FIRST, since)
            .await
            .unwrap()
    );
    let again = function(world.environment.clone(), world.clock.clone()).await;
    let world = World {
        function: again,
        ..world
    };
    let rows = [&known, &objected, &somebody(10)].map(|phone| row(phone, "marketing"));
    let (progress, _report) = world.import(format!("{HEADER}{}", rows.concat())).await;
    let counts = |reason: &str| progress.counts.of(reason);
    assert_eq!(counts("requested"), 1, "{:?}", progress.counts);
    assert_eq!(world.subject(&known).await, subject);
}

/// Who never answers is forgotten with everything that leads to them, found by its day.
#[tokio::test]
async fn whom_an_import_makes_known_is_in_the_calendar() {
    let world = World::start().await;
    let phone = somebody(7);
    world
        .import(format!("{HEADER}{}", row(&phone, "marketing")))
        .await;
    let subject = world.subject(&phone).await.unwrap();
    let day = (world.clock)().plus_millis((90 - 3) * DAY).day();
    let noted = world.consents.subjects().noted_on(day).await.unwrap();
    let [stranger] = &noted[..] else {
        panic!("{noted:?}");
    };
    assert_eq!(stranger.subject, subject);
    assert!(!stranger.contact.has_spoken);
    assert_eq!(stranger.group.pseudonyms.len(), 1);
    let request = stranger.group.rows.iter().any(|pk| pk.starts_with("R#"));
    assert!(request, "{:?}", stranger.group.rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_said_no_or_yes_or_is_asked_already_is_left_alone() {
    let world = World::start().await;
    world.says(ADA, Action::Withdrawn, Purpose::Marketing).await;
    world.says(BEN, Action::Given, Purpose::Marketing).await;
    let rows: String = [
        row(ADA, "marketing"),
        row(BEN, "marketing utility"),
        row(EVE, "marketing"),
        row(EVE, "marketing"),
        row("+1 (613) 555-0125", "utility"),
        row(ADA, "utility"),
    ]
    .concat();
    let (_, report) = world.import(format!("{HEADER}{rows}")).await;
    let told: Vec<&str> = report
        .iter()
        .map(|line| line.rsplit_once(',').unwrap().0)
        .collect();
    assert_eq!(
        told,
        [
            "1,2,suppressed,,",
            "2,3,requested,,utility",
            "3,4,requested,,marketing",
            "4,5,already_requested,,",
            "5,6,requested,,utility",
            "6,7,requested,,utility",
        ]
    );
    let state = |person: &headgate_domain::consent::Subject, purpose| {
        person.consent(purpose).map(|consent| consent.state)
    };
    let (ada, ben) = (world.person(ADA).await, world.person(BEN).await);
    assert_eq!(state(&ada, Purpose::Marketing), Some(State::Withdrawn));
    assert_eq!(state(&ben, Purpose::Marketing), Some(State::Given));

    // Another file asks again only when the links have run out.
    let later = format!("{HEADER}{}\n", row(EVE, "marketing"));
    let (_, report) = world.import(&later).await;
    assert!(
        report[0].starts_with("1,2,already_requested,"),
        "{}",
        report[0]
    );
    world.stage.cloud().calendar().set_offset_ms(4 * DAY);
    assert!(has_run_out(
        ada.consent(Purpose::Utility).unwrap().at,
        world.now()
    ));
    let much_later = format!("{HEADER}\n{}", row(EVE, "marketing"));
    let (_, report) = world.import(&much_later).await;
    assert!(
        report[0].starts_with("1,3,requested,,marketing,"),
        "{}",
        report[0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_may_ask_for_topics_alone_and_the_ledger_says_by_whose_rules() {
    let world = World::start().await;
    world.says(BEN, Action::Withdrawn, Purpose::Marketing).await;
    let header = HEADER.replace('\n', ",topics,attestation\n");
    let row =
        |phone, purpose, topics| row(phone, purpose).replace('\n', &format!(",{topics},scan-7\n"));
    let rows = [
        row(ADA, "marketing", "offers events"),
        row(ADA, "marketing", "events"),
        row(BEN, "marketing", "offers"),
        row(EVE, "marketing", "gossip"),
        row(EVE, "marketing utility", "offers"),
    ];
    let (progress, report) = world.import(format!("{header}{}", rows.concat())).await;
    let told: Vec<&str> = report
        .iter()
        .map(|line| line.rsplit_once(',').unwrap().0)
        .collect();
    assert_eq!(
        told,
        [
            "1,2,requested,,marketing",
            "2,3,already_requested,,",
            "3,4,suppressed,,",
            "4,5,topics,topics,",
            "5,6,topics,topics,",
        ]
    );
    assert_eq!(progress.attested, 1);
    let ada = world.person(ADA).await;
    assert_eq!(ada.consent(Purpose::Marketing), None, "not the whole of it");
    for topic in ["events", "offers"] {
        let topic = Topic::parse(topic).unwrap();
        let asked = ada.consent_to(Purpose::Marketing, Some(&topic)).unwrap();
        assert_eq!(asked.state, State::Requested, "{topic}");
    }
    let hash = optin_code::hash(&code_in(&report[0]));
    let used = world
        .subjects()
        .use_request(&hash, &ada.id, world.now(), "m1_a");
    let asks: Vec<String> = used
        .await
        .unwrap()
        .unwrap()
        .asks
        .iter()
        .map(|(purpose, topic)| format!("{purpose} {}", topic.as_ref().unwrap()))
        .collect();
    assert_eq!(asks, ["marketing events", "marketing offers"]);

    let asked = world.events().await;
    let asked = asked.iter().filter(|event| event["topic"].is_string());
    let asked: Vec<_> = asked.collect();
    assert_eq!(asked.len(), 2);
    for event in asked {
        let by = &event["jurisdictions"];
        assert_eq!(*by, serde_json::json!(["CA_CASL"]), "+1 613 is Ottawa");
        assert!(event["profile_digest"].is_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_twice_changes_nothing() {
    let world = World::start().await;
    let file = format!("{HEADER}{}{}", row(ADA, "marketing"), row(BEN, "utility"));
    let first = world.import(&file).await;
    let before = world.tables().await;
    assert_eq!(world.import(&file).await, first);
    assert_eq!(world.tables().await, before);
    // And once more without a file: the queue may deliver a message twice.
    let answer = world.handle(&first.0.file, ENOUGH).await;
    assert_eq!(answer, BatchResponse::default());
    assert_eq!(world.tables().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_file_whose_rows_are_not_certain_nothing_is_used() {
    let world = World::start().await;
    let good = row(ADA, "marketing");
    let before = world.tables().await;
    let utf16: Vec<u8> = format!("\u{feff}{HEADER}{good}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let latin = [HEADER.as_bytes(), good.as_bytes(), b"Gr\xf6\xdfe,x\n"].concat();
    let huge = format!(
        "{HEADER}{good}{ADA},marketing,2026-03-01,paper,\"{}",
        "x".repeat(10 << 20)
    );
    for (file, code, place) in [
        (Vec::new(), "empty", ""),
        (HEADER.into(), "no_rows", ""),
        (utf16, "utf16", ""),
        (latin, "encoding", "line 3"),
        (good.clone().into(), "unknown_column", "column 1"),
        (
            format!("phone,purpose,method,notice\n{good}").into(),
            "missing_column",
            "claimed_at",
        ),
        (
            format!("{HEADER}{good}{}", good.replacen('"', "", 1)).into(),
            "quoting",
            "line 3",
        ),
        (huge.into(), "row_too_large", "line 3"),
    ] {
        let (progress, report) = world.import(&file).await;
        assert_eq!(progress.stage, Stage::Refused, "{code}");
        assert_eq!(progress.fault.as_deref(), Some(code));
        let why = progress.why.unwrap();
        assert!(why.contains(place) && !why.contains("613"), "{why}");
        assert_eq!(report, Vec::<String>::new());
        assert_eq!(world.tables().await, before, "{code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_with_a_fault_changes_nothing_and_holds_up_no_other() {
    let world = World::start().await;
    let bad = [
        row("613 555 0123", "marketing"),
        row("=1+1", "marketing"),
        row(ADA, "service"),
        row(ADA, "marketing").replace("\"Yes, write to me\"", "=HYPERLINK(1)"),
        row(ADA, "marketing").replace(",en,crm-1", ""),
        ",,,,,,\n".to_owned(),
    ]
    .concat();
    let before = world.tables().await;
    let (progress, report) = world.import(format!("{HEADER}{bad}")).await;
    assert_eq!(progress.stage, Stage::Done);
    assert_eq!(
        report,
        [
            "1,2,phone_national,phone,,",
            "2,3,formula,phone,,",
            "3,4,purpose,purpose,,",
            "4,5,formula,notice,,",
            "5,6,fields,,,",
        ]
    );
    assert_eq!(world.tables().await, before);
    let (progress, _) = world
        .import(format!("{HEADER}{bad}{}", row(BEN, "marketing")))
        .await;
    assert_eq!(progress.counts.of("requested"), 1);
    assert_eq!(world.subject(ADA).await, None);
}

/// Dies at each request it makes, in both ways, and is given the file again.
#[tokio::test(flavor = "multi_thread")]
async fn wherever_it_dies_another_invocation_ends_with_the_same_report() {
    let world = World::start().await;
    let mut deaths = 0_u64;
    for crash in [Crash::Before, Crash::Unanswered] {
        for n in 1.. {
            // Somebody new, and somebody who is known.
            let (new, known) = (world::somebody(2 * deaths), world::somebody(2 * deaths + 1));
            deaths += 1;
            world
                .says(&known, Action::Withdrawn, Purpose::Utility)
                .await;
            let file = format!(
                "{HEADER}{}{}",
                row(&new, "marketing"),
                row(&known, "marketing utility")
            );
            let hash = world.put(file.as_bytes()).await;
            let facts = world.facts().await;
            let (settings, clock) = (world.environment.clone(), world.clock.clone());
            let (event, gate) = (created(&hash), world.stage.cloud().gate());
            let end = environment(
                &gate,
                Some((n, crash)),
                || function(settings, clock),
                |import| async move { import.handle(event, ENOUGH).await },
            );
            let died = matches!(end.await, End::Died(_));
            let answer = world.handle(&hash, ENOUGH).await;
            assert_eq!(answer, BatchResponse::default());
            let report = world.report(&hash).await;
            assert_eq!(report.len(), 2, "at {n}");
            assert!(
                report[0].contains(",requested,,marketing,"),
                "at {n}: {}",
                report[0]
            );
            assert!(
                report[1].contains(",requested,,marketing,"),
                "at {n}: {}",
                report[1]
            );
            for (phone, line) in [(new, &report[0]), (known, &report[1])] {
                let person = world.person(&phone).await;
                let consent = person.consent(Purpose::Marketing).unwrap();
                assert_eq!(consent.state, State::Requested, "at {n}");
                let hash = optin_code::hash(&code_in(line));
                let request = world
                    .subjects()
                    .use_request(&hash, &person.id, world.now(), "m1_a");
                assert!(
                    request.await.unwrap().is_some(),
                    "at {n}: a link that does not open"
                );
            }
            // Who dies between proof and state has proven a request that is not in force; no more.
            let proven = world.facts().await - facts;
            assert!((2..=4).contains(&proven), "at {n}: {proven}");
            assert!(!world.has_file(&hash).await);
            if !died {
                assert_eq!(proven, 2);
                break;
            }
        }
    }
    assert!(deaths > 20, "{deaths}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_none_of_s3s_is_the_queues_to_set_aside() {
    let world = World::start().await;
    let mut event = created(&world::hash(b""));
    event.records[0].body = "{".to_owned();
    let import = function(world.environment.clone(), world.clock.clone()).await;
    assert_eq!(
        import
            .handle(event.clone(), ENOUGH)
            .await
            .batch_item_failures
            .len(),
        1
    );
    event.records[0].body = "{\"Service\":\"Amazon S3\",\"Event\":\"s3:TestEvent\"}".to_owned();
    assert_eq!(import.handle(event, ENOUGH).await, BatchResponse::default());
}
