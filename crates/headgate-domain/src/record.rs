//! The message record: its address, its states, and which notification may move it.
//!
//! Statuses rank sent < delivered < read < played; failed is terminal; Meta promises neither order
//! nor uniqueness, so a record only ever moves up.

use std::fmt;

use crate::lane::Purpose;

/// The most outbox shards a lane has; a record reference spells the shard as one digit.
pub const MAX_SHARDS: u8 = 8;
/// From this rate on one partition of the table is not enough for a lane.
const MANY_PER_SECOND: u32 = 200;

/// How many outbox shards of a lane are written: marketing always has several, so that campaigns can be
/// told apart before they are read; the others only where one partition would be too hot.
pub const fn shards(lane: Purpose, per_second: u32) -> u8 {
    match lane {
        Purpose::Marketing => MAX_SHARDS,
        Purpose::Authentication | Purpose::Service | Purpose::Utility => {
            if per_second > MANY_PER_SECOND {
                MAX_SHARDS
            } else {
                1
            }
        }
    }
}

/// The outbox shard a new record goes to: that of its campaign, so that a large campaign does not hide
/// a small one, or any one where a single campaign would be too hot for a partition.
pub fn shard(lane: Purpose, per_second: u32, campaign: Option<&str>, random: u8) -> u8 {
    let shards = shards(lane, per_second);
    let place = if per_second > MANY_PER_SECOND {
        random
    } else {
        // FNV-1a: spreads short names well, and is the same in every process.
        let hash = campaign
            .unwrap_or_default()
            .bytes()
            .fold(0x811c_9dc5_u32, |h, b| {
                (h ^ u32::from(b)).wrapping_mul(0x0100_0193)
            });
        let [a, b, c, d] = hash.to_le_bytes();
        a ^ b ^ c ^ d
    };
    place.checked_rem(shards).unwrap_or(0)
}

/// The address of a message record; spells the item's key, so no index is needed to find it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordRef {
    /// Meta's phone number id (not a phone number).
    pub number: String,
    /// The lane.
    pub lane: Purpose,
    /// The outbox shard.
    pub shard: u8,
    /// The sort key: 26 characters, ordered by time.
    pub ulid: String,
}

impl RecordRef {
    /// Parses `<number>.<lane>.<shard>.<ulid>`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let number = parts.next().filter(|n| is_number_id(n))?;
        let lane = parts
            .next()
            .and_then(single_char)
            .and_then(Purpose::from_letter)?;
        let shard = parts.next().and_then(single_char)?.to_digit(10)?;
        let ulid = parts.next().filter(|u| is_ulid(u))?;
        if parts.next().is_some() {
            return None;
        }
        Some(Self {
            number: number.to_owned(),
            lane,
            shard: u8::try_from(shard).ok()?,
            ulid: ulid.to_owned(),
        })
    }

    /// The address that an item's keys spell.
    pub fn from_key(pk: &str, sk: &str) -> Option<Self> {
        let place = pk.strip_prefix("O#")?.replace('#', ".");
        Self::parse(&format!("{place}.{sk}"))
    }

    /// Parses the public id an app knows, `msg_…`.
    pub fn from_message_id(text: &str) -> Option<Self> {
        Self::parse(text.strip_prefix("msg_")?)
    }

    /// The public id an app knows.
    pub fn message_id(&self) -> String {
        format!("msg_{self}")
    }

    /// The partition key in the `messages` table.
    pub fn pk(&self) -> String {
        outbox_pk(&self.number, self.lane, self.shard)
    }

    /// What goes to Meta as `biz_opaque_callback_data` on the given attempt.
    pub fn opaque(&self, attempt: u32) -> String {
        format!("hg1.{self}.{attempt}")
    }

    /// Reads our own `biz_opaque_callback_data`; other prefixes are somebody else's.
    pub fn from_opaque(text: &str) -> Option<(Self, u32)> {
        let (reference, attempt) = text.strip_prefix("hg1.")?.rsplit_once('.')?;
        Some((Self::parse(reference)?, attempt.parse().ok()?))
    }
}

/// The outbox partition of a number's lane and shard.
pub fn outbox_pk(number: &str, lane: Purpose, shard: u8) -> String {
    format!("O#{number}#{}#{shard}", lane.letter())
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}.{}.{}",
            self.number,
            self.lane.letter(),
            self.shard,
            self.ulid
        )
    }
}

fn single_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_only| chars.next().is_none())
}

/// Whether the text can be a phone number id: digits as Meta gives them.
pub fn is_number_id(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_ulid(text: &str) -> bool {
    text.len() == 26
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b.is_ascii_uppercase() && !b"ILOU".contains(&b)))
}

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A ULID for the given time and 80 random bits (<https://github.com/ulid/spec>, read 2026-11).
pub fn ulid(at: crate::time::Timestamp, random: [u8; 10]) -> String {
    let time = u128::from(u64::try_from(at.millis()).unwrap_or(0) & 0xFFFF_FFFF_FFFF);
    let entropy = random
        .iter()
        .fold(0_u128, |acc, b| (acc << 8) | u128::from(*b));
    let value = (time << 80) | entropy;
    (0..26_u32)
        .rev()
        .map(|i| {
            let index = usize::try_from((value >> i.saturating_mul(5)) & 31).unwrap_or(0);
            char::from(CROCKFORD.get(index).copied().unwrap_or(b'0'))
        })
        .collect()
}

/// The smallest ULID of a moment, for cursors.
pub fn ulid_floor(at: crate::time::Timestamp) -> String {
    ulid(at, [0; 10])
}

/// The moment that a ULID was made at; `None` for what is none.
pub fn ulid_time(ulid: &str) -> Option<crate::time::Timestamp> {
    let time = ulid.as_bytes().get(..10)?;
    let millis = time.iter().try_fold(0_i64, |millis, byte| {
        let digit = CROCKFORD.iter().position(|known| known == byte)?;
        millis
            .checked_mul(32)?
            .checked_add(i64::try_from(digit).ok()?)
    });
    millis.map(crate::time::Timestamp::from_millis)
}

/// Where a message record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// In the outbox, to be sent when its turn comes.
    Queued,
    /// In the outbox, not before its time.
    Scheduled,
    /// Meta answered 2xx with a message id.
    Accepted,
    /// Meta accepted the message but holds it back for a quality check.
    Held,
    /// The outcome of the send is unknown; a notification or a timer decides.
    Ambiguous,
    /// Meta's status *sent*.
    Sent,
    /// Meta's status *delivered*.
    Delivered,
    /// Meta's status *read*.
    Read,
    /// Meta's status *played* (voice).
    Played,
    /// Meta said no, now or later.
    Failed,
    /// The outcome stayed unknown, and the policy is not to send again.
    Unknown,
    /// Stopped before it reached the wire.
    Cancelled,
}

impl State {
    /// The word stored in the record.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Scheduled => "SCHEDULED",
            Self::Accepted => "ACCEPTED",
            Self::Held => "HELD",
            Self::Ambiguous => "AMBIGUOUS",
            Self::Sent => "SENT",
            Self::Delivered => "DELIVERED",
            Self::Read => "READ",
            Self::Played => "PLAYED",
            Self::Failed => "FAILED",
            Self::Unknown => "UNKNOWN",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The state behind a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Queued,
            Self::Scheduled,
            Self::Accepted,
            Self::Held,
            Self::Ambiguous,
            Self::Sent,
            Self::Delivered,
            Self::Read,
            Self::Played,
            Self::Failed,
            Self::Unknown,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|s| s.word() == word)
    }

    /// A record moves only to a higher rank, so order and repetition of notifications do not matter.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Queued | Self::Scheduled => 0,
            Self::Ambiguous => 1,
            Self::Cancelled | Self::Unknown => 2,
            Self::Held => 3,
            Self::Accepted => 4,
            Self::Sent => 5,
            Self::Delivered => 6,
            Self::Read => 7,
            Self::Played => 8,
            Self::Failed => 9,
        }
    }

    /// The state that a delivery status word of Meta's means.
    pub fn from_status(status: &str) -> Option<Self> {
        match status {
            "sent" => Some(Self::Sent),
            "delivered" => Some(Self::Delivered),
            "read" => Some(Self::Read),
            "played" => Some(Self::Played),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// How long an ambiguous send waits for its status notification before the policy decides.
pub const fn ambiguity_timer_ms(lane: Purpose) -> i64 {
    match lane {
        Purpose::Authentication => 15 * crate::time::SECOND,
        Purpose::Service | Purpose::Utility | Purpose::Marketing => 120 * crate::time::SECOND,
    }
}

/// Whether a send whose outcome stayed unknown may be repeated (never for marketing).
pub const fn may_resend(lane: Purpose) -> bool {
    match lane {
        Purpose::Authentication | Purpose::Utility => true,
        Purpose::Service | Purpose::Marketing => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn a_reference_survives_its_text_forms() {
        let r = RecordRef {
            number: "106540352242922".into(),
            lane: Purpose::Utility,
            shard: 0,
            ulid: ulid(Timestamp::from_millis(1_795_000_000_000), [7; 10]),
        };
        assert_eq!(RecordRef::parse(&r.to_string()), Some(r.clone()));
        assert_eq!(RecordRef::from_message_id(&r.message_id()), Some(r.clone()));
        assert_eq!(RecordRef::from_opaque(&r.opaque(3)), Some((r, 3)));
    }

    #[test]
    fn foreign_references_are_nobodys() {
        for text in [
            "",
            "hg1.",
            "hg2.1.a.0.01ARZ3NDEKTSV4RRFFQ69G5FAV.1",
            "hg1.1.x.0.01ARZ3NDEKTSV4RRFFQ69G5FAV.1",
            "hg1.1#2.a.0.01ARZ3NDEKTSV4RRFFQ69G5FAV.1",
            "hg1.1.a.0.short.1",
            "hg1.1.a.0.01ARZ3NDEKTSV4RRFFQ69G5FAV.1.1",
        ] {
            assert_eq!(RecordRef::from_opaque(text), None, "{text}");
        }
    }

    #[test]
    fn ulids_sort_by_time() {
        let early = ulid(Timestamp::from_millis(1_000), [255; 10]);
        let late = ulid(Timestamp::from_millis(1_001), [0; 10]);
        assert!(early < late);
        assert!(ulid_floor(Timestamp::from_millis(1_000)) < early);
        // The time part of the specification's own example: 01ARYZ6S41 is 1469918176385.
        let at = Timestamp::from_millis(1_469_918_176_385);
        assert!(ulid(at, [0; 10]).starts_with("01ARYZ6S41"));
        assert_eq!(ulid_time("01ARYZ6S41TSV4RRFFQ69G5FAV"), Some(at));
        for nothing in ["", "N", "01ARYZ6S4", "01ARYZ6S4l", "sub_aaaaaaa"] {
            assert_eq!(ulid_time(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_shard_exists_and_is_the_campaigns_own_unless_the_number_is_fast() {
        for lane in crate::lane::PURPOSES {
            for (rate, random) in [(20, 3), (80, 200), (1_000, 255)] {
                let one = shard(lane, rate, Some("autumn"), random);
                assert!(one < shards(lane, rate) && one < MAX_SHARDS);
                assert!(rate > 200 || one == shard(lane, rate, Some("autumn"), 0));
            }
        }
        let used: std::collections::BTreeSet<u8> = (0..64)
            .map(|n| shard(Purpose::Marketing, 80, Some(&format!("campaign-{n}")), 0))
            .collect();
        assert_eq!(used.len(), usize::from(MAX_SHARDS));
    }

    #[test]
    fn failed_outranks_everything_and_nothing_falls_back_to_queued() {
        for s in ["sent", "delivered", "read", "played"] {
            let state = State::from_status(s).unwrap();
            assert!(state.rank() < State::Failed.rank());
            assert!(state.rank() > State::Queued.rank());
        }
    }
}
