//! Consent: what state a person's yes or no leaves them in, and the record apps send (R-314).
//!
//! Facts are ordered by the time they happened, not by the time they arrived, so a replayed yes
//! cannot opt anybody in again (decisions.md, "Consents by queue").

use serde_json::Value;

use crate::health::Health;
use crate::identity::{Bsuid, Phone, SubjectId};
use crate::lane::{PURPOSES, Purpose};
use crate::outbound::{MAX_BYTES, Recipient};
use crate::refusal::{Code, Refusal};
use crate::time::{DAY, MINUTE, Timestamp};
use headgate_redact::Personal;

/// A yes older than this at arrival is recorded and changes nothing: Meta repeats for seven days.
pub const MAX_YES_AGE_MS: i64 = 7 * DAY;

/// How far ahead of ours an app's clock may be.
pub const MAX_AHEAD_MS: i64 = 5 * MINUTE;

/// How far two clocks may disagree about which of two facts came first. Meta stamps whole seconds, and
/// an app's clock may run ahead; a no that came this shortly before a yes may have come after it.
pub const DOUBT_MS: i64 = MINUTE;

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
}

impl State {
    /// The stored word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Given => "given",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state behind a stored word; an unknown word is treated as a no.
    pub fn from_word(word: &str) -> Self {
        match word {
            "requested" => Self::Requested,
            "given" => Self::Given,
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
    /// Whether this no took a yes back: only such a no may be reopened by a word like START.
    pub replaced_given: bool,
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
}

impl Action {
    /// The ledger's event type.
    pub const fn ledger_type(self) -> &'static str {
        match self {
            Self::Given => "consent.given",
            Self::Withdrawn => "consent.withdrawn",
            Self::Requested => "consent.requested",
        }
    }
}

/// What to do with a fact: it is always recorded, and may also change the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Append to the ledger and change the state.
    Change(State),
    /// Append to the ledger only.
    RecordOnly,
}

/// When a fact takes effect, once [`apply`] lets it change the state.
///
/// A yes is never stored as later than now, so that a fast clock cannot outrun a no that is said
/// meanwhile. A no is stored as no earlier than the yes it takes back, so that the same yes, coming
/// again, does not win after all.
pub fn effective_at(
    current: Option<&Consent>,
    action: Action,
    at: Timestamp,
    now: Timestamp,
) -> Timestamp {
    match action {
        Action::Given => at.min(now),
        Action::Withdrawn => current
            .filter(|c| c.state == State::Given)
            .map_or(at, |c| at.max(c.at)),
        Action::Requested => at,
    }
}

/// Decides what a fact that happened `at` does to the current state, at time `now`.
///
/// In doubt the no wins: wrongly writing to nobody harms nobody.
pub fn apply(current: Option<&Consent>, action: Action, at: Timestamp, now: Timestamp) -> Outcome {
    match action {
        Action::Given => {
            let too_old = now.millis_since(at) > MAX_YES_AGE_MS;
            let from_the_future = at.millis_since(now) > MAX_AHEAD_MS;
            // On a tie the no wins, so a yes must be strictly newer than a withdrawal.
            let effective = effective_at(current, action, at, now);
            let superseded = current.is_some_and(|c| match c.state {
                State::Withdrawn | State::Given => c.at >= effective,
                State::Requested => false,
            });
            if too_old || from_the_future || superseded {
                Outcome::RecordOnly
            } else {
                Outcome::Change(State::Given)
            }
        }
        Action::Withdrawn => {
            let newer_yes = current
                .is_some_and(|c| c.state == State::Given && c.at.millis_since(at) > DOUBT_MS);
            let already = current.is_some_and(|c| c.state == State::Withdrawn && c.at >= at);
            if newer_yes || already {
                Outcome::RecordOnly
            } else {
                Outcome::Change(State::Withdrawn)
            }
        }
        Action::Requested => match current {
            None => Outcome::Change(State::Requested),
            Some(_) => Outcome::RecordOnly,
        },
    }
}

/// How a consent may be expressed (compliance.md 1.4); `import` and public forms never give.
pub const METHODS: [&str; 16] = [
    "web_checkbox",
    "qr_scan",
    "in_thread_button",
    "whatsapp_flow",
    "keyword",
    "checkout_checkbox",
    "app",
    "paper",
    "ivr",
    "in_person",
    "api_attested",
    "message_in",
    "link",
    "meta_switch",
    "agent",
    "quick_reply",
];

/// The channels on which we hear a person ourselves: nobody else can attest a yes given there.
const HEARD_BY_US: [&str; 5] = [
    "keyword",
    "message_in",
    "meta_switch",
    "link",
    "quick_reply",
];

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
            _ => {
                return Err(Refusal::at(
                    Code::Malformed,
                    "action",
                    "must be given or withdrawn",
                ));
            }
        };
        topics(fields.get("topics"), action)?;
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
        if action == Action::Given && evidence.is_none() {
            return Err(Refusal::at(
                Code::Malformed,
                "evidence",
                "is required when action is given: what proves it, such as {\"form\":\"checkout-7\"}",
            ));
        }
        Ok(Self {
            id: id.to_owned(),
            to,
            reference,
            purposes,
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

/// Topics are not kept. A no to one restricts the whole purpose, which harms nobody; a yes must not.
fn topics(value: Option<&Value>, action: Action) -> Result<(), Refusal> {
    match value {
        Some(Value::Array(list)) if !list.iter().all(Value::is_string) => Err(bad_topics()),
        Some(Value::Array(list)) if action == Action::Given && !list.is_empty() => {
            Err(Refusal::at(
                Code::Malformed,
                "topics",
                "are not kept: a yes to one topic would count for the whole purpose; leave it out",
            ))
        }
        None | Some(Value::Null | Value::Array(_)) => Ok(()),
        Some(_) => Err(bad_topics()),
    }
}

fn bad_topics() -> Refusal {
    Refusal::at(Code::Malformed, "topics", "must be a list of strings")
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
    /// Consent per purpose, in the order of [`PURPOSES`].
    pub consents: [Option<Consent>; 4],
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
    /// The subject that stands for this one since the two turned out to be one person.
    pub same_as: Option<SubjectId>,
}

/// What shows that somebody else may be behind an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityChange {
    /// The account has another number.
    Number,
    /// The account has another user id, and its number is not told.
    UserId,
    /// The key of the account is another: a new device, or a new holder of the number.
    IdentityKey,
    /// The number has passed to another account.
    NumberReassigned,
}

impl IdentityChange {
    const ALL: [Self; 4] = [
        Self::Number,
        Self::UserId,
        Self::IdentityKey,
        Self::NumberReassigned,
    ];

    /// The word for it, as stored and as told to apps.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::UserId => "user_id",
            Self::IdentityKey => "identity_key",
            Self::NumberReassigned => "number_reassigned",
        }
    }

    /// The change behind a stored word; an unknown word is one of the key.
    pub fn from_word(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|change| change.word() == word);
        known.unwrap_or(Self::IdentityKey)
    }
}

impl Subject {
    /// A person about whom nothing is known but the id.
    pub const fn unknown(id: SubjectId) -> Self {
        Self {
            id,
            phone: None,
            bsuid: None,
            consents: [None, None, None, None],
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
            same_as: None,
        }
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

    /// Whether the person has said yes to anything from this business, as Meta's opt-in asks.
    pub fn has_any_consent(&self) -> bool {
        self.any_consent().is_some()
    }

    /// A yes to anything that is the person's own.
    pub fn any_consent(&self) -> Option<&Consent> {
        let mut all = self.consents.iter().flatten();
        all.find(|c| c.state == State::Given && self.is_theirs(c.at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use super::*;

    fn t(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_795_000_000_i64.saturating_add(seconds))
    }

    fn consent(state: State, at: Timestamp) -> Consent {
        Consent {
            state,
            at,
            event: "L0.0".into(),
            method: "keyword".into(),
            replaced_given: false,
        }
    }

    #[test]
    fn a_replayed_yes_never_opts_anybody_in_again() {
        let no = consent(State::Withdrawn, t(100));
        assert_eq!(
            apply(Some(&no), Action::Given, t(50), t(200)),
            Outcome::RecordOnly
        );
        assert_eq!(
            apply(Some(&no), Action::Given, t(100), t(200)),
            Outcome::RecordOnly,
            "on a tie the no wins"
        );
        assert_eq!(
            apply(Some(&no), Action::Given, t(101), t(200)),
            Outcome::Change(State::Given)
        );
    }

    #[test]
    fn a_yes_older_than_seven_days_changes_nothing() {
        assert_eq!(
            apply(None, Action::Given, t(-8 * 86_400), t(0)),
            Outcome::RecordOnly
        );
        assert_eq!(
            apply(None, Action::Given, t(-6 * 86_400), t(0)),
            Outcome::Change(State::Given)
        );
    }

    #[test]
    fn a_no_always_counts_unless_a_newer_yes_exists() {
        let yes = consent(State::Given, t(100));
        assert_eq!(
            apply(Some(&yes), Action::Withdrawn, t(100), t(200)),
            Outcome::Change(State::Withdrawn)
        );
        assert_eq!(
            apply(Some(&yes), Action::Withdrawn, t(39), t(200)),
            Outcome::RecordOnly
        );
        assert_eq!(
            apply(None, Action::Withdrawn, t(-40 * 86_400), t(0)),
            Outcome::Change(State::Withdrawn),
            "a no does not grow stale"
        );
    }

    #[test]
    fn a_no_within_the_doubt_about_two_clocks_beats_the_yes_and_keeps_beating_it() {
        // The yes at 100.4 s by the app's clock; the stop that came after it, 100 s by Meta's, in whole seconds.
        let yes_at = t(100).plus_millis(400);
        let yes = consent(State::Given, yes_at);
        assert_eq!(
            apply(Some(&yes), Action::Withdrawn, t(100), t(101)),
            Outcome::Change(State::Withdrawn)
        );
        let stored = effective_at(Some(&yes), Action::Withdrawn, t(100), t(101));
        assert_eq!(stored, yes_at);
        let no = consent(State::Withdrawn, stored);
        assert_eq!(
            apply(Some(&no), Action::Given, yes_at, t(102)),
            Outcome::RecordOnly,
            "the same yes coming again"
        );
        assert_eq!(
            apply(Some(&no), Action::Given, t(110), t(111)),
            Outcome::Change(State::Given),
            "a yes said after the no"
        );
    }

    #[test]
    fn a_yes_from_a_fast_clock_is_not_kept_as_later_than_now() {
        let fast = t(240);
        assert_eq!(
            apply(None, Action::Given, fast, t(0)),
            Outcome::Change(State::Given)
        );
        let stored = effective_at(None, Action::Given, fast, t(0));
        assert_eq!(stored, t(0));
        let yes = consent(State::Given, stored);
        assert_eq!(
            apply(Some(&yes), Action::Withdrawn, t(30), t(31)),
            Outcome::Change(State::Withdrawn)
        );
        let no = consent(State::Withdrawn, t(30));
        assert_eq!(
            apply(Some(&no), Action::Given, fast, t(30)),
            Outcome::RecordOnly,
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
        assert_eq!(
            apply(None, Action::Requested, t(0), t(0)),
            Outcome::Change(State::Requested)
        );
        let no = consent(State::Withdrawn, t(0));
        assert_eq!(
            apply(Some(&no), Action::Requested, t(5), t(5)),
            Outcome::RecordOnly
        );
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
    fn a_yes_to_a_topic_does_not_count_for_the_whole_purpose_and_a_no_does() {
        let record = |action: &str, topics: &str| {
            format!(
                r#"{{"schema":"headgate.consent/1","id":"c1","to":{{"phone":"+16135550123"}},"purpose":"marketing","topics":{topics},"action":"{action}","method":"paper","notice":"Yes","occurred_at":"2026-11-18T00:00:00Z","evidence":{{"form":"f"}}}}"#
            )
        };
        assert_eq!(
            ConsentRecord::parse(&record("given", r#"["news"]"#), t(0))
                .unwrap_err()
                .field,
            Some("topics")
        );
        assert_eq!(
            ConsentRecord::parse(&record("withdrawn", "7"), t(0))
                .unwrap_err()
                .field,
            Some("topics")
        );
        assert!(ConsentRecord::parse(&record("given", "[]"), t(0)).is_ok());
        assert!(ConsentRecord::parse(&record("withdrawn", r#"["news"]"#), t(0)).is_ok());
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
                &format!(r#"{base},"notice":"Yes","evidence":{{"form":"f"}}}}"#),
                t(0)
            )
            .is_ok()
        );
    }
}
