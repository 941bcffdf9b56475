//! Recording consent: one place that writes ledger, state and suppression, in the safe order.
//!
//! A no suppresses first and is proven after; a yes is proven first and takes effect after. So a
//! crash between two steps always leaves the stricter state. The rule itself is
//! `headgate_domain::consent::apply`.

use std::sync::Arc;

use headgate_domain::consent::{Action, Consent, DOUBT_MS, Outcome, State, apply, effective_at};
use headgate_domain::identity::{Identifier, Pepper, Pseudonym, SubjectId};
use headgate_domain::lane::Purpose;
use headgate_domain::ledger::{EventType, Fact, evidence_commitment, subject_commitment};
use headgate_domain::time::Timestamp;

use crate::AwsError;
use crate::keyring::KeyringError;
use crate::ledger::Ledger;
use crate::subjects::Subjects;
use crate::suppression::Suppression;

const PEPPER: u32 = 1;
const TRIES: u32 = 5;
/// How an objection came to stand under an identifier the person did not say it under.
const CARRIED: &str = "carried_over";

/// Everything a recorded consent touches.
#[derive(Clone)]
pub struct Consents {
    subjects: Subjects,
    suppression: Suppression,
    ledger: Ledger,
    suppression_pepper: Arc<Pepper>,
    deployment: String,
}

/// A yes or no, as it is to be recorded.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Whose.
    pub subject: SubjectId,
    /// For what.
    pub purpose: Purpose,
    /// Yes or no.
    pub action: Action,
    /// When it happened.
    pub at: Timestamp,
    /// How it was said.
    pub method: String,
    /// The wording the person saw.
    pub notice: Option<String>,
    /// In which language.
    pub locale: Option<String>,
    /// What proves it; sealed.
    pub evidence: Option<Vec<u8>>,
    /// Who said it, when it was not the person: the attesting producer.
    pub actor: Option<String>,
}

/// What came of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Whether the person now stands where the statement says.
    pub in_force: bool,
    /// The ledger event.
    pub event: String,
}

impl Consents {
    /// A recorder over the three tables.
    pub fn new(
        subjects: Subjects,
        suppression: Suppression,
        ledger: Ledger,
        suppression_pepper: Arc<Pepper>,
    ) -> Self {
        let deployment = subjects.keyring().deployment().to_owned();
        Self {
            subjects,
            suppression,
            ledger,
            suppression_pepper,
            deployment,
        }
    }

    /// The subjects table.
    pub const fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    /// The suppression table.
    pub const fn suppression(&self) -> &Suppression {
        &self.suppression
    }

    /// The ledger.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The suppression key of an identifier.
    pub fn suppression_key(&self, identifier: &Identifier) -> Pseudonym {
        identifier.suppression_key(&self.suppression_pepper, PEPPER, &self.deployment)
    }

    /// Records a statement; doing so twice leaves one trace.
    ///
    /// # Errors
    /// [`KeyringError`] when keys or tables are not available; repeating is safe.
    pub async fn record(
        &self,
        statement: &Statement,
        now: Timestamp,
    ) -> Result<Recorded, KeyringError> {
        let mut event = None;
        for _ in 0..TRIES {
            let states = self
                .subjects
                .states(std::slice::from_ref(&statement.subject))
                .await?;
            if let Some(standing) = states.first().and_then(|s| s.same_as.clone()) {
                let of_standing = Statement {
                    subject: standing,
                    ..statement.clone()
                };
                return Box::pin(self.record(&of_standing, now)).await;
            }
            let judged = states.first().and_then(|s| s.consent(statement.purpose));
            if let Some(same) = judged.filter(|c| is_same(c, statement)) {
                // A yes that was cut off before it took effect takes effect now.
                if same.state == State::Given {
                    self.lift(statement).await?;
                }
                return Ok(Recorded {
                    in_force: true,
                    event: same.event.clone(),
                });
            }
            let outcome = apply(judged, statement.action, statement.at, now);
            let at = effective_at(judged, statement.action, statement.at, now);
            if let Outcome::Change(State::Withdrawn) = outcome {
                self.suppress(statement, at).await?;
            }
            let proof = match event.take() {
                Some(proof) => proof,
                None => self.prove(statement, now).await?,
            };
            let Outcome::Change(state) = outcome else {
                return Ok(Recorded {
                    in_force: false,
                    event: proof,
                });
            };
            let new = Consent {
                state,
                at,
                event: proof.clone(),
                method: statement.method.clone(),
                // What a word like START may re-open later: only what was a yes before.
                replaced_given: state == State::Withdrawn
                    && judged.is_some_and(|c| c.state == State::Given || c.replaced_given),
            };
            if self
                .subjects
                .put_consent(&statement.subject, statement.purpose, judged, &new)
                .await?
            {
                if state == State::Given {
                    self.lift(statement).await?;
                }
                return Ok(Recorded {
                    in_force: true,
                    event: proof,
                });
            }
            event = Some(proof);
        }
        Err(AwsError::new("recording a consent", "contended").into())
    }

    /// Copies what objections are kept under some identifiers of a person to others of the same person.
    ///
    /// # Errors
    /// [`AwsError`] when the list cannot be read or written.
    pub async fn carry_objections(
        &self,
        from: &[Identifier],
        to: &[Identifier],
        at: Timestamp,
    ) -> Result<(), AwsError> {
        let keys: Vec<String> = from
            .iter()
            .map(|identifier| self.suppression_key(identifier).as_str().to_owned())
            .collect();
        let covered = self.suppression.covering(&keys).await?;
        let mut purposes: Vec<Purpose> = covered.into_iter().flat_map(|(_, p)| p).collect();
        purposes.sort_unstable();
        purposes.dedup();
        if purposes.is_empty() {
            return Ok(());
        }
        for identifier in to {
            self.suppression
                .add(&self.suppression_key(identifier), &purposes, at, CARRIED)
                .await?;
        }
        Ok(())
    }

    async fn prove(&self, statement: &Statement, now: Timestamp) -> Result<String, KeyringError> {
        let salt = self
            .subjects
            .keyring()
            .evidence_salt(&statement.subject)
            .await?;
        let event_type = match statement.action {
            Action::Given => EventType::ConsentGiven,
            Action::Withdrawn => EventType::ConsentWithdrawn,
            Action::Requested => EventType::ConsentRequested,
        };
        let mut fact = Fact::new(
            now,
            event_type,
            subject_commitment(&salt, &statement.subject),
            &self.deployment,
        );
        fact.purpose = Some(statement.purpose.word().to_owned());
        fact.notice = statement
            .notice
            .as_ref()
            .map(|text| headgate_domain::ledger::notice_hash(text));
        fact.locale.clone_from(&statement.locale);
        fact.method = Some(statement.method.clone());
        fact.actor.clone_from(&statement.actor);
        fact.claimed_at = (statement.at != now).then_some(statement.at);
        let evidence = evidence_of(statement);
        fact.evidence = evidence
            .as_ref()
            .map(|bytes| evidence_commitment(&salt, bytes));
        let event = self.ledger.append(&statement.subject, &fact).await?;
        if let Some(bytes) = evidence {
            self.subjects
                .put_evidence(&statement.subject, &event, &bytes)
                .await?;
        }
        Ok(event)
    }

    async fn suppress(&self, statement: &Statement, at: Timestamp) -> Result<(), KeyringError> {
        for key in self.keys(&statement.subject).await? {
            self.suppression
                .add(&key, &[statement.purpose], at, &statement.method)
                .await?;
        }
        Ok(())
    }

    async fn lift(&self, statement: &Statement) -> Result<(), KeyringError> {
        let keys = self.keys(&statement.subject).await?;
        let names: Vec<String> = keys.iter().map(|k| k.as_str().to_owned()).collect();
        let covered = self.suppression.covering(&names).await?;
        for key in keys {
            if covered.iter().any(|(name, purposes)| {
                name == key.as_str() && purposes.contains(&statement.purpose)
            }) {
                self.suppression
                    .lift(&key, &[statement.purpose], statement.at)
                    .await?;
            }
        }
        Ok(())
    }

    /// The suppression keys of every identifier of a person: an opt-out applies to all of them.
    async fn keys(&self, subject: &SubjectId) -> Result<Vec<Pseudonym>, KeyringError> {
        let Some(subject) = self.subjects.load(subject).await? else {
            return Ok(Vec::new());
        };
        let phone = subject.phone.map(Identifier::Phone);
        let bsuid = subject.bsuid.map(Identifier::Bsuid);
        Ok(phone
            .iter()
            .chain(&bsuid)
            .map(|i| self.suppression_key(i))
            .collect())
    }
}

fn is_same(current: &Consent, statement: &Statement) -> bool {
    let state = match statement.action {
        Action::Given => State::Given,
        Action::Withdrawn => State::Withdrawn,
        Action::Requested => State::Requested,
    };
    // A no is kept as no earlier than the yes it took back, which may be later than it was said.
    let moved = current.at.millis_since(statement.at);
    let may_move = state == State::Withdrawn && current.replaced_given;
    let is_when = moved == 0 || (may_move && (0..=DOUBT_MS).contains(&moved));
    current.state == state && is_when && current.method == statement.method
}

/// What is sealed as evidence: the proof and the wording, length first, so that neither can pass for the other.
fn evidence_of(statement: &Statement) -> Option<Vec<u8>> {
    if statement.evidence.is_none() && statement.notice.is_none() {
        return None;
    }
    let json = serde_json::json!({
        "evidence": statement.evidence.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        "notice": statement.notice,
    });
    serde_json::to_vec(&json).ok()
}
