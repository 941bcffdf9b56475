//! A body is verified when its header is the HMAC of exactly these bytes under a secret of ours,
//! and never else. The header is the first line of an input, the body is what follows.

#![no_main]

use headgate_fuzz::head_and_rest;
use headgate_webhook::signature::{AppSecret, InvalidSignature, parse_header, verify};
use hmac::{Hmac, KeyInit as _, Mac as _};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;

const CURRENT: &[u8] = b"fuzz-current-app-secret";
const PREVIOUS: &[u8] = b"fuzz-previous-app-secret";
const FOREIGN: &[u8] = b"fuzz-app-secret-of-somebody-else";

fuzz_target!(|input: &[u8]| {
    let (header, body) = head_and_rest(input);
    let secrets = [CURRENT, PREVIOUS].map(|secret| AppSecret::new(secret).expect("not blank"));
    let ours = [CURRENT, PREVIOUS].map(|secret| signed(secret, body));

    // The header as it came: verified if it is one of the two there are, in either case.
    let given = verify(&secrets, Some(header), body);
    let is_ours = header.starts_with(b"sha256=")
        && ours
            .iter()
            .any(|one| one.as_bytes().eq_ignore_ascii_case(header));
    assert_eq!(given.is_ok(), is_ours);
    match given {
        Ok(proof) => assert_eq!(proof.bytes(), body),
        Err(refused) => assert!(
            [
                "the signature has not the form sha256= and 64 hexadecimal digits",
                "the signature was made with another secret or for another body",
            ]
            .contains(&refused.to_string().as_str())
        ),
    }
    assert_eq!(verify(&secrets, None, body), Err(InvalidSignature::Missing));

    // What has the form of a signature means what it says, and nothing else has it.
    if let Ok(bytes) = parse_header(Some(header)) {
        assert!(hex(&bytes).as_bytes().eq_ignore_ascii_case(header));
    }

    // Signatures that are right: for this body, under a secret we know, and for nothing else.
    for right in &ours {
        let proof = verify(&secrets, Some(right.as_bytes()), body).expect("signed");
        assert_eq!(proof.bytes(), body);
        let longer = [body, b"\n"].concat();
        let mut other = body.to_vec();
        if let Some(byte) = other.get_mut(header.len().checked_rem(body.len()).unwrap_or(0)) {
            *byte ^= 1;
        }
        for changed in [longer.as_slice(), &other, body.get(1..).unwrap_or(b"x")] {
            let outcome = verify(&secrets, Some(right.as_bytes()), changed);
            assert_eq!(outcome.is_ok(), changed == body);
        }
        let cut = &right.as_bytes()[..right.len().saturating_sub(1 + header.len() % 64)];
        assert_eq!(
            verify(&secrets, Some(cut), body),
            Err(InvalidSignature::Malformed)
        );
    }
    let forged = signed(FOREIGN, body);
    let outcome = verify(&secrets, Some(forged.as_bytes()), body);
    assert_eq!(outcome, Err(InvalidSignature::Mismatch));
    assert!(
        verify(&[], Some(ours[0].as_bytes()), body).is_err(),
        "no secret verifies"
    );

    // Any text may be a secret but a blank one.
    let blank = header.iter().all(u8::is_ascii_whitespace);
    assert_eq!(AppSecret::new(header).is_err(), blank);
});

fn signed(secret: &[u8], body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    hex(&mac.chain_update(body).finalize().into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}
