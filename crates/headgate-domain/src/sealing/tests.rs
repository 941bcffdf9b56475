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

fn from_hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// What was written before there were commitments, for the tests of reading it.
fn sealed_uncommitted(key: &FieldKey, key_id: &str) -> Vec<u8> {
    let payload = Payload {
        msg: PLAINTEXT,
        aad: &PLACE.associated_data(key_id, UNCOMMITTED),
    };
    let nonce = bytes::<NONCE>(64);
    let cipher = Aes256Gcm::new(key.0.expose().into());
    let sealed = cipher.encrypt(&Nonce::from(nonce), payload).unwrap();
    let id_length = u8::try_from(key_id.len()).unwrap();
    [
        &[UNCOMMITTED, AES_256_GCM, id_length],
        key_id.as_bytes(),
        &nonce,
        &sealed,
    ]
    .concat()
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
        "0201077661756c742331404142434445464748494a4b\
         7aaf21c5140ab3949563f84c44a7941b4a477965521a4bd3303da998e64f89c2\
         ac2ebaae4762b795c10f9e1aa8971b85358b5bd5c57a73efd64dc207"
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
        "02010e64617923323032362d31312d3232404142434445464748494a4b\
         73097b703421f7fe85259450651a86d3f122f0aff3b0de0e31d457716efef569\
         5f18ebdb6f0d486f23d7061165afee621146b291d4c3"
    );
}

// The vectors of version 1, made in the same way before there was a second.
#[test]
fn what_was_sealed_before_there_were_commitments_still_opens() {
    let vault = from_hex(
        "0101077661756c742331404142434445464748494a4b\
         4619bdbd4ecd798d73157c7a2c2f8629da0803b1d74e01b38604a5d4",
    );
    assert_eq!(vault, sealed_uncommitted(&key(), KEY_ID));
    assert_eq!(key_id(&vault), Ok(KEY_ID));
    assert_eq!(open(&key(), &PLACE, &vault).unwrap().reveal(), PLAINTEXT);
    let content = content_key(&bytes(0), &bytes(32), "t_demo", "2026-11-22");
    let place = Place {
        table: "messages",
        key: "O#1#a#0/01",
        field: "body",
    };
    let body = from_hex(
        "01010e64617923323032362d31312d3232404142434445464748494a4b\
         241fd35fa3a4c4d095f2fee6385d2281a93879e93643",
    );
    let opened = open(&content, &place, &body).unwrap();
    assert_eq!(opened.reveal(), "你好".as_bytes());
}

#[test]
fn a_key_that_came_after_the_commitments_opens_nothing_without_one() {
    let opens = |id: &str| open(&key(), &PLACE, &sealed_uncommitted(&key(), id)).map(|_| ());
    for id in ["vault#1", "day#2026-11-22", "day#2026-12-31"] {
        assert_eq!(opens(id), Ok(()), "{id}");
    }
    let later = [
        "vault#2",
        "vault#10",
        "vault#1 ",
        "day#2027-01-01",
        "day#",
        "export#1",
        "x",
    ];
    for id in later {
        assert_eq!(opens(id), Err(OpenError::UnknownVersion), "{id}");
    }
}

#[test]
fn neither_version_passes_for_the_other() {
    let mut uncommitted = sealed_uncommitted(&key(), KEY_ID);
    uncommitted[0] = COMMITTING;
    assert!(open(&key(), &PLACE, &uncommitted).is_err());
    // The commitment taken out, too, as whoever wants to be rid of it would.
    let committed = sealed();
    let head = HEADER + KEY_ID.len() + NONCE;
    let mut stripped = [&committed[..head], &committed[head + COMMITMENT..]].concat();
    stripped[0] = UNCOMMITTED;
    assert_eq!(open(&key(), &PLACE, &stripped), Err(OpenError::Rejected));
}

/// A product in the field of GHASH (NIST SP 800-38D, 6.3).
fn times(x: u128, y: u128) -> u128 {
    let (mut product, mut v) = (0, y);
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            product ^= v;
        }
        let carried = v & 1 == 1;
        v >>= 1;
        if carried {
            v ^= 0xe1 << 120;
        }
    }
    product
}

/// `x⁻¹ = x^(2¹²⁸ - 2)`.
fn inverse(x: u128) -> u128 {
    let one = 1 << 127;
    (0..127)
        .fold((one, x), |(result, power), _| {
            let power = times(power, power);
            (times(result, power), power)
        })
        .0
}

/// A ciphertext with a tag that is right under two keys of the cipher, and begins with `text` under the first.
///
/// The tag is linear in each block of the ciphertext, so one block can be chosen in which both tags are the same.
fn salamander(keys: [[u8; 32]; 2], nonce: [u8; NONCE], aad: &[u8], text: [u8; 16]) -> Vec<u8> {
    use aes_gcm::aes::Aes256;
    use aes_gcm::aes::cipher::BlockCipherEncrypt as _;

    let ciphers = keys.map(|key| Aes256Gcm::new((&key).into()));
    let encrypt = |cipher: &Aes256Gcm, msg: &[u8]| {
        let payload = Payload { msg, aad };
        cipher.encrypt(&Nonce::from(nonce), payload).unwrap()
    };
    let xor = |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| a ^ b).collect::<Vec<u8>>();
    let streams = [0, 1].map(|index: usize| encrypt(&ciphers[index], &[0; 32]));
    let mut ciphertext = [xor(&streams[0][..16], &text), vec![0; 16]].concat();
    let sealed = |index: usize, ciphertext: &[u8]| {
        let sealed = encrypt(&ciphers[index], &xor(ciphertext, &streams[index][..32]));
        assert_eq!(&sealed[..32], ciphertext);
        u128::from_be_bytes(sealed[32..].try_into().unwrap())
    };
    let squares = keys.map(|key| {
        let mut block = [0_u8; 16].into();
        Aes256::new((&key).into()).encrypt_block(&mut block);
        let h = u128::from_be_bytes(block.into());
        times(h, h)
    });
    let apart = sealed(0, &ciphertext) ^ sealed(1, &ciphertext);
    let block = times(apart, inverse(squares[0] ^ squares[1]));
    ciphertext[16..].copy_from_slice(&block.to_be_bytes());
    let tag = sealed(0, &ciphertext);
    assert_eq!(tag, sealed(1, &ciphertext), "no salamander");
    ciphertext.extend_from_slice(&tag.to_be_bytes());
    ciphertext
}

const TEXT: [u8; 16] = *b"+16135550100 yes";

#[test]
fn one_ciphertext_of_version_one_opens_under_two_keys() {
    let keys = [bytes(0), bytes(100)];
    let nonce = bytes::<NONCE>(64);
    let aad = PLACE.associated_data(KEY_ID, UNCOMMITTED);
    let sealed = salamander(keys, nonce, &aad, TEXT);
    let head = [UNCOMMITTED, AES_256_GCM, 7];
    let envelope = [&head[..], KEY_ID.as_bytes(), &nonce, &sealed].concat();
    let [first, second] =
        keys.map(|key| open(&FieldKey(Secret::new(key)), &PLACE, &envelope).unwrap());
    assert_eq!(first.reveal()[..16], TEXT);
    assert_ne!(first.reveal(), second.reveal());
}

#[test]
fn one_envelope_of_version_two_opens_under_one_key_whatever_its_ciphertext() {
    let keys = [bytes(0), bytes(100)].map(|key| FieldKey(Secret::new(key)));
    let nonce = bytes::<NONCE>(64);
    let aad = PLACE.associated_data(KEY_ID, COMMITTING);
    let derived =
        [0, 1].map(|index: usize| keys[index].expand(b"headgate/seal/v2/key", &nonce, &aad));
    let sealed = salamander(derived, nonce, &aad, TEXT);
    let commitments = [0, 1].map(|index: usize| keys[index].committing(&nonce, &aad).1);
    for (index, commitment) in commitments.iter().enumerate() {
        let head = [COMMITTING, AES_256_GCM, 7];
        let envelope = [&head[..], KEY_ID.as_bytes(), &nonce, commitment, &sealed].concat();
        assert!(open(&keys[index], &PLACE, &envelope).is_ok());
        // The cipher takes it; the commitment is what does not.
        let payload = Payload {
            msg: &sealed,
            aad: &aad,
        };
        let (cipher, _) = keys[1 - index].committing(&nonce, &aad);
        assert!(cipher.decrypt(&Nonce::from(nonce), payload).is_ok());
        let other = open(&keys[1 - index], &PLACE, &envelope);
        assert_eq!(other, Err(OpenError::Rejected));
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_sealed_opens_under_its_key_at_its_place_and_nowhere_else(
        keys in proptest::array::uniform2(proptest::array::uniform32(proptest::num::u8::ANY)),
        nonce in proptest::array::uniform12(proptest::num::u8::ANY),
        id in "[a-z]{1,9}#[0-9]{1,9}",
        places in proptest::array::uniform2(("[a-z]{0,4}", "[a-z#/]{0,4}", "[a-z]{0,4}")),
        plain in proptest::collection::vec(proptest::num::u8::ANY, 0..80),
    ) {
        let [key, other] = keys.map(|key| FieldKey(Secret::new(key)));
        let [place, elsewhere] = places.each_ref().map(|(table, key, field)| Place { table, key, field });
        let envelope = seal(&key, &id, &place, nonce, &plain).unwrap();
        assert_eq!(envelope.len(), HEADER + id.len() + NONCE + COMMITMENT + plain.len() + TAG);
        assert_eq!(key_id(&envelope), Ok(id.as_str()));
        assert_eq!(open(&key, &place, &envelope).unwrap().reveal(), &plain);
        if keys[0] != keys[1] {
            assert_eq!(open(&other, &place, &envelope), Err(OpenError::Rejected));
        }
        if place != elsewhere {
            assert_eq!(open(&key, &elsewhere, &envelope), Err(OpenError::Rejected));
        }
    }
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
    assert_eq!(key_id(&[3, 1, 1, b'k']), Err(OpenError::UnknownVersion));
    assert_eq!(key_id(&[2, 2, 1, b'k']), Err(OpenError::UnknownVersion));
    assert_eq!(key_id(&[2, 1, 0, 0]), Err(OpenError::KeyId));
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
