//! The event and its fields, which are those of ISO/IEC TS 27560 (docs/ledger.md maps them).
//!
//! Owns what an event says, and in which version. Writes version 2; version 1 is read and verified, and
//! never written again. What is the same for all events of a deployment comes from its [`Terms`].

use serde_json::{Map, Value};

use super::Commitment;
use super::chain::event_id;
use crate::time::Timestamp;

/// Version of the event's form, its field `v`.
pub(super) const VERSION: u64 = 2;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventType {
    /// Consent was asked for and not yet confirmed.
    ConsentRequested,
    /// The person agreed.
    ConsentGiven,
    /// The person took it back, or objected.
    ConsentWithdrawn,
    /// A consent turned out to be none; the person said nothing.
    ConsentInvalidated,
    /// The person was asked, and said no.
    ConsentRefused,
    /// What we held about the person was erased.
    SubjectErased,
}

impl EventType {
    /// The name in the event's field `type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConsentRequested => "consent.requested",
            Self::ConsentGiven => "consent.given",
            Self::ConsentWithdrawn => "consent.withdrawn",
            Self::ConsentInvalidated => "consent.invalidated",
            Self::ConsentRefused => "consent.refused",
            Self::SubjectErased => "subject.erased",
        }
    }
}

/// How plainly a person said it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Expression {
    /// In words, or by a button or a box that says so.
    Explicit,
    /// By what they did.
    Implied,
    /// By having bought something similar, where the law takes that.
    SoftOptIn,
}

impl Expression {
    /// The word in the event's field `event_type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Implied => "implied",
            Self::SoftOptIn => "soft_opt_in",
        }
    }
}

/// What every consent event of a deployment says alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Who is responsible, as an id of the deployment's party register.
    pub controller: String,
    /// What kinds of personal data the consent is about.
    pub pii: Vec<String>,
    /// Who else gets them.
    pub recipients: Vec<String>,
    /// Where they are stored.
    pub regions: Vec<String>,
    /// The rule by which the event is kept.
    pub retention_class: String,
    /// The ways to say no.
    pub withdrawal_methods: Vec<String>,
}

impl Terms {
    /// The terms of a deployment as this gateway keeps them: one controller, Meta and AWS as recipients.
    pub fn of_deployment(controller: &str, region: &str) -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            controller: controller.to_owned(),
            pii: words(&["whatsapp_identifier"]),
            recipients: words(&["meta", "aws"]),
            regions: vec![region.to_owned()],
            retention_class: "consent_ledger_event".to_owned(),
            withdrawal_methods: words(&["keyword", "meta_switch", "link", "api"]),
        }
    }
}

/// An event before it has its place in a chain; [`super::Head::append`] gives it one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact {
    /// When it happened, by our clock.
    pub at: Timestamp,
    /// What happened.
    pub event_type: EventType,
    /// To whom, as a commitment.
    pub subject: Commitment,
    /// The deployment.
    pub tenant: String,
    /// How plainly it was said.
    pub expression: Option<Expression>,
    /// What the messages agreed to are for.
    pub purpose: Option<String>,
    /// The topic of it that alone is meant.
    pub topic: Option<String>,
    /// The ground in law: `consent`, `contract`, `legitimate_interest`.
    pub basis: Option<String>,
    /// The id of the wording the person saw.
    pub notice: Option<String>,
    /// The language of that text.
    pub locale: Option<String>,
    /// How it was said: `web_checkbox`, `keyword:stop`, …
    pub method: Option<String>,
    /// The proof, as a commitment; the proof itself is sealed beside the subject.
    pub evidence: Option<Commitment>,
    /// When it happened according to whoever imported it.
    pub claimed_at: Option<Timestamp>,
    /// When the person was asked, of a yes that was asked for.
    pub requested_at: Option<Timestamp>,
    /// When the person confirmed, of a yes that was said twice.
    pub confirmed_at: Option<Timestamp>,
    /// When it ends by itself.
    pub valid_until: Option<Timestamp>,
    /// From when on it is to be asked for again.
    pub renew_after: Option<Timestamp>,
    /// The bodies of law that were applied, by the names of their policy profiles.
    pub jurisdictions: Vec<String>,
    /// Which edition of those profiles, as `sha256:` and its hash.
    pub profile_digest: Option<String>,
    /// Who said it, if not the person.
    pub actor: Option<String>,
    /// The receipt of an erasure.
    pub receipt: Option<String>,
}

impl Fact {
    /// A fact with what follows from what happened: a yes or a no is said plainly, and the ground is consent.
    pub fn new(at: Timestamp, event_type: EventType, subject: Commitment, tenant: &str) -> Self {
        let (expression, basis) = match event_type {
            EventType::ConsentGiven | EventType::ConsentWithdrawn | EventType::ConsentRefused => {
                (Some(Expression::Explicit), Some("consent"))
            }
            EventType::ConsentRequested | EventType::ConsentInvalidated => (None, Some("consent")),
            EventType::SubjectErased => (None, None),
        };
        Self {
            at,
            event_type,
            subject,
            tenant: tenant.to_owned(),
            expression,
            purpose: None,
            topic: None,
            basis: basis.map(str::to_owned),
            notice: None,
            locale: None,
            method: None,
            evidence: None,
            claimed_at: None,
            requested_at: None,
            confirmed_at: None,
            valid_until: None,
            renew_after: None,
            jurisdictions: Vec::new(),
            profile_digest: None,
            actor: None,
            receipt: None,
        }
    }

    /// The event at its place. A field without a value is left out, never `null` and never empty.
    pub(super) fn event(&self, shard: u8, seq: u64, terms: &Terms) -> Value {
        let mut event = Map::new();
        event.insert("v".into(), VERSION.into());
        event.insert("id".into(), event_id(shard, seq).into());
        event.insert("seq".into(), seq.into());
        event.insert("t".into(), self.at.to_string().into());
        event.insert("type".into(), self.event_type.as_str().into());
        event.insert("subject".into(), self.subject.as_str().into());
        event.insert("tenant".into(), self.tenant.as_str().into());
        let times = [
            ("claimed_at", self.claimed_at),
            ("requested_at", self.requested_at),
            ("confirmed_at", self.confirmed_at),
            ("valid_until", self.valid_until),
            ("renew_after", self.renew_after),
        ];
        for (name, time) in times {
            if let Some(time) = time {
                event.insert(name.to_owned(), time.to_string().into());
            }
        }
        let words = [
            ("event_type", self.expression.map(Expression::as_str)),
            ("purpose", self.purpose.as_deref()),
            ("topic", self.topic.as_deref()),
            ("basis", self.basis.as_deref()),
            ("notice", self.notice.as_deref()),
            ("locale", self.locale.as_deref()),
            ("method", self.method.as_deref()),
            ("evidence", self.evidence.as_ref().map(Commitment::as_str)),
            ("profile_digest", self.profile_digest.as_deref()),
            ("receipt", self.receipt.as_deref()),
        ];
        for (name, word) in words {
            if let Some(word) = word {
                event.insert(name.to_owned(), word.into());
            }
        }
        let is_erasure = self.event_type == EventType::SubjectErased;
        let said_nothing = is_erasure || self.event_type == EventType::ConsentInvalidated;
        let nobody_else = if said_nothing { "system" } else { "subject" };
        let actor = self.actor.as_deref().unwrap_or(nobody_else);
        event.insert("actor".into(), actor.into());
        let mut lists = vec![("jurisdictions", &self.jurisdictions)];
        event.insert("controller".into(), terms.controller.as_str().into());
        event.insert(
            "retention_class".into(),
            terms.retention_class.as_str().into(),
        );
        if !is_erasure {
            lists.extend([
                ("pii", &terms.pii),
                ("recipients", &terms.recipients),
                ("regions", &terms.regions),
                ("withdrawal_methods", &terms.withdrawal_methods),
            ]);
        }
        for (name, list) in lists {
            if !list.is_empty() {
                event.insert(name.to_owned(), list.as_slice().into());
            }
        }
        Value::Object(event)
    }
}
