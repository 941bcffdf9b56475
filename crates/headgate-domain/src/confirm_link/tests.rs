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
        opened.row(),
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
        assert_eq!(press(Some(&Standing::Revoked), "a", at), Pressed::Gone);
        assert_eq!(press(None, "a", at), Pressed::Gone);
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
            needs_message_in(Some(fetcher), true, NOW, later),
            "{fetcher}"
        );
    }
    assert!(is_fetcher(None) && !is_fetcher(Some(BROWSER)));
    assert!(!needs_message_in(Some(BROWSER), true, NOW, NOW));
    assert!(needs_message_in(Some(BROWSER), false, NOW, NOW));
    assert!(!needs_message_in(Some(BROWSER), false, NOW, later));
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
