//! A year of manifests, and everything that can be done to them afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use super::*;
use crate::note::signer::Signer;
use crate::retention::{Destroyed, KeyName, Store, StoreRecord, days_to_mint};
use crate::time::DAY;

const START: Timestamp = Timestamp::from_seconds(1_795_000_000);

fn note(signer: &Signer, manifest: &Manifest) -> String {
    manifest.note(&signer.key(), &signer.sign(&manifest.text()))
}

/// What a purge that runs each day writes.
fn days(count: i64) -> Vec<Manifest> {
    let mut manifests: Vec<Manifest> = Vec::new();
    let mut minted_to = START.day().plus(-1);
    for offset in 0..count {
        let at = START.day().plus(offset).start().plus_millis(1_800_000);
        let mut manifest = Manifest::after("main", manifests.last(), at);
        manifest.retention_days = 90;
        manifest.minted_vault = (offset == 0).then_some(1);
        manifest.minted = days_to_mint(at).filter(|day| *day > minted_to).collect();
        minted_to = *manifest.minted.last().unwrap();
        let day = at.day().plus(-90);
        if day >= START.day() {
            manifest.destroyed.push(Destroyed {
                name: KeyName::Day(day),
                hash: Some(Hash::of_bytes(day.to_string().as_bytes())),
            });
            manifest.stores.extend(Store::ALL.map(|store| StoreRecord {
                store,
                matched: 7,
                deleted: 7,
                residual_until: Manifest::residual_until(at),
                is_complete: true,
            }));
            manifest.tried = 1;
        }
        manifests.push(manifest);
    }
    manifests
}

fn notes(signer: &Signer, manifests: &[Manifest]) -> Vec<String> {
    manifests.iter().map(|m| note(signer, m)).collect()
}

fn check(notes: &[String], key: &PublicKey) -> Result<PurgeReport, PurgeFault> {
    verify(notes.iter().map(String::as_str), key, "main")
}

#[test]
fn a_text_is_read_back_as_it_was_and_no_other_text_is_read() {
    for manifest in days(100) {
        assert_eq!(Manifest::parse(&manifest.text()), Ok(manifest));
    }
    let text = days(100)[99].text();
    for (from, to) in [
        ("complete", "done"),
        ("outbox", "inbox"),
        ("destroyed 2", "destroyed x2"),
        ("opened 0", "opened 1"),
        ("retention 90", "retention 91"),
        ("retention 90", "retention 090"),
        ("retention 90", "retention 7"),
        ("manifest 99", "manifest 099"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(Manifest::parse(&text.replace(from, to)).is_err(), "{to}");
    }
    assert!(Manifest::parse(text.trim_end()).is_err());
}

/// Written by the build before the sweep covered every store.
#[test]
fn a_manifest_of_the_outbox_alone_is_still_read() {
    let text = "headgate/purge/main\nmanifest 91\ntime 2026-11-29T00:05:00.000Z\n\
        previous 0000000000000000000000000000000000000000000000000000000000000000\nretention 90 days\n\
        minted 2026-12-06\ndestroyed 2026-08-31 unknown\n\
        store outbox matched 30 deleted 30 complete residual-until 2027-01-03\ntried 1 opened 0\n";
    let read = Manifest::parse(text).unwrap();
    assert_eq!((read.deleted(), read.text().as_str()), (30, text));
}

#[test]
fn a_shorter_period_is_due_at_once_and_older_manifests_keep_their_own() {
    let signer = Signer::new();
    let long = days(60);
    let at = long[59].at.plus_millis(DAY);
    let mut shorter = Manifest::after("main", long.last(), at);
    shorter.retention_days = 30;
    let mut day = START.day();
    while due_after(day, 30) <= at {
        let name = KeyName::Day(day);
        shorter.destroyed.push(Destroyed { name, hash: None });
        day = day.plus(1);
    }
    assert_eq!(shorter.destroyed.len(), 31);
    let all = |last: &Manifest| {
        let mut notes = notes(&signer, &long);
        notes.push(note(&signer, last));
        check(&notes, &signer.key())
    };
    let report = all(&shorter).unwrap();
    assert_eq!(report.destroyed, 31);
    assert!(report.late.is_empty(), "{:?}", report.late);
    // One day that the shorter period covers is kept.
    shorter.destroyed.pop();
    let kept = START.day().plus(30);
    let due = due_after(kept, 30);
    assert_eq!(all(&shorter), Err(PurgeFault::Kept { day: kept, due }));
    // Under the old period it would not be due.
    shorter.retention_days = 90;
    assert!(all(&shorter).is_ok());
}

#[test]
fn a_year_of_runs_shows_that_every_day_went_when_it_was_due() {
    let signer = Signer::new();
    let report = check(&notes(&signer, &days(365)), &signer.key()).unwrap();
    assert_eq!((report.manifests, report.destroyed), (365, 275));
    assert_eq!((report.deleted, report.tried), (275 * 3 * 7, 275));
    assert!(report.late.is_empty() && report.gaps.is_empty());
}

#[test]
fn whatever_is_done_to_the_notes_is_found_with_its_place() {
    let signer = Signer::new();
    let whole = notes(&signer, &days(120));
    let key = signer.key();
    let done = |change: &dyn Fn(&mut Vec<String>)| {
        let mut changed = whole.clone();
        change(&mut changed);
        check(&changed, &key).unwrap_err()
    };
    let signature = |number| PurgeFault::Note {
        number,
        fault: NoteFault::Signature,
    };
    assert_eq!(
        done(&|n| n[95] = n[95].replace("deleted 7", "deleted 8")),
        signature(95)
    );
    assert_eq!(done(&|n| n[95] = n[96].clone()), PurgeFault::Place(95));
    assert_eq!(done(&|n| drop(n.remove(95))), PurgeFault::Place(95));
    assert_eq!(done(&|n| n.swap(95, 96)), PurgeFault::Place(95));
    assert_eq!(done(&|n| drop(n.remove(0))), PurgeFault::Place(0));
    assert_eq!(done(&Vec::clear), PurgeFault::Empty);
    let other = Signer::new();
    let by_another_key = PurgeFault::Note {
        number: 3,
        fault: NoteFault::Key,
    };
    assert_eq!(done(&|n| n[3] = note(&other, &days(4)[3])), by_another_key);
    let elsewhere = verify(whole.iter().map(String::as_str), &key, "other");
    assert_eq!(elsewhere, Err(PurgeFault::Origin(0)));

    // Whoever has the key can sign what they like, and not what others have seen: the chain shows it.
    let mut rewritten = days(120);
    rewritten[95].tried = 0;
    let replaced = note(&signer, &rewritten[95]);
    assert_eq!(
        done(&|n| n[95].clone_from(&replaced)),
        PurgeFault::Chain(96)
    );
}

#[test]
fn a_key_that_stays_and_one_that_comes_back_are_found() {
    let signer = Signer::new();
    let chain = |change: &dyn Fn(&mut Manifest)| {
        let mut chained: Vec<Manifest> = Vec::new();
        for mut manifest in days(120) {
            manifest.previous = chained.last().map_or(Hash::ZERO, Manifest::hash);
            change(&mut manifest);
            chained.push(manifest);
        }
        check(&notes(&signer, &chained), &signer.key())
    };
    let kept = chain(&|m| m.destroyed.retain(|d| d.name != START.day().plus(2).into()));
    let day = START.day().plus(2);
    assert_eq!(
        kept,
        Err(PurgeFault::Kept {
            day,
            due: due_after(day, 90)
        })
    );
    let revived = chain(&|m| {
        if m.number == 100 {
            m.minted.push(START.day());
        }
    });
    let day = START.day();
    assert_eq!(
        revived,
        Err(PurgeFault::Revived {
            number: 100,
            name: KeyName::Day(day)
        })
    );
    // Of the vault's keys it is told which went; when, no calendar says.
    let with_vaults = |again: Option<u32>| {
        chain(&|m| match m.number {
            50 => m.minted_vault = Some(2),
            90 => m.destroyed.push(Destroyed {
                name: KeyName::Vault(1),
                hash: Some(Hash::ZERO),
            }),
            100 => m.minted_vault = again,
            _ => {}
        })
    };
    let report = with_vaults(Some(3)).unwrap();
    assert_eq!((report.vaults, report.destroyed), (vec![1], 30));
    let name = KeyName::Vault(1);
    assert_eq!(
        with_vaults(Some(1)),
        Err(PurgeFault::Revived { number: 100, name })
    );
    let backwards = chain(&|m| {
        if m.number == 50 {
            m.at = m.at.plus_millis(-2 * DAY);
        }
    });
    assert_eq!(backwards, Err(PurgeFault::Time(50)));
}

#[test]
fn days_without_a_run_and_late_keys_are_told() {
    let signer = Signer::new();
    let mut manifests = days(100);
    // Nobody ran for three days; the next run made good for them.
    let skipped: Vec<Manifest> = manifests.drain(93..96).collect();
    for missed in skipped {
        manifests[93].destroyed.extend(missed.destroyed);
        manifests[93].minted.extend(missed.minted);
    }
    manifests[93]
        .destroyed
        .sort_by_key(|destroyed| destroyed.name);
    let mut previous = Hash::ZERO;
    for (number, manifest) in (0_u64..).zip(&mut manifests) {
        manifest.number = number;
        manifest.previous = previous;
        previous = manifest.hash();
    }
    let report = check(&notes(&signer, &manifests), &signer.key()).unwrap();
    assert_eq!(report.gaps.len(), 1);
    assert_eq!(report.gaps[0].from, manifests[92].at);
    let late: Vec<Day> = report.late.iter().map(|(day, _)| *day).collect();
    let expected: Vec<Day> = (3..6).map(|n| START.day().plus(n)).collect();
    assert_eq!(late, expected);
}
