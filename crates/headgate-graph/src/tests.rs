//! Every reading of an answer, and the settings that make no client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests may fail loudly"
)]

use std::time::Duration;

use headgate_domain::disposition::Disposition;
use headgate_redact::Secret;
use http::StatusCode;
use serde_json::{Value, json};

use crate::codes::{Class, TABLE};
use crate::{GraphClient, InvalidClient, NotAccepted, Outcome, Rest, Scope, answer};

const TOKEN: &str = "not-a-real-token";

fn error(status: u16, error: &Value) -> Outcome {
    let body = json!({ "error": error }).to_string();
    answer::read(StatusCode::from_u16(status).unwrap(), body.as_bytes())
}

fn code(status: u16, code: u32) -> Outcome {
    error(
        status,
        &json!({ "message": "x", "code": code, "fbtrace_id": "y" }),
    )
}

fn ambiguous(why: &'static str, code: u32) -> Outcome {
    Outcome::Ambiguous {
        why,
        code: Some(code),
        known: true,
        pause: None,
    }
}

/// Every code of the table, and of a run its ends.
fn codes() -> impl Iterator<Item = (u32, Class)> {
    TABLE
        .iter()
        .flat_map(|row| [row.first, row.last].map(|code| (code, row.meaning.class)))
}

/// A list has no names for its members, so it is no error of Meta's whatever stands first in it.
#[test]
fn a_list_is_not_read_as_an_error() {
    for body in [json!({ "error": [131_026] }), json!([{ "code": 131_026 }])] {
        let outcome = answer::read(StatusCode::BAD_REQUEST, body.to_string().as_bytes());
        assert_eq!(outcome, Outcome::ambiguous("unreadable_error"), "{body}");
    }
}

#[test]
fn a_yes_that_cannot_be_read_is_ambiguous() {
    for (body, why) in [
        (json!({ "error": { "code": 131_026 } }), "answer_without_id"),
        (json!({ "messages": [] }), "answer_without_id"),
        (json!({ "messages": [{ "id": "7" }] }), "answer_without_id"),
        (json!({ "messages": [{}] }), "unreadable_answer"),
        (json!({ "success": false }), "answer_without_id"),
        (json!({ "messages": [["wamid.A"]] }), "unreadable_answer"),
        (json!([[{ "id": "wamid.A" }]]), "unreadable_answer"),
    ] {
        let outcome = answer::read(StatusCode::OK, body.to_string().as_bytes());
        assert_eq!(outcome, Outcome::ambiguous(why));
    }
}

#[test]
fn every_known_code_leads_where_its_class_leads_and_never_to_a_second_message() {
    for (number, class) in codes() {
        for status in [400, 401, 403, 404, 500, 503] {
            let outcome = code(status, number);
            assert_eq!(outcome.unknown_code(), None, "{number}");
            let repeats = outcome.disposition().is_some_and(Disposition::may_repeat);
            let rejected_unprocessed = matches!(
                class,
                Class::Throttled | Class::Pair | Class::AppLimit | Class::Credential
            );
            assert_eq!(repeats, rejected_unprocessed, "{number} with {status}");
            match class {
                Class::Throttled | Class::Pair | Class::AppLimit => {
                    let Outcome::NotAccepted(why) = outcome else {
                        unreachable!("{number} is {outcome:?}");
                    };
                    assert_eq!(why.code(), Some(number));
                }
                Class::Credential => assert_eq!(outcome, Outcome::Credential { code: number }),
                Class::Trouble => assert_eq!(outcome, ambiguous("trouble_at_meta", number)),
                Class::Maintenance => assert_eq!(
                    outcome,
                    Outcome::Ambiguous {
                        why: "maintenance",
                        code: Some(number),
                        known: true,
                        pause: Some(Duration::from_mins(1)),
                    }
                ),
                // Some documented refusals come with a 500; only a 4xx is a clear no.
                Class::Refused if status >= 500 => {
                    assert_eq!(outcome, ambiguous("server_error", number));
                }
                Class::Refused => assert_eq!(outcome, Outcome::failed(number)),
            }
        }
    }
}

#[test]
fn limits_send_the_message_back_to_its_lane() {
    let limit = |code| NotAccepted::AppLimit { code };
    for (number, expected) in [
        (130_429, NotAccepted::Throttled),
        (131_056, NotAccepted::Pair),
        (4, limit(4)),
        (80_007, limit(80_007)),
    ] {
        let outcome = code(400, number);
        assert_eq!(outcome, Outcome::NotAccepted(expected));
        assert_eq!(outcome.disposition(), Some(Disposition::Retry));
    }
}

#[test]
fn a_refusal_says_whom_it_concerns_and_what_should_rest() {
    let day = Duration::from_hours(24);
    for (number, scope, rest) in [
        (131_047, Scope::Message, None),
        (131_026, Scope::Recipient, Some(Rest::PersonUnreachable)),
        (
            131_049,
            Scope::Recipient,
            Some(Rest::PersonMarketing { at_least: day }),
        ),
        (
            131_050,
            Scope::Recipient,
            Some(Rest::PersonStoppedMarketing),
        ),
        (130_497, Scope::Recipient, Some(Rest::Country)),
        (137_000, Scope::Recipient, Some(Rest::IdentityChanged)),
        (132_001, Scope::Template, Some(Rest::TemplateMissing)),
        (132_015, Scope::Template, Some(Rest::TemplatePaused)),
        (132_016, Scope::Template, Some(Rest::TemplateDisabled)),
        (133_010, Scope::Number, Some(Rest::Number)),
        (368, Scope::Account, Some(Rest::Account)),
        (131_031, Scope::Account, Some(Rest::Account)),
        (131_042, Scope::Account, Some(Rest::AccountBilling)),
    ] {
        let expected = Outcome::Failed {
            code: number,
            scope,
            rest,
            known: true,
        };
        assert_eq!(code(400, number), expected);
        assert_eq!(expected.disposition(), Some(Disposition::Discard));
    }
    let Outcome::Failed {
        scope: Scope::Number,
        rest: Some(Rest::NumberMarketing { at_least }),
        ..
    } = code(400, 131_048)
    else {
        unreachable!("131048 rests the number's marketing");
    };
    assert!(at_least >= Duration::from_hours(1));
}

#[test]
fn an_unknown_code_is_final_unless_meta_calls_it_transient_and_is_told_apart() {
    let unheard_of = Outcome::Failed {
        code: 999_999,
        scope: Scope::Message,
        rest: None,
        known: false,
    };
    assert_eq!(code(400, 999_999), unheard_of);
    let transient = json!({ "code": 999_999, "is_transient": true });
    for (outcome, why) in [
        (error(400, &transient), "unknown_transient"),
        (error(500, &transient), "server_error"),
        (code(500, 999_999), "server_error"),
    ] {
        assert_eq!(outcome.unknown_code(), Some(999_999));
        assert_eq!(outcome.disposition(), Some(Disposition::Reconcile));
        let Outcome::Ambiguous { why: word, .. } = outcome else {
            unreachable!("{outcome:?}");
        };
        assert_eq!(word, why);
    }
    assert_eq!(unheard_of.unknown_code(), Some(999_999));
}

#[test]
fn an_error_is_read_whatever_its_form_or_not_at_all() {
    let text = json!({ "code": "131026", "error_data": "a plain string" });
    assert_eq!(error(400, &text), Outcome::failed(131_026));
    for odd in [
        json!({ "code": -1 }),
        json!({ "code": null }),
        json!({ "code": [] }),
    ] {
        assert_eq!(error(400, &odd), Outcome::ambiguous("error_without_code"));
    }
    let html = answer::read(StatusCode::FORBIDDEN, b"<html>");
    assert_eq!(html, Outcome::ambiguous("unreadable_error"));
    // A redirect was read by whoever redirects, whatever it says.
    let redirect = error(302, &json!({ "code": 131_026 }));
    assert_eq!(redirect, Outcome::ambiguous("redirect"));
}

#[test]
fn an_invalid_parameter_that_every_message_shares_does_not_count_against_the_message() {
    let said = |message: &str| error(400, &json!({ "message": message, "code": 100 }));
    for message in [
        "API calls from the server require an appsecret_proof argument",
        "Invalid appsecret_proof provided in the API argument",
    ] {
        assert_eq!(said(message), Outcome::Credential { code: 100 });
    }
    assert_eq!(said("(#100) Invalid parameter"), Outcome::failed(100));
    let no_such_number =
        json!({ "message": "Unsupported post request.", "code": 100, "error_subcode": 33 });
    let Outcome::Failed { scope, rest, .. } = error(400, &no_such_number) else {
        unreachable!("100 is a no");
    };
    assert_eq!((scope, rest), (Scope::Number, Some(Rest::Number)));
}

fn make(base: &str, token: &str, proof: &str) -> Result<GraphClient, InvalidClient> {
    let token = Secret::new(token.to_owned());
    GraphClient::new(base, &token, Secret::new(proof.to_owned()))
}

#[test]
fn settings_that_would_show_the_token_make_no_client() {
    let refused = |base: &str, token: &str, proof: &str| make(base, token, proof).map(drop);
    let proof = "ab".repeat(32);
    let good = "https://graph.facebook.com";
    assert_eq!(refused(good, TOKEN, &proof), Ok(()));
    assert_eq!(refused("http://127.0.0.1:4000", TOKEN, &proof), Ok(()));
    for base in [
        "http://graph.facebook.com",
        "ftp://x",
        "",
        "https://a@b.example",
        "https://b.example/x",
        "http://127.0.0.1.example",
    ] {
        let outcome = refused(base, TOKEN, &proof);
        assert_eq!(outcome, Err(InvalidClient::Address), "{base}");
    }
    for base in [
        "https://b.example",
        "https://graph.facebook.com.evil.example",
        "https://kms.ca-central-1.amazonaws.com",
    ] {
        let outcome = refused(base, TOKEN, &proof);
        assert_eq!(outcome, Err(InvalidClient::Unregistered), "{base}");
    }
    for token in ["", " ", "a b", "a\r\nb"] {
        assert_eq!(refused(good, token, &proof), Err(InvalidClient::Token));
    }
    for bad in ["", "ab", &"zz".repeat(32)] {
        assert_eq!(refused(good, TOKEN, bad), Err(InvalidClient::Proof));
    }
    let client = make(good, TOKEN, &proof).unwrap();
    assert_eq!(format!("{client:?}"), "GraphClient(…)");
}

#[test]
fn a_trust_anchor_of_ones_own_is_for_this_machine_only() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let trusting = |base: &str, der: &[u8]| {
        let token = Secret::new(TOKEN.to_owned());
        let proof = Secret::new("ab".repeat(32));
        GraphClient::trusting(base, &token, proof, der).map(drop)
    };
    for base in [
        "https://127.0.0.1:4000",
        "https://localhost",
        "https://[::1]:4000",
    ] {
        assert_eq!(trusting(base, made.cert.der()), Ok(()), "{base}");
    }
    for base in [
        "https://graph.facebook.com",
        "https://localhost.example",
        "https://127.0.0.1.example",
        "https://127.0.0.2",
        "https://10.0.0.1",
        "http://127.0.0.1:4000",
        "https://localhost@graph.facebook.com",
    ] {
        let outcome = trusting(base, made.cert.der());
        assert_eq!(outcome, Err(InvalidClient::Address), "{base}");
    }
    assert_eq!(
        trusting("https://localhost", b"no certificate"),
        Err(InvalidClient::Tls)
    );
}

#[test]
fn there_are_one_to_four_connections() {
    let client = || make("https://graph.facebook.com", TOKEN, &"ab".repeat(32)).unwrap();
    for connections in 0..8 {
        let made = client().with_connections(connections).map(drop);
        let good = (1..=4).contains(&connections);
        assert_eq!(
            made,
            if good {
                Ok(())
            } else {
                Err(InvalidClient::Connections)
            }
        );
    }
}
