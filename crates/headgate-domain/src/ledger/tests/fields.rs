//! What the second version of an event says, and where it says it stands.

use super::*;

/// A fact with every field there is.
fn full() -> Fact {
    let day = |day: &str| Some(at(&format!("2026-11-{day}T10:00:00.000Z")));
    Fact {
        topic: Some("offers".into()),
        claimed_at: day("20"),
        requested_at: day("21"),
        confirmed_at: day("22"),
        valid_until: day("29"),
        renew_after: day("28"),
        jurisdictions: vec!["HK_PDPO".into()],
        profile_digest: Some("sha256:00".into()),
        actor: Some("operator".into()),
        receipt: Some("er_01".into()),
        ..facts()[0].clone()
    }
}

fn written(fact: &Fact) -> Value {
    let entry = Head::GENESIS.append(SHARD, fact, &terms()).unwrap();
    assert_eq!(verify_chain(SHARD, [&entry]), Ok(entry.head()));
    serde_json::from_str(&entry.event).unwrap()
}

#[test]
fn the_mapping_in_the_docs_names_every_field_an_event_can_have_and_no_other() {
    let docs = include_str!("../../../../../docs/ledger.md");
    let (_, table) = docs.split_once("| Field | ").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let mut mapped: Vec<&str> = table
        .lines()
        .skip(2)
        .map(|row| row.split('`').nth(1).unwrap())
        .collect();
    mapped.sort_unstable();
    let written = written(&full());
    let fields: Vec<&str> = written
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(mapped, fields);
    // What the standard demands of every record.
    for mandatory in [
        "schema version",
        "record id",
        "PII principal id",
        "privacy notice",
        "language",
        "purpose",
        "PII controllers",
        "storage locations",
        "retention period",
        "jurisdiction",
        "recipient third parties",
        "withdrawal method",
        "PII type",
        "event time",
        "validity duration",
        "entity id",
        "event type",
        "event state",
    ] {
        assert!(table.contains(mandatory), "{mandatory}");
    }
}

#[test]
fn a_plain_yes_says_what_the_deployment_says_of_every_yes() {
    let yes = written(&facts()[0]);
    for (field, value) in [
        ("v", json!(2)),
        ("id", json!("Lc.0")),
        ("event_type", json!("explicit")),
        ("basis", json!("consent")),
        ("actor", json!("subject")),
        ("controller", json!("t_demo")),
        ("pii", json!(["whatsapp_identifier"])),
        ("recipients", json!(["meta", "aws"])),
        ("regions", json!(["eu-west-1"])),
        ("retention_class", json!("consent_ledger_event")),
        (
            "withdrawal_methods",
            json!(["keyword", "meta_switch", "link", "api"]),
        ),
    ] {
        assert_eq!(yes.get(field), Some(&value), "{field}");
    }
    let asked = Fact::new(
        facts()[0].at,
        EventType::ConsentRequested,
        subject(),
        "t_demo",
    );
    assert_eq!(written(&asked).get("event_type"), None);
    let erased = written(&facts()[2]);
    assert_eq!(erased["actor"], "system");
    assert_eq!(erased.get("withdrawal_methods"), None);
}

#[test]
fn an_event_stands_in_its_own_shard_only() {
    let entry = Head::GENESIS.append(SHARD, &facts()[0], &terms()).unwrap();
    let moved = Broken {
        shard: 0,
        seq: 0,
        fault: Fault::Place,
    };
    assert_eq!(verify_chain(0, [&entry]), Err(moved));
}

#[test]
fn an_id_or_a_version_that_is_not_its_own_is_named() {
    let genuine = Head::GENESIS.append(SHARD, &facts()[0], &terms()).unwrap();
    for (from, to, fault) in [
        ("\"Lc.0\"", "\"Lc.00\"", Fault::Place),
        ("\"Lc.0\"", "\"Lc.+0\"", Fault::Place),
        ("\"Lc.0\"", "\"LC.0\"", Fault::Place),
        ("\"Lc.0\"", "\"Lc.1\"", Fault::Place),
        ("\"seq\":0", "\"seq\":1", Fault::Place),
        ("\"v\":2", "\"v\":3", Fault::Version),
        ("\"v\":2", "\"v\":\"2\"", Fault::Form),
        ("\"id\":\"Lc.0\",", "", Fault::Form),
    ] {
        assert!(genuine.event.contains(from));
        let entry = Head::GENESIS.link(genuine.event.replace(from, to));
        assert_eq!(verify_chain(SHARD, [&entry]), broken(0, fault), "{to}");
    }
}

proptest! {
    /// What the short way accepts, the long way does too, and reads the same in it.
    #[test]
    fn the_short_way_of_reading_accepts_canonical_text_only(
        mut fields in proptest::collection::vec(("[a-c\"é]{0,2}", "[ -~é\\t\\\\]{0,3}"), 0..4),
        seq in 0_u64..1_000,
        sorted: bool,
        zeros in "0{0,1}",
    ) {
        if sorted {
            fields.sort();
        }
        let mut strings: Vec<String> = fields
            .iter()
            .map(|(name, text)| format!("\"{name}\":\"{text}\","))
            .collect();
        strings.push(format!("\"seq\":{zeros}{seq}"));
        let text = format!("{{{}}}", strings.concat());
        if let Some(stated) = plain::stated_plainly(&text) {
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(canonical(&value).unwrap(), text.as_str());
            prop_assert_eq!(stated.seq, value["seq"].as_u64());
        }
    }
}
