//! Tokens: another implementation's, damaged ones, and how long one opens.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may fail loudly"
)]
use proptest::prelude::*;

use super::*;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn plain() -> PlainToken {
    PlainToken::from_random("main", &[7; 32])
}

fn kept() -> ApiToken {
    ApiToken {
        hash: plain().hashed("main"),
        name: "shop".to_owned(),
        scopes: vec![Scope::ConsentsWrite],
        created_at: NOW,
        expires_at: NOW.plus_millis(1_000),
        revoked_at: None,
    }
}

#[test]
fn another_implementation_makes_the_same_token() {
    // python3: b32 = lambda b, n: base64.b32encode(b).decode().lower()[:n]; h = lambda s: sha256(s).digest()
    // t = "hgt_" + b32(h(b"headgate/api-token/deployment/v1\0main"), 8) + "_" + b32(bytes([7]*32), 52) + "_"
    // t += b32(h(b"headgate/api-token/check/v1\0" + t.encode()), 8)
    let token = plain();
    assert_eq!(token.expose(), TOKEN);
    // "tok_" + b32(h(b"headgate/api-token/v1\0main\0" + t.encode()), 16)
    assert_eq!(token.hashed("main").id().as_str(), ID);
}

const TOKEN: &str = "hgt_gnxovm33_a4dqobyha4dqobyha4dqobyha4dqobyha4dqobyha4dqobyha4dq_hij6a6mv";
const ID: &str = "tok_473j6z2tikujr3sw";

#[test]
fn a_token_reads_back_and_its_hash_knows_its_deployment() {
    let token = PlainToken::parse(plain().expose(), "main").unwrap();
    assert!(token.hashed("main").is(&plain().hashed("main")));
    assert!(!token.hashed("main").is(&token.hashed("other")));
    let stored = HashedToken::from_text(&token.hashed("main").text()).unwrap();
    assert!(stored.is(&token.hashed("main")));
    assert!(!token.hashed("main").text().contains(token.expose()));
}

#[test]
fn every_changed_letter_is_noticed_without_a_lookup() {
    let good = plain().expose().to_owned();
    for index in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[index] = if bytes[index] == b'b' { b'c' } else { b'b' };
        let changed = String::from_utf8(bytes).unwrap();
        let refused = PlainToken::parse(&changed, "main").err();
        assert!(
            matches!(refused, Some(NotAToken::Form | NotAToken::Check)),
            "at {index}: {refused:?}"
        );
    }
    for cut in 0..good.len() {
        assert!(PlainToken::parse(&good[..cut], "main").is_err(), "{cut}");
    }
    for wrong in [
        format!("{good} "),
        good.to_uppercase(),
        format!("Bearer {good}"),
        good.replace('_', "-"),
    ] {
        assert_eq!(
            PlainToken::parse(&wrong, "main").err(),
            Some(NotAToken::Form)
        );
    }
}

#[test]
fn a_token_of_another_deployment_is_told_apart() {
    let other = PlainToken::from_random("other", &[7; 32]);
    assert_eq!(
        PlainToken::parse(other.expose(), "main").err(),
        Some(NotAToken::OtherDeployment)
    );
}

#[test]
fn nothing_prints_a_token() {
    let token = plain();
    for shown in [
        format!("{token:?}"),
        format!("{:?}", token.hashed("main")),
        format!("{:?}", kept()),
    ] {
        assert!(!shown.contains(&token.expose()[13..65]), "{shown}");
        assert!(!shown.contains(&token.hashed("main").text()), "{shown}");
    }
}

#[test]
fn a_token_opens_until_it_expires_or_is_revoked() {
    let (token, hash) = (kept(), plain().hashed("main"));
    let presented = token.open(&hash, NOW).unwrap();
    assert!(presented.may(Scope::ConsentsWrite) && !presented.may(Scope::ConsentsAttest));
    assert!(token.open(&hash, NOW.plus_millis(999)).is_ok());
    assert_eq!(
        token.open(&hash, NOW.plus_millis(1_000)),
        Err(Turned::Expired)
    );
    let other = PlainToken::from_random("main", &[8; 32]).hashed("main");
    assert_eq!(token.open(&other, NOW), Err(Turned::Unknown));
    let revoked = ApiToken {
        revoked_at: Some(NOW),
        ..token
    };
    for later in [0, 1_000] {
        assert_eq!(
            revoked.open(&hash, NOW.plus_millis(later)),
            Err(Turned::Revoked)
        );
    }
}

#[test]
fn who_may_ask_may_not_say_and_who_may_say_may_not_ask() {
    use Scope::{ConsentsAttest, ConsentsRead, ConsentsWrite};
    let may = |scopes: &[Scope]| {
        let presented = Presented {
            id: plain().hashed("main").id(),
            scopes: scopes.to_vec(),
        };
        Scope::ALL.map(|scope| presented.may(scope))
    };
    assert_eq!(may(&[]), [false, false, false]);
    assert_eq!(may(&[ConsentsWrite]), [true, false, false]);
    assert_eq!(may(&[ConsentsAttest]), [true, true, false]);
    assert_eq!(may(&[ConsentsRead]), [false, false, true]);
    assert_eq!(may(&[ConsentsRead, ConsentsWrite]), [true, false, true]);
}

#[test]
fn scopes_are_a_closed_list() {
    for scope in Scope::ALL {
        assert_eq!(Scope::from_word(scope.word()), Some(scope));
    }
    for wrong in ["", "*", "consents:*", "consents", "CONSENTS:WRITE"] {
        assert_eq!(Scope::from_word(wrong), None);
    }
}

#[test]
fn a_name_names_a_system_and_nobody() {
    for good in ["shop", "crm-2.eu", "POS_7"] {
        assert!(is_name(good), "{good}");
    }
    for bad in ["", "+16135550123", "16135550123", "a b", "é", "x@example"] {
        assert!(!is_name(bad), "{bad}");
    }
    assert!(!is_name(&"a".repeat(MAX_NAME + 1)));
}

proptest! {
    #[test]
    fn every_token_that_was_made_reads_back(random: [u8; 32], deployment in "[a-z][a-z0-9-]{1,20}") {
        let token = PlainToken::from_random(&deployment, &random);
        prop_assert_eq!(token.expose().len(), 4 + 8 + 1 + 52 + 1 + 8);
        prop_assert!(PlainToken::parse(token.expose(), &deployment).is_ok());
        let id = token.hashed(&deployment).id();
        prop_assert_eq!(TokenId::parse(id.as_str()), Ok(id.clone()));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(hgt_)?\\PC*") {
        prop_assert!(PlainToken::parse(&text, "main").is_err());
        TokenId::parse(&text).ok();
    }
}
