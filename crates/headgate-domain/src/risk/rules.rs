//! The thresholds of the risk score, and reading a level off them.
//!
//! Owns the numbers of the table in the parent module. Rates need a sample, because three
//! failures of five messages say nothing about a number. Knows nothing of time.

use super::{Counts, RiskLevel};
use crate::live::Quality;

/// The whole threshold: what it takes to come to a level.
pub(super) const TAKE: u64 = 1000;
/// The part of the threshold that keeps a level: lower, so that a rate about a threshold does not
/// switch to and fro.
pub(super) const KEEP: u64 = 600;

/// From a rate, in thousandths, of a sample of at least this size, to a level.
type Step = (u64, u64, RiskLevel);

const UNDELIVERABLE: [Step; 4] = [
    (100, 50, RiskLevel::Half),
    (200, 50, RiskLevel::Quarter),
    (350, 50, RiskLevel::MarketingPaused),
    (600, 200, RiskLevel::NumberPaused),
];
const HELD_BACK: [Step; 2] = [
    (200, 50, RiskLevel::Half),
    (500, 50, RiskLevel::MarketingPaused),
];
const STOPPED: [Step; 3] = [
    (10, 100, RiskLevel::Half),
    (30, 100, RiskLevel::Quarter),
    (60, 100, RiskLevel::MarketingPaused),
];
/// Deliveries without which unread ones say nothing; many people hide that they have read.
const UNREAD: (u64, u64) = (980, 1000);
const SPAM: [(u64, RiskLevel); 2] = [
    (1, RiskLevel::MarketingPaused),
    (10, RiskLevel::NumberPaused),
];

/// The level the facts lead to, with thresholds cut to `part` thousandths.
pub(super) fn assess(counts: &Counts, quality: Option<Quality>, part: u64) -> RiskLevel {
    // A message can be read without a word that it was delivered: Meta leaves that out as implied.
    let delivered = counts.delivered.max(counts.read);
    let of_delivered = |bad: u64| (bad, bad.saturating_add(delivered));
    let unread = delivered.saturating_sub(counts.read);
    [
        by_rate(of_delivered(counts.failed), &UNDELIVERABLE, part),
        by_rate(of_delivered(counts.held_back), &HELD_BACK, part),
        by_rate(of_delivered(counts.stopped), &STOPPED, part),
        // Cutting this threshold would make silence a fault: it keeps nothing that it did not take.
        by_rate(
            (unread, delivered),
            &[(UNREAD.0, UNREAD.1, RiskLevel::Half)],
            TAKE,
        ),
        by_count(counts.spam, part),
        by_quality(quality),
    ]
    .into_iter()
    .max()
    .unwrap_or_default()
}

fn by_rate((bad, sample): (u64, u64), steps: &[Step], part: u64) -> RiskLevel {
    let reached = steps.iter().filter(|(threshold, least, _level)| {
        // bad / sample >= threshold / 1000 * part / 1000, without dividing.
        sample >= *least
            && u128::from(bad).saturating_mul(1_000_000)
                >= u128::from(sample).saturating_mul(u128::from(threshold.saturating_mul(part)))
    });
    reached
        .map(|(_threshold, _least, level)| *level)
        .max()
        .unwrap_or_default()
}

fn by_count(count: u64, part: u64) -> RiskLevel {
    let reached = SPAM.iter().filter(|(threshold, _level)| {
        count > 0 && count.saturating_mul(1000) >= threshold.saturating_mul(part)
    });
    reached
        .map(|(_threshold, level)| *level)
        .max()
        .unwrap_or_default()
}

const fn by_quality(quality: Option<Quality>) -> RiskLevel {
    match quality {
        Some(Quality::Red) => RiskLevel::MarketingPaused,
        Some(Quality::Yellow) => RiskLevel::Half,
        Some(Quality::Green) | None => RiskLevel::Normal,
    }
}
