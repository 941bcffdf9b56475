//! The versions of the vault key, against the local cloud: minted by the purge, sealed under the newest, opened by
//! the one an envelope names, and a person's row sealed anew on contact.
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
use headgate_aws::controls::Controls;
use headgate_aws::evidence::{Evidence, OpenPurge};
use headgate_aws::keyring::{Keyring, KeyringError, VaultVersion};
use headgate_aws::subjects::Subjects;
use headgate_domain::identity::{Identifier, Phone, SubjectId};
use headgate_domain::retention::{Destroyed, KeyName};
use headgate_domain::sealing::{Place, key_id};
use headgate_domain::time::{DAY, HOUR, Timestamp};
use headgate_lambda::settings::Settings;
use headgate_testkit::{Stage, stage};
use retention_purge::{Manifest, RetentionPurge};
use serde_json::Value;

const PLACE: Place<'static> = Place {
    table: "subjects",
    key: "S#x",
    field: "phone",
};

struct World {
    stage: Stage,
    aws: Aws,
    environment: BTreeMap<String, String>,
    now: Arc<AtomicI64>,
}

impl World {
    async fn new() -> Self {
        let stage = stage().await;
        let environment = stage.environment("NotificationProcessorFunction");
        let now = (stage.clock())().millis();
        let aws = stage.aws();
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

    async fn purge(&self) -> RetentionPurge {
        let environment = self.stage.environment("RetentionPurgeFunction");
        let now = Arc::clone(&self.now);
        let clock = Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
        RetentionPurge::new(&Settings::from_map(environment), clock)
            .await
            .unwrap()
    }

    fn evidence_table(&self) -> String {
        let purge = self.stage.environment("RetentionPurgeFunction");
        purge["HEADGATE_TABLE_EVIDENCE"].clone()
    }

    fn controls(&self) -> Controls {
        Controls::new(&self.aws, self.name("HEADGATE_TABLE_CONTROLS"))
    }

    async fn people(&self, keyring: Keyring) -> Subjects {
        let peppers = self.stage.peppers("HEADGATE_KMS_MAC_IDENTITY").await;
        let table = self.name("HEADGATE_TABLE_SUBJECTS");
        Subjects::new(&self.aws, table, keyring, peppers)
    }
}

async fn run(purge: &RetentionPurge) -> Manifest {
    purge.handle(Value::Null).await.unwrap()
}

#[tokio::test]
async fn the_next_vault_key_is_minted_after_a_year_and_what_is_older_still_opens() {
    let world = World::new().await;
    let purge = world.purge().await;
    run(&purge).await;
    let keyring = world.stage.keyring();
    let salt = keyring
        .create_salts(&SubjectId::from_random([7; 16]))
        .await
        .unwrap();
    let first = keyring.seal_vault(&salt, &PLACE, b"one").await.unwrap();
    assert_eq!(key_id(&first), Ok("vault#1"));

    world.pass(364 * DAY);
    assert_eq!(run(&purge).await.minted_vault, None);
    world.pass(DAY);
    let manifest = run(&purge).await;
    assert_eq!(manifest.minted_vault, Some(2));
    assert!(manifest.text().contains("\nminted vault#2\n"));
    assert_eq!(Manifest::parse(&manifest.text()), Ok(manifest));
    // Once, whichever process asks.
    world.pass(HOUR);
    assert_eq!(run(&purge).await.minted_vault, None);
    assert_eq!(run(&world.purge().await).await.minted_vault, None);

    // A process that has looked before goes on with what it knows, for five minutes; another one does not.
    let known = keyring.seal_vault(&salt, &PLACE, b"known").await.unwrap();
    assert_eq!(key_id(&known), Ok("vault#1"));
    let fresh = world.stage.keyring();
    let second = fresh.seal_vault(&salt, &PLACE, b"two").await.unwrap();
    assert_eq!(key_id(&second), Ok("vault#2"));
    for reader in [&keyring, &fresh] {
        for (envelope, plain) in [(&first, "one"), (&known, "known"), (&second, "two")] {
            let opened = reader.open_vault(&salt, &PLACE, envelope).await.unwrap();
            assert_eq!(opened.reveal(), plain.as_bytes());
        }
    }
}

#[tokio::test]
async fn an_operator_asks_once_and_gets_one() {
    let world = World::new().await;
    let purge = world.purge().await;
    run(&purge).await;
    world.pass(HOUR);
    world.controls().ask_for_vault(world.now()).await.unwrap();
    assert_eq!(run(&purge).await.minted_vault, Some(2));
    for _ in 0..3 {
        world.pass(HOUR);
        assert_eq!(run(&purge).await.minted_vault, None);
        assert_eq!(run(&world.purge().await).await.minted_vault, None);
    }
    // By a clock that is ahead: not before its time, and then once.
    let ahead = world.now().plus_millis(2 * HOUR);
    world.controls().ask_for_vault(ahead).await.unwrap();
    assert_eq!(run(&world.purge().await).await.minted_vault, None);
    world.pass(3 * HOUR);
    assert_eq!(run(&world.purge().await).await.minted_vault, Some(3));
    world.pass(HOUR);
    assert_eq!(run(&world.purge().await).await.minted_vault, None);
}

#[tokio::test]
async fn a_vault_key_that_is_gone_is_told_whatever_has_become_of_the_rest() {
    let world = World::new().await;
    run(&world.purge().await).await;
    world.controls().ask_for_vault(world.now()).await.unwrap();
    world.pass(HOUR);
    let (first, keyring) = (KeyName::Vault(1), world.stage.keyring());
    let hash = keyring.fingerprint(first).await.unwrap();
    let evidence = Evidence::new(&world.aws, &world.evidence_table());
    let open = OpenPurge {
        mint: vec![KeyName::Vault(2)],
        destroy: vec![Destroyed { name: first, hash }],
    };
    // As it was left by a run that ended before it did anything: nothing says that the key may go.
    evidence.put_open_purge(&open).await.unwrap();
    let manifest = run(&world.purge().await).await;
    assert_eq!(
        (manifest.destroyed, manifest.minted_vault),
        (vec![], Some(2))
    );
    assert!(keyring.has(first).await.unwrap());

    // And by one that ended after all of it.
    evidence.put_open_purge(&open).await.unwrap();
    assert!(keyring.destroy(first).await.unwrap());
    let manifest = run(&world.purge().await).await;
    assert_eq!(
        (manifest.destroyed, manifest.minted_vault),
        (open.destroy, Some(2))
    );
    assert!(evidence.open_purge().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_value_that_names_no_key_of_the_vault_does_not_open() {
    let world = World::new().await;
    run(&world.purge().await).await;
    let keyring = world.stage.keyring();
    let salt = keyring
        .create_salts(&SubjectId::from_random([7; 16]))
        .await
        .unwrap();
    let envelope = keyring.seal_vault(&salt, &PLACE, b"x").await.unwrap();
    let named = |id: &[u8]| [&envelope[..2], &[7], id, &envelope[10..]].concat();
    assert_eq!(named(b"vault#1"), envelope);
    for (id, error) in [
        (b"vault#2", KeyringError::NoKey),
        (b"vault#0", KeyringError::NotOpened),
        (b"vault#x", KeyringError::NotOpened),
        (b"vaults1", KeyringError::NotOpened),
    ] {
        assert_eq!(VaultVersion::of(&named(id)).is_some(), id == b"vault#2");
        let opened = keyring.open_vault(&salt, &PLACE, &named(id)).await;
        assert_eq!(opened.err(), Some(error));
    }
}

#[tokio::test]
async fn a_person_who_is_met_is_sealed_anew_and_nothing_else_of_them_changes() {
    let world = World::new().await;
    let purge = world.purge().await;
    run(&purge).await;
    let phone = Phone::parse("+16135550142").unwrap();
    let identifier = Identifier::Phone(phone.clone());
    let people = world.people(world.stage.keyring()).await;
    let subject = people
        .find_or_create(&[identifier], world.now())
        .await
        .unwrap();
    people.put_reference(&subject, "customer 9").await.unwrap();
    let before = row(&world, &subject).await;
    assert_eq!(versions(&before), [1, 1]);

    world.pass(365 * DAY);
    assert_eq!(run(&purge).await.minted_vault, Some(2));
    let people = world.people(world.stage.keyring()).await;
    let met = people.load(&subject).await.unwrap().unwrap();
    assert_eq!(met.phone, Some(phone.clone()));
    let after = row(&world, &subject).await;
    assert_eq!(versions(&after), [2, 2]);
    let others = |row: &Value| {
        let mut row = row.as_object().unwrap().clone();
        row.retain(|name, _| !["phone", "ref"].contains(&name.as_str()));
        row
    };
    assert_eq!(others(&before), others(&after));

    // Met again, nothing is written, and everything still opens.
    let again = people.load(&subject).await.unwrap().unwrap();
    assert_eq!(
        (again.phone, again.reference.as_deref()),
        (Some(phone), Some("customer 9"))
    );
    assert_eq!(row(&world, &subject).await, after);
}

async fn row(world: &World, subject: &SubjectId) -> Value {
    let table = world.name("HEADGATE_TABLE_SUBJECTS");
    let items = world.stage.cloud().items(table).await.unwrap();
    let pk = format!("S#{subject}");
    let mut rows = items
        .into_iter()
        .filter(|item| item["pk"]["S"] == pk.as_str());
    rows.next().unwrap()
}

fn versions(row: &Value) -> [u32; 2] {
    ["phone", "ref"].map(|field| {
        let sealed = STANDARD.decode(row[field]["B"].as_str().unwrap()).unwrap();
        VaultVersion::of(&sealed).unwrap().number()
    })
}
