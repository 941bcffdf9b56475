#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::commitment::commit;
use super::*;
use crate::identity::SubjectId;
use crate::time::Timestamp;

mod fields;
mod tamper;
mod trees;

const SHARD: u8 = 0xc;

// All expected values were made by another implementation (Python's hashlib and json).
const SUBJECT: &str = "s1_J6FSmHloYYZC6s7u2arevaN3LuO8R8_gPaNb4QCBZOU";
const LEAVES: [&str; 3] = [
    "61e0c3f87b2fba1e18fd7998725c97cf302131e1766200b598f6ada5a34388b1",
    "860486d04d22bd0fb1d0ca46ae36990a1c344699031d22d56cc0bee47833bbcd",
    "459c6802088683c77f09f299da2a3dce06a034070a60e645e749892472ff4181",
];
const CHAIN: [&str; 3] = [
    "f7a886aae8b21aa65eebe548a622f81e6e63088d9e0a427e9067e8c83a2df2f3",
    "56e1d5a0a4f5162d6db24026e995b35b8237a30ae0f6d4d3feb6508c5214770c",
    "841a729b662d014f20ccc912953e0f18d312506da88892e2c92be979ec841cf7",
];

fn terms() -> Terms {
    Terms::of_deployment("t_demo", "eu-west-1")
}

/// A shard as the first version wrote it.
fn of_version_1() -> Vec<Entry> {
    let subject = "c1:2_bAlW937WOZTyGAZGNDUMjAf5nPLSipOXZrBSdLjV4";
    let events = [
        json!({
            "v": 1, "seq": 0, "t": "2026-11-22T10:00:00.000Z", "type": "consent.given",
            "subject": subject, "tenant": "t_demo", "purpose": "marketing",
            "notice": "sha256:e88b6833bc84a0539e20339efef644fbbeb8e57923f153ba96b8c1b42df440a6",
            "locale": "zh-Hant", "method": "web_checkbox",
            "evidence": commit(b"salt0", b"evidence0").as_str(),
        }),
        json!({
            "v": 1, "seq": 1, "t": "2026-11-22T10:05:00.000Z", "type": "consent.withdrawn",
            "subject": subject, "tenant": "t_demo", "purpose": "marketing",
            "method": "keyword:退訂", "evidence": commit(b"salt1", b"evidence1").as_str(),
        }),
        json!({
            "v": 1, "seq": 2, "t": "2026-11-22T10:06:00.000Z", "type": "subject.erased",
            "subject": subject, "tenant": "t_demo", "receipt": "er_01",
        }),
    ];
    let mut head = Head::GENESIS;
    let link = |event| {
        let entry = head.link(canonical(event).unwrap());
        head = entry.head();
        entry
    };
    events.iter().map(link).collect()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn subject() -> Commitment {
    let salt: Vec<u8> = (64..96).collect();
    commit(&salt, SUBJECT.as_bytes())
}

fn facts() -> [Fact; 3] {
    let fact = |time, event_type| Fact::new(at(time), event_type, subject(), "t_demo");
    let marketing = Some("marketing".to_owned());
    [
        Fact {
            purpose: marketing.clone(),
            notice: Some(
                "sha256:e88b6833bc84a0539e20339efef644fbbeb8e57923f153ba96b8c1b42df440a6".into(),
            ),
            locale: Some("zh-Hant".into()),
            method: Some("web_checkbox".into()),
            evidence: Some(commit(b"salt0", b"evidence0")),
            ..fact("2026-11-22T10:00:00.000Z", EventType::ConsentGiven)
        },
        Fact {
            purpose: marketing,
            method: Some("keyword:退訂".into()),
            evidence: Some(commit(b"salt1", b"evidence1")),
            ..fact("2026-11-22T10:05:00.000Z", EventType::ConsentWithdrawn)
        },
        Fact {
            receipt: Some("er_01".into()),
            ..fact("2026-11-22T10:06:00.000Z", EventType::SubjectErased)
        },
    ]
}

fn shard_of(facts: &[Fact]) -> Vec<Entry> {
    let mut head = Head::GENESIS;
    let append = |fact| {
        let entry = head.append(SHARD, fact, &terms()).unwrap();
        head = entry.head();
        entry
    };
    facts.iter().map(append).collect()
}

/// A shard of distinct entries, long enough to break in the middle.
fn five() -> Vec<Entry> {
    let fact = |minute: i64| Fact {
        purpose: Some("marketing".into()),
        ..Fact::new(
            Timestamp::from_seconds(1_795_000_000 + minute * 60),
            EventType::ConsentGiven,
            subject(),
            "t_demo",
        )
    };
    shard_of(&[fact(0), fact(1), fact(2), fact(3), fact(4)])
}

fn broken(seq: u64, fault: Fault) -> Result<Head, Broken> {
    let shard = SHARD;
    Err(Broken { shard, seq, fault })
}

#[test]
fn another_implementation_writes_the_same_chain() {
    let entries = of_version_1();
    for (index, entry) in entries.iter().enumerate() {
        assert_eq!(entry.event.len(), [354, 258, 165][index]);
        assert_eq!(entry.leaf.to_string(), LEAVES[index]);
        assert_eq!(entry.chain.to_string(), CHAIN[index]);
    }
}

#[test]
fn what_the_first_version_wrote_still_verifies_and_goes_on_in_the_second() {
    let mut entries = of_version_1();
    let old = verify_chain(SHARD, &entries).unwrap();
    assert_eq!(old, entries[2].head());
    entries.push(old.append(SHARD, &facts()[0], &terms()).unwrap());
    assert_eq!(verify_chain(SHARD, &entries), Ok(entries[3].head()));
}

#[test]
fn a_commitment_follows_its_salt() {
    assert_eq!(
        subject().as_str(),
        "c1:2_bAlW937WOZTyGAZGNDUMjAf5nPLSipOXZrBSdLjV4"
    );
    let id = SubjectId::from_random([7; 16]);
    let one = subject_commitment(&[1; 32], &id);
    assert_eq!(one, evidence_commitment(&[1; 32], id.as_str().as_bytes()));
    assert_ne!(one, subject_commitment(&[2; 32], &id));
}

#[test]
fn another_implementation_names_a_notice_the_same() {
    let notice = notice_hash("我同意接收 WhatsApp 通知");
    assert_eq!(facts()[0].notice.as_ref(), Some(&notice));
}

#[test]
fn people_spread_over_all_sixteen_shards() {
    // printf sub_aaaqeayeaudaocajbifqydiob4 | sha256sum
    let known = SubjectId::parse("sub_aaaqeayeaudaocajbifqydiob4").unwrap();
    assert_eq!(shard(&known), 0xc);
    let seen: std::collections::BTreeSet<u8> = (0..=255)
        .map(|byte| shard(&SubjectId::from_random([byte; 16])))
        .collect();
    assert_eq!(seen, (0..16).collect());
}

#[test]
fn an_edited_event_is_named() {
    let mut entries = five();
    entries[2].event = entries[2].event.replace("marketing", "utility");
    assert_eq!(verify_chain(SHARD, &entries), broken(2, Fault::Leaf));
    // Redoing the leaf moves the break to the chain, and redoing that to the next entry.
    entries[2].leaf = Hash::of_leaf(entries[2].event.as_bytes());
    assert_eq!(verify_chain(SHARD, &entries), broken(2, Fault::Chain));
    entries[2].chain = Hash::of_link(&entries[1].chain, &entries[2].leaf);
    assert_eq!(verify_chain(SHARD, &entries), broken(3, Fault::Chain));
}

#[test]
fn a_chain_redone_to_its_end_does_not_reach_the_head() {
    let genuine = five();
    let head = genuine[4].head();
    let facts = facts();
    let redone = shard_of(&[&facts[..], &facts[..2]].concat());
    assert_eq!(verify_chain(SHARD, &redone), Ok(redone[4].head()));
    assert_eq!(verify_shard(SHARD, &redone, head), broken(5, Fault::Head));
    assert_eq!(verify_shard(SHARD, &genuine, head), Ok(head));
}

#[test]
fn reordered_entries_are_named() {
    let mut entries = five();
    entries.swap(1, 2);
    assert_eq!(verify_chain(SHARD, &entries), broken(1, Fault::Place));
    // Renumbered to look right, they no longer follow each other.
    entries[1].seq = 1;
    entries[2].seq = 2;
    assert_eq!(verify_chain(SHARD, &entries), broken(1, Fault::Chain));
}

#[test]
fn a_dropped_entry_is_named_and_so_is_a_dropped_tail() {
    let entries = five();
    let head = entries[4].head();
    let mut holed = entries.clone();
    holed.remove(3);
    assert_eq!(verify_chain(SHARD, &holed), broken(3, Fault::Place));
    assert_eq!(verify_chain(SHARD, &entries[1..]), broken(0, Fault::Place));
    assert_eq!(
        verify_shard(SHARD, &entries[..3], head),
        broken(3, Fault::Head)
    );
    assert_eq!(verify_shard(SHARD, &[], Head::GENESIS), Ok(Head::GENESIS));
}

#[test]
fn a_fork_is_named() {
    let entries = five();
    let fork = entries[1]
        .head()
        .append(SHARD, &facts()[1], &terms())
        .unwrap();
    let mut forked = entries.clone();
    forked[2] = fork.clone();
    assert_eq!(verify_chain(SHARD, &forked), broken(3, Fault::Chain));
    let mut both = entries;
    both.insert(3, fork);
    assert_eq!(verify_chain(SHARD, &both), broken(3, Fault::Place));
}

#[test]
fn an_entry_cannot_be_given_another_place() {
    // An event that says it is the first, chained correctly as the second.
    let first = Head::GENESIS.append(SHARD, &facts()[0], &terms()).unwrap();
    let second = Entry {
        seq: 1,
        chain: Hash::of_link(&first.chain, &first.leaf),
        ..first.clone()
    };
    assert_eq!(
        verify_chain(SHARD, &[first, second]),
        broken(1, Fault::Place)
    );
}

#[test]
fn text_that_is_not_canonical_is_not_an_event() {
    for event in [
        "",
        "{}",
        "[]",
        "{\"seq\": 0}",
        "{\"seq\":0,\"a\":null}",
        "{\"z\":1,\"seq\":0}",
        "{\"seq\":0}",
        "{\"seq\":00,\"v\":1}",
        "{\"seq\":0,\"v\":2}",
        "{\"id\":\"Lc.0\",\"id\":\"Lc.0\",\"seq\":0,\"v\":2}",
        "{\"a\":[],\"seq\":0,\"v\":1",
        "{\"seq\":0,\"v\":1}}",
        "{\"a\":\"\t\",\"seq\":0,\"v\":1}",
        "{\"a\":\"\\u0041\",\"seq\":0,\"v\":1}",
    ] {
        let leaf = Hash::of_leaf(event.as_bytes());
        let entry = Entry {
            seq: 0,
            event: event.to_owned(),
            leaf,
            chain: Hash::of_link(&Hash::ZERO, &leaf),
        };
        assert_eq!(
            verify_chain(SHARD, [&entry]),
            broken(0, Fault::Form),
            "{event}"
        );
    }
}

#[test]
fn a_shard_is_verified_in_pages() {
    let entries = five();
    let half = verify_chain(SHARD, &entries[..2]).unwrap();
    assert_eq!(
        verify_from(SHARD, half, &entries[2..]),
        Ok(entries[4].head())
    );
    assert_eq!(
        verify_from(SHARD, half, &entries[3..]),
        broken(2, Fault::Place)
    );
}

#[test]
fn canonical_text_is_rfc_8785s() {
    // The sorting example of RFC 8785, 3.2.3, and the escapes of 3.2.2.2.
    let value = json!({
        "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
        "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control", "\u{f6}": "Latin Small Letter O With Diaeresis"
    });
    assert_eq!(
        canonical(&value).unwrap(),
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
         \"\u{f6}\":\"Latin Small Letter O With Diaeresis\",\"\u{20ac}\":\"Euro Sign\",\
         \"\u{1f600}\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
    );
    let value =
        json!({"b": [true, false, -1, 0], "a": {"\"\\/": "\u{8}\t\n\u{c}\r\u{1}\u{1f}\u{7f}退"}});
    assert_eq!(
        canonical(&value).unwrap(),
        "{\"a\":{\"\\\"\\\\/\":\"\\b\\t\\n\\f\\r\\u0001\\u001f\u{7f}退\"},\"b\":[true,false,-1,0]}"
    );
    assert_eq!(canonical(&json!(1.5)), Err(NotCanonical::Number));
    assert_eq!(
        canonical(&json!(9_007_199_254_740_993_u64)),
        Err(NotCanonical::Number)
    );
    assert_eq!(
        canonical(&json!(-9_007_199_254_740_992_i64)).unwrap(),
        "-9007199254740992"
    );
    assert_eq!(canonical(&json!([null])), Err(NotCanonical::Null));
}

#[test]
fn a_hash_is_read_as_it_is_written() {
    assert_eq!(Hash::parse(CHAIN[0]).unwrap().to_string(), CHAIN[0]);
    for text in [
        "",
        "00",
        &CHAIN[0][1..],
        &CHAIN[0].to_uppercase(),
        &format!("{}0", CHAIN[0]),
    ] {
        assert_eq!(Hash::parse(text), Err(InvalidHash), "{text}");
    }
}

proptest! {
    #[test]
    fn canonical_text_reads_back_and_is_a_fixed_point(map: std::collections::HashMap<String, String>) {
        let value = json!(map);
        let text = canonical(&value).unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(canonical(&read).unwrap(), text);
    }
}
