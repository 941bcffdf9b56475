//! Checkpoints against the local cloud: a real table, real signatures, a bucket that lets nothing go.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeMap;

use futures_util::future::join_all;
use headgate_aws::checkpoints::Checkpoints;
use headgate_aws::ledger::Ledger;
use headgate_aws::signing::SigningKey;
use headgate_domain::identity::SubjectId;
use headgate_domain::ledger::{
    Audit, Checkpoint, EventType, Fact, PublicKey, SHARDS, consistency_proof, is_consistent, shard,
    subject_commitment, verify_note,
};
use headgate_domain::time::{DAY, HOUR, Timestamp};
use headgate_lambda::settings::Settings;
use headgate_testkit::{Stage, stage};
use ledger_checkpoint::{CheckpointError, LedgerCheckpoint};
use serde_json::json;

struct World {
    stage: Stage,
    environment: BTreeMap<String, String>,
    ledger: Ledger,
    checkpoints: Checkpoints,
}

impl World {
    async fn new() -> Self {
        let stage = stage().await;
        let mut environment = stage.environment("LedgerCheckpointFunction");
        environment.insert("HEADGATE_LEDGER_BUSY_EVENTS".into(), "10".into());
        // Early in the day, so that an hour later it is the same one.
        let calendar = stage.cloud().calendar();
        let until_one = (HOUR - calendar.now_ms().rem_euclid(DAY)).rem_euclid(DAY);
        calendar.set_offset_ms(calendar.offset_ms() + until_one);
        let aws = stage.aws();
        Self {
            ledger: Ledger::new(&aws, &environment["HEADGATE_TABLE_CONSENT_LEDGER"]),
            checkpoints: Checkpoints::new(&aws, &environment["HEADGATE_BUCKET_CHECKPOINTS"]),
            stage,
            environment,
        }
    }

    /// The function as it starts cold.
    async fn function(&self) -> LedgerCheckpoint {
        self.function_of(&self.environment).await
    }

    async fn function_of(&self, environment: &BTreeMap<String, String>) -> LedgerCheckpoint {
        let settings = Settings::from_map(environment.clone());
        LedgerCheckpoint::new(&settings, self.stage.clock())
            .await
            .unwrap()
    }

    /// A function that is shown another table in the ledger's place, and that table.
    async fn deceived(&self) -> (LedgerCheckpoint, Ledger) {
        let mut environment = self.environment.clone();
        let other = self.stage.environment("RetentionPurgeFunction");
        let table = other["HEADGATE_TABLE_EVIDENCE"].clone();
        let ledger = Ledger::new(&self.stage.aws(), &table);
        environment.insert("HEADGATE_TABLE_CONSENT_LEDGER".into(), table);
        (self.function_of(&environment).await, ledger)
    }

    fn later(&self, by: i64) {
        let calendar = self.stage.cloud().calendar();
        calendar.set_offset_ms(calendar.offset_ms() + by);
    }

    async fn key(&self) -> PublicKey {
        let key = &self.environment["HEADGATE_KMS_KEY_LEDGER"];
        SigningKey::new(&self.stage.aws(), key)
            .public_key()
            .await
            .unwrap()
    }

    async fn checkpoint(&self, number: u64) -> Checkpoint {
        let note = self.checkpoints.find(number).await.unwrap().unwrap();
        verify_note(&note, &self.key().await).unwrap()
    }
}

fn person(number: u8) -> SubjectId {
    SubjectId::from_random([number; 16])
}

fn fact(person: &SubjectId, purpose: &str) -> Fact {
    let at = Timestamp::from_seconds(1_795_000_000);
    let commitment = subject_commitment(&[1; 32], person);
    Fact {
        purpose: Some(purpose.to_owned()),
        ..Fact::new(at, EventType::ConsentGiven, commitment, "maple-stage")
    }
}

/// Facts about as many people.
async fn append(ledger: &Ledger, people: std::ops::Range<u8>, purpose: &str) {
    let facts: Vec<_> = people
        .map(person)
        .map(|person| (person.clone(), fact(&person, purpose)))
        .collect();
    ledger.append_all(&facts).await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_comes_once_a_day_and_each_hour_that_is_busy() {
    let world = World::new().await;
    let function = world.function().await;
    let run = async || function.handle(json!({})).await;
    assert_eq!(run().await, Ok(1), "the first, over nothing");
    assert_eq!(run().await, Ok(0));
    append(&world.ledger, 0..9, "marketing").await;
    world.later(HOUR);
    assert_eq!(run().await, Ok(0), "nine are not busy");
    append(&world.ledger, 9..10, "marketing").await;
    assert_eq!(run().await, Ok(1), "ten are");
    assert_eq!(run().await, Ok(0));
    world.later(DAY);
    assert_eq!(run().await, Ok(1), "another day, and nothing new");
    // A cold start finds where it was.
    world.later(DAY);
    append(&world.ledger, 10..12, "marketing").await;
    assert_eq!(world.function().await.handle(json!({})).await, Ok(1));
    let sizes = async |number| world.checkpoint(number).await.tree.size();
    assert_eq!(
        [
            sizes(0).await,
            sizes(1).await,
            sizes(2).await,
            sizes(3).await
        ],
        [0, 10, 10, 12]
    );
    assert_eq!(world.checkpoints.find(4).await.unwrap(), None);
}

#[tokio::test]
async fn checkpoints_are_those_of_the_entries_and_each_tree_begins_the_next() {
    let world = World::new().await;
    let function = world.function().await;
    for round in 0_u8..5 {
        append(&world.ledger, round * 40..round * 40 + 33, "marketing").await;
        world.later(DAY);
        assert_eq!(function.handle(json!({})).await, Ok(1));
    }
    let mut shards = Vec::new();
    for shard in 0..SHARDS {
        shards.push(world.ledger.entries(shard, 0).await.unwrap());
    }
    let (mut audit, mut leaves) = (Audit::default(), Vec::new());
    let mut roots = Vec::new();
    for number in 0..5 {
        let checkpoint = world.checkpoint(number).await;
        for (shard, entries) in (0..SHARDS).zip(&shards) {
            let from = usize::try_from(audit.head(shard).next_seq).unwrap();
            let until = checkpoint.heads[usize::from(shard)].next_seq;
            for entry in &entries[from..usize::try_from(until).unwrap()] {
                audit.take(shard, entry).unwrap();
                leaves.push(entry.leaf);
            }
        }
        audit.close(&checkpoint).unwrap();
        roots.push((checkpoint.tree.size(), checkpoint.tree.root()));
    }
    assert_eq!(roots.last().unwrap().0, 165);
    for pair in roots.windows(2) {
        let ((old, of_old), (new, of_new)) = (pair[0], pair[1]);
        let tree = &leaves[..usize::try_from(new).unwrap()];
        let proof = consistency_proof(tree, usize::try_from(old).unwrap()).unwrap();
        assert!(is_consistent((old, &of_old), (new, &of_new), &proof));
    }
}

#[tokio::test]
async fn a_ledger_that_went_back_or_aside_gets_no_checkpoint_and_the_place_is_named() {
    let world = World::new().await;
    append(&world.ledger, 0..20, "marketing").await;
    world.function().await.handle(json!({})).await.unwrap();
    let refused = async |function: &LedgerCheckpoint| {
        world.later(DAY);
        match function.handle(json!({})).await {
            Err(CheckpointError::Broken(broken)) => broken.to_string(),
            other => format!("{other:?}"),
        }
    };
    let first = (0..SHARDS).find(|shard| entries_of(*shard) > 0).unwrap();
    // Nothing is left of it.
    let (function, other) = world.deceived().await;
    assert_eq!(
        refused(&function).await,
        format!("the ledger is broken at L{first:x}.0: the entries do not end at the head")
    );
    // As many entries, and other ones.
    append(&other, 0..20, "utility").await;
    assert!(refused(&function).await.contains("do not end at the head"));
    // The same people again, in every shard: the first new entry hangs on another history.
    append(&other, 0..20, "utility").await;
    let found = refused(&function).await;
    assert!(
        found.ends_with("the entry does not follow the one before"),
        "{found}"
    );
    assert_eq!(world.checkpoints.find(1).await.unwrap(), None);
    // The genuine one goes on.
    assert_eq!(world.function().await.handle(json!({})).await, Ok(1));
}

/// How many entries a shard has after people 0 to 19.
fn entries_of(place: u8) -> usize {
    (0..20)
        .filter(|number| shard(&person(*number)) == place)
        .count()
}

#[tokio::test]
async fn two_runs_at_once_make_one_checkpoint() {
    let world = World::new().await;
    append(&world.ledger, 0..20, "marketing").await;
    let (one, other) = (world.function().await, world.function().await);
    let runs = [
        Box::pin(one.handle(json!({}))),
        Box::pin(other.handle(json!({}))),
    ];
    let made: usize = join_all(runs).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(made, 1);
    assert_eq!(world.checkpoints.find(1).await.unwrap(), None);
    // The one that came too late goes on behind the other's.
    world.later(DAY);
    assert_eq!(one.handle(json!({})).await, Ok(1));
    world.later(DAY);
    assert_eq!(other.handle(json!({})).await, Ok(1));
    assert_eq!(world.checkpoint(2).await.number, 2);
}

#[tokio::test]
async fn what_another_key_signed_is_not_gone_on_from() {
    let world = World::new().await;
    let forged =
        Audit::default().checkpoint("headgate/ledger/maple-stage", Timestamp::from_millis(0));
    let note = headgate_domain::ledger::note(&forged, &world.key().await, &[0; 70]);
    assert!(world.checkpoints.put(0, &note).await.unwrap());
    let refused = world.function().await.handle(json!({})).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "checkpoint 0, the newest: its signature does not hold"
    );
    // And it cannot be replaced either.
    assert!(!world.checkpoints.put(0, "another").await.unwrap());
}

#[tokio::test]
async fn the_newest_is_found_among_any_number() {
    let world = World::new().await;
    assert_eq!(world.checkpoints.newest(0).await.unwrap(), None);
    for number in 0..20 {
        assert!(
            world
                .checkpoints
                .put(number, &number.to_string())
                .await
                .unwrap()
        );
        for known in [0, number / 2, number] {
            let newest = world.checkpoints.newest(known).await.unwrap();
            assert_eq!(newest, Some((number, number.to_string())), "from {known}");
        }
    }
}
