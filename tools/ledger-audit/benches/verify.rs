//! `cargo bench -p ledger-audit`: how fast a ledger is verified on one core, and how large proofs are.
//!
//! Counted in seconds of the thread's processor, so that what else runs on the machine is not in it.
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

use std::io::{BufWriter, Write as _};
use std::time::Duration;

use headgate_domain::identity::SubjectId;
use headgate_domain::ledger::{
    Audit, Entry, EventType, Fact, HEADS, Hash, Head, PublicKey, SHARDS, Terms, consistency_proof,
    evidence_commitment, inclusion_proof, note, notice_hash, subject_commitment,
};
use headgate_domain::time::Timestamp;
use ledger_audit::{Export, Given, verify};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

const EVENTS: u64 = 1_000_000;
const ROUNDS: usize = 3;
const PREFIX: [u8; 26] = [
    48, 89, 48, 19, 6, 7, 42, 134, 72, 206, 61, 2, 1, 6, 8, 42, 134, 72, 206, 61, 3, 1, 7, 3, 66, 0,
];

/// Shards of events as they are written: a yes by a form, with wording and evidence.
fn ledger() -> Vec<Vec<Entry>> {
    let terms = Terms::of_deployment("maple", "ca-central-1");
    let person = SubjectId::from_random([1; 16]);
    let mut fact = Fact::new(
        Timestamp::from_seconds(1_795_000_000),
        EventType::ConsentGiven,
        subject_commitment(&[1; 32], &person),
        "maple",
    );
    fact.purpose = Some("marketing".into());
    fact.method = Some("web_checkbox".into());
    fact.locale = Some("fr-CA".into());
    fact.notice = Some(notice_hash("wording"));
    fact.evidence = Some(evidence_commitment(&[1; 32], b"evidence"));
    (0..SHARDS)
        .map(|shard| {
            let mut head = Head::GENESIS;
            (0..EVENTS / u64::from(SHARDS))
                .map(|_| {
                    let entry = head.append(shard, &fact, &terms).unwrap();
                    head = entry.head();
                    entry
                })
                .collect()
        })
        .collect()
}

/// How long this thread has had a processor.
fn thread_cpu() -> Duration {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let word = schedstat.split_whitespace().next().unwrap();
    Duration::from_nanos(word.parse().unwrap())
}

/// The best of a few rounds, in events a second of the processor.
fn best(mut round: impl FnMut()) -> f64 {
    (0..ROUNDS)
        .map(|_| {
            let begun = thread_cpu();
            round();
            EVENTS as f64 / thread_cpu().saturating_sub(begun).as_secs_f64()
        })
        .fold(0.0, f64::max)
}

fn main() {
    let shards = ledger();
    let bytes = shards[0][0].event.len();
    println!("an event: {bytes} bytes; {EVENTS} events in 16 shards; one thread; best of {ROUNDS}");
    let in_memory = best(|| {
        let mut audit = Audit::default();
        for (shard, entries) in (0..SHARDS).zip(&shards) {
            for entry in entries {
                audit.take(shard, entry).unwrap();
            }
        }
        assert_eq!(audit.size(), EVENTS);
    });
    println!("verified in memory, chain and tree: {in_memory:.0} events/s");

    let folder = tempfile::tempdir().unwrap();
    let export = exported(folder.path(), &shards);
    let from_files = best(|| {
        let report = verify(&export, &Given::default(), |_taken| {}).unwrap();
        assert_eq!((report.events, report.covered), (EVENTS, EVENTS));
    });
    println!(
        "verified from an export's files, as `headgate ledger verify` does: {from_files:.0} events/s"
    );

    let leaves: Vec<Hash> = shards.iter().flatten().map(|entry| entry.leaf).collect();
    for size in [1_000, 100_000, 1_000_000] {
        let tree = &leaves[..size];
        let inclusion = inclusion_proof(tree, size / 3).unwrap().len();
        let consistency = consistency_proof(tree, size / 3).unwrap().len();
        println!(
            "proofs in {size} events: inclusion {inclusion} hashes, consistency {consistency} hashes of 32 bytes"
        );
    }
    assert!(in_memory >= 200_000.0, "slower than promised");
}

fn exported(folder: &std::path::Path, shards: &[Vec<Entry>]) -> Export {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let key = PublicKey::from_der(&[&PREFIX[..], pair.public_key().as_ref()].concat()).unwrap();
    let export = Export::at(folder);
    export.create().unwrap();
    let (mut audit, mut heads) = (Audit::default(), [Head::GENESIS; HEADS]);
    for (shard, entries) in (0..SHARDS).zip(shards) {
        let mut file = BufWriter::new(export.shard_file(shard).unwrap());
        for entry in entries {
            audit.take(shard, entry).unwrap();
            Export::write_entry(shard, &mut file, entry).unwrap();
        }
        file.flush().unwrap();
        heads[usize::from(shard)] = audit.head(shard);
    }
    let checkpoint = audit.checkpoint("headgate/ledger/maple", Timestamp::from_millis(0));
    let signature = pair.sign(&random, checkpoint.text().as_bytes()).unwrap();
    let signed = note(&checkpoint, &key, signature.as_ref());
    println!("a checkpoint over {EVENTS} events: {} bytes", signed.len());
    export.write_note(0, &signed).unwrap();
    export.write_heads(&heads).unwrap();
    export.write_key(&key).unwrap();
    export
}
