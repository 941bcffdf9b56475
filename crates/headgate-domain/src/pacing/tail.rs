//! What a holder leaves behind for its successor.
//!
//! Owns the form of it, in memory and in bytes. Ages are rounded down: a send that seems younger than
//! it is only makes the successor wait.

use super::SPAN_NS;

/// Twenty microseconds: a little more than a second then fits in 16 bits.
const TICK_NS: u64 = 20_000;
const MILLISECOND_NS: u64 = 1_000_000;
/// The first byte: the form of what follows.
const FORM: u8 = 1;

/// How long before its release a holder sent, and what was left of its pace.
///
/// In bytes: the form (1), the share in thousandths (2), the rest of a pause in milliseconds (4), then
/// one age per send in ticks of 20 µs (2), oldest first; all big-endian. 1,000 sends are 2,007 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tail {
    share_permille: u16,
    rest_ms: u32,
    /// Oldest first, so never rising.
    ages: Vec<u16>,
}

impl Default for Tail {
    /// The tail of a holder who sent nothing.
    fn default() -> Self {
        Self {
            share_permille: 1_000,
            rest_ms: 0,
            ages: Vec::new(),
        }
    }
}

impl Tail {
    pub(super) fn new(ages_ns: impl Iterator<Item = u64>, share: u64, rest_ns: u64) -> Self {
        Self {
            share_permille: u16::try_from(share).unwrap_or(1_000).min(1_000),
            rest_ms: u32::try_from(rest_ns.div_ceil(MILLISECOND_NS)).unwrap_or(u32::MAX),
            ages: ages_ns
                .filter(|age| *age < SPAN_NS)
                .map(|age| u16::try_from(age / TICK_NS).unwrap_or(u16::MAX))
                .collect(),
        }
    }

    /// The tail after so many milliseconds in which nobody sent: rests shrink, the rest is kept to be safe.
    #[must_use]
    pub fn rested(mut self, ms: u64) -> Self {
        let ms = u32::try_from(ms).unwrap_or(u32::MAX);
        self.rest_ms = self.rest_ms.saturating_sub(ms);
        self
    }

    pub(super) fn share_permille(&self) -> u64 {
        u64::from(self.share_permille)
    }

    pub(super) fn rest_ns(&self) -> u64 {
        u64::from(self.rest_ms).saturating_mul(MILLISECOND_NS)
    }

    pub(super) fn ages_ns(&self) -> impl Iterator<Item = u64> + '_ {
        self.ages
            .iter()
            .map(|ticks| u64::from(*ticks).saturating_mul(TICK_NS))
    }

    /// The bytes to be stored beside FREE.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORM];
        bytes.extend(self.share_permille.to_be_bytes());
        bytes.extend(self.rest_ms.to_be_bytes());
        for age in &self.ages {
            bytes.extend(age.to_be_bytes());
        }
        bytes
    }

    /// The tail in these bytes; nothing when they are not one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (form, rest) = bytes.split_first()?;
        let (share, rest) = rest.split_first_chunk::<2>()?;
        let (rest_ms, ages) = rest.split_first_chunk::<4>()?;
        let (ages, odd) = ages.as_chunks::<2>();
        let share_permille = u16::from_be_bytes(*share);
        let ages: Vec<u16> = ages.iter().map(|age| u16::from_be_bytes(*age)).collect();
        let sound = *form == FORM
            && share_permille <= 1_000
            && odd.is_empty()
            && ages.is_sorted_by(|older, younger| older >= younger);
        sound.then(|| Self {
            share_permille,
            rest_ms: u32::from_be_bytes(*rest_ms),
            ages,
        })
    }
}
