//! Where a person stands now: what was said, read by today's clock and the rules of their country.
//!
//! Owns the states (docs/consent.md, after the consent lifecycle of W3C DPV). What was said is
//! [`History`]'s; how long a yes holds comes from the policy profile of the person's country, and a
//! yes may be suspended because somebody else may have taken the person's place. Pure: the same
//! facts and the same moment give the same state, so nothing has to run for a consent to expire.

use std::borrow::Cow;

use super::{Consent, History, Kind, NoticeId, State, Subject, Topic};
use crate::lane::Purpose;
use crate::profiles::EffectiveProfile;
use crate::time::{DAY, Timestamp};

/// A consent is due for renewal this long before it expires.
const RENEWAL_MS: i64 = 30 * DAY;

/// How long a yes holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// Days from the yes.
    pub max_age_days: Option<u32>,
    /// Days from the last time the person said yes, or wrote.
    pub inactivity_days: Option<u32>,
}

/// Where a person stands for a purpose, or for a topic of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was said.
    Unknown,
    /// Somebody asked for it on a form; nothing is proven.
    Requested,
    /// Yes, proven by this ledger event.
    Given(String),
    /// Yes, proven by this ledger event, but soon no longer, or to a wording that has changed since.
    RenewDue(String),
    /// It was a yes.
    Expired,
    /// No.
    Withdrawn,
    /// The yes was none: its wording or its proof does not hold.
    Invalidated,
    /// No, to the question whether to be written to; nothing had been given.
    Refused,
    /// Yes, by somebody whose place another may have taken since.
    Suspended,
}

impl Standing {
    /// The word for it, as apps are told.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Requested => "requested",
            Self::Given(_) => "given",
            Self::RenewDue(_) => "renew_due",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Invalidated => "invalidated",
            Self::Refused => "refused",
            Self::Suspended => "suspended",
        }
    }
}

impl Validity {
    /// What the law of a person's countries allows.
    pub fn of(profile: EffectiveProfile) -> Self {
        Self {
            max_age_days: Some(profile.consent_max_age_days().into()),
            inactivity_days: Some(profile.consent_inactivity_days().into()),
        }
    }

    /// From when on a yes that stops holding then is to be asked for again.
    pub const fn renewal(ends: Timestamp) -> Timestamp {
        ends.plus_millis(-RENEWAL_MS)
    }

    /// When a yes stops holding; `None` when it holds until it is taken back.
    pub fn ends(&self, agreed_at: Timestamp, last_heard_at: Timestamp) -> Option<Timestamp> {
        let after = |days: Option<u32>, from: Timestamp| {
            days.map(|days| from.plus_millis(i64::from(days).saturating_mul(DAY)))
        };
        let by_age = after(self.max_age_days, agreed_at);
        let by_silence = after(self.inactivity_days, last_heard_at);
        match (by_age, by_silence) {
            (Some(age), Some(silence)) => Some(age.min(silence)),
            (age, silence) => age.or(silence),
        }
    }
}

impl Subject {
    /// Where the person stands for a purpose, or for one topic of it. What is said of the whole purpose
    /// is said of each of its topics; what is said of a topic, of that one alone.
    ///
    /// `renew` are the wordings that have changed so much that a yes to them is to be asked for again.
    pub fn standing(
        &self,
        purpose: Purpose,
        topic: Option<&Topic>,
        validity: Validity,
        renew: &[NoticeId],
        now: Timestamp,
    ) -> Standing {
        let Some(consent) = self.deciding(purpose, topic) else {
            return Standing::Unknown;
        };
        match consent.state {
            State::Requested => return Standing::Requested,
            State::Withdrawn => return Standing::Withdrawn,
            State::Invalidated => return Standing::Invalidated,
            State::Refused => return Standing::Refused,
            State::Given => {}
        }
        let agreed_at = consent.agreed_at();
        if !self.is_theirs(agreed_at) {
            return Standing::Suspended;
        }
        let is_reworded = consent
            .history
            .latest(Kind::Yes)
            .and_then(|yes| yes.notice.as_ref())
            .is_some_and(|notice| renew.contains(notice));
        let event = consent.event.clone();
        match self.ends(&consent, validity) {
            Some(end) if end <= now => Standing::Expired,
            Some(end) if end.millis_since(now) <= RENEWAL_MS => Standing::RenewDue(event),
            Some(_) | None if is_reworded => Standing::RenewDue(event),
            Some(_) | None => Standing::Given(event),
        }
    }

    /// When a yes of the person ends by itself: by its age, or by their silence since.
    pub(super) fn ends(&self, yes: &Consent, validity: Validity) -> Option<Timestamp> {
        let agreed_at = yes.agreed_at();
        let heard_at = self
            .last_inbound_at
            .map_or(agreed_at, |inbound| inbound.max(agreed_at));
        validity.ends(agreed_at, heard_at)
    }

    /// The no that covers all of a purpose: to the whole of it, while no topic of it stands better.
    pub fn no_to_all(&self, purpose: Purpose) -> Option<&Consent> {
        let no = self
            .consent(purpose)
            .filter(|whole| whole.state == State::Withdrawn)?;
        let is_given = |(of, topic, _): &(Purpose, Topic, Consent)| {
            *of == purpose
                && self
                    .deciding(purpose, Some(topic))
                    .is_some_and(|consent| consent.state == State::Given)
        };
        (!self.topics.iter().any(is_given)).then_some(no)
    }

    /// When a purpose, or a topic of it, was last agreed to by a yes that holds.
    pub fn last_yes(&self, purpose: Purpose) -> Option<Timestamp> {
        let of_topics = self
            .topics
            .iter()
            .filter(|(of, _, _)| *of == purpose)
            .filter_map(|(_, topic, _)| self.deciding(purpose, Some(topic)));
        self.deciding(purpose, None)
            .into_iter()
            .chain(of_topics)
            .filter(|consent| consent.state == State::Given)
            .map(|consent| consent.at)
            .max()
    }

    /// What counts for a topic: the facts about the purpose and those about the topic, as if all had been
    /// said of the topic.
    pub fn deciding(&self, purpose: Purpose, topic: Option<&Topic>) -> Option<Cow<'_, Consent>> {
        let whole = self.consent(purpose);
        let own = topic.and_then(|topic| self.topic_consent(purpose, topic));
        match (whole, own) {
            (Some(whole), Some(own)) => {
                let both = History::merged(&whole.history, &own.history);
                Some(Consent::of(both, 0).map_or(Cow::Borrowed(whole), Cow::Owned))
            }
            (one, other) => one.or(other).map(Cow::Borrowed),
        }
    }
}

#[cfg(test)]
mod tests;
