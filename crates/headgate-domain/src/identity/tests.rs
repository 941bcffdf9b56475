#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::format_push_string,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::*;

fn pepper() -> Pepper {
    Pepper::new(std::array::from_fn(|index| u8::try_from(index).unwrap()))
}

fn parsed(text: &str) -> Result<String, InvalidPhone> {
    Phone::parse(text).map(|phone| phone.reveal().to_owned())
}

#[test]
fn one_number_has_one_spelling() {
    for (written, kept) in [
        ("+16135550100", "+16135550100"),
        ("+1 (613) 555-0100", "+16135550100"),
        (" +1 613\u{a0}555 0100 ", "+16135550100"),
        ("+44 7700 900123", "+447700900123"),
        ("+44 (0) 7700 900123", "+447700900123"),
        ("+65 9123 4567", "+6591234567"),
        ("+852 5555 0100", "+85255550100"),
        ("+39 06 5555 0100", "+390655550100"),
        ("+225 01 02 03 04 05", "+2250102030405"),
        ("+54 9 11 5555 0100", "+5491155550100"),
    ] {
        assert_eq!(parsed(written).as_deref(), Ok(kept), "{written}");
    }
}

#[test]
fn whatsapps_older_spellings_are_the_same_person() {
    let pairs = [
        ("5215555550100", "+525555550100"),
        ("551155550100", "+551155550100"), // a landline stays as it is
        ("551195550100", "+5511995550100"),
    ];
    for (wa_id, kept) in pairs {
        assert_eq!(Phone::from_wa_id(wa_id).unwrap().reveal(), kept);
        assert_eq!(Phone::from_wa_id(wa_id), Phone::parse(kept));
    }
    assert_eq!(
        Phone::from_wa_id("+6591234567"),
        Err(InvalidPhone::Character)
    );
}

#[test]
fn the_country_is_never_guessed() {
    for text in [
        "6135550100",
        "16135550100",
        "0044 7700 900123",
        "",
        "tel:+16135550100",
    ] {
        assert_eq!(parsed(text), Err(InvalidPhone::NoCountryCode), "{text}");
    }
}

#[test]
fn what_cannot_be_a_number_is_refused() {
    for (text, why) in [
        ("+", InvalidPhone::UnknownCountry),
        ("+0 613 555 0100", InvalidPhone::UnknownCountry),
        ("+999 613 555 0100", InvalidPhone::UnknownCountry),
        ("+1 613 555 010", InvalidPhone::NotPossible),
        ("+1 613 555 01000", InvalidPhone::NotPossible),
        ("+1 613 555 0100 0000 0000", InvalidPhone::NotPossible),
        ("+1 613 555 0100 ext. 2", InvalidPhone::Character),
        ("+1 613 555 ٠١٠٠", InvalidPhone::Character),
        ("++16135550100", InvalidPhone::Character),
    ] {
        assert_eq!(parsed(text), Err(why), "{text}");
    }
}

#[test]
fn possible_is_enough_and_valid_is_only_a_remark() {
    let fictional = Phone::parse("+1 555 555 0100").unwrap();
    assert!(!fictional.is_valid_number());
    assert_eq!(fictional.calling_code(), 1);
    let canadian = Phone::parse("+1 613 555 0100").unwrap();
    assert!(canadian.is_valid_number());
    assert_eq!(canadian.region().as_deref(), Some("CA"));
    assert_eq!(
        Phone::parse("+6591234567").unwrap().region().as_deref(),
        Some("SG")
    );
}

#[test]
fn a_business_scoped_id_is_kept_verbatim_and_checked_by_shape() {
    let longest = format!("US.{}", "a".repeat(128));
    for text in [
        "BR.1502576394655843",
        "US.ENT.13491208655302741918",
        "US.ENT",
        &longest,
    ] {
        assert_eq!(Bsuid::parse(text).unwrap().reveal(), text);
    }
    let too_long = format!("{longest}a");
    for text in [
        "", "BR", "BR.", "br.1", "BRA.1", "US.ENT.", "US.a b", "US.é", "US.1.2", &too_long,
    ] {
        assert_eq!(Bsuid::parse(text), Err(InvalidBsuid), "{text}");
    }
    assert!(Bsuid::parse("US.ENT.1").unwrap().is_parent());
    assert!(!Bsuid::parse("US.ENT1").unwrap().is_parent());
    assert_eq!(Bsuid::parse("BR.1").unwrap().country(), Some("BR"));
}

#[test]
fn a_message_id_is_opaque() {
    let text = "wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBI3N0EyQUJDMjFEQzZCQUMzODMA";
    assert_eq!(Wamid::parse(text).unwrap().reveal(), text);
    let too_long = format!("wamid.{}", "A".repeat(507));
    for text in ["", "wamid.", "WAMID.A", "wamid.A B", "wamid.A\n", &too_long] {
        assert_eq!(Wamid::parse(text), Err(InvalidWamid));
    }
}

#[test]
fn a_subject_id_is_128_random_bits_in_base32() {
    // python3 -c "import base64; print(base64.b32encode(bytes(range(16))).decode().lower())"
    let bytes = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let id = SubjectId::from_random(bytes);
    assert_eq!(id.as_str(), "sub_aaaqeayeaudaocajbifqydiob4");
    assert_eq!(SubjectId::parse(id.as_str()), Ok(id));
    let last = SubjectId::from_random([0xff; 16]);
    assert_eq!(last.as_str(), "sub_77777777777777777777777774");
    for text in [
        "",
        "sub_",
        "aaaqeayeaudaocajbifqydiob4",
        "sub_AAAQEAYEAUDAOCAJBIFQYDIOB4",
        "sub_aaaqeayeaudaocajbifqydiob41",
        "sub_aaaqeayeaudaocajbifqydiob1",
    ] {
        assert_eq!(SubjectId::parse(text), Err(InvalidSubjectId), "{text}");
    }
}

// Made by another implementation (Python's hmac) from the written formula.
const VECTORS: [(Kind, &str, &str); 4] = [
    (
        Kind::Phone,
        "+6591234567",
        "s1_J6FSmHloYYZC6s7u2arevaN3LuO8R8_gPaNb4QCBZOU",
    ),
    (
        Kind::Bsuid,
        "BR.1502576394655843",
        "b1_dJFckWV4eajDfLlOuqJ0bvrcGMLYoWFwc-PD3pksMao",
    ),
    (
        Kind::Message,
        "wamid.HBgLMTY1MDM4Nzk0MzkVAgARGBI3N0EyQUJDMjFEQzZCQUMzODMA",
        "m1_ztIHPag88ZGJolNrwkk6jLZcqd0OVCoNrlybVwiQF94",
    ),
    (
        Kind::Suppression,
        "+6591234567",
        "x1_xhYDRHpCTDus80oWNCWS38a6wy_nDlD8k1nA2DBjPDM",
    ),
];

#[test]
fn another_implementation_computes_the_same_pseudonyms() {
    for (kind, value, expected) in VECTORS {
        let name = pseudonym(&pepper(), kind, 1, "t_demo", value);
        assert_eq!(name.as_str(), expected);
        assert_eq!(name.kind(), Some(kind));
        assert_eq!(Pseudonym::parse(expected), Ok(name));
    }
}

#[test]
fn kind_version_deployment_and_pepper_all_change_the_name() {
    let value = "+6591234567";
    let base = pseudonym(&pepper(), Kind::Phone, 1, "t_demo", value);
    let others = [
        pseudonym(&pepper(), Kind::Suppression, 1, "t_demo", value),
        pseudonym(&pepper(), Kind::Phone, 2, "t_demo", value),
        pseudonym(&pepper(), Kind::Phone, 1, "t_demo2", value),
        pseudonym(&Pepper::new([7; 32]), Kind::Phone, 1, "t_demo", value),
    ];
    for other in others {
        assert_ne!(other.as_str()[3..], base.as_str()[3..]);
    }
}

/// All numbers of a country are tried against a hash without a key in seconds.
#[test]
fn no_plain_hash_of_a_number_is_its_pseudonym() {
    let number = "+16135550123";
    let name = pseudonym(&pepper(), Kind::Phone, 1, "t_demo", number);
    let (kind, hash) = name.as_str().split_once('_').unwrap();
    let letter = kind.trim_end_matches('1');
    for guess in [number, &number[1..], &number[2..]] {
        for text in [
            guess.to_owned(),
            format!("headgate\0{letter}\0v1\0t_demo\0{guess}"),
        ] {
            let plain = Sha256::digest(text.as_bytes());
            assert_ne!(hash, URL_SAFE_NO_PAD.encode(plain), "{text}");
        }
    }
    let under_no_key = pseudonym(&Pepper::new([0; 32]), Kind::Phone, 1, "t_demo", number);
    assert_ne!(name, under_no_key);
}

#[test]
fn an_identifier_is_looked_up_and_suppressed_under_unrelated_names() {
    let identifier = Identifier::from(Phone::parse("+6591234567").unwrap());
    let name = identifier.pseudonym(&pepper(), 1, "t_demo");
    let suppressed = identifier.suppression_key(&pepper(), 1, "t_demo");
    assert_eq!(name.as_str(), VECTORS[0].2);
    assert_eq!(suppressed.as_str(), VECTORS[3].2);
    assert_eq!(name.short().to_string(), "s1_J6FSm");
}

#[test]
fn what_is_not_a_pseudonym_is_refused() {
    let hash = "J6FSmHloYYZC6s7u2arevaN3LuO8R8_gPaNb4QCBZOU";
    for head in ["", "s", "s0", "s01", "s+1", "z1", "s4294967296"] {
        let text = format!("{head}_{hash}");
        assert_eq!(Pseudonym::parse(&text), Err(InvalidPseudonym), "{text}");
    }
    for text in [
        "",
        "s1",
        "s1_",
        "s1_J6FSm",
        &format!("s1_{hash}="),
        &format!("s1_{hash}A"),
    ] {
        assert_eq!(Pseudonym::parse(text), Err(InvalidPseudonym), "{text}");
    }
}

/// No run of so many characters of the secret part may stand in what is printed. Of letters it takes a
/// longer run than of digits: four of them stand in some word by chance.
fn hides(printed: &str, secret: &str, run: usize) -> bool {
    let secret: Vec<char> = secret.chars().collect();
    secret
        .windows(run)
        .all(|run| !printed.contains(&run.iter().collect::<String>()))
}

#[test]
fn a_number_with_two_trunk_prefixes_is_nobodys() {
    assert_eq!(
        Phone::from_wa_id("60000000000"),
        Err(InvalidPhone::NotPossible)
    );
}

proptest! {
    #[test]
    fn no_text_makes_parsing_panic(text in "\\PC*") {
        let results = (
            Phone::parse(&text).is_ok(),
            Phone::parse(&format!("+{text}")).is_ok(),
            Phone::from_wa_id(&text).is_ok(),
            Bsuid::parse(&text).is_ok(),
            Wamid::parse(&text).is_ok(),
            SubjectId::parse(&text).is_ok(),
            Pseudonym::parse(&text).is_ok(),
        );
        prop_assert!(!results.5, "random text is no subject id");
    }

    #[test]
    fn a_kept_number_is_its_own_spelling(digits in "[1-9][0-9]{5,15}") {
        if let Ok(phone) = Phone::from_wa_id(&digits) {
            prop_assert_eq!(Phone::parse(phone.reveal()), Ok(phone.clone()));
            // Neither remark about a number may panic on a number no plan contains.
            let remarks = (phone.is_valid_number(), phone.region());
            prop_assert!(!remarks.0 || phone.calling_code() > 0);
            prop_assert!(remarks.1.is_none_or(|region| region.len() == 2));
        }
    }

    #[test]
    fn nothing_prints_what_it_holds(digits in "[0-9]{10}") {
        let mut printed = String::new();
        if let Ok(phone) = Phone::parse(&format!("+1{digits}")) {
            printed += &format!("{phone:?}{:?}", Identifier::from(phone.clone()));
        }
        if let Err(error) = Phone::parse(&format!("+0{digits}")) {
            printed += &format!("{error:?}{error}");
        }
        let bsuid = Bsuid::parse(&format!("CA.{digits}")).unwrap();
        let wamid = Wamid::parse(&format!("wamid.{digits}")).unwrap();
        let name = pseudonym(&pepper(), Kind::Phone, 1, "t_demo", &digits);
        printed += &format!("{bsuid:?}{:?}{wamid:?}{name:?}", Identifier::from(bsuid.clone()));
        prop_assert!(hides(&printed, &digits, 4), "{}", printed);
        prop_assert!(hides(&printed, &name.as_str()[3..], 8));
    }

    #[test]
    fn a_subject_id_survives_and_does_not_print_in_debug(random: [u8; 16]) {
        let id = SubjectId::from_random(random);
        prop_assert_eq!(SubjectId::parse(id.as_str()), Ok(id.clone()));
        prop_assert_eq!(format!("{id:?}"), "SubjectId(…)");
    }
}
