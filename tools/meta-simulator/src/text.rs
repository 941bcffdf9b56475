//! Small pure functions over numbers and ids: random draws, wamids, phone numbers, user ids.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// The splitmix64 finaliser: one well-mixed number from another, without state.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A uniform share in 0..1 for draw `purpose` of thing `sequence`.
pub(crate) fn draw(seed: u64, sequence: u64, purpose: u64) -> f64 {
    let bits = mix(mix(mix(seed) ^ sequence) ^ purpose) >> 32;
    f64::from(u32::try_from(bits).unwrap_or(0)) / 4_294_967_296.0
}

/// Which way a message went; Meta's ids differ by it.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    FromBusiness,
    FromPerson,
}

/// A message id laid out as Meta's are: a header, the person's digits in ASCII, then hex.
/// That the number is inside is why a wamid is personal data. `noise` must be unique.
pub(crate) fn wamid(digits: Option<&str>, direction: Direction, noise: u64) -> String {
    let mut bytes = vec![0x1c];
    if let Some(digits) = digits {
        bytes.push(0x18);
        bytes.push(u8::try_from(digits.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(digits.as_bytes());
    }
    bytes.extend_from_slice(&[0x15, 0x02, 0x00]);
    let first = mix(noise);
    let second = mix(noise ^ 0x5bd1_e995);
    let hex = format!("{noise:016X}{first:016X}{second:016X}");
    let (mark, length) = match direction {
        Direction::FromBusiness => (0x11, 18),
        Direction::FromPerson => (0x12, 20),
    };
    bytes.extend_from_slice(&[mark, 0x18, length]);
    bytes.extend(hex.bytes().take(usize::from(length)));
    bytes.push(0x00);
    format!("wamid.{}", STANDARD.encode(bytes))
}

/// The shape of `fbtrace_id`.
pub(crate) fn trace_id(noise: u64) -> String {
    let mut bytes = [0_u8; 16];
    bytes[..8].copy_from_slice(&mix(noise).to_be_bytes());
    bytes[8..].copy_from_slice(&mix(noise ^ 1).to_be_bytes());
    format!("A{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Digits of `to` with its country code, or `None` when it is no phone number.
/// Without a `+` Meta puts the business number's own country code in front.
pub(crate) fn phone_digits(to: &str, business: &str) -> Option<String> {
    let (prefix, rest) = match to.trim().strip_prefix('+') {
        Some(rest) => ("", rest),
        None => (country_code(business.trim_start_matches('+')), to.trim()),
    };
    let mut digits = prefix.to_owned();
    for letter in rest.chars() {
        match letter {
            '0'..='9' => digits.push(letter),
            ' ' | '-' | '(' | ')' | '.' => {}
            _ => return None,
        }
    }
    let length = digits.len() - prefix.len();
    ((7..=15).contains(&length) && digits.len() <= 15).then_some(digits)
}

/// Two-digit calling codes; +1 and +7 have one digit, everything else three (ITU E.164 annex).
const TWO_DIGITS: &str = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 \
    58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98";

fn country_code(digits: &str) -> &str {
    if digits.starts_with(['1', '7']) {
        return digits.get(..1).unwrap_or("");
    }
    let two = digits.get(..2).unwrap_or("");
    if TWO_DIGITS.split_ascii_whitespace().any(|code| code == two) {
        two
    } else {
        digits.get(..3).unwrap_or("")
    }
}

/// The user id this portfolio sees for a phone: stable, and not derivable without the seed.
pub(crate) fn bsuid_for(seed: u64, digits: &str) -> String {
    let number = digits
        .bytes()
        .fold(mix(seed), |state, byte| mix(state ^ u64::from(byte)));
    format!(
        "{}.{:019}",
        country(digits),
        number % 10_000_000_000_000_000_000
    )
}

fn country(digits: &str) -> &'static str {
    const CANADA: [&str; 8] = ["204", "416", "438", "514", "587", "604", "613", "780"];
    match country_code(digits) {
        "1" if digits.get(1..4).is_some_and(|area| CANADA.contains(&area)) => "CA",
        "1" => "US",
        "31" => "NL",
        "33" => "FR",
        "34" => "ES",
        "39" => "IT",
        "44" => "GB",
        "49" => "DE",
        "52" => "MX",
        "55" => "BR",
        "60" => "MY",
        "61" => "AU",
        "65" => "SG",
        "81" => "JP",
        "82" => "KR",
        "91" => "IN",
        "852" => "HK",
        "853" => "MO",
        "886" => "TW",
        _ => "ZZ",
    }
}

/// `CC.` and up to 128 letters or digits; a parent id has `ENT.` between.
pub(crate) fn is_bsuid(text: &str) -> bool {
    let Some((country, rest)) = text.split_once('.') else {
        return false;
    };
    let id = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
