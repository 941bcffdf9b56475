//! A claim in bytes: more than a hundred records in one write unit.
//!
//! A claim is written for every block and read only after a crash or a hand-over, so it holds just
//! enough to find its records again: the time and half of the randomness of each ULID, which is a
//! prefix of the record's key. Sorted by time and delta-coded, a record takes about seven bytes; a
//! write unit is 1,024 (dynamodb pricing, read 2026-11).

use crate::lane::Purpose;
use crate::record::RecordRef;

const FORM: u8 = 1;
/// Characters of a ULID that 48 bits of time and 40 of randomness make.
const PREFIX: usize = 18;
const TAIL_BYTES: usize = 5;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Enough of a record's address to find it, within a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShortRef {
    /// The lane.
    pub lane: Purpose,
    /// The outbox shard.
    pub shard: u8,
    /// The first 18 characters of the ULID.
    pub prefix: String,
    /// The attempt it was claimed for.
    pub attempt: u32,
}

impl ShortRef {
    /// Whether it is this record.
    pub fn is(&self, reference: &RecordRef) -> bool {
        self.lane == reference.lane
            && self.shard == reference.shard
            && reference.ulid.starts_with(&self.prefix)
    }
}

/// The bytes of a claim's references; a ULID that is none is left out, and there are none.
pub fn encode(references: &[(RecordRef, u32)]) -> Vec<u8> {
    let mut keys: Vec<(Purpose, u8, u32, u128)> = references
        .iter()
        .filter_map(|(r, attempt)| Some((r.lane, r.shard, *attempt, short(&r.ulid)?)))
        .collect();
    keys.sort_unstable();
    let mut bytes = vec![FORM];
    let mut rest = keys.as_slice();
    while let Some(&(lane, shard, attempt, _)) = rest.first() {
        let group = rest
            .iter()
            .take_while(|(l, s, a, _)| (*l, *s, *a) == (lane, shard, attempt))
            .count();
        let (now, later) = rest.split_at(group);
        rest = later;
        bytes.push(u8::try_from(lane.letter()).unwrap_or(b'?'));
        bytes.push(shard);
        push_varint(&mut bytes, u64::from(attempt));
        push_varint(&mut bytes, u64::try_from(group).unwrap_or(u64::MAX));
        let mut before = 0_u64;
        for (.., key) in now {
            let time = u64::try_from(*key >> 40).unwrap_or(0);
            push_varint(&mut bytes, time.saturating_sub(before));
            before = time;
            let tail = key.to_be_bytes();
            bytes.extend(tail.iter().rev().take(TAIL_BYTES).rev());
        }
    }
    bytes
}

/// The references of a claim; `None` when the bytes are not one.
pub fn decode(bytes: &[u8]) -> Option<Vec<ShortRef>> {
    let (form, mut rest) = bytes.split_first()?;
    if *form != FORM {
        return None;
    }
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (head, after) = rest.split_at_checked(2)?;
        let lane = Purpose::from_letter(char::from(*head.first()?))?;
        let shard = *head.get(1)?;
        rest = after;
        let attempt = u32::try_from(take_varint(&mut rest)?).ok()?;
        let count = take_varint(&mut rest)?;
        let mut time = 0_u64;
        for _ in 0..count {
            time = time.checked_add(take_varint(&mut rest)?)?;
            let (tail, after) = rest.split_at_checked(TAIL_BYTES)?;
            rest = after;
            let tail = tail
                .iter()
                .fold(0_u128, |all, byte| (all << 8) | u128::from(*byte));
            found.push(ShortRef {
                lane,
                shard,
                prefix: prefix((u128::from(time) << 40) | tail)?,
                attempt,
            });
        }
    }
    Some(found)
}

/// Time and the first 40 bits of randomness of a ULID: its first 18 characters, five bits each.
fn short(ulid: &str) -> Option<u128> {
    ulid.bytes().take(PREFIX).try_fold(0_u128, |all, byte| {
        let value = ALPHABET.iter().position(|a| *a == byte)?;
        Some((all << 5) | u128::try_from(value).ok()?)
    })
}

fn prefix(key: u128) -> Option<String> {
    (0..PREFIX)
        .rev()
        .map(|place| {
            let shift = u32::try_from(place).ok()?.checked_mul(5)?;
            let index = usize::try_from(key.checked_shr(shift)? & 31).ok()?;
            ALPHABET.get(index).copied().map(char::from)
        })
        .collect()
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    bytes.push(u8::try_from(value).unwrap_or(0));
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        reason = "tests may fail loudly"
    )]
    use super::*;
    use crate::record::ulid;
    use crate::time::Timestamp;
    use proptest::prelude::*;

    fn reference(lane: Purpose, shard: u8, ms: i64, random: [u8; 10]) -> RecordRef {
        RecordRef {
            number: "106540352242922".into(),
            lane,
            shard,
            ulid: ulid(Timestamp::from_millis(ms), random),
        }
    }

    proptest! {
        #[test]
        fn a_claim_finds_every_record_again(
            records in proptest::collection::vec((0_usize..4, 0_u8..8, 0_i64..(1 << 47), any::<[u8; 10]>(), 1_u32..300), 0..120),
        ) {
            let references: Vec<_> = records.into_iter()
                .map(|(lane, shard, ms, random, attempt)| (reference(crate::lane::PURPOSES[lane], shard, ms, random), attempt))
                .collect();
            let found = decode(&encode(&references)).unwrap();
            prop_assert_eq!(found.len(), references.len());
            for (reference, attempt) in &references {
                prop_assert!(found.iter().any(|f| f.is(reference) && f.attempt == *attempt));
            }
        }

        #[test]
        fn foreign_bytes_are_no_claim_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn a_large_block_fits_into_one_write_unit() {
        let most = u8::try_from(super::super::Tuning::default().large_block).unwrap();
        let references: Vec<_> = (0..most)
            .map(|n| {
                let at = 1_795_000_000_000 + i64::from(n) * 900;
                (
                    reference(Purpose::Marketing, n % 8, at, [n.wrapping_mul(37); 10]),
                    1,
                )
            })
            .collect();
        let bytes = encode(&references).len();
        // What the item has besides: keys, epoch, block, ttl and the names of the attributes.
        assert!(bytes + 120 <= 1_024, "{bytes}");
    }
}
