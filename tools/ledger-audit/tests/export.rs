//! An export as an auditor has it on disk: it verifies, and what is done to its files is found with the place.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::semicolon_if_nothing_returned,
    missing_docs,
    reason = "tests may fail loudly"
)]

use std::fs;
use std::path::Path;

use headgate_domain::identity::SubjectId;
use headgate_domain::ledger::{
    Audit, EventType, Fact, HEADS, Head, PublicKey, Terms, note, subject_commitment,
};
use headgate_domain::time::Timestamp;
use ledger_audit::{
    Export, Given, Proof, ProofError, prove_consistency, prove_inclusion, receipt, verify,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use tempfile::TempDir;

/// The DER of a key on P-256 before its point.
const PREFIX: [u8; 26] = [
    48, 89, 48, 19, 6, 7, 42, 134, 72, 206, 61, 2, 1, 6, 8, 42, 134, 72, 206, 61, 3, 1, 7, 3, 66, 0,
];

/// Three rounds of three entries in shards 3 and c; a checkpoint after the first two.
fn exported() -> (TempDir, Export, PublicKey) {
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
    let der = [&PREFIX[..], pair.public_key().as_ref()].concat();
    let key = PublicKey::from_der(&der).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let export = Export::at(folder.path());
    export.create().unwrap();
    let mut files: Vec<fs::File> = (0..16)
        .map(|shard| export.shard_file(shard).unwrap())
        .collect();
    let mut heads = [Head::GENESIS; HEADS];
    let mut audit = Audit::default();
    let subject = subject_commitment(&[1; 32], &SubjectId::from_random([1; 16]));
    let terms = Terms::of_deployment("t_demo", "eu-west-1");
    for round in 0_u64..3 {
        let at = Timestamp::from_seconds(1_795_000_000 + i64::try_from(round).unwrap());
        for shard in [3_u8, 12] {
            for _ in 0..3 {
                let mut fact = Fact::new(at, EventType::ConsentGiven, subject.clone(), "t_demo");
                fact.purpose = Some("marketing".to_owned());
                let head = &mut heads[usize::from(shard)];
                let entry = head.append(shard, &fact, &terms).unwrap();
                *head = entry.head();
                audit.take(shard, &entry).unwrap();
                Export::write_entry(shard, &mut files[usize::from(shard)], &entry).unwrap();
            }
        }
        if round < 2 {
            let checkpoint = audit.checkpoint("headgate/ledger/t_demo", at);
            let text = checkpoint.text();
            let signature = pair.sign(&random, text.as_bytes()).unwrap();
            let signed = note(&checkpoint, &key, signature.as_ref());
            export.write_note(round, &signed).unwrap();
            audit.close(&checkpoint).unwrap();
        }
    }
    export.write_heads(&heads).unwrap();
    export.write_key(&key).unwrap();
    (folder, export, key)
}

fn found(export: &Export, given: &Given) -> (String, Option<String>) {
    let finding = verify(export, given, |_taken| {}).unwrap_err();
    (finding.to_string(), finding.place())
}

#[test]
fn an_export_verifies_with_its_own_key_and_with_the_auditors() {
    let (_folder, export, key) = exported();
    let mut seen = 0;
    let report = verify(&export, &Given::default(), |taken| seen += taken).unwrap();
    assert_eq!(
        (report.events, report.covered, report.checkpoints, seen),
        (18, 12, 2, 18)
    );
    assert_eq!(report.origin.as_deref(), Some("headgate/ledger/t_demo"));
    let given = Given {
        key: Some(key),
        kept: Some(export.notes().unwrap()[0].clone()),
        deployment: Some("t_demo".to_owned()),
    };
    assert_eq!(verify(&export, &given, |_taken| {}).unwrap(), report);
    let other = Given {
        deployment: Some("t_other".to_owned()),
        ..Given::default()
    };
    assert_eq!(
        found(&export, &other).0,
        "checkpoint 0 is of another ledger"
    );
    assert!(export.create().is_err(), "an export is not written over");
}

type Deed = fn(&Path);

/// Changes a file of an export.
fn edit(folder: &Path, name: &str, change: impl Fn(&str) -> String) {
    let path = folder.join(name);
    fs::write(&path, change(&fs::read_to_string(&path).unwrap())).unwrap();
}

fn lines(text: &str, order: &[usize]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    order
        .iter()
        .map(|line| lines[*line])
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn what_is_done_to_the_files_is_found_with_the_place() {
    let deeds: &[(&str, Deed, &str, Option<&str>)] = &[
        (
            "an event is edited",
            |folder| {
                edit(folder, "shard-3.jsonl", |text| {
                    text.replacen("marketing", "utility", 1)
                })
            },
            "the ledger is broken at L3.0: the event does not match its hash",
            Some("L3.0"),
        ),
        (
            "two lines change places",
            |folder| {
                edit(folder, "shard-c.jsonl", |text| {
                    lines(text, &[0, 1, 3, 2, 4, 5, 6, 7, 8])
                })
            },
            "the ledger is broken at Lc.2: another entry stands here",
            Some("Lc.2"),
        ),
        (
            "a line is dropped",
            |folder| {
                edit(folder, "shard-c.jsonl", |text| {
                    lines(text, &[0, 1, 2, 3, 5, 6, 7, 8])
                })
            },
            "the ledger is broken at Lc.4: another entry stands here",
            Some("Lc.4"),
        ),
        (
            "a line is there twice",
            |folder| {
                edit(folder, "shard-3.jsonl", |text| {
                    lines(text, &[0, 1, 1, 2, 3, 4, 5, 6, 7, 8])
                })
            },
            "the ledger is broken at L3.2: another entry stands here",
            Some("L3.2"),
        ),
        (
            "the end is dropped",
            |folder| {
                edit(folder, "shard-3.jsonl", |text| {
                    lines(text, &[0, 1, 2, 3, 4, 5, 6])
                })
            },
            "the ledger is broken at L3.7: the entries do not end at the head",
            Some("L3.7"),
        ),
        (
            "a line is none",
            |folder| {
                edit(folder, "shard-3.jsonl", |text| {
                    text.replacen("\"seq\":1,", "\"seq\":one,", 1)
                })
            },
            "the ledger is broken at L3.1: the line is not an entry",
            Some("L3.1"),
        ),
        (
            "a shard is gone",
            |folder| fs::remove_file(folder.join("shard-3.jsonl")).unwrap(),
            "shard-3.jsonl: entity not found",
            None,
        ),
        (
            "a checkpoint is edited",
            |folder| {
                edit(folder, "checkpoints/000000000001.note", |text| {
                    text.replace("time 2026", "time 2027")
                })
            },
            "checkpoint 1: its signature does not hold",
            Some("checkpoint 1"),
        ),
        (
            "a checkpoint is dropped, and the next stands in its place",
            |folder| {
                let at = |number: u8| folder.join(format!("checkpoints/00000000000{number}.note"));
                fs::rename(at(1), at(0)).unwrap();
            },
            "checkpoint 0 is due, and number 1 stands here",
            Some("checkpoint 0"),
        ),
        (
            "a checkpoint is missing among others",
            |folder| fs::remove_file(folder.join("checkpoints/000000000000.note")).unwrap(),
            "checkpoints/000000000000.note: entity not found",
            None,
        ),
        (
            "the heads are not those of the entries",
            |folder| {
                edit(folder, "heads.json", |text| {
                    text.replacen("\"next_seq\": 9", "\"next_seq\": 8", 1)
                })
            },
            "the ledger is broken at L3.8: the entries do not end at the head",
            Some("L3.8"),
        ),
        (
            "the heads are none",
            |folder| edit(folder, "heads.json", |_text| "[]".to_owned()),
            "heads.json: it must have the 16 heads, shard 0 to f",
            None,
        ),
        (
            "the key is another",
            |folder| {
                let (_other, export, _key) = exported();
                Export::at(folder)
                    .write_key(&export.key().unwrap())
                    .unwrap();
            },
            "checkpoint 0: no signature on it is by the key",
            Some("checkpoint 0"),
        ),
    ];
    for (deed, act, finding, place) in deeds {
        let (folder, export, _key) = exported();
        act(folder.path());
        let expected = ((*finding).to_owned(), place.map(str::to_owned));
        assert_eq!(found(&export, &Given::default()), expected, "{deed}");
    }
}

#[test]
fn a_ledger_that_was_rolled_back_or_has_two_histories_is_found_by_a_kept_checkpoint() {
    let (folder, export, _key) = exported();
    let kept = Given {
        kept: Some(export.notes().unwrap()[1].clone()),
        ..Given::default()
    };
    // Everything after the first checkpoint is taken away, so that what is left holds.
    fs::remove_file(folder.path().join("checkpoints/000000000001.note")).unwrap();
    for shard in ["shard-3.jsonl", "shard-c.jsonl"] {
        edit(folder.path(), shard, |text| lines(text, &[0, 1, 2]));
    }
    let mut heads = export.heads().unwrap();
    let (_other, genuine, _key) = exported();
    for shard in [3, 12] {
        let first =
            fs::read_to_string(folder.path().join(format!("shard-{shard:x}.jsonl"))).unwrap();
        let last = first.lines().last().unwrap().to_owned();
        let line: ledger_audit::Line = serde_json::from_str(&last).unwrap();
        heads[shard].next_seq = 3;
        heads[shard].chain = headgate_domain::ledger::Hash::parse(&line.chain).unwrap();
    }
    export.write_heads(&heads).unwrap();
    assert_eq!(
        verify(&export, &Given::default(), |_taken| {})
            .unwrap()
            .events,
        6
    );
    assert_eq!(
        found(&export, &kept).0,
        "the ledger was rolled back: checkpoint 1, which you kept, is not among the 1 there are"
    );
    // Kept from another ledger altogether: by another key.
    assert_eq!(
        found(&genuine, &kept).0,
        "the checkpoint you kept: no signature on it is by the key"
    );
}

#[test]
fn proofs_hold_by_the_key_alone_and_bent_ones_do_not() {
    let (_folder, export, key) = exported();
    let given = Given::default();
    for (id, number, index) in [
        ("L3.0", Some(0), 0),
        ("Lc.2", Some(0), 5),
        ("Lc.2", None, 5),
        ("L3.3", None, 6),
        ("Lc.5", Some(1), 11),
    ] {
        let proof = prove_inclusion(&export, &given, id, number).unwrap();
        let stored = serde_json::to_string(&proof).unwrap();
        let read: Proof = serde_json::from_str(&stored).unwrap();
        let checkpoint = read.check(&key).unwrap();
        assert_eq!(checkpoint.number, number.unwrap_or(1));
        assert!(
            stored.contains(&format!("\\\"id\\\":\\\"{id}\\\"")),
            "{stored}"
        );
        assert!(stored.contains(&format!("\"index\":{index},")), "{stored}");
        let edited = stored.replace("marketing", "utility");
        let edited: Proof = serde_json::from_str(&edited).unwrap();
        assert_eq!(edited.check(&key), Err(ProofError::Root));
        let moved = stored.replace(&format!("\"index\":{index},"), "\"index\":1,");
        let moved: Proof = serde_json::from_str(&moved).unwrap();
        assert_eq!(moved.check(&key), Err(ProofError::Root));
    }
    for (id, number) in [
        ("L3.3", Some(0)),
        ("L3.6", None),
        ("L0.0", None),
        ("L3.x", None),
        ("Lg.0", None),
    ] {
        assert!(
            prove_inclusion(&export, &given, id, number).is_err(),
            "{id}"
        );
    }
    let proof = prove_consistency(&export, &given, (0, 1)).unwrap();
    assert_eq!(proof.check(&key).unwrap().number, 1);
    let Proof::Consistency { older, newer, path } = proof else {
        unreachable!("it is the one asked for")
    };
    let swapped = Proof::Consistency {
        older: newer,
        newer: older,
        path,
    };
    assert_eq!(swapped.check(&key), Err(ProofError::Root));
    assert!(prove_consistency(&export, &given, (0, 2)).is_err());
    let (_other, _export, other) = exported();
    assert!(swapped.check(&other).is_err());
}

#[test]
fn a_receipt_says_an_event_in_the_words_of_the_standard_and_carries_its_proof() {
    let (_folder, export, key) = exported();
    let proof = prove_inclusion(&export, &Given::default(), "L3.0", None).unwrap();
    let made = receipt(&proof).unwrap();
    for (field, value) in [
        ("schema", "headgate.receipt/1"),
        ("receipt_id", "L3.0"),
        ("record_id", "L3.0"),
        ("purpose", "marketing"),
        ("lawful_basis", "consent"),
        ("pii_controller", "t_demo"),
        ("retention_period", "consent_ledger_event"),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert_eq!(made["schema_version"], 2);
    assert_eq!(made["event"]["event_state"], "consent.given");
    assert_eq!(made["event"]["entity_id"], "subject");
    assert!(
        made["pii_principal_id"]
            .as_str()
            .unwrap()
            .starts_with("c1:")
    );
    // Every field of the event is in it under one name or the other, but for its places.
    let Proof::Inclusion { event, .. } = &proof else {
        unreachable!("it is the one asked for")
    };
    let event: serde_json::Map<String, serde_json::Value> = serde_json::from_str(event).unwrap();
    let said = made.as_object().unwrap().len() + made["event"].as_object().unwrap().len();
    // Said besides: the schema, the receipt's id, the event's frame and the proof. Unsaid: seq, tenant.
    assert_eq!(said - 4, event.len() - 2);
    let inside: Proof = serde_json::from_value(made["proof"].clone()).unwrap();
    assert!(inside.check(&key).is_ok());
    let other = prove_consistency(&export, &Given::default(), (0, 1)).unwrap();
    assert_eq!(receipt(&other), None);
}
