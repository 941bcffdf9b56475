#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests may fail loudly"
)]

use super::*;

const PLACE: Place<'_> = Place {
    table: "subjects",
    key: "S#sub_abc/S",
    field: "phone",
};
const KEY_ID: &str = "vault#1";
const PLAINTEXT: &[u8] = b"+16135550100";

fn bytes<const N: usize>(from: u8) -> [u8; N] {
    std::array::from_fn(|index| from + u8::try_from(index).unwrap())
}

fn key() -> FieldKey {
    vault_field_key(&bytes(0), &bytes(32), "t_demo")
}

fn sealed() -> Vec<u8> {
    seal(&key(), KEY_ID, &PLACE, bytes(64), PLAINTEXT).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)])
        .collect()
}

// Made with Python's `cryptography` (OpenSSL) from the formulas of the module documentation:
// key = 00..1f, salt = 20..3f, nonce = 40..4b, deployment t_demo.
#[test]
fn another_implementation_derives_the_same_keys() {
    assert_eq!(
        hex(key().0.expose()),
        "0bfff78b221a5de38414079f5136256c9eb707aafdb8120b9c0dfc1336df1b10"
    );
    let content = content_key(&bytes(0), &bytes(32), "t_demo", "2026-11-22");
    assert_eq!(
        hex(content.0.expose()),
        "e4d33019f9405eda9e9d4d1562a0de9706ec5b2e12447dfd78792843855db1ad"
    );
}

#[test]
fn another_implementation_seals_to_the_same_bytes() {
    assert_eq!(
        hex(&sealed()),
        "0101077661756c742331404142434445464748494a4b\
         4619bdbd4ecd798d73157c7a2c2f8629da0803b1d74e01b38604a5d4"
    );
    let content = content_key(&bytes(0), &bytes(32), "t_demo", "2026-11-22");
    let place = Place {
        table: "messages",
        key: "O#1#a#0/01",
        field: "body",
    };
    let envelope = seal(
        &content,
        "day#2026-11-22",
        &place,
        bytes(64),
        "你好".as_bytes(),
    );
    assert_eq!(
        hex(&envelope.unwrap()),
        "01010e64617923323032362d31312d3232404142434445464748494a4b\
         241fd35fa3a4c4d095f2fee6385d2281a93879e93643"
    );
}

#[test]
fn what_was_sealed_opens_at_its_place() {
    let envelope = sealed();
    assert_eq!(key_id(&envelope), Ok(KEY_ID));
    let opened = open(&key(), &PLACE, &envelope).unwrap();
    assert_eq!(opened.reveal(), PLAINTEXT);
    let empty = seal(&key(), KEY_ID, &PLACE, bytes(0), b"").unwrap();
    assert!(open(&key(), &PLACE, &empty).unwrap().reveal().is_empty());
}

#[test]
fn a_flipped_bit_anywhere_is_noticed() {
    let envelope = sealed();
    for bit in 0..envelope.len() * 8 {
        let mut altered = envelope.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&key(), &PLACE, &altered).is_err(), "bit {bit}");
    }
}

#[test]
fn an_incomplete_or_lengthened_envelope_does_not_open() {
    let envelope = sealed();
    for length in 0..envelope.len() {
        assert!(open(&key(), &PLACE, &envelope[..length]).is_err());
    }
    let mut longer = envelope;
    longer.push(0);
    assert_eq!(open(&key(), &PLACE, &longer), Err(OpenError::Rejected));
    assert_eq!(key_id(&[]), Err(OpenError::Truncated));
    assert_eq!(key_id(&[2, 1, 1, b'k']), Err(OpenError::UnknownVersion));
    assert_eq!(key_id(&[1, 1, 0, 0]), Err(OpenError::KeyId));
}

#[test]
fn a_value_does_not_open_in_another_table_row_or_field() {
    let envelope = sealed();
    let elsewhere = [
        Place {
            table: "messages",
            ..PLACE
        },
        Place {
            key: "S#sub_abd/S",
            ..PLACE
        },
        Place {
            field: "bsuid",
            ..PLACE
        },
    ];
    for place in elsewhere {
        assert_eq!(open(&key(), &place, &envelope), Err(OpenError::Rejected));
    }
}

#[test]
fn places_that_read_the_same_when_joined_are_not_the_same() {
    let envelope = sealed();
    let shifted = [
        Place {
            table: "subject",
            key: "sS#sub_abc/S",
            field: "phone",
        },
        Place {
            table: "subjects",
            key: "S#sub_abc/Sp",
            field: "hone",
        },
        Place {
            table: "subjectsS#sub_abc/S",
            key: "",
            field: "phone",
        },
    ];
    for place in shifted {
        assert_eq!(open(&key(), &place, &envelope), Err(OpenError::Rejected));
    }
    assert_ne!(
        length_prefixed(&[b"ab", b"c"]),
        length_prefixed(&[b"a", b"bc"])
    );
    assert_ne!(length_prefixed(&[b"", b"a"]), length_prefixed(&[b"a", b""]));
}

#[test]
fn every_part_of_a_key_matters() {
    let envelope = sealed();
    let others = [
        vault_field_key(&bytes(1), &bytes(32), "t_demo"),
        vault_field_key(&bytes(0), &bytes(33), "t_demo"),
        vault_field_key(&bytes(0), &bytes(32), "t_demo2"),
        content_key(&bytes(0), &bytes(32), "t_demo", "2026-11-22"),
        content_key(&bytes(0), &bytes(32), "t_demo", ""),
    ];
    for other in others {
        assert_eq!(open(&other, &PLACE, &envelope), Err(OpenError::Rejected));
    }
}

#[test]
fn a_key_id_must_fit_its_length_byte() {
    let seal_under = |id: &str| seal(&key(), id, &PLACE, bytes(0), b"x").map(|_| ());
    assert_eq!(seal_under(""), Err(SealError::KeyId));
    assert_eq!(seal_under(&"k".repeat(256)), Err(SealError::KeyId));
    assert_eq!(seal_under(&"k".repeat(255)), Ok(()));
}

#[test]
fn neither_a_key_nor_an_opened_value_prints() {
    let opened = open(&key(), &PLACE, &sealed()).unwrap();
    assert_eq!(
        format!("{:?} {opened:?}", key()),
        "FieldKey(Secret(…)) Personal(…)"
    );
}
