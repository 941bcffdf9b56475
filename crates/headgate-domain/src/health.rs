//! Recipient health: whether messages have lately reached a person, and whether to try again.
//!
//! A fold over what Meta's notifications said about messages to one person. Holds counts and times,
//! nothing of the person. It stops trying for a while, never for good: numbers join WhatsApp again.
//! A no of the person's is something else and lives in `consent`.

use crate::lane::Purpose;
use crate::time::{DAY, HOUR, Timestamp};

/// Undeliverable messages in a row after which a person counts as unreachable: one may be chance.
pub const UNDELIVERABLE_LIMIT: u32 = 2;
/// Failures in a row, for whatever reason of the person's, that count as much.
pub const FAILURE_LIMIT: u32 = 5;
/// How long nobody tries again on their own account (Meta's code 131026).
pub const UNREACHABLE_MS: i64 = 30 * DAY;
/// How long a code waits after a failure: who asks for one may have installed WhatsApp meanwhile.
pub const UNREACHABLE_FOR_CODES_MS: i64 = HOUR;
/// The first pause of marketing after Meta's 131049; doubles with each, up to [`LONGEST_COOLDOWN_MS`].
pub const FIRST_COOLDOWN_MS: i64 = DAY;
/// Longer than this Meta's verdict of then says nothing about now.
pub const LONGEST_COOLDOWN_MS: i64 = 30 * DAY;

/// Something a notification said about a message to the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A message of this purpose was delivered, read or played.
    Delivered(Purpose),
    /// The person wrote.
    Wrote,
    /// It cannot be delivered: 131026, 130403.
    Undeliverable,
    /// Meta holds marketing back from this person: 131049, 130472.
    MarketingHeldBack,
    /// It failed for another reason that lies with the person.
    Failed,
}

impl Fact {
    /// What an error code of a failed message says about the person; most say nothing.
    pub const fn of_failure(code: i64) -> Option<Self> {
        match code {
            131_026 | 130_403 => Some(Self::Undeliverable),
            131_049 | 130_472 => Some(Self::MarketingHeldBack),
            131_030 | 137_000 => Some(Self::Failed),
            _ => None,
        }
    }
}

/// The state of the fold. The default is a person nothing bad is known of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Undeliverable in a row.
    pub undeliverable: u32,
    /// Failed in a row, undeliverable included.
    pub failures: u32,
    /// Marketing held back in a row.
    pub held_back: u32,
    /// When the last failure was.
    pub failed_at: Option<Timestamp>,
    /// When marketing was last held back.
    pub held_back_at: Option<Timestamp>,
}

impl Health {
    /// The state after a fact that happened `at`, by Meta's clock.
    ///
    /// A fact that is no newer than the last of its kind changes nothing: notifications come again.
    #[must_use]
    pub fn after(self, fact: Fact, at: Timestamp) -> Self {
        match fact {
            Fact::Delivered(Purpose::Marketing) => self.well_since(at).welcome_since(at),
            Fact::Delivered(Purpose::Authentication | Purpose::Service | Purpose::Utility)
            | Fact::Wrote => self.well_since(at),
            Fact::Undeliverable | Fact::Failed => {
                if self.failed_at.is_some_and(|last| last >= at) {
                    return self;
                }
                let gone = fact == Fact::Undeliverable;
                Self {
                    undeliverable: if gone {
                        self.undeliverable.saturating_add(1)
                    } else {
                        self.undeliverable
                    },
                    failures: self.failures.saturating_add(1),
                    failed_at: Some(at),
                    ..self
                }
            }
            Fact::MarketingHeldBack => {
                if self.held_back_at.is_some_and(|last| last >= at) {
                    return self;
                }
                Self {
                    held_back: self.held_back.saturating_add(1),
                    held_back_at: Some(at),
                    ..self
                }
            }
        }
    }

    /// Something arrived: failures up to then are forgotten.
    fn well_since(self, at: Timestamp) -> Self {
        if self.failed_at.is_some_and(|last| last > at) {
            return self;
        }
        Self {
            undeliverable: 0,
            failures: 0,
            failed_at: None,
            ..self
        }
    }

    /// Marketing arrived: Meta holds it back no longer.
    fn welcome_since(self, at: Timestamp) -> Self {
        if self.held_back_at.is_some_and(|last| last > at) {
            return self;
        }
        Self {
            held_back: 0,
            held_back_at: None,
            ..self
        }
    }

    /// Whether nothing is worth keeping.
    pub fn is_good(&self) -> bool {
        *self == Self::default()
    }

    /// Until when nothing of a purpose is tried; `None` when nothing speaks against it.
    ///
    /// `wrote_at` is when the person last wrote: who writes can be reached.
    pub fn unreachable_until(
        &self,
        purpose: Purpose,
        wrote_at: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let failed_at = self.failed_at?;
        let limit_reached =
            self.undeliverable >= UNDELIVERABLE_LIMIT || self.failures >= FAILURE_LIMIT;
        if !limit_reached || wrote_at.is_some_and(|wrote| wrote >= failed_at) {
            return None;
        }
        Some(failed_at.plus_millis(match purpose {
            Purpose::Authentication => UNREACHABLE_FOR_CODES_MS,
            Purpose::Service | Purpose::Utility | Purpose::Marketing => UNREACHABLE_MS,
        }))
    }

    /// Until when no marketing is tried; an answer of the person's does not shorten it, Meta decides.
    pub fn marketing_cooldown_until(&self) -> Option<Timestamp> {
        let since = self.held_back_at?;
        let doublings = self.held_back.saturating_sub(1).min(16);
        let pause = FIRST_COOLDOWN_MS
            .saturating_mul(1_i64.checked_shl(doublings).unwrap_or(i64::MAX))
            .min(LONGEST_COOLDOWN_MS);
        Some(since.plus_millis(pause))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests may fail loudly")]
    use super::*;

    const T: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn t(hours: i64) -> Timestamp {
        T.plus_millis(hours * HOUR)
    }

    fn fold(facts: &[(Fact, i64)]) -> Health {
        facts.iter().fold(Health::default(), |h, (fact, hours)| {
            h.after(*fact, t(*hours))
        })
    }

    #[test]
    fn one_undeliverable_message_may_be_chance_and_two_are_not() {
        let once = fold(&[(Fact::Undeliverable, 0)]);
        assert_eq!(once.unreachable_until(Purpose::Utility, None), None);
        let twice = once.after(Fact::Undeliverable, t(1));
        assert_eq!(
            twice.unreachable_until(Purpose::Utility, None),
            Some(t(1).plus_millis(UNREACHABLE_MS))
        );
        assert_eq!(
            twice.unreachable_until(Purpose::Authentication, None),
            Some(t(2))
        );
    }

    #[test]
    fn a_notification_that_comes_again_is_counted_once() {
        let once = fold(&[(Fact::Undeliverable, 0), (Fact::MarketingHeldBack, 0)]);
        let again = once
            .after(Fact::Undeliverable, t(0))
            .after(Fact::MarketingHeldBack, t(0));
        assert_eq!(again, once);
    }

    #[test]
    fn whatever_arrives_or_whoever_writes_is_reachable_again() {
        let gone = [(Fact::Undeliverable, 0), (Fact::Undeliverable, 1)];
        let gone = fold(&gone);
        for fact in [Fact::Delivered(Purpose::Service), Fact::Wrote] {
            assert!(gone.after(fact, t(2)).is_good());
            assert_eq!(gone.after(fact, t(0)), gone, "older than the failure");
        }
        assert_eq!(gone.unreachable_until(Purpose::Marketing, Some(t(1))), None);
        assert!(
            gone.unreachable_until(Purpose::Marketing, Some(t(0)))
                .is_some()
        );
    }

    #[test]
    fn failures_of_other_kinds_add_up_too() {
        let four: Vec<_> = (0..4).map(|h| (Fact::Failed, h)).collect();
        let four = fold(&four);
        assert_eq!(four.unreachable_until(Purpose::Service, None), None);
        let five = four.after(Fact::Failed, t(4));
        assert!(five.unreachable_until(Purpose::Service, None).is_some());
    }

    #[test]
    fn marketing_cools_down_a_day_and_longer_each_time() {
        let mut health = Health::default();
        assert_eq!(health.marketing_cooldown_until(), None);
        for (n, days) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
            let at = t(1_000 * i64::try_from(n).unwrap_or(0));
            health = health.after(Fact::MarketingHeldBack, at);
            assert_eq!(
                health.marketing_cooldown_until(),
                Some(at.plus_millis(days * DAY))
            );
        }
        let after = t(10_000);
        assert_eq!(
            health
                .after(Fact::Delivered(Purpose::Utility), after)
                .held_back,
            7,
            "utility is not marketing"
        );
        assert!(
            health
                .after(Fact::Delivered(Purpose::Marketing), after)
                .is_good()
        );
    }

    #[test]
    fn only_codes_about_the_person_are_facts_about_the_person() {
        assert_eq!(Fact::of_failure(131_026), Some(Fact::Undeliverable));
        assert_eq!(Fact::of_failure(131_049), Some(Fact::MarketingHeldBack));
        for other in [0, 4, 131_050, 131_053, 132_000, 130_429, 131_048, 999_999] {
            assert_eq!(Fact::of_failure(other), None, "{other}");
        }
    }
}
