//! Consent records: good and bad ones, judged by schema and parser.

use headgate_domain::consent::{Action, ConsentRecord, METHODS};
use headgate_domain::lane::Purpose;
use headgate_domain::outbound::MAX_BYTES;
use headgate_domain::refusal::Code::{InvalidRecipient, Malformed, TooLarge, UnknownSubject};
use serde_json::{Value, json};

use super::agreement::consent;
use super::now;

#[test]
fn the_documented_record_parses_into_what_it_says() {
    let contract = consent();
    contract.good(|_| {});
    let record = ConsentRecord::parse(&contract.example().to_string(), now())
        .ok()
        .unwrap();
    assert_eq!(
        (record.action, record.purposes),
        (Action::Given, vec![Purpose::Utility, Purpose::Marketing])
    );
}

#[test]
fn the_schema_lists_exactly_the_methods_of_the_code() {
    assert_eq!(
        consent().schema["properties"]["method"]["enum"],
        json!(METHODS)
    );
}

#[test]
fn every_method_says_no_and_only_what_an_app_can_attest_says_yes() {
    let c = consent();
    for method in METHODS {
        let heard = [
            "keyword",
            "message_in",
            "meta_switch",
            "link",
            "quick_reply",
            "ctwa_ad",
            "keyword_start",
        ]
        .contains(&method);
        if heard {
            c.bad(|v| v["method"] = json!(method), Malformed, "method");
        } else {
            let evidence = json!({
                "form": "f", "page": "p", "app_version": "1", "template": "t", "payload": "y", "flow": "f",
                "document_hash": "h", "operator": "o", "call_record_hash": "h", "reference": "r",
            });
            c.good(|v| {
                (v["method"], v["evidence"]) = (json!(method), evidence);
                v["purpose"] = json!("utility");
            });
        }
        c.good(|v| (v["method"], v["action"]) = (json!(method), json!("withdrawn")));
    }
}

#[test]
fn good_records_are_good_to_both() {
    let c = consent();
    let remove = |v: &mut Value, member: &str| drop(v.as_object_mut().unwrap().remove(member));
    for purpose in [
        json!("marketing"),
        json!(["utility"]),
        json!(["service", "authentication", "service"]),
    ] {
        c.good(|v| v["purpose"] = purpose);
    }
    for (method, evidence) in [
        ("web_checkbox", json!({"form": "f", "page": "p", "more": 7})),
        ("app", json!({"form": "f", "app_version": "1"})),
        ("paper", json!({"document_hash": "h", "operator": "o"})),
        ("ivr", json!({"call_record_hash": "h"})),
        ("agent", json!({"reference": "r"})),
        (
            "api_attested",
            json!({"reference": "r", "evidence_hash": "h"}),
        ),
        ("whatsapp_flow", json!({"flow": "1"})),
        ("in_thread_button", json!({"template": "t", "payload": "y"})),
    ] {
        c.good(|v| (v["method"], v["evidence"]) = (json!(method), evidence));
    }
    c.good(|v| {
        (v["method"], v["evidence"]) = (json!("qr_scan"), json!({}));
        v["purpose"] = json!("utility");
    });
    for any in [json!("form-7"), json!(7), json!([]), json!(null)] {
        c.good(|v| (v["action"], v["evidence"]) = (json!("withdrawn"), any.clone()));
        c.good(|v| (v["action"], v["evidence"]) = (json!("invalidated"), any));
    }
    for topics in [
        json!(["offers"]),
        json!(["offers", "back-in-stock", "offers"]),
    ] {
        c.good(|v| v["topics"] = topics);
    }
    for notice in ["v7", &"字".repeat(4096)] {
        c.good(|v| v["notice"] = json!(notice));
    }
    c.good(|v| remove(v, "locale"));
    c.good(|v| v["locale"] = json!(null));
    c.good(|v| v["topics"] = json!([]));
    c.good(|v| v["topics"] = json!(null));
    c.good(|v| v["occurred_at"] = json!("2026-11-22T09:04:59Z"));
    c.good(|v| {
        v["action"] = json!("withdrawn");
        v["topics"] = json!(["newsletter"]);
        remove(v, "notice");
        remove(v, "evidence");
        remove(v, "occurred_at");
    });
    c.good(|v| (v["action"], v["occurred_at"]) = (json!("withdrawn"), json!(null)));
}

#[test]
fn bad_records_are_bad_to_both() {
    let c = consent();
    for member in [
        "schema",
        "id",
        "to",
        "purpose",
        "action",
        "method",
        "notice",
        "evidence",
        "occurred_at",
    ] {
        c.bad(
            |v| drop(v.as_object_mut().unwrap().remove(member)),
            Malformed,
            member,
        );
        c.bad(|v| v[member] = json!(null), Malformed, member);
    }
    c.bad(|v| *v = json!("yes"), Malformed, "$");
    c.bad(|v| v["basis"] = json!({"kind": "consent"}), Malformed, "$");
    c.bad(
        |v| v["schema"] = json!("headgate.outbound/1"),
        Malformed,
        "schema",
    );
    for purpose in [
        json!([]),
        json!("sales"),
        json!(["sales"]),
        json!([null]),
        json!({}),
    ] {
        c.bad(|v| v["purpose"] = purpose, Malformed, "purpose");
    }
    for action in [json!("requested"), json!(""), json!(true)] {
        c.bad(|v| v["action"] = action, Malformed, "action");
    }
    for method in [json!("hearsay"), json!("import"), json!(7)] {
        c.bad(|v| v["method"] = method, Malformed, "method");
    }
    for topics in [
        json!(["News letter"]),
        json!(["16135550123"]),
        json!([""]),
        json!([7]),
        json!(vec!["a"; 17]),
        json!("newsletter"),
        json!({}),
    ] {
        c.bad(|v| v["topics"] = topics, Malformed, "topics");
    }
    for evidence in [
        json!("form-7"),
        json!([]),
        json!({}),
        json!({"form": "f"}),
        json!({"form": "f", "page": " "}),
        json!({"form": "f", "page": 7}),
    ] {
        c.bad(|v| v["evidence"] = evidence, Malformed, "evidence");
    }
    for (method, evidence) in [
        ("app", json!({"form": "f"})),
        ("in_person", json!({"operator": "o"})),
        ("api_attested", json!({"evidence_hash": "h"})),
        ("api_attested", json!({"reference": "r"})),
        ("in_thread_button", json!({"payload": "y"})),
    ] {
        c.bad(
            |v| (v["method"], v["evidence"]) = (json!(method), evidence),
            Malformed,
            "evidence",
        );
    }
    c.bad(|v| v["method"] = json!("qr_scan"), Malformed, "method");
    for notice in [json!(""), json!(7), json!("字".repeat(4097))] {
        c.bad(|v| v["notice"] = notice, Malformed, "notice");
    }
    for locale in [json!(""), json!(7), json!("l".repeat(36))] {
        c.bad(|v| v["locale"] = locale, Malformed, "locale");
    }
    for time in [
        json!("yesterday"),
        json!(1_795_000_000),
        json!("2026-02-30T00:00:00Z"),
        json!("2026-11-22T08:58:00"),
    ] {
        c.bad(|v| v["occurred_at"] = time, Malformed, "occurred_at");
    }
    c.bad(
        |v| v["to"] = json!({"phone": "0123"}),
        InvalidRecipient,
        "to.phone",
    );
    c.bad(
        |v| v["to"] = json!({"subject": "sub_1"}),
        UnknownSubject,
        "to.subject",
    );
}

#[test]
fn rules_about_now_and_about_bytes_are_the_parsers_alone() {
    let c = consent();
    c.bad(
        |v| v["occurred_at"] = json!("2026-11-22T09:05:01Z"),
        Malformed,
        "occurred_at",
    );
    c.bad(
        |v| v["evidence"] = json!("x".repeat(MAX_BYTES)),
        TooLarge,
        "",
    );
}
