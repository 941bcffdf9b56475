//! The question whether somebody wants to be written to, put in the chat (docs/consent.md).
//!
//! Owns what is remembered of a question, what stands behind its two buttons, how long an answer counts
//! and who may be asked. A scanned code or a click on an advertisement leads to a question and is no yes;
//! the answer is one, and only of the person who was asked. The texts are `system`'s and the
//! configuration's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{NoticeId, Standing, State, Subject, Topic, Validity};
use crate::identity::Pepper;
use crate::import;
use crate::lane::Purpose;
use crate::time::{HOUR, Timestamp};

/// So long an answer counts; nobody is asked twice within this time either.
pub const OPEN_MS: i64 = 24 * HOUR;
/// The entry of a question to an imported person; no entry of the configuration may be called so.
pub const IMPORTED: &str = "headgate.import";
/// Keeps what binds a button to its question apart from every other use of the pepper.
const LABEL: &str = "headgate/optin-question/v1";
/// What stands behind the buttons, before what binds them.
const YES: &str = "headgate.optin.yes.";
const NO: &str = "headgate.optin.no.";

/// A question that a person was asked. Names nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// When the person wrote what led to it, by Meta's clock.
    pub at: Timestamp,
    /// The entry of the configuration that led to it.
    pub entry: String,
    /// The way in: `qr_scan` or `ctwa_ad`.
    pub method: String,
    /// The pseudonym of the message that led to it.
    pub message: String,
    /// What binds the buttons to the question and the person.
    pub token: String,
    /// For what.
    pub purpose: Purpose,
    /// Which topics of it alone; empty: all of it.
    pub topics: Vec<Topic>,
    /// The wording.
    pub notice: NoticeId,
    /// Its language.
    pub locale: String,
    /// What is kept of the way in, as JSON: the code, or hashes of what Meta told of the advertisement.
    pub origin: String,
}

/// What a person answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// By the first button.
    Yes,
    /// By the second.
    No,
}

impl Question {
    /// What binds the buttons of a question: nobody else's button has it, nor any other question's.
    pub fn token(pepper: &Pepper, deployment: &str, subject: &str, about: [&str; 3]) -> String {
        let [message, entry, notice] = about;
        let parts = [LABEL, deployment, subject, message, entry, notice];
        URL_SAFE_NO_PAD.encode(pepper.mac(&parts))
    }

    /// The cause of the system message that puts it.
    pub fn cause(&self) -> String {
        format!("question-{}", self.message)
    }

    /// Whether it was put to somebody out of a file, who did not write first.
    pub fn is_of_import(&self) -> bool {
        self.entry == IMPORTED
    }

    /// Whether an answer of that moment counts: to a question out of a file as long as a link of the file
    /// would, because the message may have to wait for its turn and for the day.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let life = if self.is_of_import() {
            import::LINK_LIFE_MS
        } else {
            OPEN_MS
        };
        (0..=life).contains(&at.millis_since(self.at))
    }

    /// The topics it is about, one by one; once, without one, when it is about all of the purpose.
    pub fn each(&self) -> impl Iterator<Item = Option<&Topic>> {
        let whole = self.topics.is_empty().then_some(None);
        whole.into_iter().chain(self.topics.iter().map(Some))
    }
}

/// What stands behind the button that says yes.
pub fn yes_payload(token: &str) -> String {
    format!("{YES}{token}")
}

/// What stands behind the button that says no.
pub fn no_payload(token: &str) -> String {
    format!("{NO}{token}")
}

/// The answer behind a payload, and what binds it; `None` for a button that is none of these.
pub fn answer_in(payload: &str) -> Option<(Answer, &str)> {
    let yes = payload.strip_prefix(YES).map(|token| (Answer::Yes, token));
    yes.or_else(|| payload.strip_prefix(NO).map(|token| (Answer::No, token)))
}

/// What is asked, as of when and by which rules.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// For what.
    pub purpose: Purpose,
    /// Which topics of it alone; empty: all of it.
    pub topics: &'a [Topic],
    /// How long a yes holds where the person is.
    pub validity: Validity,
    /// Wordings to which a yes is to be asked for again.
    pub renew: &'a [NoticeId],
}

impl Subject {
    /// Whether the person may be asked: nobody is who has said no to any of it, by whatever way, nor
    /// who has said yes to all of it. `suppressed` is what the list covers under their identifiers.
    pub fn may_be_asked(
        &self,
        asking: &Asking<'_>,
        suppressed: &[Purpose],
        now: Timestamp,
    ) -> bool {
        let purpose = asking.purpose;
        let has_stopped = purpose == Purpose::Marketing && self.meta_stop;
        let whole = self.consent(purpose).map(|consent| consent.state);
        if has_stopped || suppressed.contains(&purpose) || whole == Some(State::Withdrawn) {
            return false;
        }
        let stands = |topic| self.standing(purpose, topic, asking.validity, asking.renew, now);
        let stands: Vec<Standing> = match asking.topics {
            [] => vec![stands(None)],
            topics => topics.iter().map(|topic| stands(Some(topic))).collect(),
        };
        !stands.contains(&Standing::Withdrawn)
            && !stands.iter().all(|one| matches!(one, Standing::Given(_)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;
    use crate::consent::Consent;
    use crate::identity::SubjectId;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn token(subject: &str, message: &str, entry: &str, notice: &str) -> String {
        Question::token(
            &Pepper::new([1; 32]),
            "main",
            subject,
            [message, entry, notice],
        )
    }

    #[test]
    fn a_button_is_bound_to_person_message_entry_and_wording() {
        let one = token("sub_a", "m1_a", "door", "n_a");
        assert_eq!(one, token("sub_a", "m1_a", "door", "n_a"));
        for other in [
            token("sub_b", "m1_a", "door", "n_a"),
            token("sub_a", "m1_b", "door", "n_a"),
            token("sub_a", "m1_a", "window", "n_a"),
            token("sub_a", "m1_a", "door", "n_b"),
            Question::token(
                &Pepper::new([2; 32]),
                "main",
                "sub_a",
                ["m1_a", "door", "n_a"],
            ),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(
            answer_in(&yes_payload(&one)),
            Some((Answer::Yes, one.as_str()))
        );
        assert_eq!(
            answer_in(&no_payload(&one)),
            Some((Answer::No, one.as_str()))
        );
        for none in ["", "yes", "headgate.optin.", "headgate.other", one.as_str()] {
            assert_eq!(answer_in(none), None, "{none}");
        }
        assert!(
            yes_payload(&one).len() <= 256,
            "Meta's limit for the id of a button"
        );
    }

    #[test]
    fn nobody_is_asked_who_said_no_or_yes_to_it() {
        let offers = [Topic::parse("offers").unwrap()];
        let may = |person: &Subject, topics: &[Topic], suppressed: &[Purpose]| {
            let asking = Asking {
                purpose: Purpose::Marketing,
                topics,
                validity: Validity::default(),
                renew: &[],
            };
            person.may_be_asked(&asking, suppressed, NOW)
        };
        let stands = |state: State| {
            let mut person = Subject::unknown(SubjectId::from_random([7; 16]));
            person.consents[3] = Some(Consent::alone(state, NOW, "L0.0", "paper"));
            person
        };
        assert_eq!(crate::lane::PURPOSES[3], Purpose::Marketing);
        let stranger = Subject::unknown(SubjectId::from_random([7; 16]));
        assert!(may(&stranger, &[], &[]) && may(&stranger, &offers, &[Purpose::Utility]));
        assert!(!may(&stranger, &offers, &[Purpose::Marketing]));
        for (state, expected) in [
            (State::Requested, true),
            (State::Refused, true),
            (State::Invalidated, true),
            (State::Given, false),
            (State::Withdrawn, false),
        ] {
            assert_eq!(may(&stands(state), &[], &[]), expected, "{}", state.word());
            assert_eq!(
                may(&stands(state), &offers, &[]),
                expected,
                "{}",
                state.word()
            );
        }
        let stopped = Subject {
            meta_stop: true,
            ..stranger
        };
        assert!(!may(&stopped, &[], &[]));
    }
}
