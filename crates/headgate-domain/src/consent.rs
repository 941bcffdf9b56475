//! Consent: what state a person's yes or no leaves them in, and the record apps send (R-314).
//!
//! Facts are ordered by the time they happened, not by the time they arrived, so a replayed yes
//! cannot opt anybody in again (ADR 0017).

mod evidence;
mod history;
mod method;
mod notice;
mod overview;
mod owner;
mod question;
mod standing;
mod topic;

use serde_json::Value;

pub use history::{History, Kind, Said};
pub(crate) use method::HEARD_BY_US;
pub use method::METHODS;
use method::by_meta;
pub use notice::{InvalidNoticeId, NoticeId, text_hash};
pub use overview::{QUERY_SCHEMA, Stand, asked_about, overview};
pub use owner::{IdentityChange, SILENCE_MS};
pub use question::{
    Answer, Asking, IMPORTED, OPEN_MS, Question, answer_in, no_payload, yes_payload,
};
pub use standing::{Standing, Validity};
pub use topic::{InvalidTopic, Topic};

use crate::do_not_sell::DoNotSell;
use crate::health::Health;
use crate::identity::{Bsuid, Identifier, Phone, SubjectId};
use crate::lane::{PURPOSES, Purpose};
use crate::outbound::{MAX_BYTES, Recipient};
use crate::refusal::{Code, Refusal};
use crate::region::Country;
use crate::time::{DAY, MINUTE, Timestamp};
use headgate_redact::Personal;

/// A yes older than this at arrival is recorded and changes nothing: Meta repeats for seven days.
pub const MAX_YES_AGE_MS: i64 = 7 * DAY;

/// How far ahead of ours an app's clock may be.
pub const MAX_AHEAD_MS: i64 = 5 * MINUTE;

/// How far two clocks may disagree about which of two facts came first. Meta stamps whole seconds, and
/// an app's clock may run ahead; a no that came this shortly before a yes may have come after it.
pub const DOUBT_MS: i64 = MINUTE;

/// How many topics a deployment has, and so a record, at most.
pub const MAX_TOPICS: usize = 16;

/// The schema apps name in a consent record.
pub const SCHEMA: &str = "headgate.consent/1";

/// Where a person stands for one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Asked for on a form; not yet proven to come from the person.
    Requested,
    /// Yes.
    Given,
    /// No.
    Withdrawn,
    /// The yes was none, and nothing else was said.
    Invalidated,
    /// No, to the question whether to be written to: nothing was given, so nothing is taken back.
    Refused,
}

impl State {
    /// The stored word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Given => "given",
            Self::Withdrawn => "withdrawn",
            Self::Invalidated => "invalidated",
            Self::Refused => "refused",
        }
    }

    /// The state behind a stored word; an unknown word is treated as a no.
    pub fn from_word(word: &str) -> Self {
        match word {
            "requested" => Self::Requested,
            "given" => Self::Given,
            "invalidated" => Self::Invalidated,
            "refused" => Self::Refused,
            _ => Self::Withdrawn,
        }
    }
}

/// The current consent of a person for one purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Where the person stands.
    pub state: State,
    /// When the fact behind it happened.
    pub at: Timestamp,
    /// The ledger event that proves it.
    pub event: String,
    /// How it was expressed.
    pub method: String,
    /// What else was said, from which this follows.
    pub history: History,
    /// How often it was written.
    pub revision: u64,
}

impl Consent {
    /// The consent that follows from what was said; `None` when that is no yes and no no.
    pub fn of(history: History, revision: u64) -> Option<Self> {
        let (state, kind) = history.standing()?;
        let said = history.latest(kind)?;
        Some(Self {
            state,
            at: said.at,
            event: said.event.clone().unwrap_or_default(),
            method: said.method.clone(),
            history,
            revision,
        })
    }

    /// When the person agreed, of a consent that is given: a word like START opens again what was agreed to
    /// before, and is no yes by itself.
    pub fn agreed_at(&self) -> Timestamp {
        let yes = self.history.latest(Kind::Yes);
        yes.map_or(self.at, |yes| yes.at.min(self.at))
    }

    /// A consent of which nothing but the last fact is known.
    pub fn alone(state: State, at: Timestamp, event: &str, method: &str) -> Self {
        let mut history = History::default();
        let action = match state {
            State::Given => Action::Given,
            State::Withdrawn => Action::Withdrawn,
            State::Requested => Action::Requested,
            State::Invalidated => Action::Invalidated,
            State::Refused => Action::Refused,
        };
        // A yes by a word stands here for the one it opened again.
        let kind = Kind::of(action, method).map(|kind| match kind {
            Kind::Again => Kind::Yes,
            Kind::Yes | Kind::NoByWord | Kind::OtherNo | Kind::Invalid | Kind::Refusal => kind,
        });
        if let Some(kind) = kind {
            let said = Said {
                at,
                event: Some(event.to_owned()),
                method: method.to_owned(),
                evidence: None,
                notice: None,
                asked_at: None,
            };
            history.take(kind, said);
        }
        Self {
            state,
            at,
            event: event.to_owned(),
            method: method.to_owned(),
            history,
            revision: 0,
        }
    }
}

/// What a fact says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The person said yes.
    Given,
    /// The person said no.
    Withdrawn,
    /// Somebody typed it into a public form: nothing is proven.
    Requested,
    /// An earlier yes turned out to be none; the person said nothing.
    Invalidated,
    /// The person was asked, and said no.
    Refused,
}

impl Action {
    /// The ledger's event type.
    pub const fn ledger_type(self) -> &'static str {
        match self {
            Self::Given => "consent.given",
            Self::Withdrawn => "consent.withdrawn",
            Self::Requested => "consent.requested",
            Self::Invalidated => "consent.invalidated",
            Self::Refused => "consent.refused",
        }
    }
}

/// When a fact takes effect; `None` when it is recorded and changes nothing, whatever else was said: a yes
/// that is too old, or from the future.
///
/// A yes is never kept as later than now, so that a fast clock cannot outrun a no that is said meanwhile.
/// In doubt the no wins, for wrongly writing to nobody harms nobody: when two clocks may disagree about
/// which came first, it is kept as no earlier than the yes it takes back, so that the same yes, coming
/// again, does not win after all.
pub fn effective_at(
    current: Option<&Consent>,
    action: Action,
    method: &str,
    at: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    match action {
        Action::Given => {
            let too_old = now.millis_since(at) > MAX_YES_AGE_MS;
            let from_the_future = at.millis_since(now) > MAX_AHEAD_MS;
            (!too_old && !from_the_future).then(|| at.min(now))
        }
        Action::Withdrawn => {
            let doubtful = current.filter(|yes| {
                let one_clock = by_meta(method) && by_meta(&yes.method);
                let ahead = yes.at.millis_since(at);
                yes.state == State::Given && !one_clock && (0..=DOUBT_MS).contains(&ahead)
            });
            Some(doubtful.map_or(at, |yes| yes.at))
        }
        Action::Requested | Action::Refused => Some(at),
        // Whoever finds a yes to be none finds it so when they say it, not later.
        Action::Invalidated => Some(at.min(now)),
    }
}

/// A consent record as an app sends it (`schemas/consent-record.v1.json`).
#[derive(Clone, Debug)]
pub struct ConsentRecord {
    /// The app's id of the record.
    pub id: String,
    /// Whose consent.
    pub to: Recipient,
    /// The app's key of the person.
    pub reference: Option<String>,
    /// For what.
    pub purposes: Vec<Purpose>,
    /// What within it; empty for all of it.
    pub topics: Vec<Topic>,
    /// Yes or no.
    pub action: Action,
    /// How it was expressed, one of [`METHODS`].
    pub method: String,
    /// The wording shown to the person: its text or an identifier of it.
    pub notice: Option<String>,
    /// The language it was shown in.
    pub locale: Option<String>,
    /// When it happened; for a no that does not say so, when it was read.
    pub occurred_at: Timestamp,
    /// The proof, as JSON; stored as ciphertext, committed to in the ledger.
    pub evidence: Option<String>,
}

impl ConsentRecord {
    /// Parses and checks one record.
    ///
    /// # Errors
    /// A [`Refusal`] with code `too_large`, `malformed`, `invalid_recipient` or `unknown_subject` that
    /// names field and reason and quotes nothing.
    pub fn parse(body: &str, now: Timestamp) -> Result<Self, Refusal> {
        if body.len() > MAX_BYTES {
            return Err(Code::TooLarge.into());
        }
        let fields = crate::outbound::Fields::parse(body)?;
        fields.only(&[
            "schema",
            "id",
            "to",
            "purpose",
            "topics",
            "action",
            "method",
            "notice",
            "locale",
            "occurred_at",
            "evidence",
        ])?;
        fields.schema(SCHEMA)?;
        let id = fields.id()?;
        let (to, reference) = fields.recipient()?;
        let purposes = match fields.get("purpose") {
            Some(Value::String(word)) => vec![purpose(word)?],
            Some(Value::Array(words)) if !words.is_empty() => words
                .iter()
                .map(|w| w.as_str().ok_or_else(bad_purpose).and_then(purpose))
                .collect::<Result<Vec<_>, _>>()?,
            _ => return Err(bad_purpose()),
        };
        let action = match fields.text("action")? {
            "given" => Action::Given,
            "withdrawn" => Action::Withdrawn,
            "invalidated" => Action::Invalidated,
            _ => {
                return Err(Refusal::at(
                    Code::Malformed,
                    "action",
                    "must be given, withdrawn or invalidated",
                ));
            }
        };
        let topics = topics(fields.get("topics"))?;
        let method = fields.text("method")?;
        if !METHODS.contains(&method) {
            return Err(Refusal::at(
                Code::Malformed,
                "method",
                "is not one of the documented methods (schemas/consent-record.v1.json)",
            ));
        }
        if action == Action::Given && HEARD_BY_US.contains(&method) {
            return Err(Refusal::at(
                Code::Malformed,
                "method",
                "is a channel of the person's own; a yes given there is recorded by Headgate, not attested by an app",
            ));
        }
        let occurred_at = occurred_at(&fields, action, now)?;
        let notice = fields.optional_text("notice", "notice", 4_096)?;
        let evidence = fields
            .get("evidence")
            .filter(|v| !v.is_null())
            .map(Value::to_string);
        if action == Action::Given && notice.is_none() {
            return Err(Refusal::at(
                Code::Malformed,
                "notice",
                "is required when action is given: the wording the person agreed to",
            ));
        }
        if action == Action::Given {
            evidence::suffices(method, fields.get("evidence"), &purposes)?;
        }
        Ok(Self {
            id: id.to_owned(),
            to,
            reference,
            purposes,
            topics,
            action,
            method: method.to_owned(),
            notice,
            locale: fields.optional_text("locale", "locale", 35)?,
            occurred_at,
            evidence,
        })
    }
}

/// When it happened. A yes must say so: without a time of its own it would be newer at every delivery than a
/// no said in between.
fn occurred_at(
    fields: &crate::outbound::Fields,
    action: Action,
    now: Timestamp,
) -> Result<Timestamp, Refusal> {
    let occurred_at = fields.optional_time("occurred_at", "occurred_at")?;
    if action == Action::Given && occurred_at.is_none() {
        return Err(Refusal::at(
            Code::Malformed,
            "occurred_at",
            "is required when action is given: when the person said yes",
        ));
    }
    let occurred_at = occurred_at.unwrap_or(now);
    if occurred_at.millis_since(now) > MAX_AHEAD_MS {
        return Err(Refusal::at(
            Code::Malformed,
            "occurred_at",
            "lies in the future",
        ));
    }
    Ok(occurred_at)
}

/// The topics of a record, each once; none means the whole purpose.
fn topics(value: Option<&Value>) -> Result<Vec<Topic>, Refusal> {
    let list = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= MAX_TOPICS => list,
        Some(_) => return Err(bad_topics()),
    };
    let mut topics = list
        .iter()
        .map(|name| Topic::parse(name.as_str()?).ok())
        .collect::<Option<Vec<_>>>()
        .ok_or_else(bad_topics)?;
    topics.sort_unstable();
    topics.dedup();
    Ok(topics)
}

fn bad_topics() -> Refusal {
    Refusal::at(
        Code::Malformed,
        "topics",
        "must be a list of at most 16 names, each 1 to 32 of a-z, 0-9, _ and -",
    )
}

fn purpose(word: &str) -> Result<Purpose, Refusal> {
    Purpose::from_word(word).ok_or_else(bad_purpose)
}

fn bad_purpose() -> Refusal {
    Refusal::at(
        Code::Malformed,
        "purpose",
        "must be marketing, utility, authentication or service, or a list of these",
    )
}

/// What the rules need to know about a person.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The person's id.
    pub id: SubjectId,
    /// The phone number, if it is known.
    pub phone: Option<Phone>,
    /// The business-scoped user id, if it is known.
    pub bsuid: Option<Bsuid>,
    /// The country of what the person is known by, as it is on record in clear: for whoever opens no number.
    pub country_on_record: Option<Country>,
    /// Consent per purpose, in the order of [`PURPOSES`].
    pub consents: [Option<Consent>; 4],
    /// What was said of single topics only.
    pub topics: Vec<(Purpose, Topic, Consent)>,
    /// When the person last wrote to the business; opens the service window for 24 hours.
    pub last_inbound_at: Option<Timestamp>,
    /// Whether the person stopped marketing with Meta's own switch.
    pub meta_stop: bool,
    /// The app's own key of the person.
    pub reference: Option<String>,
    /// Whether messages have lately reached the person.
    pub health: Health,
    /// The key of the person's account, as Meta last told it.
    pub identity_key: Option<Personal<String>>,
    /// Since when that key is known.
    pub identity_key_at: Option<Timestamp>,
    /// When somebody else may have taken the person's place, and by what that showed.
    pub identity_change: Option<(Timestamp, IdentityChange)>,
    /// When the person wrote again after a year without a word: numbers are given to others meanwhile.
    pub returned_at: Option<Timestamp>,
    /// The last question whether to be written to that the person was asked in the chat.
    pub asked: Option<Question>,
    /// That their data be neither sold nor shared, once they chose so.
    pub do_not_sell: Option<DoNotSell>,
    /// Since when nothing is done with their data but keep it, because they asked for that (GDPR 18).
    pub restricted_at: Option<Timestamp>,
    /// The subject that stands for this one since the two turned out to be one person.
    pub same_as: Option<SubjectId>,
    /// Since when the person is known here.
    pub created_at: Option<Timestamp>,
}

impl Subject {
    /// A person about whom nothing is known but the id.
    pub const fn unknown(id: SubjectId) -> Self {
        Self {
            id,
            phone: None,
            bsuid: None,
            country_on_record: None,
            consents: [None, None, None, None],
            topics: Vec::new(),
            last_inbound_at: None,
            meta_stop: false,
            reference: None,
            health: Health {
                undeliverable: 0,
                failures: 0,
                held_back: 0,
                failed_at: None,
                held_back_at: None,
            },
            identity_key: None,
            identity_key_at: None,
            identity_change: None,
            returned_at: None,
            asked: None,
            do_not_sell: None,
            restricted_at: None,
            same_as: None,
            created_at: None,
        }
    }

    /// What the person is known by, the number first: Meta takes either, and the number survives a change of
    /// business.
    pub fn identifiers(&self) -> impl Iterator<Item = Identifier> {
        let phone = self.phone.clone().map(Identifier::Phone);
        let bsuid = self.bsuid.clone().map(Identifier::Bsuid);
        phone.into_iter().chain(bsuid)
    }

    /// The country whose rules are the person's, as far as an identifier tells.
    pub fn country(&self) -> Option<Country> {
        let told = self.identifiers().find_map(|known| Country::of(&known));
        told.or(self.country_on_record)
    }

    /// Whether what was said or done at a time is this person's: before their identity changed, it may
    /// have been somebody else. In doubt, in the same second, it was.
    pub fn is_theirs(&self, at: Timestamp) -> bool {
        self.identity_change
            .is_none_or(|(changed_at, _what)| at > changed_at)
    }

    /// The consent for a purpose.
    pub fn consent(&self, purpose: Purpose) -> Option<&Consent> {
        PURPOSES
            .iter()
            .zip(&self.consents)
            .find(|(p, _)| **p == purpose)
            .and_then(|(_, c)| c.as_ref())
    }

    /// What was said of a topic alone.
    pub fn topic_consent(&self, purpose: Purpose, topic: &Topic) -> Option<&Consent> {
        self.topics
            .iter()
            .find(|(p, t, _)| *p == purpose && t == topic)
            .map(|(_, _, consent)| consent)
    }

    /// What was said of a purpose, or of one topic of it alone.
    pub fn consent_to(&self, purpose: Purpose, topic: Option<&Topic>) -> Option<&Consent> {
        match topic {
            None => self.consent(purpose),
            Some(topic) => self.topic_consent(purpose, topic),
        }
    }

    /// Whether the person has said yes to anything from this business, as Meta's opt-in asks.
    pub fn has_any_consent(&self) -> bool {
        self.any_consent().is_some()
    }

    /// A yes to anything that is the person's own.
    pub fn any_consent(&self) -> Option<&Consent> {
        let of_topics = self.topics.iter().map(|(_, _, consent)| consent);
        let mut all = self.consents.iter().flatten().chain(of_topics);
        all.find(|c| c.state == State::Given && self.is_theirs(c.agreed_at()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    fn t(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_795_000_000_i64.saturating_add(seconds))
    }

    /// What a fact leaves somebody in who stands where `current` says.
    fn then(
        current: Option<&Consent>,
        action: Action,
        method: &str,
        at: Timestamp,
        now: Timestamp,
    ) -> Option<Consent> {
        let mut history = current.map(|c| c.history.clone()).unwrap_or_default();
        if let Some(at) = effective_at(current, action, method, at, now) {
            let said = Said {
                at,
                event: None,
                method: method.into(),
                evidence: None,
                notice: None,
                asked_at: None,
            };
            history.take(Kind::of(action, method).unwrap(), said);
        }
        Consent::of(history, 0)
    }

    fn state(consent: Option<&Consent>) -> Option<State> {
        consent.map(|consent| consent.state)
    }

    #[test]
    fn a_replayed_yes_never_opts_anybody_in_again() {
        let no = Consent::alone(State::Withdrawn, t(100), "L0.0", "keyword");
        let yes_at = |at| state(then(Some(&no), Action::Given, "paper", at, t(200)).as_ref());
        assert_eq!(yes_at(t(50)), Some(State::Withdrawn));
        assert_eq!(
            yes_at(t(100)),
            Some(State::Withdrawn),
            "on a tie the no wins"
        );
        assert_eq!(yes_at(t(101)), Some(State::Given));
    }

    #[test]
    fn a_yes_older_than_seven_days_changes_nothing() {
        let yes_at = |at| state(then(None, Action::Given, "paper", at, t(0)).as_ref());
        assert_eq!(yes_at(t(-8 * 86_400)), None);
        assert_eq!(yes_at(t(-6 * 86_400)), Some(State::Given));
        assert_eq!(yes_at(t(301)), None, "nor does one from the future");
    }

    #[test]
    fn a_no_always_counts_unless_a_newer_yes_exists() {
        let yes = Consent::alone(State::Given, t(100), "L0.0", "paper");
        let no_at =
            |current, at, now| state(then(current, Action::Withdrawn, "keyword", at, now).as_ref());
        assert_eq!(no_at(Some(&yes), t(100), t(200)), Some(State::Withdrawn));
        assert_eq!(no_at(Some(&yes), t(39), t(200)), Some(State::Given));
        assert_eq!(
            no_at(None, t(-40 * 86_400), t(0)),
            Some(State::Withdrawn),
            "a no does not grow stale"
        );
    }

    #[test]
    fn a_no_within_the_doubt_about_two_clocks_beats_the_yes_and_keeps_beating_it() {
        // The yes at 100.4 s by the app's clock; the stop that came after it, 100 s by Meta's, in whole seconds.
        let yes_at = t(100).plus_millis(400);
        let yes = Consent::alone(State::Given, yes_at, "L0.0", "paper");
        let no = then(Some(&yes), Action::Withdrawn, "keyword", t(100), t(101)).unwrap();
        assert_eq!((no.state, no.at), (State::Withdrawn, yes_at));
        let again = then(Some(&no), Action::Given, "paper", yes_at, t(102));
        assert_eq!(
            state(again.as_ref()),
            Some(State::Withdrawn),
            "the same yes coming again"
        );
        let later = then(Some(&no), Action::Given, "paper", t(110), t(111));
        assert_eq!(
            state(later.as_ref()),
            Some(State::Given),
            "a yes said after the no"
        );
    }

    #[test]
    fn of_two_facts_by_metas_clock_the_order_is_known() {
        let yes = Consent::alone(State::Given, t(130), "L0.0", "message_in");
        let no = then(Some(&yes), Action::Withdrawn, "keyword", t(100), t(200));
        assert_eq!(state(no.as_ref()), Some(State::Given));
        let by_app = then(Some(&yes), Action::Withdrawn, "paper", t(100), t(200));
        assert_eq!(state(by_app.as_ref()), Some(State::Withdrawn));
    }

    #[test]
    fn a_yes_from_a_fast_clock_is_not_kept_as_later_than_now() {
        let fast = t(240);
        let yes = then(None, Action::Given, "paper", fast, t(0)).unwrap();
        assert_eq!((yes.state, yes.at), (State::Given, t(0)));
        let no = then(Some(&yes), Action::Withdrawn, "keyword", t(30), t(31)).unwrap();
        assert_eq!(no.state, State::Withdrawn);
        let again = then(Some(&no), Action::Given, "paper", fast, t(30));
        assert_eq!(
            state(again.as_ref()),
            Some(State::Withdrawn),
            "judged by the time it is kept under"
        );
    }

    #[test]
    fn a_yes_without_a_time_is_malformed_and_a_no_without_one_counts() {
        let record = |action: &str, time: &str| {
            format!(
                r#"{{"schema":"headgate.consent/1","id":"c1","to":{{"phone":"+16135550123"}},"purpose":"marketing","action":"{action}","method":"paper","notice":"Yes","evidence":{{"form":"f"}}{time}}}"#
            )
        };
        for none in ["", r#","occurred_at":null"#] {
            let refusal = ConsentRecord::parse(&record("given", none), t(0)).unwrap_err();
            assert_eq!(
                (refusal.code, refusal.field),
                (Code::Malformed, Some("occurred_at"))
            );
            let no = ConsentRecord::parse(&record("withdrawn", none), t(0)).unwrap();
            assert_eq!(no.occurred_at, t(0));
        }
    }

    #[test]
    fn a_form_never_gives() {
        assert_eq!(Kind::of(Action::Requested, "web_checkbox"), None);
        let asked = Consent::alone(State::Requested, t(0), "L0.0", "web_checkbox");
        assert_eq!(Consent::of(asked.history, 0), None);
    }

    #[test]
    fn nobody_attests_a_yes_on_the_persons_own_channel_but_a_no_counts_from_anywhere() {
        for method in HEARD_BY_US {
            let record = |action: &str| {
                format!(
                    r#"{{"schema":"headgate.consent/1","id":"c1","to":{{"phone":"+16135550123"}},"purpose":"marketing","action":"{action}","method":"{method}","notice":"Yes","evidence":{{"form":"f"}}}}"#
                )
            };
            assert_eq!(
                ConsentRecord::parse(&record("given"), t(0))
                    .unwrap_err()
                    .field,
                Some("method"),
                "{method}"
            );
            assert!(
                ConsentRecord::parse(&record("withdrawn"), t(0)).is_ok(),
                "{method}"
            );
        }
    }

    #[test]
    fn topics_are_names_from_a_list_and_each_counts_once() {
        let record = |topics: &str| {
            let record = format!(
                r#"{{"schema":"headgate.consent/1","id":"c1","to":{{"phone":"+16135550123"}},"purpose":"marketing","topics":{topics},"action":"withdrawn","method":"paper"}}"#
            );
            ConsentRecord::parse(&record, t(0))
        };
        let many = format!("[{}]", vec![r#""a""#; 17].join(","));
        for bad in ["7", "[7]", r#"["Big News"]"#, r#"["16135550123"]"#, &many] {
            assert_eq!(record(bad).unwrap_err().field, Some("topics"), "{bad}");
        }
        let news = Topic::parse("news").unwrap();
        assert_eq!(record(r#"["news","news"]"#).unwrap().topics, [news]);
        for none in ["[]", "null"] {
            assert!(record(none).unwrap().topics.is_empty(), "{none}");
        }
    }

    #[test]
    fn a_record_no_table_could_hold_is_refused() {
        let record = format!(r#"{{"evidence":"{}"}}"#, "a".repeat(MAX_BYTES));
        assert_eq!(
            ConsentRecord::parse(&record, t(0)).unwrap_err().code,
            Code::TooLarge
        );
    }

    #[test]
    fn a_yes_without_wording_or_proof_is_malformed() {
        let base = r#"{"schema":"headgate.consent/1","id":"c1","to":{"phone":"+16135550123"},"purpose":"marketing","action":"given","method":"web_checkbox","occurred_at":"2026-11-18T00:00:00Z""#;
        let no_notice = ConsentRecord::parse(&format!("{base}}}"), t(0)).unwrap_err();
        assert_eq!(no_notice.field, Some("notice"));
        let no_proof =
            ConsentRecord::parse(&format!(r#"{base},"notice":"Yes, write to me"}}"#), t(0))
                .unwrap_err();
        assert_eq!(no_proof.field, Some("evidence"));
        assert!(
            ConsentRecord::parse(
                &format!(
                    r#"{base},"notice":"Yes","evidence":{{"form":"f","page":"maple.example"}}}}"#
                ),
                t(0)
            )
            .is_ok()
        );
    }
}
