//! The purge against the local cloud: real tables, real key wrapping, the template's own settings.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::string_slice,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use headgate_aws::controls::Controls;
use headgate_aws::evidence::Evidence;
use headgate_aws::keyring::{Keyring, KeyringError, Salt};
use headgate_aws::messages::{Messages, Record};
use headgate_aws::{Aws, AwsSettings};
use headgate_domain::config::Config;
use headgate_domain::identity::SubjectId;
use headgate_domain::lane::Purpose;
use headgate_domain::record::{RecordRef, State, ulid};
use headgate_domain::sealing::Place;
use headgate_domain::time::{DAY, Day, HOUR, Timestamp};
use headgate_lambda::settings::Settings;
use local_cloud::{Calendar, LocalCloud, Options};
use retention_purge::{Manifest, RetentionPurge};
use serde_json::Value;

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

    async fn purge(&self) -> RetentionPurge {
        let now = Arc::clone(&self.now);
        let clock = Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
        RetentionPurge::new(&self.settings, clock).await.unwrap()
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

    /// The manifests in the evidence table, oldest first.
    async fn manifests(&self) -> Vec<Value> {
        let mut found: Vec<Value> = self
            .cloud
            .dump()
            .await
            .unwrap()
            .iter()
            .filter(|(place, text)| place.contains("/purge#") && text.contains("destroyed_days"))
            .map(|(_, text)| manifest_in(text))
            .collect();
        found.sort_by_key(|manifest| manifest["at"].as_str().map(str::to_owned));
        found
    }

    fn calls(&self) -> u64 {
        self.cloud.counters().calls.values().sum()
    }
}

/// The manifest inside an item that is shown as DynamoDB JSON.
fn manifest_in(text: &str) -> Value {
    let item: Value = serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
    let manifest = item
        .pointer("/manifest/S")
        .or_else(|| item.get("manifest"))
        .unwrap();
    serde_json::from_str(manifest.as_str().unwrap()).unwrap()
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
    assert!(first.minted_vault);
    assert_eq!(first.minted_days.len(), 8);
    assert!(first.destroyed_days.is_empty());

    let (day, keyring) = (world.now().day(), world.keyring());
    let (salt, envelope) = sealed(&keyring, day).await;
    world.pass(90 * DAY - 9 * HOUR - 1);
    assert!(
        !run(&purge).await.destroyed_days.contains(&day.to_string()),
        "one millisecond too early"
    );
    assert!(keyring.has_day(day).await.unwrap());
    world.pass(1);
    let manifest = run(&purge).await;
    assert!(manifest.destroyed_days.contains(&day.to_string()) && manifest.verified);
    assert!(!keyring.has_day(day).await.unwrap());

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
    for _ in 0..100 {
        run(&purge).await;
        world.pass(DAY);
    }
    world.pass(-DAY);
    let (keyring, today) = (world.keyring(), world.now().day());
    for offset in 0..=106 {
        let day = first.plus(offset);
        assert_eq!(
            keyring.has_day(day).await.unwrap(),
            day > today.plus(-90),
            "{day}"
        );
    }
    let destroyed: Vec<Value> = world
        .manifests()
        .await
        .iter()
        .flat_map(|m| m["destroyed_days"].as_array().unwrap().clone())
        .collect();
    assert_eq!(destroyed.len(), 10);
    // Neither the same process nor a new one ever brings a day back.
    run(&purge).await;
    run(&world.purge().await).await;
    assert!(!keyring.has_day(first).await.unwrap());
    // Nor does a clock that jumps back in a process that knows better.
    world.pass(-95 * DAY);
    assert!(run(&purge).await.minted_days.is_empty());
    assert!(!keyring.has_day(first).await.unwrap());
}

#[tokio::test]
async fn a_purge_that_ended_before_its_evidence_is_caught_up() {
    let world = World::new().await;
    run(&world.purge().await).await;
    let (day, keyring) = (world.now().day(), world.keyring());
    world.pass(90 * DAY);
    // What a run leaves that ends between destroying and recording.
    world
        .evidence()
        .put_open_purge(&[day.to_string()])
        .await
        .unwrap();
    assert!(keyring.destroy_day(day).await.unwrap());
    assert_eq!(world.manifests().await.len(), 1);

    let manifest = run(&world.purge().await).await;
    assert_eq!(manifest.destroyed_days, [day.to_string()]);
    assert_eq!(
        world.manifests().await.last().unwrap()["destroyed_days"][0],
        day.to_string()
    );
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
        .put_open_purge(&[day.to_string(), "not a day".to_owned()])
        .await
        .unwrap();
    assert!(run(&world.purge().await).await.destroyed_days.is_empty());
    assert!(world.keyring().has_day(day).await.unwrap());
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
    world.pass((90 + 119 + 20) * DAY);
    let manifest = run(&world.purge().await).await;
    assert_eq!(manifest.destroyed_days.len(), 40);
    assert_eq!(manifest.destroyed_days[0], first.to_string());
}

#[tokio::test]
async fn rows_are_swept_with_their_day_and_no_sooner() {
    let world = World::new().await;
    let config = Config::from_toml(include_str!("../../../config/headgate.toml")).unwrap();
    Controls::new(&world.aws, world.name("HEADGATE_TABLE_CONTROLS"))
        .put_config(&config, 1)
        .await
        .unwrap();
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
    world.pass(90 * DAY - 9 * HOUR - 1);
    assert_eq!(run(&purge).await.swept, 0);
    world.pass(1);
    let manifest = run(&purge).await;
    assert_eq!((manifest.swept, manifest.sweep_complete), (30, true));
    assert_eq!(world.manifests().await.last().unwrap()["swept"], 30);
    let left = messages.load(&stored).await.unwrap();
    assert_eq!(
        left.iter()
            .map(|record| &record.reference)
            .collect::<Vec<_>>(),
        [&stored[30]]
    );
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
