//! Bytes of any kind as a sealed value: what opens was sealed with this key for this place and is bound to
//! both, nothing opens under two keys, and what is altered does not open.

#![no_main]

use headgate_domain::sealing::{FieldKey, Place, content_key, key_id, open, seal, vault_field_key};
use libfuzzer_sys::fuzz_target;

const PLACE: Place<'_> = Place {
    table: "subjects",
    key: "S#sub_abc/S",
    field: "phone",
};
const ELSEWHERE: Place<'_> = Place {
    field: "bsuid",
    ..PLACE
};

fn keys() -> [FieldKey; 3] {
    [
        vault_field_key(&[1; 32], &[2; 32], "t_fuzz"),
        vault_field_key(&[1; 32], &[3; 32], "t_fuzz"),
        content_key(&[1; 32], &[2; 32], "t_fuzz", "2026-11-22"),
    ]
}

fuzz_target!(|data: &[u8]| {
    as_an_envelope(data);
    // The same bytes sealed, and then one of them changed: which, and how, say the first ones.
    let [first, second, rest @ ..] = data else {
        return;
    };
    let [key, ..] = keys();
    let mut nonce = [0; 12];
    for (byte, from) in nonce.iter_mut().zip(rest) {
        *byte = *from;
    }
    let mut envelope = seal(&key, "vault#1", &PLACE, nonce, rest).expect("it fits");
    as_an_envelope(&envelope);
    let opened = open(&key, &PLACE, &envelope).expect("it was sealed here");
    assert!(opened.reveal() == rest);
    let place = usize::from(u16::from_be_bytes([*first, *second])) % envelope.len();
    envelope[place] ^= 1 << (first % 8);
    assert!(open(&key, &PLACE, &envelope).is_err(), "altered, and open");
});

fn as_an_envelope(envelope: &[u8]) {
    let named = key_id(envelope);
    let opens = |key: &FieldKey| open(key, &PLACE, envelope).is_ok();
    let opened = keys().iter().filter(|key| opens(key)).count();
    // Version 1 does not commit; nobody makes a second key fit it by chance.
    assert!(opened <= 1, "open under two keys");
    if opened == 1 {
        assert!(named.is_ok_and(|id| !id.is_empty()));
        assert!(
            keys()
                .iter()
                .all(|key| open(key, &ELSEWHERE, envelope).is_err())
        );
    }
    if let Err(fault) = named {
        for key in &keys() {
            assert!(
                open(key, &PLACE, envelope).err() == Some(fault),
                "two answers"
            );
        }
    }
}
