//! The ledger as it is stored: blocks, and writers that race.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    reason = "tests may fail loudly"
)]

use std::collections::BTreeSet;

use futures_util::future::join_all;
use headgate_aws::ledger::{BLOCK, Ledger};
use headgate_domain::identity::SubjectId;
use headgate_domain::ledger::{
    EventType, Fact, Head, SHARDS, shard, subject_commitment, verify_from,
};
use headgate_domain::time::Timestamp;
use headgate_testkit::{Stage, stage};

fn subject(number: u32) -> SubjectId {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    SubjectId::from_random(bytes)
}

/// A fact that can be told from all others by its method.
fn fact(subject: &SubjectId, method: &str) -> Fact {
    let at = Timestamp::from_seconds(1_795_000_000);
    let commitment = subject_commitment(&[1; 32], subject);
    Fact {
        method: Some(method.to_owned()),
        ..Fact::new(at, EventType::ConsentGiven, commitment, "maple-stage")
    }
}

/// A writer with nothing in memory of what others wrote.
fn writer(stage: &Stage) -> Ledger {
    let environment = stage.environment("IntakeFunction");
    Ledger::new(&stage.aws(), &environment["HEADGATE_TABLE_CONSENT_LEDGER"])
}

/// The verified events of a shard, and that its head says the same.
async fn events(ledger: &Ledger, shard: u8) -> Vec<String> {
    let (mut head, mut events) = (Head::GENESIS, Vec::new());
    loop {
        let page = ledger.entries(shard, head.next_seq).await.unwrap();
        if page.is_empty() {
            break;
        }
        head = verify_from(shard, head, &page).unwrap();
        events.extend(page.into_iter().map(|entry| entry.event));
    }
    assert_eq!(ledger.heads().await.unwrap()[usize::from(shard)], head);
    events
}

#[tokio::test]
async fn a_block_of_facts_is_appended_in_its_order_and_each_has_its_id() {
    let stage = stage().await;
    let ledger = writer(&stage);
    let facts: Vec<_> = (0..2_000)
        .map(|number| {
            let subject = subject(number);
            let fact = fact(&subject, &format!("m{number}"));
            (subject, fact)
        })
        .collect();
    let ids = ledger.append_all(&facts).await.unwrap();
    assert_eq!(ids.len(), facts.len());
    let mut stored = Vec::new();
    for shard in 0..SHARDS {
        stored.push(events(&ledger, shard).await);
    }
    assert_eq!(stored.iter().map(Vec::len).sum::<usize>(), facts.len());
    let mut last = [None; SHARDS as usize];
    for (id, (subject, fact)) in ids.iter().zip(&facts) {
        let shard = usize::from(shard(subject));
        let (named, seq) = id.strip_prefix('L').unwrap().split_once('.').unwrap();
        assert_eq!(named, format!("{shard:x}"));
        let seq: usize = seq.parse().unwrap();
        let method = format!("\"method\":\"{}\"", fact.method.as_ref().unwrap());
        assert!(stored[shard][seq].contains(&method), "{id}");
        assert!(last[shard] < Some(seq), "facts of a shard keep their order");
        last[shard] = Some(seq);
    }
}

#[tokio::test]
async fn a_block_is_of_a_size_a_transaction_takes() {
    let stage = stage().await;
    let ledger = writer(&stage);
    let subject = subject(1);
    let one = fact(&subject, "m");
    let shard = shard(&subject);
    let block = |size: usize| vec![&one; size];
    assert!(ledger.append_block(shard, &block(0)).await.is_err());
    assert!(ledger.append_block(shard, &block(BLOCK + 1)).await.is_err());
    assert!(ledger.append_block(SHARDS, &block(1)).await.is_err());
    assert_eq!(ledger.append_block(shard, &block(BLOCK)).await, Ok(0));
    assert_eq!(ledger.append_block(shard, &block(1)).await, Ok(99));
    assert_eq!(events(&ledger, shard).await.len(), BLOCK + 1);
}

#[tokio::test]
async fn writers_that_race_neither_fork_nor_lose() {
    let stage = stage().await;
    let person = subject(1);
    let place = shard(&person);
    // Each has its own idea of the head, and all of them write to one shard.
    let writers: Vec<Ledger> = (0..3).map(|_| writer(&stage)).collect();
    let (person, turns) = (&person, 12);
    let races = writers.iter().enumerate().map(async |(name, ledger)| {
        for turn in 0..turns {
            let single = fact(person, &format!("w{name}.{turn}"));
            let id = ledger.append(person, &single).await.unwrap();
            assert!(id.starts_with(&format!("L{place:x}.")));
            let facts: Vec<Fact> = (0..3)
                .map(|n| fact(person, &format!("w{name}.{turn}.{n}")))
                .collect();
            let block: Vec<&Fact> = facts.iter().collect();
            ledger.append_block(place, &block).await.unwrap();
        }
    });
    join_all(races).await;
    let events = events(&writers[0], place).await;
    assert_eq!(events.len(), 3 * turns * 4, "nothing is there twice");
    let methods: BTreeSet<&str> = events
        .iter()
        .map(|event| event.split("\"method\":\"").nth(1).unwrap())
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(methods.len(), events.len(), "nothing is lost");
    // A block stands together, whoever wrote between.
    for name in 0..3 {
        for turn in 0..turns {
            let at = |n: usize| {
                let method = format!("\"method\":\"w{name}.{turn}.{n}\"");
                events
                    .iter()
                    .position(|event| event.contains(&method))
                    .unwrap()
            };
            assert_eq!([at(1), at(2)], [at(0) + 1, at(0) + 2]);
        }
    }
}
