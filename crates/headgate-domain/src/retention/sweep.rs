//! Where the sweep finds the rows of a day that have no place in the outbox (docs/adr/0034).
//!
//! Owns the spread over the partitions of the index `by_day`, and which store a row belongs to. Pure: the same
//! row always has the same place.

use super::Store;

/// Over so many partitions of the index the rows of a day are spread: each takes a thousand writes a second.
pub const SWEEP_SHARDS: u8 = 16;

/// The partition of the index that a row is in, by its key: one hexadecimal digit.
pub fn sweep_shard(pk: &str) -> char {
    // FNV-1a, folded: keys end in keyed hashes, so any of their bits would do.
    let hash = pk.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let [a, b, c, d] = hash.to_le_bytes();
    sweep_digit((a ^ b ^ c ^ d) & 0xf)
}

/// The name of the partition of a number below [`SWEEP_SHARDS`].
pub fn sweep_digit(shard: u8) -> char {
    char::from_digit(u32::from(shard), 16).unwrap_or('0')
}

/// The store that a row of the messages table belongs to, by its key.
pub fn store_of(pk: &str) -> Option<Store> {
    let (kind, _rest) = pk.split_once('#')?;
    match kind {
        "O" => Some(Store::Outbox),
        "N" => Some(Store::Inbound),
        "I" => Some(Store::Idempotency),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_day_are_spread_over_all_partitions_evenly() {
        let mut counts = std::collections::BTreeMap::new();
        for n in 0..16_000_u32 {
            *counts
                .entry(sweep_shard(&format!("N#m1_{n:08x}")))
                .or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), usize::from(SWEEP_SHARDS));
        assert!(
            counts.values().all(|count| (800..1_200).contains(count)),
            "{counts:?}"
        );
        assert!((0..SWEEP_SHARDS).all(|shard| counts.contains_key(&sweep_digit(shard))));
    }

    #[test]
    fn a_row_belongs_to_one_store_or_to_none() {
        assert_eq!(store_of("O#1#m#0"), Some(Store::Outbox));
        assert_eq!(store_of("N#m1_x"), Some(Store::Inbound));
        assert_eq!(store_of("I#i1_x"), Some(Store::Idempotency));
        assert_eq!(store_of("X#1"), None);
        assert_eq!(store_of("I"), None);
    }
}
