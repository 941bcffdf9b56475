//! `cargo bench -p headgate-benches --bench ledger`: how fast facts are appended, against the local cloud.
//!
//! Verification and proofs are `cargo bench -p ledger-audit`; docs/benchmarks-ledger.md has the figures of both.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench may fail loudly, and says what it measured"
)]

use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream;
use headgate_aws::ledger::Ledger;
use headgate_benches::machine;
use headgate_domain::identity::SubjectId;
use headgate_domain::ledger::{
    EventType, Fact, Head, SHARDS, evidence_commitment, notice_hash, subject_commitment,
    verify_from,
};
use headgate_domain::time::Timestamp;

const SINGLE: u32 = 2_000;
const IN_BLOCKS: u32 = 20_000;
/// What one environment has under way at once: a batch of the consents queue.
const AT_ONCE: usize = 10;

fn fact(number: u32) -> (SubjectId, Fact) {
    let mut bytes = [9; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    let person = SubjectId::from_random(bytes);
    let at = Timestamp::from_seconds(1_795_000_000);
    let commitment = subject_commitment(&[1; 32], &person);
    let mut fact = Fact::new(at, EventType::ConsentRequested, commitment, "maple-stage");
    fact.purpose = Some("marketing".into());
    fact.method = Some("import".into());
    fact.notice = Some(notice_hash("wording"));
    fact.evidence = Some(evidence_commitment(&[1; 32], b"row"));
    (person, fact)
}

#[tokio::main]
async fn main() {
    let stage = headgate_testkit::stage().await;
    let environment = stage.environment("IntakeFunction");
    let ledger = Ledger::new(&stage.aws(), &environment["HEADGATE_TABLE_CONSENT_LEDGER"]);
    println!("machine: {}", machine::name());

    let facts: Vec<_> = (0..SINGLE).map(fact).collect();
    let begun = Instant::now();
    let mut ids = stream::iter(&facts)
        .map(|(person, fact)| ledger.append(person, fact))
        .buffer_unordered(AT_ONCE);
    while let Some(id) = ids.next().await {
        id.unwrap();
    }
    let single = f64::from(SINGLE) / begun.elapsed().as_secs_f64();
    println!("single appends, {AT_ONCE} under way at once: {single:.0}/s of {SINGLE}");

    let facts: Vec<_> = (SINGLE..SINGLE + IN_BLOCKS).map(fact).collect();
    let begun = Instant::now();
    let ids = ledger.append_all(&facts).await.unwrap();
    let in_blocks = f64::from(IN_BLOCKS) / begun.elapsed().as_secs_f64();
    println!("events in blocks: {in_blocks:.0}/s of {}", ids.len());

    let mut stored = 0;
    for shard in 0..SHARDS {
        let mut head = Head::GENESIS;
        loop {
            let page = ledger.entries(shard, head.next_seq).await.unwrap();
            if page.is_empty() {
                break;
            }
            stored += page.len();
            head = verify_from(shard, head, &page).unwrap();
        }
        assert_eq!(ledger.heads().await.unwrap()[usize::from(shard)], head);
    }
    assert_eq!(
        stored,
        (SINGLE + IN_BLOCKS) as usize,
        "all of them, and each once"
    );
    assert!(
        single >= 200.0 && in_blocks >= 2_000.0,
        "slower than promised"
    );
}
