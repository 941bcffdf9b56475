//! What a person has said for one purpose, by kind, whatever order it came in.
//!
//! Owns the fold behind a consent: the latest fact of each kind, and the consent that follows from these
//! alone. Meta promises neither order nor uniqueness; whatever remembered more than the latest, or less,
//! would let luck decide where somebody stands (ADR 0017).

use super::{Action, NoticeId, State};
use crate::time::Timestamp;

/// A word of the person's, or a button of ours: closes and opens again by itself.
const BY_WORD: [&str; 2] = ["keyword", "quick_reply"];

/// A fact, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// When, by the clock of whoever heard it.
    pub at: Timestamp,
    /// The ledger event that proves it; absent while it has had no effect.
    pub event: Option<String>,
    /// How it was expressed.
    pub method: String,
    /// What would prove it: pseudonyms and words of ours.
    pub evidence: Option<String>,
    /// The id of the wording that was agreed to.
    pub notice: Option<NoticeId>,
    /// When the question was put that it answers: a no that came after the question is not outdone by the
    /// answer, in whatever order the two arrive.
    pub asked_at: Option<Timestamp>,
}

impl Said {
    /// From when on nothing may have spoken against it.
    fn since(&self) -> Timestamp {
        self.asked_at.map_or(self.at, |asked| asked.min(self.at))
    }
}

/// The kinds that are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A yes to a notice.
    Yes,
    /// A no by a word like STOP.
    NoByWord,
    /// A no by any other way.
    OtherNo,
    /// A word like START: takes back a no by a word, and is no yes by itself.
    Again,
    /// Nobody's no: an earlier yes turned out to be none.
    Invalid,
    /// A no to the question whether to be written to: closes the question, and what was agreed to before.
    Refusal,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Yes,
        Self::NoByWord,
        Self::OtherNo,
        Self::Again,
        Self::Invalid,
        Self::Refusal,
    ];

    /// The kind of an act; none for a request, which says nothing.
    pub fn of(action: Action, method: &str) -> Option<Self> {
        let by_word = BY_WORD.contains(&method);
        match action {
            Action::Given if by_word => Some(Self::Again),
            Action::Given => Some(Self::Yes),
            Action::Withdrawn if by_word => Some(Self::NoByWord),
            Action::Withdrawn => Some(Self::OtherNo),
            Action::Invalidated => Some(Self::Invalid),
            Action::Refused => Some(Self::Refusal),
            Action::Requested => None,
        }
    }

    /// The stored word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::NoByWord => "no_by_word",
            Self::OtherNo => "other_no",
            Self::Again => "again",
            Self::Invalid => "invalid",
            Self::Refusal => "refusal",
        }
    }

    const fn place(self) -> usize {
        match self {
            Self::Yes => 0,
            Self::NoByWord => 1,
            Self::OtherNo => 2,
            Self::Again => 3,
            Self::Invalid => 4,
            Self::Refusal => 5,
        }
    }
}

/// The latest fact of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History([Option<Said>; 6]);

impl History {
    /// The latest of a kind.
    pub fn latest(&self, kind: Kind) -> Option<&Said> {
        self.0.get(kind.place()).and_then(Option::as_ref)
    }

    /// Takes a fact in; whether it was later than what was known of its kind.
    ///
    /// Two of the same moment and kind are told apart by the method, so that it does not matter which
    /// came first.
    pub fn take(&mut self, kind: Kind, said: Said) -> bool {
        let Some(known) = self.0.get_mut(kind.place()) else {
            return false;
        };
        let rank = |said: &Said| (said.at, said.method.clone());
        let is_later = known.as_ref().is_none_or(|known| rank(known) < rank(&said));
        if is_later {
            *known = Some(said);
        }
        is_later
    }

    /// The latest of each kind in either of two.
    pub fn merged(one: &Self, other: &Self) -> Self {
        let mut both = one.clone();
        for kind in Kind::ALL {
            if let Some(said) = other.latest(kind) {
                both.take(kind, said.clone());
            }
        }
        both
    }

    /// Notes what proves a fact.
    pub fn prove(&mut self, kind: Kind, event: &str) {
        if let Some(Some(said)) = self.0.get_mut(kind.place()) {
            said.event = Some(event.to_owned());
        }
    }

    /// Where the person stands, and by which fact. Of two at the same moment the no counts, and of two noes
    /// the one that no word takes back. A yes that is no later than its invalidation was never one, and a no after the
    /// question a yes answers takes the answer with it.
    pub fn standing(&self) -> Option<(State, Kind)> {
        let at = |kind: Kind| self.latest(kind).map(|said| said.at);
        let (invalid, refusal) = (at(Kind::Invalid), at(Kind::Refusal));
        let yes = self
            .latest(Kind::Yes)
            .filter(|yes| Some(yes.at) > invalid && Some(yes.since()) > refusal);
        let again = at(Kind::Again);
        let (by_word, other) = (at(Kind::NoByWord), at(Kind::OtherNo));
        let no = by_word.max(other);
        match (yes, no) {
            (Some(_), None) => Some((State::Given, Kind::Yes)),
            (Some(yes), Some(no)) if yes.since() > no => Some((State::Given, Kind::Yes)),
            // What was never agreed to is not opened again.
            (Some(yes), Some(no)) if by_word > other && again > Some(no) && yes.at <= no => {
                Some((State::Given, Kind::Again))
            }
            (_, Some(_)) if by_word > other => Some((State::Withdrawn, Kind::NoByWord)),
            (_, Some(_)) => Some((State::Withdrawn, Kind::OtherNo)),
            (None, None) if refusal.is_some() && refusal >= invalid => {
                Some((State::Refused, Kind::Refusal))
            }
            (None, None) => invalid.map(|_| (State::Invalidated, Kind::Invalid)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(at: i64, method: &str) -> Said {
        Said {
            at: Timestamp::from_seconds(at),
            event: None,
            method: method.to_owned(),
            evidence: None,
            notice: None,
            asked_at: None,
        }
    }

    fn after(facts: &[(Kind, i64)]) -> Option<(State, Kind)> {
        let mut history = History::default();
        for (kind, at) in facts {
            history.take(*kind, said(*at, "x"));
        }
        history.standing()
    }

    const GIVEN: Option<(State, Kind)> = Some((State::Given, Kind::Yes));

    #[test]
    fn a_start_word_reopens_only_what_a_stop_word_closed() {
        use Kind::{Again, Invalid, NoByWord, OtherNo, Yes};
        let reopened = Some((State::Given, Again));
        let no = |kind| Some((State::Withdrawn, kind));
        for (facts, expected) in [
            (&[(Again, 3)][..], None),
            (&[(Yes, 1), (Again, 3)], GIVEN),
            (&[(NoByWord, 2), (Again, 3)], no(NoByWord)),
            (&[(Yes, 1), (NoByWord, 2), (Again, 3)], reopened),
            (
                &[(Yes, 1), (NoByWord, 2), (NoByWord, 2), (Again, 3)],
                reopened,
            ),
            (&[(Yes, 1), (NoByWord, 2), (Again, 2)], no(NoByWord)),
            (&[(Yes, 1), (OtherNo, 2), (Again, 3)], no(OtherNo)),
            (
                &[(Yes, 1), (NoByWord, 2), (OtherNo, 2), (Again, 3)],
                no(OtherNo),
            ),
            (
                &[(Yes, 1), (NoByWord, 2), (Again, 3), (OtherNo, 4)],
                no(OtherNo),
            ),
            (
                &[(Yes, 1), (OtherNo, 2), (NoByWord, 3), (Again, 4)],
                reopened,
            ),
            (&[(Yes, 2), (OtherNo, 2)], no(OtherNo)),
            (&[(Yes, 3), (OtherNo, 2)], GIVEN),
            (
                &[(Yes, 3), (Invalid, 3)],
                Some((State::Invalidated, Invalid)),
            ),
            (&[(Yes, 4), (Invalid, 3)], GIVEN),
            (&[(Invalid, 3), (NoByWord, 2)], no(NoByWord)),
            // What was invalid when it was taken back is not opened again.
            (
                &[(Yes, 1), (NoByWord, 2), (Invalid, 3), (Again, 4)],
                no(NoByWord),
            ),
        ] {
            assert!(after(facts) == expected, "{}", facts.len());
            let mut backwards = facts.to_vec();
            backwards.reverse();
            assert!(after(&backwards) == expected, "backwards, {}", facts.len());
        }
    }

    /// The answer to a question that was asked at 10, in any order with what else was said.
    #[test]
    fn an_answer_does_not_outdo_a_no_that_came_after_its_question() {
        use Kind::{Again, Invalid, NoByWord, OtherNo, Refusal, Yes};
        let answer = Said {
            asked_at: Some(Timestamp::from_seconds(10)),
            ..said(20, "qr_scan")
        };
        let no = |kind| Some((State::Withdrawn, kind));
        let refused = Some((State::Refused, Refusal));
        for (others, expected) in [
            (&[][..], GIVEN),
            (&[(NoByWord, 9)], GIVEN),
            (&[(NoByWord, 10)], no(NoByWord)),
            (&[(OtherNo, 15)], no(OtherNo)),
            (&[(NoByWord, 25)], no(NoByWord)),
            (&[(Refusal, 9)], GIVEN),
            (&[(Refusal, 15)], refused),
            (&[(Refusal, 25)], refused),
            (&[(Refusal, 25), (NoByWord, 30)], no(NoByWord)),
            (&[(Invalid, 15)], GIVEN),
            (&[(Invalid, 20)], Some((State::Invalidated, Invalid))),
            (
                &[(Refusal, 15), (Invalid, 20)],
                Some((State::Invalidated, Invalid)),
            ),
            // What was agreed to, and then closed by a word, is opened again by one.
            (&[(NoByWord, 25), (Again, 30)], Some((State::Given, Again))),
            // What was closed before it was agreed to is not.
            (&[(NoByWord, 15), (Again, 30)], no(NoByWord)),
        ] {
            for first in [true, false] {
                let mut history = History::default();
                if first {
                    history.take(Yes, answer.clone());
                }
                for (kind, at) in others {
                    history.take(*kind, said(*at, "x"));
                }
                history.take(Yes, answer.clone());
                assert!(history.standing() == expected, "{others:?}");
            }
        }
        // A yes of another way, after the no, is one.
        let mut history = History::default();
        history.take(Refusal, said(15, "in_thread_button"));
        history.take(Yes, said(16, "web_checkbox"));
        assert!(history.standing() == GIVEN);
    }

    #[test]
    fn of_one_moment_it_does_not_matter_which_came_first() {
        let (mut one, mut other) = (History::default(), History::default());
        for method in ["paper", "link"] {
            one.take(Kind::OtherNo, said(5, method));
        }
        for method in ["link", "paper", "link"] {
            other.take(Kind::OtherNo, said(5, method));
        }
        assert!(one == other);
    }
}
