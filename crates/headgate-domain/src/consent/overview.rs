//! Where a person stands for everything there is, for whoever asks about them: a system with a token.
//!
//! Owns the question and its answer, without anything that names the person. What a message may do depends on
//! more than this: docs/policy.md.

use super::{Consent, Kind, NoticeId, Standing, Subject, Topic, Validity};
use crate::config::Config;
use crate::lane::{PURPOSES, Purpose};
use crate::outbound::{Fields, MAX_BYTES, Recipient};
use crate::refusal::{Code, Refusal};
use crate::region::Country;
use crate::time::Timestamp;

/// The schema of a question.
pub const QUERY_SCHEMA: &str = "headgate.consent-query/1";

/// Whom a question is about.
///
/// # Errors
/// A [`Refusal`] that names field and reason and quotes nothing.
pub fn asked_about(body: &str) -> Result<Recipient, Refusal> {
    if body.len() > MAX_BYTES {
        return Err(Code::TooLarge.into());
    }
    let fields = Fields::parse(body)?;
    fields.only(&["schema", "to"])?;
    fields.schema(QUERY_SCHEMA)?;
    Ok(fields.recipient()?.0)
}

/// Where somebody stands for a purpose, or for a topic of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// For what.
    pub purpose: Purpose,
    /// For which topic of it alone.
    pub topic: Option<Topic>,
    /// How messages are judged by it.
    pub standing: Standing,
    /// What was said that decides it; `None` when nothing was.
    pub said: Option<Consent>,
    /// When a yes ends by itself.
    pub ends: Option<Timestamp>,
}

impl Stand {
    /// Of somebody of whom nothing is known.
    const fn unknown(purpose: Purpose, topic: Option<Topic>) -> Self {
        Self {
            purpose,
            topic,
            standing: Standing::Unknown,
            said: None,
            ends: None,
        }
    }

    /// The wording that was agreed to.
    pub fn notice(&self) -> Option<&NoticeId> {
        let yes = self.said.as_ref()?.history.latest(Kind::Yes)?;
        yes.notice.as_ref()
    }
}

/// Where somebody stands for each purpose and each topic that is declared, in a fixed order; `country` is theirs
/// as far as whoever asks can tell.
pub fn overview(
    person: Option<&Subject>,
    country: Option<Country>,
    config: &Config,
    now: Timestamp,
) -> Vec<Stand> {
    let validity = Validity::of(config.profile_of(country));
    let renew = &config.consents.renew_notices;
    let one = |purpose: Purpose, topic: Option<&Topic>| {
        let Some(person) = person else {
            return Stand::unknown(purpose, topic.cloned());
        };
        let said = person
            .deciding(purpose, topic)
            .map(std::borrow::Cow::into_owned);
        let standing = person.standing(purpose, topic, validity, renew, now);
        let is_yes = matches!(
            standing,
            Standing::Given(_) | Standing::RenewDue(_) | Standing::Expired
        );
        let yes = said.as_ref().filter(|_said| is_yes);
        Stand {
            purpose,
            topic: topic.cloned(),
            standing,
            ends: yes.and_then(|yes| person.ends(yes, validity)),
            said,
        }
    };
    let with_topics = |purpose: Purpose| {
        let topics = config.consents.topics_of(purpose);
        let topics = topics.map(move |topic| one(purpose, Some(&topic.name)));
        std::iter::once(one(purpose, None)).chain(topics)
    };
    PURPOSES.into_iter().flat_map(with_topics).collect()
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "tests may fail loudly"
    )]
    use super::*;
    use crate::consent::State;
    use crate::identity::SubjectId;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn config() -> Config {
        Config::from_toml(include_str!("../../../../config/headgate.toml")).unwrap()
    }

    #[test]
    fn a_question_names_one_person_and_nothing_else() {
        let query = |to: &str| format!(r#"{{"schema":"headgate.consent-query/1","to":{to}}}"#);
        for good in [
            r#"{"phone":"+16135550123"}"#,
            r#"{"bsuid":"CA.20000001"}"#,
            r#"{"subject":"sub_aaaaaaaaaaaaaaaaaaaaaaaaaa"}"#,
        ] {
            assert!(asked_about(&query(good)).is_ok(), "{good}");
        }
        for (body, field) in [
            ("7".to_owned(), "$"),
            (query("{}"), "to"),
            (query(r#"{"phone":"613"}"#), "to.phone"),
            (query(r#"{"phone":"+16135550123","bsuid":"CA.1"}"#), "to"),
            (
                query(r#"{"phone":"+16135550123"},"purpose":"marketing""#),
                "$",
            ),
            (r#"{"to":{"phone":"+16135550123"}}"#.to_owned(), "schema"),
        ] {
            let refusal = asked_about(&body).unwrap_err();
            assert_eq!(refusal.field, Some(field), "{body}");
        }
        let large = query(&"x".repeat(MAX_BYTES));
        assert_eq!(asked_about(&large).unwrap_err().code, Code::TooLarge);
    }

    #[test]
    fn an_overview_is_the_standing_of_each_purpose_and_topic_and_when_a_yes_ends() {
        let config = config();
        let canada = Country::parse("CA").ok();
        let mut person = Subject::unknown(SubjectId::from_random([7; 16]));
        person.consents[3] = Some(Consent::alone(State::Given, NOW, "L0.0", "paper"));
        let events = Topic::parse("events").unwrap();
        let later = NOW.plus_millis(1);
        let no = Consent::alone(State::Withdrawn, later, "L0.1", "link");
        person.topics = vec![(Purpose::Marketing, events.clone(), no)];
        let stands = overview(Some(&person), canada, &config, later);
        let words: Vec<_> = stands
            .iter()
            .map(|stand| {
                let topic = stand.topic.as_ref().map_or("", Topic::as_str);
                (stand.purpose.word(), topic, stand.standing.word())
            })
            .collect();
        assert_eq!(
            words,
            [
                ("authentication", "", "unknown"),
                ("service", "", "unknown"),
                ("utility", "", "unknown"),
                ("marketing", "", "given"),
                ("marketing", "offers", "given"),
                ("marketing", "events", "withdrawn"),
            ]
        );
        let ends = Validity::of(config.profile_of(canada)).ends(NOW, NOW);
        assert!(ends.is_some() && stands[3].ends == ends && stands[4].ends == ends);
        assert_eq!(stands[5].ends, None, "a no does not end");
        let said = stands[5].said.as_ref().map(|said| said.event.as_str());
        assert_eq!(said, Some("L0.1"));
        let after = overview(Some(&person), canada, &config, ends.unwrap());
        assert_eq!(after[3].standing, Standing::Expired);
        assert_eq!(after[3].ends, ends);
    }

    #[test]
    fn of_a_stranger_the_answer_has_the_same_places() {
        let config = config();
        let nobody = overview(None, None, &config, NOW);
        let empty = Subject::unknown(SubjectId::from_random([7; 16]));
        assert_eq!(nobody, overview(Some(&empty), None, &config, NOW));
        assert!(
            nobody
                .iter()
                .all(|stand| stand.standing == Standing::Unknown)
        );
    }
}
