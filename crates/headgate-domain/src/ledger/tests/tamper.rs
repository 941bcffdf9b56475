//! Whatever is done to a ledger and its checkpoints is found, with the place.

use super::*;
use crate::note::signer::Signer;

impl Signer {
    fn note(&self, checkpoint: &Checkpoint) -> String {
        note(checkpoint, &self.key(), &self.sign(&checkpoint.text()))
    }
}

/// A ledger as an auditor gets it.
#[derive(Clone)]
struct Export {
    shards: Vec<Vec<Entry>>,
    heads: [Head; HEADS],
    notes: Vec<String>,
}

const ORIGIN: &str = "headgate/ledger/t_demo";
/// The shards that have entries.
const FIRST: u8 = 3;
const SECOND: u8 = 0xc;

/// Two shards with three entries in each of three rounds; a checkpoint after the first two.
fn genuine(signer: &Signer) -> Export {
    let mut export = Export {
        shards: vec![Vec::new(); HEADS],
        heads: [Head::GENESIS; HEADS],
        notes: Vec::new(),
    };
    let mut audit = Audit::default();
    for round in 0_i64..3 {
        for shard in [FIRST, SECOND] {
            for minute in 0..3 {
                let time = Timestamp::from_seconds(1_795_000_000 + round * 3_600 + minute * 60);
                let mut fact = Fact::new(time, EventType::ConsentGiven, subject(), "t_demo");
                fact.purpose = Some("marketing".into());
                let head = &mut export.heads[usize::from(shard)];
                let entry = head.append(shard, &fact, &terms()).unwrap();
                *head = entry.head();
                audit.take(shard, &entry).unwrap();
                export.shards[usize::from(shard)].push(entry);
            }
        }
        if round < 2 {
            let time = Timestamp::from_seconds(1_795_003_600 + round * 3_600);
            let checkpoint = audit.checkpoint(ORIGIN, time);
            export.notes.push(signer.note(&checkpoint));
            audit.close(&checkpoint).unwrap();
        }
    }
    export
}

/// What an auditor does; what they find is said as they would say it.
fn examine(export: &Export, key: &PublicKey, kept: Option<&str>) -> Result<u64, String> {
    let mut audit = Audit::default();
    let mut rest: Vec<&[Entry]> = export.shards.iter().map(Vec::as_slice).collect();
    for (place, note) in export.notes.iter().enumerate() {
        let checkpoint = verify_note(note, key).map_err(|e| format!("checkpoint {place}: {e}"))?;
        audit.expects(&checkpoint).map_err(|e| e.to_string())?;
        for (shard, until) in (0..SHARDS).zip(&checkpoint.heads) {
            take(&mut audit, shard, &mut rest, until.next_seq)?;
            audit.reached(shard, until).map_err(|e| e.to_string())?;
        }
        audit.close(&checkpoint).map_err(|e| e.to_string())?;
    }
    for (shard, head) in (0..SHARDS).zip(&export.heads) {
        take(&mut audit, shard, &mut rest, u64::MAX)?;
        audit.reached(shard, head).map_err(|e| e.to_string())?;
        if audit.head(shard) != *head {
            return Err(format!("shard {shard:x} does not end at its head"));
        }
    }
    if let Some(kept) = kept {
        let kept = verify_note(kept, key).map_err(|e| format!("the kept one: {e}"))?;
        let found = export.notes.get(usize::try_from(kept.number).unwrap());
        let found = found.ok_or("the kept checkpoint is missing")?;
        if verify_note(found, key).unwrap() != kept {
            return Err(format!("checkpoint {} is not the kept one", kept.number));
        }
    }
    Ok(audit.size())
}

fn take(audit: &mut Audit, shard: u8, rest: &mut [&[Entry]], until: u64) -> Result<(), String> {
    let rest = &mut rest[usize::from(shard)];
    while audit.head(shard).next_seq < until
        && let Some((entry, after)) = rest.split_first()
    {
        audit.take(shard, entry).map_err(|e| e.to_string())?;
        *rest = after;
    }
    Ok(())
}

/// Writes a shard anew from a place on, as somebody would who may write the table.
fn rewrite(export: &mut Export, shard: u8, from: usize) {
    let entries = &mut export.shards[usize::from(shard)];
    let mut head = entries[..from].last().map_or(Head::GENESIS, Entry::head);
    for entry in &mut entries[from..] {
        // What stands at another place says so, in its text too.
        let mut event: Value = serde_json::from_str(&entry.event).unwrap();
        event["seq"] = json!(head.next_seq);
        event["id"] = json!(event_id(shard, head.next_seq));
        *entry = head.link(canonical(&event).unwrap());
        head = entry.head();
    }
    export.heads[usize::from(shard)] = head;
}

type Deed = fn(&mut Export, &Signer);

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn each_deed_is_found_with_its_place() {
    const A: usize = FIRST as usize;
    const B: usize = SECOND as usize;
    let signer = Signer::new();
    let key = signer.key();
    let export = genuine(&signer);
    assert_eq!(examine(&export, &key, None), Ok(18));
    let deeds: &[(&str, Deed, &str)] = &[
        (
            "two entries change places",
            |export, _| export.shards[A].swap(1, 2),
            "the ledger is broken at L3.1: another entry stands here",
        ),
        (
            "two entries change places and numbers",
            |export, _| {
                export.shards[A].swap(1, 2);
                export.shards[A][1].seq = 1;
                export.shards[A][2].seq = 2;
            },
            "the ledger is broken at L3.1: the entry does not follow the one before",
        ),
        (
            "two entries change places, and everything behind them is written anew",
            |export, _| {
                export.shards[A].swap(1, 2);
                rewrite(export, FIRST, 1);
            },
            "shard 3 was rewritten between L3.0 and L3.2: its entries are not those of checkpoint 0",
        ),
        (
            "an entry is dropped",
            |export, _| drop(export.shards[B].remove(4)),
            "the ledger is broken at Lc.4: another entry stands here",
        ),
        (
            "an entry is dropped, and everything behind it is written anew",
            |export, _| {
                export.shards[B].remove(4);
                rewrite(export, SECOND, 4);
            },
            "shard c was rewritten between Lc.3 and Lc.5: its entries are not those of checkpoint 1",
        ),
        (
            "an event is edited",
            |export, _| {
                let event = &mut export.shards[B][5].event;
                *event = event.replace("marketing", "utility");
            },
            "the ledger is broken at Lc.5: the event does not match its hash",
        ),
        (
            "an event is edited, and its own hashes are redone",
            |export, _| {
                let edited = export.shards[B][5].event.replace("marketing", "utility");
                export.shards[B][5] = export.shards[B][4].head().link(edited);
            },
            "shard c was rewritten between Lc.3 and Lc.5: its entries are not those of checkpoint 1",
        ),
        (
            "an event behind the last checkpoint is edited, and its own hashes are redone",
            |export, _| {
                let edited = export.shards[B][7].event.replace("marketing", "utility");
                export.shards[B][7] = export.shards[B][6].head().link(edited);
            },
            "the ledger is broken at Lc.8: the entry does not follow the one before",
        ),
        (
            "an event is edited, and everything behind it is written anew",
            |export, _| {
                let edited = export.shards[A][1].event.replace("marketing", "utility");
                export.shards[A][1].event = edited;
                rewrite(export, FIRST, 1);
            },
            "shard 3 was rewritten between L3.0 and L3.2: its entries are not those of checkpoint 0",
        ),
        (
            "a shard is forked",
            |export, _| {
                let other = Fact::new(
                    at("2026-11-22T10:00:00Z"),
                    EventType::ConsentWithdrawn,
                    subject(),
                    "t_demo",
                );
                let fork = export.shards[A][3]
                    .head()
                    .append(FIRST, &other, &terms())
                    .unwrap();
                export.shards[A][4] = fork;
            },
            "the ledger is broken at L3.5: the entry does not follow the one before",
        ),
        (
            "both ends of a fork are there",
            |export, _| {
                let other = Fact::new(
                    at("2026-11-22T10:00:00Z"),
                    EventType::ConsentWithdrawn,
                    subject(),
                    "t_demo",
                );
                let fork = export.shards[A][3]
                    .head()
                    .append(FIRST, &other, &terms())
                    .unwrap();
                export.shards[A].insert(5, fork);
            },
            "the ledger is broken at L3.5: another entry stands here",
        ),
        (
            "an entry is replayed",
            |export, _| {
                let again = export.shards[A][2].clone();
                export.shards[A].insert(3, again);
            },
            "the ledger is broken at L3.3: another entry stands here",
        ),
        (
            "an event is replayed at the end, with the hashes of its new place",
            |export, _| {
                let again = export.shards[A][2].event.clone();
                let entry = export.heads[A].link(again);
                export.heads[A] = entry.head();
                export.shards[A].push(entry);
            },
            "the ledger is broken at L3.9: another entry stands here",
        ),
        (
            "the events of another shard stand in for a shard's",
            |export, _| {
                export.shards[A] = export.shards[B].clone();
                export.heads[A] = export.heads[B];
            },
            "the ledger is broken at L3.0: another entry stands here",
        ),
        (
            "the tail behind the last checkpoint is dropped",
            |export, _| export.shards[A].truncate(7),
            "the ledger is broken at L3.7: the entries do not end at the head",
        ),
        (
            "a tail that a checkpoint covers is dropped, and the head with it",
            |export, _| {
                export.shards[A].truncate(4);
                export.heads[A] = export.shards[A][3].head();
            },
            "the ledger is broken at L3.4: the entries do not end at the head",
        ),
        (
            "the head is put back",
            |export, _| export.heads[A] = export.shards[A][6].head(),
            "shard 3 does not end at its head",
        ),
        (
            "a whole shard is gone",
            |export, _| {
                export.shards[A].clear();
                export.heads[A] = Head::GENESIS;
            },
            "the ledger is broken at L3.0: the entries do not end at the head",
        ),
        (
            "a checkpoint is edited",
            |export, _| export.notes[1] = export.notes[1].replace("time 2026", "time 2025"),
            "checkpoint 1: its signature does not hold",
        ),
        (
            "a checkpoint is given another root",
            |export, _| {
                let (_, root) = export.notes[1].split_once("\n12\n").unwrap();
                let root = root.split('\n').next().unwrap().to_owned();
                export.notes[1] = export.notes[1].replace(&root, "AAAA");
            },
            "checkpoint 1: it is not a signed note of this kind",
        ),
        (
            "a ledger is written anew, and a checkpoint forged over it with another key",
            |export, _| {
                let forger = Signer::new();
                export.notes[1] = forger.note(&verify_text(&export.notes[1]));
            },
            "checkpoint 1: no signature on it is by the key",
        ),
        (
            "a signature is moved to another checkpoint",
            |export, _| {
                let (_, of_first) = export.notes[0].split_once("\n\n").unwrap();
                let (text, _) = export.notes[1].split_once("\n\n").unwrap();
                export.notes[1] = format!("{text}\n\n{of_first}");
            },
            "checkpoint 1: its signature does not hold",
        ),
        (
            "a checkpoint is dropped",
            |export, _| drop(export.notes.remove(0)),
            "checkpoint 0 is due, and number 1 stands here",
        ),
        (
            "a checkpoint is replayed",
            |export, _| {
                let again = export.notes[1].clone();
                export.notes.push(again);
            },
            "checkpoint 2 is due, and number 1 stands here",
        ),
        (
            "the key is used to sign another history behind the first checkpoint",
            |export, signer| {
                let mut second = verify_text(&export.notes[1]);
                second.previous = Hash::ZERO;
                export.notes[1] = signer.note(&second);
            },
            "checkpoint 1 does not follow the one before: it belongs to another history",
        ),
        (
            "the key is used to sign fewer entries",
            |export, signer| {
                let first = verify_text(&export.notes[0]);
                let mut less = Audit::default();
                less.take(FIRST, &export.shards[A][0]).unwrap();
                let mut less = less.checkpoint(ORIGIN, first.at);
                less.number = 1;
                less.previous = first.hash();
                export.notes[1] = signer.note(&less);
            },
            "checkpoint 1 covers less of shard 3 than the one before",
        ),
        (
            "the key is used to sign another order of the same entries",
            |export, signer| {
                let mut other = Audit::default();
                for shard in [SECOND, FIRST] {
                    for entry in &export.shards[usize::from(shard)][..3] {
                        other.take(shard, entry).unwrap();
                    }
                }
                let time = verify_text(&export.notes[0]).at;
                export.notes[0] = signer.note(&other.checkpoint(ORIGIN, time));
                export.notes.truncate(1);
            },
            "the root of checkpoint 0 is not that of its entries",
        ),
    ];
    for (deed, act, finding) in deeds {
        let mut tampered = export.clone();
        act(&mut tampered, &signer);
        assert_eq!(
            examine(&tampered, &key, None),
            Err((*finding).to_owned()),
            "{deed}"
        );
    }
}

/// The checkpoint of a note, whoever signed it.
fn verify_text(note: &str) -> Checkpoint {
    let (text, _) = note.rsplit_once("\n\n").unwrap();
    Checkpoint::parse(&format!("{text}\n")).unwrap()
}

#[test]
fn what_is_rolled_back_as_a_whole_is_found_by_who_keeps_a_checkpoint() {
    let signer = Signer::new();
    let key = signer.key();
    let export = genuine(&signer);
    let kept = export.notes[1].as_str();
    assert_eq!(examine(&export, &key, Some(kept)), Ok(18));
    // As it was at the first checkpoint, which is a ledger in itself.
    let mut rolled_back = export.clone();
    rolled_back.notes.truncate(1);
    for shard in &mut rolled_back.shards {
        shard.truncate(3);
    }
    for (head, shard) in rolled_back.heads.iter_mut().zip(&rolled_back.shards) {
        *head = shard.last().map_or(Head::GENESIS, Entry::head);
    }
    assert_eq!(examine(&rolled_back, &key, None), Ok(6));
    let missing = Err("the kept checkpoint is missing".to_owned());
    assert_eq!(examine(&rolled_back, &key, Some(kept)), missing);
    // Another history, signed by the same key: to this auditor one, to that auditor the other.
    let mut split = export.clone();
    let mut other = verify_text(&split.notes[1]);
    other.at = other.at.plus_millis(1);
    split.notes[1] = signer.note(&other);
    assert_eq!(examine(&split, &key, None), Ok(18));
    let found = Err("checkpoint 1 is not the kept one".to_owned());
    assert_eq!(examine(&split, &key, Some(kept)), found);
}

#[test]
fn checkpoints_made_and_signed_by_others_are_read_and_written_the_same() {
    let key = PublicKey::from_pem(include_str!("made-elsewhere.pem")).unwrap();
    assert_eq!(key.to_pem(), include_str!("made-elsewhere.pem"));
    let entries = of_version_1();
    let mut audit = Audit::default();
    for (note, until) in [
        (include_str!("made-elsewhere-0.note"), 2),
        (include_str!("made-elsewhere-1.note"), 3),
    ] {
        let checkpoint = verify_note(note, &key).unwrap();
        while audit.size() < until {
            let next = usize::try_from(audit.size()).unwrap();
            audit.take(SHARD, &entries[next]).unwrap();
        }
        assert_eq!(audit.checkpoint(ORIGIN, checkpoint.at), checkpoint);
        assert!(note.starts_with(&checkpoint.text()));
        audit.close(&checkpoint).unwrap();
        // Somebody else's line beside ours changes nothing.
        let cosigned = format!("{note}— witness.example/w AAAAAAAA\n");
        assert_eq!(verify_note(&cosigned, &key), Ok(checkpoint));
    }
}

#[test]
fn what_is_no_key_and_no_note_is_refused() {
    let pem = include_str!("made-elsewhere.pem");
    for text in [
        "",
        "-----BEGIN PUBLIC KEY-----",
        &pem.replace("MFkw", "MFkx"),
        &pem[..100],
    ] {
        assert_eq!(PublicKey::from_pem(text), Err(InvalidKey));
    }
    let key = PublicKey::from_pem(pem).unwrap();
    let note = include_str!("made-elsewhere-0.note");
    for (from, to) in [
        ("\n\n", "\n"),
        ("— ", "- "),
        ("number 0", "number 00"),
        ("head 0 0", "head 1 0"),
        ("head c 2", "head c 3"),
        ("\nhead f", "\n\nhead f"),
        ("t_demo\n2\n", "t_demo\n3\n"),
    ] {
        assert!(note.contains(from));
        let bent = note.replace(from, to);
        assert_eq!(verify_note(&bent, &key), Err(NoteFault::Form), "{to}");
    }
    assert_eq!(verify_note(note.trim_end(), &key), Err(NoteFault::Form));
}
