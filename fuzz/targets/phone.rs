//! A text of any kind as a telephone number: one number has one spelling, whichever way it is
//! written, because a pseudonym is made from it; and neither `Debug` nor an error shows it.

#![no_main]

use headgate_domain::identity::Phone;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(phone) = Phone::parse(text) else {
        let refused = Phone::parse(text).expect_err("the same twice").to_string();
        assert!(!refused.bytes().any(|byte| byte.is_ascii_digit()));
        return wa_id(text);
    };
    one_spelling(&phone);

    // What is left out when a number is written without separators makes no difference.
    let bare: String = text
        .chars()
        .filter(|c| *c == '+' || c.is_ascii_digit())
        .collect();
    assert!(Phone::parse(&bare) == Ok(phone.clone()));
    let digits = bare.trim_start_matches('+');
    assert!(Phone::from_wa_id(digits) == Ok(phone.clone()));
    let (first, rest) = phone.reveal().split_at(2);
    let spread = format!(" {first}-({rest})\u{a0}");
    assert!(
        Phone::parse(&spread) == Ok(phone),
        "separators make another person"
    );
});

fn wa_id(text: &str) {
    if let Ok(phone) = Phone::from_wa_id(text) {
        assert!(text.bytes().all(|byte| byte.is_ascii_digit()));
        one_spelling(&phone);
    }
}

fn one_spelling(phone: &Phone) {
    let text = phone.reveal();
    let digits = text.strip_prefix('+').expect("E.164 has a +");
    assert!((2..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()));
    assert!(
        Phone::parse(text).as_ref() == Ok(phone),
        "reading again makes another person"
    );
    assert!(Phone::from_wa_id(digits).as_ref() == Ok(phone));
    assert_eq!(format!("{phone:?}"), "Phone(Personal(…))");
    assert!(digits.starts_with(&phone.calling_code().to_string()));
    let region = phone.region();
    assert!(region.is_none_or(|region| region.len() == 2));
    let _warning: bool = phone.is_valid_number();
}
