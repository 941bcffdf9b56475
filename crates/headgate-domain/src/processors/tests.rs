//! The register says who handles data, or is refused by its place.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
use super::*;

const GOOD: &str = r#"
    [[processors]]
    id = "meta"
    name = "Example Ltd"
    country = "IE"
    purpose = "Delivers the messages."
    data_classes = ["identifiers"]
    regions = ["IE", "ca-central-1"]
    transfer_instrument = "standard_contractual_clauses"
    dpa_date = "2026-01-15"
    sub_processors = ["https://example.com/list"]
    last_review = "2026-10-01"
    hosts = ["graph.facebook.com", "*.fbsbx.com"]
"#;

#[test]
fn the_register_in_the_repository_is_accepted_and_names_who_the_gateway_needs() {
    let register = Register::from_toml(FILE).unwrap();
    assert_eq!(&register, Register::compiled_in());
    for (id, host) in [
        ("meta", "graph.facebook.com"),
        ("meta", "lookaside.fbsbx.com"),
        ("aws", "dynamodb.ca-central-1.amazonaws.com"),
    ] {
        assert!(register.find(id).is_some(), "{id}");
        assert_eq!(register.of_host(host).map(|p| p.id.as_str()), Some(id));
    }
}

#[test]
fn a_host_belongs_to_whoever_registered_it_and_to_nobody_by_its_looks() {
    let register = Register::from_toml(GOOD).unwrap();
    for ours in ["graph.facebook.com", "lookaside.fbsbx.com", "a.b.fbsbx.com"] {
        assert!(register.of_host(ours).is_some(), "{ours}");
    }
    for other in [
        "",
        "facebook.com",
        "graph.facebook.com.evil.example",
        "evil-graph.facebook.com",
        "fbsbx.com",
        ".fbsbx.com",
        "evilfbsbx.com",
        "GRAPH.facebook.com",
    ] {
        assert!(register.of_host(other).is_none(), "{other}");
    }
}

#[test]
fn every_fault_is_refused_by_its_place() {
    for (place, from, to) in [
        ("processors[0].id", "\"meta\"", "\"Meta Inc\""),
        ("processors[0].name", "\"Example Ltd\"", "\" \""),
        (
            "processors[0].purpose",
            "\"Delivers the messages.\"",
            "{ de = \"Stellt zu.\" }",
        ),
        ("processors[0].data_classes", "[\"identifiers\"]", "[]"),
        ("data_classes", "\"identifiers\"", "\"everything\""),
        ("processors[0].regions", "\"ca-central-1\"", "\"somewhere\""),
        ("processors[0].regions", "[\"IE\", \"ca-central-1\"]", "[]"),
        (
            "transfer_instrument",
            "\"standard_contractual_clauses\"",
            "\"trust\"",
        ),
        ("day in quotes", "\"2026-01-15\"", "\"last year\""),
        (
            "processors[0].sub_processors",
            "https://example.com/list",
            " ",
        ),
        (
            "processors[0].hosts",
            "graph.facebook.com",
            "https://graph.facebook.com",
        ),
        ("processors[0].hosts", "*.fbsbx.com", "*.com"),
        ("countr", "country = \"IE\"", "country = \"Ireland\""),
        (
            "certificates",
            "hosts =",
            "certificates = [{ name = \"\", expires = \"2027-01-01\" }]\nhosts =",
        ),
        ("last_review", "last_review = \"2026-10-01\"", ""),
        ("unknown", "id = \"meta\"", "id = \"meta\"\nunknown = 1"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let error = Register::from_toml(&GOOD.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains(place), "{place}: {error}");
    }
    let twice = Register::from_toml(&format!("{GOOD}{GOOD}")).unwrap_err();
    assert!(twice.to_string().contains("processors[1].id"));
}

#[test]
fn a_review_older_than_a_year_and_an_expired_certificate_are_overdue() {
    let register = Register::compiled_in();
    let overdue = |day: &str| -> Vec<(String, String)> {
        let found = register.overdue(Day::parse(day).unwrap());
        found
            .into_iter()
            .map(|(p, why)| (p.id.clone(), why))
            .collect()
    };
    let mut one = register.clone();
    one.processors.truncate(1);
    one.processors[0].last_review = Date(Day::parse("2026-10-01").unwrap());
    one.processors[0].certificates = vec![Certificate {
        name: "ISO/IEC 27001".into(),
        expires: Date(Day::parse("2027-03-31").unwrap()),
    }];
    let count = |day: &str| one.overdue(Day::parse(day).unwrap()).len();
    assert_eq!(count("2027-03-31"), 0, "its last day");
    assert_eq!(count("2027-04-01"), 1);
    assert_eq!(count("2027-09-30"), 1);
    assert_eq!(count("2027-10-01"), 2);
    assert_eq!(
        overdue("2099-01-01").len(),
        register.processors.len()
            + register
                .processors
                .iter()
                .map(|p| p.certificates.len())
                .sum::<usize>()
    );
}
