//! Links to confirm: another implementation's token, damaged ones, and what a press changes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may fail loudly"
)]
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_794_900_000);
const JTI: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn key() -> ConfirmKey {
    let mut bytes = [0_u8; 32];
    for (byte, value) in bytes.iter_mut().zip(0x20..) {
        *byte = value;
    }
    ConfirmKey::new(bytes)
}

fn token() -> String {
    key().token("t_demo", JTI, Timestamp::from_seconds(1_795_000_000))
}

/// The vector was made with another implementation (Python's `hmac`).
#[test]
fn another_implementation_makes_the_same_token() {
    let expected = "AQFq_YbAAAECAwQFBgcICQoLDA0OD9RWvO34zp1uICImsATRth6tKX3pGguTbKx6M6xqlw3P";
    assert_eq!(token(), expected);
    let opened = key().open("t_demo", expected).unwrap();
    assert_eq!(opened.expires_at, Timestamp::from_seconds(1_795_000_000));
    // python3: base64.urlsafe_b64encode(hashlib.sha256(bytes(range(16))).digest())
    assert_eq!(
        opened.row().as_str(),
        "doi#vkXLJgW_Nr695oSEGijw_UPGmFCj3OX-26aZKO46iZE"
    );
}

#[test]
fn a_token_of_another_deployment_or_key_does_not_open() {
    assert_eq!(key().open("t_other", &token()), Err(NotOurs));
    assert_eq!(
        ConfirmKey::new([9; 32]).open("t_demo", &token()),
        Err(NotOurs)
    );
    let (one, other) = (Pepper::new([1; 32]), Pepper::new([2; 32]));
    let made = ConfirmKey::of(&one).token("main", JTI, NOW);
    assert!(ConfirmKey::of(&one).open("main", &made).is_ok());
    assert_eq!(ConfirmKey::of(&other).open("main", &made), Err(NotOurs));
    assert_eq!(
        ConfirmKey(one).open("main", &made),
        Err(NotOurs),
        "the key is its own"
    );
}

#[test]
fn every_changed_bit_and_every_other_length_is_noticed() {
    let bytes = URL_SAFE_NO_PAD.decode(token()).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let text = URL_SAFE_NO_PAD.encode(changed);
        assert_eq!(key().open("t_demo", &text), Err(NotOurs), "{bit}");
    }
    for cut in 0..72 {
        assert_eq!(key().open("t_demo", &token()[..cut]), Err(NotOurs));
    }
    for wrong in [format!("{}A", token()), format!("{}=", token())] {
        assert_eq!(key().open("t_demo", &wrong), Err(NotOurs));
    }
}

#[test]
fn a_link_is_pressed_once() {
    let token = key().open("t_demo", &token()).unwrap();
    let press = |standing: Option<&Standing>, attempt: &str, at: i64| {
        press(&token, standing, attempt, Timestamp::from_seconds(at))
    };
    let (before, after) = (1_794_999_999, 1_795_000_000);
    assert_eq!(
        press(Some(&Standing::Issued), "a", before),
        Pressed::Confirms
    );
    assert_eq!(press(Some(&Standing::Issued), "a", after), Pressed::Over);
    let confirmed = Standing::Confirmed("a".to_owned());
    assert_eq!(press(Some(&confirmed), "a", before), Pressed::Confirms);
    for at in [before, after] {
        assert_eq!(press(Some(&confirmed), "b", at), Pressed::Already);
        assert_eq!(press(None, "a", at), Pressed::Gone);
    }
}

#[test]
fn the_same_record_has_the_same_link_and_every_other_another() {
    let id = |n: u8| {
        crate::api_token::PlainToken::from_random("main", &[n; 32])
            .hashed("main")
            .id()
    };
    let jti = key().jti("main", &id(1), "r-1");
    assert_eq!(jti, key().jti("main", &id(1), "r-1"));
    for other in [
        key().jti("main", &id(1), "r-2"),
        key().jti("main", &id(2), "r-1"),
        key().jti("other", &id(1), "r-1"),
        ConfirmKey::new([9; 32]).jti("main", &id(1), "r-1"),
    ] {
        assert_ne!(jti, other);
    }
}

#[test]
fn a_no_since_the_attested_yes_ends_a_link() {
    let no = |at: i64| {
        Consent::alone(
            State::Withdrawn,
            Timestamp::from_seconds(at),
            "L0.1",
            "keyword",
        )
    };
    let attested = Timestamp::from_seconds(100);
    assert!(!was_refused(None, attested));
    assert!(!was_refused(Some(&no(99)), attested), "agreed again since");
    assert!(was_refused(Some(&no(100)), attested));
    assert!(was_refused(Some(&no(101)), attested));
    let yes = Consent::alone(State::Given, Timestamp::from_seconds(101), "L0.1", "paper");
    assert!(!was_refused(Some(&yes), attested));
}

#[test]
fn what_is_queued_names_the_row_and_nothing_else_passes_for_it() {
    let row = LinkRow::of(JTI);
    let queued = pressed_record(&row);
    assert_eq!(pressed_row(&queued), Some(row.clone()));
    assert_eq!(LinkRow::parse(row.as_str()), Some(row));
    for bad in [
        queued.replace("pressed-link", "consent"),
        queued.replace("doi#", "api-token#"),
        queued.replace("\"}", "A\"}"),
        queued.replace("\"link\"", "\"row\""),
        queued.replace('}', ",\"x\":1}"),
        String::new(),
    ] {
        assert_eq!(pressed_row(&bad), None, "{bad}");
    }
}

#[test]
fn the_form_of_a_token_is_told_without_a_key() {
    assert!(has_form(&token()) && has_form(&"A".repeat(72)));
    for not in [&token()[1..], &"=".repeat(72), &"é".repeat(36), ""] {
        assert!(!has_form(not), "{not}");
    }
}

#[test]
fn who_fetches_a_link_is_told_from_who_presses_it() {
    const BROWSER: &str = "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/142.0 Mobile";
    let later = NOW.plus_millis(TOO_SOON_MS);
    for fetcher in [
        "WhatsApp/2.25.1 A",
        "facebookexternalhit/1.1",
        "Mozilla/5.0 (compatible; Googlebot/2.1)",
        "",
    ] {
        assert!(is_fetcher(Some(fetcher)), "{fetcher}");
        assert!(
            looks_automatic(Some(fetcher), true, NOW, later),
            "{fetcher}"
        );
    }
    assert!(is_fetcher(None) && !is_fetcher(Some(BROWSER)));
    assert!(!looks_automatic(Some(BROWSER), true, NOW, NOW));
    assert!(looks_automatic(Some(BROWSER), false, NOW, NOW));
    assert!(!looks_automatic(Some(BROWSER), false, NOW, later));
}

proptest! {
    #[test]
    fn every_token_that_was_made_opens(jti: [u8; 16], seconds in 0_u32.., deployment in "[a-z][a-z0-9-]{1,20}") {
        let expires_at = Timestamp::from_seconds(i64::from(seconds));
        let text = key().token(&deployment, jti, expires_at);
        prop_assert_eq!(text.len(), 72);
        prop_assert_eq!(key().open(&deployment, &text), Ok(ConfirmToken { jti, expires_at }));
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        prop_assert_eq!(key().open("main", &text), Err(NotOurs));
        is_fetcher(Some(&text));
    }
}
