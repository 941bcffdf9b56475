//! The purge against the local cloud: real tables, real key wrapping, the template's own settings.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::string_slice,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_aws::controls::Controls;
use headgate_aws::evidence::{Evidence, OpenPurge};
use headgate_aws::keyring::{Keyring, KeyringError, Salt};
use headgate_aws::messages::{Messages, Record};
use headgate_aws::signing::SigningKey;
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::config::Config;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::note::PublicKey;
use headgate_domain::record::{RecordRef, State, ulid};
use headgate_domain::retention::{
    CONTENT_DAYS, Destroyed, KeyName, PurgeReport, Store, StoreRecord, verify,
};
use headgate_domain::sealing::{Place, key_id};
use headgate_domain::time::{DAY, Day, HOUR, Timestamp};
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::{End, environment};
use local_cloud::{Calendar, Crash, LocalCloud, Options};
use retention_purge::{Manifest, PurgeError, RetentionPurge};
use serde_json::{Value, json};

#[path = "purge/sweep.rs"]
mod sweep;

const PLACE: Place<'static> = Place {
    table: "messages",
    key: "k",
    field: "body",
};
const NUMBER: &str = "106540352242922";

struct World {
    cloud: LocalCloud,
    settings: Settings,
    environment: BTreeMap<String, String>,
    aws: Aws,
    now: Arc<AtomicI64>,
}

impl World {
    async fn new() -> Self {
        let nested = [
            ("infra/data.yaml", include_str!("../../../infra/data.yaml")),
            ("infra/edge.yaml", include_str!("../../../infra/edge.yaml")),
        ]
        .map(|(location, text)| (location.to_owned(), text.to_owned()))
        .into();
        let options = Options {
            template: include_str!("../../../template.yaml").to_owned(),
            nested,
            parameters: BTreeMap::new(),
            data_dir: None,
            first_port: None,
            calendar: Calendar::at_fixed_morning(),
        };
        headgate_lambda::log::capture(Arc::new(|_line| {}));
        let cloud = LocalCloud::start(options).await.unwrap();
        let environment = cloud
            .function_environment("RetentionPurgeFunction")
            .unwrap();
        let settings = Settings::from_map(environment.clone());
        let aws = Aws::new(&AwsSettings::new(settings.lookup()).unwrap()).unwrap();
        // TTL deletion of the local cloud goes by its own calendar: stay near it.
        let start = Timestamp::from_millis(cloud.calendar().now_ms())
            .day()
            .start()
            .plus_millis(9 * HOUR);
        Self {
            cloud,
            settings,
            environment,
            aws,
            now: Arc::new(AtomicI64::new(start.millis())),
        }
    }

    /// Puts the repository's configuration in force: only its numbers' rows are swept.
    async fn configure(&self) {
        let config = Config::from_toml(include_str!("../../../config/headgate.toml")).unwrap();
        Controls::new(&self.aws, self.name("HEADGATE_TABLE_CONTROLS"))
            .put_config(&config, 1)
            .await
            .unwrap();
    }

    async fn purge(&self) -> RetentionPurge {
        self.purge_by(&self.settings).await
    }

    async fn purge_by(&self, settings: &Settings) -> RetentionPurge {
        let now = Arc::clone(&self.now);
        let clock = Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
        RetentionPurge::new(settings, clock).await.unwrap()
    }

    fn name(&self, variable: &str) -> &str {
        &self.environment[variable]
    }

    fn keyring(&self) -> Keyring {
        Keyring::new(
            &self.aws,
            self.name("HEADGATE_TABLE_KEYS"),
            self.name("HEADGATE_KMS_KEY_DATA"),
            self.name("HEADGATE_DEPLOYMENT"),
        )
    }

    fn messages(&self) -> Messages {
        Messages::new(&self.aws, self.name("HEADGATE_TABLE_MESSAGES"))
    }

    fn evidence(&self) -> Evidence {
        Evidence::new(&self.aws, self.name("HEADGATE_TABLE_EVIDENCE"))
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn pass(&self, milliseconds: i64) {
        self.now.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// The notes in the evidence table, oldest first.
    async fn notes(&self) -> Vec<String> {
        let evidence = self.evidence();
        let mut notes = Vec::new();
        while let Some(note) = evidence.purge(notes.len() as u64).await.unwrap() {
            notes.push(note);
        }
        notes
    }

    async fn key(&self) -> PublicKey {
        let key = SigningKey::new(&self.aws, self.name("HEADGATE_KMS_KEY_EVIDENCE"));
        key.public_key().await.unwrap()
    }

    /// The manifests in the evidence table, oldest first; each signed.
    async fn manifests(&self) -> Vec<Manifest> {
        let key = self.key().await;
        let notes = self.notes().await;
        notes
            .iter()
            .map(|note| Manifest::of_note(note, &key).unwrap())
            .collect()
    }

    async fn verified(&self) -> PurgeReport {
        let notes = self.notes().await;
        let deployment = self.name("HEADGATE_DEPLOYMENT");
        let key = self.key().await;
        verify(notes.iter().map(String::as_str), &key, deployment).unwrap()
    }

    fn calls(&self) -> u64 {
        self.cloud.counters().calls.values().sum()
    }
}

fn days(manifest: &Manifest) -> Vec<Day> {
    manifest
        .destroyed
        .iter()
        .filter_map(|destroyed| match destroyed.name {
            KeyName::Day(day) => Some(day),
            KeyName::Vault(_version) => None,
        })
        .collect()
}

async fn run(purge: &RetentionPurge) -> Manifest {
    purge.handle(Value::Null).await.unwrap()
}

async fn sealed(keyring: &Keyring, day: Day) -> (Salt, Vec<u8>) {
    let salt = keyring
        .create_salts(&SubjectId::from_random([7; 16]))
        .await
        .unwrap();
    let envelope = keyring
        .seal_content(day, &salt, &PLACE, b"a message")
        .await
        .unwrap();
    (salt, envelope)
}

#[tokio::test]
async fn after_ninety_days_the_key_is_gone_and_the_content_cannot_be_opened_by_anyone() {
    let world = World::new().await;
    let purge = world.purge().await;
    let first = run(&purge).await;
    assert_eq!(first.minted_vault, Some(1));
    assert_eq!(first.minted.len(), 8);
    assert!(first.destroyed.is_empty());

    let (day, keyring) = (world.now().day(), world.keyring());
    let (salt, envelope) = sealed(&keyring, day).await;
    world.pass(CONTENT_DAYS * DAY - 9 * HOUR - 1);
    assert!(
        !days(&run(&purge).await).contains(&day),
        "one millisecond too early"
    );
    assert!(keyring.has(day.into()).await.unwrap());
    world.pass(1);
    let fingerprint = keyring.fingerprint(day.into()).await.unwrap();
    assert!(fingerprint.is_some());
    let manifest = run(&purge).await;
    let destroyed = Destroyed {
        name: day.into(),
        hash: fingerprint,
    };
    assert!(manifest.destroyed.contains(&destroyed));
    assert!(!keyring.has(day.into()).await.unwrap());

    // Told that it is still the day itself, a new process would open it if it could.
    let opened = world
        .keyring()
        .open_content(day, day.start(), &salt, &PLACE, &envelope)
        .await;
    assert_eq!(opened.err(), Some(KeyringError::NoKey));
    // And one that still has the key in memory refuses by the date.
    let opened = keyring
        .open_content(day, world.now(), &salt, &PLACE, &envelope)
        .await;
    assert_eq!(opened.err(), Some(KeyringError::PastRetention));
}

#[tokio::test]
async fn a_run_with_nothing_to_do_leaves_no_trace_and_calls_nobody() {
    let world = World::new().await;
    let purge = world.purge().await;
    run(&purge).await;
    assert_eq!(world.manifests().await.len(), 1);
    let calls = world.calls();
    for _ in 0..14 {
        world.pass(HOUR);
        assert!(!run(&purge).await.changed_something());
    }
    assert!(
        world.calls() - calls <= 14 * 3,
        "{} calls in 14 runs",
        world.calls() - calls
    );
    // A new process looks at everything once, and finds it done.
    assert!(!run(&world.purge().await).await.changed_something());
    assert_eq!(world.manifests().await.len(), 1);
}

#[tokio::test]
async fn a_hundred_days_of_runs_leave_exactly_the_days_that_may_be_read() {
    let world = World::new().await;
    let purge = world.purge().await;
    let first = world.now().day();
    for _ in 0..CONTENT_DAYS + 10 {
        run(&purge).await;
        world.pass(DAY);
    }
    world.pass(-DAY);
    let (keyring, today) = (world.keyring(), world.now().day());
    for offset in 0..=CONTENT_DAYS + 16 {
        let day = first.plus(offset);
        assert_eq!(
            keyring.has(day.into()).await.unwrap(),
            day > today.plus(-CONTENT_DAYS),
            "{day}"
        );
    }
    let report = world.verified().await;
    let runs = CONTENT_DAYS as u64 + 10;
    assert_eq!((report.manifests, report.destroyed), (runs, 10));
    assert!(
        report.late.iter().all(|(_, ms)| *ms < 10 * HOUR),
        "at nine in the morning"
    );
    assert!(report.gaps.is_empty());
    // Neither the same process nor a new one ever brings a day back.
    run(&purge).await;
    run(&world.purge().await).await;
    assert!(!keyring.has(first.into()).await.unwrap());
    // Nor does a clock that jumps back in a process that knows better.
    world.pass(-95 * DAY);
    assert!(run(&purge).await.minted.is_empty());
    assert!(!keyring.has(first.into()).await.unwrap());
}

#[tokio::test]
async fn a_purge_that_ended_before_its_evidence_is_caught_up() {
    let world = World::new().await;
    run(&world.purge().await).await;
    let (day, keyring) = (world.now().day(), world.keyring());
    world.pass(CONTENT_DAYS * DAY);
    // What a run leaves that ends between destroying and recording.
    world
        .evidence()
        .put_open_purge(&OpenPurge {
            destroy: vec![Destroyed {
                name: day.into(),
                hash: keyring.fingerprint(day.into()).await.unwrap(),
            }],
            mint: Vec::new(),
        })
        .await
        .unwrap();
    assert!(keyring.destroy(day.into()).await.unwrap());
    assert_eq!(world.manifests().await.len(), 1);

    let manifest = run(&world.purge().await).await;
    assert_eq!(days(&manifest), [day]);
    assert!(
        manifest.destroyed[0].hash.is_some(),
        "which key it was is known"
    );
    assert_eq!(world.manifests().await.last(), Some(&manifest));
    assert!(world.evidence().open_purge().await.unwrap().is_empty());
    assert!(
        !run(&world.purge().await).await.changed_something(),
        "and only once"
    );
}

#[tokio::test]
async fn an_open_purge_never_destroys_a_day_that_is_not_due() {
    let world = World::new().await;
    run(&world.purge().await).await;
    let day = world.now().day();
    world
        .evidence()
        .put_open_purge(&OpenPurge {
            destroy: vec![Destroyed {
                name: day.into(),
                hash: None,
            }],
            mint: Vec::new(),
        })
        .await
        .unwrap();
    assert!(run(&world.purge().await).await.destroyed.is_empty());
    assert!(world.keyring().has(day.into()).await.unwrap());
}

#[tokio::test]
async fn a_purge_that_did_not_run_for_months_goes_back_until_there_are_no_keys() {
    let world = World::new().await;
    let (first, keyring) = (world.now().day(), world.keyring());
    for offset in 0..40 {
        keyring
            .mint_day(first.plus(offset), world.now())
            .await
            .unwrap();
    }
    // The look-back alone would start twenty days after the first key.
    world.pass((CONTENT_DAYS + 119 + 20) * DAY);
    let manifest = run(&world.purge().await).await;
    assert_eq!(manifest.destroyed.len(), 40);
    assert_eq!(manifest.destroyed[0].name, first.into());
}

#[tokio::test]
async fn rows_are_swept_with_their_day_and_no_sooner() {
    let world = World::new().await;
    world.configure().await;
    let (purge, messages) = (world.purge().await, world.messages());
    let early = world.now();
    let late = early.plus_millis(DAY);
    let mut stored = Vec::new();
    for (at, count) in [(early, 30_u8), (late, 1)] {
        for random in 0..count {
            let record = record(at, random);
            messages.put(&record).await.unwrap();
            stored.push(record.reference);
        }
    }
    world.pass(CONTENT_DAYS * DAY - 9 * HOUR - 1);
    assert!(run(&purge).await.stores.is_empty());
    world.pass(1);
    let manifest = run(&purge).await;
    let outbox = StoreRecord {
        store: Store::Outbox,
        matched: 30,
        deleted: 30,
        is_complete: true,
        residual_until: world.now().day().plus(7),
    };
    assert_eq!(manifest.stores, [outbox]);
    assert_eq!(manifest.tried, 1);
    assert_eq!(world.manifests().await.last(), Some(&manifest));
    let left = messages.load(&stored, world.now()).await.unwrap();
    assert_eq!(
        left.iter()
            .map(|record| &record.reference)
            .collect::<Vec<_>>(),
        [&stored[30]]
    );
}

#[tokio::test]
async fn a_row_whose_key_still_exists_fails_the_run_and_leaves_no_evidence_of_it() {
    let world = World::new().await;
    world.configure().await;
    let purge = world.purge().await;
    run(&purge).await;
    // Accepted today, and sealed under a day that is not over for long: nobody writes that, and it is found.
    let tomorrow = world.now().day().plus(1);
    let (_salt, body) = sealed(&world.keyring(), tomorrow).await;
    let stray = Record {
        body,
        ..record(world.now(), 7)
    };
    world.messages().put(&stray).await.unwrap();
    world.pass(CONTENT_DAYS * DAY - 9 * HOUR);
    let before = world.notes().await.len();
    let failed = purge.handle(Value::Null).await;
    assert_eq!(failed.err(), Some(PurgeError::StillOpens));
    // The keys that were destroyed are on record all the same.
    let after = world.manifests().await;
    assert_eq!(after.len(), before + 1);
    assert!(after[before].stores.iter().all(|store| !store.is_complete));
}

#[tokio::test]
async fn an_altered_manifest_is_found_and_nothing_is_built_upon_it() {
    let world = World::new().await;
    let purge = world.purge().await;
    for _ in 0..3 {
        run(&purge).await;
        world.pass(DAY);
    }
    let mut notes = world.notes().await;
    assert_eq!(world.verified().await.manifests, 3);
    notes[1] = notes[1].replace("tried 0", "tried 9");
    let (key, deployment) = (world.key().await, world.name("HEADGATE_DEPLOYMENT"));
    let found = verify(notes.iter().map(String::as_str), &key, deployment);
    assert!(found.unwrap_err().to_string().starts_with("manifest 1:"));

    // Whoever can write the table and cannot sign stops the evidence, and is found.
    let forged = notes[1].replace("manifest 1", "manifest 3");
    assert!(world.evidence().put_purge(3, &forged).await.unwrap());
    let failed = purge.handle(Value::Null).await;
    assert_eq!(failed.err(), Some(PurgeError::Evidence(3)));
}

/// A run that could not record what it did, and a process that lives on: the next run tells it.
#[tokio::test]
async fn what_a_run_did_and_could_not_record_is_told_by_the_next_of_the_same_process() {
    let world = World::new().await;
    let purge = world.purge().await;
    let first = world.now().day();
    run(&purge).await;
    world.pass((CONTENT_DAYS - 1) * DAY);
    run(&purge).await;
    world.pass(DAY);
    let table = world.name("HEADGATE_TABLE_EVIDENCE");
    let newest = world.notes().await.pop().unwrap();
    let put = async |note: &str| {
        let row = json!({ "pk": { "S": "purge" }, "sk": { "S": format!("{:020}", 1) }, "note": { "S": note } });
        world.cloud.load(table, vec![row]).await.unwrap();
    };
    put(&newest.replace("tried 0", "tried 9")).await;
    let failed = purge.handle(Value::Null).await;
    assert_eq!(failed.err(), Some(PurgeError::Evidence(1)));
    assert!(!world.keyring().has(first.into()).await.unwrap());

    put(&newest).await;
    let manifest = run(&purge).await;
    assert_eq!(days(&manifest), [first]);
    assert_eq!(manifest.minted, [world.now().day().plus(7)]);
    assert_eq!(world.verified().await.destroyed, 1);
    assert!(!run(&purge).await.changed_something(), "once");
}

/// Every sealed value in a copy of the tables, with the day it is of; the table of keys has no copy
/// (tests/template: `the_keys_table_has_no_recovery_no_stream_and_refuses_every_other_copy`).
fn sealed_in(copy: &[(String, String)]) -> Vec<(Day, Vec<u8>)> {
    let mut found = Vec::new();
    for (place, text) in copy.iter().filter(|(place, _)| place.starts_with("table ")) {
        if place.contains("-keys") {
            continue;
        }
        let Some(start) = text.find('{') else {
            continue;
        };
        let Ok(Value::Object(item)) = serde_json::from_str(&text[start..]) else {
            continue;
        };
        for value in item.values() {
            let bytes = value["B"]
                .as_str()
                .and_then(|text| STANDARD.decode(text).ok());
            let Some(bytes) = bytes else { continue };
            let day = key_id(&bytes).ok().and_then(|id| id.strip_prefix("day#"));
            if let Some(day) = day.and_then(|day| Day::parse(day).ok()) {
                found.push((day, bytes));
            }
        }
    }
    found
}

#[tokio::test]
async fn a_copy_of_every_table_from_day_60_opens_nothing_of_day_0_once_that_is_purged() {
    let world = World::new().await;
    world.configure().await;
    let purge = world.purge().await;
    run(&purge).await;
    let (first, keyring) = (world.now().day(), world.keyring());
    let (salt, of_day_0) = sealed(&keyring, first).await;
    let (_, of_day_1) = sealed(&keyring, first.plus(1)).await;
    for (random, body) in [(1, of_day_0), (2, of_day_1)] {
        let stored = Record {
            body,
            ..record(world.now(), random)
        };
        world.messages().put(&stored).await.unwrap();
    }

    let earlier = CONTENT_DAYS * 2 / 3;
    world.pass(earlier * DAY);
    run(&purge).await;
    let copy = world.cloud.dump().await.unwrap();
    let restored = sealed_in(&copy);
    let days: Vec<Day> = restored.iter().map(|(day, _)| *day).collect();
    assert_eq!(days.len(), 2, "both are in the copy");
    // The date is told wrong, and the salt is still there: nothing but the key is in the way.
    let open = async |(day, envelope): &(Day, Vec<u8>)| {
        let fresh = world.keyring();
        fresh
            .open_content(*day, day.start(), &salt, &PLACE, envelope)
            .await
    };
    for value in &restored {
        assert!(open(value).await.is_ok(), "on day 60 the copy is of use");
    }

    world.pass((CONTENT_DAYS - earlier) * DAY - 9 * HOUR);
    run(&purge).await;
    for value in &restored {
        let is_due = value.0 == first;
        let opened = open(value).await;
        assert_eq!(opened.is_err(), is_due, "{}", value.0);
        if is_due {
            assert_eq!(opened.err(), Some(KeyringError::NoKey));
        }
        let could = world.keyring().could_open(&value.1).await.unwrap();
        assert_eq!(could, !is_due, "{}", value.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_run_dies_the_next_ends_it_and_the_evidence_is_whole() {
    let world = World::new().await;
    world.configure().await;
    let first = world.now().day();
    let purge = world.purge().await;
    for day in 0..=CONTENT_DAYS as u8 {
        let message = record(world.now(), day);
        world.messages().put(&message).await.unwrap();
        sweep::write_and_claim(&world, day).await;
        run(&purge).await;
        world.pass(DAY);
    }
    // A new process looks for every key it may have to destroy: those reads are all alike.
    let before = world.calls();
    run(&world.purge().await).await;
    let calls = world.calls() - before;
    let points = (1..calls)
        .step_by(29)
        .chain(calls.saturating_sub(20)..=calls + 8);
    let (mut deaths, mut random) = (0, 100_u8);
    for crash in [Crash::Before, Crash::Unanswered] {
        for n in points.clone() {
            let message = record(world.now(), random);
            world.messages().put(&message).await.unwrap();
            sweep::write_and_claim(&world, random).await;
            random = random.wrapping_add(1);
            let now = Arc::clone(&world.now);
            let clock: Clock = Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
            let settings = world.settings.clone();
            let gate = world.cloud.gate();
            let end = environment(
                &gate,
                Some((n, crash)),
                || async move { RetentionPurge::new(&settings, clock).await.unwrap() },
                |purge| async move { purge.handle(Value::Null).await.map(|_manifest| ()) },
            );
            deaths += u32::from(matches!(end.await, End::Died(_)));
            run(&world.purge().await).await;
            let open = world.evidence().open_purge().await.unwrap();
            assert!(open.is_empty(), "at {n}");
            let due = world.now().day().plus(-CONTENT_DAYS);
            assert!(!world.keyring().has(due.into()).await.unwrap(), "at {n}");
            let (oldest, kept) = sweep::days_of_rows(&world).await;
            assert_eq!(
                (oldest, kept),
                (due.plus(1), CONTENT_DAYS as usize * 3),
                "at {n}"
            );
            world.pass(DAY);
        }
    }
    let report = world.verified().await;
    let last = world.now().day().plus(-91);
    let days = last.start().millis_since(first.start()) / DAY + 1;
    assert_eq!(i64::try_from(report.destroyed), Ok(days), "each once");
    assert!(report.gaps.is_empty() && deaths > 20, "{deaths} deaths");
    let manifests = world.manifests().await;
    let mut minted: Vec<Day> = manifests.into_iter().flat_map(|one| one.minted).collect();
    minted.sort_unstable();
    minted.dedup();
    let days = world
        .now()
        .day()
        .plus(6)
        .start()
        .millis_since(first.start())
        / DAY
        + 1;
    assert_eq!(
        i64::try_from(minted.len()),
        Ok(days),
        "every day there was is told"
    );
    println!(
        "{deaths} deaths, {} manifests, {} rows",
        report.manifests, report.deleted
    );
}

#[tokio::test]
async fn a_run_that_began_before_the_newest_manifest_breaks_no_evidence() {
    let world = World::new().await;
    run(&world.purge().await).await;
    // A slower run, or a clock that was put back: it has a key to make, and is recorded after the other.
    let last = world.now().day().plus(7);
    assert!(world.keyring().destroy(last.into()).await.unwrap());
    world.pass(-HOUR);
    assert_eq!(run(&world.purge().await).await.minted, [last]);
    assert_eq!(world.verified().await.manifests, 2);
}

#[tokio::test]
async fn two_runs_at_once_never_take_the_same_number() {
    let world = World::new().await;
    for _ in 0..4 {
        let (one, other) = (world.purge().await, world.purge().await);
        let (one, other) = tokio::join!(one.handle(Value::Null), other.handle(Value::Null));
        assert!(one.is_ok() && other.is_ok());
        world.pass(DAY);
    }
    let report = world.verified().await;
    assert!(report.manifests >= 4, "{}", report.manifests);
}

fn record(at: Timestamp, random: u8) -> Record {
    Record {
        reference: RecordRef {
            number: NUMBER.to_owned(),
            lane: Purpose::Marketing,
            shard: 0,
            ulid: ulid(at, [random; 10]),
        },
        state: State::Sent,
        attempt: 1,
        subject: SubjectId::from_random([7; 16]),
        purpose: Purpose::Marketing,
        campaign: None,
        template: None,
        consent_event: None,
        producer: "producer".to_owned(),
        accepted_at: at,
        not_before: None,
        expires_at: at.plus_millis(DAY),
        day: at.day(),
        body: vec![1, 2, 3],
        reason: None,
    }
}
