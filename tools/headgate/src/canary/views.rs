//! What a text says when it is decoded: percent signs, escapes of JSON, base64 and hexadecimal.
//!
//! Owns the decoders of the canary search, which take whatever looks as if it could be encoded, from wherever it may
//! begin. Promises that nothing is too damaged to be looked at. Knows nothing of what is searched for.

/// A text without what people write between the digits of a number.
pub(super) fn without_punctuation(text: &[u8]) -> Vec<u8> {
    let kept = text.iter().filter(|byte| !b" -().+/".contains(byte));
    kept.copied().collect()
}

/// Everything a text could say; runs that decode to fewer than `shortest` bytes are left out.
pub(super) fn decoded(text: &[u8], shortest: usize) -> Vec<Vec<u8>> {
    let mut views = Vec::new();
    if text.contains(&b'%') || text.contains(&b'+') {
        let decoded = percent(text);
        // Forms write a space as a plus sign.
        let spaced = decoded.iter().map(|b| if *b == b'+' { b' ' } else { *b });
        views.push(spaced.collect());
        views.push(decoded);
    }
    if text.contains(&b'\\') {
        views.push(unescaped(text));
    }
    for run in runs(text, is_base64, shortest * 4 / 3) {
        // It may begin anywhere within a group of four.
        for offset in 0..4 {
            views.extend(
                run.get(offset..)
                    .map(base64)
                    .filter(|v| v.len() >= shortest),
            );
        }
    }
    for run in runs(text, |byte| byte.is_ascii_hexdigit(), shortest * 2) {
        for offset in 0..2 {
            views.extend(run.get(offset..).map(hexadecimal));
        }
    }
    views
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// The longest parts of a text that consist of such bytes alone.
fn runs(text: &[u8], is_part: impl Fn(u8) -> bool, shortest: usize) -> impl Iterator<Item = &[u8]> {
    text.split(move |byte| !is_part(*byte))
        .filter(move |run| run.len() >= shortest)
}

fn percent(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, more)) = rest.split_first() {
        let code = more.first_chunk::<2>().filter(|_| *first == b'%');
        if let Some([high, low]) = code.and_then(|code| pair(*code)) {
            out.push(high << 4 | low);
            rest = more.get(2..).unwrap_or_default();
        } else {
            out.push(*first);
            rest = more;
        }
    }
    out
}

fn pair([high, low]: [u8; 2]) -> Option<[u8; 2]> {
    Some([nibble(high)?, nibble(low)?])
}

fn nibble(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// The text of a JSON string, of whatever is one.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text;
    while let Some((first, more)) = rest.split_first() {
        let escape = more.first().filter(|_| *first == b'\\');
        if escape == Some(&b'u')
            && let Some(unit) = more.get(1..5).and_then(unit)
        {
            units.push(unit);
            rest = more.get(5..).unwrap_or_default();
            continue;
        }
        write(&mut units, &mut out);
        let (byte, length) = match escape {
            Some(b'n') => (b'\n', 2),
            Some(b't') => (b'\t', 2),
            Some(b'r') => (b'\r', 2),
            Some(other) => (*other, 2),
            None => (*first, 1),
        };
        out.push(byte);
        rest = rest.get(length..).unwrap_or_default();
    }
    write(&mut units, &mut out);
    out
}

fn unit(digits: &[u8]) -> Option<u16> {
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn write(units: &mut Vec<u16>, out: &mut Vec<u8>) {
    out.extend(String::from_utf16_lossy(units).into_bytes());
    units.clear();
}

/// Base64 of either alphabet, as far as it has whole bytes.
fn base64(run: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(run.len());
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in run {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff).to_le_bytes()[0]);
            bits &= (1 << held) - 1;
        }
    }
    out
}

fn hexadecimal(run: &[u8]) -> Vec<u8> {
    let (pairs, _odd) = run.as_chunks::<2>();
    let bytes = pairs.iter().filter_map(|code| pair(*code));
    bytes.map(|[high, low]| high << 4 | low).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read() {
        assert_eq!(percent(b"a%2Bb%zz%2"), b"a+b%zz%2");
        assert_eq!(
            unescaped(br#"\"\\\n\u00e9\ud83e\udda9\u12"#),
            "\"\\\né🦩u12".as_bytes()
        );
        assert_eq!(base64(b"aGVsbG8"), b"hello");
        assert_eq!(base64(b"-_-_"), base64(b"+/+/"));
        assert_eq!(hexadecimal(b"68656C6c6f"), b"hello");
        assert_eq!(without_punctuation(b"+1 (613) 555-01.23"), b"16135550123");
    }

    #[test]
    fn a_run_is_read_from_wherever_it_may_begin() {
        for before in ["", "a", "bc", "xyz"] {
            let text = format!("\"{before}aGVsbG8gd29ybGQ\"");
            let views = decoded(text.as_bytes(), 6);
            assert!(
                views.iter().any(|view| view.starts_with(b"hello world")),
                "{text}"
            );
        }
        let odd = decoded(b"068656c6c6f20776f", 6);
        assert!(odd.iter().any(|view| view == b"hello wo"));
    }
}
