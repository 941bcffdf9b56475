//! The rules of the table, each code at least once, through `authorize` alone.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "tests may fail loudly"
)]

mod contract;
mod import;
mod people;
mod place;
mod waits;
mod withdrawn;

use super::*;
use crate::consent::{Consent, IdentityChange};
use crate::identity::SubjectId;
use crate::lane::PURPOSES;
use crate::outbound::Parameters;

const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

fn config() -> Config {
    Config::from_toml(
        r#"
        [controller]
        name = "Maple Outfitters"
        privacy_contact = "privacy@maple.example"
        [[numbers]]
        id = "106540352242922"
        alias = "main"
        display = "+16135550100"
        portfolio = "p"
        [[templates]]
        name = "sale"
        language = "en_US"
        category = "marketing"
        status = "approved"
        [[templates]]
        name = "shipped"
        language = "en_US"
        category = "utility"
        status = "approved"
        [[templates]]
        name = "new"
        language = "en_US"
        category = "utility"
        [[templates]]
        name = "login"
        language = "en_US"
        category = "authentication"
        status = "approved"
        "#,
    )
    .unwrap()
}

fn subject() -> Subject {
    Subject::unknown(SubjectId::parse("sub_aaaaaaaaaaaaaaaaaaaaaaaaaa").unwrap())
}

fn with(mut subject: Subject, purpose: Purpose, state: State) -> Subject {
    let index = PURPOSES.iter().position(|p| *p == purpose).unwrap();
    subject.consents[index] = Some(Consent::alone(state, NOW, "L3.7", "web_checkbox"));
    subject
}

fn template(name: &str) -> Kind {
    Kind::Template {
        name: name.into(),
        language: "en_US".into(),
        parameters: Parameters::default(),
    }
}

fn region() -> ProcessingRegion {
    ProcessingRegion::parse("ca-central-1").unwrap()
}

fn canada() -> Option<Country> {
    Country::parse("CA").ok()
}

fn judge(
    subject: &Subject,
    purpose: Purpose,
    basis: &Basis,
    kind: &Kind,
    suppressed: &[Purpose],
) -> Result<Option<String>, Code> {
    let ask = Ask {
        subject: subject.clone(),
        purpose,
        basis: basis.clone(),
        kind: kind.clone(),
        suppressed: suppressed.to_vec(),
        ..Ask::marketing()
    };
    ask.judge().map_err(|no| no.code())
}

/// One question; the default is a marketing message to a Canadian who agreed, which may be sent.
struct Ask {
    config: Config,
    live: Live,
    recent: Recent,
    subject: Subject,
    suppressed: Vec<Purpose>,
    region: ProcessingRegion,
    checks: Vec<RegisterCheck>,
    at: Moment,
    to: Option<Country>,
    purpose: Purpose,
    basis: Basis,
    kind: Kind,
    not_before: Option<Timestamp>,
    expires_at: Timestamp,
    accepted_at: Option<Timestamp>,
    now: Timestamp,
}

impl Ask {
    fn marketing() -> Self {
        Self {
            config: config(),
            live: Live::default(),
            recent: Recent::default(),
            subject: with(subject(), Purpose::Marketing, State::Given),
            suppressed: Vec::new(),
            region: region(),
            checks: Vec::new(),
            at: Moment::Claim,
            to: canada(),
            purpose: Purpose::Marketing,
            basis: Basis::Consent,
            kind: template("sale"),
            not_before: None,
            expires_at: NOW.plus_millis(7 * 24 * HOUR),
            accepted_at: None,
            now: NOW,
        }
    }

    /// A message of any purpose to somebody to whom it may be sent.
    fn of(purpose: Purpose) -> Self {
        let mut subject = with(subject(), purpose, State::Given);
        subject.last_inbound_at = Some(NOW);
        let (basis, kind) = match purpose {
            Purpose::Authentication => (Basis::UserAction { at: NOW }, template("login")),
            Purpose::Service => (Basis::Consent, Kind::FreeForm),
            Purpose::Utility => (Basis::Consent, template("shipped")),
            Purpose::Marketing => (Basis::Consent, template("sale")),
        };
        Self {
            subject,
            purpose,
            basis,
            kind,
            ..Self::marketing()
        }
    }

    fn judge(&self) -> Result<Option<String>, No> {
        let request = Request {
            at: self.at,
            number: &self.config.numbers[0],
            to: self.to,
            purpose: self.purpose,
            topic: None,
            basis: &self.basis,
            kind: &self.kind,
            expires_at: self.expires_at,
            accepted_at: self.accepted_at.unwrap_or(self.now),
            not_before: self.not_before,
        };
        let facts = Facts {
            config: &self.config,
            live: &self.live,
            subject: &self.subject,
            suppressed: &self.suppressed,
            region: &self.region,
            checks: &self.checks,
            recent: &self.recent,
            producer: "AROASHOP",
        };
        authorize(&request, &facts, self.now).map(|p| p.consent_event().map(str::to_owned))
    }

    fn refused(&self) -> Code {
        match self.judge() {
            Err(No::Refused(refusal)) => refusal.code,
            Err(No::NotYet { code, .. }) => panic!("told to wait: {code}"),
            Ok(_) => panic!("permitted"),
        }
    }

    /// Until when it waits, and why; nothing when it may be sent.
    fn waits(&self) -> Option<(Timestamp, Code)> {
        match self.judge() {
            Ok(_) => None,
            Err(No::NotYet { until, code }) => Some((until, code)),
            Err(No::Refused(refusal)) => panic!("refused: {}", refusal.code),
        }
    }
}
