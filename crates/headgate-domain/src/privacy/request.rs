//! A request: its id, its states, and what is still to be done about it.

use core::fmt;

use headgate_redact::LogSafe;

use super::HoldId;
use crate::identity::base32;
use crate::time::Timestamp;

const PREFIX: &str = "dsr_";
const LETTERS: usize = 20;

/// A request: `dsr_` and 20 lower-case base32 characters, 96 random bits. Whoever has it can see where the
/// request stands, and nothing of the person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(String);

/// The text has not the shape of a request's id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the reference of a request is dsr_ and 20 lower-case letters or digits 2 to 7")]
pub struct InvalidRequestId;

impl RequestId {
    /// The id of a new request.
    pub fn from_random(random: [u8; 12]) -> Self {
        Self(format!("{PREFIX}{}", base32(&random)))
    }

    /// Checks the shape of an id that was stored or given.
    ///
    /// # Errors
    /// [`InvalidRequestId`], which does not repeat the input.
    pub fn parse(text: &str) -> Result<Self, InvalidRequestId> {
        let body = text.strip_prefix(PREFIX).ok_or(InvalidRequestId)?;
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
        (body.len() == LETTERS && body.bytes().all(is_letter))
            .then(|| Self(text.to_owned()))
            .ok_or(InvalidRequestId)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Random: it names a request, and no person.
impl LogSafe for RequestId {}

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal;)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word that is stored, and programs match on.
            pub const fn word(self) -> &'static str { match self { $(Self::$variant => $word,)* } }

            /// The one behind a word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    };
}

words! {
    /// Why a request is denied (Data Rights Protocol 0.5, 3.02.1).
    Denial {
        /// Somebody asks in the name of somebody else.
        SuspectedFraud = "suspected_fraud";
        /// Whoever asks could not be shown to be the person.
        InsufficientVerification = "insuf_verification";
        /// Nothing is known here that it could be about.
        NoMatch = "no_match";
        /// The right does not cover what is asked for.
        ClaimNotCovered = "claim_not_covered";
        /// The law does not apply.
        OutsideJurisdiction = "outside_jurisdiction";
        /// As many were asked as may be.
        TooManyRequests = "too_many_requests";
        /// None of these; the person gets it from the business.
        Other = "other";
    }
}

words! {
    /// Why a request takes longer (GDPR 12(3)).
    Extension {
        /// It is complex.
        Complexity = "complexity";
        /// There are many.
        NumberOfRequests = "number_of_requests";
    }
}

words! {
    /// Where a request stands.
    State {
        /// It came, and nothing proves yet that it is the person's.
        IdentityPending = "identity_pending";
        /// The person's own message proves it; it is carried out at its time.
        Verified = "verified";
        /// A legal hold keeps the data: it is carried out when the hold ends.
        Held = "held";
        /// It is being carried out; of a restriction, it is in force.
        Running = "running";
        /// Done.
        Fulfilled = "fulfilled";
        /// Done, but for what may be somebody else's: a copy that leaves out what is from before a change.
        PartiallyFulfilled = "partially_fulfilled";
        /// It was not done; of what the business decides, for a reason of [`Denial`].
        Denied = "denied";
        /// The person took it back.
        Withdrawn = "withdrawn";
        /// Nobody proved it in time.
        Expired = "expired";
    }
}

impl State {
    /// Whether nothing more comes of it.
    pub const fn is_closed(self) -> bool {
        match self {
            Self::IdentityPending | Self::Verified | Self::Held | Self::Running => false,
            Self::Fulfilled
            | Self::PartiallyFulfilled
            | Self::Denied
            | Self::Withdrawn
            | Self::Expired => true,
        }
    }

    /// Whether a request may go from here to there. What is being destroyed can neither be held nor taken back.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::IdentityPending => {
                matches!(next, Self::Verified | Self::Denied | Self::Expired)
            }
            Self::Verified => matches!(
                next,
                Self::Held
                    | Self::Running
                    | Self::Fulfilled
                    | Self::PartiallyFulfilled
                    | Self::Denied
                    | Self::Withdrawn
            ),
            Self::Held => matches!(next, Self::Verified | Self::Running | Self::Withdrawn),
            Self::Running => matches!(next, Self::Running | Self::Fulfilled | Self::Denied),
            Self::Fulfilled
            | Self::PartiallyFulfilled
            | Self::Denied
            | Self::Withdrawn
            | Self::Expired => false,
        }
    }
}

/// What is to be done at a moment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// Carry a request out.
    Run(RequestId),
    /// Erase once more what may have come back.
    Again(RequestId),
    /// Erase whatever a restored table has brought back of anybody; the id is that of the run.
    Replay(RequestId),
    /// Close a request that its person has taken back.
    Withdraw(RequestId),
    /// End a restriction, once its person has been told in the chat.
    Lift(RequestId),
    /// End a restriction whose person was told by another way.
    LiftTold(RequestId),
    /// Close a request that the business has carried out.
    Fulfil(RequestId),
    /// Close a request that the business does not carry out.
    Deny(RequestId, Denial),
    /// Give the business the longer time that the law allows.
    Extend(RequestId, Extension),
    /// Copy what a hold keeps, or let go of it.
    Keep(HoldId),
    /// Hand out what a hold has kept.
    Disclose(HoldId),
}

impl Task {
    /// The word in the agenda.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Again(_) => "again",
            Self::Replay(_) => "replay",
            Self::Withdraw(_) => "withdraw",
            Self::Lift(_) => "lift",
            Self::LiftTold(_) => "lift_told",
            Self::Fulfil(_) => "fulfil",
            Self::Deny(..) => "deny",
            Self::Extend(..) => "extend",
            Self::Keep(_) => "keep",
            Self::Disclose(_) => "disclose",
        }
    }

    /// What it is about: a request, a run or a hold.
    pub fn about(&self) -> &str {
        match self {
            Self::Run(id)
            | Self::Again(id)
            | Self::Replay(id)
            | Self::Withdraw(id)
            | Self::Lift(id)
            | Self::LiftTold(id)
            | Self::Fulfil(id)
            | Self::Deny(id, _)
            | Self::Extend(id, _) => id.as_str(),
            Self::Keep(id) | Self::Disclose(id) => id.as_str(),
        }
    }

    /// The request it is about, if it is one that is carried out.
    pub const fn request(&self) -> Option<&RequestId> {
        match self {
            Self::Run(id) => Some(id),
            Self::Again(_)
            | Self::Replay(_)
            | Self::Withdraw(_)
            | Self::Lift(_)
            | Self::LiftTold(_)
            | Self::Fulfil(_)
            | Self::Deny(..)
            | Self::Extend(..)
            | Self::Keep(_)
            | Self::Disclose(_) => None,
        }
    }

    /// Why, where there is a reason to be told.
    const fn why(&self) -> Option<&'static str> {
        match self {
            Self::Deny(_, denial) => Some(denial.word()),
            Self::Extend(_, extension) => Some(extension.word()),
            Self::Run(_)
            | Self::Again(_)
            | Self::Replay(_)
            | Self::Withdraw(_)
            | Self::Lift(_)
            | Self::LiftTold(_)
            | Self::Fulfil(_)
            | Self::Keep(_)
            | Self::Disclose(_) => None,
        }
    }

    /// The place in the agenda, in the order of time.
    pub fn place(&self, at: Timestamp) -> String {
        let place = format!("{:013}#{}#{}", at.millis(), self.word(), self.about());
        match self.why() {
            Some(why) => format!("{place}#{why}"),
            None => place,
        }
    }

    /// The moment and the task of a place.
    pub fn at_place(place: &str) -> Option<(Timestamp, Self)> {
        let mut parts = place.splitn(4, '#');
        let at = Timestamp::from_millis(parts.next()?.parse().ok()?);
        let (word, about) = (parts.next()?, parts.next()?);
        let request = || RequestId::parse(about).ok();
        let hold = || HoldId::parse(about).ok();
        let why = parts.next();
        let task = match word {
            "run" => Self::Run(request()?),
            "again" => Self::Again(request()?),
            "replay" => Self::Replay(request()?),
            "withdraw" => Self::Withdraw(request()?),
            "lift" => Self::Lift(request()?),
            "lift_told" => Self::LiftTold(request()?),
            "fulfil" => Self::Fulfil(request()?),
            "deny" => Self::Deny(request()?, Denial::from_word(why?)?),
            "extend" => Self::Extend(request()?, Extension::from_word(why?)?),
            "keep" => Self::Keep(hold()?),
            "disclose" => Self::Disclose(hold()?),
            _ => return None,
        };
        Some((at, task))
    }
}

/// Its id is random, and of nobody.
impl LogSafe for Task {}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.about())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_made_and_nothing_else_is() {
        let id = RequestId::from_random([0xA5; 12]);
        assert_eq!(id.as_str().len(), 24, "what a system message has room for");
        assert_eq!(RequestId::parse(id.as_str()), Ok(id.clone()));
        for other in [
            "",
            "dsr_",
            "sub_aaaaaaaaaaaaaaaaaaaa",
            "dsr_aaaaaaaaaaaaaaaaaaa1",
            "dsr_aaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(RequestId::parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn nothing_comes_of_what_is_closed_and_what_runs_is_not_held() {
        for from in State::ALL {
            assert_eq!(State::from_word(from.word()), Some(*from));
            let next = State::ALL.iter().filter(|next| from.may_become(**next));
            assert_eq!(next.count() == 0, from.is_closed(), "{from:?}");
        }
        assert!(!State::Running.may_become(State::Held));
        assert!(!State::Running.may_become(State::Withdrawn));
        // What died while it ran goes on.
        assert!(State::Running.may_become(State::Running));
        assert!(!State::IdentityPending.may_become(State::Running));
    }

    #[test]
    fn places_are_in_the_order_of_time() {
        let id = RequestId::from_random([1; 12]);
        let at = Timestamp::from_seconds(1_795_341_600);
        let (soon, late) = (Task::Run(id.clone()), Task::Again(id));
        let places = [soon.place(at), late.place(at.plus_millis(1))];
        assert!(places.is_sorted());
        assert_eq!(Task::at_place(&places[0]), Some((at, soon)));
        for nothing in [
            "eat#dsr_aaaaaaaaaaaaaaaaaaaa",
            "deny#dsr_aaaaaaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(Task::at_place(&format!("1#{nothing}")), None);
        }
    }

    #[test]
    fn a_place_keeps_the_reason() {
        let id = RequestId::from_random([1; 12]);
        let at = Timestamp::from_seconds(1_795_341_600);
        let denied = Denial::ALL.iter().map(|why| Task::Deny(id.clone(), *why));
        let extended = Extension::ALL.iter();
        let extended = extended.map(|why| Task::Extend(id.clone(), *why));
        for task in denied.chain(extended) {
            assert_eq!(Task::at_place(&task.place(at)), Some((at, task)));
        }
        let place = Task::Fulfil(id).place(at).replace("fulfil", "deny");
        assert_eq!(Task::at_place(&format!("{place}#mood")), None);
    }
}
