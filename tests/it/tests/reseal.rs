//! After the vault key was rotated, a walk seals anew whoever is not met: rows, proofs, requests that wait; and the
//! older key goes once no backup can bring back anything that needs it.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use headgate_aws::Aws;
use headgate_aws::keyring::{KeyringError, VaultVersion};
use headgate_aws::privacy_requests::{Errand, PrivacyRequests, Walk};
use headgate_aws::subjects::Subjects;
use headgate_domain::identity::{Identifier, Phone, SubjectId};
use headgate_domain::retention::{KeyName, Manifest};
use headgate_domain::sealing::Place;
use headgate_domain::time::{DAY, MINUTE, Timestamp};
use headgate_lambda::clock::Clock;
use headgate_lambda::settings::Settings;
use headgate_testkit::{End, Stage, environment, stage};
use local_cloud::Crash;
use privacy_worker::PrivacyWorker;
use retention_purge::RetentionPurge;
use serde_json::{Value, json};

/// More than a page of the walk, proofs included.
const PEOPLE: usize = 90;

struct World {
    stage: Stage,
    aws: Aws,
    environment: BTreeMap<String, String>,
    now: Arc<AtomicI64>,
}

impl World {
    async fn new() -> Self {
        let stage = stage().await;
        let environment = stage.environment("PrivacyWorkerFunction");
        let now = (stage.clock())().millis();
        let aws = stage.aws();
        headgate_lambda::log::capture(Arc::new(|_line| {}));
        Self {
            stage,
            aws,
            environment,
            now: Arc::new(AtomicI64::new(now)),
        }
    }

    fn name(&self, variable: &str) -> &str {
        &self.environment[variable]
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn pass(&self, milliseconds: i64) {
        self.now.fetch_add(milliseconds, Ordering::SeqCst);
    }

    async fn worker(&self) -> PrivacyWorker {
        let now = Arc::clone(&self.now);
        let clock = Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
        let settings = Settings::from_map(self.environment.clone());
        PrivacyWorker::new(&settings, clock).await.unwrap()
    }

    async fn people(&self) -> Subjects {
        self.stage.subjects().await
    }

    async fn progress(&self) -> Option<Walk> {
        let table = self.name("HEADGATE_TABLE_PRIVACY_REQUESTS");
        let requests = PrivacyRequests::new(&self.aws, table);
        requests.walk(Errand::Reseal).await.unwrap()
    }

    /// People of whom each has a number and every third a proof; one request that waits, one row that is damaged, and
    /// one person whose salts are gone.
    async fn populate(&self) -> Vec<SubjectId> {
        let people = self.people().await;
        let mut subjects = Vec::new();
        for index in 0..PEOPLE {
            let phone = Phone::parse(&format!("+1613555{:04}", 100 + index)).unwrap();
            let identifier = [Identifier::Phone(phone)];
            let subject = people
                .find_or_create(&identifier, self.now())
                .await
                .unwrap();
            if index % 3 == 0 {
                people
                    .put_evidence(&subject, "L0.7", b"a proof")
                    .await
                    .unwrap();
            }
            subjects.push(subject);
        }
        let keyring = self.stage.keyring();
        let salt = keyring.salt(&subjects[0]).await.unwrap();
        let place = Place {
            table: "subjects",
            key: "R#waits",
            field: "notice",
        };
        let notice = keyring.seal_vault(&salt, &place, b"words").await.unwrap();
        let other = Place {
            key: "S#elsewhere",
            field: "phone",
            ..place
        };
        let damaged = keyring.seal_vault(&salt, &other, b"moved").await.unwrap();
        let row = |pk: &str, sk: &str, field: &str, sealed: &[u8]| {
            json!({ "pk": { "S": pk }, "sk": { "S": sk }, "subject": { "S": subjects[0].as_str() },
                    field: { "B": STANDARD.encode(sealed) } })
        };
        let items = vec![
            row("R#waits", "R", "notice", &notice),
            row("R#damaged", "R", "notice", &damaged),
        ];
        let table = self.name("HEADGATE_TABLE_SUBJECTS");
        self.stage.cloud().load(table, items).await.unwrap();
        let gone = subjects.pop().unwrap();
        let later = self.now().plus_millis(MINUTE);
        keyring
            .destroy_salts(&gone, self.now(), later)
            .await
            .unwrap();
        subjects
    }

    /// How many sealed values are under each version.
    async fn versions(&self) -> BTreeMap<u32, usize> {
        let table = self.name("HEADGATE_TABLE_SUBJECTS");
        let items = self.stage.cloud().items(table).await.unwrap();
        let mut versions = BTreeMap::new();
        let values = items
            .iter()
            .flat_map(|item| item.as_object().unwrap().values());
        for value in values.filter_map(|value| value["B"].as_str()) {
            let version = VaultVersion::of(&STANDARD.decode(value).unwrap()).unwrap();
            *versions.entry(version.number()).or_default() += 1;
        }
        versions
    }

    async fn rotate(&self) {
        let keyring = self.stage.keyring();
        let asked = Some(self.now());
        self.pass(1);
        let due = keyring.due_vault(self.now(), asked).await.unwrap();
        let put = keyring.mint_vault(due.unwrap(), self.now()).await;
        assert!(put.unwrap());
    }

    /// A run of a new process of the worker, then one of the purge.
    async fn runs(&self) -> Manifest {
        self.worker().await.handle(Value::Null).await.unwrap();
        let now = Arc::clone(&self.now);
        let clock = Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
        let settings = Settings::from_map(self.stage.environment("RetentionPurgeFunction"));
        let purge = RetentionPurge::new(&settings, clock).await.unwrap();
        purge.handle(Value::Null).await.unwrap()
    }

    async fn rows(&self) -> Vec<Value> {
        let table = self.name("HEADGATE_TABLE_SUBJECTS");
        self.stage.cloud().items(table).await.unwrap()
    }

    /// Leaves nothing sealed in the row that is damaged.
    async fn mend(&self) {
        let row = json!({ "pk": { "S": "R#damaged" }, "sk": { "S": "R" } });
        let table = self.name("HEADGATE_TABLE_SUBJECTS");
        self.stage.cloud().load(table, vec![row]).await.unwrap();
    }

    /// Everything opens that can be opened.
    async fn opens(&self, subjects: &[SubjectId]) {
        let people = self.people().await;
        let keyring = self.stage.keyring();
        for (index, subject) in subjects.iter().enumerate() {
            let person = people.load(subject).await.unwrap().unwrap();
            assert!(person.phone.is_some());
            if index % 3 == 0 {
                let states = headgate_aws::subjects::SubjectStates::new(
                    &self.aws,
                    self.name("HEADGATE_TABLE_SUBJECTS"),
                );
                let proof = states.evidence(&keyring, subject, "L0.7").await.unwrap();
                assert_eq!(proof.unwrap().reveal(), b"a proof");
            }
        }
    }
}

/// Damaged, and somebody's whose salt is gone: nothing opens them under any version.
const LEFT: usize = 2;
const ALL: usize = PEOPLE + PEOPLE / 3 + 2;

#[tokio::test]
async fn whoever_is_not_met_is_sealed_anew_in_the_background_and_the_walk_ends_when_a_round_finds_nothing()
 {
    let world = World::new().await;
    let subjects = world.populate().await;
    let worker = world.worker().await;
    let run = async || worker.handle(Value::Null).await.unwrap();
    run().await;
    assert_eq!(
        world.progress().await,
        None,
        "there was never another version"
    );
    world.pass(1_000);
    world.rotate().await;
    run().await;
    world.pass(19 * MINUTE);
    // Somebody may still be sealing under the one before.
    run().await;
    assert_eq!(world.versions().await, BTreeMap::from([(1, ALL)]));

    world.pass(2 * MINUTE);
    let worker = world.worker().await;
    worker.handle(Value::Null).await.unwrap();
    assert_eq!(
        world.versions().await,
        BTreeMap::from([(1, LEFT), (2, ALL - LEFT)])
    );
    let walk = world.progress().await.unwrap();
    assert_eq!(
        (walk.version, walk.round, walk.rows),
        (2, 2, ALL as u64),
        "{walk:?}"
    );
    assert_eq!((walk.older, walk.unopened), (1, 1), "{walk:?}");
    assert_eq!(walk.ended_at, Some(world.now()));
    world.opens(&subjects).await;

    // Once it has ended it costs nothing, until the next version.
    let before = world.progress().await;
    world.pass(MINUTE);
    worker.handle(Value::Null).await.unwrap();
    assert_eq!(world.progress().await, before);
    world.rotate().await;
    world.pass(21 * MINUTE);
    world.worker().await.handle(Value::Null).await.unwrap();
    assert_eq!(
        world.versions().await,
        BTreeMap::from([(1, LEFT), (3, ALL - LEFT)])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_walk_dies_the_next_run_ends_it() {
    let world = World::new().await;
    let subjects = world.populate().await;
    world.pass(1_000);
    world.rotate().await;
    world.pass(21 * MINUTE);
    let (mut deaths, gate) = (0, world.stage.cloud().gate());
    // Each process gets a little further than the one before, and the last one to the end.
    for n in (1..4_000).step_by(7) {
        let crash = [Crash::Before, Crash::Unanswered][n % 2];
        let settings = Settings::from_map(world.environment.clone());
        let now = Arc::clone(&world.now);
        let clock: Clock = Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
        let end = environment(
            &gate,
            Some((n as u64, crash)),
            || async move { PrivacyWorker::new(&settings, clock).await.unwrap() },
            |worker| async move { worker.handle(Value::Null).await.map(|_done| ()) },
        );
        match end.await {
            End::Died(_) => deaths += 1,
            End::Answered(_) => break,
        }
    }
    assert!(deaths > 3, "{deaths}");
    assert_eq!(
        world.versions().await,
        BTreeMap::from([(1, LEFT), (2, ALL - LEFT)])
    );
    world.opens(&subjects).await;
}

/// Two weeks longer than a table with something sealed in it has backups.
const KEPT: i64 = 49 * DAY;

fn vaults(manifest: &Manifest) -> Vec<u32> {
    let names = manifest.destroyed.iter().map(|destroyed| destroyed.name);
    let version = |name| match name {
        KeyName::Vault(version) => Some(version),
        KeyName::Day(_day) => None,
    };
    names.filter_map(version).collect()
}

#[tokio::test]
async fn an_older_vault_key_goes_when_no_backup_can_need_it_and_stays_as_long_as_anything_is_under_it()
 {
    let world = World::new().await;
    let subjects = world.populate().await;
    world.pass(1_000);
    world.rotate().await;
    world.pass(21 * MINUTE);
    assert!(vaults(&world.runs().await).is_empty());
    let (first, second) = (KeyName::Vault(1), KeyName::Vault(2));
    let keyring = world.stage.keyring();

    // The walk has ended, and one row does not open: whoever mends it may need the key.
    assert!(world.progress().await.unwrap().ended_at.is_some());
    assert_eq!(world.progress().await.unwrap().clear_since, None);
    world.mend().await;
    world.pass(30 * DAY);
    assert!(vaults(&world.runs().await).is_empty());
    assert_eq!(
        world.progress().await.unwrap().clear_since,
        Some(world.now())
    );

    world.pass(KEPT - 1);
    assert!(vaults(&world.runs().await).is_empty());
    assert!(keyring.has(first).await.unwrap());
    world.pass(1);
    let hash = keyring.fingerprint(first).await.unwrap();
    let manifest = world.runs().await;
    assert_eq!(vaults(&manifest), [1]);
    let line = format!("\ndestroyed vault#1 {}\n", hash.unwrap());
    assert!(manifest.text().contains(&line), "{}", manifest.text());
    assert!(!keyring.has(first).await.unwrap() && keyring.has(second).await.unwrap());
    world.opens(&subjects).await;

    // Once.
    world.pass(DAY);
    assert!(vaults(&world.runs().await).is_empty());
    assert!(keyring.has(second).await.unwrap());
}

#[tokio::test]
async fn a_table_that_came_back_from_a_backup_is_sealed_anew_before_the_key_it_needs_goes() {
    let world = World::new().await;
    let subjects = world.populate().await;
    world.mend().await;
    let backup = world.rows().await;
    let keyring = world.stage.keyring();
    let salt = keyring.salt(&subjects[1]).await.unwrap();
    let place = Place {
        table: "subjects",
        key: "S#x",
        field: "phone",
    };
    let stolen = keyring.seal_vault(&salt, &place, b"x").await.unwrap();
    world.pass(1_000);
    world.rotate().await;
    world.pass(21 * MINUTE);
    world.runs().await;
    assert_eq!(
        world.progress().await.unwrap().clear_since,
        Some(world.now())
    );

    world.pass(KEPT - 2 * DAY);
    let table = world.name("HEADGATE_TABLE_SUBJECTS");
    world.stage.cloud().load(table, backup).await.unwrap();
    // They write, so that nobody forgets them meanwhile.
    let people = world.people().await;
    for subject in &subjects {
        people.note_inbound(subject, world.now()).await.unwrap();
    }
    world.pass(2 * DAY);
    assert!(vaults(&world.runs().await).is_empty());
    assert_eq!(
        world.progress().await.unwrap().clear_since,
        Some(world.now())
    );
    world.opens(&subjects).await;

    world.pass(KEPT);
    assert_eq!(vaults(&world.runs().await), [1]);
    world.opens(&subjects).await;
    // What was taken from the table before opens with nothing there is.
    let opened = world.stage.keyring();
    let opened = opened.open_vault(&salt, &place, &stolen).await;
    assert_eq!(opened.err(), Some(KeyringError::NoKey));
}
